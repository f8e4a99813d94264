package dev.lethe.core.loss;

import dev.lethe.core.linalg.Rounding;

/**
 * Binary logistic loss, y in {0, 1} or, of a binomial model, in [0, 1]: l = log(1 + e^s) - y s.
 *
 * <p>l' = sigma(s) - y, l'' = sigma(s) (1 - sigma(s)) &lt;= 1/4, |l'''| = l'' |1 - 2 sigma(s)|
 * &lt;= min(l'', 1 / (6 sqrt 3)).
 */
public final class LogisticLoss extends MarginLoss {
  private static final long serialVersionUID = 1L;

  /** Labels 0 and 1. */
  public static final LogisticLoss INSTANCE = new LogisticLoss(false);

  /** Labels from 0 to 1: the share of successes. */
  public static final LogisticLoss OF_PROPORTIONS = new LogisticLoss(true);

  /**
   * Math.exp: 1 ulp = 2u relative; 1 + e: u; the quotient: u; the tail e / (1 + e): 2u + u + u.
   * Rounded up.
   */
  private static final double ERROR = Rounding.gamma(5);

  private final boolean proportions;

  private LogisticLoss(boolean proportions) {
    this.proportions = proportions;
  }

  @Override
  public String name() {
    return proportions ? "binomial-logit" : "binary-logistic";
  }

  @Override
  public double value(double margin, double label) {
    return value(margin, label, Math.exp(-Math.abs(margin)));
  }

  /** log(1 + e^s) - y s by e = e^{-|s|}, so that nothing cancels for y = 1, s &gt; 0. */
  private static double value(double margin, double label, double e) {
    // log(1 + e) = log u + log(1 + (e - (u - 1)) / u) for u = 1 + e rounded, where u - 1 is exact;
    // Math.log is an intrinsic, Math.log1p a call out of Java
    double u = 1 + e;
    double log1p = Math.log(u) + (e - (u - 1)) / u;
    return margin > 0 ? log1p + (1 - label) * margin : log1p - label * margin;
  }

  @Override
  public double firstDerivative(double margin, double label) {
    return firstDerivative(margin, label, Math.exp(-Math.abs(margin)));
  }

  private static double firstDerivative(double margin, double label, double e) {
    double tail = e / (1 + e); // sigma(-|s|)
    // sigma(s) - y without cancellation when the prediction agrees with the label
    if (label == 1) {
      return margin > 0 ? -tail : -1 / (1 + e);
    }
    if (label == 0) {
      return margin > 0 ? 1 / (1 + e) : tail;
    }
    return (margin > 0 ? 1 / (1 + e) : tail) - label;
  }

  @Override
  public double secondDerivative(double margin, double label) {
    return secondDerivative(Math.exp(-Math.abs(margin)));
  }

  private static double secondDerivative(double e) {
    double d = 1 + e;
    return e / (d * d);
  }

  @Override
  public void jet(double margin, double label, double[] jet) {
    double e = Math.exp(-Math.abs(margin));
    double slope = firstDerivative(margin, label, e);
    jet[0] = value(margin, label, e);
    jet[1] = slope;
    jet[2] = secondDerivative(e);
    jet[3] = evaluationErrorOf(slope, label);
  }

  @Override
  public double secondDerivativeBound() {
    return 0.25;
  }

  @Override
  public double thirdDerivativeBound() {
    return 1 / (6 * Math.sqrt(3));
  }

  @Override
  protected double evaluationError(double margin, double label) {
    return evaluationErrorOf(firstDerivative(margin, label), label);
  }

  private static double evaluationErrorOf(double slope, double label) {
    // without a label of 0 or 1 the difference cancels: the error is one of sigma(s) <= 1
    return label == 0 || label == 1 ? ERROR * Math.abs(slope) : 2 * ERROR;
  }

  @Override
  public double hessianErrorUnits() {
    return 8; // e: 2 u; its square below: twice 2 u + u at most half as sensitive; two roundings
  }

  @Override
  public double selfConcordance() {
    return 1;
  }

  @Override
  public int classes() {
    return proportions ? 0 : 2;
  }

  @Override
  public double leastLabel() {
    return 0;
  }

  @Override
  public double greatestLabel() {
    return 1;
  }

  @Override
  public String labelDomain() {
    return proportions ? "between 0 and 1" : "0 or 1";
  }

  private Object readResolve() {
    return proportions ? OF_PROPORTIONS : INSTANCE;
  }
}
