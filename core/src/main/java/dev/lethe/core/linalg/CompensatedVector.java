package dev.lethe.core.linalg;

import java.io.Serializable;

/**
 * A vector of running sums that loses almost nothing: Sum2 of Ogita, Rump, Oishi, Accurate sum and
 * dot product (SIAM J. Sci. Comput. 2005).
 *
 * <p>Each coordinate keeps the rounded sum and the sum of the rounding errors (both exact by
 * TwoSum). With D the longest chain of additions that any term or error went through (1 a row, 2 a
 * merge), the result is within u |sum| + (D u)^2 / (1 - D u)^2 sum |terms| of the exact sum of the
 * terms. Dense rows are first added up plainly in panels of at most {@value #PANEL_ROWS} rows,
 * which adds gamma_{PANEL_ROWS} sum |terms|.
 *
 * <p>Additions and merges in the same order give the same bits.
 */
public final class CompensatedVector implements Serializable {
  private static final long serialVersionUID = 1L;

  /** Rows of a dense panel that are added up without compensation. */
  public static final int PANEL_ROWS = 64;

  private final double[] sum;
  private final double[] error;
  private long depth;
  private transient double[] panel;
  private transient int panelRows;

  public CompensatedVector(int size) {
    sum = new double[size];
    error = new double[size];
    panel = new double[0];
  }

  public int size() {
    return sum.length;
  }

  /** sum_j += x. */
  public void add(int j, double x) {
    double s = sum[j];
    double t = s + x;
    double z = t - s;
    error[j] += (s - (t - z)) + (x - z);
    sum[j] = t;
  }

  /**
   * sum_j += w x y with the rounding errors of both products kept (TwoProduct by fused
   * multiply-add). The errors take two additions a row here, and their own products round: 4 (D
   * u)^2 sum |terms| takes the place of the second term of the bound; underflow apart.
   */
  public void addProduct(int j, double w, double x, double y) {
    double wx = w * x;
    double product = wx * y;
    error[j] += Math.fma(wx, y, -product) + Math.fma(w, x, -wx) * y;
    add(j, product);
  }

  /**
   * The buffer to which the caller adds dense rows, in any order, valid until the next call; {@link
   * #endRow} or {@link #endRows} must follow.
   *
   * @param rows how many, at most {@value #PANEL_ROWS}
   */
  public double[] panel(int rows) {
    if (panelRows + rows > PANEL_ROWS) {
      flush();
    }
    if (panel == null || panel.length == 0) {
      panel = new double[sum.length];
    }
    return panel;
  }

  /** Ends a row; {@code dense} when it was added to {@link #panel}. */
  public void endRow(boolean dense) {
    endRows(1, dense);
  }

  /** Ends rows; {@code dense} when they were added to {@link #panel}. */
  public void endRows(int rows, boolean dense) {
    depth += rows;
    if (dense) {
      panelRows += rows;
      if (panelRows == PANEL_ROWS) {
        flush();
      }
    }
  }

  private void flush() {
    if (panelRows > 0) {
      for (int j = 0; j < panel.length; j++) {
        add(j, panel[j]);
        panel[j] = 0;
      }
      panelRows = 0;
    }
  }

  /** Adds the sums of {@code other}; the order of merges decides the last bits. */
  public void merge(CompensatedVector other) {
    if (other.sum.length != sum.length) {
      throw new IllegalArgumentException("sizes differ: " + sum.length + ", " + other.sum.length);
    }
    flush();
    other.flush();
    for (int j = 0; j < sum.length; j++) {
      add(j, other.sum[j]);
      error[j] += other.error[j];
    }
    // An error goes through two additions: this vector's own and the other's.
    depth = Math.max(depth, other.depth) + 2;
  }

  /** The sums, a new array. */
  public double[] toArray() {
    flush();
    double[] result = new double[sum.length];
    for (int j = 0; j < result.length; j++) {
      result[j] = sum[j] + error[j];
    }
    return result;
  }

  /** The rounded sum of coordinate j; the exact sum is about {@code sum(j) + error(j)}. */
  public double sum(int j) {
    flush();
    return sum[j];
  }

  /** The rounding error of {@link #sum}, to be added to it. */
  public double error(int j) {
    flush();
    return error[j];
  }

  /** The longest chain of additions, D of the error bound: 1 a row, 2 a merge. */
  public long depth() {
    return depth;
  }

  /** Must be called before the vector is serialized: nothing may stay in the transient panel. */
  public CompensatedVector sealed() {
    flush();
    panel = new double[0];
    return this;
  }
}
