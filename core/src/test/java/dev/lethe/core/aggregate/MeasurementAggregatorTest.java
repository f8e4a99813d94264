package dev.lethe.core.aggregate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.linalg.Rounding;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.testing.Exact;
import dev.lethe.core.testing.Problem;
import dev.lethe.core.testing.Problem.Kind;
import dev.lethe.core.testing.Problem.Layout;
import dev.lethe.core.testing.Serialized;
import java.math.BigDecimal;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class MeasurementAggregatorTest {
  private static final int SEEDS = 8;

  private static MeasurementAggregator measure(Problem problem, Layout layout, int rowsPerBlock) {
    MeasurementAggregator sums = new MeasurementAggregator(problem.point());
    problem.blocks(layout, rowsPerBlock).forEach(sums::add);
    return sums.sealed();
  }

  private static Problem problem(Kind kind, int seed) {
    return Problem.random(kind, 20 + 37 * seed, 1 + 3 * seed, seed % 2 == 0, 100 + seed);
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void gradientError_anyProblem_boundsTheTrueError(Kind kind) {
    for (int seed = 0; seed < SEEDS; seed++) {
      Problem problem = problem(kind, seed);
      BigDecimal[] exact = problem.exactGradient();
      for (Layout layout : new Layout[] {Layout.DENSE, Layout.SPARSE, Layout.ALTERNATING}) {
        MeasurementAggregator sums = measure(problem, layout, 50);
        double[] g = sums.gradient();
        double[] bound = sums.gradientError();
        for (int j = 0; j < problem.size(); j++) {
          assertThat(Exact.error(g[j], exact[j]))
              .as("seed %s, %s, coordinate %s", seed, layout, j)
              .isLessThanOrEqualTo(Exact.of(bound[j]));
        }
      }
    }
  }

  @Test
  void gradientError_severalHundredRows_boundsTheTrueError() {
    Problem problem = Problem.random(Kind.CANCELLING, 600, 11, true, 4);
    BigDecimal[] exact = problem.exactGradient();
    MeasurementAggregator sums = measure(problem, Layout.DENSE, 600);
    for (int j = 0; j < problem.size(); j++) {
      assertThat(Exact.error(sums.gradient()[j], exact[j]))
          .isLessThanOrEqualTo(Exact.of(sums.gradientError()[j]));
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void gradientError_anyProblem_isNotAbsurdlyLoose(Kind kind) {
    // A worst-case bound against errors that partly cancel. Saturated margins pay for l''_max = 1/4
    // where l'' is next to nothing.
    double loose = kind == Kind.SATURATED ? 1e7 : 1e5;
    double bound = 0;
    double error = 0;
    for (int seed = 0; seed < SEEDS; seed++) {
      Problem problem = problem(kind, seed);
      BigDecimal[] exact = problem.exactGradient();
      MeasurementAggregator sums = measure(problem, Layout.BUILT, 50);
      double largest = 0;
      double largestBound = 0;
      for (int j = 0; j < problem.size(); j++) {
        largest = Math.max(largest, Exact.error(sums.gradient()[j], exact[j]).doubleValue());
        largestBound = Math.max(largestBound, sums.gradientError()[j]);
      }
      bound += Math.log(largestBound);
      error += Math.log(Math.max(largest, Double.MIN_VALUE));
    }
    assertThat(Math.exp((bound - error) / SEEDS)).isBetween(1.0, loose);
  }

  @Test
  void gradientError_cancellingMargins_seesTheMarginsOwnError() {
    // Margins of order 1 left over from terms of order 1e8: the true error is far above what the
    // sum's rounding alone would explain.
    double[][] x = new double[200][];
    double[] y = new double[200];
    double[] w = new double[200];
    for (int i = 0; i < 200; i++) {
      double big = 1e8 * (1 + i / 7.0);
      x[i] = new double[] {big, big + Math.sin(i), 1.0 / (i + 3)};
      y[i] = i % 2;
      w[i] = 1;
    }
    Problem problem = new Problem(x, y, w, true, new double[] {0.1, -0.1, 0.3, 0.2});
    BigDecimal[] exact = problem.exactGradient();
    MeasurementAggregator sums = measure(problem, Layout.DENSE, 64);
    double naive = 0;
    for (int i = 0; i < 200; i++) {
      naive += 200 * Rounding.UNIT * x[i][2];
    }
    BigDecimal error = Exact.error(sums.gradient()[2], exact[2]);
    assertThat(error).isLessThanOrEqualTo(Exact.of(sums.gradientError()[2]));
    assertThat(error).isGreaterThan(Exact.of(naive));
  }

  @Test
  void gradientError_underflowingTerms_staysABound() {
    // Gradient terms around the least double: relative bounds alone would round to nothing.
    int n = 60;
    double[][] x = new double[n][];
    double[] y = new double[n];
    double[] w = new double[n];
    for (int i = 0; i < n; i++) {
      x[i] = new double[] {3e-323 * (1 + i % 3), 1e-310};
      y[i] = i % 2;
      w[i] = 0.3 + 0.001 * i;
    }
    Problem problem = new Problem(x, y, w, false, new double[] {0.3, -0.2});
    BigDecimal[] exact = problem.exactGradient();
    for (Layout layout : new Layout[] {Layout.DENSE, Layout.SPARSE}) {
      MeasurementAggregator sums = measure(problem, layout, 64);
      for (int j = 0; j < 2; j++) {
        assertThat(Exact.error(sums.gradient()[j], exact[j]))
            .isLessThanOrEqualTo(Exact.of(sums.gradientError()[j]));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {1e-320, 1e-310, 1e-5, 0.3, 8, 1e5})
  void gradientError_underflowingDerivativesOfLargeColumns_staysABound(double weight) {
    // Margins where e^-|s| is a few least doubles or less, each times columns far above 8.
    int n = 61;
    double[][] x = new double[n][];
    double[] y = new double[n];
    double[] w = new double[n];
    for (int i = 0; i < n; i++) {
      double margin = (i % 2 == 0 ? 1 : -1) * (i < 6 ? 0.1 * i : 690 + i);
      x[i] = new double[] {margin, 1e12 * (i + 1), 1e300 / (i + 1), 16 - i};
      y[i] = i % 4 < 2 ? i % 2 : 1 - i % 2;
      w[i] = weight * (1 + 0.01 * i);
    }
    assertBounded(new Problem(x, y, w, true, new double[] {1, 0, 0, 0, 0}));
    // The sums of a column whose every row agrees with its label: nothing else hides the underflow.
    for (int i = 0; i < n; i++) {
      x[i][0] = i % 2 == 0 ? 700 + i : -700 - i;
      y[i] = i % 2 == 0 ? 1 : 0;
    }
    assertBounded(new Problem(x, y, w, true, new double[] {1, 0, 0, 0, 0}));
  }

  private static void assertBounded(Problem problem) {
    BigDecimal[] exact = problem.exactGradient();
    for (Layout layout : new Layout[] {Layout.DENSE, Layout.SPARSE}) {
      MeasurementAggregator sums = measure(problem, layout, 64);
      for (int j = 0; j < problem.size(); j++) {
        assertThat(Exact.error(sums.gradient()[j], exact[j]))
            .as("%s, coordinate %s", layout, j)
            .isLessThanOrEqualTo(Exact.of(sums.gradientError()[j]));
      }
    }
  }

  @Test
  void gradientError_ordinaryRows_theAllowanceForUnderflowDoesNotShow() {
    Problem problem = Problem.random(Kind.GAUSSIAN, 50, 3, true, 6);
    for (double error : measure(problem, Layout.DENSE, 64).gradientError()) {
      // an allowance of 2^-1000 a row against bounds of at least 1e-20
      assertThat(error).isBetween(1e-20, 1e-10);
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Kind.class,
      mode = EnumSource.Mode.EXCLUDE,
      names = "SATURATED") // terms below 2^-1022 are outside the relative bound
  void curvatureRelativeError_anyProblem_boundsTheTrueError(Kind kind) {
    for (int seed = 0; seed < SEEDS; seed++) {
      Problem problem = problem(kind, seed);
      BigDecimal[] exact = problem.exactCurvatureMoment();
      BigDecimal[] absolute = problem.exactAbsoluteCurvatureMoment();
      for (Layout layout : new Layout[] {Layout.DENSE, Layout.SPARSE}) {
        MeasurementAggregator sums = measure(problem, layout, 50);
        BigDecimal kappa = Exact.of(sums.curvatureRelativeError());
        double[] c = sums.curvatureMoment();
        for (int j = 0; j < problem.size(); j++) {
          assertThat(Exact.error(c[j], exact[j])).isLessThanOrEqualTo(absolute[j].multiply(kappa));
        }
        assertThat(sums.curvature()).hasSize(1);
        if (problem.intercept()) {
          assertThat(sums.curvature()[0]).isEqualTo(c[problem.size() - 1]);
        }
        if (kind == Kind.GAUSSIAN) {
          // gamma_88 and the margin's own error
          assertThat(sums.curvatureRelativeError()).isLessThan(1e-12);
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void value_anyProblem_matchesExactSum(Kind kind) {
    for (int seed = 0; seed < 3; seed++) {
      Problem problem = problem(kind, seed);
      // |l'| <= 1: the value errs by the margins' errors and a few ulp of each term.
      double tolerance = 0;
      ExampleBlock block = problem.block(Layout.DENSE);
      for (int i = 0; i < problem.rows(); i++) {
        double absolute =
            block.absoluteDot(i, problem.theta(), 0)
                + (problem.intercept() ? Math.abs(problem.theta()[problem.features()]) : 0);
        tolerance +=
            problem.w()[i] * (Rounding.gamma(problem.size() + 12) * absolute + 10 * Rounding.UNIT);
      }
      BigDecimal exact = problem.exactValue();
      assertThat(Exact.error(measure(problem, Layout.BUILT, 50).value(), exact))
          .isLessThanOrEqualTo(Exact.of(tolerance));
    }
  }

  @Test
  void gradient_sameBlocks_equalsTheGradientAggregator() {
    Problem problem = Problem.random(Kind.SPARSE, 150, 9, true, 1);
    GradientAggregator plain = new GradientAggregator(problem.point());
    problem.blocks(Layout.BUILT, 50).forEach(plain::add);
    MeasurementAggregator sums = measure(problem, Layout.BUILT, 50);
    // Both add the same terms in the same order.
    assertThat(sums.gradient()).isEqualTo(plain.gradient());
    assertThat(sums.value()).isEqualTo(plain.value());
  }

  @Test
  void merge_serializedParts_boundStillHolds() {
    Problem problem = Problem.random(Kind.RANGES, 300, 8, true, 5);
    MeasurementAggregator total = new MeasurementAggregator(problem.point());
    for (ExampleBlock block : problem.blocks(Layout.ALTERNATING, 13)) {
      MeasurementAggregator part = new MeasurementAggregator(problem.point());
      part.add(block);
      total.merge(Serialized.copy(part.sealed()));
    }
    BigDecimal[] exact = problem.exactGradient();
    BigDecimal[] moment = problem.exactCurvatureMoment();
    BigDecimal[] absolute = problem.exactAbsoluteCurvatureMoment();
    double[] one = measure(problem, Layout.ALTERNATING, 13).gradientError();
    for (int j = 0; j < problem.size(); j++) {
      assertThat(Exact.error(total.gradient()[j], exact[j]))
          .isLessThanOrEqualTo(Exact.of(total.gradientError()[j]));
      assertThat(Exact.error(total.curvatureMoment()[j], moment[j]))
          .isLessThanOrEqualTo(absolute[j].multiply(Exact.of(total.curvatureRelativeError())));
      // the same rows: the same bound up to its own rounding
      assertThat(total.gradientError()[j] / one[j]).isBetween(1 - 1e-9, 1 + 1e-9);
    }
  }

  @Test
  void gradientError_overflowingMargin_isNotFinite() {
    // A bound that would pass here would certify garbage.
    Problem problem =
        new Problem(
            new double[][] {{1e200}, {1}},
            new double[] {1, 0},
            new double[] {1, 1},
            false,
            new double[] {1e200});
    assertThat(measure(problem, Layout.DENSE, 10).gradientError()[0])
        .isEqualTo(Double.POSITIVE_INFINITY);
  }

  @Test
  void empty_everythingIsZero() {
    MeasurementAggregator sums =
        new MeasurementAggregator(Problem.random(Kind.GAUSSIAN, 1, 3, true, 1).point());
    assertThat(sums.gradient()).containsOnly(0);
    assertThat(sums.value()).isZero();
    assertThat(Arrays.stream(sums.gradientError()).max().getAsDouble()).isLessThan(1e-300);
  }
}
