package dev.lethe.core.solver;

/**
 * The diagonal preconditioner in centred features: M = T' D T, where T replaces an intercept b by t
 * = b + mu'beta. Without an intercept, plain Jacobi. Several margins have an intercept each.
 *
 * <p>A margin x'beta + b is (x - mu)'beta + t: centring removes what the intercept shares with
 * every feature that has a mean, which is what makes plain Jacobi slow on raw columns (an age of 38
 * +- 13). M^{-1} r = T^{-1} D^{-1} T^{-T} r with (T^{-T} r)_j = r_j - mu_j r_0.
 */
public final class CentredJacobi implements Preconditioner {
  private final double[] diagonal;
  private final double[] mean;
  private final int[] intercept;

  /**
   * @param diagonal D, length p, positive
   * @param mean mu, length p; 0 where there is no intercept, and at intercepts
   * @param intercept for each coordinate the index of the intercept that it is centred with, or -1
   */
  public CentredJacobi(double[] diagonal, double[] mean, int[] intercept) {
    for (int j = 0; j < diagonal.length; j++) {
      if (!(diagonal[j] > 0 && Double.isFinite(diagonal[j]))) {
        throw new IllegalArgumentException(
            "the diagonal must be finite and positive; entry " + j + " is " + diagonal[j]);
      }
    }
    this.diagonal = diagonal.clone();
    this.mean = mean.clone();
    this.intercept = intercept.clone();
  }

  /** D_jj. */
  public double diagonal(int j) {
    return diagonal[j];
  }

  /** D^{-1/2} T^{-T} r: a gradient in the coordinates in which M is the identity. */
  double[] scaled(double[] r) {
    double[] z = r.clone();
    for (int j = 0; j < z.length; j++) {
      if (intercept[j] >= 0) {
        z[j] -= mean[j] * r[intercept[j]];
      }
      z[j] /= Math.sqrt(diagonal[j]);
    }
    return z;
  }

  /** T^{-1} D^{-1/2} z: a direction from those coordinates. */
  double[] unscaled(double[] z) {
    double[] v = new double[z.length];
    for (int j = 0; j < v.length; j++) {
      v[j] = z[j] / Math.sqrt(diagonal[j]);
    }
    for (int j = 0; j < v.length; j++) {
      if (intercept[j] >= 0) {
        v[intercept[j]] -= mean[j] * v[j];
      }
    }
    return v;
  }

  @Override
  public double[] applyInverse(double[] r) {
    double[] z = r.clone();
    for (int j = 0; j < z.length; j++) {
      if (intercept[j] >= 0) {
        z[j] -= mean[j] * r[intercept[j]];
      }
      z[j] /= diagonal[j];
    }
    for (int j = 0; j < z.length; j++) {
      if (intercept[j] >= 0) {
        z[intercept[j]] -= mean[j] * z[j];
      }
    }
    return z;
  }
}
