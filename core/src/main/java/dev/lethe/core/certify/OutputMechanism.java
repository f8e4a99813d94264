package dev.lethe.core.certify;

/**
 * A way of publishing a vector that is known to within an Euclidean distance rho, and the claim
 * that it supports: an instance is a claim that holds, its constructor refuses any other.
 */
public sealed interface OutputMechanism permits GaussianMechanism, GammaRadiusMechanism {

  /**
   * A bound on the distance in total variation between what a sampler of this package publishes of
   * one coordinate and what the exact law would ({@code docs/distance-bounds.md}, section 5).
   */
  double SAMPLER_VARIATION = 4e-12;

  double epsilon();

  double delta();

  /** The proven distance, in units of theta. */
  double rho();

  /** What is added to the parameters. */
  OutputNoise noise();

  /**
   * The mechanism with the least noise for these terms: Gaussian for delta in (0, 1), {@link
   * GammaRadiusMechanism} for delta = 0.
   *
   * @param parameters p, an upper bound of the coordinates that get noise
   * @param coordinates that get noise
   * @throws IllegalArgumentException unless epsilon and rho are positive and finite, delta lies in
   *     [0, 1), and the noise is representable
   */
  static OutputMechanism calibrate(
      double epsilon, double delta, double rho, int parameters, int coordinates) {
    return delta == 0
        ? GammaRadiusMechanism.calibrate(epsilon, rho, coordinates)
        : GaussianMechanism.calibrate(epsilon, delta, rho, parameters);
  }

  /**
   * What the samplers' discreteness costs in delta: (1 + e^epsilon) times the total variation of
   * all coordinates, rounded up.
   */
  static double samplerDelta(double epsilon, double coordinates) {
    return (1 + Math.exp(epsilon)) * coordinates * SAMPLER_VARIATION * (1 + 0x1p-50);
  }
}
