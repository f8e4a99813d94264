package dev.lethe.core.aggregate;

import dev.lethe.core.linalg.CompensatedVector;
import dev.lethe.core.linalg.Rounding;
import dev.lethe.core.linalg.SymmetricMatrix;
import dev.lethe.core.model.ExampleBlock;

/**
 * The weighted Gram matrix sum_i w_i l''(s_i) x_i x_i', the data's Hessian (p x p, intercept
 * included).
 *
 * <p>Only the lower triangle is summed: plainly within {@value #PANEL_ROWS} rows, compensated
 * beyond. Entry jk is within {@link #relativeError} sqrt(H_jj H_kk) of the exact one
 * (Cauchy-Schwarz on the absolute terms).
 *
 * <p>Memory: the sums are 8 p (p + 1) bytes, serialized as well. A task holds them with a panel of
 * 8 p^2 bytes, later with the buffer that serializes them; the driver up to three of them, or one,
 * the matrix and its factor. That is at most about 32 p^2 bytes on the driver and for every task
 * that runs at a time: 2 GiB at {@value #MAX_SIZE}, 32 MiB at 1024. Three sums exceed Spark's
 * default {@code spark.driver.maxResultSize} of 1 GiB beyond p = 6688.
 */
public final class GramAggregator implements Aggregator<GramAggregator> {
  private static final long serialVersionUID = 1L;

  /** The largest p: serialized sums are 512 MiB then; Spark and Java allow below 2 GiB. */
  public static final int MAX_SIZE = 8192;

  private static final int PANEL_ROWS = 1024;

  private final transient Point point;
  private final int size;
  private final CompensatedVector sums;
  private transient double[] panel;
  private transient int panelRows;
  private double maxMarginError;
  private long rows;
  private long checksum;

  public GramAggregator(Point point) {
    if (point.size() > MAX_SIZE) {
      throw new IllegalArgumentException(
          "the Gram matrix is limited to p <= " + MAX_SIZE + " coordinates, not " + point.size());
    }
    this.point = point;
    size = point.size();
    sums = new CompensatedVector(size * (size + 1) / 2);
    panel = new double[0];
  }

  @Override
  public void add(ExampleBlock block) {
    if (panel.length == 0) {
      panel = new double[size * size];
    }
    double[] theta = point.theta();
    int d = point.features();
    boolean intercept = point.intercept();
    double offset = intercept ? theta[d] : 0;
    rows += block.rows();
    checksum += block.checksum();
    for (int i = 0; i < block.rows(); i++) {
      double s = block.dot(i, theta) + offset;
      double a = block.weight(i) * point.loss().secondDerivative(s, block.label(i));
      block.addScaledOuterProduct(i, a, panel, size);
      if (intercept) {
        int last = d * size;
        block.addScaledRowPlainly(i, a, panel, last);
        panel[last + d] += a;
      }
      double absolute = block.absoluteDot(i, theta) + Math.abs(offset);
      maxMarginError = Math.max(maxMarginError, Rounding.gamma(block.entries(i) + 2.0) * absolute);
      if (++panelRows == PANEL_ROWS) {
        flush();
      }
    }
  }

  private void flush() {
    if (panelRows > 0) {
      int target = 0;
      for (int j = 0; j < size; j++) {
        int row = j * size;
        for (int k = 0; k <= j; k++) {
          sums.add(target++, panel[row + k]);
          panel[row + k] = 0;
        }
      }
      sums.endRow(false);
      panelRows = 0;
    }
  }

  @Override
  public void merge(GramAggregator other) {
    flush();
    other.flush();
    sums.merge(other.sums);
    maxMarginError = Math.max(maxMarginError, other.maxMarginError);
    rows += other.rows;
    checksum += other.checksum;
  }

  @Override
  public GramAggregator sealed() {
    flush();
    sums.sealed();
    panel = new double[0];
    return this;
  }

  @Override
  public long bytes() {
    return 16L * sums.size() + 128;
  }

  /** Rows that were added. */
  public long rows() {
    return rows;
  }

  /** Sum of the blocks' checksums, modulo 2^64. */
  public long checksum() {
    return checksum;
  }

  /** The matrix, both triangles. */
  public SymmetricMatrix matrix() {
    flush();
    double[] lower = sums.toArray();
    double[] full = new double[size * size];
    int source = 0;
    for (int j = 0; j < size; j++) {
      for (int k = 0; k <= j; k++) {
        full[j * size + k] = lower[source];
        full[k * size + j] = lower[source++];
      }
    }
    return new SymmetricMatrix(size, full);
  }

  /**
   * kappa_H with |computed_jk - exact_jk| &lt;= kappa_H sqrt(H_jj H_kk): the curvature's own error
   * (a margin error e changes l'' by a factor of at most exp(e) for a self-concordant loss), the
   * products and the sums. Terms that underflow (below 2^-1022) are outside it; {@code
   * docs/mathematics.md} tells why they do not matter.
   */
  public double relativeError() {
    double depth = sums.depth() * Rounding.UNIT;
    return Math.expm1(maxMarginError) * 1.01
        + Rounding.gamma(PANEL_ROWS + 16.0)
        + 2 * depth * depth;
  }
}
