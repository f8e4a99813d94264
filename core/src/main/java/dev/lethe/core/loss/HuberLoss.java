package dev.lethe.core.loss;

import dev.lethe.core.linalg.Rounding;

/**
 * Huber's loss with a scale sigma that is estimated as well, as Spark ML's LinearRegression has it
 * (Owen, A robust hybrid of lasso and ridge regression, 2007). Outputs: the margin s and sigma.
 *
 * <pre>
 *   l = 1/2 (sigma + r^2 / sigma)                        for |r| &lt;= m sigma,   r = s - y
 *   l = 1/2 (sigma + 2 m |r| - m^2 sigma)                beyond
 * </pre>
 *
 * <p>Jointly convex for sigma &gt; 0, infinite elsewhere. With z = r / sigma the Hessian within is
 * (1, -z)(1, -z)' / sigma, beyond it is 0: it jumps, so no third derivative bounds its change.
 */
public final class HuberLoss implements LossFunction {
  private static final long serialVersionUID = 1L;

  private final double threshold;

  /**
   * @param threshold m, Spark ML's epsilon, above 1
   */
  public HuberLoss(double threshold) {
    if (!(threshold > 1 && threshold < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException("threshold = " + threshold + ": must be above 1");
    }
    this.threshold = threshold;
  }

  @Override
  public String name() {
    return "huber";
  }

  @Override
  public int scalars() {
    return 1;
  }

  @Override
  public double value(double[] s, double label) {
    double sigma = s[1];
    if (!(sigma > 0)) {
      return Double.POSITIVE_INFINITY;
    }
    double r = Math.abs(s[0] - label);
    return r <= threshold * sigma
        ? 0.5 * (sigma + r / sigma * r)
        : 0.5 * (sigma * (1 - threshold * threshold) + 2 * threshold * r);
  }

  @Override
  public void gradient(double[] s, double label, double[] gradient) {
    double z = clamped(s, label);
    gradient[0] = z;
    gradient[1] = 0.5 * (1 - z * z);
  }

  /** r / sigma, no further from 0 than m; not a number for sigma &lt;= 0. */
  private double clamped(double[] s, double label) {
    return s[1] > 0 ? Math.max(-threshold, Math.min(threshold, (s[0] - label) / s[1])) : Double.NaN;
  }

  @Override
  public void gradientError(double[] s, double label, double[] marginError, double[] bound) {
    double z = Math.abs(clamped(s, label));
    // the normal number covers that products in the margin underflow, however small sigma is
    double shift = Math.min((marginError[0] + Double.MIN_NORMAL) / s[1], 2 * threshold);
    // |d z / d s| <= 1 / sigma and |d (z^2 / 2) / d s| <= m / sigma; then z: 2 u, its square: 5 u
    bound[0] = (shift + Rounding.gamma(3) * z) * (1 + 0x1p-40);
    bound[1] = (threshold * shift + Rounding.gamma(8) * (1 + z * z)) * (1 + 0x1p-40);
  }

  @Override
  public void hessian(double[] s, double label, double[] hessian) {
    double z = (s[0] - label) / s[1];
    boolean within = Math.abs(z) <= threshold;
    hessian[0] = within ? 1 / s[1] : 0;
    hessian[1] = within ? -z / s[1] : 0;
    hessian[2] = hessian[1];
    hessian[3] = within ? z * z / s[1] : 0;
  }

  @Override
  public void hessianProduct(double[] s, double label, double[] direction, double[] product) {
    double z = (s[0] - label) / s[1];
    double a = Math.abs(z) <= threshold ? (direction[0] - z * direction[1]) / s[1] : 0;
    product[0] = a;
    product[1] = -z * a;
  }

  /**
   * {@inheritDoc}
   *
   * <p>Where z can leave [-m, m] the bound is 0. Elsewhere z moves by at most D = (e + |z| d) /
   * (sigma - d), and (a + b)(a + b)' &gt;= (1 - D) a a' - (1 / D - 1) b b' for a = (1, -z) and b =
   * (0, -dz), |dz| &lt;= D. So the bound is (1 - D) a a' / (sigma + d) - D (0, 1)(0, 1)' / (sigma -
   * d). A row with 4 D above 1 or z^2 counts as 0: at least half of the diagonal is left then, and
   * the entry beside it is at most sqrt(2) times the root of both.
   */
  @Override
  public void hessianFloor(double[] s, double label, double[] radius, double[] floor) {
    double sigma = s[1];
    double least = (sigma - radius[1]) * (1 - 0x1p-50);
    double r = s[0] - label;
    double z = r / sigma;
    double move = (radius[0] / least + Math.abs(r) / sigma * (radius[1] / least)) * (1 + 0x1p-48);
    boolean within =
        least > 0
            && (Math.abs(r) + radius[0]) * (1 + 0x1p-48) < threshold * least
            && move <= 0.25
            && 4 * move <= z * z;
    double a = within ? (1 - move) / (sigma + radius[1]) : 0;
    floor[0] = a;
    floor[1] = -z * a;
    floor[2] = floor[1];
    floor[3] = within ? z * z * a - move * (1 + 0x1p-20) / least : 0;
  }

  @Override
  public double curvatureScale(double[] scalars) {
    return 1 / scalars[0];
  }

  @Override
  public double hessianErrorUnits() {
    return 24; // at most 12 for z^2 / sigma; what is subtracted leaves half of it
  }

  @Override
  public double selfConcordance() {
    return Double.POSITIVE_INFINITY;
  }

  @Override
  public String labelDomain() {
    return "finite numbers";
  }
}
