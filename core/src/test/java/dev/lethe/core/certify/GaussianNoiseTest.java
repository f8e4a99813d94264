package dev.lethe.core.certify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import org.apache.commons.rng.UniformRandomProvider;
import org.apache.commons.rng.simple.RandomSource;
import org.junit.jupiter.api.Test;

class GaussianNoiseTest {
  private static final int P = 200_000;
  private static final double SIGMA = 0.03;
  private static final OutputNoise NOISE = new GaussianNoise(SIGMA);
  private static final PublicationGrid GRID = NOISE.grid();

  /**
   * Moments of z = (published - theta) / sigma at 7 standard errors each: false rejection below
   * 3e-12 per moment. The variance of z^2 is 2, of z^3 15, of z^4 96; the grid adds 1/120000 to the
   * variance.
   */
  @Test
  void publish_manyCoordinates_momentsOfTheNormal() {
    double[] theta = theta();
    double[] published =
        NOISE.publish(theta, new boolean[P], GRID, RandomSource.XO_RO_SHI_RO_128_PP.create(11));
    double[] moment = new double[5];
    for (int j = 0; j < P; j++) {
      double z = (published[j] - theta[j]) / SIGMA;
      for (int k = 1; k <= 4; k++) {
        moment[k] += Math.pow(z, k) / P;
      }
    }
    double standardError = 7 / Math.sqrt(P);
    assertThat(moment[1]).isCloseTo(0, within(standardError));
    assertThat(moment[2]).isCloseTo(1, within(Math.sqrt(2) * standardError + 1e-5));
    assertThat(moment[3]).isCloseTo(0, within(Math.sqrt(15) * standardError));
    assertThat(moment[4]).isCloseTo(3, within(Math.sqrt(96) * standardError + 1e-4));
  }

  @Test
  void publish_fixedCoordinates_positiveZeroAndEverythingOnTheGrid() {
    boolean[] fixed = new boolean[P];
    for (int j = 0; j < P; j += 3) {
      fixed[j] = true;
    }
    double[] published =
        NOISE.publish(theta(), fixed, GRID, RandomSource.XO_RO_SHI_RO_128_PP.create(12));
    for (int j = 0; j < P; j++) {
      assertThat(GRID.contains(published[j])).isTrue();
      if (fixed[j]) {
        assertThat(Double.doubleToRawLongBits(published[j])).isZero();
      }
    }
    assertThat(NOISE.test(published, theta(), fixed, 1e-9).passed()).isTrue();
  }

  /** The test sees sum z^2, maximum, mean and distribution: false rejection 1e-9. */
  @Test
  void cryptographic_manyDraws_looksNormalAndNeverRepeats() {
    double[] theta = theta();
    double[] first = NOISE.publish(theta, new boolean[P], GRID, OutputNoise.cryptographic());
    double[] second = NOISE.publish(theta, new boolean[P], GRID, OutputNoise.cryptographic());

    assertThat(NOISE.test(first, theta, new boolean[P], 1e-9).passed()).isTrue();
    assertThat(first).isNotEqualTo(second);
  }

  /** 2^19 bits: ones within 7 standard deviations, and longs across refills all distinct. */
  @Test
  void cryptographic_bits_balancedAndDistinct() {
    UniformRandomProvider rng = OutputNoise.cryptographic();
    int n = 8192;
    long ones = 0;
    Set<Long> seen = new HashSet<>();
    for (int i = 0; i < n; i++) {
      long bits = rng.nextLong();
      ones += Long.bitCount(bits);
      seen.add(bits);
    }
    assertThat((double) ones).isCloseTo(32.0 * n, within(7 * Math.sqrt(16.0 * n)));
    assertThat(seen).hasSize(n);
  }

  @Test
  void publish_badInput_refused() {
    UniformRandomProvider rng = RandomSource.XO_RO_SHI_RO_128_PP.create(1);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> NOISE.publish(new double[2], new boolean[1], GRID, rng))
        .withMessageContaining("fixed");
    assertThatIllegalArgumentException()
        .isThrownBy(
            () -> new GaussianNoise(SIGMA / 4).publish(new double[1], new boolean[1], GRID, rng))
        .withMessageContaining("sigma");
    for (double theta : new double[] {1e9, Double.NaN, Double.POSITIVE_INFINITY}) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> NOISE.publish(new double[] {theta}, new boolean[1], GRID, rng))
          .withMessageContaining("grid step");
    }
  }

  private static double[] theta() {
    double[] theta = new double[P];
    Arrays.setAll(theta, j -> Math.sin(j) * 3);
    return theta;
  }
}
