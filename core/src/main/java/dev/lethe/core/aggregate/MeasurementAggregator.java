package dev.lethe.core.aggregate;

import dev.lethe.core.linalg.Binary;
import dev.lethe.core.linalg.CompensatedVector;
import dev.lethe.core.linalg.PlainVector;
import dev.lethe.core.linalg.Rounding;
import dev.lethe.core.loss.LossFunction;
import dev.lethe.core.loss.MarginLoss;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.ParameterLayout;
import dev.lethe.core.model.RowPanel;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/**
 * One pass that measures all that a distance bound needs: value, gradient g, a proven bound of the
 * gradient's rounding error, and for every output k the curvature moments h_k = sum_i w_i A_i,kk,
 * c_k = sum_i w_i A_i,kk x_i with A_i = d2l/ds2(s_i), or its lower bound in the {@linkplain
 * Point#within point's ball}. Sum form, no penalty.
 *
 * <p>Rounding bound of one margin, coordinate j (u = 2^-53, gamma_m = m u / (1 - m u), m_i the
 * entries of row i plus 2, A_i = sum_k |x_ik theta_k|, D the depth of the sums, P the terms of a
 * plain sum, err the loss's {@link LossFunction#gradientError}):
 *
 * <pre>
 *   |computed g_j - g_j| &lt;= u |g_j| + (1 + (D u)^2 / u) sum_i w_i |x_ij| (err(gamma_{m_i} A_i) + |l'_i| gamma_{P + 6})
 * </pre>
 *
 * err covers the margin's own error through l' and the error of l', the second term the products
 * and the panel. Underflow adds |x_ij| (w_i 2^-1000 + 2^-1022) and 8 least doubles a row: the
 * former for the margin, l' and w_i l', the latter for the products with x_ij. Sources: Higham, ch.
 * 3; Ogita, Rump, Oishi 2005; {@code docs/mathematics.md}.
 */
public final class MeasurementAggregator implements Aggregator<MeasurementAggregator> {
  private static final long serialVersionUID = 1L;

  /** Of the products that follow the derivative, and of the panel's sum. */
  private static final double PRODUCTS = Rounding.gamma(CompensatedVector.PANEL_ROWS + 6.0);

  private final transient Point point;
  private final CompensatedVector gradient;
  private final CompensatedVector curvatureMoment;
  private final CompensatedVector curvature;
  private final CompensatedVector value;
  private final PlainVector termError;
  private double maxMarginError;
  private long rows;
  private long checksum;

  /** Rows that were ever added, those that were taken away again included. */
  private long additions;

  public MeasurementAggregator(Point point) {
    this.point = point;
    gradient = new CompensatedVector(point.size());
    curvatureMoment = new CompensatedVector(point.size());
    curvature = new CompensatedVector(point.layout().outputs());
    value = new CompensatedVector(1);
    termError = new PlainVector(point.size(), 0);
  }

  /** One of several ranges of another's vectors. */
  private MeasurementAggregator(MeasurementAggregator of, int part, int parts) {
    point = of.point;
    gradient = of.gradient.slice(part, parts);
    curvatureMoment = of.curvatureMoment.slice(part, parts);
    curvature = of.curvature.slice(0, 1);
    value = of.value.slice(0, 1);
    termError = of.termError.slice(part, parts);
    maxMarginError = of.maxMarginError;
    rows = of.rows;
    checksum = of.checksum;
    additions = of.additions;
  }

  @Override
  public void add(ExampleBlock block) {
    rows += block.rows();
    additions += block.rows();
    checksum += block.checksum();
    if (point.loss() instanceof MarginLoss loss && !point.boundsCurvature()) {
      addPanels(block, loss);
    } else {
      block.wide().forEach(this::addRows);
    }
  }

  private void addPanels(ExampleBlock block, MarginLoss loss) {
    RowPanel panel = new RowPanel(point.layout(), block);
    MarginErrors errors = new MarginErrors(point, block);
    Curvatures rowCurvatures = new Curvatures(point, block);
    double[] s = new double[RowPanel.ROWS];
    double[] jet = new double[4];
    double[] slopes = new double[RowPanel.ROWS];
    double[] slopeErrors = new double[RowPanel.ROWS];
    double[] curvatures = new double[RowPanel.ROWS];
    double[] termErrors = termError.values();
    while (panel.next()) {
      panel.margins(point.theta(), s);
      errors.at(panel);
      for (int r = 0; r < panel.rows(); r++) {
        double w = block.weight(panel.first() + r);
        double y = block.label(panel.first() + r);
        loss.jet(s[r], y, jet);
        value.add(0, w * jet[0]);
        slopes[r] = w * jet[1];
        curvatures[r] = w * jet[2];
        curvature.add(0, curvatures[r]);
        double error = loss.slopeError(s[r], y, errors.ofMargin(r), jet);
        slopeErrors[r] = RowEvaluation.weightedError(error, w, PRODUCTS, slopes[r]);
      }
      rowCurvatures.are(panel, curvatures);
      curvature.endRows(panel.rows(), false);
      panel.addTransposed(slopes, gradient);
      panel.addTransposed(curvatures, curvatureMoment);
      panel.addAbsoluteTransposed(slopeErrors, termErrors);
    }
    rowCurvatures.remember();
    maxMarginError = Math.max(maxMarginError, errors.largest());
  }

