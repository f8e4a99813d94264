package dev.lethe.core.aggregate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.lethe.core.loss.LogisticLoss;
import dev.lethe.core.loss.MultinomialLogisticLoss;
import dev.lethe.core.loss.SquaredLoss;
import dev.lethe.core.model.BlockBuilder;
import dev.lethe.core.model.ColumnStatistics;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.Statistics;
import dev.lethe.core.testing.Exact;
import dev.lethe.core.testing.Problem;
import dev.lethe.core.testing.Problem.Kind;
import dev.lethe.core.testing.Problem.Layout;
import dev.lethe.core.testing.Serialized;
import java.math.BigDecimal;
import java.util.Arrays;
import java.util.BitSet;
import java.util.SplittableRandom;
import java.util.function.ToDoubleFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class StatisticsAggregatorTest {
  private static Statistics statistics(Problem problem, Layout layout, int rowsPerBlock) {
    StatisticsAggregator total =
        new StatisticsAggregator(LogisticLoss.INSTANCE, problem.features());
    for (ExampleBlock block : problem.blocks(layout, rowsPerBlock)) {
      StatisticsAggregator part =
          new StatisticsAggregator(LogisticLoss.INSTANCE, problem.features());
      part.add(block);
      total.merge(Serialized.copy(part.sealed()));
    }
    return total.statistics();
  }

  /** (sum w x^2 - (sum w x)^2 / W) / (W - sum w^2 / W), exactly until the divisions. */
  private static BigDecimal variance(double[] x, double[] w) {
    BigDecimal total = BigDecimal.ZERO;
    BigDecimal squares = BigDecimal.ZERO;
    BigDecimal first = BigDecimal.ZERO;
    BigDecimal second = BigDecimal.ZERO;
    for (int i = 0; i < x.length; i++) {
      BigDecimal weight = Exact.of(w[i]);
      BigDecimal wx = weight.multiply(Exact.of(x[i]));
      total = total.add(weight);
      squares = squares.add(weight.multiply(weight));
      first = first.add(wx);
      second = second.add(wx.multiply(Exact.of(x[i])));
    }
    return second
        .multiply(total)
        .subtract(first.multiply(first))
        .divide(total.multiply(total).subtract(squares), Exact.DIGITS);
  }

  /** Two columns set to 0 in every row, and in the statistics alone. */
  @Test
  void without_columns_isWhatRowsWithZerosThereHave() {
    Problem problem = Problem.random(Kind.GAUSSIAN, 90, 5, true, 11);
    double[][] zeroed =
        Arrays.stream(problem.x())
            .map(row -> new double[] {row[0], 0, row[2], 0, row[4]})
            .toArray(double[][]::new);
    Problem without =
        new Problem(zeroed, problem.y(), problem.w(), problem.intercept(), problem.theta());
    BitSet removed = new BitSet();
    removed.set(1);
    removed.set(3);

    Statistics statistics = statistics(problem, Layout.DENSE, 20).without(removed);

    Statistics expected = statistics(without, Layout.DENSE, 20);
    assertThat(statistics.columns()).isEqualTo(expected.columns());
    assertThat(statistics.label()).isEqualTo(expected.label());
    assertThat(statistics.totalWeight()).isEqualTo(expected.totalWeight());
    assertThat(statistics.unbiasedWeight()).isEqualTo(expected.unbiasedWeight());
  }

  private static double[] of(Statistics statistics, ToDoubleFunction<ColumnStatistics> figure) {
    return statistics.columns().stream().mapToDouble(figure).toArray();
  }

  private static double[] column(Problem problem, int j) {
    return Arrays.stream(problem.x()).mapToDouble(row -> row[j]).toArray();
  }

  private static Problem columns(int n, boolean weighted, double... meanOverDeviation) {
    SplittableRandom random = new SplittableRandom(n);
    double[][] x = new double[n][meanOverDeviation.length];
    double[] y = new double[n];
    double[] w = new double[n];
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < meanOverDeviation.length; j++) {
        x[i][j] = meanOverDeviation[j] + Problem.gaussian(random);
      }
      y[i] = i % 2;
      w[i] = weighted ? 0.01 + random.nextDouble() : 1;
    }
    return new Problem(x, y, w, false, new double[meanOverDeviation.length]);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void variance_meanFarAboveDeviation_isWithinItsClaimedError(boolean weighted) {
    Problem problem = columns(700, weighted, 0, 1, 1e3, -1e5, 1e7, 1e9, 1e12);
    Statistics statistics = statistics(problem, Layout.DENSE, 90);
    for (int j = 0; j < problem.features(); j++) {
      double error =
          Exact.relativeError(
              statistics.column(j).variance(), variance(column(problem, j), problem.w()));
      assertThat(error).isLessThanOrEqualTo(statistics.column(j).varianceRelativeError());
      if (j < 5) {
        // up to a ratio of 1e7 the variance is as good as new: 64 (700 u)^2 1e14 < 1e-10
        assertThat(statistics.column(j).varianceRelativeError()).isLessThan(1e-10);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void statistics_anyProblem_matchExactSums(Kind kind) {
    for (Layout layout : Layout.values()) {
      Problem problem = Problem.random(kind, 180, 7, false, 6);
      Statistics statistics = statistics(problem, layout, 40);
      double weight = Arrays.stream(problem.w()).sum();
      double positive = 0;
      for (int i = 0; i < problem.rows(); i++) {
        positive += problem.w()[i] * problem.y()[i];
      }
      assertThat(statistics.rows()).isEqualTo(180);
      assertThat(statistics.features()).isEqualTo(7);
      assertThat(statistics.totalWeight()).isCloseTo(weight, within(1e-12 * weight));
      assertThat(statistics.label().sum()).isCloseTo(positive, within(1e-12 * weight));
      assertThat(Arrays.stream(statistics.classes()).sum()).isEqualTo(180);
      assertThat(statistics.classes()).doesNotContain(0);
      assertThat(statistics.invalid()).isEqualTo(new Statistics.Invalid(0, 0, 0, -1));
      for (int j = 0; j < 7; j++) {
        double[] x = column(problem, j);
        BigDecimal exact = variance(x, problem.w());
        assertThat(Exact.relativeError(statistics.column(j).variance(), exact))
            .isLessThanOrEqualTo(statistics.column(j).varianceRelativeError());
        assertThat(statistics.column(j).varianceRelativeError()).isLessThan(1e-13);
        double second = 0;
        for (int i = 0; i < x.length; i++) {
          second += problem.w()[i] * x[i] * x[i];
        }
        assertThat(statistics.column(j).secondMoment()).isCloseTo(second, within(1e-12 * second));
        assertThat(statistics.column(j).min()).isEqualTo(Arrays.stream(x).min().getAsDouble());
        assertThat(statistics.column(j).max()).isEqualTo(Arrays.stream(x).max().getAsDouble());
        assertThat(statistics.column(j).maxAbs())
            .isEqualTo(Arrays.stream(x).map(Math::abs).max().getAsDouble());
      }
    }
  }

  @Test
  void variance_oneDominatingWeight_isWithinItsClaimedError() {
    // W - sum w^2 / W cancels: 1e12 + 1 - (1e24 + 1) / (1e12 + 1) is about 2.
    for (double heavy : new double[] {1e3, 1e8, 1e12, 1e15, 1e18}) {
      double[] w = {heavy, 1};
      Problem problem =
          new Problem(
              new double[][] {{0.1}, {0.7}}, new double[] {0, 1}, w, false, new double[] {0});
      Statistics statistics = statistics(problem, Layout.DENSE, 10);
      double error =
          Exact.relativeError(statistics.column(0).variance(), variance(column(problem, 0), w));
      assertThat(error).isLessThanOrEqualTo(statistics.column(0).varianceRelativeError());
    }
  }

  @Test
  void variance_beyondAllPrecision_admitsIt() {
    // mean over deviation of 1e16: sum w x^2 would need more than twice the digits of a double.
    double[][] x = new double[400][1];
    for (int i = 0; i < x.length; i++) {
      x[i][0] = 1e17 + (i == 7 ? 16 : 0);
    }
    double[] w = new double[x.length];
    for (int i = 0; i < w.length; i++) {
      w[i] = 1 + 0.1 * (i % 7);
    }
    Problem problem = new Problem(x, new double[x.length], w, false, new double[1]);
    Statistics statistics = statistics(problem, Layout.DENSE, 50);
    assertThat(statistics.column(0).isConstant()).isFalse();
    assertThat(
            Exact.relativeError(statistics.column(0).variance(), variance(column(problem, 0), w)))
        .isLessThanOrEqualTo(statistics.column(0).varianceRelativeError());
  }

  @Test
  void variance_underflowingSquares_isWithinItsClaimedError() {
    for (double scale : new double[] {1e-140, 1e-155, 1e-160, 1e-200}) {
      Problem plain = columns(50, true, 0.5);
      double[][] x = new double[50][1];
      for (int i = 0; i < 50; i++) {
        x[i][0] = scale * plain.x()[i][0];
      }
      Problem problem = new Problem(x, plain.y(), plain.w(), false, new double[1]);
      Statistics statistics = statistics(problem, Layout.DENSE, 50);
      assertThat(
              Exact.relativeError(
                  statistics.column(0).variance(), variance(column(problem, 0), plain.w())))
          .isLessThanOrEqualTo(statistics.column(0).varianceRelativeError());
    }
  }

  @Test
  void variance_constantColumn_isExactlyZero() {
    double[][] x = new double[333][];
    double[] w = new double[333];
    for (int i = 0; i < x.length; i++) {
      x[i] = new double[] {0.1, 1e9 + 0.3, 0, -7};
      w[i] = 1.0 / (i + 3);
    }
    Problem problem = new Problem(x, new double[333], w, false, new double[4]);
    for (Layout layout : new Layout[] {Layout.DENSE, Layout.SPARSE}) {
      Statistics statistics = statistics(problem, layout, 50);
      assertThat(of(statistics, ColumnStatistics::variance)).containsOnly(0);
      assertThat(of(statistics, ColumnStatistics::varianceRelativeError)).containsOnly(0);
      for (int j = 0; j < 4; j++) {
        assertThat(statistics.column(j).isConstant()).isTrue();
      }
    }
  }

  @Test
  void variance_implicitZeros_count() {
    BlockBuilder builder = BlockBuilder.of(4);
    for (int i = 0; i < 6; i++) {
      if (i % 3 == 0) {
        builder.add(0, 3);
        builder.add(1, -3);
      }
      builder.endRow(i % 2, 1);
    }
    StatisticsAggregator sums = new StatisticsAggregator(LogisticLoss.INSTANCE, 4);
    sums.add(builder.build());
    Statistics statistics = sums.statistics();
    // 3, 0, 0, 3, 0, 0: mean 1, variance (2 * 4 + 4 * 1) / 5
    assertThat(statistics.column(0).variance()).isCloseTo(2.4, within(1e-15));
    assertThat(statistics.column(1).variance()).isCloseTo(2.4, within(1e-15));
    assertThat(of(statistics, ColumnStatistics::min)).containsExactly(0, -3, 0, 0);
    assertThat(of(statistics, ColumnStatistics::max)).containsExactly(3, 0, 0, 0);
    assertThat(statistics.column(2).isConstant()).isTrue();
  }

  @Test
  void variance_oneRow_isZero() {
    Problem problem =
        new Problem(new double[][] {{5}}, new double[] {1}, new double[] {2}, false, new double[1]);
    Statistics statistics = statistics(problem, Layout.DENSE, 10);
    assertThat(of(statistics, ColumnStatistics::variance)).containsExactly(0);
    assertThat(statistics.classes()).containsExactly(0, 1);
  }

  @Test
  void invalidRows_areCountedAndTouchNothingElse() {
    Problem good = columns(100, true, 3, 0);
    double[][] x = Arrays.copyOf(good.x(), 106);
    double[] y = Arrays.copyOf(good.y(), 106);
    double[] w = Arrays.copyOf(good.w(), 106);
    Arrays.fill(x, 100, 106, new double[] {1e6, -1e6});
    Arrays.fill(w, 100, 106, 1);
    y[100] = 2;
    y[101] = Double.NaN;
    w[102] = 0;
    w[103] = -1;
    w[104] = Double.NaN;
    w[105] = Double.POSITIVE_INFINITY;
    Statistics expected = statistics(good, Layout.DENSE, 30);
    for (Layout layout : new Layout[] {Layout.DENSE, Layout.SPARSE}) {
      Statistics statistics = statistics(new Problem(x, y, w, false, new double[2]), layout, 30);
      assertThat(statistics.rows()).isEqualTo(106);
      assertThat(statistics.invalid()).isEqualTo(new Statistics.Invalid(2, 4, 0, -1));
      assertThat(of(statistics, ColumnStatistics::variance))
          .isEqualTo(of(expected, ColumnStatistics::variance));
      assertThat(of(statistics, ColumnStatistics::min))
          .isEqualTo(of(expected, ColumnStatistics::min));
      assertThat(of(statistics, ColumnStatistics::max))
          .isEqualTo(of(expected, ColumnStatistics::max));
      assertThat(statistics.totalWeight()).isEqualTo(expected.totalWeight());
    }
  }

  @Test
  void invalidRow_constantColumn_staysConstant() {
    Problem problem =
        new Problem(
            new double[][] {{5}, {5}, {5}},
            new double[] {1, 3, 0},
            new double[] {1, 1, 1},
            false,
            new double[1]);
    Statistics statistics = statistics(problem, Layout.DENSE, 2);
    assertThat(statistics.invalid().labels()).isEqualTo(1);
    assertThat(statistics.column(0).isConstant()).isTrue();
    assertThat(statistics.column(0).min()).isEqualTo(5);
  }

  @Test
  void invalidValues_areCountedWithTheFirstColumn() {
    double[][] x = {
      {1, Double.NaN, 7}, {2, 5, Double.POSITIVE_INFINITY}, {3, Double.NEGATIVE_INFINITY, 7}
    };
    Problem problem = new Problem(x, new double[3], new double[] {1, 1, 1}, false, new double[3]);
    for (Layout layout : new Layout[] {Layout.DENSE, Layout.SPARSE}) {
      Statistics statistics = statistics(problem, layout, 1);
      assertThat(statistics.invalid()).isEqualTo(new Statistics.Invalid(0, 0, 3, 1));
      assertThat(statistics.column(0).variance()).isEqualTo(1);
      // the entries that are there, not zeros in place of those that are not
      assertThat(of(statistics, ColumnStatistics::min)).containsExactly(1, 5, 7);
      assertThat(of(statistics, ColumnStatistics::max)).containsExactly(3, 5, 7);
    }
  }

  @Test
  void merge_anyPartition_givesTheSameStatisticsUpToRounding() {
    Problem problem = Problem.random(Kind.SPARSE, 200, 5, false, 9);
    Statistics one = statistics(problem, Layout.SPARSE, 200);
    for (int rows : new int[] {1, 3, 64}) {
      Statistics many = statistics(problem, Layout.DENSE, rows);
      for (int j = 0; j < 5; j++) {
        assertThat(many.column(j).variance())
            .isCloseTo(
                one.column(j).variance(),
                within(2 * one.column(j).varianceRelativeError() * one.column(j).variance()));
      }
      assertThat(of(many, ColumnStatistics::min)).isEqualTo(of(one, ColumnStatistics::min));
      assertThat(of(many, ColumnStatistics::max)).isEqualTo(of(one, ColumnStatistics::max));
    }
  }

  /** The label is a column like another: its own variance with its error, and its sums. */
  @ParameterizedTest
  @ValueSource(doubles = {0, 1, -1e5, 1e9})
  void label_meanFarAboveDeviation_isWithinItsClaimedError(double mean) {
    Problem columns = columns(500, true, mean);
    double[] y = column(columns, 0);
    Problem problem = new Problem(columns.x(), y, columns.w(), false, new double[1]);
    for (Layout layout : new Layout[] {Layout.DENSE, Layout.SPARSE}) {
      StatisticsAggregator total = new StatisticsAggregator(SquaredLoss.INSTANCE, 1);
      for (ExampleBlock block : problem.blocks(layout, 70)) {
        StatisticsAggregator part = new StatisticsAggregator(SquaredLoss.INSTANCE, 1);
        part.add(block);
        total.merge(Serialized.copy(part.sealed()));
      }
      Statistics statistics = total.statistics();
      assertThat(statistics.label()).isEqualTo(statistics.column(0));
      assertThat(Exact.relativeError(statistics.label().variance(), variance(y, problem.w())))
          .isLessThanOrEqualTo(statistics.label().varianceRelativeError());
      assertThat(statistics.classes()).isEmpty();
      BigDecimal sum = BigDecimal.ZERO;
      BigDecimal weight = BigDecimal.ZERO;
      BigDecimal squares = BigDecimal.ZERO;
      for (int i = 0; i < y.length; i++) {
        BigDecimal w = Exact.of(problem.w()[i]);
        sum = sum.add(w.multiply(Exact.of(y[i])));
        weight = weight.add(w);
        squares = squares.add(w.multiply(w));
      }
      assertThat(Exact.relativeError(statistics.label().sum(), sum)).isLessThan(1e-12);
      assertThat(statistics.populationShare())
          .isCloseTo(1 - squares.divide(weight.pow(2), Exact.DIGITS).doubleValue(), within(1e-14));
    }
  }

  @Test
  void classes_rowsOfEach_areCountedWithoutWeightsAndMerged() {
    int n = 90;
    double[] y = new double[n];
    double[] w = new double[n];
    for (int i = 0; i < n; i++) {
      y[i] = i % 10 < 6 ? 0 : i % 10 < 9 ? 3 : 1; // none of class 2
      w[i] = 0.5 + i;
    }
    Problem problem = new Problem(new double[n][2], y, w, false, new double[2]);
    StatisticsAggregator total = new StatisticsAggregator(new MultinomialLogisticLoss(4), 2);
    for (ExampleBlock block : problem.blocks(Layout.SPARSE, 20)) {
      StatisticsAggregator part = new StatisticsAggregator(new MultinomialLogisticLoss(4), 2);
      part.add(block);
      total.merge(Serialized.copy(part.sealed()));
    }
    assertThat(total.statistics().classes()).containsExactly(54, 9, 0, 27);
    assertThat(total.statistics().label().max()).isEqualTo(3);
    assertThat(total.statistics().label().isConstant()).isFalse();
  }
}
