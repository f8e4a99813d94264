package dev.lethe.spark.job;

import dev.lethe.spark.LocalSpark;
import java.net.SocketTimeoutException;
import java.util.List;
import java.util.Map;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.memory.SparkOutOfMemoryError;
import org.apache.spark.rdd.RDD;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SQLContext;
import org.apache.spark.sql.sources.BaseRelation;
import org.apache.spark.sql.sources.RelationProvider;
import org.apache.spark.sql.sources.TableScan;
import org.apache.spark.sql.types.StructType;

/** A table of people whose scan fails on the executor, as the option {@code failure} says. */
public final class FailingSource implements RelationProvider {
  /** In the message of every failure. */
  static final String SECRET = "u-4711";

  @Override
  public BaseRelation createRelation(
      SQLContext context, scala.collection.immutable.Map<String, String> options) {
    return new Relation(context, options.apply("failure"));
  }

  private static final class Relation extends BaseRelation implements TableScan {
    private final SQLContext context;
    private final String failure;

    Relation(SQLContext context, String failure) {
      this.context = context;
      this.failure = failure;
    }

    @Override
    public SQLContext sqlContext() {
      return context;
    }

    @Override
    public StructType schema() {
      return People.SCHEMA;
    }

    @Override
    public RDD<Row> buildScan() {
      String kind = failure;
      return JavaSparkContext.fromSparkContext(LocalSpark.session().sparkContext())
          .parallelize(List.of(0), 1)
          .map(
              row -> {
                fail(kind);
                return (Row) null;
              })
          .rdd();
    }
  }

  private static void fail(String kind) throws Exception {
    switch (kind) {
      case "memory" ->
          throw new SparkOutOfMemoryError(
              "UNABLE_TO_ACQUIRE_MEMORY", Map.of("requestedBytes", SECRET, "receivedBytes", "0"));
      case "class" -> throw new NoClassDefFoundError(SECRET);
      case "network" -> throw new SocketTimeoutException(SECRET);
      case "number" -> throw new NumberFormatException(SECRET);
      case "sleep" -> Thread.sleep(60_000);
      default -> throw new IllegalStateException(SECRET);
    }
  }
}
