package dev.lethe.core.model;

import dev.lethe.core.linalg.CompensatedVector;
import dev.ludovic.netlib.blas.JavaBLAS;
import java.util.Arrays;

/**
 * A block for a model of one margin, {@value #ROWS} rows at a time: few enough to stay in cache, so
 * that they come from memory once for all products with them.
 *
 * <p>Products with dense rows are matrix-vector products (BLAS dgemv in Java, by the Vector API
 * where the JVM has {@code jdk.incubator.vector}; on one thread). Their sums have the same terms as
 * those row by row, fused with the additions or not, in an order that depends on the JVM and on the
 * length of the processor's vectors: the bits may differ between two of them, never on one.
 */
public final class RowPanel {
  /** The most rows of a panel; divides {@link CompensatedVector#PANEL_ROWS}. */
  public static final int ROWS = 32;

  private static final JavaBLAS BLAS = JavaBLAS.getInstance();

  private final ExampleBlock block;
  private final int features;
  private final boolean intercept;
  private double[] absolute = new double[0];
  private int first;
  private int rows;

  /**
   * Before the first panel.
   *
   * @param layout of one margin without scalars
   */
  public RowPanel(ParameterLayout layout, ExampleBlock block) {
    if (layout.outputs() != 1 || layout.features() != block.features()) {
      throw new IllegalArgumentException(
          layout.outputs()
              + " outputs of "
              + layout.features()
              + " features for a panel of one output of "
              + block.features());
    }
    this.block = block;
    features = layout.features();
    intercept = layout.intercept();
  }

  /** Goes to the next rows; false behind the last. */
  public boolean next() {
    first += rows;
    rows = Math.min(ROWS, block.rows() - first);
    return rows > 0;
  }

  /** Rows of this panel. */
  public int rows() {
    return rows;
  }

  /** The first row's number in the block. */
  public int first() {
    return first;
  }

  /** s_r = x_r'v with the intercept's 1 in x; {@code margins} has {@value #ROWS} entries. */
  public void margins(double[] v, double[] margins) {
    if (block instanceof DenseBlock dense) {
      multiply(dense.values(), first * features, v, margins);
    } else {
      for (int r = 0; r < rows; r++) {
        margins[r] = block.dot(first + r, v, 0);
      }
    }
    if (intercept) {
      for (int r = 0; r < rows; r++) {
        margins[r] += v[features];
      }
    }
  }

  /** sum_j |x_rj| v_j, the intercept's 1 included, for v that is not negative. */
  public void absoluteMargins(double[] v, double[] margins) {
    if (block instanceof DenseBlock dense) {
      takeAbsolute(dense.values());
      multiply(absolute, 0, v, margins);
    } else {
      for (int r = 0; r < rows; r++) {
        margins[r] = block.absoluteDot(first + r, v, 0);
      }
    }
    if (intercept) {
      for (int r = 0; r < rows; r++) {
        margins[r] += v[features];
      }
    }
  }

  /** sums += sum_r a_r x_r; ends the rows in {@code sums}. */
  public void addTransposed(double[] a, CompensatedVector sums) {
    if (block instanceof DenseBlock dense) {
      addTransposed(dense.values(), first * features, a, sums.panel(rows));
    } else {
      for (int r = 0; r < rows; r++) {
        block.addScaledRow(first + r, a[r], sums, 0);
      }
    }
    if (intercept) {
      for (int r = 0; r < rows; r++) {
        sums.add(features, a[r]);
      }
    }
    sums.endRows(rows, block.isDense());
  }

  /** sums += sum_r a_r |x_r|, plainly, after {@link #absoluteMargins}; a must not be negative. */
  public void addAbsoluteTransposed(double[] a, double[] sums) {
    if (block.isDense()) {
      addTransposed(absolute, 0, a, sums);
    } else {
      for (int r = 0; r < rows; r++) {
        block.addScaledAbsoluteRow(first + r, a[r], sums, 0);
      }
    }
    if (intercept) {
      for (int r = 0; r < rows; r++) {
        sums[features] += a[r];
      }
    }
  }

  private void takeAbsolute(double[] values) {
    int entries = rows * features;
    if (absolute.length < entries) {
      absolute = new double[entries];
    }
    System.arraycopy(values, first * features, absolute, 0, entries);
    for (int k = 0; k < entries; k++) {
      absolute[k] = Math.abs(absolute[k]);
    }
  }

  private void multiply(double[] x, int offset, double[] v, double[] products) {
    if (features == 0) {
      Arrays.fill(products, 0, rows, 0);
    } else {
      BLAS.dgemv("T", features, rows, 1, x, offset, features, v, 0, 1, 0, products, 0, 1);
    }
  }

  private void addTransposed(double[] x, int offset, double[] a, double[] sums) {
    if (features > 0) {
      BLAS.dgemv("N", features, rows, 1, x, offset, features, a, 0, 1, 1, sums, 0, 1);
    }
  }
}
