package dev.lethe.core.loss;

/**
 * Binary logistic loss, y in {0, 1}: l = log(1 + e^s) - y s.
 *
 * <p>l' = sigma(s) - y, l'' = sigma(s) (1 - sigma(s)) &lt;= 1/4, |l'''| = l'' |1 - 2 sigma(s)|
 * &lt;= l''.
 */
public final class LogisticLoss implements LossFunction {
  private static final long serialVersionUID = 1L;

  public static final LogisticLoss INSTANCE = new LogisticLoss();

  private LogisticLoss() {}

  @Override
  public String name() {
    return "binary-logistic";
  }

  @Override
  public double value(double margin, double label) {
    // log(1 + e^s) - y s, written so that only e^{-|s|} is ever taken and nothing cancels for y =
    // 1, s > 0.
    double log1p = Math.log1p(Math.exp(-Math.abs(margin)));
    return margin > 0 ? log1p + (1 - label) * margin : log1p - label * margin;
  }

  @Override
  public double firstDerivative(double margin, double label) {
    double e = Math.exp(-Math.abs(margin));
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
    double e = Math.exp(-Math.abs(margin));
    double d = 1 + e;
    return e / (d * d);
  }

  @Override
  public double secondDerivativeBound() {
    return 0.25;
  }

  @Override
  public boolean isSelfConcordant() {
    return true;
  }

  @Override
  public double derivativeErrorUnits() {
    // Math.exp: 1 ulp = 2u relative; 1 + e: u; the quotient: u; tail e/(1+e): 2u + u + u. Rounded
    // up.
    return 5;
  }

  @Override
  public boolean acceptsLabel(double label) {
    return label == 0 || label == 1;
  }

  @Override
  public String labelDomain() {
    return "0 or 1";
  }

  private Object readResolve() {
    return INSTANCE;
  }
}
