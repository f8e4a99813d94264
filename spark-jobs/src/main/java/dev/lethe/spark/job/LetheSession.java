package dev.lethe.spark.job;

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
   * from run to run.
   */
  public static LetheSession open(String name) {
    boolean owned = SparkSession.getDefaultSession().isEmpty();
    SparkSession spark =
        SparkSession.builder()
            .appName(name)
            .config("spark.sql.adaptive.coalescePartitions.enabled", "false")
            .getOrCreate();
    return new LetheSession(spark, owned);
  }

  public SparkSession spark() {
    return spark;
  }

  /** Stops Spark if this session started it. */
  @Override
  public void close() {
    if (owned) {
      spark.stop();
    }
  }
}
