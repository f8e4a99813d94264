package dev.lethe.core.testing;

import dev.lethe.core.aggregate.Point;
import dev.lethe.core.loss.LogisticLoss;
import dev.lethe.core.model.BlockBuilder;
import dev.lethe.core.model.DenseBlock;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.ParameterLayout;
import dev.lethe.core.model.SparseBlock;
import dev.lethe.core.objective.LocalExamples;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/**
 * A logistic problem held as plain arrays, with its sums computed row by row in {@link Exact}
 * arithmetic.
 *
 * @param x n rows of d features
 * @param theta d parameters, one more with an intercept
 */
public record Problem(double[][] x, double[] y, double[] w, boolean intercept, double[] theta) {

  /** What the rows look like. */
  public enum Kind {
    /** Standard normal features and parameters of order 1. */
    GAUSSIAN,
    /** Nine entries of ten are zero, one row of ten is empty. */
    SPARSE,
    /** Pairs of nearly equal large columns with opposite parameters: margins cancel. */
    CANCELLING,
    /** Columns of scale 2^-40 .. 2^40 with parameters of the inverse scale. */
    RANGES,
    /** Margins up to about +-900, far beyond where e^-|s| underflows. */
    SATURATED
  }

  /** How the rows are stored. */
  public enum Layout {
    DENSE,
    SPARSE,
    /** As {@link BlockBuilder} chooses. */
    BUILT,
    /** Blocks alternate between dense and sparse. */
    ALTERNATING
  }

  public static Problem random(Kind kind, int n, int d, boolean intercept, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    double[][] x = new double[n][d];
    double[] theta = new double[intercept ? d + 1 : d];
    Arrays.setAll(theta, j -> gaussian(random));
    int[] exponent = random.ints(d, -40, 41).toArray();
    for (double[] row : x) {
      boolean empty = kind == Kind.SPARSE && random.nextInt(10) == 0;
      for (int j = 0; j < d; j++) {
        double value = gaussian(random);
        row[j] =
            switch (kind) {
              case GAUSSIAN -> value;
              case SPARSE -> empty || random.nextInt(10) > 0 ? 0 : value;
              case CANCELLING -> j % 2 == 0 ? 1e6 * value : row[j - 1] * (1 + 1e-9 * value);
              case RANGES -> Math.scalb(value, exponent[j]);
              case SATURATED -> 300 * value / Math.sqrt(d);
            };
      }
    }
    for (int j = 0; j < d; j++) {
      if (kind == Kind.CANCELLING && j % 2 == 1) {
        theta[j] = -theta[j - 1];
      } else if (kind == Kind.RANGES) {
        theta[j] = Math.scalb(theta[j], -exponent[j]);
      }
    }
    if (kind == Kind.CANCELLING && d % 2 == 1) {
      theta[d - 1] *= 1e-6;
    }
    double[] y = new double[n];
    double[] w = new double[n];
    boolean weighted = random.nextBoolean();
    for (int i = 0; i < n; i++) {
      double s = intercept ? theta[d] : 0;
      for (int j = 0; j < d; j++) {
        s += x[i][j] * theta[j];
      }
      y[i] = s + 2 * gaussian(random) > 0 ? 1 : 0;
      w[i] = weighted ? Math.pow(10, 4 * random.nextDouble() - 2) : 1;
    }
    return new Problem(x, y, w, intercept, theta);
  }

  /** Box and Muller. */
  public static double gaussian(SplittableRandom random) {
    return Math.sqrt(-2 * Math.log1p(-random.nextDouble()))
        * Math.cos(2 * Math.PI * random.nextDouble());
  }

  public int rows() {
    return x.length;
  }

  public int features() {
    return theta.length - (intercept ? 1 : 0);
  }

  public int size() {
    return theta.length;
  }

  public Point point() {
    return at(theta);
  }

  public Point at(double[] parameters) {
    return new Point(LogisticLoss.INSTANCE, layout(), parameters);
  }

  public ParameterLayout layout() {
    return new ParameterLayout(features(), intercept, 1, 0);
  }

  public Problem withTheta(double[] parameters) {
    return new Problem(x, y, w, intercept, parameters);
  }

  public LocalExamples examples() {
    return new LocalExamples(features(), blocks(Layout.BUILT, 64));
  }

  /** All rows in one block. */
  public ExampleBlock block(Layout layout) {
    return block(layout, 0, rows());
  }

