package dev.lethe.core.certify;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class NoiseTestTest {
  private static final double RATE = 1e-9;

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 19, 20, 200, 100_000})
  void of_trueNormals_passes(int p) {
    assertThat(NoiseTest.of(normals(p, 1, 3), RATE).passed()).isTrue();
  }

  /** Independent seeds at a rate of 1/5: more than 140 of 400 has probability below 1e-11. */
  @Test
  void of_manyTrueSamples_rejectedNoMoreThanStated() {
    int rejected = 0;
    for (int seed = 0; seed < 400; seed++) {
      rejected += NoiseTest.of(normals(50, 1, seed), 0.2).passed() ? 0 : 1;
    }
    assertThat(rejected).isBetween(20, 140);
  }

  @Test
  void of_halvedSigma_rejected() {
    NoiseTest test = NoiseTest.of(normals(100, 0.5, 5), RATE);

    assertThat(test.passed()).isFalse();
    assertThat(test.radius()).isLessThan(1e-10);
  }

  @Test
  void of_varianceInsteadOfDeviation_rejected() {
    double sigma = 0.01;
    double[] theta = new double[100];
    double[] published = normals(100, sigma * sigma, 5);

    assertThat(noise(sigma).test(published, theta, new boolean[100], RATE).passed()).isFalse();
  }

  @Test
  void of_oneConstantForAllCoordinates_rejected() {
    double[] constant = new double[100];
    Arrays.fill(constant, 1.0);
    NoiseTest test = NoiseTest.of(constant, RATE); // sum z^2 = p: only the others can tell

    assertThat(test.radius()).isGreaterThan(0.5);
    assertThat(test.passed()).isFalse();
  }

  @Test
  void of_uniformNoiseOfTheRightVariance_rejectedByDistribution() {
    Random random = new Random(7);
    double[] z = random.doubles(3000).map(u -> Math.sqrt(12) * (u - 0.5)).toArray();
    NoiseTest test = NoiseTest.of(z, RATE);

    assertThat(test.distribution()).isLessThan(1e-10);
    assertThat(test.passed()).isFalse();
  }

  @Test
  void of_oneOutlier_rejectedByMaximum() {
    double[] z = normals(10_000, 1, 9);
    z[17] = 9;
    NoiseTest test = NoiseTest.of(z, RATE);

    assertThat(test.maximum()).isLessThan(1e-10);
    assertThat(test.passed()).isFalse();
  }

  @Test
  void of_noNoiseOrNotANumber_rejected() {
    assertThat(NoiseTest.of(new double[] {0}, RATE).passed()).isTrue(); // one zero can happen
    assertThat(NoiseTest.of(new double[40], RATE).passed()).isFalse();
    assertThat(NoiseTest.of(new double[] {Double.NaN, 0}, RATE).passed()).isFalse();
    assertThat(NoiseTest.of(new double[] {Double.NEGATIVE_INFINITY}, RATE).passed()).isFalse();
  }

  @Test
  void of_fixedCoordinates_ignored() {
    double[] published = {0, 0.3, 0};
    double[] unnoised = {1e9, 0, -1e9};
    NoiseTest test = noise(1).test(published, unnoised, new boolean[] {true, false, true}, RATE);

    assertThat(test.count()).isEqualTo(1);
    assertThat(test.passed()).isTrue();
  }

  private static OutputNoise noise(double sigma) {
    return new GaussianNoise(sigma);
  }

  private static double[] normals(int p, double sigma, long seed) {
    Random random = new Random(seed);
    double[] z = new double[p];
    Arrays.setAll(z, j -> sigma * random.nextGaussian());
    return z;
  }
}
