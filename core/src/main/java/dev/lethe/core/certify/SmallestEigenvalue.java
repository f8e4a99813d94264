package dev.lethe.core.certify;

import dev.ludovic.netlib.lapack.JavaLAPACK;
import dev.ludovic.netlib.lapack.LAPACK;
import org.netlib.util.intW;

/**
 * Certified lower bounds of the smallest eigenvalue of a symmetric matrix by floating-point
 * Cholesky factorisation: Rump, Verification of positive definiteness, BIT 46 (2006).
 *
 * <p>If the factorisation of A - c I runs to completion, its backward error E satisfies |E_jk|
 * &lt;= d_j d_k, d_j^2 = gamma_{p+1} / (1 - gamma_{p+1}) A_jj, so lambda_min(A) &gt;= c - sum
 * d_j^2. The constant is quadrupled here: for the rounding of A - c I, for multiplication by
 * reciprocal pivots, and for underflow. A matrix S whose entries are within kappa sqrt(S_jj S_kk)
 * of A's is within kappa trace(S) of it in the spectral norm.
 */
final class SmallestEigenvalue {
  private static final int STEPS = 12;

  /** The reference algorithm in Java, whose backward error the proof knows; no native library. */
  private static final LAPACK REFERENCE = JavaLAPACK.getInstance();

  private SmallestEigenvalue() {}

  /**
   * A lower bound for every symmetric matrix whose entries are within kappa sqrt(S_jj S_kk) of S,
   * with the shift searched by bisection of its logarithm.
   *
   * @param s upper triangle, row-major, n x n, diagonal in [1/2, 2)
   * @return a positive bound, or 0 if none is proven
   */
  static double lowerBound(double[] s, int n, double kappa) {
    double trace = 0;
    double upper = Double.POSITIVE_INFINITY;
    for (int j = 0; j < n; j++) {
      trace += s[j * n + j];
      upper = Math.min(upper, s[j * n + j]);
    }
    if (n == 0) {
      return 1;
    }
    double error = (4 * (n + 16) * 0x1p-53 + kappa) * trace * (1 + (n + 32) * 0x1p-52);
    double lower = 2 * error;
    if (!(lower < upper) || !isPositiveDefinite(s, n, lower)) {
      return 0;
    }
    if (n == 1) {
      return (upper - error) * (1 - 0x1p-50);
    }
    for (int step = 0; step < STEPS; step++) {
      double shift = Math.sqrt(lower) * Math.sqrt(upper);
      if (isPositiveDefinite(s, n, shift)) {
        lower = shift;
      } else {
        upper = shift;
      }
    }
    return (lower - error) * (1 - 0x1p-50);
  }

  private static boolean isPositiveDefinite(double[] s, int n, double shift) {
    double[] factor = s.clone();
    for (int j = 0; j < n; j++) {
      factor[j * n + j] -= shift;
    }
    // The row-major upper triangle is LAPACK's column-major lower one.
    intW info = new intW(0);
    REFERENCE.dpotrf("L", n, factor, n, info);
    double sum = 0;
    for (double entry : factor) {
      sum += 0 * entry; // NaN if anything overflowed: dpotrf need not notice
    }
    return info.val == 0 && sum == 0;
  }
}
