package dev.lethe.core.objective;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.lethe.core.loss.SquaredLoss;
import dev.lethe.core.model.ColumnStatistics;
import dev.lethe.core.model.ParameterLayout;
import dev.lethe.core.model.Statistics;
import dev.lethe.core.objective.PenaltyRule.Basis;
import dev.lethe.core.objective.PenaltyRule.Deviation;
import dev.lethe.core.testing.Exact;
import dev.lethe.core.testing.Problem;
import java.math.BigDecimal;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PenaltyRuleTest {
  private static final ParameterLayout TWO_MARGINS_AND_A_SCALAR =
      new ParameterLayout(3, true, 2, 1);

  /** Three columns and a label of the given mean over deviation, with weights. */
  private static Problem problem(double meanOverDeviation) {
    SplittableRandom random = new SplittableRandom(11);
    int n = 300;
    double[][] x = new double[n][3];
    double[] y = new double[n];
    double[] w = new double[n];
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < 3; j++) {
        x[i][j] = meanOverDeviation + Math.pow(10, j) * Problem.gaussian(random);
      }
      y[i] = meanOverDeviation + 2 * Problem.gaussian(random);
      w[i] = 0.01 + random.nextDouble();
    }
    return new Problem(x, y, w, true, new double[4]);
  }

  private static Statistics statistics(Problem problem) {
    return problem.examples().statistics(SquaredLoss.INSTANCE).statistics();
  }

  /** sum w (v - mean)^2 / (W - sum w^2 / W), or / W; 1 without a deviation. */
  private static BigDecimal variance(Deviation deviation, double[] v, double[] w) {
    if (deviation == Deviation.NONE) {
      return BigDecimal.ONE;
    }
    BigDecimal total = BigDecimal.ZERO;
    BigDecimal squares = BigDecimal.ZERO;
    BigDecimal sum = BigDecimal.ZERO;
    for (int i = 0; i < v.length; i++) {
      total = total.add(Exact.of(w[i]));
      squares = squares.add(Exact.of(w[i]).pow(2));
      sum = sum.add(Exact.of(w[i]).multiply(Exact.of(v[i])));
    }
    BigDecimal mean = sum.divide(total, Exact.DIGITS);
    BigDecimal centred = BigDecimal.ZERO;
    for (int i = 0; i < v.length; i++) {
      BigDecimal r = Exact.of(v[i]).subtract(mean);
      centred = centred.add(Exact.of(w[i]).multiply(r.pow(2)), Exact.DIGITS);
    }
    BigDecimal unbiased = total.subtract(squares.divide(total, Exact.DIGITS));
    return centred.divide(deviation == Deviation.UNBIASED ? unbiased : total, Exact.DIGITS);
  }

  @ParameterizedTest
  @CsvSource({"0, 1e-13", "1e3, 1e-13", "1e7, 1e-9", "1e12, 1e3"})
  void on_everyRule_isTheExactFormulaWithinItsError(double meanOverDeviation, double tight) {
    Problem problem = problem(meanOverDeviation);
    Statistics statistics = statistics(problem);
    ParameterLayout layout = TWO_MARGINS_AND_A_SCALAR;
    for (Deviation features : Deviation.values()) {
      for (Deviation label : Deviation.values()) {
        for (Basis basis : Basis.values()) {
          PenaltyRule rule = new PenaltyRule(0.03, features, label, basis);
          if (meanOverDeviation == 0 && basis == Basis.WEIGHTED_LABELS) {
            continue; // a sum of labels that cancels is no weight
          }
          Penalty penalty = rule.on(statistics, layout);
          BigDecimal scale = BigDecimal.ZERO;
          for (int i = 0; i < problem.rows(); i++) {
            BigDecimal w = Exact.of(problem.w()[i]);
            scale =
                scale.add(basis == Basis.TOTAL_WEIGHT ? w : w.multiply(Exact.of(problem.y()[i])));
          }
          BigDecimal labelScale = variance(label, problem.y(), problem.w()).sqrt(Exact.DIGITS);
          for (int j = 0; j < 3; j++) {
            int column = j;
            double[] values = Arrays.stream(problem.x()).mapToDouble(row -> row[column]).toArray();
            BigDecimal exact =
                scale
                    .multiply(Exact.of(0.03))
                    .multiply(variance(features, values, problem.w()))
                    .divide(labelScale, Exact.DIGITS);
            for (int k = 0; k < 2; k++) {
              int parameter = layout.coefficient(k, j);
              double lambda = penalty.lambda()[parameter];
              double e = penalty.relativeError()[parameter];
              assertThat(Exact.error(lambda, exact))
                  .as("%s, coordinate %s", rule.description(), parameter)
                  .isLessThanOrEqualTo(
                      e < Double.POSITIVE_INFINITY
                          ? Exact.of(e).multiply(Exact.of(lambda))
                          : new BigDecimal("1e400"));
              assertThat(e).isLessThan(tight);
            }
          }
          for (int free : new int[] {layout.intercept(0), layout.intercept(1), layout.scalar(0)}) {
            assertThat(penalty.lambda()[free]).isZero();
            assertThat(penalty.relativeError()[free]).isZero();
          }
        }
      }
    }
  }

  /** Variances known to a factor only: the errors multiply, and the root of the label's grows. */
  @Test
  void on_largeErrorsOfTheVariances_coversEveryCombinationOfThem() {
    for (double e : new double[] {1e-3, 0.2, 0.5, 0.7, 0.95}) {
      ColumnStatistics column = new ColumnStatistics(0, 1, 1, 1, 4, e);
      Statistics statistics =
          new Statistics(
              3,
              0,
              3,
              2,
              List.of(column),
              column,
              new long[0],
              new Statistics.Invalid(0, 0, 0, -1),
              3);
      Penalty penalty =
          new PenaltyRule(1, Deviation.UNBIASED, Deviation.UNBIASED, Basis.TOTAL_WEIGHT)
              .on(statistics, new ParameterLayout(1, false, 1, 0));
      double lambda = penalty.lambda()[0];
      for (double columnFactor : new double[] {1 - e, 1, 1 + e}) {
        for (double labelFactor : new double[] {1 - e, 1, 1 + e}) {
          double exact = 3 * (4 * columnFactor) / Math.sqrt(4 * labelFactor);
          assertThat(Math.abs(lambda - exact))
              .isLessThanOrEqualTo(penalty.relativeError()[0] * lambda);
        }
      }
    }
  }

  @Test
  void ofMean_withAndWithoutStandardization_isLogisticRegressionsRule() {
    assertThat(PenaltyRule.ofMean(0.1, true))
        .isEqualTo(new PenaltyRule(0.1, Deviation.UNBIASED, Deviation.NONE, Basis.TOTAL_WEIGHT));
    assertThat(PenaltyRule.ofMean(0.1, false).features()).isEqualTo(Deviation.NONE);
  }

  /** Exact: W regParam; the coefficients' penalties stay what they are. */
  @Test
  void on_withIntercept_penalisesItAsACoefficientWithoutStandardization() {
    Statistics statistics = statistics(problem(0));
    ParameterLayout layout = TWO_MARGINS_AND_A_SCALAR;
    PenaltyRule rule = PenaltyRule.ofMean(0.1, true);
    Penalty free = rule.on(statistics, layout);
    Penalty penalty = rule.withIntercept().on(statistics, layout);
    double plain = PenaltyRule.ofMean(0.1, false).on(statistics, layout).lambda()[0];
    for (int j = 0; j < layout.size(); j++) {
      boolean intercept = j == layout.intercept(0) || j == layout.intercept(1);
      assertThat(penalty.lambda()[j]).isEqualTo(intercept ? plain : free.lambda()[j]);
      assertThat(penalty.relativeError()[j])
          .isEqualTo(intercept ? 8 * 0x1p-53 : free.relativeError()[j]);
    }
  }

  @Test
  void on_noRegularisation_isZeroAndExact() {
    Penalty penalty =
        PenaltyRule.ofMean(0, true).on(statistics(problem(1e12)), TWO_MARGINS_AND_A_SCALAR);
    assertThat(penalty.lambda()).containsOnly(0);
    assertThat(penalty.relativeError()).containsOnly(0);
  }

  @Test
  void constructor_regParamOutOfRange_isRefusedWithTheValue() {
    for (double bad : new double[] {-1e-9, Double.NaN, Double.POSITIVE_INFINITY}) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> PenaltyRule.ofMean(bad, true))
          .withMessageContaining("regParam = " + bad);
    }
  }

  @Test
  void description_everyRule_isItsOwn() {
    long different =
        Arrays.stream(Basis.values())
            .flatMap(
                basis ->
                    Arrays.stream(Deviation.values())
                        .flatMap(
                            features ->
                                Arrays.stream(Deviation.values())
                                    .map(label -> new PenaltyRule(1, features, label, basis))))
            .map(PenaltyRule::description)
            .distinct()
            .count();
    assertThat(different).isEqualTo(18);
    assertThat(PenaltyRule.ofMean(1, false).description()).isEqualTo("lambda_j = W regParam");
  }
}
