package dev.lethe.benchmarks.endtoend;

import dev.lethe.spark.api.UnlearnRequest;
import java.util.List;
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
 * @param seed of the data
 */
record DenseCase(long rows, long seed) implements Case {
  private static final int COLUMNS = 100;
  private static final List<Integer> REMOVED = List.of(3, 23, 43, 63, 83);

  static DenseCase of(double scale, long seed) {
    return new DenseCase(Math.max(1000, Math.round(2_000_000 * scale)), seed);
  }

  @Override
  public String name() {
    return "dense";
  }

  @Override
  public String title() {
    return "dense " + rows + " x " + COLUMNS;
  }

  @Override
  public String removed() {
    return REMOVED.size() + " columns";
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
    return rows + "-" + seed;
  }

  @Override
  public Case smaller() {
    return new DenseCase(Math.max(1000, rows / 10), seed);
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
    double[] scales = new double[COLUMNS];
    double[] truth = new double[COLUMNS];
    SplittableRandom random = new SplittableRandom(seed);
    for (int j = 0; j < COLUMNS; j++) {
      scales[j] = 0.3 * Math.pow(10, random.nextDouble());
      truth[j] = random.nextGaussian() / (scales[j] * Math.sqrt(COLUMNS));
    }
    return tables.generate(first, count, seed, schema(), stream -> row(stream, scales, truth));
  }

  private static Row row(SplittableRandom random, double[] scales, double[] truth) {
    Object[] cells = new Object[COLUMNS + 1];
    double shared = 0.4 * random.nextGaussian();
    double margin = 0.2;
    for (int j = 0; j < COLUMNS; j++) {
      double x = scales[j] * (0.9 * random.nextGaussian() + shared);
      margin += truth[j] * x;
      cells[j] = x;
    }
    cells[COLUMNS] = random.nextDouble() < 1 / (1 + Math.exp(-margin)) ? 1.0 : 0.0;
    return RowFactory.create(cells);
  }

  private static StructType schema() {
    StructType schema = new StructType();
    for (int j = 0; j < COLUMNS; j++) {
      schema = schema.add("x" + j, "double", false);
    }
    return schema.add(LABEL, "double", false);
  }

  @Override
  public PipelineStage[] featurizer() {
    return new PipelineStage[] {assembler(IntStream.range(0, COLUMNS))};
  }

  private static VectorAssembler assembler(IntStream columns) {
    return new VectorAssembler()
        .setInputCols(columns.mapToObj(j -> "x" + j).toArray(String[]::new))
        .setOutputCol(FEATURES);
  }

  @Override
  public UnlearnRequest request() {
    return UnlearnRequest.builder("bench-dense")
        .removeFeatures(REMOVED.stream().map(j -> "x" + j).toArray(String[]::new))
        .certificate(EPSILON, DELTA, rho())
        .build();
  }

  @Override
  public Dataset<Row> corrected(PipelineModel model, Dataset<Row> table) {
    return assembler(IntStream.range(0, COLUMNS).filter(j -> !REMOVED.contains(j)))
        .transform(table)
        .select(FEATURES, LABEL);
  }
}
