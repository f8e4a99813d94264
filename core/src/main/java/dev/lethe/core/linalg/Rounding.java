package dev.lethe.core.linalg;

/**
 * Constants and bounds of floating-point error analysis (Higham, Accuracy and Stability of
 * Numerical Algorithms, 2nd ed., chapters 3 and 4). Every bound here is an upper bound, computed
 * values included.
 */
public final class Rounding {
  /** The unit roundoff u = 2^-53 of round-to-nearest double arithmetic. */
  public static final double UNIT = 0x1p-53;

  /** Absorbs the rounding of a handful of further operations: 1 + 2^-40. */
  private static final double SAFETY = 1 + 0x1p-40;

  private Rounding() {}

  /**
   * gamma_m = m u / (1 - m u), rounded up: the relative error of m chained operations, in any
   * order.
   *
   * @throws IllegalArgumentException if m u &gt;= 1/2
   */
  public static double gamma(double m) {
    double mu = m * UNIT;
    if (!(m >= 0 && mu < 0.5)) {
      throw new IllegalArgumentException("gamma_m needs 0 <= m < 2^52, not m = " + m);
    }
    return mu / (1 - mu) * SAFETY;
  }

  /** An upper bound of a non-negative value that was computed with at most {@code m} operations. */
  public static double up(double computed, double m) {
    return computed * (1 + 2 * gamma(m)) * SAFETY;
  }

  /** A lower bound of a non-negative value that was computed with at most {@code m} operations. */
  public static double down(double computed, double m) {
    return computed * (1 - 2 * gamma(m)) / SAFETY;
  }
}
