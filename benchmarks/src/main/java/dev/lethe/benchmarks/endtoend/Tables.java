package dev.lethe.benchmarks.endtoend;

import java.util.Iterator;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.api.java.function.Function2;
import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;

/**
 * Parquet tables and fitted models of the cases in a work directory: made once, used again.
 *
 * @param work directory
 */
record Tables(SparkSession spark, String work) {
  private static final long ROWS_A_FILE = 125_000;

  /** A row from its own stream of random numbers. */
  @FunctionalInterface
  interface RowMaker extends java.io.Serializable {
    Row row(SplittableRandom random);
  }

  /** Where the table of the rows that are trained on is; written now if it is not there yet. */
  String train(Case of) {
    String path = path(of, "train");
    return written(path) ? path : write(of.train(this), path);
  }

  /** The same of the rows that no fit sees. */
  String test(Case of) {
    String path = path(of, "test");
    return written(path) ? path : write(of.test(this), path);
  }

  /** The model before, as Spark ML fits it with its defaults; fitted now if it is not there yet. */
  PipelineModel model(Case of) {
    String path = path(of, "model");
    if (written(path + "/metadata")) {
      return PipelineModel.load(path);
    }
    PipelineStage[] featurizer = of.featurizer();
    PipelineStage[] stages = new PipelineStage[featurizer.length + 1];
    System.arraycopy(featurizer, 0, stages, 0, featurizer.length);
    stages[featurizer.length] = of.predictor();
    PipelineModel model = new Pipeline().setStages(stages).fit(spark.read().parquet(train(of)));
    try {
      model.write().overwrite().save(path);
    } catch (java.io.IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
    return model;
  }

  /**
   * Rows that are a function of the seed and of their number alone, made in parallel.
   *
   * @param first number of the first row
   */
  Dataset<Row> generate(long first, long rows, long seed, StructType schema, RowMaker maker) {
    int partitions = partitions(rows);
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    Function2<Integer, Iterator<Integer>, Iterator<Row>> part =
        (index, ignored) ->
            LongStream.range(
                    first + rows * index / partitions, first + rows * (index + 1) / partitions)
                .mapToObj(i -> maker.row(new SplittableRandom(mixed(seed, i))))
                .iterator();
    return spark.createDataFrame(
        context
            .parallelize(IntStream.range(0, partitions).boxed().toList(), partitions)
            .mapPartitionsWithIndex(part, false),
        schema);
  }

  /** Partitions, and files, of generated rows. */
  static int partitions(long rows) {
    return (int) Math.max(2, (rows + ROWS_A_FILE - 1) / ROWS_A_FILE);
  }

  /** Neighbouring rows get unrelated streams. */
  private static long mixed(long seed, long row) {
    return new SplittableRandom(seed ^ (row * 0x9E3779B97F4A7C15L)).nextLong();
  }

  /** Where {@link #model} is. */
  String modelPath(Case of) {
    return path(of, "model");
  }

  String path(Case of, String kind) {
    return work + "/" + of.name() + "-" + of.variant() + "-" + kind;
  }

  private boolean written(String path) {
    return new java.io.File(path, "_SUCCESS").exists();
  }

  private static String write(Dataset<Row> rows, String path) {
    rows.write().mode("overwrite").parquet(path);
    return path;
  }
}
