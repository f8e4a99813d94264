package dev.lethe.spark.job;

import dev.lethe.core.solver.LinearSolver;
import dev.lethe.core.solver.Preconditioning;
import dev.lethe.spark.data.TableSource;
import dev.lethe.spark.ml.TrainableLoss;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What {@code lethe train} is given.
 *
 * @param table the data
 * @param label the table's label column
 * @param out directory to save the model into; must not exist
 * @param like a model whose featurizer and hyperparameters are used (retraining), or null
 * @param modelCertificate the certificate of {@code like}, or null for the one beside it, if any
 * @param request a request whose corrections are applied first, with {@code like} only, or null
 * @param pipeline a saved Pipeline or PipelineModel of featurizer stages, or null
 * @param features raw columns to use, or empty for all but label and weight; without {@code like}
 *     and {@code pipeline}
 * @param loss what is fitted; ignored with {@code like}
 * @param regParam Spark ML's, on the mean form; null with {@code like}
 * @param standardization Spark ML's
 * @param fitIntercept Spark ML's
 * @param weight the weight column, or null
 * @param perturbation of the loss, or null; without {@code like}, for the logistic loss only
 * @param gradientNorm the mean-form gradient norm to reach: ||grad L||_2 / W
 * @param test test data, or null
 * @param evidence an evidence file to compare the parameters with, or null
 * @param solver of the Newton systems, or null to choose
 * @param maxSteps Newton steps
 * @param maxCgIterations in one Newton step
 * @param partitions 0 for the source's own
 * @param preconditioning of conjugate gradient, or null for the one that is worth its cost
 */
public record TrainOptions(
    TableSource table,
    @Nullable String label,
    String out,
    @Nullable String like,
    @Nullable String modelCertificate,
    @Nullable RequestSource request,
    @Nullable String pipeline,
    List<String> features,
    TrainableLoss loss,
    double regParam,
    boolean standardization,
    boolean fitIntercept,
    @Nullable String weight,
    @Nullable PerturbedTraining perturbation,
    double gradientNorm,
    @Nullable TableSource test,
    @Nullable String evidence,
    @Nullable LinearSolver solver,
    int maxSteps,
    int maxCgIterations,
    int partitions,
    @Nullable Preconditioning preconditioning) {

  /** With the preconditioner that is worth its cost. */
  public TrainOptions(
      TableSource table,
      @Nullable String label,
      String out,
      @Nullable String like,
      @Nullable String modelCertificate,
      @Nullable RequestSource request,
      @Nullable String pipeline,
      List<String> features,
      TrainableLoss loss,
      double regParam,
      boolean standardization,
      boolean fitIntercept,
      @Nullable String weight,
      @Nullable PerturbedTraining perturbation,
      double gradientNorm,
      @Nullable TableSource test,
      @Nullable String evidence,
      @Nullable LinearSolver solver,
      int maxSteps,
      int maxCgIterations,
      int partitions) {
    this(
        table,
        label,
        out,
        like,
        modelCertificate,
        request,
        pipeline,
        features,
        loss,
        regParam,
        standardization,
        fitIntercept,
        weight,
        perturbation,
        gradientNorm,
        test,
        evidence,
        solver,
        maxSteps,
        maxCgIterations,
        partitions,
        null);
  }

  /** The places that are read. */
  String[] sources() {
    List<String> sources = new ArrayList<>();
    table.place().ifPresent(sources::add);
    if (test != null) {
      test.place().ifPresent(sources::add);
    }
    if (like != null) {
      sources.add(like);
    }
    if (request != null) {
      sources.addAll(request.places());
    }
    if (pipeline != null) {
      sources.add(pipeline);
    }
    return sources.toArray(String[]::new);
  }
}
