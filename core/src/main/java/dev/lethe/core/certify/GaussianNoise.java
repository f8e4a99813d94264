package dev.lethe.core.certify;

import org.apache.commons.rng.UniformRandomProvider;
import org.apache.commons.rng.sampling.distribution.NormalizedGaussianSampler;
import org.apache.commons.rng.sampling.distribution.ZigguratSampler;

/**
 * N(0, sigma^2 I), the noise of {@link GaussianMechanism}.
 *
 * @param sigma the standard deviation (not the variance) of every coordinate, positive and finite,
 *     in units of theta
 */
public record GaussianNoise(double sigma) implements OutputNoise {
  public GaussianNoise {
    if (!(sigma > 0 && sigma < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException("sigma = " + sigma + ": must be positive and finite");
    }
  }

  @Override
  public double deviation() {
    return sigma;
  }

  @Override
  public double[] sample(int coordinates, UniformRandomProvider rng) {
    NormalizedGaussianSampler normal = ZigguratSampler.NormalizedGaussian.of(rng);
    double[] noise = new double[coordinates];
    for (int j = 0; j < coordinates; j++) {
      noise[j] = sigma * normal.sample();
    }
    return noise;
  }

  @Override
  public NoiseTest test(
      double[] published, double[] unnoised, boolean[] fixed, double falseRejectionRate) {
    return NoiseTest.of(
        NoiseTest.standardized(published, unnoised, fixed, sigma), falseRejectionRate);
  }
}
