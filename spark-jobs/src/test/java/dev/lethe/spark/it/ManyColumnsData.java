package dev.lethe.spark.it;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.apache.spark.api.java.function.MapFunction;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.ml.linalg.SQLDataTypes;
import org.apache.spark.ml.linalg.SparseVector;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;

/**
 * Writes a table of sparse vectors and an untrained model of as many coefficients. Arguments:
 * table, model, rows, columns, power. 50 entries a row of size {@code v / sqrt(50)}, v uniform in
 * [0.5, 1.5), at columns {@code floor(d u^power)} for uniform u: 1 spreads them evenly.
 */
public final class ManyColumnsData {
  private static final int ENTRIES = 50;
  private static final double REG_PARAM = 0.01;

  private ManyColumnsData() {}

  public static void main(String[] args) throws Exception {
    long rows = Long.parseLong(args[2]);
    int columns = Integer.parseInt(args[3]);
    double power = Double.parseDouble(args[4]);
    SparkSession spark = SparkSession.builder().appName("many columns").getOrCreate();
    StructType schema =
        new StructType()
            .add("id", "long", false)
            .add("features", SQLDataTypes.VectorType(), false)
            .add("label", "double", false);
    MapFunction<Long, Row> row = id -> row(id, columns, power);
    spark
        .range(0, rows, 1, 4)
        .as(Encoders.LONG())
        .map(row, Encoders.row(schema))
        .write()
        .parquet(args[0]);
    LogisticRegressionModel model =
        new LogisticRegressionModel("logreg-many", Vectors.dense(new double[columns]), 0);
    model.set(model.regParam(), REG_PARAM);
    model.set(model.standardization(), false);
    model.write().save(args[1]);
    spark.stop();
  }

  private static Row row(long id, int columns, double power) {
    SplittableRandom random = new SplittableRandom(id);
    int[] drawn = new int[ENTRIES];
    Arrays.setAll(drawn, k -> (int) (columns * Math.pow(random.nextDouble(), power)));
    int[] indices = Arrays.stream(drawn).sorted().distinct().toArray();
    double[] values = new double[indices.length];
    double margin = 0;
    for (int k = 0; k < indices.length; k++) {
      values[k] = random.nextDouble(0.5, 1.5) / Math.sqrt(ENTRIES);
      margin += indices[k] % 2 == 0 ? values[k] : -values[k];
    }
    double label = random.nextDouble() < 1 / (1 + Math.exp(-margin)) ? 1 : 0;
    return RowFactory.create(id, new SparseVector(columns, indices, values), label);
  }
}
