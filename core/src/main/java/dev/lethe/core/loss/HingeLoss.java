package dev.lethe.core.loss;

import dev.lethe.core.linalg.Rounding;

/**
 * Differentiable stand-ins for the hinge max(0, 1 - z), z = s for y = 1 and -s for y = 0, labels as
 * Spark ML's. Piecewise quadratic: l'' jumps, so no third derivative bounds its change.
 */
public final class HingeLoss extends MarginLoss {
  private static final long serialVersionUID = 1L;

  /**
   * The hinge with its corner rounded over |1 - z| &lt;= h = 1/2: l = (1 + h - z)^2 / (4 h) there,
   * 0 above and 1 - z below; l'' = 1 / (2 h) = 1 within. Chaudhuri, Monteleoni, Sarwate, JMLR 2011,
   * section 3.4.2.
   */
  public static final HingeLoss SMOOTHED = new HingeLoss("smoothed-hinge", 0.5, 1.5);

  /** l = 1/2 max(0, 1 - z)^2, l'' = 1 for z &lt; 1. */
  public static final HingeLoss SQUARED =
      new HingeLoss("squared-hinge", Double.NEGATIVE_INFINITY, 1);

  private final String name;
  private final double lower;
  private final double upper;

  /** l = 0 for z &gt;= upper, 1/2 (upper - z)^2 for z in between, linear below lower. */
  private HingeLoss(String name, double lower, double upper) {
    this.name = name;
    this.lower = lower;
    this.upper = upper;
  }

  @Override
  public String name() {
    return name;
  }

  private static double signed(double margin, double label) {
    return label == 1 ? margin : -margin;
  }

  @Override
  public double value(double margin, double label) {
    double z = signed(margin, label);
    if (z >= upper) {
      return 0;
    }
    double r = upper - z;
    return z < lower ? 1 - z : 0.5 * r * r;
  }

  @Override
  public double firstDerivative(double margin, double label) {
    double z = signed(margin, label);
    double slope = z >= upper ? 0.0 : Math.max(z, lower) - upper;
    return label == 1 ? slope : -slope;
  }

  @Override
  public double secondDerivative(double margin, double label) {
    double z = signed(margin, label);
    return z >= upper || z < lower ? 0 : 1;
  }

  @Override
  public double secondDerivativeBound() {
    return 1;
  }

  @Override
  public double thirdDerivativeBound() {
    return Double.POSITIVE_INFINITY;
  }

  @Override
  protected double evaluationError(double margin, double label) {
    return Rounding.gamma(1) * Math.abs(firstDerivative(margin, label));
  }

  @Override
  protected double secondDerivativeFloor(double margin, double label, double radius) {
    double z = signed(margin, label);
    double r = radius * (1 + 0x1p-50) + 0x1p-50 * Math.abs(z); // the two sums round
    return z + r < upper && z - r > lower ? 1 : 0;
  }

  @Override
  public double hessianErrorUnits() {
    return 0;
  }

  @Override
  public double selfConcordance() {
    return Double.POSITIVE_INFINITY;
  }

  @Override
  public int classes() {
    return 2;
  }

  @Override
  public String labelDomain() {
    return "0 or 1";
  }

  private Object readResolve() {
    return name.equals(SQUARED.name) ? SQUARED : SMOOTHED;
  }
}
