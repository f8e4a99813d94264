/** What a driver does in numbers, for Spark's metrics system. */
@NullMarked
package dev.lethe.spark.metrics;

import org.jspecify.annotations.NullMarked;
