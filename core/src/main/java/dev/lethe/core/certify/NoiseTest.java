package dev.lethe.core.certify;

import java.util.Arrays;
import org.apache.commons.statistics.distribution.ChiSquaredDistribution;
import org.apache.commons.statistics.distribution.NormalDistribution;

/**
 * Whether published parameters differ from the un-noised ones as N(0, sigma^2 I) would: four tests
 * of z_j = (published_j - unnoised_j) / sigma, each at a quarter of the false-rejection rate, so
 * that true noise is rejected with at most that rate (union bound).
 *
 * <p>The grid moves each z_j by at most step / (2 sigma) &lt;= 1/200. Every statistic is relaxed by
 * the most that this can do to it (triangle inequality; Phi rises by less than 0.4 per unit), so
 * the rate holds for the rounded noise and every p; a sigma that is wrong by less than 1/200
 * passes.
 *
 * @param count number p of coordinates that are not fixed
 * @param sumOfSquares two-sided p-value of sum z^2 under chi-square with p degrees of freedom
 * @param maximum p-value of max |z|, exact for independent coordinates
 * @param mean two-sided p-value of sqrt(p) mean(z) under N(0, 1)
 * @param distribution an upper bound of the Kolmogorov-Smirnov p-value, 2 exp(-2 p D^2) (Massart,
 *     1990); 1 for p &lt; 20
 * @param falseRejectionRate of the four together
 */
public record NoiseTest(
    int count,
    double sumOfSquares,
    double maximum,
    double mean,
    double distribution,
    double falseRejectionRate) {
  /** The rate that certificates are verified with. */
  public static final double DEFAULT_FALSE_REJECTION_RATE = 1e-9;

  private static final double GRID_SHIFT = 0.5 / PublicationGrid.STEPS_PER_SIGMA;
  private static final int SMALLEST_DISTRIBUTION_SAMPLE = 20;
  private static final NormalDistribution NORMAL = NormalDistribution.of(0, 1);

  /**
   * Tests the noise of a publication.
   *
   * @throws IllegalArgumentException if lengths differ, sigma is not positive and finite, or the
   *     rate is not in (0, 1)
   */
  public static NoiseTest of(
      double[] published,
      double[] unnoised,
      boolean[] fixed,
      double sigma,
      double falseRejectionRate) {
    if (published.length != unnoised.length || published.length != fixed.length) {
      throw new IllegalArgumentException(
          "published, unnoised and fixed have %d, %d and %d entries: must be equal"
              .formatted(published.length, unnoised.length, fixed.length));
    }
    if (!(sigma > 0 && sigma < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException("sigma = " + sigma + ": must be positive and finite");
    }
    double[] z = new double[published.length];
    int count = 0;
    for (int j = 0; j < z.length; j++) {
      if (!fixed[j]) {
        z[count++] = (published[j] - unnoised[j]) / sigma;
      }
    }
    return of(Arrays.copyOf(z, count), falseRejectionRate);
  }

  /** Tests whether z looks like a sample of N(0, 1). */
  public static NoiseTest of(double[] z, double falseRejectionRate) {
    if (!(falseRejectionRate > 0 && falseRejectionRate < 1)) {
      throw new IllegalArgumentException(
          "falseRejectionRate = " + falseRejectionRate + ": must lie in (0, 1)");
    }
    int p = z.length;
    if (p == 0) {
      return new NoiseTest(0, 1, 1, 1, 1, falseRejectionRate);
    }
    double sum = 0;
    double squares = 0;
    double largest = 0;
    for (double value : z) {
      sum += value;
      squares += value * value;
      largest = Math.max(largest, Math.abs(value));
    }
    double norm = Math.sqrt(squares);
    double shift = GRID_SHIFT * Math.sqrt(p);
    double lowest = (norm + shift) * (norm + shift);
    double highest = Math.max(0, norm - shift) * Math.max(0, norm - shift);
    ChiSquaredDistribution chiSquared = ChiSquaredDistribution.of(p);
    double tail =
        Math.min(chiSquared.cumulativeProbability(lowest), chiSquared.survivalProbability(highest));
    double exceedance =
        2 * NORMAL.survivalProbability(Math.max(0, largest - GRID_SHIFT)); // of one coordinate
    return new NoiseTest(
        p,
        Math.min(1, 2 * tail),
        -Math.expm1(p * Math.log1p(-exceedance)),
        2 * NORMAL.survivalProbability(Math.max(0, Math.abs(sum) / Math.sqrt(p) - shift)),
        p < SMALLEST_DISTRIBUTION_SAMPLE ? 1 : kolmogorovSmirnov(z),
        falseRejectionRate);
  }

  /** Whether no test rejects. NaN and infinities are rejected. */
  public boolean passed() {
    double rate = falseRejectionRate / 4;
    return sumOfSquares >= rate && maximum >= rate && mean >= rate && distribution >= rate;
  }

  private static double kolmogorovSmirnov(double[] z) {
    double[] sorted = z.clone();
    Arrays.sort(sorted);
    int p = sorted.length;
    double distance = 0;
    for (int i = 0; i < p; i++) {
      double cdf = NORMAL.cumulativeProbability(sorted[i]);
      distance = Math.max(distance, Math.max(cdf - i / (double) p, (i + 1) / (double) p - cdf));
    }
    distance = Math.max(0, distance - 0.4 * GRID_SHIFT);
    return Math.min(1, 2 * Math.exp(-2 * p * distance * distance));
  }
}
