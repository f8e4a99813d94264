package dev.lethe.benchmarks.endtoend;

import dev.lethe.spark.api.UnlearnRequest;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.feature.VectorAssembler;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.StructType;

/**
 * Raw columns of doubles, five of which are removed by name.
 *
 * <p>{@code x_j = s_j (0.9 z_j + 0.4 f)} with normal {@code z_j}, a factor {@code f} that all
 * columns of a row share, and scales {@code s_j} from 0.3 to 3; logistic labels from all columns.
 *
 * @param rows n
 * @param columns d, at least 20
 * @param seed of the data
 */
record DenseCase(long rows, int columns, long seed) implements Case {
  private static final int REMOVED = 5;

  static DenseCase of(double scale, long seed) {
    return new DenseCase(Math.max(1000, Math.round(2_000_000 * scale)), 100, seed);
  }

  @Override
  public String name() {
    return "dense";
  }

  @Override
  public String title() {
    return "dense " + rows + " x " + columns;
  }

  @Override
  public String removed() {
    return REMOVED + " columns";
  }

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
    return rows + "x" + columns + "-" + seed;
  }

  @Override
  public Case smaller() {
    return new DenseCase(Math.max(1000, rows / 10), columns, seed);
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
    double[] scales = new double[columns];
    double[] truth = new double[columns];
    SplittableRandom random = new SplittableRandom(seed);
    for (int j = 0; j < columns; j++) {
      scales[j] = 0.3 * Math.pow(10, random.nextDouble());
      truth[j] = random.nextGaussian() / (scales[j] * Math.sqrt(columns));
    }
    return tables.generate(first, count, seed, schema(), stream -> row(stream, scales, truth));
  }

  private static Row row(SplittableRandom random, double[] scales, double[] truth) {
    int d = truth.length;
    Object[] cells = new Object[d + 1];
    double shared = 0.4 * random.nextGaussian();
    double margin = 0.2;
    for (int j = 0; j < d; j++) {
      double x = scales[j] * (0.9 * random.nextGaussian() + shared);
      margin += truth[j] * x;
      cells[j] = x;
    }
    cells[d] = random.nextDouble() < 1 / (1 + Math.exp(-margin)) ? 1.0 : 0.0;
    return RowFactory.create(cells);
  }

  private StructType schema() {
    StructType schema = new StructType();
    for (int j = 0; j < columns; j++) {
      schema = schema.add("x" + j, "double", false);
    }
    return schema.add(LABEL, "double", false);
  }

  @Override
  public PipelineStage[] featurizer() {
    return new PipelineStage[] {assembler(IntStream.range(0, columns))};
  }

  /** Columns {@link #FEATURES} and {@link #LABEL} of all that a row has. */
  Dataset<Row> assembled(Dataset<Row> table) {
    return assembler(IntStream.range(0, columns)).transform(table).select(FEATURES, LABEL);
  }

  private static VectorAssembler assembler(IntStream columns) {
    return new VectorAssembler()
        .setInputCols(columns.mapToObj(j -> "x" + j).toArray(String[]::new))
        .setOutputCol(FEATURES);
  }

  private IntStream removedColumns() {
    return IntStream.range(0, REMOVED).map(k -> 3 + k * (columns / REMOVED));
  }

  @Override
  public UnlearnRequest request() {
    return UnlearnRequest.builder("bench-dense")
        .removeFeatures(removedColumns().mapToObj(j -> "x" + j).toArray(String[]::new))
        .certificate(EPSILON, DELTA, rho())
        .build();
  }

  @Override
  public Dataset<Row> corrected(PipelineModel model, Dataset<Row> table) {
    return assembler(
            IntStream.range(0, columns)
                .filter(j -> removedColumns().noneMatch(removed -> removed == j)))
        .transform(table)
        .select(FEATURES, LABEL);
  }
}
