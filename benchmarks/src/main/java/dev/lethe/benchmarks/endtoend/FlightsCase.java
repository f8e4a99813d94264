package dev.lethe.benchmarks.endtoend;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.concat_ws;
import static org.apache.spark.sql.functions.dayofweek;
import static org.apache.spark.sql.functions.hour;
import static org.apache.spark.sql.functions.when;

import dev.lethe.spark.api.UnlearnRequest;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * Three million flights in the United States from January to June 2001: is one more than 15 minutes
 * late? Trained on those before 1 June, tested on the later ones. Indicators alone: origin,
 * destination, route, hour, weekday.
 *
 * <p>To forget the origin is to forget the route, too, which names it; a request that left it there
 * would remove nothing that the model knows. The distance, which tells most routes apart, is no
 * feature.
 *
 * @param file that {@code scripts/flights} fetches
 * @param share of its rows, at most 1
 * @param seed of the choice of rows
 */
record FlightsCase(String file, double share, long seed) implements Case {
  static final String FILE = "flights-3m.parquet";

  private static final String FIRST_DAY_OF_TEST = "2001-06-01";
  private static final int FILES = 24;
  private static final List<String> REMOVED = List.of("origin", "route");
  private static final OneHot FEATURIZER =
      new OneHot(List.of(), List.of("origin", "destination", "route", "hour", "weekday"), "keep");

  static FlightsCase of(Options options) {
    Path file = Path.of(options.work(), FILE);
    if (!Files.isRegularFile(file)) {
      throw new IllegalArgumentException(
          "--only flights needs " + file + "; fetch it with scripts/flights");
    }
    return new FlightsCase(file.toString(), Math.min(1, options.scale()), options.seed());
  }

  @Override
  public String name() {
    return "flights";
  }

  @Override
  public String title() {
    return share == 1 ? "flights" : "flights, a share of " + share;
  }

  @Override
  public String removed() {
    return String.join(", ", REMOVED);
  }

  @Override
  public double rho() {
    return 1e-8;
  }

  @Override
  public double regParam() {
    return 1e-4;
  }

  /** Indicators share a scale. */
  @Override
  public boolean standardization() {
    return false;
  }

  @Override
  public String variant() {
    return share + "-" + seed;
  }

  @Override
  public Case smaller() {
    return new FlightsCase(file, share / 10, seed);
  }

  @Override
  public Dataset<Row> train(Tables tables) {
    return read(tables, col("date").lt(FIRST_DAY_OF_TEST));
  }

  @Override
  public Dataset<Row> test(Tables tables) {
    return read(tables, col("date").geq(FIRST_DAY_OF_TEST));
  }

  private Dataset<Row> read(Tables tables, Column period) {
    Dataset<Row> flights = tables.spark().read().parquet(file);
    return (share == 1 ? flights : flights.sample(share, seed))
        .where(period)
        .select(
            col("origin"),
            col("destination"),
            concat_ws("-", col("origin"), col("destination")).as("route"),
            hour(col("date")).as("hour"),
            dayofweek(col("date")).as("weekday"),
            when(col("delay").gt(15), 1.0).otherwise(0.0).as(LABEL))
        .repartition(FILES);
  }

  @Override
  public PipelineStage[] featurizer() {
    return FEATURIZER.stages();
  }

  @Override
  public UnlearnRequest request() {
    return UnlearnRequest.builder("bench-flights")
        .removeFeatures(REMOVED.toArray(String[]::new))
        .certificate(EPSILON, DELTA, rho())
        .build();
  }

  @Override
  public Dataset<Row> corrected(PipelineModel model, Dataset<Row> table) {
    return FEATURIZER.without(REMOVED, model, table);
  }
}
