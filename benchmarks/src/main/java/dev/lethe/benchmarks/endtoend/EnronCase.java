package dev.lethe.benchmarks.endtoend;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.pmod;
import static org.apache.spark.sql.functions.when;
import static org.apache.spark.sql.functions.xxhash64;

import dev.lethe.spark.api.UnlearnRequest;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.feature.Normalizer;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * The messages of {@code docs/results.md}, which word occurs in which, as rows of norm 1, split
 * 80/20 by a hash; a hundred words are removed.
 *
 * @param data directory that holds enron/
 */
record EnronCase(String data) implements Case {
  private static final String FILE = "enron/enron-test.libsvm.gz";
  private static final String WORDS = "words";
  private static final RemovedSlots REMOVED = new RemovedSlots(4902, 100);

  static EnronCase of(Optional<String> data) {
    String folder =
        data.orElseThrow(
            () ->
                new IllegalArgumentException("--only enron needs --data DIR, see docs/results.md"));
    if (!Files.isRegularFile(Path.of(folder, FILE))) {
      throw new IllegalArgumentException("--data: no file " + Path.of(folder, FILE));
    }
    return new EnronCase(folder);
  }

  @Override
  public String name() {
    return "enron";
  }

  @Override
  public String title() {
    return "Enron";
  }

  @Override
  public String removed() {
    return REMOVED.count() + " words";
  }

  @Override
  public double rho() {
    return 1e-8;
  }

  @Override
  public double regParam() {
    return 2e-4;
  }

  @Override
  public boolean standardization() {
    return false;
  }

  @Override
  public String variant() {
    return "spam";
  }

  @Override
  public Case smaller() {
    return this;
  }

  @Override
  public Dataset<Row> train(Tables tables) {
    return read(tables, true);
  }

  @Override
  public Dataset<Row> test(Tables tables) {
    return read(tables, false);
  }

  private Dataset<Row> read(Tables tables, boolean train) {
    Dataset<Row> messages =
        tables
            .spark()
            .read()
            .format("libsvm")
            .option("numFeatures", REMOVED.slots())
            .load(data + "/" + FILE)
            .select(
                when(col("label").gt(0), lit(1.0)).otherwise(lit(0.0)).as(LABEL),
                col("features").as(WORDS))
            .where(
                train
                    ? pmod(xxhash64(col(WORDS)), lit(5)).notEqual(0)
                    : pmod(xxhash64(col(WORDS)), lit(5)).equalTo(0));
    return new Normalizer()
        .setInputCol(WORDS)
        .setOutputCol(FEATURES)
        .transform(messages)
        .select(FEATURES, LABEL);
  }

  @Override
  public PipelineStage[] featurizer() {
    return new PipelineStage[0];
  }

  @Override
  public UnlearnRequest request() {
    return UnlearnRequest.builder("bench-enron")
        .removeFeatures(REMOVED.names(FEATURES))
        .certificate(EPSILON, DELTA, rho())
        .build();
  }

  @Override
  public Dataset<Row> corrected(PipelineModel model, Dataset<Row> table) {
    return table.select(REMOVED.without(col(FEATURES)).as(FEATURES), col(LABEL));
  }
}
