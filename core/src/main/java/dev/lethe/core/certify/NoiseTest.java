package dev.lethe.core.certify;

import dev.lethe.core.linalg.Vectors;
import java.util.Arrays;
import org.apache.commons.statistics.distribution.ChiSquaredDistribution;
import org.apache.commons.statistics.distribution.GammaDistribution;
import org.apache.commons.statistics.distribution.NormalDistribution;

/**
 * Whether published parameters differ from the un-noised ones as their noise would: four tests of a
 * vector y that is N(0, I) for true noise, each at a quarter of the false-rejection rate, so that
 * true noise is rejected with at most that rate (union bound).
 *
 * <ul>
 *   <li>{@link GaussianNoise}: y = (published - unnoised) / sigma.
 *   <li>{@link GammaRadiusNoise}: z = (published - unnoised) / scale, R = ||z||, y = (g(R) / R) z,
 *       where g maps Gamma(p, 1) monotonically to the law chi(p) of a normal vector's norm. As the
 *       direction is uniform and independent of R, y is exactly N(0, I).
 * </ul>
 *
 * <p>The grid moves each coordinate by at most step / 2, 1/200 of its deviation. Every statistic is
 * relaxed by the most that this can do to it ({@code docs/distance-bounds.md}, section 6), so the
 * rate holds for the rounded noise and every p; noise that is wrong by less than 1/200 passes.
 *
 * @param count number p of coordinates that are not fixed
 * @param radius two-sided p-value of the noise's norm: sum y^2 under chi-square with p degrees of
 *     freedom, or R under Gamma(p, 1)
 * @param maximum p-value of max |y|, exact for independent coordinates
 * @param mean two-sided p-value of sqrt(p) mean(y) under N(0, 1)
 * @param distribution an upper bound of the Kolmogorov-Smirnov p-value, 2 exp(-2 p D^2) (Massart,
 *     1990); 1 for p &lt; 20
 * @param falseRejectionRate of the four together
 */
