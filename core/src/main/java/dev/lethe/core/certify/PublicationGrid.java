package dev.lethe.core.certify;

/**
 * The multiples of {@code step} to which published parameters are rounded, so that the low bits of
 * a double tell nothing about the un-noised value (Mironov, CCS 2012).
 *
 * <p>The step follows from sigma alone, never from data: the largest power of two that is at most
 * sigma / 100. Being a power of two, dividing and multiplying by it is exact.
 *
 * @param step a power of two
 */
public record PublicationGrid(double step) {
  /** sigma is at least this many steps. */
  public static final int STEPS_PER_SIGMA = 100;

  /** A smaller deviation has no grid. */
  public static final double SMALLEST_SIGMA = 0x1p-1000;

  /** The step is at least this many ulp of the largest un-noised parameter. */
  private static final double ULPS_PER_STEP = 0x1p20;

  public PublicationGrid {
    if (!(step >= Double.MIN_NORMAL && step < Double.POSITIVE_INFINITY)
        || step != Math.scalb(1.0, Math.getExponent(step))) {
      throw new IllegalArgumentException(
          "step = " + step + ": must be a power of two, at least " + Double.MIN_NORMAL);
    }
  }

  /**
   * The grid for noise of standard deviation sigma: sigma / 200 &lt; step &lt;= sigma / 100.
   *
   * @throws IllegalArgumentException unless sigma is finite and at least 2^-1000
   */
  public static PublicationGrid of(double sigma) {
    if (!(sigma >= SMALLEST_SIGMA && sigma < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException(
          "sigma = " + sigma + ": must be finite and at least " + SMALLEST_SIGMA);
    }
    double step = Math.scalb(1.0, Math.getExponent(sigma / STEPS_PER_SIGMA));
    // sigma / 100 may have been rounded up to a power of two; 100 * step is exact.
    return new PublicationGrid(STEPS_PER_SIGMA * step > sigma ? step / 2 : step);
  }

  /** The nearest multiple of the step; ties to even, and never -0.0. */
  public double round(double x) {
    return Math.rint(x / step) * step + 0.0;
  }

  /** Whether x is a multiple of the step. */
  public boolean contains(double x) {
    return Double.isFinite(x) && Math.rint(x / step) * step == x;
  }

  /**
   * Whether parameters of this size may be published: step &gt;= 2^20 ulp(maxAbsTheta). Then every
   * multiple of the step up to 2^20 maxAbsTheta is a double.
   *
   * @param maxAbsTheta the largest |theta_j| before the noise
   */
  public boolean fits(double maxAbsTheta) {
    return step >= ULPS_PER_STEP * Math.ulp(maxAbsTheta);
  }

  /**
   * The smallest rho, to a relative 2^-30, whose noise leaves a grid that fits: for the message
   * that refuses a smaller one.
   *
   * @param deviationPerRho the noise's standard deviation over rho, which does not depend on rho
   */
  public static double smallestRho(double deviationPerRho, double maxAbsTheta) {
    double deviation =
        Math.max(SMALLEST_SIGMA, STEPS_PER_SIGMA * ULPS_PER_STEP * Math.ulp(maxAbsTheta));
    return deviation / deviationPerRho * (1 + 0x1p-30);
  }
}
