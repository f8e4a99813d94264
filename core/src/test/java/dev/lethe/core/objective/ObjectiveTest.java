package dev.lethe.core.objective;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.within;

import dev.lethe.core.certify.DistanceBound;
import dev.lethe.core.certify.Measurement;
import dev.lethe.core.linalg.Cholesky;
import dev.lethe.core.linalg.SymmetricMatrix;
import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.loss.LogisticLoss;
import dev.lethe.core.model.ColumnStatistics;
import dev.lethe.core.model.DenseBlock;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.ParameterLayout;
import dev.lethe.core.model.Statistics;
import dev.lethe.core.solver.CentredJacobi;
import dev.lethe.core.solver.ConjugateGradient;
import dev.lethe.core.solver.Preconditioner;
import dev.lethe.core.testing.Exact;
import dev.lethe.core.testing.Problem;
import dev.lethe.core.testing.Problem.Kind;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ObjectiveTest {
  private static Objective objective(
      Problem problem, Penalty penalty, double[] linear, boolean[] fixed) {
    LocalExamples examples = problem.examples();
    return new Objective(
        examples,
        examples.statistics(LogisticLoss.INSTANCE).statistics(),
        LogisticLoss.INSTANCE,
        problem.layout(),
        penalty,
        linear,
        fixed,
        -1);
  }

  private static Penalty penalty(int size, boolean intercept, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    double[] lambda = new double[size];
    Arrays.setAll(lambda, j -> intercept && j == size - 1 ? 0 : 0.1 + random.nextDouble());
    return new Penalty(lambda, new double[size]);
  }

  private static Penalty uniform(int size, double lambda) {
    double[] all = new double[size];
    Arrays.fill(all, lambda);
    return new Penalty(all, new double[size]);
  }

  private static double[] linear(int size) {
    double[] b = new double[size];
    Arrays.setAll(b, j -> Math.cos(3 * j + 1));
    return b;
  }

  /** Every third coordinate, never the intercept's. */
  private static boolean[] everyThird(Problem problem) {
    boolean[] fixed = new boolean[problem.size()];
    for (int j = 1; j < problem.features(); j += 3) {
      fixed[j] = true;
    }
    return fixed;
  }

  private static Problem zeroed(Problem problem, boolean[] fixed) {
    double[] theta = problem.theta().clone();
    for (int j = 0; j < theta.length; j++) {
      theta[j] = fixed[j] ? 0 : theta[j];
    }
    return problem.withTheta(theta);
  }

  @Test
  void gradient_withPenaltyLinearTermAndFixed_agreesWithCentralDifferences() {
    Problem random = Problem.random(Kind.GAUSSIAN, 90, 7, true, 1);
    boolean[] fixed = everyThird(random);
    Problem problem = zeroed(random, fixed);
    Objective objective = objective(problem, penalty(8, true, 2), linear(8), fixed);
    double[] g = objective.evaluate(problem.theta()).gradient();
    double h = 1e-5;
    double weight = Arrays.stream(problem.w()).sum();
    for (int j = 0; j < 8; j++) {
      if (fixed[j]) {
        assertThat(g[j]).isZero();
        continue;
      }
      double[] plus = problem.theta().clone();
      plus[j] += h;
      double[] minus = problem.theta().clone();
      minus[j] -= h;
      double slope =
          (objective.evaluate(plus).value() - objective.evaluate(minus).value())
              / (plus[j] - minus[j]);
      // truncation h^2 |l'''| |x|^3 W / 6 and rounding u L / h
      assertThat(g[j]).isCloseTo(slope, within((weight + 10) * 1e-9));
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void evaluate_errorBounds_includeThePenalty(Kind kind) {
    for (int seed = 0; seed < 4; seed++) {
      Problem problem = Problem.random(kind, 60, 6, seed % 2 == 0, 60 + seed);
      int p = problem.size();
      // A pull that dwarfs the data's gradient: its own rounding must be in the bound.
      double[] lambda = new double[p];
      Arrays.setAll(lambda, j -> Math.pow(10, 3 * j) / 3);
      double[] b = linear(p);
      Measurement m =
          objective(problem, new Penalty(lambda, new double[p]), b, new boolean[p])
              .evaluate(problem.theta())
              .measurement();
      BigDecimal[] exact = problem.exactGradient();
      for (int j = 0; j < p; j++) {
        BigDecimal g =
            exact[j]
                .add(Exact.of(lambda[j]).multiply(Exact.of(problem.theta()[j])))
                .add(Exact.of(b[j]));
        assertThat(Exact.error(m.gradient()[j], g))
            .as("seed %s, coordinate %s", seed, j)
            .isLessThanOrEqualTo(Exact.of(m.gradientError()[j]));
      }
    }
  }

  @Test
  void evaluate_penaltyKnownToARelativeError_boundsBothEnds() {
    Problem problem = Problem.random(Kind.GAUSSIAN, 40, 3, false, 3);
    double e = 1e-3;
    Penalty penalty = new Penalty(new double[] {1, 2, 3}, new double[] {e, 0, 1.5});
    Measurement m =
        objective(problem, penalty, new double[3], new boolean[3])
            .evaluate(problem.theta())
            .measurement();
    double pull = Math.abs(problem.theta()[0]);
    assertThat(m.gradientError()[0]).isGreaterThanOrEqualTo(e * pull).isLessThan(1.01 * e * pull);
    assertThat(m.gradientError()[1]).isLessThan(1e-10);
    // A distance bound divides by lambda: it must be given one that the true rule cannot be below.
    assertThat(m.lambda()[0]).isBetween(1 - e - 1e-12, 1 - e);
    assertThat(m.lambda()[1]).isBetween(2 - 1e-11, 2.0);
    assertThat(m.lambda()[2]).isZero();
  }

  @Test
  void evaluate_penaltyOfUnknownSize_isUnboundedUnlessTheParameterIsZero() {
    Problem random = Problem.random(Kind.GAUSSIAN, 40, 2, false, 4);
    Problem problem = random.withTheta(new double[] {0.5, 0});
    double unknown = Double.POSITIVE_INFINITY;
    Penalty penalty = new Penalty(new double[2], new double[] {unknown, unknown});
    Measurement m =
        objective(problem, penalty, new double[2], new boolean[2])
            .evaluate(problem.theta())
            .measurement();
    assertThat(m.gradientError()[0]).isEqualTo(unknown);
    assertThat(m.gradientError()[1]).isLessThan(1e-10);
    assertThat(m.lambda()).containsExactly(0, 0);
    assertThat(
            objective(problem, penalty, new double[2], new boolean[2])
                .gram(problem.theta())
                .relativeError())
        .isEqualTo(unknown);
  }

  @Test
  void measurement_norms_boundRowsWhoseSquaresUnderflow() {
    Problem problem =
        new Problem(
            new double[][] {{1e-170}, {-5e-171}},
            new double[] {1, 0},
            new double[] {1, 1},
            false,
            new double[1]);
    Measurement m =
        objective(problem, uniform(1, 1e-300), new double[1], new boolean[1])
            .evaluate(new double[1])
            .measurement();
    assertThat(m.rowNorm()).isGreaterThanOrEqualTo(1e-170);
    assertThat(m.scaledRowNorm()).isGreaterThanOrEqualTo(1e-20); // 1e-170 / sqrt(1e-300)
  }

  @Test
  void measurement_norms_boundEveryRow() {
    Problem problem = Problem.random(Kind.GAUSSIAN, 80, 5, true, 5);
    boolean[] fixed = everyThird(problem);
    Problem start = zeroed(problem, fixed);
    Penalty penalty = penalty(6, true, 5);
    Measurement m =
        objective(problem, penalty, new double[6], fixed).evaluate(start.theta()).measurement();
    assertThat(m.layout().intercept(0)).isEqualTo(5);
    assertThat(m.selfConcordance()).isEqualTo(1);
    assertThat(m.separable()).isTrue();
    assertThat(m.offset()).isZero();
    for (double[] x : problem.x()) {
      double square = 1;
      double scaled = 0;
      for (int j = 0; j < 5; j++) {
        if (!fixed[j]) {
          square += x[j] * x[j];
          scaled += x[j] * x[j] / penalty.lambda()[j];
        }
      }
      assertThat(m.rowNorm()).isGreaterThanOrEqualTo(Math.sqrt(square));
      assertThat(m.scaledRowNorm()).isGreaterThanOrEqualTo(Math.sqrt(scaled));
    }
    BigDecimal[] moment = start.exactCurvatureMoment();
    for (int j = 0; j < 6; j++) {
      double expected = fixed[j] ? 0 : moment[j].doubleValue();
      assertThat(m.curvatureMoment()[j]).isCloseTo(expected, within(1e-10));
    }
    assertThat(m.curvature()[0]).isCloseTo(moment[5].doubleValue(), within(1e-10));
  }

  @Test
  void hessian_operatorAndMatrix_areTheSameMap() {
    for (Kind kind : new Kind[] {Kind.GAUSSIAN, Kind.SPARSE}) {
      Problem random = Problem.random(kind, 120, 8, true, 6);
      boolean[] fixed = everyThird(random);
      Problem problem = zeroed(random, fixed);
      Penalty penalty = penalty(9, true, 7);
      Objective objective = objective(problem, penalty, linear(9), fixed);
      SymmetricMatrix matrix = objective.hessianMatrix(problem.theta());
      BigDecimal[][] exact = problem.exactHessian();
      double scale = exact[8][8].doubleValue();
      for (int j = 0; j < 9; j++) {
        double[] e = new double[9];
        e[j] = 1;
        double[] column = objective.hessian(problem.theta()).apply(e);
        for (int k = 0; k < 9; k++) {
          double expected =
              fixed[j] || fixed[k]
                  ? (j == k ? 1 : 0)
                  : exact[j][k].doubleValue() + (j == k ? penalty.lambda()[j] : 0);
          // gamma_200 times products |x_j x_k| < 20
          assertThat(column[k]).isCloseTo(expected, within(1e-12 * (scale + 1)));
          assertThat(matrix.get(j, k)).isCloseTo(expected, within(1e-12 * (scale + 1)));
        }
      }
      assertThat(objective.hessianVectorProducts()).isEqualTo(9);
      assertThat(objective.passes()).isEqualTo(10);
    }
  }

  /** The minimiser to machine precision, by Newton's method with the Cholesky factorisation. */
  private static double[] minimiser(Objective objective) {
    double[] theta = new double[objective.size()];
    for (int k = 0; k < 30; k++) {
      double[] step =
          Cholesky.of(objective.hessianMatrix(theta))
              .orElseThrow()
              .solve(objective.evaluate(theta).gradient());
      theta = Vectors.add(theta, -1, step);
    }
    return theta;
  }

  @Test
  void prove_nothingPenalised_takesTheHessianHoweverFarThePointLooks() {
    Problem problem = Problem.random(Kind.GAUSSIAN, 300, 4, true, 21);
    Objective objective = objective(problem, uniform(5, 0), new double[5], new boolean[5]);
    double[] minimiser = minimiser(objective);
    double[] theta = minimiser.clone();
    theta[1] += 3e-5;
    theta[4] -= 4e-5;
    Objective.Measured measured = objective.evaluate(theta);
    int passes = objective.passes();

    DistanceBound gated = objective.distanceBound(measured, 1e-9);
    assertThat(gated).isInstanceOf(DistanceBound.Unproven.class);
    assertThat(((DistanceBound.Unproven) gated).cause())
        .isEqualTo(DistanceBound.Cause.HESSIAN_NEEDED);
    assertThat(objective.passes()).isEqualTo(passes);

    DistanceBound bound = objective.prove(measured);
    assertThat(objective.passes()).isEqualTo(passes + 1);
    assertThat(bound).isInstanceOf(DistanceBound.Proven.class);
    DistanceBound.Proven proven = (DistanceBound.Proven) bound;
    assertThat(proven.rule()).isEqualTo(DistanceBound.Rule.SELF_CONCORDANCE_EIGENVALUE);
    // true distance 5e-5, the minimiser known to about 1e-14; the rule loses the condition number
    assertThat(proven.distance()).isBetween(5e-5 - 1e-12, 1e-2);
  }

  @Test
  void prove_penalised_takesNoFurtherPass() {
    Problem problem = Problem.random(Kind.GAUSSIAN, 50, 3, true, 22);
    Objective objective = objective(problem, penalty(4, true, 22), new double[4], new boolean[4]);
    Objective.Measured measured = objective.evaluate(minimiser(objective));
    int passes = objective.passes();

    assertThat(objective.prove(measured)).isInstanceOf(DistanceBound.Proven.class);
    assertThat(objective.passes()).isEqualTo(passes);
  }

  @Test
  void evaluateAndGram_oneValueChangedSinceTheStatistics_areRefused() {
    Problem problem = Problem.random(Kind.GAUSSIAN, 20, 3, false, 24);
    for (Problem.Layout layout : Problem.Layout.values()) {
      List<ExampleBlock> blocks = problem.blocks(layout, 7);
      LocalExamples all = new LocalExamples(3, blocks);
      double[] label = {1};
      double[] weight = {1};
      List<ExampleBlock> one = List.of(new DenseBlock(3, new double[] {1, 2, 3}, label, weight));
      double next = Math.nextUp(3.0);
      List<ExampleBlock> other =
          List.of(new DenseBlock(3, new double[] {1, 2, next}, label, weight));
      Objective changed =
          withStatisticsOf(
              new LocalExamples(3, concat(blocks, one)),
              new LocalExamples(3, concat(blocks, other)));
      for (ThrowingCallable pass :
          List.<ThrowingCallable>of(
              () -> changed.evaluate(problem.theta()), () -> changed.gram(problem.theta()))) {
        assertThatIllegalStateException()
            .isThrownBy(pass)
            .withMessageContaining("counted 21 rows, a later one as many, but others");
      }
      // the order of the blocks is no change
      List<ExampleBlock> reversed = new ArrayList<>(blocks);
      Collections.reverse(reversed);
      withStatisticsOf(all, new LocalExamples(3, reversed)).evaluate(problem.theta());
    }
  }

  private static List<ExampleBlock> concat(List<ExampleBlock> a, List<ExampleBlock> b) {
    List<ExampleBlock> all = new ArrayList<>(a);
    all.addAll(b);
    return all;
  }

  @Test
  void evaluateAndGram_rowsChangedSinceTheStatistics_areRefusedWithBothCounts() {
    Problem problem = Problem.random(Kind.GAUSSIAN, 20, 3, false, 23);
    List<ExampleBlock> blocks = problem.blocks(Problem.Layout.ALTERNATING, 7); // 7, 7, 6 rows
    LocalExamples all = new LocalExamples(3, blocks);
    List<List<ExampleBlock>> changes =
        List.of(
            blocks.subList(0, 2),
            List.of(blocks.get(0), blocks.get(1), blocks.get(2), blocks.get(2)));
    for (List<ExampleBlock> now : changes) {
      Objective changed = withStatisticsOf(all, new LocalExamples(3, now));
      String counts = "the first pass counted 20 rows, a later one " + (now.size() == 2 ? 14 : 26);
      for (ThrowingCallable pass :
          List.<ThrowingCallable>of(
              () -> changed.evaluate(problem.theta()), () -> changed.gram(problem.theta()))) {
        assertThatIllegalStateException()
            .isThrownBy(pass)
            .withMessageContaining("data changed")
            .withMessageContaining(counts);
      }
    }
    Objective same = withStatisticsOf(all, all);
    assertThat(same.evaluate(problem.theta()).value()).isPositive();
    assertThat(same.gram(problem.theta()).matrix().size()).isEqualTo(3);
  }

  private static Objective withStatisticsOf(LocalExamples first, LocalExamples examples) {
    return new Objective(
        examples,
        first.statistics(LogisticLoss.INSTANCE).statistics(),
        LogisticLoss.INSTANCE,
        new ParameterLayout(3, false, 1, 0),
        uniform(3, 1),
        new double[3],
        new boolean[3],
        -1);
  }

  @Test
  void at_fixedCoordinateNotZero_isRefused() {
    Problem problem = Problem.random(Kind.GAUSSIAN, 10, 3, false, 1);
    Objective objective =
        objective(problem, uniform(3, 1), new double[3], new boolean[] {false, true, false});
    assertThatIllegalArgumentException()
        .isThrownBy(() -> objective.evaluate(new double[] {1, 1, 1}))
        .withMessageContaining("coordinate 1");
  }

  @Test
  void constructor_sizesThatDisagree_areRefused() {
    Problem problem = Problem.random(Kind.GAUSSIAN, 10, 3, true, 1);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> objective(problem, uniform(3, 1), new double[4], new boolean[4]));
  }

  @Test
  void preconditioner_badlyScaledColumnsAndIntercept_savesIterations() {
    // Raw columns such as an age of 38 +- 13, an income of 5e4 +- 2e4, a share of 0.1 +- 0.05.
    double[] mean = {38, 5e4, 0.1, 1900, -7};
    double[] deviation = {13, 2e4, 0.05, 30, 1};
    int n = 500;
    int d = 25;
    double[][] x = new double[n][d];
    double[] y = new double[n];
    double[] w = new double[n];
    SplittableRandom random = new SplittableRandom(8);
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < d; j++) {
        x[i][j] = mean[j % 5] + deviation[j % 5] * Problem.gaussian(random);
      }
      y[i] = x[i][0] + 13 * Problem.gaussian(random) > 38 ? 1 : 0;
      w[i] = 1;
    }
    Problem problem = new Problem(x, y, w, true, new double[d + 1]);
    Statistics statistics = problem.examples().statistics(LogisticLoss.INSTANCE).statistics();
    Objective objective =
        objective(
            problem,
            PenaltyRule.ofMean(1e-3, true).on(statistics, problem.layout()),
            new double[d + 1],
            new boolean[d + 1]);
    Objective.Measured start = objective.evaluate(problem.theta());
    SymmetricMatrix h = objective.hessianMatrix(problem.theta());
    double[] diagonal = new double[d + 1];
    Arrays.setAll(diagonal, j -> h.get(j, j));
    int[] none = new int[d + 1];
    Arrays.fill(none, -1);
    double[] truth = Cholesky.of(h).orElseThrow().solve(start.gradient());
    int centred = iterations(h, start.gradient(), truth, objective.preconditioner(start));
    int jacobi =
        iterations(
            h, start.gradient(), truth, new CentredJacobi(diagonal, new double[d + 1], none));
    int identity = iterations(h, start.gradient(), truth, double[]::clone);
    // Centred, the Hessian of independent columns is nearly diagonal: sqrt(d / n) off it.
    assertThat(centred).isLessThanOrEqualTo(12);
    assertThat(jacobi).isGreaterThan(centred);
    assertThat(identity).isGreaterThan(2 * centred);
  }

  /** Iterations until the error of the solution is below 1e-6 of it in the energy norm. */
  private static int iterations(
      SymmetricMatrix h, double[] b, double[] truth, Preconditioner preconditioner) {
    double energy = Math.sqrt(Vectors.dot(truth, h.apply(truth)));
    for (int k = 1; k < 300; k++) {
      double[] x = new ConjugateGradient(1e-15, k, (i, r, t) -> {}).solve(h, b, preconditioner).x();
      double[] error = Vectors.add(x, -1, truth);
      if (Math.sqrt(Vectors.dot(error, h.apply(error))) <= 1e-6 * energy) {
        return k;
      }
    }
    return 300;
  }

  @Test
  void preconditioner_saturatedMargins_isFinite() {
    // e^-|s| underflows in every row: h = 0, and nothing is known of the curvature.
    Problem problem =
        new Problem(
            new double[][] {{1, 2}, {3, 1}},
            new double[] {1, 0},
            new double[] {1, 1},
            true,
            new double[] {900, 900, 100});
    Objective objective = objective(problem, uniform(3, 1), new double[3], new boolean[3]);
    Objective.Measured start = objective.evaluate(problem.theta());
    assertThat(start.measurement().curvature()).containsExactly(0);
    double[] z = objective.preconditioner(start).applyInverse(start.gradient());
    double square = Vectors.dot(z, start.gradient());
    assertThat(square).isPositive().isFinite();
  }

  @Test
  void preconditioner_fixedIntercept_leavesItAlone() {
    Problem random = Problem.random(Kind.GAUSSIAN, 50, 3, true, 11);
    boolean[] fixed = {false, false, false, true};
    Problem problem = zeroed(random, fixed);
    Objective objective = objective(problem, uniform(4, 1), new double[4], fixed);
    Objective.Measured start = objective.evaluate(problem.theta());
    assertThat(objective.preconditioner(start).applyInverse(start.gradient())[3]).isZero();
  }

  @Test
  void sparkMl_standardization_isTheRulesProduct() {
    Problem problem = Problem.random(Kind.SPARSE, 100, 3, true, 12);
    Statistics statistics = problem.examples().statistics(LogisticLoss.INSTANCE).statistics();
    double total = Arrays.stream(problem.w()).sum();
    Penalty with = PenaltyRule.ofMean(0.01, true).on(statistics, problem.layout());
    Penalty without = PenaltyRule.ofMean(0.01, false).on(statistics, problem.layout());
    for (int j = 0; j < 3; j++) {
      double variance = 0;
      double mean = 0;
      double squares = 0;
      for (int i = 0; i < 100; i++) {
        mean += problem.w()[i] * problem.x()[i][j] / total;
        squares += problem.w()[i] * problem.w()[i];
      }
      for (int i = 0; i < 100; i++) {
        variance += problem.w()[i] * Math.pow(problem.x()[i][j] - mean, 2);
      }
      variance /= total - squares / total;
      double expected = total * 0.01 * variance;
      assertThat(with.lambda()[j]).isCloseTo(expected, within(1e-12 * expected));
      assertThat(without.lambda()[j]).isCloseTo(0.01 * total, within(1e-12 * total));
      assertThat(with.relativeError()[j]).isBetween(1e-16, 1e-12);
    }
    assertThat(with.lambda()[3]).isZero();
    assertThat(with.relativeError()[3]).isZero();
    assertThat(with.size()).isEqualTo(4);
  }

  @Test
  void sparkMl_varianceLostToRounding_isOfUnknownSize() {
    Statistics statistics =
        new Statistics(
            3,
            0,
            3,
            2,
            List.of(
                new ColumnStatistics(1e17, 1e17 + 16, 3e17, 3e34, 0, Double.POSITIVE_INFINITY),
                new ColumnStatistics(1, 1, 3, 3, 0, 0)),
            new ColumnStatistics(0, 1, 1, 1, 1.0 / 3, 1e-15),
            new long[] {2, 1},
            new Statistics.Invalid(0, 0, 0, -1),
            3);
    ParameterLayout layout = new ParameterLayout(2, false, 1, 0);
    Penalty penalty = PenaltyRule.ofMean(0.1, true).on(statistics, layout);
    assertThat(penalty.lambda()).containsExactly(0, 0);
    assertThat(penalty.relativeError()[0]).isEqualTo(Double.POSITIVE_INFINITY);
    assertThat(penalty.relativeError()[1]).isLessThan(1e-15);
    // no penalty at all: nothing to be unsure about
    assertThat(PenaltyRule.ofMean(0, true).on(statistics, layout).relativeError()[0])
        .isLessThan(1e-15);
  }

  @Test
  void penalty_valuesOutOfRange_areRefused() {
    for (double bad : new double[] {-1, Double.NaN, Double.POSITIVE_INFINITY}) {
      assertThatIllegalArgumentException().isThrownBy(() -> uniform(2, bad));
    }
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Penalty(new double[2], new double[1]));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Penalty(new double[1], new double[] {Double.NaN}));
  }

  @Test
  void localExamples_blockOfAnotherWidth_isRefused() {
    Problem problem = Problem.random(Kind.GAUSSIAN, 10, 3, false, 1);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new LocalExamples(4, problem.blocks(Problem.Layout.DENSE, 5)));
  }
}
