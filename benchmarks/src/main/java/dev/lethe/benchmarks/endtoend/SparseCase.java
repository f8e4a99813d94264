package dev.lethe.benchmarks.endtoend;

import static org.apache.spark.sql.functions.col;

import dev.lethe.spark.api.UnlearnRequest;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.linalg.SQLDataTypes;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.StructType;

/**
 * A column of sparse vectors, a hundred slots of which are removed.
 *
 * <p>50 entries a row, at slots {@code floor(d u^2)} for uniform {@code u} (a slot that is drawn
 * twice has one entry), of size {@code v / sqrt(50)} with {@code v} uniform in [0.5, 1.5); logistic
 * labels from all slots. As text is: no standardization.
 *
 * @param rows n
 * @param slots d, at least a few hundred
 * @param seed of the data
 */
record SparseCase(long rows, int slots, long seed) implements Case {
  private static final int ENTRIES = 50;
  private static final int REMOVED = 100;

  static SparseCase of(double scale, long seed) {
    return new SparseCase(Math.max(1000, Math.round(1_000_000 * scale)), 100_000, seed);
  }

  @Override
  public String name() {
    return "sparse";
  }

  @Override
  public String title() {
    return "sparse " + rows + " x " + slots + ", " + ENTRIES + " nonzeros a row";
  }

  @Override
  public String removed() {
    return REMOVED + " slots";
  }

  @Override
  public double rho() {
    return 1e-8;
  }

  @Override
  public double regParam() {
    return 1e-4;
  }

  @Override
  public boolean standardization() {
    return false;
  }

  @Override
  public String variant() {
    return rows + "x" + slots + "-" + seed;
  }

  @Override
  public Case smaller() {
    return new SparseCase(Math.max(1000, rows / 10), slots, seed);
  }

  @Override
  public Dataset<Row> train(Tables tables) {
    return generate(tables, 0, rows);
  }

  @Override
  public Dataset<Row> test(Tables tables) {
    return generate(tables, rows, Math.max(1000, rows / 10));
  }

  private Dataset<Row> generate(Tables tables, long first, long count) {
    double[] truth = new SplittableRandom(seed).doubles(slots, -2, 2).toArray();
    return tables.generate(
        first,
        count,
        seed,
        new StructType()
            .add(FEATURES, SQLDataTypes.VectorType(), false)
            .add(LABEL, "double", false),
        stream -> row(stream, truth));
  }

  private static Row row(SplittableRandom random, double[] truth) {
    int d = truth.length;
    int[] drawn = new int[ENTRIES];
    for (int k = 0; k < ENTRIES; k++) {
      double u = random.nextDouble();
      drawn[k] = (int) (d * u * u);
    }
    int[] indices = Arrays.stream(drawn).sorted().distinct().toArray();
    double[] values = new double[indices.length];
    double margin = 0.2;
    for (int k = 0; k < indices.length; k++) {
      values[k] = random.nextDouble(0.5, 1.5) / Math.sqrt(ENTRIES);
      margin += truth[indices[k]] * values[k];
    }
    double label = random.nextDouble() < 1 / (1 + Math.exp(-margin)) ? 1 : 0;
    return RowFactory.create(Vectors.sparse(d, indices, values), label);
  }

  @Override
  public PipelineStage[] featurizer() {
    return new PipelineStage[0];
  }

  private RemovedSlots removedSlots() {
    return new RemovedSlots(slots, REMOVED);
  }

  @Override
  public UnlearnRequest request() {
    return UnlearnRequest.builder("bench-sparse")
        .removeFeatures(removedSlots().names(FEATURES))
        .certificate(EPSILON, DELTA, rho())
        .build();
  }

  @Override
  public Dataset<Row> corrected(PipelineModel model, Dataset<Row> table) {
    return table.select(removedSlots().without(col(FEATURES)).as(FEATURES), col(LABEL));
  }
}
