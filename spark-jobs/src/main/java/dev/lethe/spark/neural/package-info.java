/**
 * Networks on Spark: training, unlearning by the updates of Warnecke et al., NDSS 2023, and
 * measures of what is left. Nothing here is certified.
 */
@NullMarked
package dev.lethe.spark.neural;

import org.jspecify.annotations.NullMarked;
