package dev.lethe.core.certify;

/**
 * Pure epsilon: noise of density proportional to exp(-||z||_2 / scale) with scale = rho / epsilon
 * (Chaudhuri, Monteleoni, Sarwate, JMLR 2011). For two centres a, a* at a distance of at most rho
 * the densities at any point differ by a factor of at most e^epsilon, by the triangle inequality:
 *
 * <pre>
 *   exp(-||x - a|| / scale) &lt;= exp(||a - a*|| / scale) exp(-||x - a*|| / scale)
 * </pre>
 *
 * <p>That is delta = 0 for the exact law. The {@link #delta} of this mechanism is what the
 * sampler's discreteness adds, and nothing else.
 *
 * @param epsilon positive, finite
 * @param delta at least {@link OutputMechanism#samplerDelta}
 * @param rho the proven distance, positive, finite
 * @param noise scale at least rho / epsilon
 */
public record GammaRadiusMechanism(double epsilon, double delta, double rho, GammaRadiusNoise noise)
    implements OutputMechanism {

  /** A delta above this is no longer what is meant by delta = 0. */
  public static final double LARGEST_DELTA = 1e-4;

  public GammaRadiusMechanism {
    requirePositive("epsilon", epsilon);
    requirePositive("rho", rho);
    if (!(noise.scale() >= leastScale(epsilon, rho))) {
      throw new IllegalArgumentException(
          "scale = %s: too small for epsilon = %s, rho = %s; must be at least %s"
              .formatted(noise.scale(), epsilon, rho, leastScale(epsilon, rho)));
    }
    double sampler = OutputMechanism.samplerDelta(epsilon, noise.coordinates());
    if (!(delta >= sampler && delta <= LARGEST_DELTA)) {
      throw new IllegalArgumentException(
          "delta = %s: must lie between %s, the cost of sampling %d parameters, and %s"
              .formatted(delta, sampler, noise.coordinates(), LARGEST_DELTA));
    }
  }

  /**
   * The mechanism with the least noise: scale = rho / epsilon, rounded up.
   *
   * @param coordinates that get noise
   * @throws IllegalArgumentException unless epsilon and rho are positive and finite and the scale
   *     is representable, or if sampling costs a delta above {@link #LARGEST_DELTA}
   */
  public static GammaRadiusMechanism calibrate(double epsilon, double rho, int coordinates) {
    requirePositive("epsilon", epsilon);
    requirePositive("rho", rho);
    double delta = OutputMechanism.samplerDelta(epsilon, coordinates);
    if (!(delta <= LARGEST_DELTA)) {
      throw new IllegalArgumentException(
          ("epsilon = %s: too large for delta = 0 and %d parameters; sampling their noise costs a"
                  + " delta of %s, allowed is at most %s. Give a delta")
              .formatted(epsilon, coordinates, delta, LARGEST_DELTA));
    }
    double scale = leastScale(epsilon, rho);
    if (!(scale * Math.sqrt(coordinates + 1.0) < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException(
          "rho = " + rho + ": too large, the noise would exceed the range of a double");
    }
    return new GammaRadiusMechanism(epsilon, delta, rho, new GammaRadiusNoise(scale, coordinates));
  }

  private static double leastScale(double epsilon, double rho) {
    return Math.nextUp(rho / epsilon);
  }

  private static void requirePositive(String name, double value) {
    if (!(value > 0 && value < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException(name + " = " + value + ": must be positive and finite");
    }
  }
}
