/**
 * Unlearning beside retraining by Spark ML, end to end: what {@code scripts/bench} runs. Needs
 * Spark and Lethe's application jar on the class path; uses Lethe's public API alone.
 */
package dev.lethe.benchmarks.endtoend;
