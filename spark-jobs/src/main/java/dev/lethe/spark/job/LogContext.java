package dev.lethe.spark.job;

import org.apache.spark.SparkContext;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;
import org.slf4j.MDC;

/**
 * What lines of the log are about, until it is closed: a key of the logging framework's diagnostic
 * context, of this thread and, behind {@value #OF_TASKS}, of the tasks that it starts.
 */
public final class LogContext implements AutoCloseable {
  /** Spark's prefix of local properties that become keys of a task's context. */
  private static final String OF_TASKS = "mdc.";

  private final SparkContext spark;
  private final String key;
  private final @Nullable String before;

  private LogContext(SparkSession spark, String key, String value) {
    this.spark = spark.sparkContext();
    this.key = key;
    this.before = MDC.get(key);
    set(value);
  }

  /** The Spark application. */
  public static LogContext application(SparkSession spark) {
    return new LogContext(spark, "lethe.application", spark.sparkContext().applicationId());
  }

  /**
   * A request, or the batch of requests that are answered as one.
   *
   * @param id public, as in certificates
   */
  public static LogContext request(SparkSession spark, String id) {
    return new LogContext(spark, "lethe.request", id);
  }

  private void set(@Nullable String value) {
    if (value == null) {
      MDC.remove(key);
    } else {
      MDC.put(key, value);
    }
    spark.setLocalProperty(OF_TASKS + key, value);
  }

  @Override
  public void close() {
    set(before);
  }
}
