package dev.lethe.core.certify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.loss.LogisticLoss;
import dev.lethe.core.model.ParameterLayout;
import dev.lethe.core.model.Statistics;
import dev.lethe.core.objective.Objective;
import dev.lethe.core.objective.Penalty;
import dev.lethe.core.solver.LinearSolver;
import dev.lethe.core.solver.NewtonStep;
import dev.lethe.core.testing.LossCase;
import dev.lethe.core.testing.LossProblem;
import dev.lethe.core.testing.Problem;
import dev.lethe.core.testing.Problem.Kind;
import dev.lethe.core.unlearn.AprioriBound;
import dev.lethe.core.unlearn.FirstOrderUpdate;
import dev.lethe.core.unlearn.SecondOrderUpdate;
import dev.lethe.core.unlearn.Unlearning;
import dev.lethe.core.unlearn.UnlearningResult;
import java.util.Arrays;
import java.util.OptionalDouble;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The bounds against residuals measured afterwards: the measured norm less its proven rounding
 * bound is at most the true one, so it must not exceed any bound. Thousands of random problems,
 * dense and sparse, weighted, with penalties that differ by coordinate, free intercepts and fixed
 * coordinates.
 */
class ResidualBoundsTest {
  private static final int CASES = 500; // of each kind and update
  private static final double B3 = Math.nextUp(1 / (6 * Math.sqrt(3)));

  private static Objective objective(Problem problem, SplittableRandom random) {
    int p = problem.size();
    Statistics statistics = problem.examples().statistics(LogisticLoss.INSTANCE).statistics();
    double[] lambda = new double[p];
    Arrays.setAll(lambda, j -> Math.pow(10, 4 * random.nextDouble() - 2));
    if (problem.intercept()) {
      lambda[p - 1] = 0;
    }
    boolean[] fixed = new boolean[p];
    fixed[0] = p > 2 && random.nextInt(3) == 0;
    return new Objective(
        problem.examples(),
        statistics,
        LogisticLoss.INSTANCE,
        new ParameterLayout(problem.features(), problem.intercept(), 1, 0),
        new Penalty(lambda, new double[p]),
        new double[p],
        fixed,
        -1);
  }

  private static Problem problem(Kind kind, SplittableRandom random) {
    Problem problem =
        Problem.random(
            kind,
            5 + random.nextInt(60),
            1 + random.nextInt(6),
            random.nextBoolean(),
            random.nextLong());
    double shrink = Math.pow(10, -3 * random.nextDouble());
    return problem.withTheta(Arrays.stream(problem.theta()).map(t -> shrink * t).toArray());
  }

  private static double[] start(Problem problem, Objective objective) {
    double[] theta = problem.theta().clone();
    for (int j = 0; j < theta.length; j++) {
      theta[j] = objective.fixed()[j] ? 0 : theta[j];
    }
    return theta;
  }

  private static double trueResidual(Objective.Measured measured) {
    return Vectors.norm(measured.gradient()) - Vectors.norm(measured.measurement().gradientError());
  }

  private interface Update {
    UnlearningResult of(
        Unlearning unlearning, Problem problem, double[] start, Objective objective);
  }

  /** The geometric mean of bound over residual, where the residual is more than rounding. */
  private static double assertBounded(Kind kind, Update update, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    double logs = 0;
    int counted = 0;
    for (int k = 0; k < CASES; k++) {
      Problem problem = problem(kind, random);
      Objective objective = objective(problem, random);
      double[] start = start(problem, objective);
      // rho is out of reach: one step, or several, whatever they lead to
      UnlearningResult result =
          update.of(new Unlearning(objective, 1e6, step -> {}), problem, start, objective);
      AprioriBound bound = result.apriori();
      if (bound.residual().isEmpty()) {
        continue;
      }
      double residual = result.steps().get(1).gradientNorm();
      double rounding = Vectors.norm(result.end().measurement().gradientError());
      assertThat(residual - rounding)
          .as("case %s: %s", k, bound.rule())
          .isLessThanOrEqualTo(bound.residual().getAsDouble());
      if (residual > 1e6 * rounding) {
        logs += Math.log(bound.residual().getAsDouble() / residual);
        counted++;
      }
    }
    assertThat(counted).isGreaterThan(CASES / 4);
    return Math.exp(logs / counted);
  }

