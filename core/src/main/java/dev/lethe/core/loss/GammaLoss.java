package dev.lethe.core.loss;

import dev.lethe.core.linalg.Rounding;

/**
 * Gamma regression with the log link, y &gt; 0: l = y e^{-s} + s, the negative log-likelihood
 * divided by the shape, but for a constant.
 *
 * <p>l' = 1 - y e^{-s}, l'' = -l''' = y e^{-s}: convex, and self-concordant with M = 1. (With Spark
 * ML's default link for Gamma, the inverse, the likelihood is defined for positive margins only.)
 */
public final class GammaLoss extends MarginLoss {
  private static final long serialVersionUID = 1L;

  public static final GammaLoss INSTANCE = new GammaLoss();

  private GammaLoss() {}

  @Override
  public String name() {
    return "gamma-log";
  }

  /** y e^{-s} in two halves: e^{-s} alone may leave the range of a double, y bringing it back. */
  private static double scaled(double margin, double label) {
    double half = Math.exp(-0.5 * margin);
    return label * half * half;
  }

  @Override
  public double value(double margin, double label) {
    return scaled(margin, label) + margin;
  }

  @Override
  public double firstDerivative(double margin, double label) {
    return 1 - scaled(margin, label);
  }

  @Override
  public double secondDerivative(double margin, double label) {
    return scaled(margin, label);
  }

  @Override
  public double secondDerivativeBound() {
    return Double.POSITIVE_INFINITY;
  }

  @Override
  public double thirdDerivativeBound() {
    return Double.POSITIVE_INFINITY;
  }

  @Override
  protected double evaluationError(double margin, double label) {
    // exp: 2 u, twice; the products: 2 u; the difference: u of it, which is at most 1 + y e^-s
    return Rounding.gamma(8) * (1 + scaled(margin, label));
  }

  @Override
  protected double slopeChange(double margin, double label, double radius) {
    return scaled(margin, label) * Math.expm1(radius) * (1 + 0x1p-49);
  }

  @Override
  public double hessianErrorUnits() {
    return 6;
  }

  @Override
  public double selfConcordance() {
    return 1;
  }

  @Override
  public double leastLabel() {
    return Double.MIN_VALUE;
  }

  @Override
  public String labelDomain() {
    return "finite numbers above 0";
  }

  private Object readResolve() {
    return INSTANCE;
  }
}
