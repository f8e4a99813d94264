package dev.lethe.benchmarks.endtoend;

import dev.lethe.spark.data.TableSource;
import dev.lethe.spark.job.GivenTables;
import dev.lethe.spark.job.IndependentUnlearnJob;
import dev.lethe.spark.job.RequestSource;
import dev.lethe.spark.job.UnlearnOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.spark.sql.SparkSession;

/**
 * What-if requests answered together, each with a model of its own: whole jobs, from the paths of
 * model, table and requests to the published models.
 */
record BatchCost(String study, String title, List<Run> runs) implements Study {
  private static final int[] SIZES = {1, 8, 32};

  /**
   * @param requests K
   * @param inJobs of the seconds, those in which Spark worked
   */
  record Run(int requests, Spread seconds, Spread inJobs) {}

  static BatchCost measure(Options options, Sessions sessions) throws IOException {
    return measure(DenseCase.of(options.scale(), options.seed()), options, sessions, SIZES);
  }

  static BatchCost measure(DenseCase of, Options options, Sessions sessions, int[] sizes)
      throws IOException {
    SparkSession spark = sessions.session();
    Tables tables = new Tables(spark, options.work());
    DenseCase small = (DenseCase) of.smaller();
    tables.model(small);
    tables.model(of);
    for (int i = 0; i < options.warmUps(); i++) {
      for (int k : sizes) {
        answer(spark, tables, small, k, options);
      }
    }
    List<Run> runs = new ArrayList<>();
    for (int k : sizes) {
      List<double[]> all = new ArrayList<>();
      for (int run = 0; run < options.runs(); run++) {
        all.add(answer(spark, tables, of, k, options));
      }
      runs.add(new Run(k, Spread.of(all, s -> s[0]), Spread.of(all, s -> s[1])));
      System.err.printf(Locale.ROOT, "bench: batch: %d requests: %.3f s%n", k, all.get(0)[0]);
    }
    return new BatchCost("batch", of.title(), List.copyOf(runs));
  }

  /** Seconds, and of them those in jobs. */
  private static double[] answer(
      SparkSession spark, Tables tables, DenseCase of, int requests, Options options)
      throws IOException {
    String train = tables.train(of);
    Path place = Files.createTempDirectory(Path.of(options.work()), "batch");
    try (JobTimes times = JobTimes.on(spark.sparkContext())) {
      Path given = Files.createDirectory(place.resolve("requests"));
      for (int k = 0; k < requests; k++) {
        Files.writeString(
            given.resolve("r-%02d.yaml".formatted(k)),
            """
            id: r-%d
            changes:
              - removeFeatures: [x%d, x%d]
            certificate: {epsilon: %s, delta: %s, rho: %s}
            """
                .formatted(
                    k,
                    k % of.columns(),
                    (k + of.columns() / 2) % of.columns(),
                    Case.EPSILON,
                    "1.0e-4",
                    "1.0e-8"));
      }
      UnlearnOptions asked =
          new UnlearnOptions(
              tables.modelPath(of),
              null,
              new GivenTables.Original(new TableSource("--data", train, "parquet", Map.of())),
              null,
              new RequestSource(List.of(given.toString()), null, null),
              place.resolve("out").toString(),
              place.resolve("vault").toString(),
              null,
              null,
              50,
              1000,
              0);
      System.gc();
      long begin = System.nanoTime();
      List<IndependentUnlearnJob.Answer> answers = new IndependentUnlearnJob(asked, spark).run();
      double seconds = (System.nanoTime() - begin) / 1e9;
      if (!answers.stream().allMatch(IndependentUnlearnJob.Answer.Published.class::isInstance)) {
        throw new IllegalStateException("batch: a request was refused");
      }
      double inJobs = times.jobs().stream().mapToLong(job -> job.end() - job.begin()).sum() / 1e3;
      return new double[] {seconds, inJobs};
    } finally {
      StateCost.delete(place);
    }
  }

  @Override
  public String markdown() {
    StringBuilder table =
        new StringBuilder(
            "Independent requests on one table, "
                + title
                + ", to the published models: seconds.\n\n"
                + "| requests | all | of it in Spark's jobs | of one request's |\n|---|---|---|---|\n");
    for (Run run : runs) {
      table.append(
          "| %d | %s | %s | %s |\n"
              .formatted(
                  run.requests,
                  Report.text(run.seconds),
                  Report.text(run.inJobs),
                  Report.fixed("%.2f", run.seconds.median() / runs.get(0).seconds.median())));
    }
    return table.toString();
  }
}
