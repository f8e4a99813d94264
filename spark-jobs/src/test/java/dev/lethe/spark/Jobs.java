package dev.lethe.spark;

import dev.lethe.core.solver.LinearSolver;
import dev.lethe.spark.data.TableSource;
import dev.lethe.spark.job.GivenTables;
import dev.lethe.spark.job.RequestSource;
import dev.lethe.spark.job.TrainJob;
import dev.lethe.spark.job.TrainOptions;
import dev.lethe.spark.job.UnlearnJob;
import dev.lethe.spark.job.UnlearnOptions;
import dev.lethe.spark.job.VerifyJob;
import dev.lethe.spark.job.VerifyOptions;
import dev.lethe.spark.ml.TrainableLoss;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Runs jobs in this JVM on files below one directory, with the settings that most tests share. */
final class Jobs {
  private final Path directory;

  Jobs(Path directory) {
    this.directory = directory;
  }

  String path(String name) {
    return directory.resolve(name).toString();
  }

  TableSource table(String name, String format) {
    return new TableSource("--data", path(name), format, Map.of());
  }

  private static GivenTables given(TableSource table, boolean corrected) {
    return corrected ? new GivenTables.Corrected(table) : new GivenTables.Original(table);
  }

  void write(String name, String text) {
    try {
      Files.writeString(directory.resolve(name), text);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Trains a logistic regression to a mean-form gradient norm of 1e-10. */
  TrainJob.Result train(
      TableSource table,
      List<String> features,
      double regParam,
      boolean standardization,
      boolean intercept,
      @Nullable String weight,
      String out)
      throws IOException {
    return train(
        table, features, TrainableLoss.LOGISTIC, regParam, standardization, intercept, weight, out);
  }

  /** Trains to a mean-form gradient norm of 1e-10. */
  TrainJob.Result train(
      TableSource table,
      List<String> features,
      TrainableLoss loss,
      double regParam,
      boolean standardization,
      boolean intercept,
      @Nullable String weight,
      String out)
      throws IOException {
    return new TrainJob(
            new TrainOptions(
                table,
                "label",
                path(out),
                null,
                null,
                null,
                null,
                features,
                loss,
                regParam,
                standardization,
                intercept,
                weight,
                null,
                1e-10,
                null,
                null,
                null,
                50,
                1000,
                0),
            LocalSpark.session())
        .run();
  }

  /** The retraining from scratch that {@code model} and {@code request} define. */
  TrainJob.Result retrain(
      TableSource table,
      String model,
      String request,
      String out,
      double gradientNorm,
      int partitions)
      throws IOException {
    return new TrainJob(
            new TrainOptions(
                table,
                null,
                path(out),
                path(model),
                null,
                RequestSource.of(path(request)),
                null,
                List.of(),
                TrainableLoss.LOGISTIC,
                0,
                true,
                true,
                null,
                null,
                gradientNorm,
                null,
                null,
                null,
                50,
                1000,
                partitions),
            LocalSpark.session())
        .run();
  }

  UnlearnJob.Result unlearn(
      TableSource table,
      boolean corrected,
      String model,
      String request,
      String out,
      LinearSolver solver,
      int partitions)
      throws IOException {
    return new UnlearnJob(
            new UnlearnOptions(
                path(model),
                null,
                given(table, corrected),
                null,
                RequestSource.of(path(request)),
                path(out),
                path("vault"),
                null,
                solver,
                50,
                1000,
                partitions),
            LocalSpark.session())
        .run();
  }

  VerifyJob.Result verify(
      TableSource table, boolean corrected, String request, String out, int partitions)
      throws IOException {
    return new VerifyJob(
            new VerifyOptions(
                path(out + "/certificate.json"),
                path(out + "/model"),
                path("vault"),
                given(table, corrected),
                null,
                RequestSource.of(path(request)),
                null,
                null,
                partitions),
            LocalSpark.session())
        .run();
  }
}
