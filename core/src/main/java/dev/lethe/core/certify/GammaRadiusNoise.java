package dev.lethe.core.certify;

import dev.lethe.core.linalg.CompensatedVector;
import org.apache.commons.rng.UniformRandomProvider;
import org.apache.commons.rng.sampling.distribution.NormalizedGaussianSampler;
import org.apache.commons.rng.sampling.distribution.SharedStateContinuousSampler;
import org.apache.commons.rng.sampling.distribution.ZigguratSampler;

/**
 * Noise of density proportional to exp(-||z||_2 / scale) on R^p, the noise of {@link
 * GammaRadiusMechanism}: the radius has the law Gamma(p, scale), and the direction is uniform and
 * independent of it. E ||z||^2 = scale^2 p (p + 1).
 *
 * @param scale in units of theta, positive and finite
 * @param coordinates p, how many coordinates get noise; the law depends on it
 */
public record GammaRadiusNoise(double scale, int coordinates) implements OutputNoise {
  public GammaRadiusNoise {
    if (!(scale > 0 && scale < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException("scale = " + scale + ": must be positive and finite");
    }
    if (coordinates < 0) {
      throw new IllegalArgumentException("coordinates = " + coordinates + ": must be at least 0");
    }
  }

  /** scale sqrt(p + 1). */
  @Override
  public double deviation() {
    return scale * Math.sqrt(coordinates + 1.0);
  }

  /**
   * Radius: the sum of p independent exponential variables is Gamma(p, 1). Direction: a normal
   * vector over its norm. Both sums are compensated, so that p does not enter the error.
   *
   * @throws IllegalArgumentException unless the number of coordinates is this law's
   */
  @Override
  public double[] sample(int coordinates, UniformRandomProvider rng) {
    requireCoordinates(coordinates);
    NormalizedGaussianSampler normal = ZigguratSampler.NormalizedGaussian.of(rng);
    SharedStateContinuousSampler exponential = ZigguratSampler.Exponential.of(rng);
    double[] noise = new double[coordinates];
    double[] sum;
    do {
      CompensatedVector sums = new CompensatedVector(2);
      for (int j = 0; j < coordinates; j++) {
        noise[j] = normal.sample();
        sums.add(0, exponential.sample());
        sums.add(1, noise[j] * noise[j]);
      }
      sum = sums.toArray();
    } while (coordinates > 0 && sum[1] == 0); // no direction: all normals are 0, if p is 1 or so
    double factor = scale * (sum[0] / Math.sqrt(sum[1]));
    for (int j = 0; j < coordinates; j++) {
      noise[j] *= factor;
    }
    return noise;
  }

  /**
   * {@inheritDoc}
   *
   * @throws IllegalArgumentException also unless the number of coordinates is this law's
   */
  @Override
  public NoiseTest test(
      double[] published, double[] unnoised, boolean[] fixed, double falseRejectionRate) {
    double[] z = NoiseTest.standardized(published, unnoised, fixed, scale);
    requireCoordinates(z.length);
    return NoiseTest.ofGammaRadius(z, falseRejectionRate);
  }

  private void requireCoordinates(int given) {
    if (given != coordinates) {
      throw new IllegalArgumentException(
          "coordinates = %d: the law is that of %d coordinates".formatted(given, coordinates));
    }
  }
}
