package dev.lethe.spark.request;

/**
 * What the certificate has to promise.
 *
 * @param epsilon the privacy parameter, positive and finite
 * @param delta the probability of exceeding epsilon, below 1; 0 asks for pure epsilon
 * @param rho the largest Euclidean distance from the published parameters (before the noise) to the
 *     minimiser on the corrected data, positive and finite; fixed before the data are looked at
 */
public record CertificateTerms(double epsilon, double delta, double rho) {
  public CertificateTerms {
    requirePositive("epsilon", epsilon);
    if (!(delta >= 0 && delta < 1)) {
      throw new IllegalArgumentException("delta must be at least 0 and less than 1, not " + delta);
    }
    delta += 0.0; // -0.0 is the same request
    requirePositive("rho", rho);
  }

  private static void requirePositive(String name, double value) {
    if (!(value > 0 && Double.isFinite(value))) {
      throw new IllegalArgumentException(
          name + " must be a finite number greater than 0, not " + value);
    }
  }
}