  /** The gradient, perturbed as a gradient difference is where theta was no minimiser. */
  private static double[] direction(Objective.Measured measured, boolean perturbed) {
    double[] g = measured.gradient().clone();
    for (int j = 0; perturbed && j < g.length; j++) {
      g[j] *= 1 + 0.1 * Math.sin(j + 1);
    }
    return g;
  }

  @ParameterizedTest
  @EnumSource(
      value = Kind.class,
      names = {"GAUSSIAN", "SPARSE", "RANGES"})
  void firstOrder_randomProblems_boundsTheResidual(Kind kind) {
    for (boolean perturbed : new boolean[] {false, true}) {
      Update update =
          (unlearning, problem, start, objective) ->
              unlearning.firstOrder(
                  start,
                  measured -> direction(measured, perturbed),
                  new FirstOrderUpdate(
                      problem.rows() % 2 == 0
                          ? OptionalDouble.empty()
                          : OptionalDouble.of(Math.pow(10, -(problem.rows() % 5)))));
      double looseness = assertBounded(kind, update, 7);
      if (kind == Kind.GAUSSIAN) {
        assertThat(looseness).isBetween(1.0, 60.0);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Kind.class,
      names = {"GAUSSIAN", "SPARSE", "RANGES"})
  void secondOrder_randomProblems_boundsTheResidual(Kind kind) {
    for (boolean perturbed : new boolean[] {false, true}) {
      for (double tolerance : new double[] {0.3, 1e-10}) {
        Update update =
            (unlearning, problem, start, objective) ->
                unlearning.secondOrder(
                    start,
                    measured -> direction(measured, perturbed),
                    new SecondOrderUpdate(step(problem), tolerance));
        double looseness = assertBounded(kind, update, 8);
        if (kind == Kind.GAUSSIAN) {
          assertThat(looseness).isBetween(1.0, 60.0);
        }
      }
    }
  }

  private static NewtonStep step(Problem problem) {
    return new NewtonStep(
        problem.rows() % 2 == 0 ? LinearSolver.CG : LinearSolver.CHOLESKY, 50, (a, b, c) -> {});
  }

  @ParameterizedTest
  @EnumSource(
      value = Kind.class,
      names = {"GAUSSIAN", "SPARSE"})
  void refined_randomProblems_boundsTheFirstStepsResidual(Kind kind) {
    SplittableRandom random = new SplittableRandom(9);
    int bounded = 0;
    for (int k = 0; k < CASES; k++) {
      Problem problem = problem(kind, random);
      Objective objective = objective(problem, random);
      UnlearningResult result =
          new Unlearning(objective, 1e-6, step -> {})
              .refined(start(problem, objective), step(problem), 1);
      if (result.steps().size() > 1 && result.apriori().residual().isPresent()) {
        bounded++;
        assertThat(trueResidual(result.end()))
            .isLessThanOrEqualTo(result.apriori().residual().getAsDouble());
      }
    }
    assertThat(bounded).isGreaterThan(CASES / 2);
  }

  @Test
  void refined_noStep_saysSo() {
    Problem problem = Problem.random(Kind.GAUSSIAN, 50, 3, true, 1);
    Objective objective = objective(problem, new SplittableRandom(1));
    AprioriBound apriori =
        new Unlearning(objective, 1e-6, step -> {})
            .refined(start(problem, objective), step(problem), 0)
            .apriori();
    assertThat(apriori.residual()).isEmpty();
    assertThat(apriori.rule()).contains("no step was taken");
    assertThat(apriori.dataNorm()).isGreaterThan(spectralNorm(problem, objective.fixed()));
  }

  @ParameterizedTest
  @EnumSource(
      value = LossCase.class,
      names = {"THREE_CLASSES", "SMOOTHED_HINGE_VS_REST", "HUBER"})
  void refined_severalOutputs_keepsTheNormOfTheData(LossCase loss) {
    LossProblem problem = LossProblem.random(loss, Kind.GAUSSIAN, 60, 4, true, 12);
    double[] lambda = new double[problem.size()];
    boolean[] fixed = new boolean[problem.size()];
    for (int j = 0; j < lambda.length; j++) {
      int column = problem.layout().feature(j);
      lambda[j] = column >= 0 && column < 4 ? 1 : 0;
      fixed[j] = column == 2;
    }
    Objective objective =
        new Objective(
            problem.examples(),
            problem.examples().statistics(loss.loss()).statistics(),
            loss.loss(),
            problem.layout(),
            new Penalty(lambda, new double[lambda.length]),
            new double[lambda.length],
            fixed,
            1e-6);
    AprioriBound apriori =
        new Unlearning(objective, 1e-6, step -> {})
            .refined(objective.origin(), step(problem.rows()), 1)
            .apriori();

    assertThat(apriori.residual()).isEmpty();
    assertThat(apriori.rule()).contains("several outputs");
    double norm = spectralNorm(problem.rows(), Arrays.copyOf(fixed, problem.rows().size()));
    assertThat(apriori.dataNorm()).isBetween(norm * (1 - 1e-12), norm * Math.sqrt(5));
  }

  /** Truth: the largest singular value, by the power method on exact rows. */
  @Test
  void dataNorm_randomProblems_boundsTheSpectralNorm() {
    SplittableRandom random = new SplittableRandom(10);
    for (int k = 0; k < 200; k++) {
      Problem problem = problem(Kind.GAUSSIAN, random);
      Objective objective = objective(problem, random);
      double norm = spectralNorm(problem, objective.fixed());
      double bound =
          ResidualBounds.dataNorm(objective.statistics(), objective.layout(), objective.fixed());
      assertThat(bound).isGreaterThanOrEqualTo(norm * (1 - 1e-12));
      assertThat(bound).isLessThanOrEqualTo(norm * Math.sqrt(problem.size()) * (1 + 1e-9));
    }
  }

  /** ||W^(1/2) X||_2 over the columns that are not fixed. */
  private static double spectralNorm(Problem problem, boolean[] fixed) {
    double[] v = new double[problem.size()];
    Arrays.setAll(v, j -> fixed[j] ? 0 : 1 + 0.1 * j);
    double norm = 0;
    for (int iteration = 0; iteration < 200; iteration++) {
      double[] next = new double[v.length];
      for (int i = 0; i < problem.rows(); i++) {
        double s = problem.intercept() ? v[v.length - 1] : 0;
        for (int j = 0; j < problem.features(); j++) {
          s += problem.x()[i][j] * v[j];
        }
        for (int j = 0; j < v.length; j++) {
          double x = j < problem.features() ? problem.x()[i][j] : 1;
          next[j] += fixed[j] ? 0 : problem.w()[i] * s * x;
        }
      }
      norm = Math.sqrt(Vectors.norm(next) / Vectors.norm(v));
      double scale = Vectors.norm(next);
      v = Arrays.stream(next).map(x -> x / scale).toArray();
    }
    return norm;
  }

  private static ResidualBounds bounds(Problem problem, Objective objective, double third) {
    double[] start = start(problem, objective);
    return new ResidualBounds(
        objective.statistics(),
        start,
        objective.evaluate(start).measurement(),
        objective.penalty().lambda(),
        objective.penalty().relativeError(),
        0.25,
        third);
  }

  @Test
  void bounds_unboundedDerivativeOrUnknownPenalty_areInfinite() {
    Problem problem = Problem.random(Kind.GAUSSIAN, 40, 3, false, 2);
    Objective objective = objective(problem, new SplittableRandom(2));
    double[] g = {1, 2, 3};
    double[] end = {1, 1, 1};
    assertThat(bounds(problem, objective, Double.POSITIVE_INFINITY).secondOrder(1, g, 0, end))
        .isInfinite();
    double[] start = start(problem, objective);
    ResidualBounds unknown =
        new ResidualBounds(
            objective.statistics(),
            start,
            objective.evaluate(start).measurement(),
            objective.penalty().lambda(),
            new double[] {Double.POSITIVE_INFINITY, 0, Double.POSITIVE_INFINITY},
            0.25,
            B3);
    assertThat(unknown.firstOrder(0.1, g, end)).isInfinite();
    assertThat(unknown.secondOrder(1, g, 0, end)).isInfinite();
  }

  @Test
  void constructor_otherNumberOfParameters_refused() {
    Problem problem = Problem.random(Kind.GAUSSIAN, 40, 3, true, 2);
    Objective objective = objective(problem, new SplittableRandom(2));
    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                new ResidualBounds(
                    objective.statistics(),
                    new double[3],
                    objective.evaluate(start(problem, objective)).measurement(),
                    new double[4],
                    new double[4],
                    0.25,
                    B3))
        .withMessageStartingWith("theta has 3");
  }
}