public record NoiseTest(
    int count,
    double radius,
    double maximum,
    double mean,
    double distribution,
    double falseRejectionRate) {
  /** The rate that certificates are verified with. */
  public static final double DEFAULT_FALSE_REJECTION_RATE = 1e-9;

  private static final double GRID_SHIFT = 0.5 / PublicationGrid.STEPS_PER_SIGMA;
  private static final int SMALLEST_DISTRIBUTION_SAMPLE = 20;
  private static final NormalDistribution NORMAL = NormalDistribution.of(0, 1);

  public NoiseTest {
    if (!(falseRejectionRate > 0 && falseRejectionRate < 1)) {
      throw new IllegalArgumentException(
          "falseRejectionRate = " + falseRejectionRate + ": must lie in (0, 1)");
    }
  }

  /** (published - unnoised) / unit, without the fixed coordinates. */
  static double[] standardized(
      double[] published, double[] unnoised, boolean[] fixed, double unit) {
    if (published.length != unnoised.length || published.length != fixed.length) {
      throw new IllegalArgumentException(
          "published, unnoised and fixed have %d, %d and %d entries: must be equal"
              .formatted(published.length, unnoised.length, fixed.length));
    }
    double[] z = new double[published.length];
    int count = 0;
    for (int j = 0; j < z.length; j++) {
      if (!fixed[j]) {
        z[count++] = (published[j] - unnoised[j]) / unit;
      }
    }
    return Arrays.copyOf(z, count);
  }

  /**
   * Tests whether z looks like a sample of N(0, 1).
   *
   * @throws IllegalArgumentException unless the rate is in (0, 1)
   */
  public static NoiseTest of(double[] z, double falseRejectionRate) {
    int p = z.length;
    if (p == 0) {
      return empty(falseRejectionRate);
    }
    double norm = Vectors.norm(z);
    double shift = GRID_SHIFT * Math.sqrt(p);
    double above = (norm + shift) * (norm + shift);
    double below = Math.max(0, norm - shift) * Math.max(0, norm - shift);
    ChiSquaredDistribution law = ChiSquaredDistribution.of(p);
    double radius = twoSided(law.cumulativeProbability(above), law.survivalProbability(below));
    return of(z, radius, 1, GRID_SHIFT, 0, falseRejectionRate);
  }

  /**
   * Tests whether z looks like noise of density proportional to exp(-||z||).
   *
   * @throws IllegalArgumentException unless the rate is in (0, 1)
   */
  public static NoiseTest ofGammaRadius(double[] z, double falseRejectionRate) {
    int p = z.length;
    if (p == 0) {
      return empty(falseRejectionRate);
    }
    double norm = Vectors.norm(z);
    double shift = GRID_SHIFT * Math.sqrt(p + 1.0); // of a coordinate, in units of the scale
    double radiusShift = Math.sqrt(p) * shift;
    GammaDistribution law = GammaDistribution.of(p, 1);
    double radius =
        twoSided(
            law.cumulativeProbability(norm + radiusShift),
            law.survivalProbability(Math.max(0, norm - radiusShift)));
    if (!(radius >= falseRejectionRate / 4)) { // g is not needed, and far out it is not finite
      return new NoiseTest(p, radius, 1, 1, 1, falseRejectionRate);
    }
    double ratio = norm == 0 ? 0 : toChi(norm, law) / norm;
    double[] y = new double[p];
    Arrays.setAll(y, j -> ratio * z[j]);
    // g(R) / R falls in R while g rises: their factor lies in [1 - d / R, 1 / (1 - d / R)]
    double spread = radiusShift < norm ? -Math.log1p(-radiusShift / norm) : Double.MAX_VALUE;
    return of(y, radius, Math.exp(-spread), ratio * shift, spread, falseRejectionRate);
  }

  /** g: the radius of a normal vector that is as likely to be exceeded. */
  private static double toChi(double norm, GammaDistribution law) {
    ChiSquaredDistribution chiSquared = ChiSquaredDistribution.of(law.getShape());
    double survival = law.survivalProbability(norm);
    return Math.sqrt(
        survival < 0.5
            ? chiSquared.inverseSurvivalProbability(survival)
            : chiSquared.inverseCumulativeProbability(law.cumulativeProbability(norm)));
  }

  private static NoiseTest empty(double falseRejectionRate) {
    return new NoiseTest(0, 1, 1, 1, 1, falseRejectionRate);
  }

  private static double twoSided(double lower, double upper) {
    return Math.min(1, 2 * Math.min(lower, upper));
  }

  /**
   * The tests of y, whose exact value is factor (y + e) with |e_j| &lt;= shift and |log factor|
   * &lt;= spread.
   *
   * @param least the smallest factor
   */
  private static NoiseTest of(
      double[] y, double radius, double least, double shift, double spread, double rate) {
    int p = y.length;
    double sum = 0;
    double largest = 0;
    for (double value : y) {
      sum += value;
      largest = Math.max(largest, Math.abs(value));
    }
    double exceedance =
        2 * NORMAL.survivalProbability(least * Math.max(0, largest - shift)); // of one coordinate
    double centre = least * Math.max(0, Math.abs(sum) / Math.sqrt(p) - shift * Math.sqrt(p));
    return new NoiseTest(
        p,
        radius,
        -Math.expm1(p * Math.log1p(-exceedance)),
        2 * NORMAL.survivalProbability(centre),
        p < SMALLEST_DISTRIBUTION_SAMPLE ? 1 : kolmogorovSmirnov(y, shift, spread),
        rate);
  }

  /** Whether no test rejects. NaN and infinities are rejected. */
  public boolean passed() {
    double rate = falseRejectionRate / 4;
    return radius >= rate && maximum >= rate && mean >= rate && distribution >= rate;
  }

  /** Phi rises by less than 0.4 per unit, and t phi(t) is below 0.242. */
  private static double kolmogorovSmirnov(double[] y, double shift, double spread) {
    double[] sorted = y.clone();
    Arrays.sort(sorted);
    int p = sorted.length;
    double distance = 0;
    for (int i = 0; i < p; i++) {
      double cdf = NORMAL.cumulativeProbability(sorted[i]);
      distance = Math.max(distance, Math.max(cdf - i / (double) p, (i + 1) / (double) p - cdf));
    }
    distance = Math.max(0, distance - 0.4 * shift - 0.242 * spread);
    return Math.min(1, 2 * Math.exp(-2 * p * distance * distance));
  }
}
