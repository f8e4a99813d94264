package dev.lethe.core.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.lethe.core.linalg.CompensatedVector;
import dev.lethe.core.linalg.Rounding;
import dev.lethe.core.testing.Exact;
import dev.lethe.core.testing.Problem;
import dev.lethe.core.testing.Problem.Kind;
import dev.lethe.core.testing.Problem.Layout;
import java.math.BigDecimal;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.function.IntFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RowPanelTest {
  private static BigDecimal entry(Problem problem, int i, int j) {
    return j < problem.features() ? Exact.of(problem.x()[i][j]) : BigDecimal.ONE;
  }

  private static void requireWithin(double computed, BigDecimal[] sum, double gamma) {
    assertThat(Exact.error(computed, sum[0])).isLessThanOrEqualTo(sum[1].multiply(Exact.of(gamma)));
  }

  /** sum_k a_k b_k and sum_k |a_k b_k|. */
  private static BigDecimal[] sums(int terms, IntFunction<BigDecimal> term) {
    BigDecimal[] sums = {BigDecimal.ZERO, BigDecimal.ZERO};
    for (int k = 0; k < terms; k++) {
      sums[0] = sums[0].add(term.apply(k));
      sums[1] = sums[1].add(term.apply(k).abs());
    }
    return sums;
  }

  // Every remainder of the vector lengths, blocks that do not fill a panel or split one.
  @ParameterizedTest
  @CsvSource({
    "0, 33, 33",
    "1, 1, 1",
    "1, 0, 1",
    "3, 31, 31",
    "5, 32, 32",
    "7, 33, 33",
    "8, 64, 64",
    "9, 65, 65",
    "15, 130, 50",
    "16, 63, 20",
    "100, 63, 63",
    "101, 97, 33"
  })
  void products_anySize_areWithinTheirBoundsOfExactSums(int d, int n, int rowsPerBlock) {
    for (Layout layout : Layout.values()) {
      for (boolean intercept : d == 0 ? new boolean[] {true} : new boolean[] {false, true}) {
        Problem problem = Problem.random(Kind.GAUSSIAN, n, d, intercept, 3 + d + n);
        int p = problem.size();
        double[] v = problem.theta();
        double[] absolute = Arrays.stream(v).map(Math::abs).toArray();
        double[] a = new SplittableRandom(n).doubles(n, -1, 1).toArray();
        CompensatedVector sums = new CompensatedVector(p);
        double[] absoluteSums = new double[p];
        int at = 0;
        for (ExampleBlock block : problem.blocks(layout, rowsPerBlock)) {
          RowPanel panel = new RowPanel(problem.layout(), block);
          double[] s = new double[RowPanel.ROWS];
          double[] t = new double[RowPanel.ROWS];
          int seen = 0;
          while (panel.next()) {
            assertThat(panel.first()).isEqualTo(seen);
            panel.margins(v, s);
            panel.absoluteMargins(absolute, t);
            double[] parts = new double[RowPanel.ROWS];
            for (int r = 0; r < panel.rows(); r++) {
              int i = at + r;
              BigDecimal[] exact = sums(p, j -> entry(problem, i, j).multiply(Exact.of(v[j])));
              requireWithin(s[r], exact, Rounding.gamma(p));
              requireWithin(t[r], new BigDecimal[] {exact[1], exact[1]}, Rounding.gamma(p));
              parts[r] = a[i];
            }
            panel.addTransposed(parts, sums);
            Arrays.setAll(parts, r -> Math.abs(parts[r]));
            panel.addAbsoluteTransposed(parts, absoluteSums);
            at += panel.rows();
            seen += panel.rows();
          }
          assertThat(seen).isEqualTo(block.rows());
          assertThat(panel.next()).isFalse();
        }
        assertThat(at).isEqualTo(n);
        assertThat(sums.depth()).isEqualTo(n);
        double[] computed = sums.toArray();
        for (int j = 0; j < p; j++) {
          int column = j;
          BigDecimal[] exact = sums(n, i -> entry(problem, i, column).multiply(Exact.of(a[i])));
          // product, panel, and the last rounding
          requireWithin(computed[j], exact, Rounding.gamma(CompensatedVector.PANEL_ROWS + 2.0));
          requireWithin(
              absoluteSums[j], new BigDecimal[] {exact[1], exact[1]}, Rounding.gamma(n + 1.0));
        }
      }
    }
  }

  @Test
  void constructor_severalOutputs_isRefused() {
    ExampleBlock block = new DenseBlock(2, new double[2], new double[1], new double[1]);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new RowPanel(new ParameterLayout(2, true, 3, 0), block));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new RowPanel(new ParameterLayout(3, true, 1, 0), block));
  }
}
