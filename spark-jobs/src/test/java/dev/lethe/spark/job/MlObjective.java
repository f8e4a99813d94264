package dev.lethe.spark.job;

import java.util.List;

/**
 * Spark ML's logistic objective in plain Java, the independent truth of these tests:
 *
 * <pre>
 *   (1/W) sum_i w_i log(1 + e^{s_i}) - y_i s_i + regParam/2 sum_j (s_j theta_j)^2
 * </pre>
 *
 * with s_j the unbiased weighted standard deviation of column j, or 1 without standardization; the
 * intercept, if there is one, is the last parameter and not penalised.
 *
 * @param features x_i, n times d, removed slots 0
 */
record MlObjective(
    List<double[]> features,
    double[] labels,
    double[] weights,
    double regParam,
    boolean standardization,
    boolean intercept) {

  private int size() {
    return features.get(0).length;
  }

  double totalWeight() {
    double sum = 0;
    for (double weight : weights) {
      sum += weight;
    }
    return sum;
  }

  /** The gradient of the mean form at theta; shape (d + 1) with an intercept, else (d). */
  double[] gradient(double[] theta) {
    int d = size();
    double total = totalWeight();
    double[] gradient = new double[theta.length];
    for (int i = 0; i < labels.length; i++) {
      double[] x = features.get(i);
      double margin = intercept ? theta[d] : 0;
      for (int j = 0; j < d; j++) {
        margin += theta[j] * x[j];
      }
      double slope = weights[i] / total * (1 / (1 + Math.exp(-margin)) - labels[i]);
      for (int j = 0; j < d; j++) {
        gradient[j] += slope * x[j];
      }
      if (intercept) {
        gradient[d] += slope;
      }
    }
    for (int j = 0; j < d; j++) {
      gradient[j] += regParam * (standardization ? variance(j) : 1) * theta[j];
    }
    return gradient;
  }

  /** The 2-norm of the gradient without the coordinates that are held at 0. */
  double gradientNorm(double[] theta, List<Integer> removed) {
    double[] gradient = gradient(theta);
    double sum = 0;
    for (int j = 0; j < gradient.length; j++) {
      sum += removed.contains(j) ? 0 : gradient[j] * gradient[j];
    }
    return Math.sqrt(sum);
  }

  private double variance(int j) {
    double total = totalWeight();
    double squares = 0;
    double mean = 0;
    for (int i = 0; i < weights.length; i++) {
      squares += weights[i] * weights[i];
      mean += weights[i] * features.get(i)[j] / total;
    }
    double sum = 0;
    for (int i = 0; i < weights.length; i++) {
      double deviation = features.get(i)[j] - mean;
      sum += weights[i] * deviation * deviation;
    }
    return sum / (total - squares / total);
  }
}
