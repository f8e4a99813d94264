package dev.lethe.spark.certificate;

/** The smallest admissible noise: {@code GaussianMechanism} of the core, seen from the verifier. */
@FunctionalInterface
public interface Calibration {
  /**
   * The smallest sigma for which N(0, sigma^2 I) makes two parameter vectors at a distance of at
   * most rho (epsilon, delta)-indistinguishable, rounded up.
   */
  double sigma(double epsilon, double delta, double rho);
}
