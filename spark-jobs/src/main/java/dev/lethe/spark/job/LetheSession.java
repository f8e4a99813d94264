package dev.lethe.spark.job;

import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.spark.sql.SparkSession;

/** The Spark session of one job: spark-submit's, or the one that is already there. */
public final class LetheSession implements AutoCloseable {
  private final SparkSession spark;
  private final boolean owned;

  private LetheSession(SparkSession spark, boolean owned) {
    this.spark = spark;
    this.owned = owned;
  }

  /**
   * Opens the session. Coalescing of shuffle partitions is off, so that partitions are the same
   * from run to run. Case does not count in names of columns, as everywhere in Lethe.
   */
  public static LetheSession open(String name) {
    boolean owned = SparkSession.getDefaultSession().isEmpty();
    SparkSession spark =
        SparkSession.builder()
            .appName(name)
            .config("spark.sql.caseSensitive", "false")
            .config("spark.sql.adaptive.coalescePartitions.enabled", "false")
            .getOrCreate();
    return new LetheSession(spark, owned);
  }

  public SparkSession spark() {
    return spark;
  }

  /** The user's settings that decide what an expression of a request yields. */
  public String expressionSettings() {
    return Stream.of("spark.sql.session.timeZone", "spark.sql.ansi.enabled")
        .map(key -> key + " is " + spark.conf().get(key))
        .collect(Collectors.joining(", "));
  }

  /** Stops Spark if this session started it. */
  @Override
  public void close() {
    if (owned) {
      spark.stop();
    }
  }
}
