package dev.lethe.spark.job;

import dev.lethe.core.certify.GammaRadiusMechanism;
import dev.lethe.core.certify.GammaRadiusNoise;
import dev.lethe.core.certify.GaussianMechanism;
import dev.lethe.core.certify.OutputMechanism;
import dev.lethe.core.certify.PublicationGrid;
import dev.lethe.spark.certificate.Check;
import dev.lethe.spark.certificate.Claim;
import org.jspecify.annotations.Nullable;

/** What Lethe's rules make of the terms of a claim: the mechanism and its grid. */
final class ClaimRules {
  private ClaimRules() {}

  /** The smallest sigma or scale for a claim; infinite if none is enough. */
  static double required(Claim claim, int parameters) {
    OutputMechanism mechanism = mechanism(claim, parameters);
    if (mechanism instanceof GaussianMechanism gaussian) {
      return gaussian.sigma();
    }
    return mechanism instanceof GammaRadiusMechanism gamma && claim.delta() >= gamma.delta()
        ? gamma.noise().scale()
        : Double.POSITIVE_INFINITY;
  }

  /**
   * That noise and grid are what the rules make of epsilon, delta and rho, so that no figure of a
   * certificate can be changed alone, not even to a weaker claim.
   */
  static Check followFromTerms(Claim claim, int parameters) {
    double required = required(claim, parameters);
    double deviation = claim.noise().deviation();
    // the last bits may differ where another JVM rounds a logarithm differently
    boolean holds =
        Math.abs(claim.width() - required) <= 1e-9 * required
            && deviation >= PublicationGrid.SMALLEST_SIGMA
            && claim.gridStep() == PublicationGrid.of(deviation).step()
            && (!(mechanism(claim, parameters) instanceof GammaRadiusMechanism gamma)
                || claim.delta() <= gamma.delta() * (1 + 1e-9));
    return new Check(
        claim.widthName() + " and grid step follow from the terms",
        Double.isFinite(required) && holds,
        claim.widthName()
            + " "
            + claim.width()
            + ", required "
            + required
            + ", grid step "
            + claim.gridStep());
  }

  private static @Nullable OutputMechanism mechanism(Claim claim, int parameters) {
    try {
      return claim.noise() instanceof GammaRadiusNoise noise
          ? GammaRadiusMechanism.calibrate(claim.epsilon(), claim.rho(), noise.coordinates())
          : GaussianMechanism.calibrate(claim.epsilon(), claim.delta(), claim.rho(), parameters);
    } catch (IllegalArgumentException e) {
      return null; // no noise is enough
    }
  }
}
