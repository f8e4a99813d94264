package dev.lethe.core.certify;

import dev.ludovic.netlib.lapack.JavaLAPACK;
import dev.ludovic.netlib.lapack.LAPACK;
import java.util.Optional;
import org.netlib.util.intW;

/**
 * What centres the free intercepts t of K margins: V, about A^{-1} C, and m D &lt;= A with a
 * diagonal D of powers of four. In the coordinates (B, tau = t + V B) the curvature of tau is
 * separated from that of the coefficients B, but for what V misses.
 */
final class CentredMargins {
  /** Of the reference algorithm, so that a bound has the same bits on every machine. */
  private static final LAPACK REFERENCE = JavaLAPACK.getInstance();

  private final MarginCurvature curvature;

  /** D = diag(4^exponent). */
  private final int[] exponent;

  /** S = D^{-1/2} A D^{-1/2}, exactly; diagonal in [1/2, 2). */
  private final double[] scaled;

  /** About S^{-1}; no proof rests on how near it is. */
  private final double[] inverse;

  private final double eigenvalue;

  /** D^{-1/2} times a column of C, and of V. */
  private final double[] column;

  private final double[] solution;

  private CentredMargins(
      MarginCurvature curvature,
      int[] exponent,
      double[] scaled,
      double[] inverse,
      double eigenvalue) {
    this.curvature = curvature;
    this.exponent = exponent;
    this.scaled = scaled;
    this.inverse = inverse;
    this.eigenvalue = eigenvalue;
    column = new double[exponent.length];
    solution = new double[exponent.length];
  }

  /**
   * Empty if A is not positive definite beyond rounding.
   *
   * @param error kappa: A and S are known to within kappa sqrt(A_kk A_ll), kappa sqrt(S_kk S_ll)
   */
  static Optional<CentredMargins> of(MarginCurvature curvature, double error) {
    int n = curvature.margins();
    int features = curvature.features();
    int[] exponent = new int[n];
    for (int k = 0; k < n; k++) {
      double diagonal = curvature.entry(k, k, features);
      if (!(diagonal >= Double.MIN_NORMAL && diagonal < Double.POSITIVE_INFINITY)) {
        return Optional.empty();
      }
      exponent[k] = (Math.getExponent(diagonal) + 1) >> 1;
    }
    double[] scaled = new double[n * n];
    for (int k = 0; k < n; k++) {
      for (int l = 0; l < n; l++) {
        scaled[k * n + l] = Math.scalb(curvature.entry(k, l, features), -exponent[k] - exponent[l]);
      }
    }
    double eigenvalue = SmallestEigenvalue.lowerBound(scaled, n, error);
    return eigenvalue > 0
        ? Optional.of(
            new CentredMargins(curvature, exponent, scaled, inverse(scaled, n), eigenvalue))
        : Optional.empty();
  }

  private static double[] inverse(double[] matrix, int n) {
    double[] inverse = matrix.clone();
    intW info = new intW(0);
    REFERENCE.dpotrf("L", n, inverse, n, info);
    REFERENCE.dpotri("L", n, inverse, n, info);
    for (int k = 0; k < n; k++) {
      for (int l = 0; l < k; l++) {
        inverse[k * n + l] = inverse[l * n + k]; // LAPACK's lower triangle is the row-major upper
      }
    }
    return inverse;
  }

  /** K. */
  int size() {
    return exponent.length;
  }

  /** m, at most the smallest eigenvalue of the exact S. */
  double eigenvalue() {
    return eigenvalue;
  }

  /** The root of D_kk, a power of two. */
  double root(int k) {
    return Math.scalb(1.0, exponent[k]);
  }

  /** The trace of A. */
  double trace() {
    double trace = 0;
    for (int k = 0; k < size(); k++) {
      trace += curvature.entry(k, k, curvature.features());
    }
    return trace;
  }

  /** The trace of S. */
  double scaledTrace() {
    double trace = 0;
    for (int k = 0; k < size(); k++) {
      trace += scaled[k * size() + k];
    }
    return trace;
  }

  /**
   * Writes the column of V for coefficient j of margin l.
   *
   * @return an upper bound, but for rounding of sums of squares, of ||D^{-1/2} (C - A V)||_2^2 in
   *     that column, A and C as computed
   */
  double centre(int l, int j, double[] v) {
    int n = size();
    for (int k = 0; k < n; k++) {
      column[k] = Math.scalb(curvature.entry(k, l, j), -exponent[k]);
    }
    for (int k = 0; k < n; k++) {
      double sum = 0;
      for (int q = 0; q < n; q++) {
        sum += inverse[k * n + q] * column[q];
      }
      solution[k] = sum;
      v[k] = Math.scalb(sum, -exponent[k]);
    }
    double square = 0;
    for (int k = 0; k < n; k++) {
      double residual = column[k];
      double terms = Math.abs(column[k]);
      for (int q = 0; q < n; q++) {
        residual = Math.fma(-scaled[k * n + q], solution[q], residual);
        terms += Math.abs(scaled[k * n + q] * solution[q]);
      }
      double bound = Math.abs(residual) + (n + 2) * 0x1p-52 * terms;
      square += bound * bound + Double.MIN_NORMAL;
    }
    return square;
  }
}
