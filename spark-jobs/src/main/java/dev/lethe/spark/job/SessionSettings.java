package dev.lethe.spark.job;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.QuietLoggers;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * The caller's session while Lethe works in it: coalescing of shuffle partitions is off, so that
 * partitions are the same from run to run, generated code that the JVM would not compile (a method
 * of more than 8000 bytes, as a table of some hundred columns makes it) is not generated, and jobs
 * are described in Lethe's words; what was set before is set again afterwards.
 */
public final class SessionSettings implements AutoCloseable {
  private static final String COALESCE = "spark.sql.adaptive.coalescePartitions.enabled";
  private static final String HUGE_METHOD = "spark.sql.codegen.hugeMethodLimit";
  private static final String DESCRIPTION = "spark.job.description";
  private static final String CASE_SENSITIVE = "spark.sql.caseSensitive";

  private final SparkSession spark;
  private final String coalesce;
  private final String hugeMethod;
  private final @Nullable String description;

  private SessionSettings(SparkSession spark) {
    this.spark = spark;
    this.coalesce = spark.conf().get(COALESCE);
    this.hugeMethod = spark.conf().get(HUGE_METHOD);
    this.description = spark.sparkContext().getLocalProperty(DESCRIPTION);
    spark.conf().set(COALESCE, "false");
    spark.conf().set(HUGE_METHOD, LetheSession.COMPILED_METHOD);
  }

  /**
   * Pins the settings.
   *
   * @throws InvalidInputException if case counts in the session's names of columns
   */
  public static SessionSettings pin(SparkSession spark) {
    if (Boolean.parseBoolean(spark.conf().get(CASE_SENSITIVE))) {
      throw new InvalidInputException(
          CASE_SENSITIVE + " is true; it must be false: case does not count in Lethe's columns");
    }
    QuietLoggers.quieten();
    return new SessionSettings(spark);
  }

  @Override
  public void close() {
    spark.conf().set(COALESCE, coalesce);
    spark.conf().set(HUGE_METHOD, hugeMethod);
    spark.sparkContext().setLocalProperty(DESCRIPTION, description);
  }
}
