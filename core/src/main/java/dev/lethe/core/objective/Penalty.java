package dev.lethe.core.objective;

import dev.lethe.core.linalg.Rounding;
import dev.lethe.core.model.Statistics;

/**
 * The quadratic penalty 1/2 sum_j lambda_j theta_j^2, sum form.
 *
 * @param lambda lambda_j &gt;= 0, length p; 0 for an unpenalised coordinate
 * @param relativeError e_j &gt;= 0 with |lambda_j - exact| &lt;= e_j lambda_j against the exact
 *     rule; infinite where lambda_j is unknown
 */
public record Penalty(double[] lambda, double[] relativeError) {
  public Penalty {
    if (relativeError.length != lambda.length) {
      throw new IllegalArgumentException(
          lambda.length + " penalties with " + relativeError.length + " error bounds");
    }
    for (int j = 0; j < lambda.length; j++) {
      if (!(lambda[j] >= 0 && Double.isFinite(lambda[j]))) {
        throw new IllegalArgumentException(
            "lambda must be finite and not negative; coordinate " + j + " has " + lambda[j]);
      }
      if (!(relativeError[j] >= 0)) {
        throw new IllegalArgumentException(
            "relativeError must not be negative; coordinate " + j + " has " + relativeError[j]);
      }
    }
  }

  /**
   * Spark ML's: its objective (1/W) sum_i w_i l_i + regParam/2 sum_j (s_j theta_j)^2, multiplied by
   * W, has lambda_j = W regParam s_j^2 with standardization and W regParam without; the intercept
   * (last coordinate) has none. W and s_j are statistics of the data at hand.
   *
   * @param regParam lambda of Spark ML, on the mean
   */
  public static Penalty sparkMl(
      Statistics statistics, double regParam, boolean standardization, boolean intercept) {
    int d = statistics.features();
    double[] lambda = new double[d + (intercept ? 1 : 0)];
    double[] error = new double[lambda.length];
    for (int j = 0; j < d; j++) {
      double scale = standardization ? statistics.variance()[j] : 1;
      lambda[j] = statistics.totalWeight() * regParam * scale;
      error[j] =
          8 * Rounding.UNIT
              + (standardization && regParam > 0 ? statistics.varianceRelativeError()[j] : 0);
    }
    return new Penalty(lambda, error);
  }

  public int size() {
    return lambda.length;
  }
}
