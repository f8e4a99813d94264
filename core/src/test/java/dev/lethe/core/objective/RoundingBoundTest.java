package dev.lethe.core.objective;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.linalg.Rounding;
import dev.lethe.core.loss.LogisticLoss;
import dev.lethe.core.model.DenseBlock;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.ParameterLayout;
import dev.lethe.core.model.SparseBlock;
import dev.lethe.core.testing.Exact;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The rounding bound of a measured gradient, {@code docs/mathematics.md} section 4, against decimal
 * arithmetic of 60 digits on sums made to break it: 10^5 rows and more, margins that cancel,
 * columns from 1e-150 to 1e150, terms that cancel to nothing. The bound holds for every coordinate
 * of every sum. Where nothing cancels it stays below {@link #FACTOR} u times the sum of the
 * absolute terms, whatever the number of rows: it is not bought by being loose.
 *
 * <p>Rows repeat a few hundred patterns, so that the exact exponentials are affordable; the sums
 * are over all rows.
 */
class RoundingBoundTest {
  private static final int PATTERNS = 300;
  private static final int ROWS = 120_000;
  private static final int FEATURES = 4;

  /**
   * gamma_{c + P + 6} of the proof, c = 5 and P = 64 panel rows, is 75 u; the margin's own error
   * adds l''_max gamma_{m} A, m = 6 and A a few units here.
   */
  private static final double FACTOR = 120;

  /** What the rows are made to do. */
  enum Sum {
    /** All terms of one sign: nothing cancels. */
    ONE_SIGN,
    /** Every row comes with its mirror image: the exact gradient of the features is tiny. */
    MIRRORED,
    /** Margins of order 1 left over from products of order 1e9. */
    CANCELLING_MARGINS,
    /** Columns of the sizes 1e-150, 1e-3, 1e3 and 1e150, parameters of the inverse size. */
    RANGES,
    /** Weights from 1e-12 to 1e12. */
    WEIGHTS,
    /** A term of 1e15, a long tail of small ones, and the first taken away again. */
    SWAMPED
  }

  private record Rows(double[][] x, double[] y, double[] w, double[] theta) {}

  private static Rows patterns(Sum sum, SplittableRandom random) {
    double[][] x = new double[PATTERNS][FEATURES];
    double[] y = new double[PATTERNS];
    double[] w = new double[PATTERNS];
    double[] theta = {0.3, -0.2, 0.1, 0.25, 0.05}; // the last is the intercept's
    double[] scale = {1e-150, 1e-3, 1e3, 1e150};
    for (int i = 0; i < PATTERNS; i++) {
      for (int j = 0; j < FEATURES; j++) {
        double u = random.nextDouble();
        x[i][j] =
            switch (sum) {
              case ONE_SIGN, WEIGHTS -> 0.5 + u;
              case MIRRORED -> i % 2 == 0 ? 2 * u - 1 : -x[i - 1][j];
              case CANCELLING_MARGINS -> j == 0 ? 1e9 * (1 + u) : j == 1 ? x[i][0] + u : u - 0.5;
              case RANGES -> scale[j] * (2 * u - 1);
              case SWAMPED -> i == 0 ? 1e15 : i == PATTERNS - 1 ? -1e15 : u;
            };
      }
      y[i] =
          switch (sum) {
            case ONE_SIGN, WEIGHTS -> 0; // l' = sigma(s) > 0
            case MIRRORED -> i % 2 == 0 ? i / 2 % 2 : 1 - y[i - 1];
            default -> i % 2;
          };
      w[i] = sum == Sum.WEIGHTS ? Math.pow(10, 24 * random.nextDouble() - 12) : 1;
    }
    if (sum == Sum.CANCELLING_MARGINS) {
      theta[0] = -theta[1];
    } else if (sum == Sum.RANGES) {
      for (int j = 0; j < FEATURES; j++) {
        theta[j] /= scale[j];
      }
    } else if (sum == Sum.MIRRORED) {
      theta[FEATURES] = 0;
    } else if (sum == Sum.SWAMPED) {
      Arrays.fill(theta, 0, FEATURES, 1e-16); // margins of order 1 for the large rows
    }
    return new Rows(x, y, w, theta);
  }

  /** {@link #ROWS} rows in blocks: patterns in a random order, in blocks of uneven size. */
  private static List<ExampleBlock> blocks(Rows rows, int[] order, boolean dense) {
    List<ExampleBlock> blocks = new ArrayList<>();
    for (int from = 0, size = 1; from < order.length; from += size, size = size * 3 % 4096 + 1) {
      int n = Math.min(size, order.length - from);
      double[] values = new double[n * FEATURES];
      double[] y = new double[n];
      double[] w = new double[n];
      for (int i = 0; i < n; i++) {
        int k = order[from + i];
        System.arraycopy(rows.x[k], 0, values, i * FEATURES, FEATURES);
        y[i] = rows.y[k];
        w[i] = rows.w[k];
      }
      blocks.add(dense ? new DenseBlock(FEATURES, values, y, w) : sparse(values, y, w));
    }
    return blocks;
  }

  private static ExampleBlock sparse(double[] values, double[] y, double[] w) {
    int[] offsets = new int[y.length + 1];
    Arrays.setAll(offsets, i -> i * FEATURES);
    int[] columns = new int[values.length];
    Arrays.setAll(columns, k -> k % FEATURES);
    return new SparseBlock(FEATURES, offsets, columns, values, y, w);
  }

  @ParameterizedTest
  @EnumSource
  void gradientError_adversarialSums_boundsTheTrueErrorWithinTheFactor(Sum sum) {
    SplittableRandom random = new SplittableRandom(17 + sum.ordinal());
    Rows rows = patterns(sum, random);
    int[] order = new int[ROWS];
    Map<Integer, Integer> counts = new HashMap<>();
    for (int i = 0; i < ROWS; i++) {
      order[i] = i < PATTERNS ? i : random.nextInt(PATTERNS);
      if (sum == Sum.SWAMPED) { // the large terms come first and last, once each
        order[i] = i == 0 ? 0 : i == ROWS - 1 ? PATTERNS - 1 : 1 + order[i] % (PATTERNS - 2);
      } else if (sum == Sum.MIRRORED && i % 2 == 1) {
        order[i] = order[i - 1] ^ 1; // its mirror image
      }
      counts.merge(order[i], 1, Integer::sum);
    }
    BigDecimal[] exact = new BigDecimal[FEATURES + 1];
    BigDecimal[] absolute = new BigDecimal[FEATURES + 1];
    Arrays.fill(exact, BigDecimal.ZERO);
    Arrays.fill(absolute, BigDecimal.ZERO);
    counts.forEach((k, count) -> addExactly(rows, k, count, exact, absolute));

    for (boolean dense : new boolean[] {true, false}) {
      requireBounded(sum, rows, objective(blocks(rows, order, dense)), exact, absolute);
    }
  }

  private static void requireBounded(
      Sum sum, Rows rows, Objective objective, BigDecimal[] exact, BigDecimal[] absolute) {
    Objective.Measured measured = objective.evaluate(rows.theta);
    for (int j = 0; j <= FEATURES; j++) {
      double bound = measured.measurement().gradientError()[j];
      BigDecimal error = Exact.error(measured.gradient()[j], exact[j]);
      assertThat(error).as("%s, coordinate %s", sum, j).isLessThanOrEqualTo(Exact.of(bound));
      if (sum == Sum.ONE_SIGN || sum == Sum.WEIGHTS) {
        // nothing cancels: a relative bound of the result itself
        assertThat(bound).isLessThan(FACTOR * Rounding.UNIT * Math.abs(measured.gradient()[j]));
      }
      if (sum != Sum.CANCELLING_MARGINS && sum != Sum.SWAMPED) {
        assertThat(Exact.of(bound))
            .as("%s, coordinate %s is absurdly loose", sum, j)
            .isLessThan(absolute[j].multiply(Exact.of(FACTOR * Rounding.UNIT)));
      }
    }
    if (sum == Sum.CANCELLING_MARGINS) {
      // the truth is far above what the sum's own rounding explains: the margin's error is needed
      BigDecimal error = Exact.error(measured.gradient()[2], exact[2]);
      assertThat(error).isGreaterThan(absolute[2].multiply(Exact.of(4 * Rounding.UNIT)));
    }
  }

  private static Objective objective(List<ExampleBlock> blocks) {
    LocalExamples examples = new LocalExamples(FEATURES, blocks);
    int p = FEATURES + 1;
    return new Objective(
        examples,
        examples.statistics(LogisticLoss.INSTANCE).statistics(),
        LogisticLoss.INSTANCE,
        new ParameterLayout(FEATURES, true, 1, 0),
        new Penalty(new double[p], new double[p]),
        new double[p],
        new boolean[p],
        -1);
  }

  private static void addExactly(
      Rows rows, int k, int count, BigDecimal[] exact, BigDecimal[] absolute) {
    BigDecimal s = Exact.of(rows.theta[FEATURES]);
    for (int j = 0; j < FEATURES; j++) {
      s = s.add(Exact.of(rows.x[k][j]).multiply(Exact.of(rows.theta[j])));
    }
    BigDecimal a =
        Exact.logisticFirst(s, rows.y[k])
            .multiply(Exact.of(rows.w[k]))
            .multiply(BigDecimal.valueOf(count));
    for (int j = 0; j <= FEATURES; j++) {
      BigDecimal term = j < FEATURES ? a.multiply(Exact.of(rows.x[k][j])) : a;
      exact[j] = exact[j].add(term);
      absolute[j] = absolute[j].add(term.abs());
    }
  }
}
