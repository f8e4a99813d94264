package dev.lethe.core.aggregate;

import dev.lethe.core.linalg.CompensatedVector;
import dev.lethe.core.linalg.OuterProducts;
import dev.lethe.core.linalg.Rounding;
import dev.lethe.core.linalg.SplitMix;
import dev.lethe.core.linalg.SymmetricMatrix;
import dev.lethe.core.loss.MarginLoss;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.ParameterLayout;
import dev.lethe.core.model.RowPanel;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.Arrays;

/**
 * The weighted Gram matrix sum_i w_i X_i' A_i X_i with A_i = d2l/ds2(s_i), the data's Hessian (p x
 * p, intercepts included); where the {@linkplain Point#within point has a ball} and the loss no
 * self-concordance, A_i is a lower bound of it there.
 *
 * <p>Only the lower triangle is summed: plainly within {@value #PANEL_ROWS} rows, compensated
 * beyond, in any order (gamma_{@value #PANEL_ROWS} covers every order of the same products, fused
 * or not, but no scheme that forms others, such as Strassen's). For two margins k &gt; l the d x d
 * part of both is symmetric itself, since x_i is the same, so its lower triangle says all. Entry jk
 * is within {@link #relativeError} sqrt(H_jj H_kk) of the exact one (Cauchy-Schwarz on the absolute
 * terms). Rows and columns of {@linkplain Point#holding held} coordinates are 0.
 *
 * <p>Memory: the sums are 8 f (f + 1) bytes for f coordinates that are not held, serialized as
 * well. A task holds them with a panel of 4 f^2 bytes for dense rows, of up to 4 f p for sparse
 * ones, later with the slice of them that it sends; the driver one sum, or the matrix and its
 * factor. That is at most about 32 p^2 bytes on the driver and for every task that runs at a time:
 * 2 GiB at {@value #MAX_SIZE}, 32 MiB at 1024.
 */
public final class GramAggregator implements Aggregator<GramAggregator> {
  private static final long serialVersionUID = 1L;

  /** The largest p: serialized sums are 512 MiB then; Spark and Java allow below 2 GiB. */
  public static final int MAX_SIZE = 8192;

  private static final int PANEL_ROWS = 1024;

  private final transient Point point;
  private final transient double share;
  private final transient int[] free;
  private final int size;
  private final CompensatedVector sums;

  /**
   * Of sparse rows and of several outputs: p rows; those of held coordinates are one, and ignored.
   */
  private transient double[][] panel;

  /** Of dense rows, in the coordinates that are free: f rows. */
  private transient double[][] densePanel;

  private transient double[] row;
  private transient OuterProducts products;
  private transient int panelRows;
  private double maxMarginError;
  private long rows;
  private long sampledRows;
  private long checksum;

  public GramAggregator(Point point) {
    this(point, 1);
  }

  /**
   * Of a sample of the rows.
   *
   * @param share of the rows, in (0, 1]; which ones depends on the blocks' contents alone
   */
  public GramAggregator(Point point, double share) {
    if (point.size() > MAX_SIZE) {
      throw new IllegalArgumentException(
          "the Gram matrix is limited to p <= " + MAX_SIZE + " coordinates, not " + point.size());
    }
    this.point = point;
    this.share = share;
    size = point.size();
    free = point.free();
    sums = new CompensatedVector(free.length * (free.length + 1) / 2);
    clearPanels();
  }

  private GramAggregator(GramAggregator of, CompensatedVector sums) {
    point = of.point;
    share = of.share;
    free = of.free;
    size = of.size;
    this.sums = sums;
    clearPanels();
    maxMarginError = of.maxMarginError;
    rows = of.rows;
    sampledRows = of.sampledRows;
    checksum = of.checksum;
  }

  private void clearPanels() {
    panel = new double[0][];
    densePanel = new double[0][];
    row = new double[0];
    products = new OuterProducts(0);
  }

  private void makePanel(boolean dense) {
    if (dense && densePanel.length == 0) {
      densePanel = new double[free.length][];
      for (int j = 0; j < free.length; j++) {
        densePanel[j] = new double[j + 1];
      }
      row = new double[size];
      products = new OuterProducts(free.length);
    } else if (!dense && panel.length == 0) {
      panel = new double[size][];
      for (int j : free) {
        panel[j] = new double[j + 1];
      }
      double[] ignored = new double[free.length < size ? size : 0];
      for (int j = 0; j < size; j++) {
        panel[j] = panel[j] == null ? ignored : panel[j];
      }
    }
  }

