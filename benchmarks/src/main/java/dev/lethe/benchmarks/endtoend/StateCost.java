package dev.lethe.benchmarks.endtoend;

import static org.apache.spark.sql.functions.expr;
import static org.apache.spark.sql.functions.spark_partition_id;

import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.data.TableSource;
import dev.lethe.spark.job.GivenTables;
import dev.lethe.spark.job.RequestSource;
import dev.lethe.spark.job.UnlearnJob;
import dev.lethe.spark.job.UnlearnOptions;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * Requests that remove {@value #CHANGED} rows each, one release after the other, with a kept state:
 * whole jobs, from the paths of model, table and requests to the published model. Beside it a fit
 * by Spark ML on the corrected table at its default tolerance, in memory.
 */
record StateCost(String study, List<Run> runs) implements Study {
  private static final int D = 50;
  private static final int CHANGED = 1000;

  /** A file is of use once it is older than this. */
  private static final long SETTLES_MILLIS = 4000;

  /**
   * @param rows n
   * @param first seconds of the release that reads the table, and keeps the first state
   * @param next seconds of a release that follows the state
   * @param bounded how many of those did without the table
   * @param bound of the last one's distance
   * @param passes of the last one over the table
   * @param retraining seconds of Spark ML's fit, from Parquet
   * @param gradientNorm of the last un-noised parameters on the corrected table, mean form
   * @param retrainedNorm of Spark ML's
   */
  record Run(
      long rows,
      double first,
      Spread next,
      int bounded,
      int releases,
      double bound,
      long passes,
      Spread retraining,
      double gradientNorm,
      double retrainedNorm) {
    double ratio() {
      return retraining.median() / next.median();
    }
  }

  static StateCost measure(Options options, Sessions sessions) throws IOException {
    return measure(options, sessions, Growth.sizes(options));
  }

  static StateCost measure(Options options, Sessions sessions, long[] sizes) throws IOException {
    List<Run> runs = new ArrayList<>();
    for (long n : sizes) {
      runs.add(run(options, sessions.session(), new DenseCase(n, D, options.seed())));
    }
    return new StateCost("state", List.copyOf(runs));
  }

  private static Run run(Options options, SparkSession spark, DenseCase of) throws IOException {
    Tables tables = new Tables(spark, options.work());
    DenseCase small = new DenseCase(Math.min(of.rows(), 100_000), D, options.seed());
    tables.model(small);
    String table = table(of, tables);
    Path place = Files.createTempDirectory(Path.of(options.work()), "state");
    try {
      Releases releases = new Releases(spark, place, table, tables.modelPath(small));
      double first = releases.release("bucket = 0 AND id = 0").seconds();
      List<Double> next = new ArrayList<>();
      int bounded = 0;
      Evidence last = null;
      for (int k = -options.warmUps(); k < options.runs(); k++) {
        Released release = releases.release(releases.rows(of.rows()));
        last = release.evidence();
        if (k >= 0) {
          next.add(release.seconds());
          bounded += last.measurement().basis().equals(Evidence.Measurement.BOUNDED) ? 1 : 0;
        }
      }
      Dataset<Row> corrected =
          of.assembled(spark.read().parquet(table).where("NOT (" + releases.removed() + ")"));
      List<Double> retraining = new ArrayList<>();
      LogisticRegressionModel fit = null;
      for (int k = 0; k < options.runs(); k++) {
        System.gc();
        long begin = System.nanoTime();
        fit = of.predictor().fit(corrected);
        retraining.add((System.nanoTime() - begin) / 1e9);
      }
      MeanLogistic objective = MeanLogistic.of(corrected, of.regParam(), of.standardization());
      Run run =
          new Run(
              of.rows(),
              first,
              Spread.of(next),
              bounded,
              next.size(),
              last.measurement().distanceBound(),
              last.totals().passes(),
              Spread.of(retraining),
              objective.gradientNorm(last.unnoisedParameters()),
              objective.gradientNorm(Comparison.parameters(fit)));
      System.err.printf(
          Locale.ROOT,
          "bench: state: %d rows: %.3f s, Spark ML %.3f s%n",
          of.rows(),
          run.next.median(),
          run.retraining.median());
      return run;
    } finally {
      delete(place);
    }
  }

  /** Partitioned by a bucket, with a number of each row in its bucket. */
  private static String table(DenseCase of, Tables tables) {
    String path = tables.path(of, "buckets");
    if (!new File(path, "_SUCCESS").exists()) {
      of.train(tables)
          .withColumn("bucket", spark_partition_id())
          .withColumn("id", expr("monotonically_increasing_id() & ((1L << 33) - 1)"))
          .write()
          .mode("overwrite")
          .partitionBy("bucket")
          .parquet(path);
      settle();
    }
    return path;
  }

  private static void settle() {
    try {
      Thread.sleep(SETTLES_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private record Released(double seconds, Evidence evidence) {}

  /** One after the other, each of the model before, with all requests so far. */
  private static final class Releases {
    private final SparkSession spark;
    private final Path place;
    private final GivenTables tables;
    private final List<String> wheres = new ArrayList<>();
    private String model;

    Releases(SparkSession spark, Path place, String table, String model) throws IOException {
      this.spark = spark;
      this.place = place;
      this.model = model;
      tables = new GivenTables.Original(new TableSource("--data", table, "parquet", Map.of()));
      Files.createDirectory(place.resolve("requests"));
    }

    /** Of the next request. */
    String rows(long n) {
      long buckets = Tables.partitions(n);
      int k = wheres.size();
      return "bucket = %d AND id >= %d AND id < %d"
          .formatted(k % buckets, k * CHANGED, (k + 1) * CHANGED);
    }

    String removed() {
      return "(" + String.join(") OR (", wheres) + ")";
    }

    Released release(String where) throws IOException {
      int k = wheres.size();
      wheres.add(where);
      Files.writeString(
          place.resolve("requests/%03d.yaml".formatted(k)),
          """
          id: r-%d
          changes:
            - removeRows: {where: "%s"}
          certificate: {epsilon: %s, delta: %s, rho: %s}
          """
              .formatted(k, where, Case.EPSILON, "1.0e-4", "1.0e-3"));
      Path out = place.resolve("out-" + k);
      UnlearnJob job =
          new UnlearnJob(
              new UnlearnOptions(
                  model,
                  null,
                  tables,
                  null,
                  new RequestSource(List.of(place.resolve("requests").toString()), null, "r"),
                  out.toString(),
                  place.resolve("vault").toString(),
                  null,
                  null,
                  50,
                  1000,
                  0,
                  null,
                  true),
              spark);
      System.gc();
      long begin = System.nanoTime();
      UnlearnJob.Result result = job.run();
      double seconds = (System.nanoTime() - begin) / 1e9;
      model = out.resolve("model").toString();
      return new Released(seconds, result.evidence());
    }
  }

  static void delete(Path directory) throws IOException {
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }

  @Override
  public String markdown() {
    StringBuilder table =
        new StringBuilder(
            "Requests that remove "
                + CHANGED
                + " rows, with a kept state: seconds of the whole job, "
                + D
                + " columns.\n\n| rows | first release | next one | without the table | bound | passes |"
                + " Spark ML from Parquet | ratio | gradient norm, Lethe / Spark ML |\n"
                + "|---|---|---|---|---|---|---|---|---|\n");
    for (Run run : runs) {
      table.append(
          "| %d | %s | %s | %d of %d | %s | %d | %s | %s | %s / %s |\n"
              .formatted(
                  run.rows,
                  Report.fixed("%.3f", run.first),
                  Report.text(run.next),
                  run.bounded,
                  run.releases,
                  Report.scientific(run.bound),
                  run.passes,
                  Report.text(run.retraining),
                  Report.fixed("%.0f", run.ratio()),
                  Report.scientific(run.gradientNorm),
                  Report.scientific(run.retrainedNorm)));
    }
    return table.toString();
  }
}
