package dev.lethe.benchmarks.endtoend;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.when;

import dev.lethe.spark.api.UnlearnRequest;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * The census data of {@code docs/results.md}, with its split and its columns; three categorical
 * columns are removed.
 *
 * @param data directory that holds adult/
 */
record AdultCase(String data) implements Case {
  private static final List<String> REMOVED = List.of("race", "marital-status", "relationship");
  private static final OneHot FEATURIZER =
      new OneHot(
          List.of("age", "education-num", "capital-gain", "capital-loss", "hours-per-week"),
          List.of(
              "workclass",
              "marital-status",
              "occupation",
              "relationship",
              "race",
              "sex",
              "native-country"),
          "error");

  static AdultCase of(Optional<String> data) {
    String folder =
        data.orElseThrow(
            () ->
                new IllegalArgumentException("--only adult needs --data DIR, see docs/results.md"));
    for (String file : List.of("adult-train.csv", "adult-test.csv")) {
      if (!Files.isRegularFile(Path.of(folder, "adult", file))) {
        throw new IllegalArgumentException("--data: no file " + Path.of(folder, "adult", file));
      }
    }
    return new AdultCase(folder);
  }

  @Override
  public String name() {
    return "adult";
  }

  @Override
  public String title() {
    return "Adult";
  }

  @Override
  public String removed() {
    return REMOVED.size() + " columns";
  }

  /** What rounding allows on these data, see {@code docs/results.md}. */
  @Override
  public double rho() {
    return 1e-8;
  }

  @Override
  public double regParam() {
    return 1e-3;
  }

  @Override
  public boolean standardization() {
    return true;
  }

  @Override
  public String variant() {
    return "census";
  }

  @Override
  public Case smaller() {
    return this;
  }

  @Override
  public Dataset<Row> train(Tables tables) {
    return read(tables, "adult-train.csv");
  }

  @Override
  public Dataset<Row> test(Tables tables) {
    return read(tables, "adult-test.csv");
  }

  private Dataset<Row> read(Tables tables, String file) {
    return tables
        .spark()
        .read()
        .option("header", "true")
        .option("inferSchema", "true")
        .csv(data + "/adult/" + file)
        .withColumn(LABEL, when(col("income").equalTo(">50K"), lit(1.0)).otherwise(lit(0.0)))
        .drop("income");
  }

  @Override
  public PipelineStage[] featurizer() {
    return FEATURIZER.stages();
  }

  @Override
  public UnlearnRequest request() {
    return UnlearnRequest.builder("bench-adult")
        .removeFeatures(REMOVED.toArray(String[]::new))
        .certificate(EPSILON, DELTA, rho())
        .build();
  }

  @Override
  public Dataset<Row> corrected(PipelineModel model, Dataset<Row> table) {
    return FEATURIZER.without(REMOVED, model, table);
  }
}
