package dev.lethe.core.aggregate;

import dev.lethe.core.linalg.CompensatedVector;
import dev.lethe.core.linalg.Rounding;
import dev.lethe.core.loss.LossFunction;
import dev.lethe.core.model.ExampleBlock;

/**
 * One pass that measures all that a distance bound needs: value, gradient g, a proven bound of the
 * gradient's rounding error, and the curvature moments h = sum_i w_i l''(s_i), c = sum_i w_i
 * l''(s_i) x_i. Sum form, no penalty.
 *
 * <p>Rounding bound, coordinate j (u = 2^-53, gamma_m = m u / (1 - m u), m_i the entries of row i
 * plus 2, A_i = sum_k |x_ik theta_k|, D the depth of the sums, P the panel rows, c the loss's
 * {@link LossFunction#derivativeErrorUnits}):
 *
 * <pre>
 *   |computed g_j - g_j| &lt;= u |g_j| + (1 + (D u)^2 / u) sum_i w_i |x_ij| (l''_max gamma_{m_i} A_i + |l'_i| gamma_{c + P + 6})
 * </pre>
 *
 * The first term in the sum is the margin's own error through l', the second the error of l', of
 * the products and of the panel. Underflow adds |x_ij| (w_i 2^-1000 + 2^-1022) and 8 least doubles
 * a row: the former for the margin, l' and w_i l', the latter for the products with x_ij. Sources:
 * Higham, ch. 3; Ogita, Rump, Oishi 2005; {@code docs/mathematics.md}.
 */
public final class MeasurementAggregator implements Aggregator<MeasurementAggregator> {
  private static final long serialVersionUID = 1L;

  /** More than underflow costs a margin or l', and beyond what anyone would notice. */
  private static final double UNDERFLOW = 0x1p-1000;

  private final transient Point point;
  private final int size;
  private final CompensatedVector gradient;
  private final CompensatedVector curvatureMoment;
  private final CompensatedVector value = new CompensatedVector(1);
  private final double[] termError;
  private double maxMarginError;
  private long rows;
  private long checksum;

  public MeasurementAggregator(Point point) {
    this.point = point;
    size = point.size();
    gradient = new CompensatedVector(size);
    curvatureMoment = new CompensatedVector(size);
    termError = new double[size];
  }

  @Override
  public void add(ExampleBlock block) {
    double[] theta = point.theta();
    LossFunction loss = point.loss();
    int d = point.features();
    boolean intercept = point.intercept();
    double offset = intercept ? theta[d] : 0;
    double bound = loss.secondDerivativeBound();
    double derivativeError =
        Rounding.gamma(loss.derivativeErrorUnits() + CompensatedVector.PANEL_ROWS + 6);
    rows += block.rows();
    checksum += block.checksum();
    for (int i = 0; i < block.rows(); i++) {
      double w = block.weight(i);
      double y = block.label(i);
      double s = block.dot(i, theta) + offset;
      double marginError =
          Rounding.gamma(block.entries(i) + 2.0) * (block.absoluteDot(i, theta) + Math.abs(offset));
      double first = loss.firstDerivative(s, y);
      double a = w * first;
      double curvature = w * loss.secondDerivative(s, y);
      double relative = bound * marginError + derivativeError * Math.abs(first);
      // the normal number covers that w l' underflows
      double error = w * (relative + UNDERFLOW) + Double.MIN_NORMAL;
      block.addScaledRow(i, a, gradient);
      block.addScaledRow(i, curvature, curvatureMoment);
      block.addScaledAbsoluteRow(i, error, termError);
      if (intercept) {
        gradient.add(d, a);
        curvatureMoment.add(d, curvature);
        termError[d] += error;
      }
      value.add(0, w * loss.value(s, y));
      maxMarginError = Math.max(maxMarginError, marginError);
    }
  }

  @Override
  public void merge(MeasurementAggregator other) {
    gradient.merge(other.gradient);
    curvatureMoment.merge(other.curvatureMoment);
    value.merge(other.value);
    for (int j = 0; j < size; j++) {
      termError[j] += other.termError[j];
    }
    maxMarginError = Math.max(maxMarginError, other.maxMarginError);
    rows += other.rows;
    checksum += other.checksum;
  }

  @Override
  public MeasurementAggregator sealed() {
    gradient.sealed();
    curvatureMoment.sealed();
    value.sealed();
    return this;
  }

  @Override
  public long bytes() {
    return 40L * size + 512;
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
    double[] error = new double[size];
    double[] g = gradient.toArray();
    for (int j = 0; j < size; j++) {
      error[j] =
          Rounding.up(termError[j] * secondOrder, rows + 12.0)
              + 2 * Rounding.UNIT * Math.abs(g[j])
              + 8.0 * rows * Double.MIN_VALUE;
    }
    return error;
  }

  /** c_j = sum_i w_i l''(s_i) x_ij, length p; the intercept's entry is h. */
  public double[] curvatureMoment() {
    return curvatureMoment.toArray();
  }

  /** h = sum_i w_i l''(s_i), as computed: a sum of its own only where there is an intercept. */
  public double curvature() {
    return point.intercept() ? curvatureMoment.toArray()[size - 1] : 0;
  }

  /**
   * kappa: a bound of the error of h and c relative to their sums of absolute terms. A margin error
   * e changes l'' of a self-concordant loss by a factor of at most exp(e). Terms that underflow
   * (below 2^-1022: |s_i| &gt; 700) are outside it; {@code docs/mathematics.md} tells why they do
   * not matter.
   */
  public double curvatureRelativeError() {
    double depth = curvatureMoment.depth() * Rounding.UNIT;
    return 1.01 * Math.expm1(maxMarginError)
        + Rounding.gamma(CompensatedVector.PANEL_ROWS + 24.0)
        + 2 * depth * depth
        + 2 * Rounding.UNIT;
  }
}
