package dev.lethe.core.linalg;

import dev.ludovic.netlib.lapack.LAPACK;
import java.util.Optional;
import org.netlib.util.intW;

/** The factorisation A = L L' of a symmetric positive definite matrix (LAPACK dpotrf, dpotrs). */
public final class Cholesky {
  private static final LAPACK NETLIB = LAPACK.getInstance();

  private final int size;
  private final double[] factor;

  private Cholesky(int size, double[] factor) {
    this.size = size;
    this.factor = factor;
  }

  /**
   * Factorises a copy of {@code matrix}.
   *
   * @return empty if a pivot is not positive: the matrix is not numerically positive definite
   */
  public static Optional<Cholesky> of(SymmetricMatrix matrix) {
    double[] factor = matrix.values().clone();
    intW info = new intW(0);
    NETLIB.dpotrf("L", matrix.size(), factor, Math.max(1, matrix.size()), info);
    if (info.val < 0) {
      throw new IllegalStateException("dpotrf: illegal argument " + -info.val);
    }
    return info.val == 0 && Vectors.isFinite(factor)
        ? Optional.of(new Cholesky(matrix.size(), factor))
        : Optional.empty();
  }

  /** A^{-1} b. */
  public double[] solve(double[] b) {
    double[] x = b.clone();
    intW info = new intW(0);
    NETLIB.dpotrs("L", size, 1, factor, Math.max(1, size), x, Math.max(1, size), info);
    if (info.val != 0) {
      throw new IllegalStateException("dpotrs: illegal argument " + -info.val);
    }
    return x;
  }
}