  @Override
  public void add(ExampleBlock block) {
    makePanel(block.isDense() && point.layout().outputs() == 1);
    rows += block.rows();
    checksum += block.checksum();
    if (share == 1 && point.loss() instanceof MarginLoss loss && !point.boundsCurvature()) {
      addPanels(block, loss);
    } else {
      int first = 0;
      for (ExampleBlock part : block.wide()) {
        addRows(part, first);
        first += part.rows();
      }
    }
  }

  private void addPanels(ExampleBlock block, MarginLoss loss) {
    RowPanel rowPanel = new RowPanel(point.layout(), block);
    MarginErrors errors = new MarginErrors(point, block);
    double[] s = new double[RowPanel.ROWS];
    sampledRows += block.rows();
    while (rowPanel.next()) {
      rowPanel.margins(point.theta(), s);
      errors.at(rowPanel);
      for (int r = 0; r < rowPanel.rows(); r++) {
        int i = rowPanel.first() + r;
        double curvature = loss.secondDerivative(s[r], block.label(i));
        addRow(rowPanel.wide(), rowPanel.at() + r, block.weight(i) * curvature);
        endRow();
      }
    }
    maxMarginError = Math.max(maxMarginError, errors.largest());
  }

  /** panel += a x x', of the only output, x with the intercept's 1. */
  private void addRow(ExampleBlock block, int i, double a) {
    if (a == 0) {
      return;
    }
    if (!block.isDense()) {
      addPart(block, i, a, 0, 0);
      return;
    }
    double[] x = products.next();
    if (free.length == size) {
      copyRow(block, i, x);
    } else {
      copyRow(block, i, row);
      for (int j = 0; j < x.length; j++) {
        x[j] = row[free[j]];
      }
    }
    products.add(a, densePanel);
  }

  private void copyRow(ExampleBlock block, int i, double[] x) {
    block.copyRow(i, x);
    if (point.layout().intercept()) {
      x[size - 1] = 1;
    }
  }

  private void endRow() {
    if (++panelRows == PANEL_ROWS) {
      flush();
    }
  }

  /**
   * @param first its first row's number in the whole block
   */
  private void addRows(ExampleBlock block, int first) {
    ParameterLayout layout = point.layout();
    RowEvaluation row = new RowEvaluation(point);
    for (int i = 0; i < block.rows(); i++) {
      if (share < 1 && !isSampled(block, first + i)) {
        continue;
      }
      sampledRows++;
      row.at(block, i);
      maxMarginError = Math.max(maxMarginError, row.boundErrors(block, i));
      double[] a = row.hessian(block, i);
      double w = block.weight(i);
      if (layout.outputs() == 1) {
        addRow(block, i, w * a[0]);
      }
      for (int k = 0; layout.outputs() > 1 && k < layout.outputs(); k++) {
        for (int l = 0; l <= k; l++) {
          double curvature = w * a[k * layout.outputs() + l];
          if (curvature != 0) {
            addPart(block, i, curvature, k, l);
          }
        }
      }
      endRow();
    }
  }

  /** A hash of block and row below the share. */
  private boolean isSampled(ExampleBlock block, int row) {
    return SplitMix.uniform(block.checksum() + row * SplitMix.GAMMA) < share;
  }

  /** panel += a x x' in the part of two outputs k &gt;= l, x with the intercept's 1. */
  private void addPart(ExampleBlock block, int i, double a, int k, int l) {
    ParameterLayout layout = point.layout();
    boolean scalar = k >= layout.margins();
    int first = scalar ? layout.scalar(k - layout.margins()) : k * layout.stride();
    if (scalar && l >= layout.margins()) {
      panel[first][layout.scalar(l - layout.margins())] += a;
      return;
    }
    int offset = l * layout.stride();
    int d = layout.features();
    int last = scalar ? first : first + d;
    if (!scalar) {
      block.addScaledOuterProduct(i, a, panel, first, offset);
    }
    if (scalar || layout.intercept()) {
      block.addScaledRowPlainly(i, a, panel[last], offset);
    }
    if (layout.intercept()) {
      panel[last][offset + d] += a;
    }
  }

  private void flush() {
    if (panelRows > 0) {
      products.flush(densePanel);
      int target = 0;
      for (int j = 0; j < free.length; j++) {
        if (panel.length == 0) {
          for (double sum : densePanel[j]) {
            sums.add(target++, sum);
          }
        } else if (densePanel.length == 0) {
          double[] sparse = panel[free[j]];
          for (int k = 0; k <= j; k++) {
            sums.add(target++, sparse[free[k]]);
          }
        } else {
          double[] sparse = panel[free[j]];
          double[] dense = densePanel[j];
          for (int k = 0; k <= j; k++) {
            sums.add(target++, sparse[free[k]] + dense[k]);
          }
        }
      }
      clear(panel);
      clear(densePanel);
      sums.endRow(false);
      panelRows = 0;
    }
  }

