package dev.lethe.core.linalg;

/**
 * Adds weighted outer products a x x' of dense vectors to the lower triangle of a matrix, {@value
 * #WIDTH} at a time.
 *
 * <p>A row of the matrix is read and written once for all of them, in a loop over arrays from their
 * first entry: HotSpot vectorises that, up to this many, and no loop with offsets. Each product
 * takes part in at most one addition for every vector that comes after it and for its own, fused
 * with the multiplication (Math.fma; the same bits on every processor, fast where it has the
 * instruction, as x86 since 2013 and ARM).
 */
public final class OuterProducts {
  private static final int WIDTH = 6;

  private final double[][] vectors;
  private final double[] weights = new double[WIDTH];
  private int count;

  /**
   * @param size p, of vectors and matrix
   */
  public OuterProducts(int size) {
    vectors = new double[WIDTH][size];
  }

  /** Where the caller writes the next x, all of it, before {@link #add}. */
  public double[] next() {
    return vectors[count];
  }

  /**
   * lower += a x x' for the x in {@link #next}, at once or with a later one.
   *
   * @param lower p rows, row j with j + 1 entries at least
   */
  public void add(double a, double[][] lower) {
    weights[count++] = a;
    if (count == WIDTH) {
      addAll(lower);
    }
  }

  /** Adds the products that are left. */
  public void flush(double[][] lower) {
    if (count > 0) {
      while (count < WIDTH) {
        weights[count++] = 0; // times a vector that was added before, or zeros
      }
      addAll(lower);
    }
  }

  private void addAll(double[][] lower) {
    double[] x0 = vectors[0];
    double[] x1 = vectors[1];
    double[] x2 = vectors[2];
    double[] x3 = vectors[3];
    double[] x4 = vectors[4];
    double[] x5 = vectors[5];
    for (int j = 0; j < x0.length; j++) {
      double a0 = weights[0] * x0[j];
      double a1 = weights[1] * x1[j];
      double a2 = weights[2] * x2[j];
      double a3 = weights[3] * x3[j];
      double a4 = weights[4] * x4[j];
      double a5 = weights[5] * x5[j];
      addRow(lower[j], j + 1, x0, x1, x2, x3, x4, x5, a0, a1, a2, a3, a4, a5);
    }
    count = 0;
  }

  private static void addRow(
      double[] row,
      int length,
      double[] x0,
      double[] x1,
      double[] x2,
      double[] x3,
      double[] x4,
      double[] x5,
      double a0,
      double a1,
      double a2,
      double a3,
      double a4,
      double a5) {
    for (int k = 0; k < length; k++) {
      double left = Math.fma(a2, x2[k], Math.fma(a1, x1[k], Math.fma(a0, x0[k], row[k])));
      row[k] = Math.fma(a5, x5[k], Math.fma(a4, x4[k], Math.fma(a3, x3[k], left)));
    }
  }
}
