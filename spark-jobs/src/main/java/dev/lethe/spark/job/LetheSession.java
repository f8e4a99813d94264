package dev.lethe.spark.job;

import dev.lethe.spark.QuietLoggers;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.spark.sql.SparkSession;

/** The Spark session of one job: spark-submit's, or the one that is already there. */
public final class LetheSession implements AutoCloseable {
  /** Bytes of a method above which HotSpot interprets it. */
  static final String COMPILED_METHOD = "8000";

  private final SparkSession spark;
  private final boolean owned;
  private final LogContext log;

  private LetheSession(SparkSession spark, boolean owned) {
    this.spark = spark;
    this.owned = owned;
    this.log = LogContext.application(spark);
  }

  /**
   * Opens the session. Coalescing of shuffle partitions is off, so that partitions are the same
   * from run to run; code that would be interpreted is not generated. Case does not count in names
   * of columns, as everywhere in Lethe.
   */
  public static LetheSession open(String name) {
    QuietLoggers.quieten();
    boolean owned = SparkSession.getDefaultSession().isEmpty();
    SparkSession spark =
        SparkSession.builder()
            .appName(name)
            .config("spark.sql.caseSensitive", "false")
            .config("spark.sql.adaptive.coalescePartitions.enabled", "false")
            .config("spark.sql.codegen.hugeMethodLimit", COMPILED_METHOD)
            .config("spark.sql.codegen.logging.maxLines", "0")
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
    log.close();
    if (owned) {
      spark.stop();
    }
  }
}
