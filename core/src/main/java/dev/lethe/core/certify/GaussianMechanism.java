package dev.lethe.core.certify;

import org.apache.commons.numbers.gamma.Erfcx;

/**
 * The analytic Gaussian mechanism of Balle and Wang, ICML 2018, Theorem 8: adding N(0, sigma^2 I)
 * to a vector that is known to within an Euclidean distance rho is (epsilon, delta)-private if and
 * only if, with mu = rho / sigma,
 *
 * <pre>
 *   delta(epsilon, mu) = Phi(mu/2 - epsilon/mu) - e^epsilon Phi(-mu/2 - epsilon/mu) &lt;= delta     (5)
 * </pre>
 *
 * <p>An instance is a claim that holds: the constructor refuses a sigma for which (5) is not proven
 * by {@link #logDelta}, so a verifier only has to construct one.
 *
 * <p>Evaluation: with x = epsilon/mu - mu/2, y = epsilon/mu + mu/2 and the Mills ratio M(t) =
 * Phi(-t) / phi(t) = sqrt(pi/2) erfcx(t / sqrt 2), the identity e^epsilon phi(y) = phi(x) gives
 * delta(epsilon, mu) = phi(x) (M(x) - M(y)): nothing overflows, and what cancels is bounded.
 *
 * @param epsilon positive, finite
 * @param delta in (0, 1)
 * @param rho the proven distance, positive, finite
 * @param sigma the standard deviation of the noise of every coordinate, in units of theta
 */
