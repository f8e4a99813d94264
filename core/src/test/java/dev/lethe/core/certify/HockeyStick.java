package dev.lethe.core.certify;

import java.util.Arrays;
import org.apache.commons.statistics.distribution.BetaDistribution;

/**
 * delta at epsilon of two worlds, estimated from runs of both.
 *
 * <p>It is the supremum over events S of P(S) - e^epsilon Q(S), which for two shifted normals is
 * attained on a half-line. The half-line is chosen on the first half of the runs; on the other
 * half, Clopper-Pearson limits give a lower confidence limit.
 *
 * @param value the estimate, the larger of both directions
 * @param lowerLimit exceeds the true delta with probability at most {@value #ERROR_RATE}
 */
record HockeyStick(double value, double lowerLimit) {
  private static final double ERROR_RATE = 1e-6;

  /**
   * @param p runs of one world, an even number
   * @param q as many runs of the other
   */
  static HockeyStick estimate(double[] p, double[] q, double epsilon) {
    HockeyStick forward = oneWay(p, q, Math.exp(epsilon));
    HockeyStick backward = oneWay(q, p, Math.exp(epsilon));
    return new HockeyStick(
        Math.max(forward.value, backward.value), Math.max(forward.lowerLimit, backward.lowerLimit));
  }

  private static HockeyStick oneWay(double[] p, double[] q, double factor) {
    int runs = p.length / 2;
    double[] pChoice = sortedCopy(p, 0, runs);
    double[] qChoice = sortedCopy(q, 0, runs);
    double[] pTest = sortedCopy(p, runs, 2 * runs);
    double[] qTest = sortedCopy(q, runs, 2 * runs);
    double best = Double.NEGATIVE_INFINITY;
    double threshold = 0;
    boolean above = true;
    for (double t : pChoice) {
      double below = (count(pChoice, t) - factor * count(qChoice, t)) / runs;
      double beyond = 1 - factor - below;
      if (Math.max(below, beyond) > best) {
        best = Math.max(below, beyond);
        threshold = t;
        above = beyond > below;
      }
    }
    int pCount = above ? runs - count(pTest, threshold) : count(pTest, threshold);
    int qCount = above ? runs - count(qTest, threshold) : count(qTest, threshold);
    return new HockeyStick(
        (pCount - factor * qCount) / runs,
        lowerLimit(pCount, runs) - factor * (1 - lowerLimit(runs - qCount, runs)));
  }

  /** Clopper-Pearson; four limits an estimate (two worlds, two directions). */
  private static double lowerLimit(int count, int runs) {
    return count == 0
        ? 0
        : BetaDistribution.of(count, runs - count + 1.0)
            .inverseCumulativeProbability(ERROR_RATE / 4);
  }

  /** How many of the sorted values are at most t. */
  private static int count(double[] sorted, double t) {
    int low = 0;
    int high = sorted.length;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (sorted[middle] <= t) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  private static double[] sortedCopy(double[] values, int from, int to) {
    double[] sorted = Arrays.copyOfRange(values, from, to);
    Arrays.sort(sorted);
    return sorted;
  }
}
