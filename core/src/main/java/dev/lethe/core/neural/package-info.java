/**
 * Networks: what a model gives for a batch of examples, and the updates of Warnecke et al., NDSS
 * 2023, for losses that are not convex. Nothing here is certified: see {@code docs/neural.md}.
 */
@NullMarked
package dev.lethe.core.neural;

import org.jspecify.annotations.NullMarked;
