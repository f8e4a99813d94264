package dev.lethe.core.unlearn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.lethe.core.linalg.SymmetricMatrix;
import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.loss.LogisticLoss;
import dev.lethe.core.model.SparseBlock;
import dev.lethe.core.objective.LocalExamples;
import dev.lethe.core.objective.Objective;
import dev.lethe.core.objective.Penalty;
import dev.lethe.core.solver.LinearSolver;
import dev.lethe.core.solver.NewtonSolver;
import dev.lethe.core.solver.NewtonStep;
import dev.lethe.core.testing.Problem;
import dev.lethe.core.testing.Problem.Kind;
import dev.lethe.core.testing.Problem.Layout;
import java.math.BigDecimal;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class UpdatesTest {
  private static final int ROWS = 80;

  private static Problem problem() {
    return Problem.random(Kind.GAUSSIAN, ROWS, 6, true, 91);
  }

  private static Objective objective(Problem problem, double lambda) {
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
        new boolean[all.length],
        -1);
  }

  private static Problem rows(Problem problem, IntPredicate keep) {
    int[] kept = IntStream.range(0, problem.rows()).filter(keep).toArray();
    return new Problem(
        Arrays.stream(kept).mapToObj(i -> problem.x()[i]).toArray(double[][]::new),
        Arrays.stream(kept).mapToDouble(i -> problem.y()[i]).toArray(),
        Arrays.stream(kept).mapToDouble(i -> problem.w()[i]).toArray(),
        problem.intercept(),
        problem.theta());
  }

  private static double[][] deepCopy(double[][] x) {
    return Arrays.stream(x).map(double[]::clone).toArray(double[][]::new);
  }

  /** G over the changed rows against the difference of the whole data's exact gradients. */
  private static void assertDifference(
      Problem before, Problem after, LocalExamples original, LocalExamples corrected) {
    double[] g = GradientDifference.of(original, corrected, before.point());
    BigDecimal[] old = before.exactGradient();
    BigDecimal[] now = after.exactGradient();
    for (int j = 0; j < before.size(); j++) {
      // sums of at most 80 terms of order 100: gamma_100 of them
      assertThat(g[j]).isCloseTo(now[j].subtract(old[j]).doubleValue(), within(1e-10));
    }
  }

  @Test
  void gradientDifference_labelsChanged_isTheDifferenceOfTheGradients() {
    Problem before = problem();
    double[] y = before.y().clone();
    IntPredicate changed = i -> i % 9 == 2;
    for (int i = 0; i < ROWS; i++) {
      y[i] = changed.test(i) ? 1 - y[i] : y[i];
    }
    Problem after = new Problem(before.x(), y, before.w(), true, before.theta());
    assertDifference(
        before, after, rows(before, changed).examples(), rows(after, changed).examples());
  }

  @Test
  void gradientDifference_valuesReplaced_isTheDifferenceOfTheGradients() {
    Problem before = problem();
    double[][] x = deepCopy(before.x());
    IntPredicate changed = i -> i % 5 == 1;
    for (int i = 0; i < ROWS; i++) {
      x[i][3] = changed.test(i) ? 2.5 : x[i][3];
    }
    Problem after = new Problem(x, before.y(), before.w(), true, before.theta());
    assertDifference(
        before, after, rows(before, changed).examples(), rows(after, changed).examples());
  }

  @Test
  void gradientDifference_rowsRemoved_isMinusTheirGradient() {
    Problem before = problem();
    IntPredicate removed = i -> i % 4 == 0;
    Problem after = rows(before, removed.negate());
    LocalExamples none = new LocalExamples(6, List.<SparseBlock>of());
    assertDifference(before, after, rows(before, removed).examples(), none);
  }

  @Test
  void gradientDifference_columnsZeroed_isTheDifferenceOfTheGradients() {
    Problem before = problem();
    double[][] x = deepCopy(before.x());
    for (double[] row : x) {
      row[1] = 0;
      row[4] = 0;
    }
    Problem after = new Problem(x, before.y(), before.w(), true, before.theta());
    assertDifference(before, after, before.examples(), after.examples());
  }

  @Test
  void ofObjective_penaltyChanges_isTheGradientWhereTheOldOneVanishes() {
    double[] g = {1, 2, 3};
    double[] theta = {10, -20, 0};
    Penalty original = new Penalty(new double[] {0.5, 1, 2}, new double[3]);
    Penalty corrected = new Penalty(new double[] {0.25, 3, 2}, new double[3]);
    assertThat(
            GradientDifference.ofObjective(
                g, original, corrected, theta, new boolean[] {false, false, true}))
        .containsExactly(1 - 2.5, 2 - 40, 0);
    assertThat(g).containsExactly(1, 2, 3);
  }

  @Test
  void firstOrder_auto_isTheExactMinimiserOfTheQuadraticModel() {
    Problem problem = problem();
    Objective objective = objective(problem, 0.7);
    double[] g = objective.evaluate(problem.theta()).gradient();
    double[] next =
        new FirstOrderUpdate(OptionalDouble.empty()).apply(objective, problem.theta(), g).theta();
    SymmetricMatrix h = objective.hessianMatrix(problem.theta());
    double[] step = Vectors.add(next, -1, problem.theta());
    // At the minimiser along g the model's gradient g + H s is orthogonal to g.
    double[] modelGradient = Vectors.add(g, 1, h.apply(step));
    double square = Vectors.dot(g, g);
    assertThat(Vectors.dot(modelGradient, g)).isCloseTo(0, within(1e-11 * square));
    // and nearby multiples of the step are worse
    double model = Vectors.dot(g, step) + 0.5 * Vectors.dot(step, h.apply(step));
    for (double factor : new double[] {0.9, 0.99, 1.01, 1.1}) {
      double other =
          factor * Vectors.dot(g, step) + 0.5 * factor * factor * Vectors.dot(step, h.apply(step));
      assertThat(other).isGreaterThan(model);
    }
  }

  @Test
  void firstOrder_givenRate_isPlainArithmeticWithoutAPass() {
    Problem problem = problem();
    Objective objective = objective(problem, 1);
    double[] g = {1, -1, 2, 0, 0, 4, 8};
    double[] next =
        new FirstOrderUpdate(OptionalDouble.of(0.25)).apply(objective, problem.theta(), g).theta();
    for (int j = 0; j < 7; j++) {
      assertThat(next[j]).isEqualTo(problem.theta()[j] - 0.25 * g[j]);
    }
    assertThat(objective.passes()).isZero();
  }

  @Test
  void firstOrder_zeroGradient_changesNothing() {
    Problem problem = problem();
    assertThat(
            new FirstOrderUpdate(OptionalDouble.empty())
                .apply(objective(problem, 1), problem.theta(), new double[7])
                .theta())
        .isEqualTo(problem.theta());
  }

  @Test
  void firstOrder_flatAlongTheGradient_asksForARate() {
    Problem empty = Problem.random(Kind.SPARSE, 1, 2, false, 1);
    Problem flat = new Problem(new double[1][2], empty.y(), empty.w(), false, new double[2]);
    assertThatThrownBy(
            () ->
                new FirstOrderUpdate(OptionalDouble.empty())
                    .apply(objective(flat, 0), new double[2], new double[] {1, 0}))
        .isInstanceOf(ArithmeticException.class)
        .hasMessageContaining("give tau");
  }

  @Test
  void firstOrder_rateOutOfRange_isRefused() {
    for (double tau : new double[] {0, -1, Double.NaN, Double.POSITIVE_INFINITY}) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> new FirstOrderUpdate(OptionalDouble.of(tau)));
    }
  }

  @ParameterizedTest
  @EnumSource(LinearSolver.class)
  void secondOrder_anyGradient_solvesTheNewtonSystem(LinearSolver solver) {
    Problem problem = problem();
    Objective objective = objective(problem, 0.7);
    Objective.Measured start = objective.evaluate(problem.theta());
    SecondOrderUpdate update =
        new SecondOrderUpdate(new NewtonStep(solver, 200, (k, r, t) -> {}), 1e-12);
    double[] g = {3, -1, 2, 0.5, -4, 1, 7};
    SecondOrderUpdate.Result result = update.apply(objective, start, g);
    assertThat(result.solve().solved()).isTrue();
    BigDecimal[][] h = problem.exactHessian();
    double[] step = Vectors.add(result.theta(), -1, problem.theta());
    for (int j = 0; j < 7; j++) {
      double row = j < 6 ? 0.7 * step[j] : 0;
      for (int k = 0; k < 7; k++) {
        row += h[j][k].doubleValue() * step[k];
      }
      assertThat(row).isCloseTo(-g[j], within(1e-9));
    }
  }

  @ParameterizedTest
  @EnumSource(LinearSolver.class)
  void secondOrder_singularHessian_saysSoAndStays(LinearSolver solver) {
    Problem flat =
        new Problem(new double[3][2], new double[3], new double[] {1, 1, 1}, false, new double[2]);
    Objective objective = objective(flat, 0);
    SecondOrderUpdate update =
        new SecondOrderUpdate(new NewtonStep(solver, 50, (k, r, t) -> {}), 1e-8);
    SecondOrderUpdate.Result result =
        update.apply(objective, objective.evaluate(new double[2]), new double[] {1, 2});
    assertThat(result.solve().solved()).isFalse();
    assertThat(result.theta()).containsExactly(0, 0);
  }

  @Test
  void secondOrder_smallChange_leavesAResidualOfSecondOrder() {
    // At the minimiser, take a share of one row's weight away: the gradient that one Newton step
    // leaves is of second order in the share, the one that a first-order step leaves of first.
    Problem before = problem();
    Objective old = objective(before, 1);
    NewtonStep step = new NewtonStep(LinearSolver.CHOLESKY, 1, (k, r, t) -> {});
    double[] theta =
        new NewtonSolver<Objective.Measured>(50, step, (k, e) -> {})
            .minimize(old, new double[7], e -> Vectors.norm(e.gradient()) < 1e-10)
            .evaluation()
            .point();
    double[] second = new double[3];
    double[] first = new double[3];
    for (int k = 0; k < 3; k++) {
      double[] w = before.w().clone();
      w[3] *= 1 - Math.pow(10, -1 - k);
      Objective corrected = objective(new Problem(before.x(), before.y(), w, true, theta), 1);
      Objective.Measured start = corrected.evaluate(theta);
      double[] g = start.gradient();
      second[k] =
          residual(
              corrected, new SecondOrderUpdate(step, 1e-10).apply(corrected, start, g).theta());
      first[k] =
          residual(
              corrected,
              new FirstOrderUpdate(OptionalDouble.empty()).apply(corrected, theta, g).theta());
    }
    for (int k = 0; k < 2; k++) {
      assertThat(second[k] / second[k + 1]).isBetween(70.0, 140.0);
      assertThat(first[k] / first[k + 1]).isBetween(7.0, 14.0);
    }
  }

  private static double residual(Objective objective, double[] theta) {
    return Vectors.norm(objective.evaluate(theta).gradient());
  }

  @Test
  void gradientDifference_anyLayout_isTheSame() {
    Problem before = problem();
    LocalExamples dense = new LocalExamples(6, before.blocks(Layout.DENSE, 11));
    LocalExamples sparse = new LocalExamples(6, before.blocks(Layout.SPARSE, 64));
    for (double g : GradientDifference.of(dense, sparse, before.point())) {
      assertThat(g).isCloseTo(0, within(1e-10));
    }
  }
}
