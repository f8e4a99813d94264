package dev.lethe.spark.job;

import dev.lethe.core.aggregate.Point;
import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.model.Statistics;
import dev.lethe.core.objective.KeptSums;
import dev.lethe.core.objective.Objective;
import dev.lethe.core.objective.Penalty;
import dev.lethe.core.solver.NewtonState;
import dev.lethe.core.solver.NewtonStep;
import dev.lethe.core.unlearn.FirstOrderUpdate;
import dev.lethe.core.unlearn.GradientDifference;
import dev.lethe.core.unlearn.SecondOrderUpdate;
import dev.lethe.core.unlearn.Unlearning;
import dev.lethe.core.unlearn.UnlearningResult;
import dev.lethe.core.unlearn.UnreachableDistanceException;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.Perturbation;
import dev.lethe.spark.data.ExampleTable;
import dev.lethe.spark.operator.DistributedExamples;
import dev.lethe.spark.request.Request;
import java.util.BitSet;
import java.util.OptionalDouble;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.jspecify.annotations.Nullable;

/**
 * The update of one model's parameters, by the method that the request names.
 *
 * @param followed sums over data like the corrected ones, which the refinement makes use of; null
 *     if there are none
 * @param resumption where the refinement starts, and what is told of its steps
 */
record ModelUpdate(
    ModelCorrection correction,
    CorrectedProblem problem,
    RequestedChange change,
    ExampleTable.Columns columns,
    LoadedModel model,
    @Nullable KeptSums followed,
    Resumption resumption,
    Progress progress) {

  /** rho where the request asks for no certificate. */
  static final double DEFAULT_RHO = 1e-6;

  /**
   * Relative residual of the second-order system; H^{-1} g is a closed form, not a step on the way.
   */
  private static final double SECOND_ORDER_TOLERANCE = 1e-10;

  /**
   * Updates the parameters and measures the result on the corrected data.
   *
   * @throws InvalidInputException if rho is out of reach, or a gradient cannot be computed
   */
  UnlearningResult run() {
    UnlearningResult result = update();
    requireFinite(result);
    return result;
  }

  /** Of a model whose gradient is not a number nothing can be said, not even in the evidence. */
  private void requireFinite(UnlearningResult result) {
    Objective.Measured end = result.end();
    boolean finite =
        Vectors.isFinite(end.point())
            && Double.isFinite(Vectors.norm(end.measurement().gradientError()))
            && result.steps().stream().allMatch(step -> Double.isFinite(step.gradientNorm()));
    if (!finite) {
      throw new InvalidInputException(
          correction.place()
              + ": column '"
              + columns.features()
              + "': the gradient on the corrected data, or the bound of its rounding error, is not"
              + " finite, so nothing was published. Usual cause: values so large that their"
              + " products overflow; scale the column, and look for outliers in the table");
    }
  }

  private UnlearningResult update() {
    Objective objective = problem.objective();
    Request request = change.request();
    double rho = rho(request);
    double[] theta = problem.admissible(model.linear().parameters());
    double[] start = problem.restricted(theta);
    Perturbation perturbation = correction.perturbation();
    Unlearning unlearning = new Unlearning(objective, rho, listener(rho));
    NewtonStep step =
        new NewtonStep(
            problem.solver(correction.solver()),
            correction.preconditioning(),
            correction.maxCgIterations(),
            progress);
    progress.phase("step 0");
    try {
      return SparkFailures.sanitized(
          correction.place(),
          () ->
              switch (request.method()) {
                case REFINED ->
                    perturbation == null
                        ? unlearning.refined(from(objective, start), step, correction.maxSteps())
                        : unlearning.refinedToResidual(
                            from(objective, start),
                            step,
                            correction.maxSteps(),
                            perturbation.residual());
                case SECOND_ORDER ->
                    unlearning.secondOrder(
                        start,
                        measured -> direction(theta, measured),
                        new SecondOrderUpdate(step, SECOND_ORDER_TOLERANCE));
                case FIRST_ORDER ->
                    unlearning.firstOrder(
                        start,
                        measured -> direction(theta, measured),
                        new FirstOrderUpdate(tau(request)));
              });
    } catch (UnreachableDistanceException e) {
      throw new InvalidInputException(
          correction.requestName() + ": certificate." + e.getMessage(), e);
    } catch (ArithmeticException e) {
      throw new InvalidInputException(correction.requestName() + ": " + e.getMessage(), e);
    }
  }

  /** Where an earlier process was, or the start; what is followed serves both. */
  private NewtonState from(Objective objective, double[] start) {
    double[] begin = followed == null ? start : objective.follow(followed).orElse(start);
    return resumption.from(objective).orElseGet(() -> NewtonState.startingAt(begin));
  }

  private Unlearning.Listener listener(double rho) {
    return new Unlearning.Listener() {
      @Override
      public void measured(UnlearningResult.Step step) {
        report(step, rho);
      }

      @Override
      public void accepted(NewtonState state) {
        resumption.accepted(state);
      }
    };
  }

  private void report(UnlearningResult.Step step, double rho) {
    Perturbation perturbation = correction.perturbation();
    if (perturbation == null) {
      progress.step(step, rho);
    } else {
      progress.training(step.step(), step.gradientNorm(), perturbation.residual());
    }
  }

  /** The distance that has to be proven. */
  static double rho(Request request) {
    return request.certificate() == null ? DEFAULT_RHO : request.certificate().rho();
  }

  private static OptionalDouble tau(Request request) {
    return request.tau() == null ? OptionalDouble.empty() : OptionalDouble.of(request.tau());
  }

  /**
   * The right-hand side of the closed forms: G + (lambda' - lambda) .* theta, or the measured
   * gradient if only the corrected table is there.
   */
  private double[] direction(double[] theta, Objective.Measured start) {
    Dataset<Row> all = change.original();
    if (all == null) {
      return start.gradient();
    }
    progress.phase("gradient difference");
    double[] difference = difference(all, theta);
    progress.phase("step 1");
    return difference;
  }

  private double[] difference(Dataset<Row> all, double[] theta) {
    Point point = new Point(model.linear().loss(), model.linear().layout(), theta);
    if (!change.touchesAllRows()) {
      return objectiveDifference(touchedDifference(point), originalPenalty(all), theta);
    }
    try (CachedExamples original = examples(all, change.removedEarlier())) {
      return objectiveDifference(
          GradientDifference.of(original.sums(), problem.examples().sums(), point),
          penalty(original.statistics(model.linear().loss(), columns, correction.place())),
          theta);
    }
  }

  private double[] objectiveDifference(double[] g, Penalty original, double[] theta) {
    Objective objective = problem.objective();
    return GradientDifference.ofObjective(
        g, original, objective.penalty(), theta, objective.fixed());
  }

  /** G from the touched rows alone, which the source reads by a filter where it can. */
  private double[] touchedDifference(Point point) {
    try (CachedExamples original = examples(change.touchedOriginal(), change.removedEarlier());
        CachedExamples corrected = examples(change.touchedCorrected(), problem.removed())) {
      return GradientDifference.of(original.sums(), corrected.sums(), point);
    }
  }

  /**
   * lambda on the original data follows from its weights and variances: one pass that keeps
   * nothing, none where nothing is penalised.
   */
  private Penalty originalPenalty(Dataset<Row> all) {
    if (model.linear().regParam() == 0) {
      return problem.objective().penalty();
    }
    int features = model.linear().features();
    DistributedExamples original =
        new DistributedExamples(
            ExampleTable.blocks(
                ExampleTable.examples(all, columns), features, change.removedEarlier()),
            features,
            progress);
    return penalty(
        CachedExamples.statistics(original, model.linear().loss(), columns, correction.place()));
  }

  private Penalty penalty(Statistics statistics) {
    return CorrectedProblem.penalty(model.linear(), statistics);
  }

  private CachedExamples examples(Dataset<Row> featurized, BitSet removed) {
    return CachedExamples.of(
        featurized,
        columns,
        model.linear().features(),
        removed,
        correction.partitions(),
        progress,
        correction.place());
  }
}
