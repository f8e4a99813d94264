package dev.lethe.core.loss;

import dev.lethe.core.linalg.Rounding;

/**
 * Poisson regression with the log link, y &gt;= 0: l = e^s - y s, the negative log-likelihood but
 * for log(y!).
 *
 * <p>l' = e^s - y, l'' = l''' = e^s: self-concordant with M = 1, though neither derivative is
 * bounded. Beyond s = 709.78 the value is infinite, as is the exact one for a double.
 */
public final class PoissonLoss extends MarginLoss {
  private static final long serialVersionUID = 1L;

  public static final PoissonLoss INSTANCE = new PoissonLoss();

  private PoissonLoss() {}

  @Override
  public String name() {
    return "poisson-log";
  }

  @Override
  public double value(double margin, double label) {
    return label == 0 ? Math.exp(margin) : Math.exp(margin) - label * margin;
  }

  @Override
  public double firstDerivative(double margin, double label) {
    return Math.exp(margin) - label;
  }

  @Override
  public double secondDerivative(double margin, double label) {
    return Math.exp(margin);
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
    // exp: 2 u e^s; the difference: u of it, which is at most e^s + y
    return Rounding.gamma(4) * (Math.exp(margin) + label);
  }

  @Override
  protected double slopeChange(double margin, double label, double radius) {
    return Math.exp(margin) * Math.expm1(radius) * (1 + 0x1p-49);
  }

  @Override
  public double hessianErrorUnits() {
    return 2;
  }

  @Override
  public double selfConcordance() {
    return 1;
  }

  @Override
  public double leastLabel() {
    return 0;
  }

  @Override
  public String labelDomain() {
    return "finite numbers of at least 0";
  }

  private Object readResolve() {
    return INSTANCE;
  }
}
