package dev.lethe.core.certify;

import java.nio.ByteBuffer;
import java.security.SecureRandom;
import org.apache.commons.rng.UniformRandomProvider;
import org.apache.commons.rng.sampling.distribution.NormalizedGaussianSampler;
import org.apache.commons.rng.sampling.distribution.ZigguratSampler;

/** Publication of parameters with Gaussian noise, math (5): theta + N(0, sigma^2 I), on a grid. */
public final class GaussianNoise {
  private GaussianNoise() {}

  /**
   * Returns theta_j + sigma N(0, 1), rounded to the grid, for every coordinate that is not fixed
   * and +0.0 for every one that is.
   *
   * @param theta un-noised parameters, p
   * @param fixed coordinates held at zero, p
   * @param sigma the standard deviation (not the variance), in units of theta
   * @param grid at most sigma / 100 wide
   * @param rng {@link #cryptographic()}, except in tests
   * @return a new array, p
   * @throws IllegalArgumentException if lengths differ, theta is not finite, or the grid is too
   *     coarse for sigma or too fine for theta
   */
  public static double[] publish(
      double[] theta,
      boolean[] fixed,
      double sigma,
      PublicationGrid grid,
      UniformRandomProvider rng) {
    if (theta.length != fixed.length) {
      throw new IllegalArgumentException(
          "fixed has " + fixed.length + " entries: must have " + theta.length + ", as theta has");
    }
    if (!(PublicationGrid.STEPS_PER_SIGMA * grid.step() <= sigma
        && sigma < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException(
          "sigma = %s: must be finite and at least %d grid steps of %s"
              .formatted(sigma, PublicationGrid.STEPS_PER_SIGMA, grid.step()));
    }
    double largest = 0;
    for (int j = 0; j < theta.length; j++) {
      largest = fixed[j] ? largest : Math.max(largest, Math.abs(theta[j]));
    }
    if (!grid.fits(largest)) {
      throw new IllegalArgumentException(
          "grid step = "
              + grid.step()
              + ": too fine for the largest parameter, or theta not finite");
    }
    NormalizedGaussianSampler normal = ZigguratSampler.NormalizedGaussian.of(rng);
    double[] published = new double[theta.length];
    for (int j = 0; j < theta.length; j++) {
      published[j] = fixed[j] ? 0.0 : grid.round(theta[j] + sigma * normal.sample());
    }
    return published;
  }

  /** Random bits of the platform's {@link SecureRandom}, buffered; not thread-safe. */
  public static UniformRandomProvider cryptographic() {
    SecureRandom random = new SecureRandom();
    byte[] bytes = new byte[4096];
    ByteBuffer buffer = ByteBuffer.wrap(bytes).limit(0);
    return () -> {
      if (!buffer.hasRemaining()) {
        random.nextBytes(bytes);
        buffer.clear();
      }
      return buffer.getLong();
    };
  }
}
