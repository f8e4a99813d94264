/**
 * Unlearning in code: fitted Spark ML models and datasets in, a model and its certificate out,
 * without files.
 *
 * <p>Begin with {@link dev.lethe.spark.api.Unlearner}. What it does is what the command line does:
 * both call the same classes. Signatures name the JDK, Spark and {@code dev.lethe.spark} only,
 * nothing that the application jar relocates. {@code docs/api.md} has an example in Java and one in
 * Scala.
 */
package dev.lethe.spark.api;
