package dev.lethe.core.certify;

import java.nio.ByteBuffer;
import java.security.SecureRandom;
import org.apache.commons.rng.UniformRandomProvider;

/**
 * The distribution of what is added to parameters before they are published. Every coordinate that
 * is not fixed gets noise; the sum is rounded to a {@link PublicationGrid}.
 */
public sealed interface OutputNoise permits GaussianNoise, GammaRadiusNoise {

  /** The standard deviation of the noise of one coordinate, in units of theta. */
  double deviation();

  /**
   * One vector of noise.
   *
   * @param coordinates how many are not fixed
   */
  double[] sample(int coordinates, UniformRandomProvider rng);

  /**
   * Tests whether a publication differs from the un-noised parameters as this noise would.
   *
   * @param published p
   * @param unnoised p
   * @param fixed coordinates without noise, p
   * @param falseRejectionRate the most often that true noise may be rejected, in (0, 1)
   * @throws IllegalArgumentException if lengths differ, or the rate is not in (0, 1)
   */
  NoiseTest test(double[] published, double[] unnoised, boolean[] fixed, double falseRejectionRate);

  /** The grid of this noise: {@link PublicationGrid#of} its deviation. */
  default PublicationGrid grid() {
    return PublicationGrid.of(deviation());
  }

  /**
   * Returns theta_j + noise, rounded to the grid, for every coordinate that is not fixed and +0.0
   * for every one that is.
   *
   * @param theta un-noised parameters, p
   * @param fixed coordinates held at zero, p
   * @param grid at most deviation / 100 wide
   * @param rng {@link #cryptographic()}, except in tests
   * @return a new array, p
   * @throws IllegalArgumentException if lengths differ, theta is not finite, or the grid is too
   *     coarse for the noise or too fine for theta
   */
  default double[] publish(
      double[] theta, boolean[] fixed, PublicationGrid grid, UniformRandomProvider rng) {
    if (theta.length != fixed.length) {
      throw new IllegalArgumentException(
          "fixed has " + fixed.length + " entries: must have " + theta.length + ", as theta has");
    }
    if (!(PublicationGrid.STEPS_PER_SIGMA * grid.step() <= deviation())) {
      throw new IllegalArgumentException(
          "sigma = %s: must be at least %d grid steps of %s"
              .formatted(deviation(), PublicationGrid.STEPS_PER_SIGMA, grid.step()));
    }
    int coordinates = 0;
    double largest = 0;
    for (int j = 0; j < theta.length; j++) {
      if (!fixed[j]) {
        coordinates++;
        largest = Math.max(largest, Math.abs(theta[j]));
      }
    }
    if (!grid.fits(largest)) {
      throw new IllegalArgumentException(
          "grid step = "
              + grid.step()
              + ": too fine for the largest parameter, or theta not finite");
    }
    double[] noise = sample(coordinates, rng);
    double[] published = new double[theta.length];
    for (int j = 0, k = 0; j < theta.length; j++) {
      published[j] = fixed[j] ? 0.0 : grid.round(theta[j] + noise[k++]);
    }
    return published;
  }

  /** Random bits of the platform's {@link SecureRandom}, buffered; not thread-safe. */
  static UniformRandomProvider cryptographic() {
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
