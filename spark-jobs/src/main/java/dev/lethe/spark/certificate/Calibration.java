package dev.lethe.spark.certificate;

/** The smallest admissible noise: {@code OutputMechanism} of the core, seen from the verifier. */
@FunctionalInterface
public interface Calibration {
  /**
   * The smallest sigma, or scale, for which noise of the claim's kind makes two parameter vectors
   * at a distance of at most rho (epsilon, delta)-indistinguishable, rounded up; infinite if none
   * does.
   */
  double required(Claim claim);
}
