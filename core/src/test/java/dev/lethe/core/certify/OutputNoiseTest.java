package dev.lethe.core.certify;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Random;
import java.util.function.DoubleFunction;
import java.util.stream.Stream;
import org.apache.commons.rng.UniformRandomProvider;
import org.apache.commons.rng.simple.RandomSource;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Both noises, through the grid, under {@link NoiseHarness}; and that the same harness rejects
 * noise which is known to be bad, most of it made by the product's own samplers used wrongly.
 */
class OutputNoiseTest {
  private static final int DRAWS = 200_000;
  private static final double UNIT = 0.02; // sigma or scale
  private static final double[] THETA = {0.7, -3, 1e-3};

  private record Kind(String name, NoiseHarness.Law law, DoubleFunction<OutputNoise> noise) {
    @Override
    public String toString() {
      return name;
    }
  }

  static Stream<Arguments> kinds() {
    return Stream.of(
            new Kind("gaussian", NoiseHarness.NORMAL, GaussianNoise::new),
            new Kind(
                "gamma-radius",
                NoiseHarness.GAMMA_RADIUS,
                scale -> new GammaRadiusNoise(scale, NoiseHarness.DIMENSION)))
        .map(Arguments::of);
  }

  private static double[][] draws(OutputNoise noise, UniformRandomProvider rng) {
    boolean[] fixed = new boolean[THETA.length];
    PublicationGrid grid = noise.grid();
    double[][] z = new double[DRAWS][];
    for (int i = 0; i < DRAWS; i++) {
      z[i] = noise.publish(THETA, fixed, grid, rng);
      for (int j = 0; j < THETA.length; j++) {
        z[i][j] = (z[i][j] - THETA[j]) / UNIT;
      }
    }
    return z;
  }

  private static UniformRandomProvider good() {
    return RandomSource.XO_RO_SHI_RO_128_PP.create(20261121);
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void publish_trueNoise_isNotRejected(Kind kind) {
    assertThat(NoiseHarness.rejections(draws(kind.noise.apply(UNIT), good()), kind.law)).isEmpty();
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void publish_cryptographicGenerator_isNotRejected(Kind kind) {
    double[][] z = draws(kind.noise.apply(UNIT), OutputNoise.cryptographic());
    assertThat(NoiseHarness.rejections(z, kind.law)).isEmpty();
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void publish_varianceInsteadOfDeviation_isRejected(Kind kind) {
    List<String> rejected =
        NoiseHarness.rejections(draws(kind.noise.apply(UNIT * UNIT), good()), kind.law);
    assertThat(rejected).contains("second moment 0", "distribution 2", "radius");
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void publish_scaleOffByFivePerCent_isRejected(Kind kind) {
    assertThat(NoiseHarness.rejections(draws(kind.noise.apply(1.05 * UNIT), good()), kind.law))
        .contains("second moment 1");
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void publish_constantCoordinate_isRejected(Kind kind) {
    double[][] z = draws(kind.noise.apply(UNIT), good());
    for (double[] draw : z) {
      draw[1] = Math.sqrt(kind.law.second()); // the second moment does not tell
    }
    assertThat(NoiseHarness.rejections(z, kind.law)).contains("mean 1", "distribution 1");
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void publish_equalCoordinates_areRejected(Kind kind) {
    double[][] z = draws(kind.noise.apply(UNIT), good());
    for (double[] draw : z) {
      draw[1] = draw[0]; // every coordinate for itself is right
    }
    assertThat(NoiseHarness.rejections(z, kind.law))
        .contains("product 01", "squares 01")
        .doesNotContain("distribution 1");
  }

  /**
   * java.util.Random is a linear congruential generator: bit 16 of its state, the lowest that it
   * shows, repeats after 2^17 steps, that is after 2048 longs.
   */
  @ParameterizedTest
  @MethodSource("kinds")
  void publish_lowBitsOfJavaUtilRandom_areRejected(Kind kind) {
    Random random = new Random(1);
    UniformRandomProvider lowBits =
        () -> {
          long bits = 0;
          for (int k = 0; k < Long.SIZE; k++) {
            bits = bits << 1 | (random.nextInt() & 1);
          }
          return bits;
        };
    assertThat(NoiseHarness.rejections(draws(kind.noise.apply(UNIT), lowBits), kind.law))
        .isNotEmpty();
  }

  /** One law for the other, scaled to the same second moment. */
  @ParameterizedTest
  @MethodSource("kinds")
  void publish_theOtherLaw_isRejected(Kind kind) {
    OutputNoise other =
        kind.law == NoiseHarness.NORMAL
            ? new GammaRadiusNoise(UNIT / 2, NoiseHarness.DIMENSION)
            : new GaussianNoise(2 * UNIT);
    assertThat(NoiseHarness.rejections(draws(other, good()), kind.law))
        .contains("squares 01", "distribution 0", "radius")
        .doesNotContain("second moment 0");
  }
}
