package dev.lethe.core.loss;

import dev.lethe.core.linalg.Rounding;

/**
 * Multinomial logistic loss of K margins, y in {0, .., K - 1}: l = log sum_k e^{s_k} - s_y.
 *
 * <p>With P = softmax(s): dl/ds = P - e_y, d2l/ds2 = diag(P) - P P'. For a random class of
 * distribution P, D3l[u, u, t] = E[(u - E u)^2 (t - E t)], so |D3l[u, u, t]| &lt;= max |t_k - t_l|
 * D2l[u, u] &lt;= sqrt(2) ||t||_2 D2l[u, u]: self-concordant with M = sqrt(2).
 */
public final class MultinomialLogisticLoss implements LossFunction {
  private static final long serialVersionUID = 1L;

  /** Differences of margins beyond this give probabilities below the least double. */
  private static final double LARGEST_DIFFERENCE = 750;

  private final int classes;

  /**
   * @param classes K, at least 2
   */
  public MultinomialLogisticLoss(int classes) {
    if (classes < 2) {
      throw new IllegalArgumentException("classes = " + classes + ": must be at least 2");
    }
    this.classes = classes;
  }

  @Override
  public String name() {
    return "multinomial-logistic";
  }

  @Override
  public int margins() {
    return classes;
  }

  private int argmax(double[] s) {
    int top = 0;
    for (int k = 1; k < classes; k++) {
      top = s[k] > s[top] ? k : top;
    }
    return top;
  }

  @Override
  public double value(double[] s, double label) {
    int top = argmax(s);
    double rest = 0;
    for (int k = 0; k < classes; k++) {
      rest += k == top ? 0 : Math.exp(s[k] - s[top]);
    }
    return s[top] - s[(int) label] + Math.log1p(rest);
  }

  @Override
  public void gradient(double[] s, double label, double[] gradient) {
    double total = 1 + exponentials(s, argmax(s), gradient, 1);
    int y = (int) label;
    double others = 0; // 1 - P_y as a sum of what the others have: nothing cancels
    for (int k = 0; k < classes; k++) {
      if (k != y) {
        others += gradient[k];
        gradient[k] /= total;
      }
    }
    gradient[y] = -others / total;
  }

  /** Writes e^{s_k - s_top} to every {@code stride}-th entry; the sum without the top's 1. */
  private double exponentials(double[] s, int top, double[] target, int stride) {
    double rest = 0;
    for (int k = 0; k < classes; k++) {
      double e = k == top ? 1 : Math.exp(s[k] - s[top]);
      target[k * stride] = e;
      rest += k == top ? 0 : e;
    }
    return rest;
  }

  @Override
  public void gradientError(double[] s, double label, double[] marginError, double[] bound) {
    gradient(s, label, bound);
    double radius = 0;
    double spread = 0;
    double top = s[argmax(s)];
    for (int k = 0; k < classes; k++) {
      radius = Math.max(radius, marginError[k]);
      spread = Math.max(spread, top - s[k]);
    }
    // Margins that move by at most e multiply every P_k, and every 1 - P_k, by e^{-2e} .. e^{2e}.
    // The rounding of s_k - s_top is one more such move; exp, two sums and the quotient follow.
    double rounding = Rounding.gamma(2 * Math.min(spread, LARGEST_DIFFERENCE) + 2.0 * classes + 8);
    double relative = (Math.expm1(2 * radius) * (1 + rounding) + rounding) * (1 + 0x1p-40);
    for (int k = 0; k < classes; k++) {
      // both are probabilities: no further apart than 1
      bound[k] = Math.min(1 + 0x1p-40, relative * Math.abs(bound[k]) + Double.MIN_NORMAL);
    }
  }

  @Override
  public void hessian(double[] s, double label, double[] hessian) {
    int top = argmax(s);
    double rest = exponentials(s, top, hessian, classes + 1); // on the diagonal
    double total = 1 + rest;
    for (int k = 0; k < classes; k++) {
      double pk = hessian[k * (classes + 1)] / total;
      for (int l = 0; l < k; l++) {
        double product = -pk * (hessian[l * (classes + 1)] / total);
        hessian[k * classes + l] = product;
        hessian[l * classes + k] = product;
      }
    }
    for (int k = 0; k < classes; k++) {
      double e = hessian[k * (classes + 1)];
      double others = k == top ? rest : total - e; // at least half of total for k != top
      hessian[k * (classes + 1)] = e / total * (others / total);
    }
  }

  @Override
  public void hessianProduct(double[] s, double label, double[] direction, double[] product) {
    double total = 1 + exponentials(s, argmax(s), product, 1);
    double mean = 0;
    for (int k = 0; k < classes; k++) {
      product[k] /= total;
      mean += product[k] * direction[k];
    }
    for (int k = 0; k < classes; k++) {
      product[k] *= direction[k] - mean;
    }
  }

  @Override
  public double hessianErrorUnits() {
    return 4 * LARGEST_DIFFERENCE + 4 * classes + 24;
  }

  @Override
  public double selfConcordance() {
    return Math.nextUp(Math.sqrt(2));
  }

  @Override
  public boolean isSeparable() {
    return false;
  }

  @Override
  public boolean isShiftInvariant() {
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