  private static void clear(double[][] panel) {
    for (double[] row : panel) {
      Arrays.fill(row, 0);
    }
  }

  @Override
  public void merge(GramAggregator other) {
    flush();
    other.flush();
    sums.merge(other.sums);
    maxMarginError = Math.max(maxMarginError, other.maxMarginError);
    rows += other.rows;
    sampledRows += other.sampledRows;
    checksum += other.checksum;
  }

  /**
   * Takes the sums over some of the rows away. Errors are then relative to the diagonal of all rows
   * that were ever added.
   */
  public void subtract(GramAggregator other) {
    flush();
    other.flush();
    sums.subtract(other.sums);
    maxMarginError = Math.max(maxMarginError, other.maxMarginError);
    rows -= other.rows;
    sampledRows -= other.sampledRows;
    checksum -= other.checksum;
  }

  /** Writes the sums with their errors. */
  public void write(DataOutput out) throws IOException {
    flush();
    sums.write(out);
    out.writeDouble(maxMarginError);
    out.writeLong(rows);
    out.writeLong(sampledRows);
    out.writeLong(checksum);
  }

  /** Reads what {@link #write} wrote into this aggregator, which has added up nothing. */
  public void read(DataInput in) throws IOException {
    sums.read(in);
    maxMarginError = in.readDouble();
    rows = in.readLong();
    sampledRows = in.readLong();
    checksum = in.readLong();
  }

  @Override
  public GramAggregator sealed() {
    flush();
    sums.sealed();
    clearPanels();
    return this;
  }

  @Override
  public GramAggregator slice(int part, int parts) {
    flush();
    return new GramAggregator(this, sums.slice(part, parts)).sealed();
  }

  @Override
  public void place(GramAggregator slice, int part, int parts) {
    sums.place(slice.sums, part, parts);
    maxMarginError = slice.maxMarginError;
    rows = slice.rows;
    sampledRows = slice.sampledRows;
    checksum = slice.checksum;
  }

  @Override
  public long bytes() {
    return 16L * sums.size() + 128;
  }

  /** Rows that were added. */
  public long rows() {
    return rows;
  }

  /** Rows that the matrix is of: all of them, or the sample. */
  public long sampledRows() {
    return sampledRows;
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
    for (int j = 0; j < free.length; j++) {
      for (int k = 0; k <= j; k++) {
        full[free[j] * size + free[k]] = lower[source];
        full[free[k] * size + free[j]] = lower[source++];
      }
    }
    mirrorParts(full);
    return new SymmetricMatrix(size, full);
  }

  /** Fills the upper triangle of each part of two different margins. */
  private void mirrorParts(double[] full) {
    ParameterLayout layout = point.layout();
    int stride = layout.stride();
    for (int k = 1; k < layout.margins(); k++) {
      for (int l = 0; l < k; l++) {
        for (int j = 0; j < stride; j++) {
          for (int m = j + 1; m < stride; m++) {
            int row = k * stride + j;
            int column = l * stride + m;
            double entry = full[(k * stride + m) * size + l * stride + j];
            full[row * size + column] = entry;
            full[column * size + row] = entry;
          }
        }
      }
    }
  }

  /**
   * kappa_H with |computed_jk - exact_jk| &lt;= kappa_H sqrt(H_jj H_kk): the curvature's own error
   * (errors e of the margins change a self-concordant loss's Hessian by a factor of at most exp(M
   * ||e||_2)), the products and the sums. Terms that underflow (below 2^-1022) are outside it;
   * {@code docs/mathematics.md} tells why they do not matter.
   */
  public double relativeError() {
    double depth = sums.depth() * Rounding.UNIT;
    // |A_jk| <= sqrt(A_jj A_kk) for a Hessian, sqrt(2) times that for a lower bound of one
    double spread = point.boundsCurvature() ? 1.5 : 1;
    return curvatureChange(point, maxMarginError)
        + spread
            * (Rounding.gamma(PANEL_ROWS + 8.0 + point.loss().hessianErrorUnits())
                + 2 * depth * depth);
  }

  /**
   * What errors of the margins do to the Hessian, relatively: nothing to a lower bound in a ball,
   * which covers them.
   */
  static double curvatureChange(Point point, double maxMarginError) {
    if (point.boundsCurvature()) {
      return 0;
    }
    if (!point.loss().isSelfConcordant()) {
      return Double.POSITIVE_INFINITY;
    }
    double norm = Math.sqrt(point.layout().margins()) * maxMarginError;
    return 1.01 * Math.expm1(point.loss().selfConcordance() * norm);
  }
}
