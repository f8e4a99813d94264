package dev.lethe.spark.certificate;

import dev.lethe.core.certify.GammaRadiusNoise;
import dev.lethe.core.certify.GaussianNoise;
import dev.lethe.core.certify.OutputNoise;
import org.jspecify.annotations.Nullable;

/**
 * The figures of a certified release: theta plus noise, rounded to a grid, where {@code ||theta -
 * theta*(D')||_2 <= rho} was proven.
 *
 * @param epsilon in (0, infinity)
 * @param delta in (0, 1); what the sampler costs where the request's delta is 0
 * @param rho the proven distance in the 2-norm of the parameters, fixed before the run
 * @param noise its law
 * @param gridStep every published parameter is a whole multiple of it
 */
public record Claim(double epsilon, double delta, double rho, OutputNoise noise, double gridStep) {
  public Claim {
    Require.positive(epsilon, "epsilon");
    Require.that(delta > 0 && delta < 1, "delta must be a number in (0, 1)");
    Require.positive(rho, "rho");
    Require.positive(gridStep, "gridStep");
  }

  Mechanism mechanism() {
    return noise instanceof GaussianNoise
        ? Mechanism.GAUSSIAN_OUTPUT_NOISE
        : Mechanism.GAMMA_RADIUS_OUTPUT_NOISE;
  }

  /** Sigma; null for another law than the normal. */
  @Nullable Double sigma() {
    return noise instanceof GaussianNoise gaussian ? gaussian.sigma() : null;
  }

  /** The scale of the density exp(-||z|| / scale); null for another law. */
  @Nullable Double scale() {
    return noise instanceof GammaRadiusNoise gamma ? gamma.scale() : null;
  }

  /** How many parameters carry noise of that density; null for another law. */
  @Nullable Integer noisyParameters() {
    return noise instanceof GammaRadiusNoise gamma ? gamma.coordinates() : null;
  }

  /** What decides how much noise there is: sigma or scale. */
  public double width() {
    return noise instanceof GammaRadiusNoise gamma ? gamma.scale() : noise.deviation();
  }

  /** How {@link #width} is called. */
  public String widthName() {
    return noise instanceof GammaRadiusNoise ? "scale" : "sigma";
  }
}
