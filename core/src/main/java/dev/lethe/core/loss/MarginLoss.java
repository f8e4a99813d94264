package dev.lethe.core.loss;

/** A loss of one margin s = x'theta: everything follows from four functions of two numbers. */
public abstract class MarginLoss implements LossFunction {
  private static final long serialVersionUID = 1L;

  /** Covers what computing a bound rounds away. */
  private static final double UP = 1 + 0x1p-50;

  /** l(s, y). */
  public abstract double value(double margin, double label);

  /** dl/ds. */
  public abstract double firstDerivative(double margin, double label);

  /** d2l/ds2, never negative. */
  public abstract double secondDerivative(double margin, double label);

  /**
   * All that a pass needs of a row at once, for losses whose parts share an exponential: l, dl/ds,
   * d2l/ds2 and the bound of the error of computing dl/ds, each as its own method gives it.
   *
   * @param jet four entries, overwritten
   */
  public void jet(double margin, double label, double[] jet) {
    jet[0] = value(margin, label);
    jet[1] = firstDerivative(margin, label);
    jet[2] = secondDerivative(margin, label);
    jet[3] = evaluationError(margin, label);
  }

  /** As {@link #gradientError}, at a margin whose {@link #jet} is known. */
  public final double slopeError(double margin, double label, double marginError, double[] jet) {
    return (slopeChange(margin, label, marginError) + jet[3]) * UP;
  }

  /** An upper bound of d2l/ds2 over all margins and legal labels, or infinity. */
  public abstract double secondDerivativeBound();

  /** An upper bound of |d3l/ds3| over all margins and legal labels, or infinity. */
  public abstract double thirdDerivativeBound();

  /** An upper bound of the absolute error of computing {@link #firstDerivative} at a margin. */
  protected abstract double evaluationError(double margin, double label);

  /** An upper bound of |l'(s + t) - l'(s)| over |t| &lt;= radius. */
  protected double slopeChange(double margin, double label, double radius) {
    return secondDerivativeBound() * radius;
  }

  /** inf l''(s + t) over |t| &lt;= radius, rounded down; for a loss without self-concordance. */
  protected double secondDerivativeFloor(double margin, double label, double radius) {
    throw new UnsupportedOperationException(name() + " is self-concordant");
  }

  @Override
  public final double value(double[] s, double label) {
    return value(s[0], label);
  }

  @Override
  public final void gradient(double[] s, double label, double[] gradient) {
    gradient[0] = firstDerivative(s[0], label);
  }

  @Override
  public final void gradientError(double[] s, double label, double[] marginError, double[] bound) {
    bound[0] = derivativeError(s[0], label, marginError[0]);
  }

  final double derivativeError(double margin, double label, double marginError) {
    return (slopeChange(margin, label, marginError) + evaluationError(margin, label)) * UP;
  }

  @Override
  public final void hessian(double[] s, double label, double[] hessian) {
    hessian[0] = secondDerivative(s[0], label);
  }

  @Override
  public final void hessianProduct(double[] s, double label, double[] direction, double[] product) {
    product[0] = secondDerivative(s[0], label) * direction[0];
  }

  @Override
  public final void hessianFloor(double[] s, double label, double[] radius, double[] floor) {
    floor[0] = secondDerivativeFloor(s[0], label, radius[0]);
  }
}