public record GaussianMechanism(double epsilon, double delta, double rho, double sigma)
    implements OutputMechanism {
  private static final double U = 0x1p-53;

  /**
   * Relative error of a Mills ratio: Erfcx is accurate to 2 ulp, the argument, the constant and the
   * products add less than 5 more roundings. Everything else is scaled with it.
   */
  private static final double ERROR = 16 * U;

  /**
   * Calibration proves (5) with three times the error, so that the proof does not hang on how
   * another Java runtime rounds its logarithm.
   */
  private static final double CALIBRATION_ERROR = 3 * ERROR;

  /** Keeps x^2 finite; a smaller x only rounds delta up. */
  private static final double LARGEST_X = 1e100;

  private static final double SQRT_HALF = Math.sqrt(0.5);
  private static final double SQRT_HALF_PI = Math.sqrt(Math.PI / 2);
  private static final double LOG_SQRT_TWO_PI = 0.5 * Math.log(2 * Math.PI);

  public GaussianMechanism {
    requirePositive("epsilon", epsilon);
    if (!(delta > 0 && delta < 1)) {
      throw new IllegalArgumentException("delta = " + delta + ": must lie in (0, 1)");
    }
    requirePositive("rho", rho);
    requirePositive("sigma", sigma);
    if (!isPrivate(epsilon, delta, Math.nextUp(rho / sigma), ERROR)) {
      throw new IllegalArgumentException(
          "sigma = %s: too small for epsilon = %s, delta = %s, rho = %s; delta would be %s"
              .formatted(sigma, epsilon, delta, rho, delta(epsilon, rho / sigma)));
    }
  }

  /**
   * The mechanism for {@code coordinates} sampled normals on a {@link PublicationGrid}: delta also
   * pays for the sampler's discreteness, at most (1 + e^epsilon) coordinates 4e-12 ({@code
   * docs/distance-bounds.md}, section 5); (5) gets the rest.
   *
   * @throws IllegalArgumentException as {@link #calibrate(double, double, double)}, and if the
   *     sampler alone takes half of delta
   */
  public static GaussianMechanism calibrate(
      double epsilon, double delta, double rho, int coordinates) {
    requirePositive("epsilon", epsilon);
    double sampler = OutputMechanism.samplerDelta(epsilon, coordinates);
    if (!(sampler <= delta / 2)) {
      throw new IllegalArgumentException(
          "delta = %s: too small for %d parameters at epsilon = %s; must be at least %s"
              .formatted(delta, coordinates, epsilon, 2 * sampler));
    }
    return calibrate(epsilon, delta - sampler, rho);
  }

  /**
   * The mechanism with the smallest sigma that satisfies (5), rounded up by at most a relative
   * 2^-45 beyond three times the excess of {@link #logDelta}. sigma / rho depends on epsilon and
   * delta only.
   *
   * @throws IllegalArgumentException unless epsilon and rho are positive and finite, delta lies in
   *     (0, 1), and sigma is representable
   */
  public static GaussianMechanism calibrate(double epsilon, double delta, double rho) {
    requirePositive("epsilon", epsilon);
    if (!(delta > 0 && delta < 1)) {
      throw new IllegalArgumentException("delta = " + delta + ": must lie in (0, 1)");
    }
    requirePositive("rho", rho);
    double lower = 1; // the invariant of the search: (5) is proven at lower, not at upper
    while (!isPrivate(epsilon, delta, lower, CALIBRATION_ERROR)) {
      lower /= 2;
      if (lower < Double.MIN_NORMAL) {
        throw new IllegalArgumentException(
            "epsilon = " + epsilon + ", delta = " + delta + ": too small for any sigma");
      }
    }
    double upper = 2 * lower;
    while (isPrivate(epsilon, delta, upper, CALIBRATION_ERROR)) {
      lower = upper;
      upper *= 2;
    }
    while (upper > lower * (1 + 0x1p-50)) {
      double middle = lower + (upper - lower) / 2;
      if (isPrivate(epsilon, delta, middle, CALIBRATION_ERROR)) {
        lower = middle;
      } else {
        upper = middle;
      }
    }
    // The margin lets the constructor prove (5) from rho / sigma as it is computed there.
    double sigma = Math.nextUp(rho / lower * (1 + 0x1p-46));
    if (sigma == Double.POSITIVE_INFINITY) {
      throw new IllegalArgumentException(
          "rho = " + rho + ": too large, sigma would exceed the range of a double");
    }
    return new GaussianMechanism(epsilon, delta, rho, sigma);
  }

  @Override
  public GaussianNoise noise() {
    return new GaussianNoise(sigma);
  }

  /** The left-hand side of (5), rounded up, at most 1. See {@link #logDelta}. */
  public static double delta(double epsilon, double mu) {
    return Math.min(1, Math.exp(logDelta(epsilon, mu)) * (1 + 4 * U));
  }

  /**
   * log delta(epsilon, mu), rounded up: never below the exact value. The relative excess of
   * delta(epsilon, mu) is of the order 2^-48 (1 + epsilon/mu) / mu.
   *
   * @param epsilon positive, finite
   * @param mu rho / sigma, positive, finite
   */
  public static double logDelta(double epsilon, double mu) {
    requirePositive("epsilon", epsilon);
    requirePositive("mu", mu);
    return logDelta(epsilon, mu, ERROR);
  }

  private static double logDelta(double epsilon, double mu, double error) {
    // delta falls in x and rises in y, so x is taken too small and y too large.
    double ratio = Math.min(epsilon / mu, LARGEST_X);
    double y = (ratio + mu / 2) * (1 + 4 * U);
    double x = ratio - mu / 2 - 4 * U * y;
    if (x < -39) {
      return 0; // 1 - delta < 2^-1000
    }
    if (x < 0) {
      // 1 - Phi(x) - phi(x) M(y), with Phi(x) = phi(x) M(-x)
      double phi = Math.exp(-x * x / 2 - LOG_SQRT_TWO_PI) * (1 - error / 4 * (1 + x * x));
      double complement = phi * (mills(-x) + mills(y)) * (1 - error);
      return Math.min(0, Math.log1p(-complement) + 4 * error);
    }
    double logDifference = Math.log(mills(x) * (1 + error) - mills(y) * (1 - error));
    double log = logDifference - x * x / 2 - LOG_SQRT_TWO_PI;
    return Math.min(0, log + error / 2 * (2 + x * x + Math.abs(logDifference)));
  }

  private static boolean isPrivate(double epsilon, double delta, double mu, double error) {
    return logDelta(epsilon, mu, error) <= Math.nextDown(Math.nextDown(Math.log(delta)));
  }

  /** M(t) = Phi(-t) / phi(t) for t &gt;= 0. */
  private static double mills(double t) {
    return SQRT_HALF_PI * Erfcx.value(t * SQRT_HALF);
  }

  private static void requirePositive(String name, double value) {
    if (!(value > 0 && value < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException(name + " = " + value + ": must be positive and finite");
    }
  }
}
