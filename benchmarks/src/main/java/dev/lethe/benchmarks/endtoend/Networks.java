package dev.lethe.benchmarks.endtoend;

import dev.lethe.core.neural.NetworkUnlearning.Gradient;
import dev.lethe.spark.data.TableSource;
import dev.lethe.spark.job.RequestSource;
import dev.lethe.spark.neural.NetworkArchitecture;
import dev.lethe.spark.neural.NetworkSchedule;
import dev.lethe.spark.neural.NeuralEvaluateJob;
import dev.lethe.spark.neural.NeuralReport;
import dev.lethe.spark.neural.NeuralTrainJob;
import dev.lethe.spark.neural.NeuralTrainOptions;
import dev.lethe.spark.neural.NeuralUnlearnJob;
import dev.lethe.spark.neural.NeuralUnlearnOptions;
import dev.lethe.spark.neural.NeuralUnlearnOptions.Method;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * The jobs of {@code lethe neural} on tables of one folder, as whole jobs.
 *
 * @param folder of tables and trained networks, made once and used again, requests, updated
 *     networks and reports
 */
record Networks(SparkSession spark, Path folder) {
  private static final int PARTITIONS = 2;

  /**
   * How a method updates; the commands in {@code docs/neural.md} are these.
   *
   * @param layers beginnings of the names of the parameters that may change
   * @param corrected whether a step is made of the gradient of all corrected data
   * @param share of the corrected data that a product is taken of
   */
  record Update(
      Method method,
      List<String> layers,
      boolean corrected,
      double share,
      int rounds,
      int iterations,
      double tolerance) {

    /** A training, which has no options of its own. */
    static Update training(Method method) {
      return new Update(method, List.of(), false, 1, 1, 1, 0.5);
    }

    boolean trains() {
      return method == Method.FINE_TUNE || method == Method.RETRAIN;
    }

    boolean solves() {
      return method == Method.SECOND_ORDER || method == Method.LISSA;
    }

    /** As the command line has it. */
    String words() {
      return "--method "
          + method.word()
          + (layers.isEmpty() ? "" : " --layers " + String.join(",", layers))
          + (corrected ? " --gradient corrected" : "")
          + (trains() ? "" : " --share %s --rounds %d".formatted(share, rounds))
          + (solves() ? " --iterations %d --tolerance %s".formatted(iterations, tolerance) : "");
    }
  }

  /**
   * @param variant names what tables and trained networks depend on besides the seed
   */
  static Networks in(SparkSession spark, Options options, String variant) throws IOException {
    return new Networks(spark, Files.createDirectories(Path.of(options.work(), variant)));
  }

  private static TableSource source(String option, String path) {
    return new TableSource(option, path, "parquet", Map.of());
  }

  String path(String name) {
    return folder.resolve(name).toString();
  }

  /** Writes a table, unless it is there. */
  void table(String name, Supplier<Dataset<Row>> rows) {
    if (!Files.exists(folder.resolve(name).resolve("_SUCCESS"))) {
      rows.get().repartition(PARTITIONS).write().mode("overwrite").parquet(path(name));
    }
  }

  void file(String name, String content) throws IOException {
    Files.writeString(folder.resolve(name), content);
  }

  /** A request of one change. */
  void request(String name, String change) throws IOException {
    file(name, "id: bench-%s\nchanges:\n  - %s\n".formatted(name.replace(".yaml", ""), change));
  }

  /**
   * Trains a network, unless it is there.
   *
   * @param input what it reads of the table
   * @throws IllegalStateException if another one is there
   */
  void train(
      String table,
      NetworkArchitecture architecture,
      NetworkSchedule schedule,
      Consumer<NeuralTrainOptions.Builder> input,
      String out)
      throws IOException {
    String settings = architecture + "\n" + schedule + "\n";
    Path kept = folder.resolve(out + ".settings");
    if (Files.exists(Path.of(path(out)))) { // whole, as it appears in one piece
      if (!Files.exists(kept) || !Files.readString(kept).equals(settings)) {
        throw new IllegalStateException(path(out) + " was trained otherwise; delete it");
      }
      return;
    }
    Files.writeString(kept, settings);
    NeuralTrainOptions.Builder options =
        NeuralTrainOptions.builder(source("--data", path(table)), architecture, schedule, path(out))
            .partitions(PARTITIONS);
    input.accept(options);
    NeuralTrainJob.Result result = new NeuralTrainJob(options.build(), spark).run();
    if (!result.finished()) {
      throw new IllegalStateException("a training ended with what is not a number");
    }
    System.err.printf(Locale.ROOT, "bench: trained %s in %.1f s%n", path(out), result.seconds());
  }

  NeuralReport unlearn(
      String model,
      String table,
      String request,
      String test,
      @Nullable String canary,
      Update update,
      String out)
      throws IOException {
    if (Files.exists(Path.of(path(out)))) {
      StateCost.delete(Path.of(path(out)));
    }
    NeuralUnlearnOptions.Builder options =
        NeuralUnlearnOptions.builder(
                path(model),
                source("--data", path(table)),
                RequestSource.of(path(request)),
                path(out))
            .method(update.method())
            .layers(update.layers())
            .gradient(update.corrected() ? Gradient.CORRECTED : null)
            .test(source("--test", path(test)))
            .canary(canary == null ? null : path(canary))
            .partitions(PARTITIONS);
    if (!update.trains()) {
      options.share(update.share()).rounds(update.rounds());
    }
    if (update.solves()) {
      options.iterations(update.iterations()).tolerance(update.tolerance());
    }
    NeuralReport report = new NeuralUnlearnJob(options.build(), spark).run();
    System.err.printf(
        Locale.ROOT, "bench: %s %s in %.1f s%n", out, update.method().word(), report.seconds());
    return report;
  }

  /** Examples by true class, then by predicted class. */
  long[][] confusion(String model, String test) {
    long[][] confusion =
        new NeuralEvaluateJob(
                new NeuralEvaluateJob.Options(path(model), source("--data", path(test)), null),
                spark)
            .run()
            .confusion();
    if (confusion == null) {
      throw new IllegalStateException("of classes, there is a confusion matrix");
    }
    return confusion;
  }
}
