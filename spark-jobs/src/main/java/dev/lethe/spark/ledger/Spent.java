package dev.lethe.spark.ledger;

import dev.lethe.core.certify.Composition;
import dev.lethe.core.certify.GammaRadiusNoise;
import dev.lethe.core.certify.GaussianNoise;
import dev.lethe.core.certify.OutputMechanism;
import dev.lethe.core.certify.OutputNoise;
import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Claim;
import dev.lethe.spark.certificate.Require;
import dev.lethe.spark.request.CertificateTerms;
import org.jspecify.annotations.Nullable;

/**
 * What a release adds to the account of all releases.
 *
 * @param rho the proven distance
 * @param sigma of Gaussian noise; null for other noise
 * @param scale of gamma-radius noise; null for other noise
 * @param parameters an upper bound of the coordinates that carry it
 */
public record Spent(double rho, @Nullable Double sigma, @Nullable Double scale, int parameters) {
  public Spent {
    Require.positive(rho, "rho");
    Require.that((sigma == null) != (scale == null), "one of sigma and scale must be given");
    Require.positive(sigma == null ? scale : sigma, "sigma and scale");
    Require.that(parameters > 0, "parameters must be at least 1");
  }

  /** Of a certified release. */
  public static Spent of(Certificate certificate) {
    Claim claim = Require.present(certificate.claim(), "claim");
    return of(claim.rho(), claim.noise(), certificate.parameters());
  }

  /** Of a release that was planned with these terms. */
  public static Spent planned(CertificateTerms terms, int parameters) {
    return of(
        terms.rho(),
        OutputMechanism.calibrate(
                terms.epsilon(), terms.delta(), terms.rho(), parameters, parameters)
            .noise(),
        parameters);
  }

  private static Spent of(double rho, OutputNoise noise, int parameters) {
    return noise instanceof GammaRadiusNoise pure
        ? new Spent(rho, null, pure.scale(), pure.coordinates())
        : new Spent(rho, noise.deviation(), null, parameters);
  }

  /** The account with this release. */
  Composition addedTo(Composition releases) {
    OutputNoise noise =
        scale == null
            ? new GaussianNoise(Require.present(sigma, "sigma"))
            : new GammaRadiusNoise(scale, parameters);
    return releases.and(rho, noise, parameters);
  }
}
