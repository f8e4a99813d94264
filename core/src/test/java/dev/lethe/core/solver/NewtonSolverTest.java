package dev.lethe.core.solver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import dev.lethe.core.linalg.LinearOperator;
import dev.lethe.core.linalg.SymmetricMatrix;
import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.loss.LogisticLoss;
import dev.lethe.core.objective.LocalExamples;
import dev.lethe.core.objective.Objective;
import dev.lethe.core.objective.Penalty;
import dev.lethe.core.solver.NewtonSolver.Result;
import dev.lethe.core.solver.NewtonSolver.StopReason;
import dev.lethe.core.testing.Problem;
import dev.lethe.core.testing.Problem.Kind;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.DoubleUnaryOperator;
import java.util.stream.DoubleStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class NewtonSolverTest {
  private static Objective objective(Problem problem, double lambda, boolean[] fixed) {
    LocalExamples examples = problem.examples();
    double[] all = new double[problem.size()];
    Arrays.fill(all, 0, problem.features(), lambda);
    return new Objective(
        examples,
        examples.statistics(LogisticLoss.INSTANCE).statistics(),
        LogisticLoss.INSTANCE,
        problem.layout(),
        new Penalty(all, new double[all.length]),
        new double[all.length],
        fixed,
        -1);
  }

  private static <E extends ConvexFunction.Evaluation> Result<E> minimize(
      ConvexFunction<E> function,
      double[] start,
      LinearSolver solver,
      int maxSteps,
      NewtonSolver.Goal<E> done) {
    return new NewtonSolver<E>(
            maxSteps, new NewtonStep(solver, 500, (k, r, t) -> {}), (step, evaluation) -> {})
        .minimize(function, start, done);
  }

  private static NewtonSolver.Goal<Objective.Measured> gradientBelow(double norm) {
    return e -> Vectors.norm(e.gradient()) <= norm;
  }

  /** sum_j sqrt(1 + x_j^2): from |x| > 1 the full Newton step, to -x^3, runs away. */
  private static ConvexFunction<ConvexFunction.Evaluation> pseudoHuber(int size) {
    return separable(
        size,
        x -> Math.sqrt(1 + x * x),
        x -> x / Math.sqrt(1 + x * x),
        x -> Math.pow(1 + x * x, -1.5));
  }

  private static ConvexFunction<ConvexFunction.Evaluation> separable(
      int size, DoubleUnaryOperator value, DoubleUnaryOperator first, DoubleUnaryOperator second) {
    record Point(double[] point, double value, double[] gradient)
        implements ConvexFunction.Evaluation {}
    return new ConvexFunction<>() {
      @Override
      public int size() {
        return size;
      }

      @Override
      public ConvexFunction.Evaluation evaluate(double[] x) {
        return new Point(
            x.clone(),
            DoubleStream.of(x).map(value).sum(),
            DoubleStream.of(x).map(first).toArray());
      }

      @Override
      public LinearOperator hessian(double[] x) {
        return hessianMatrix(x);
      }

      @Override
      public SymmetricMatrix hessianMatrix(double[] x) {
        double[] h = new double[size * size];
        for (int j = 0; j < size; j++) {
          h[j * size + j] = second.applyAsDouble(x[j]);
        }
        return new SymmetricMatrix(size, h);
      }

      @Override
      public Preconditioner preconditioner(ConvexFunction.Evaluation evaluation) {
        return double[]::clone;
      }
    };
  }

  @ParameterizedTest
  @EnumSource(LinearSolver.class)
  void minimize_randomProblems_convergesFromZeroAndFromFarAway(LinearSolver solver) {
    for (int seed = 0; seed < 6; seed++) {
      Kind kind = seed % 2 == 0 ? Kind.GAUSSIAN : Kind.SPARSE;
      Problem problem = Problem.random(kind, 200, 8, true, 70 + seed);
      Objective objective = objective(problem, 0.5, new boolean[9]);
      double[] zero = new double[9];
      double[] far = new double[9];
      // Margins of several tens: l'' is next to nothing, the full step overshoots by far.
      Arrays.setAll(far, j -> j == 8 ? 1 : (j % 2 == 0 ? 20 : -20));
      Result<Objective.Measured> fromZero =
          minimize(objective, zero, solver, 50, gradientBelow(1e-9));
      Result<Objective.Measured> fromFar =
          minimize(objective, far, solver, 50, gradientBelow(1e-9));
      assertThat(fromZero.converged()).isTrue();
      assertThat(fromFar.converged()).isTrue();
      double[] minimiser = fromZero.evaluation().point();
      // Strong convexity on the features; a generous constant for the free intercept.
      assertThat(Vectors.distance(minimiser, fromFar.evaluation().point())).isLessThan(1e-7);
      BigDecimal[] g = problem.withTheta(minimiser).exactGradient();
      for (int j = 0; j < 9; j++) {
        double exact = g[j].doubleValue() + (j < 8 ? 0.5 * minimiser[j] : 0);
        assertThat(Math.abs(exact)).isLessThan(1.1e-9);
      }
    }
  }

  @Test
  void minimize_bothLinearSolvers_findTheSameMinimiser() {
    Problem problem = Problem.random(Kind.GAUSSIAN, 300, 12, true, 81);
    boolean[] fixed = new boolean[13];
    fixed[2] = true;
    fixed[7] = true;
    Objective objective = objective(problem, 1, fixed);
    double[] cg =
        minimize(objective, new double[13], LinearSolver.CG, 50, gradientBelow(1e-10))
            .evaluation()
            .point();
    double[] cholesky =
        minimize(objective, new double[13], LinearSolver.CHOLESKY, 50, gradientBelow(1e-10))
            .evaluation()
            .point();
    assertThat(Vectors.distance(cg, cholesky)).isLessThan(1e-9);
    assertThat(cg[2]).isZero();
    assertThat(cholesky[7]).isZero();
  }

  @ParameterizedTest
  @EnumSource(LinearSolver.class)
  void minimize_fullStepRunsAway_backtracksAndConverges(LinearSolver solver) {
    Result<ConvexFunction.Evaluation> result =
        minimize(
            pseudoHuber(3),
            new double[] {3, -5, 0.1},
            solver,
            60,
            e -> Vectors.norm(e.gradient()) <= 1e-9);
    assertThat(result.converged()).isTrue();
    assertThat(Vectors.norm(result.evaluation().point())).isLessThan(1e-9);
    assertThat(result.steps().get(0).length()).isLessThan(1);
    assertThat(result.steps()).allSatisfy(s -> assertThat(s.length()).isPositive());
  }

  @Test
  void minimize_fullStepRunsAway_proposesEveryPointBeforeItIsEvaluated() {
    ConvexFunction<ConvexFunction.Evaluation> function = pseudoHuber(2);
    double[] start = {3, -5};
    List<double[]> proposed = new ArrayList<>();
    List<String> heard = new ArrayList<>();
    NewtonSolver.Listener<ConvexFunction.Evaluation> listener =
        new NewtonSolver.Listener<>() {
          @Override
          public void evaluated(int step, ConvexFunction.Evaluation evaluation) {
            if (step > 0) {
              assertThat(evaluation.point()).isEqualTo(proposed.get(proposed.size() - 1));
            }
            heard.add("evaluated " + step);
          }

          @Override
          public void proposed(
              int step,
              ConvexFunction.Evaluation from,
              double[] point,
              double length,
              double residualNorm) {
            // H = diag((1 + x^2)^(-3/2)), g = x / sqrt(1 + x^2): the Newton direction is -x - x^3
            double x = from.point()[0];
            assertThat(point[0]).isCloseTo(x - length * (x + x * x * x), within(1e-9));
            assertThat(residualNorm).isLessThan(1e-9);
            proposed.add(point);
            heard.add("proposed " + step + ", " + length);
          }
        };
    new NewtonSolver<ConvexFunction.Evaluation>(
            1, new NewtonStep(LinearSolver.CHOLESKY, 1, (k, r, all) -> {}), listener)
        .minimize(function, start, e -> false);
    assertThat(heard)
        .startsWith("evaluated 0", "proposed 1, 1.0", "proposed 1, 0.5")
        .endsWith("evaluated 1");
  }

  @Test
  void minimize_steps_recordTheWay() {
    Problem problem = Problem.random(Kind.GAUSSIAN, 100, 4, true, 82);
    Objective objective = objective(problem, 1, new boolean[5]);
    List<Integer> heard = new ArrayList<>();
    List<Double> norms = new ArrayList<>();
    Result<Objective.Measured> result =
        new NewtonSolver<Objective.Measured>(
                30,
                new NewtonStep(LinearSolver.CG, 100, (k, r, t) -> {}),
                (step, evaluation) -> {
                  heard.add(step);
                  norms.add(Vectors.norm(evaluation.gradient()));
                })
            .minimize(objective, new double[5], gradientBelow(1e-9));
    assertThat(result.converged()).isTrue();
    assertThat(heard).hasSize(result.steps().size() + 1);
    int products = 0;
    for (int k = 0; k < result.steps().size(); k++) {
      NewtonSolver.Step step = result.steps().get(k);
      assertThat(heard.get(k)).isEqualTo(k);
      assertThat(step.step()).isEqualTo(k + 1);
      assertThat(step.gradientNormBefore()).isEqualTo(norms.get(k));
      assertThat(step.gradientNorm()).isEqualTo(norms.get(k + 1));
      products += step.products();
    }
    assertThat(products).isEqualTo(objective.hessianVectorProducts());
  }

  @Test
  void minimize_startIsGoodEnough_takesNoStep() {
    Problem problem = Problem.random(Kind.GAUSSIAN, 20, 2, false, 83);
    Objective objective = objective(problem, 1, new boolean[2]);
    Result<Objective.Measured> result =
        minimize(objective, new double[2], LinearSolver.CG, 0, e -> true);
    assertThat(result.converged()).isTrue();
    assertThat(result.steps()).isEmpty();
    assertThat(objective.passes()).isEqualTo(1);
  }

  @ParameterizedTest
  @EnumSource(LinearSolver.class)
  void minimize_unreachableTarget_stagnates(LinearSolver solver) {
    Problem problem = Problem.random(Kind.GAUSSIAN, 200, 5, true, 84);
    Objective objective = objective(problem, 1, new boolean[6]);
    Result<Objective.Measured> result = minimize(objective, new double[6], solver, 500, e -> false);
    assertThat(result.reason()).isEqualTo(StopReason.STAGNATED);
    // at the floor that rounding leaves, not somewhere on the way
    assertThat(Vectors.norm(result.evaluation().gradient())).isLessThan(1e-11);
    assertThat(objective.passes()).isLessThan(300);
  }

  @ParameterizedTest
  @EnumSource(LinearSolver.class)
  void minimize_gradientExactlyZeroButNotDone_stagnates(LinearSolver solver) {
    Result<ConvexFunction.Evaluation> result =
        minimize(pseudoHuber(2), new double[2], solver, 10, e -> false);
    assertThat(result.reason()).isEqualTo(StopReason.STAGNATED);
    assertThat(result.steps()).isEmpty();
  }

  @ParameterizedTest
  @EnumSource(LinearSolver.class)
  void minimize_gradientNotFinite_fails(LinearSolver solver) {
    for (double bad : new double[] {Double.NaN, Double.POSITIVE_INFINITY}) {
      Result<ConvexFunction.Evaluation> result =
          minimize(separable(1, x -> x, x -> bad, x -> 1), new double[1], solver, 10, e -> false);
      assertThat(result.reason()).isEqualTo(StopReason.LINEAR_SOLVER_FAILED);
    }
  }

  @ParameterizedTest
  @EnumSource(LinearSolver.class)
  void minimize_hessianNotPositiveDefinite_fails(LinearSolver solver) {
    // A line: the Hessian is 0 and there is no minimum.
    Result<ConvexFunction.Evaluation> result =
        minimize(separable(2, x -> x, x -> 1, x -> 0), new double[2], solver, 10, e -> false);
    assertThat(result.reason()).isEqualTo(StopReason.LINEAR_SOLVER_FAILED);
    assertThat(result.steps()).isEmpty();
  }

  @ParameterizedTest
  @EnumSource(LinearSolver.class)
  void minimize_stepLimit_isReported(LinearSolver solver) {
    Problem problem = Problem.random(Kind.GAUSSIAN, 100, 4, true, 85);
    Objective objective = objective(problem, 1, new boolean[5]);
    Result<Objective.Measured> result =
        minimize(objective, new double[5], solver, 2, gradientBelow(1e-13));
    assertThat(result.reason()).isEqualTo(StopReason.MAX_STEPS);
    assertThat(result.converged()).isFalse();
    assertThat(result.steps()).hasSize(2);
  }

  @Test
  void minimize_quadratic_oneCholeskyStepIsExact() {
    Result<ConvexFunction.Evaluation> result =
        minimize(
            separable(2, x -> 2 * (x - 3) * (x - 3), x -> 4 * (x - 3), x -> 4),
            new double[] {100, -7},
            LinearSolver.CHOLESKY,
            5,
            e -> Vectors.norm(e.gradient()) == 0);
    assertThat(result.converged()).isTrue();
    assertThat(result.steps()).hasSize(1);
    assertThat(result.evaluation().point()).containsExactly(3, 3);
  }

  @Test
  void constructor_negativeStepLimit_isRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> minimize(pseudoHuber(1), new double[1], LinearSolver.CG, -1, e -> true));
  }

  @Test
  void auto_size_choosesTheSolver() {
    assertThat(LinearSolver.auto(1024, 1024)).isEqualTo(LinearSolver.CHOLESKY);
    assertThat(LinearSolver.auto(1025, 1025)).isEqualTo(LinearSolver.CG);
    assertThat(LinearSolver.auto(4096, 1024)).isEqualTo(LinearSolver.CHOLESKY);
    assertThat(LinearSolver.auto(4097, 1)).isEqualTo(LinearSolver.CG);
  }
}
