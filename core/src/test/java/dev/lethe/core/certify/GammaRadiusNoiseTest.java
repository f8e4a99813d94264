package dev.lethe.core.certify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.Random;
import org.apache.commons.rng.UniformRandomProvider;
import org.apache.commons.rng.sampling.distribution.AhrensDieterMarsagliaTsangGammaSampler;
import org.apache.commons.rng.simple.RandomSource;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GammaRadiusNoiseTest {
  private static final double SCALE = 0.004;
  private static final double RATE = 1e-9;

  private static UniformRandomProvider rng(long seed) {
    return RandomSource.XO_RO_SHI_RO_128_PP.create(seed);
  }

  private static NoiseTest test(double[] z, double rate) {
    double[] published = new double[z.length];
    Arrays.setAll(published, j -> SCALE * z[j]);
    return new GammaRadiusNoise(SCALE, z.length)
        .test(published, new double[z.length], new boolean[z.length], rate);
  }

  /**
   * z in units of the scale, by another way than the product's: the radius from Marsaglia-Tsang.
   */
  private static double[] draw(int p, long seed) {
    double[] z = new GammaRadiusNoise(1, p).sample(p, rng(seed));
    double norm = Math.sqrt(Arrays.stream(z).map(x -> x * x).sum());
    double radius = AhrensDieterMarsagliaTsangGammaSampler.of(rng(seed + 1), p, 1).sample();
    return Arrays.stream(z).map(x -> x * radius / norm).toArray();
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 19, 20, 200, 5_000, 200_000})
  void publish_anyDimension_passesItsTestAndLiesOnTheGrid(int p) {
    OutputNoise noise = new GammaRadiusNoise(SCALE, p);
    PublicationGrid grid = noise.grid();
    double[] theta = new double[p + 2];
    Arrays.setAll(theta, j -> 3 * Math.sin(j));
    boolean[] fixed = new boolean[p + 2];
    fixed[0] = true;
    fixed[p + 1] = true;
    double[] published = noise.publish(theta, fixed, grid, rng(p));

    assertThat(Arrays.stream(published).allMatch(grid::contains)).isTrue();
    assertThat(Double.doubleToRawLongBits(published[0])).isZero();
    assertThat(Double.doubleToRawLongBits(published[p + 1])).isZero();
    NoiseTest test = noise.test(published, theta, fixed, RATE);
    assertThat(test.count()).isEqualTo(p);
    assertThat(test.passed()).as(test.toString()).isTrue();
  }

  /** E ||z||^2 = scale^2 p (p + 1), so that of a coordinate is deviation^2. */
  @Test
  void deviation_manyDraws_isTheRootOfTheSecondMoment() {
    int p = 5;
    int draws = 100_000;
    GammaRadiusNoise noise = new GammaRadiusNoise(2, p);
    UniformRandomProvider rng = rng(3);
    double square = 0;
    for (int i = 0; i < draws; i++) {
      for (double x : noise.sample(p, rng)) {
        square += x * x / draws;
      }
    }
    // r^2 / 4 has mean 30 and variance 5 6 7 8 - 30^2 = 780; 7 standard errors: below 3e-12
    assertThat(square / 4).isCloseTo(30, within(7 * Math.sqrt(780.0 / draws)));
    assertThat(noise.deviation()).isCloseTo(2 * Math.sqrt(6), within(1e-14));
  }

  /** Independent seeds at a rate of 1/5: more than 140 of 400 has probability below 1e-11. */
  @ParameterizedTest
  @ValueSource(ints = {1, 3, 50})
  void test_manyTrueSamples_rejectedNoMoreThanStated(int p) {
    int rejected = 0;
    for (int seed = 0; seed < 400; seed++) {
      rejected += test(draw(p, 1000 * p + 2 * seed), 0.2).passed() ? 0 : 1;
    }
    assertThat(rejected).isBetween(10, 140);
  }

  @Test
  void test_wrongRadius_rejectedByTheRadius() {
    double[] z = draw(200, 4);
    for (double factor : new double[] {0.5, 1.7, SCALE}) {
      NoiseTest test = test(Arrays.stream(z).map(x -> factor * x).toArray(), RATE);
      assertThat(test.radius()).isLessThan(1e-10);
      assertThat(test.passed()).isFalse();
    }
  }

  /** All three have a radius that Gamma(p) may have: only the direction tells. */
  @Test
  void test_directionThatIsNotUniform_rejected() {
    int p = 3000;
    Random random = new Random(8);
    double[] uniform = random.doubles(p).map(u -> Math.sqrt(12 * (p + 1)) * (u - 0.5)).toArray();
    double[] constant = new double[p];
    Arrays.fill(constant, Math.sqrt(p));
    double[] outlier = draw(p, 5);
    outlier[7] = 9 * Math.sqrt(p);

    assertThat(test(constant, RATE).radius()).isGreaterThan(0.5);
    assertThat(test(constant, RATE).mean()).isLessThan(1e-10);
    assertThat(test(outlier, RATE).maximum()).isLessThan(1e-10);
    assertThat(test(uniform, RATE).distribution()).isLessThan(1e-10);
    for (double[] z : new double[][] {constant, outlier, uniform}) {
      assertThat(test(z, RATE).passed()).isFalse();
    }
  }

  @Test
  void test_noNoiseOrNotANumber_rejected() {
    assertThat(test(new double[] {0}, RATE).passed()).isTrue(); // one zero can happen
    assertThat(test(new double[40], RATE).passed()).isFalse();
    assertThat(test(new double[] {Double.NaN, 0}, RATE).passed()).isFalse();
    assertThat(test(new double[] {Double.NEGATIVE_INFINITY}, RATE).passed()).isFalse();
    assertThat(test(new double[0], RATE).passed()).isTrue();
  }

  @Test
  void publish_otherNumberOfCoordinates_refused() {
    OutputNoise noise = new GammaRadiusNoise(SCALE, 3);
    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                noise.publish(
                    new double[3], new boolean[] {true, false, false}, noise.grid(), rng(1)))
        .withMessageStartingWith("coordinates = 2");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> noise.test(new double[2], new double[2], new boolean[2], RATE))
        .withMessageStartingWith("coordinates = 2");
    for (double scale : new double[] {0, -1, Double.NaN, Double.POSITIVE_INFINITY}) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> new GammaRadiusNoise(scale, 3))
          .withMessageStartingWith("scale = ");
    }
  }
}
