package dev.lethe.core.objective;

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

  public int size() {
    return lambda.length;
  }
}
