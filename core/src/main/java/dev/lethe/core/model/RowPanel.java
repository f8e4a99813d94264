package dev.lethe.core.model;

import dev.lethe.core.linalg.CompensatedVector;
import dev.ludovic.netlib.blas.JavaBLAS;
import java.util.Arrays;
import java.util.Iterator;

/**
 * A block for a model of one margin, {@value #ROWS} rows at a time: few enough to stay in cache, so
 * that they come from memory once for all products with them; rows of narrower numbers become
 * doubles there.
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
  private final Iterator<ExampleBlock> parts;
  private ExampleBlock part;
  private double[] absolute = new double[0];
  private int first;
  private int at;
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
    parts = block.wide().iterator();
    part = block;
    at = block.rows();
  }

  /** Goes to the next rows; false behind the last. */
  public boolean next() {
    first += rows;
    at += rows;
    if (at >= part.rows() && parts.hasNext()) {
      part = parts.next();
      at = 0;
    }
    rows = Math.min(ROWS, part.rows() - at);
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

  /** A block that has the rows as doubles, from its row {@link #at} on, until the next panel. */
  public ExampleBlock wide() {
    return part;
  }

  /** The first row's number in {@link #wide}. */
  public int at() {
    return at;
  }

  /** s_r = x_r'v with the intercept's 1 in x; {@code margins} has {@value #ROWS} entries. */
  public void margins(double[] v, double[] margins) {
    if (part instanceof DenseBlock dense) {
      multiply(dense.values(), at * features, v, margins);
    } else {
      for (int r = 0; r < rows; r++) {
        margins[r] = part.dot(at + r, v, 0);
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
    if (part instanceof DenseBlock dense) {
      takeAbsolute(dense.values());
      multiply(absolute, 0, v, margins);
    } else {
      for (int r = 0; r < rows; r++) {
        margins[r] = part.absoluteDot(at + r, v, 0);
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
    if (part instanceof DenseBlock dense) {
      addTransposed(dense.values(), at * features, a, sums.panel(rows));
    } else if (block.runs() != null) {
      addRuns(block.runs(), a, sums);
    } else {
      for (int r = 0; r < rows; r++) {
        part.addScaledRow(at + r, a[r], sums, 0);
      }
    }
    if (intercept) {
      for (int r = 0; r < rows; r++) {
        sums.add(features, a[r]);
      }
    }
    sums.endRows(rows, block.isDense());
  }

  private void addRuns(ColumnRuns runs, double[] a, CompensatedVector sums) {
    double[] panel = sums.panelOfTerms(first == 0 ? runs.longest() : 0);
    for (int r = 0; r < rows; r++) {
      part.addScaledRowPlainly(at + r, a[r], panel, 0);
    }
    int number = first / ROWS;
    for (int k = runs.from(number); k < runs.from(number + 1); k++) {
      sums.flush(runs.ended(k));
    }
  }

  /** sums += sum_r a_r |x_r|, plainly, after {@link #absoluteMargins}; a must not be negative. */
  public void addAbsoluteTransposed(double[] a, double[] sums) {
    if (block.isDense()) {
      addTransposed(absolute, 0, a, sums);
    } else {
      for (int r = 0; r < rows; r++) {
        part.addScaledAbsoluteRow(at + r, a[r], sums, 0);
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
    System.arraycopy(values, at * features, absolute, 0, entries);
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