  private void addRows(ExampleBlock block) {
    ParameterLayout layout = point.layout();
    RowEvaluation row = new RowEvaluation(point);
    int outputs = layout.outputs();
    double[] diagonal = new double[outputs];
    double[] termErrors = termError.values();
    for (int i = 0; i < block.rows(); i++) {
      double w = block.weight(i);
      double y = block.label(i);
      row.at(block, i);
      maxMarginError = Math.max(maxMarginError, row.boundErrors(block, i));
      layout.addTransposed(block, i, row.weightedGradient(y, w), gradient);
      layout.addAbsoluteTransposed(block, i, row.weightedGradientError(y, w, PRODUCTS), termErrors);
      double[] a = row.hessian(block, i);
      for (int k = 0; k < outputs; k++) {
        diagonal[k] = w * a[k * (outputs + 1)];
        curvature.add(k, diagonal[k]);
      }
      curvature.endRow(false);
      layout.addTransposed(block, i, diagonal, curvatureMoment);
      value.add(0, w * row.value(y));
    }
  }

  @Override
  public void merge(MeasurementAggregator other) {
    gradient.merge(other.gradient);
    curvatureMoment.merge(other.curvatureMoment);
    curvature.merge(other.curvature);
    value.merge(other.value);
    rows += other.rows;
    checksum += other.checksum;
    mergeErrors(other);
  }

  /**
   * Takes the sums over some of the rows away; errors add up. The curvature moments are then within
   * {@link #curvatureRelativeError} of the sums of absolute terms of all rows that were ever added.
   */
  public void subtract(MeasurementAggregator other) {
    gradient.subtract(other.gradient);
    curvatureMoment.subtract(other.curvatureMoment);
    curvature.subtract(other.curvature);
    value.subtract(other.value);
    rows -= other.rows;
    checksum -= other.checksum;
    mergeErrors(other);
  }

  private void mergeErrors(MeasurementAggregator other) {
    termError.merge(other.termError, Double::sum);
    maxMarginError = Math.max(maxMarginError, other.maxMarginError);
    additions += other.additions + 1;
  }

  /** Writes the sums with their errors. */
  public void write(DataOutput out) throws IOException {
    gradient.write(out);
    curvatureMoment.write(out);
    curvature.write(out);
    value.write(out);
    Binary.write(out, termError.values());
    out.writeDouble(maxMarginError);
    out.writeLong(rows);
    out.writeLong(checksum);
    out.writeLong(additions);
  }

  /** Reads what {@link #write} wrote into this aggregator, which has added up nothing. */
  public void read(DataInput in) throws IOException {
    gradient.read(in);
    curvatureMoment.read(in);
    curvature.read(in);
    value.read(in);
    Binary.read(in, termError.values());
    maxMarginError = in.readDouble();
    rows = in.readLong();
    checksum = in.readLong();
    additions = in.readLong();
  }

  @Override
  public MeasurementAggregator sealed() {
    gradient.sealed();
    curvatureMoment.sealed();
    curvature.sealed();
    value.sealed();
    termError.sealed();
    return this;
  }

  @Override
  public MeasurementAggregator slice(int part, int parts) {
    return new MeasurementAggregator(this, part, parts).sealed();
  }

  @Override
  public void place(MeasurementAggregator slice, int part, int parts) {
    gradient.place(slice.gradient, part, parts);
    curvatureMoment.place(slice.curvatureMoment, part, parts);
    curvature.place(slice.curvature, 0, 1);
    value.place(slice.value, 0, 1);
    termError.place(slice.termError, part, parts);
    maxMarginError = slice.maxMarginError;
    rows = slice.rows;
    checksum = slice.checksum;
    additions = slice.additions;
  }

  @Override
  public long bytes() {
    return 40L * gradient.size() + 32L * curvature.size() + 512;
  }

  /** Rows that were added. */
  public long rows() {
    return rows;
  }

  /** Sum of the blocks' checksums, modulo 2^64. */
  public long checksum() {
    return checksum;
  }

  /** sum_i w_i l(s_i). */
  public double value() {
    return value.toArray()[0];
  }

  /** The gradient, length p. */
  public double[] gradient() {
    return gradient.toArray();
  }

  /** Per coordinate, the proven bound of the gradient's rounding error, rounded up. */
  public double[] gradientError() {
    double depth = gradient.depth() * Rounding.UNIT;
    // (D u)^2 sum |terms|, and sum |terms| <= sum_j termError / gamma_P with gamma_P > 64 u
    double secondOrder = 1 + depth * depth / (CompensatedVector.PANEL_ROWS * Rounding.UNIT);
    double[] terms = termError.values();
    double[] g = gradient.toArray();
    double[] error = new double[g.length];
    for (int j = 0; j < g.length; j++) {
      error[j] =
          Rounding.up(terms[j] * secondOrder, additions + 12.0)
              + 2 * Rounding.UNIT * Math.abs(g[j])
              + 8.0 * additions * Double.MIN_VALUE;
    }
    return error;
  }

  /** c_j = sum_i w_i A_i,kk x_ij for parameter j of output k, length p; h_k at its intercept. */
  public double[] curvatureMoment() {
    return curvatureMoment.toArray();
  }

  /** h_k = sum_i w_i A_i,kk, one for each output. */
  public double[] curvature() {
    return curvature.toArray();
  }

  /**
   * kappa: a bound of the error of h and c relative to their sums of absolute terms. Terms that
   * underflow (below 2^-1022: |s_i| &gt; 700) are outside it; {@code docs/mathematics.md} tells why
   * they do not matter.
   */
  public double curvatureRelativeError() {
    double depth = curvatureMoment.depth() * Rounding.UNIT;
    return GramAggregator.curvatureChange(point, maxMarginError)
        + Rounding.gamma(CompensatedVector.PANEL_ROWS + 16.0 + point.loss().hessianErrorUnits())
        + 2 * depth * depth
        + 2 * Rounding.UNIT;
  }
}
