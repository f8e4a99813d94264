package dev.lethe.spark.certificate;

import dev.lethe.core.certify.LossPerturbation;
import java.util.List;

/**
 * The figures of a release under loss perturbation, as a certificate states them.
 *
 * @param residual r
 * @param sigma of b
 */
public record PerturbationClaim(double epsilon, double delta, double residual, double sigma) {
  /** The last bits may differ where another JVM rounds a logarithm differently. */
  private static final double TOLERANCE = 1e-9;

  /** That equation (6) holds, and that sigma is the one that follows from it. */
  public List<Check> checks() {
    double required = required();
    String detail = "sigma " + sigma + ", required " + required;
    return List.of(
        new Check(
            "epsilon <= 1 and r <= sigma epsilon / c", sigma >= required * (1 - 1e-12), detail),
        new Check(
            "sigma follows from epsilon, delta and r",
            Math.abs(sigma - required) <= TOLERANCE * required,
            detail));
  }

  /** The smallest sigma; infinite if none is enough. */
  private double required() {
    try {
      return LossPerturbation.calibrate(epsilon, delta, residual).sigma();
    } catch (IllegalArgumentException e) {
      return Double.POSITIVE_INFINITY;
    }
  }
}
