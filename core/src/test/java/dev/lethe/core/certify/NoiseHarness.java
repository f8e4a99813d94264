package dev.lethe.core.certify;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.DoubleUnaryOperator;

/**
 * Whether draws of a three-dimensional noise follow a law: 22 tests of N draws. Truth are moments
 * and distribution functions in closed form, not those of a library.
 *
 * <p>Moments, each rejected beyond 7 standard errors (a rate below 3e-12 each by the central limit
 * theorem): of every coordinate the first and the second; of every pair the product, and the
 * product of the squares; of every coordinate the product with the draw before; the radius with its
 * direction. Kolmogorov-Smirnov on every coordinate and on the radius, rejected below a p-value of
 * 1e-11 (Massart, 1990; exact for every N). Together true noise is rejected with a rate below
 * 1e-10.
 */
final class NoiseHarness {
  static final int DIMENSION = 3;

  private static final double STANDARD_ERRORS = 7;
  private static final double KS_RATE = 1e-11;

  /** The most that half a grid step, 1/200 deviation, moves a distribution function. */
  private static final double GRID = 0.71 / 200;

  /**
   * A spherically symmetric law on R^3, in units of its scale.
   *
   * @param second E z_j^2
   * @param fourth E z_j^4
   * @param squares E z_j^2 z_k^2
   * @param fourths E z_j^4 z_k^4
   * @param radiusVariance of ||z||
   * @param marginal P(z_j &lt;= t)
   * @param radius P(||z|| &lt;= t)
   */
  record Law(
      double second,
      double fourth,
      double squares,
      double fourths,
      double radiusVariance,
      DoubleUnaryOperator marginal,
      DoubleUnaryOperator radius) {}

  /** N(0, I): ||z|| is Maxwell's, of mean sqrt(8 / pi). */
  static final Law NORMAL =
      new Law(
          1, 3, 1, 9, 3 - 8 / Math.PI, NoiseHarness::phi, t -> 2 * phi(t) - 1 - 2 * t * density(t));

  /** exp(-||z||) / (8 pi): ||z|| is Gamma(3), z_j has the density (1 + |t|) e^-|t| / 4. */
  static final Law GAMMA_RADIUS =
      new Law(
          4,
          72,
          24,
          17280,
          3,
          t -> t < 0 ? (2 - t) * Math.exp(t) / 4 : 1 - (2 + t) * Math.exp(-t) / 4,
          t -> 1 - Math.exp(-t) * (1 + t + t * t / 2));

  private NoiseHarness() {}

  /** The names of the tests that reject; z[i] is draw i in units of the scale. */
  static List<String> rejections(double[][] z, Law law) {
    List<String> rejected = new ArrayList<>();
    int n = z.length;
    double[] radius = new double[n];
    for (int i = 0; i < n; i++) {
      radius[i] = Math.sqrt(z[i][0] * z[i][0] + z[i][1] * z[i][1] + z[i][2] * z[i][2]);
    }
    double meanRadius = Arrays.stream(radius).average().orElseThrow();
    for (int j = 0; j < DIMENSION; j++) {
      double[] x = new double[n];
      double[] moments = new double[4];
      for (int i = 0; i < n; i++) {
        x[i] = z[i][j];
        moments[0] += x[i] / n;
        moments[1] += x[i] * x[i] / n;
        moments[2] += x[i] * z[i == 0 ? n - 1 : i - 1][j] / n;
        // cos^2 - 1/3 of the direction has the variance 4/45
        moments[3] +=
            (radius[i] - meanRadius) * (x[i] * x[i] / (radius[i] * radius[i]) - 1 / 3.0) / n;
      }
      moment(rejected, "mean " + j, moments[0], 0, law.second, n);
      moment(
          rejected,
          "second moment " + j,
          moments[1],
          law.second,
          law.fourth - law.second * law.second,
          n);
      moment(rejected, "successive draws " + j, moments[2], 0, law.second * law.second, n);
      moment(rejected, "radius and direction " + j, moments[3], 0, law.radiusVariance * 4 / 45, n);
      kolmogorovSmirnov(rejected, "distribution " + j, x, law.marginal);
      int k = (j + 1) % DIMENSION;
      double product = 0;
      double squares = 0;
      for (double[] draw : z) {
        product += draw[j] * draw[k] / n;
        squares += draw[j] * draw[j] * draw[k] * draw[k] / n;
      }
      moment(rejected, "product " + j + k, product, 0, law.squares, n);
      moment(
          rejected,
          "squares " + j + k,
          squares,
          law.squares,
          law.fourths - law.squares * law.squares,
          n);
    }
    kolmogorovSmirnov(rejected, "radius", radius, law.radius);
    return rejected;
  }

  private static void moment(
      List<String> rejected, String name, double mean, double expected, double variance, int n) {
    double bound = STANDARD_ERRORS * Math.sqrt(variance / n) + 1e-4 * expected; // the grid's
    if (!(Math.abs(mean - expected) <= bound)) {
      rejected.add(name);
    }
  }

  private static void kolmogorovSmirnov(
      List<String> rejected, String name, double[] x, DoubleUnaryOperator cdf) {
    double[] sorted = x.clone();
    Arrays.sort(sorted);
    int n = sorted.length;
    double distance = 0;
    for (int i = 0; i < n; i++) {
      double f = cdf.applyAsDouble(sorted[i]);
      distance = Math.max(distance, Math.max(f - i / (double) n, (i + 1) / (double) n - f));
    }
    if (!(distance - GRID <= Math.sqrt(Math.log(2 / KS_RATE) / (2.0 * n)))) {
      rejected.add(name);
    }
  }

  private static double density(double t) {
    return Math.exp(-t * t / 2) / Math.sqrt(2 * Math.PI);
  }

  /** Phi by its Taylor series, 1/2 + phi(t) (t + t^3/3 + t^5/15 + ...): all terms of one sign. */
  private static double phi(double t) {
    if (Math.abs(t) > 10) {
      return t < 0 ? 0 : 1;
    }
    double term = t;
    double sum = t;
    for (int k = 3; Math.abs(term) > 1e-18 * Math.abs(sum); k += 2) {
      term *= t * t / k;
      sum += term;
    }
    return 0.5 + density(t) * sum;
  }
}