  /** Consecutive blocks of at most {@code rowsPerBlock} rows. */
  public List<ExampleBlock> blocks(Layout layout, int rowsPerBlock) {
    List<ExampleBlock> blocks = new ArrayList<>();
    for (int from = 0; from < rows(); from += rowsPerBlock) {
      Layout one =
          layout == Layout.ALTERNATING
              ? (blocks.size() % 2 == 0 ? Layout.DENSE : Layout.SPARSE)
              : layout;
      blocks.add(block(one, from, Math.min(rows(), from + rowsPerBlock)));
    }
    return blocks;
  }

  /** Rows from (inclusive) to (exclusive). */
  public ExampleBlock block(Layout layout, int from, int to) {
    int d = features();
    double[] labels = Arrays.copyOfRange(y, from, to);
    double[] weights = Arrays.copyOfRange(w, from, to);
    switch (layout) {
      case DENSE -> {
        double[] values = new double[(to - from) * d];
        for (int i = from; i < to; i++) {
          System.arraycopy(x[i], 0, values, (i - from) * d, d);
        }
        return new DenseBlock(d, values, labels, weights);
      }
      case SPARSE -> {
        int[] offsets = new int[to - from + 1];
        int[] columns = new int[(to - from) * d];
        double[] values = new double[(to - from) * d];
        int k = 0;
        for (int i = from; i < to; i++) {
          for (int j = 0; j < d; j++) {
            if (x[i][j] != 0) {
              columns[k] = j;
              values[k++] = x[i][j];
            }
          }
          offsets[i - from + 1] = k;
        }
        return new SparseBlock(
            d, offsets, Arrays.copyOf(columns, k), Arrays.copyOf(values, k), labels, weights);
      }
      default -> {
        BlockBuilder builder = BlockBuilder.of(d);
        for (int i = from; i < to; i++) {
          for (int j = 0; j < d; j++) {
            builder.add(j, x[i][j]);
          }
          builder.endRow(y[i], w[i]);
        }
        return builder.build();
      }
    }
  }

  /** x_ij, the intercept's 1 included, exactly. */
  private BigDecimal entry(int i, int j) {
    return j < features() ? Exact.of(x[i][j]) : BigDecimal.ONE;
  }

  /** s_i, exactly. */
  public BigDecimal margin(int i) {
    BigDecimal s = BigDecimal.ZERO;
    for (int j = 0; j < size(); j++) {
      s = s.add(entry(i, j).multiply(Exact.of(theta[j])));
    }
    return s;
  }

  /** sum_i w_i l(s_i, y_i). */
  public BigDecimal exactValue() {
    BigDecimal sum = BigDecimal.ZERO;
    for (int i = 0; i < rows(); i++) {
      sum = sum.add(Exact.of(w[i]).multiply(Exact.logisticLoss(margin(i), y[i]), Exact.DIGITS));
    }
    return sum;
  }

  /** sum_i w_i l'(s_i, y_i) x_i. */
  public BigDecimal[] exactGradient() {
    BigDecimal[] a = new BigDecimal[rows()];
    for (int i = 0; i < rows(); i++) {
      a[i] = Exact.logisticFirst(margin(i), y[i]);
    }
    return weightedSum(a, false);
  }

  /** sum_i w_i l''(s_i) x_i. */
  public BigDecimal[] exactCurvatureMoment() {
    return weightedSum(curvatures(), false);
  }

  /** sum_i w_i l''(s_i) |x_i|. */
  public BigDecimal[] exactAbsoluteCurvatureMoment() {
    return weightedSum(curvatures(), true);
  }

  /** sum_i w_i l''(s_i) x_i x_i'. */
  public BigDecimal[][] exactHessian() {
    BigDecimal[] curvature = curvatures();
    BigDecimal[][] h = new BigDecimal[size()][];
    for (int j = 0; j < size(); j++) {
      BigDecimal[] a = curvature.clone();
      for (int i = 0; i < rows(); i++) {
        a[i] = a[i].multiply(entry(i, j), Exact.DIGITS);
      }
      h[j] = weightedSum(a, false);
    }
    return h;
  }

  private BigDecimal[] curvatures() {
    BigDecimal[] a = new BigDecimal[rows()];
    for (int i = 0; i < rows(); i++) {
      a[i] = Exact.logisticSecond(margin(i));
    }
    return a;
  }

  private BigDecimal[] weightedSum(BigDecimal[] a, boolean absolute) {
    BigDecimal[] sum = new BigDecimal[size()];
    Arrays.fill(sum, BigDecimal.ZERO);
    for (int i = 0; i < rows(); i++) {
      BigDecimal wa = Exact.of(w[i]).multiply(a[i], Exact.DIGITS);
      for (int j = 0; j < size(); j++) {
        BigDecimal e = entry(i, j);
        sum[j] = sum[j].add(wa.multiply(absolute ? e.abs() : e, Exact.DIGITS));
      }
    }
    return sum;
  }
}
