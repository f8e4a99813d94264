/**
 * Integration tests on real processes: the application jar as it is shipped, submitted by the
 * scripts to the Spark version of the build's profile. No Spark runs in the JVM of the tests.
 */
package dev.lethe.spark.it;
