package dev.lethe.core.loss;

/**
 * K binary problems at once, y in {0, .., K - 1}: l = sum_k l_b(s_k, 1 if y = k else 0) with a
 * binary loss l_b. Separable, so self-concordant with the same M (max |t_k| &lt;= ||t||_2).
 */
public final class OneVsRestLoss implements LossFunction {
  private static final long serialVersionUID = 1L;

  private final MarginLoss binary;
  private final int classes;

  /**
   * @param binary of labels 0 and 1
   * @param classes K, at least 2
   */
  public OneVsRestLoss(MarginLoss binary, int classes) {
    if (classes < 2) {
      throw new IllegalArgumentException("classes = " + classes + ": must be at least 2");
    }
    this.binary = binary;
    this.classes = classes;
  }

  @Override
  public String name() {
    return "one-vs-rest " + binary.name();
  }

  @Override
  public int margins() {
    return classes;
  }

  private static double indicator(double label, int k) {
    return label == k ? 1 : 0;
  }

  @Override
  public double value(double[] s, double label) {
    double sum = 0;
    for (int k = 0; k < classes; k++) {
      sum += binary.value(s[k], indicator(label, k));
    }
    return sum;
  }

  @Override
  public void gradient(double[] s, double label, double[] gradient) {
    for (int k = 0; k < classes; k++) {
      gradient[k] = binary.firstDerivative(s[k], indicator(label, k));
    }
  }

  @Override
  public void gradientError(double[] s, double label, double[] marginError, double[] bound) {
    for (int k = 0; k < classes; k++) {
      bound[k] = binary.derivativeError(s[k], indicator(label, k), marginError[k]);
    }
  }

  @Override
  public void hessian(double[] s, double label, double[] hessian) {
    for (int k = 0; k < classes; k++) {
      for (int l = 0; l < classes; l++) {
        hessian[k * classes + l] = k == l ? binary.secondDerivative(s[k], indicator(label, k)) : 0;
      }
    }
  }

  @Override
  public void hessianProduct(double[] s, double label, double[] direction, double[] product) {
    for (int k = 0; k < classes; k++) {
      product[k] = binary.secondDerivative(s[k], indicator(label, k)) * direction[k];
    }
  }

  @Override
  public void hessianFloor(double[] s, double label, double[] radius, double[] floor) {
    for (int k = 0; k < classes; k++) {
      for (int l = 0; l < classes; l++) {
        floor[k * classes + l] =
            k == l ? binary.secondDerivativeFloor(s[k], indicator(label, k), radius[k]) : 0;
      }
    }
  }

  @Override
  public double hessianErrorUnits() {
    return binary.hessianErrorUnits();
  }

  @Override
  public double selfConcordance() {
    return binary.selfConcordance();
  }

  @Override
  public boolean isSeparable() {
    return true;
  }

  @Override
  public int classes() {
    return classes;
  }

  @Override
  public String labelDomain() {
    return "whole numbers from 0 to " + (classes - 1);
  }
}
