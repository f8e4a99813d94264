package dev.lethe.spark.job;

import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.objective.Objective;
import dev.lethe.core.solver.ConvexFunction;
import dev.lethe.core.solver.LinearSolver;
import dev.lethe.core.solver.NewtonSolver;
import dev.lethe.core.solver.NewtonStep;
import dev.lethe.core.solver.Preconditioning;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.TableColumns;
import dev.lethe.spark.ml.TrainableLoss;
import dev.lethe.spark.request.Request;
import java.util.BitSet;
import java.util.List;
import java.util.function.Supplier;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.Transformer;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * Minimises a model's objective on given rows, from zero: what {@code lethe train} and the Java API
 * do.
 *
 * @param model whose objective it is
 * @param featurized the rows
 * @param removed slots held at 0
 * @param perturbation b of a perturbed loss; null for an ordinary one
 * @param stages of the trained model, around the predictor
 * @param label the table's label column
 * @param place names the data, for messages
 */
public record Training(
    LoadedModel model,
    Dataset<Row> featurized,
    BitSet removed,
    double @Nullable [] perturbation,
    List<Transformer> stages,
    String label,
    String place) {
  /** Training proves no distance. */
  private static final double NO_RHO = -1;

  /**
   * How far, and how.
   *
   * @param gradientNorm the mean-form gradient norm to reach: ||grad L||_2 / W
   * @param solver of the Newton systems, or null to choose
   * @param maxSteps Newton steps
   * @param maxCgIterations in one Newton step
   * @param partitions 0 for the source's own
   * @param preconditioning of conjugate gradient, or null for the one that is worth its cost
   */
  public record Settings(
      double gradientNorm,
      @Nullable LinearSolver solver,
      int maxSteps,
      int maxCgIterations,
      int partitions,
      @Nullable Preconditioning preconditioning) {}

  /**
   * What training has reached.
   *
   * @param model the trained one; null if it did not converge
   * @param parameters reached
   * @param gradientNorm reached, mean form
   * @param gradientNormSum reached, sum form
   * @param roundingBound of the gradient, 2-norm, sum form
   * @param rows n
   * @param steps Newton steps
   * @param passes over the data
   */
  public record Trained(
      @Nullable Transformer model,
      double[] parameters,
      double gradientNorm,
      double gradientNormSum,
      double roundingBound,
      long rows,
      List<NewtonSolver.Step> steps,
      int passes) {}

  /**
   * The retraining of a model, on data that a request may correct first.
   *
   * @param earlier what an earlier release removed from it
   * @param label the table's label column, or null for the one that the model was fitted with
   * @param request what is corrected, or null; then the tables are the original one
   * @param requestName names the request, for messages
   * @param partitions in which to fit a featurizer again; 0 for the default parallelism
   * @throws InvalidInputException if the request does not fit model and tables
   */
  public static Training like(
      SparkSession spark,
      LoadedModel model,
      EarlierRelease earlier,
      GivenTables tables,
      @Nullable String label,
      @Nullable Request request,
      String requestName,
      int partitions,
      Progress progress) {
    if (model.linear().isPerturbed()) {
      throw new InvalidInputException(
          "the model was trained with loss perturbation; a retraining draws its own b, so train it"
              + " with lethe train --mechanism loss-perturbation");
    }
    String column = model.tableLabel(label);
    String place = tables.name();
    if (request == null) {
      Dataset<Row> table = tables.tables().get(0).read(spark);
      FeatureChange kept =
          FeatureChange.of(model, table, List.of(), earlier.removedSlots(), column, place);
      return new Training(
          model,
          kept.featurized(table),
          kept.removedSlots(),
          null,
          kept.publishedStages(),
          column,
          place);
    }
    RequestedChange requested =
        RequestedChange.of(
            spark, request, requestName, model, earlier.removedSlots(), tables, column);
    requested.inspect(progress, place);
    RequestedChange change = requested.refitted(progress, partitions, place);
    return new Training(
        change.model(),
        change.corrected(),
        change.removedSlots(),
        null,
        change.publishedStages(),
        column,
        place);
  }

  /**
   * The training of a model on featurized rows.
   *
   * @param place names the rows, for messages
   * @throws InvalidInputException if a column is missing or of the wrong type, if there is no row
   *     or one cannot be read, or a multinomial label is no class
   */
  public static Training anew(
      TrainableLoss loss, TrainableLoss.Params params, Dataset<Row> rows, String place) {
    return anew(
        () -> TrainingPipeline.untrained(loss, params, rows, place),
        loss,
        params,
        rows,
        null,
        place);
  }

  /**
   * The training of a model with a perturbed loss, behind fitted stages.
   *
   * @param rows that the stages read
   * @throws InvalidInputException as above
   */
  static Training anew(
      PipelineModel featurizer,
      TrainableLoss loss,
      TrainableLoss.Params params,
      Dataset<?> rows,
      PerturbedTraining perturbed,
      String place) {
    Dataset<Row> featurized = featurizer.transform(rows);
    return anew(
        () -> TrainingPipeline.append(featurizer, loss, params, featurized, place),
        loss,
        params,
        featurized,
        perturbed,
        place);
  }

  private static Training anew(
      Supplier<Transformer> untrained,
      TrainableLoss loss,
      TrainableLoss.Params params,
      Dataset<Row> featurized,
      @Nullable PerturbedTraining perturbed,
      String place) {
    TableColumns.require(featurized.schema(), params.featuresColumn(), "featuresCol");
    TableColumns.require(featurized.schema(), params.labelColumn(), "labelCol");
    if (params.weight() != null) {
      TableColumns.require(featurized.schema(), params.weight(), "weightCol");
    }
    LoadedModel model =
        LoadedModel.of(SparkFailures.sanitized(place, untrained), "loss", loss.word());
    return new Training(
        model,
        featurized,
        new BitSet(),
        perturbed == null ? null : perturbed.draw(model),
        model.featurizer().stages(),
        params.labelColumn(),
        place);
  }

  /** Trains. */
  public Trained run(Settings settings, Progress progress) {
    try (CorrectedProblem problem =
        CorrectedProblem.open(
            featurized,
            model.columns(label),
            model.linear(),
            removed,
            perturbation,
            NO_RHO,
            settings.partitions(),
            progress,
            place)) {
      NewtonSolver.Result<Objective.Measured> fit = minimize(problem, settings, progress);
      Objective.Measured end = fit.evaluation();
      return new Trained(
          fit.converged()
              ? model.featurizer().publish(stages, model.linear().withParameters(end.point()))
              : null,
          end.point(),
          Vectors.norm(end.gradient()) / problem.statistics().totalWeight(),
          Vectors.norm(end.gradient()),
          Vectors.norm(end.measurement().gradientError()),
          problem.statistics().rows(),
          fit.steps(),
          problem.objective().passes());
    }
  }

  private NewtonSolver.Result<Objective.Measured> minimize(
      CorrectedProblem problem, Settings settings, Progress progress) {
    Objective objective = problem.objective();
    LinearSolver solver = problem.solver(settings.solver());
    double target = settings.gradientNorm() * problem.statistics().totalWeight();
    NewtonSolver.Listener<Objective.Measured> listener =
        new NewtonSolver.Listener<>() {
          @Override
          public void evaluated(int step, Objective.Measured measured) {
            passed(step, measured);
          }

          @Override
          public void passed(int step, ConvexFunction.Evaluation evaluation) {
            progress.training(step, Vectors.norm(evaluation.gradient()), target);
          }
        };
    NewtonSolver<Objective.Measured> newton =
        new NewtonSolver<>(
            settings.maxSteps(),
            new NewtonStep(
                solver, settings.preconditioning(), settings.maxCgIterations(), progress),
            listener);
    return SparkFailures.sanitized(
        place,
        () ->
            newton.minimize(objective, objective.origin(), NewtonSolver.Goal.gradientNorm(target)));
  }
}
