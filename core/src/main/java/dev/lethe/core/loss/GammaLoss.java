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

  @Override
  public double value(double margin, double label) {
    return label * Math.exp(-margin) + margin;
  }

  @Override
  public double firstDerivative(double margin, double label) {
    return 1 - label * Math.exp(-margin);
  }

  @Override
  public double secondDerivative(double margin, double label) {
    return label * Math.exp(-margin);
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
    // exp: 2 u; the product: u; the difference: u of it, which is at most 1 + y e^-s
    return Rounding.gamma(5) * (1 + label * Math.exp(-margin));
  }

  @Override
  protected double slopeChange(double margin, double label, double radius) {
    return label * Math.exp(-margin) * Math.expm1(radius) * (1 + 0x1p-49);
  }

  @Override
  public double hessianErrorUnits() {
    return 3;
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
