package dev.lethe.core.loss;

import dev.lethe.core.linalg.Rounding;

/** Squared loss l = 1/2 (s - y)^2: l' = s - y, l'' = 1, l''' = 0; one Newton step is exact. */
public final class SquaredLoss extends MarginLoss {
  private static final long serialVersionUID = 1L;

  public static final SquaredLoss INSTANCE = new SquaredLoss();

  private SquaredLoss() {}

  @Override
  public String name() {
    return "squared";
  }

  @Override
  public double value(double margin, double label) {
    double r = margin - label;
    return 0.5 * r * r;
  }

  @Override
  public double firstDerivative(double margin, double label) {
    return margin - label;
  }

  @Override
  public double secondDerivative(double margin, double label) {
    return 1;
  }

  @Override
  public double secondDerivativeBound() {
    return 1;
  }

  @Override
  public double thirdDerivativeBound() {
    return 0;
  }

  @Override
  protected double evaluationError(double margin, double label) {
    return Rounding.gamma(1) * Math.abs(margin - label);
  }

  @Override
  public double hessianErrorUnits() {
    return 0;
  }

  @Override
  public double selfConcordance() {
    return 0;
  }

  @Override
  public String labelDomain() {
    return "finite numbers";
  }

  private Object readResolve() {
    return INSTANCE;
  }
}
