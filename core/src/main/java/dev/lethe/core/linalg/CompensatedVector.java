package dev.lethe.core.linalg;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.io.Serializable;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * A vector of running sums that loses almost nothing: Sum2 of Ogita, Rump, Oishi, Accurate sum and
 * dot product (SIAM J. Sci. Comput. 2005).
 *
 * <p>Each coordinate keeps the rounded sum and the sum of the rounding errors (both exact by
 * TwoSum). With D the longest chain of additions that any term or error went through (1 a row, 2 a
 * merge), the result is within u |sum| + (D u)^2 / (1 - D u)^2 sum |terms| of the exact sum of the
 * terms. Terms may first be added up plainly, at most {@value #PANEL_ROWS} of a coordinate, which
 * adds gamma_{PANEL_ROWS} sum |terms|: those of as many dense rows, and of sparse ones of any
 * number in which no column has more.
 *
 * <p>Additions and merges in the same order give the same bits, also where they are made range by
 * range: {@link #slice} cuts a vector, {@link #place} joins the ranges again.
 *
 * <p>A {@linkplain #sealed sealed} vector with few sums that are not zero keeps only those: so a
 * part of the data whose rows touch few columns sends few numbers.
 */
public final class CompensatedVector implements Serializable {
  private static final long serialVersionUID = 1L;

  /** Terms of a coordinate that are added up without compensation: rows of a dense panel. */
  public static final int PANEL_ROWS = 64;

  private final int size;
  private double[] sum;
  private double[] error;
  private long depth;

  /** The coordinates that sum and error are of, ascending; null if of all. */
  private int @Nullable [] packed;

  private transient double[] panel;
  private transient int panelRows;

  public CompensatedVector(int size) {
    this(new double[size], new double[size]);
  }

  private CompensatedVector(double[] sum, double[] error) {
    size = sum.length;
    this.sum = sum;
    this.error = error;
    panel = new double[0];
  }

  public int size() {
    return size;
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
    if (packed != null) {
      settle();
    }
    if (panelRows + rows > PANEL_ROWS) {
      flush();
    }
    if (panel == null || panel.length == 0) {
      panel = new double[size];
    }
    return panel;
  }

  /**
   * The buffer to which the caller adds sparse rows, in any order, valid until the next call of
   * this or {@link #panel}; {@link #endRows} must follow, as for rows that are not dense.
   *
   * @param terms how many to a coordinate, at most {@value #PANEL_ROWS}, unless it is {@linkplain
   *     #flush(int) flushed} in between
   */
  public double[] panelOfTerms(int terms) {
    double[] buffer = panel(terms);
    panelRows += terms;
    return buffer;
  }

  /** Adds the terms of a coordinate that wait in the panel. */
  public void flush(int j) {
    add(j, panel[j]);
    panel[j] = 0;
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
        flush(j);
      }
      panelRows = 0;
    }
  }

  /** Adds the sums of {@code other}; the order of merges decides the last bits. */
  public void merge(CompensatedVector other) {
    add(other, 1);
  }

  /**
   * Takes the sums of {@code other} away. The terms of the error bound are then those of both, with
   * either sign.
   */
  public void subtract(CompensatedVector other) {
    add(other, -1);
  }

  private void add(CompensatedVector other, int sign) {
    if (other.size != size) {
      throw new IllegalArgumentException("sizes differ: " + size + ", " + other.size);
    }
    settle();
    other.flush();
    for (int k = 0; k < other.sum.length; k++) {
      int j = other.packed == null ? k : other.packed[k];
      add(j, sign * other.sum[k]);
      error[j] += sign * other.error[k];
    }
    // An error goes through two additions: this vector's own and the other's.
    depth = Math.max(depth, other.depth) + 2;
  }

  /** The sums, a new array. */
  public double[] toArray() {
    settle();
    double[] result = new double[size];
    for (int j = 0; j < result.length; j++) {
      result[j] = sum[j] + error[j];
    }
    return result;
  }

  /** The rounded sum of coordinate j; the exact sum is about {@code sum(j) + error(j)}. */
  public double sum(int j) {
    settle();
    return sum[j];
  }

  /** The rounding error of {@link #sum}, to be added to it. */
  public double error(int j) {
    settle();
    return error[j];
  }

  /** The longest chain of additions, D of the error bound: 1 a row, 2 a merge. */
  public long depth() {
    return depth;
  }

  /** Writes the sums with their errors. */
  public void write(DataOutput out) throws IOException {
    settle();
    out.writeLong(depth);
    Binary.write(out, sum);
    Binary.write(out, error);
  }

  /** Reads what {@link #write} wrote into this vector, which has added up nothing. */
  public void read(DataInput in) throws IOException {
    depth = in.readLong();
    Binary.read(in, sum);
    Binary.read(in, error);
  }

  /**
   * Must be called before the vector is serialized: nothing may stay in the transient panel.
   * Nothing may be added afterwards, but by a merge.
   */
  public CompensatedVector sealed() {
    flush();
    panel = new double[0];
    if (packed == null) {
      packed = Packing.indices(sum, error, 0);
      if (packed != null) {
        sum = Packing.take(sum, packed);
        error = Packing.take(error, packed);
      }
    }
    return this;
  }

  /** Holds every coordinate, and nothing in the panel. */
  private void settle() {
    if (packed != null) {
      sum = Packing.spread(sum, packed, size, 0);
      error = Packing.spread(error, packed, size, 0);
      packed = null;
    }
    flush();
  }

  /**
   * A copy of one of several ranges of coordinates, about equal in length, that are all together;
   * each range has this vector's depth.
   *
   * @param part 0 .. parts - 1
   */
  public CompensatedVector slice(int part, int parts) {
    settle();
    int from = Packing.start(size, part, parts);
    int to = Packing.start(size, part + 1, parts);
    CompensatedVector slice =
        new CompensatedVector(
            Arrays.copyOfRange(sum, from, to), Arrays.copyOfRange(error, from, to));
    slice.depth = depth;
    return slice;
  }

  /** Takes the sums of a range as they are. */
  public void place(CompensatedVector slice, int part, int parts) {
    settle();
    slice.settle();
    int from = Packing.start(size, part, parts);
    System.arraycopy(slice.sum, 0, sum, from, slice.size);
    System.arraycopy(slice.error, 0, error, from, slice.size);
    depth = Math.max(depth, slice.depth);
  }
}
