package dev.lethe.core.certify;

import dev.lethe.core.linalg.Rounding;

/**
 * What an observer of several releases learns, each published with noise of its own that is
 * independent of all others.
 *
 * <p>For every set S of outcomes, with P the releases and Q those of models retrained on the
 * respective corrected data: P[S] &lt;= e^epsilon Q[S] + {@link #delta delta(epsilon)}, and with
 * the two exchanged. It holds also where a release, or the request for it, depends on those before
 * it, as long as that dependence is the same in both worlds ({@code docs/distance-bounds.md},
 * section 4). Gaussian releases compose as one Gaussian mechanism, pure ones by adding their
 * epsilons, the two kinds by basic composition:
 *
 * <pre>
 *   mu^2 = sum (rho_i / sigma_i)^2,   epsilon_0 = sum rho_i / scale_i
 *   delta(epsilon) = delta_(5)(epsilon - epsilon_0, mu) + (1 + e^epsilon) tau
 * </pre>
 *
 * where tau is the samplers' total variation over all releases. All figures are rounded up.
 *
 * @param squaredMu mu^2, 0 without a Gaussian release
 * @param pureEpsilon epsilon_0, 0 without a pure release
 * @param coordinates of all releases together: tau is so many times {@link
 *     OutputMechanism#SAMPLER_VARIATION}
 */
public record Composition(double squaredMu, double pureEpsilon, long coordinates) {
  private static final double LARGEST_EPSILON = 1e6;

  /** No release. */
  public static final Composition NONE = new Composition(0, 0, 0);

  public Composition {
    if (!(squaredMu >= 0 && squaredMu < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException("squaredMu = " + squaredMu + ": must be finite, >= 0");
    }
    if (!(pureEpsilon >= 0 && pureEpsilon < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException("pureEpsilon = " + pureEpsilon + ": must be finite, >= 0");
    }
    if (coordinates < 0) {
      throw new IllegalArgumentException("coordinates = " + coordinates + ": must be at least 0");
    }
  }

  /**
   * These releases and one more.
   *
   * @param rho its proven distance, positive and finite
   * @param noise its noise
   * @param parameters an upper bound of its coordinates with noise
   */
  public Composition and(double rho, OutputNoise noise, int parameters) {
    if (!(rho > 0 && rho < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException("rho = " + rho + ": must be positive and finite");
    }
    if (noise instanceof GammaRadiusNoise pure) {
      return new Composition(
          squaredMu,
          sum(pureEpsilon, Math.nextUp(rho / pure.scale())),
          coordinates + pure.coordinates());
    }
    double mu = Math.nextUp(rho / noise.deviation());
    return new Composition(
        sum(squaredMu, Math.nextUp(mu * mu)), pureEpsilon, coordinates + parameters);
  }

  private static double sum(double a, double b) {
    return a == 0 ? b : Math.nextUp(a + b);
  }

  /** mu, as if all Gaussian releases were one of rho / sigma = mu. */
  public double mu() {
    return squaredMu == 0 ? 0 : Math.nextUp(Math.sqrt(squaredMu));
  }

  /**
   * The delta that is proven at epsilon; 1 if nothing is.
   *
   * @throws IllegalArgumentException unless epsilon is positive and finite
   */
  public double delta(double epsilon) {
    requirePositive(epsilon);
    double sampler = OutputMechanism.samplerDelta(epsilon, coordinates);
    if (squaredMu == 0) {
      return epsilon >= pureEpsilon ? Math.min(1, sampler) : 1;
    }
    double left = pureEpsilon == 0 ? epsilon : Math.nextDown(epsilon - pureEpsilon);
    return left > 0
        ? Math.min(1, Rounding.up(GaussianMechanism.delta(left, mu()) + sampler, 1))
        : 1;
  }

  /**
   * The smallest epsilon, to a relative 2^-40, at which delta is proven.
   *
   * @throws IllegalArgumentException unless delta lies in (0, 1), and if sampling the noise of all
   *     releases costs so much of it that none is found
   */
  public double epsilon(double delta) {
    if (!(delta > 0 && delta < 1)) {
      throw new IllegalArgumentException("delta = " + delta + ": must lie in (0, 1)");
    }
    // At most half of delta for the samplers: then delta(epsilon) <= delta is a half-line below it.
    double upper = Math.min(LARGEST_EPSILON, Math.log(delta / 2 / samplers() - 1));
    if (squaredMu == 0 && pureEpsilon <= upper) {
      return pureEpsilon;
    }
    if (!(upper > pureEpsilon && delta(upper) <= delta)) {
      throw new IllegalArgumentException(
          ("delta = %s: too small, sampling the noise of these releases costs a delta itself;"
                  + " must be at least %s")
              .formatted(delta, 2 * OutputMechanism.samplerDelta(pureEpsilon, coordinates)));
    }
    double lower = pureEpsilon; // delta is not proven at lower, but at upper
    while (upper > lower * (1 + 0x1p-40) && upper > Double.MIN_NORMAL) {
      double middle = lower + (upper - lower) / 2;
      if (delta(middle) <= delta) {
        upper = middle;
      } else {
        lower = middle;
      }
    }
    return upper;
  }

  private double samplers() {
    return coordinates * OutputMechanism.SAMPLER_VARIATION;
  }

  private static void requirePositive(double epsilon) {
    if (!(epsilon > 0 && epsilon < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException("epsilon = " + epsilon + ": must be positive and finite");
    }
  }
}
