package dev.lethe.benchmarks.endtoend;

import static org.apache.spark.sql.functions.expr;
import static org.apache.spark.sql.functions.spark_partition_id;

import dev.lethe.spark.api.TrainingData;
import dev.lethe.spark.api.UnlearnRequest;
import dev.lethe.spark.api.UnlearnedModel;
import dev.lethe.spark.api.Unlearner;
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
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * Requests that remove {@value #CHANGED} rows each, one release after the other, with a kept state:
 * from the table's path to the certified model in memory, and whole jobs, from the paths of model,
 * table and requests to the published model. Beside it a fit by Spark ML on the corrected table at
 * its default tolerance, in memory.
 */
record StateCost(String study, List<Run> runs) implements Study {
  private static final int D = 50;
  private static final int CHANGED = 1000;
  private static final double RHO = 1e-3;

  /** A file is of use once it is older than this. */
  private static final long SETTLES_MILLIS = 4000;

  /**
   * @param rows n
   * @param columns d
   * @param first seconds of the job that reads the table, and keeps the first state
   * @param inMemory seconds of a release that follows the state, in memory
   * @param job seconds of the whole job of one
   * @param bounded how many of the jobs did without the table
   * @param bound of the last one's distance
   * @param passes of the last one over the table
   * @param retraining seconds of Spark ML's fit, from Parquet
   * @param gradientNorm of the last un-noised parameters on the corrected table, mean form
   * @param retrainedNorm of Spark ML's
   */
  record Run(
      long rows,
      int columns,
      double first,
      Spread inMemory,
      Spread job,
      int bounded,
      int releases,
      double bound,
      long passes,
      Spread retraining,
      double gradientNorm,
      double retrainedNorm) {
    double ratio() {
      return retraining.median() / inMemory.median();
    }
  }

  static StateCost measure(Options options, Sessions sessions) throws IOException {
    List<DenseCase> tables = new ArrayList<>();
    for (long n : Growth.sizes(options)) {
      tables.add(new DenseCase(n, D, options.seed()));
    }
    tables.add(DenseCase.of(options.scale(), options.seed()));
    return measure(options, sessions, tables);
  }

  static StateCost measure(Options options, Sessions sessions, List<DenseCase> tables)
      throws IOException {
    List<Run> runs = new ArrayList<>();
    for (DenseCase of : tables) {
      runs.add(run(options, sessions.session(), of));
    }
    return new StateCost("state", List.copyOf(runs));
  }

  private static Run run(Options options, SparkSession spark, DenseCase of) throws IOException {
    Tables tables = new Tables(spark, options.work());
    DenseCase small = new DenseCase(Math.min(of.rows(), 100_000), of.columns(), options.seed());
    tables.model(small);
    String table = table(of, tables);
    Path place = Files.createTempDirectory(Path.of(options.work()), "state");
    try {
      Releases releases = new Releases(spark, place, table, tables.modelPath(small));
      double first = releases.release("bucket = 0 AND id = 0").seconds();
      List<Double> jobs = new ArrayList<>();
      int bounded = 0;
      Evidence last = null;
      for (int k = -options.warmUps(); k < options.runs(); k++) {
        Released release = releases.release(releases.next(of.rows()));
        last = release.evidence();
        if (k >= 0) {
          jobs.add(release.seconds());
          bounded += last.measurement().basis().equals(Evidence.Measurement.BOUNDED) ? 1 : 0;
        }
      }
      List<Double> inMemory = inMemory(options, spark, of, table, tables.model(small));
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
              of.columns(),
              first,
              Spread.of(inMemory),
              Spread.of(jobs),
              bounded,
              jobs.size(),
              last.measurement().distanceBound(),
              last.totals().passes(),
              Spread.of(retraining),
              objective.gradientNorm(last.unnoisedParameters()),
              objective.gradientNorm(Comparison.parameters(fit)));
      System.err.printf(
          Locale.ROOT,
          "bench: state: %s: %.3f s, job %.3f s, Spark ML %.3f s%n",
          of.title(),
          run.inMemory.median(),
          run.job.median(),
          run.retraining.median());
      return run;
    } finally {
      delete(place);
    }
  }

  /** Seconds of releases that follow the first one's state, each from the table's path. */
  private static List<Double> inMemory(
      Options options, SparkSession spark, DenseCase of, String table, PipelineModel model) {
    List<Double> seconds = new ArrayList<>();
    List<String> wheres = new ArrayList<>(List.of("bucket = 0 AND id = 0"));
    Unlearner unlearner = new Unlearner().setKeepState(true);
    UnlearnedModel last = unlearner.unlearn(model, open(spark, table), request(wheres));
    last.close();
    for (int k = -options.warmUps(); k < options.runs(); k++) {
      wheres.add(rows(of.rows(), wheres.size()));
      System.gc();
      long begin = System.nanoTime();
      last = unlearner.unlearn(last, open(spark, table), request(wheres));
      if (k >= 0) {
        seconds.add((System.nanoTime() - begin) / 1e9);
      }
      last.close();
    }
    return seconds;
  }

  private static TrainingData open(SparkSession spark, String table) {
    return TrainingData.originalTable(spark, table, "parquet", Map.of());
  }

  private static UnlearnRequest request(List<String> wheres) {
    UnlearnRequest.Builder request =
        UnlearnRequest.builder("r-" + wheres.size()).certificate(Case.EPSILON, 1e-4, RHO);
    wheres.forEach(request::removeRows);
    return request.build();
  }

  /** Of request k. */
  private static String rows(long n, int k) {
    return "bucket = %d AND id >= %d AND id < %d"
        .formatted(k % Tables.partitions(n), k * CHANGED, (k + 1) * CHANGED);
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

    String next(long n) {
      return rows(n, wheres.size());
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
              .formatted(k, where, Case.EPSILON, "1.0e-4", RHO));
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
                + " rows, with a kept state; seconds.\n\n| rows x columns | in memory | Spark ML from Parquet, in memory | ratio | first job |"
                + " next job | without the table | bound | passes | gradient norm, Lethe / Spark ML |\n"
                + "|---|---|---|---|---|---|---|---|---|---|\n");
    for (Run run : runs) {
      table.append(
          "| %d x %d | %s | %s | %s | %s | %s | %d of %d | %s | %d | %s / %s |\n"
              .formatted(
                  run.rows,
                  run.columns,
                  Report.text(run.inMemory),
                  Report.text(run.retraining),
                  Report.fixed("%.0f", run.ratio()),
                  Report.fixed("%.3f", run.first),
                  Report.text(run.job),
                  run.bounded,
                  run.releases,
                  Report.scientific(run.bound),
                  run.passes,
                  Report.scientific(run.gradientNorm),
                  Report.scientific(run.retrainedNorm)));
    }
    return table.toString();
  }
}
