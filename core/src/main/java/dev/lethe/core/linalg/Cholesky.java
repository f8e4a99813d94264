package dev.lethe.core.linalg;

import dev.ludovic.netlib.lapack.LAPACK;
import java.util.Optional;
import java.util.stream.IntStream;
import org.netlib.util.intW;

/**
 * The factorisation A = L L' of a symmetric positive definite matrix (LAPACK dpotrf, dpotrs).
 * Coordinates that are coupled with no other take no part in it: they are divided by their
 * diagonal.
 */
public final class Cholesky {
  private static final LAPACK NETLIB = LAPACK.getInstance();

  /** Coordinates that are coupled with others, ascending. */
  private final int[] coupled;

  private final double[] factor;
  private final double[] diagonal;

  private Cholesky(int[] coupled, double[] factor, double[] diagonal) {
    this.coupled = coupled;
    this.factor = factor;
    this.diagonal = diagonal;
  }

  /**
   * Factorises a copy of {@code matrix}.
   *
   * @return empty if a pivot is not positive: the matrix is not numerically positive definite
   */
  public static Optional<Cholesky> of(SymmetricMatrix matrix) {
    double[] diagonal = new double[matrix.size()];
    for (int j = 0; j < diagonal.length; j++) {
      diagonal[j] = matrix.get(j, j);
      if (!(diagonal[j] > 0) || diagonal[j] == Double.POSITIVE_INFINITY) {
        return Optional.empty();
      }
    }
    int[] coupled = IntStream.range(0, matrix.size()).filter(j -> isCoupled(matrix, j)).toArray();
    double[] factor = part(matrix, coupled);
    intW info = new intW(0);
    NETLIB.dpotrf("L", coupled.length, factor, Math.max(1, coupled.length), info);
    if (info.val < 0) {
      throw new IllegalStateException("dpotrf: illegal argument " + -info.val);
    }
    return info.val == 0 && Vectors.isFinite(factor)
        ? Optional.of(new Cholesky(coupled, factor, diagonal))
        : Optional.empty();
  }

  private static boolean isCoupled(SymmetricMatrix matrix, int j) {
    for (int k = 0; k < matrix.size(); k++) {
      if (k != j && matrix.get(j, k) != 0) {
        return true;
      }
    }
    return false;
  }

  private static double[] part(SymmetricMatrix matrix, int[] coordinates) {
    int n = coordinates.length;
    if (n == matrix.size()) {
      return matrix.values().clone();
    }
    double[] part = new double[n * n];
    for (int j = 0; j < n; j++) {
      for (int k = 0; k < n; k++) {
        part[j * n + k] = matrix.get(coordinates[j], coordinates[k]);
      }
    }
    return part;
  }

  /** A^{-1} b. */
  public double[] solve(double[] b) {
    double[] x = new double[coupled.length];
    for (int j = 0; j < x.length; j++) {
      x[j] = b[coupled[j]];
    }
    intW info = new intW(0);
    int n = coupled.length;
    NETLIB.dpotrs("L", n, 1, factor, Math.max(1, n), x, Math.max(1, n), info);
    if (info.val != 0) {
      throw new IllegalStateException("dpotrs: illegal argument " + -info.val);
    }
    double[] solution = new double[b.length];
    for (int j = 0; j < b.length; j++) {
      solution[j] = b[j] / diagonal[j];
    }
    for (int j = 0; j < n; j++) {
      solution[coupled[j]] = x[j];
    }
    return solution;
  }
}
