package dev.lethe.core.certify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assertions.withinPercentage;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CompositionTest {
  private static final int P = 20;

  private static Composition gaussian(int releases, double epsilon, double delta) {
    Composition composition = Composition.NONE;
    for (int i = 0; i < releases; i++) {
      double rho = 1e-8 * (i + 1); // sigma follows: only the ratio counts
      composition = and(composition, GaussianMechanism.calibrate(epsilon, delta, rho, P));
    }
    return composition;
  }

  private static Composition and(Composition composition, OutputMechanism release) {
    return composition.and(release.rho(), release.noise(), P);
  }

  @ParameterizedTest
  @CsvSource({"0.1, 1e-4", "1, 1e-6", "5, 1e-3", "0.01, 1e-8"})
  void epsilon_oneRelease_isThatOfItsCertificate(double epsilon, double delta) {
    Composition one = gaussian(1, epsilon, delta);
    assertThat(one.epsilon(delta)).isCloseTo(epsilon, withinPercentage(1e-5));
    assertThat(one.delta(epsilon)).isCloseTo(delta, withinPercentage(1e-5));
    Composition pure = and(Composition.NONE, GammaRadiusMechanism.calibrate(epsilon, 1e-6, P));
    assertThat(pure.epsilon(1e-4)).isCloseTo(epsilon, withinPercentage(1e-10));
    assertThat(pure.epsilon(1e-4)).isLessThanOrEqualTo(epsilon);
  }

  /** Truth: one Gaussian mechanism of rho / sigma = sqrt(k) mu, which the k together are. */
  @ParameterizedTest
  @CsvSource({"2", "7", "30", "365"})
  void delta_equalReleases_isThatOfOneWithSqrtKTimesMu(int releases) {
    double mu = 1e-8 / GaussianMechanism.calibrate(0.1, 1e-4, 1e-8, P).sigma();
    Composition all = gaussian(releases, 0.1, 1e-4);
    double epsilon = 0.1 * Math.sqrt(releases);
    double exact = GaussianMechanism.delta(epsilon, mu * Math.sqrt(releases));
    double sampler = (1 + Math.exp(epsilon)) * releases * P * 4e-12;
    assertThat(all.mu()).isCloseTo(mu * Math.sqrt(releases), withinPercentage(1e-9));
    assertThat(all.delta(epsilon)).isGreaterThanOrEqualTo(exact);
    assertThat(all.delta(epsilon)).isCloseTo(exact + sampler, withinPercentage(1e-6));
  }

  /** The table of docs/guide.md, to the digits that it gives. */
  @ParameterizedTest
  @CsvSource({"1, 0.10", "2, 0.15", "7, 0.30", "30, 0.68", "365, 2.84"})
  void epsilon_tableOfTheGuide_holds(int releases, double epsilon) {
    assertThat(gaussian(releases, 0.1, 1e-4).epsilon(1e-4)).isCloseTo(epsilon, within(0.005));
  }

  /**
   * Truth: the privacy loss of two Gaussian and one Laplace release in one dimension, simulated
   * with all three shifted by rho at once. delta(epsilon) is E (1 - e^(epsilon - loss))+ under P.
   */
  @Test
  void delta_mixedReleases_boundsTheSimulatedDelta() {
    double rho = 1;
    double[] sigma = {2, 3};
    double scale = 4;
    Composition all =
        Composition.NONE
            .and(rho, new GaussianNoise(sigma[0]), 1)
            .and(rho, new GammaRadiusNoise(scale, 1), 1)
            .and(rho, new GaussianNoise(sigma[1]), 1);
    Random random = new Random(4);
    int draws = 400_000;
    for (double epsilon : new double[] {0.4, 0.8, 1.5}) {
      double delta = 0;
      for (int i = 0; i < draws; i++) {
        double loss = 0;
        for (double s : sigma) {
          double z = s * random.nextGaussian(); // x - a under P
          loss += ((z + rho) * (z + rho) - z * z) / (2 * s * s);
        }
        double u = random.nextDouble() - 0.5;
        double z = -scale * Math.signum(u) * Math.log1p(-2 * Math.abs(u));
        loss += (Math.abs(z + rho) - Math.abs(z)) / scale;
        delta += Math.max(0, -Math.expm1(epsilon - loss)) / draws;
      }
      // a mean of values in [0, 1]: 7 standard errors of at most sqrt(delta / draws)
      assertThat(all.delta(epsilon)).isGreaterThan(delta - 7 * Math.sqrt(delta / draws));
      assertThat(delta).isPositive(); // or nothing was compared
    }
    assertThat(all.delta(0.25)).isEqualTo(1); // not above epsilon_0: nothing is proven
  }

  @Test
  void epsilon_anyDelta_isTheSmallestThatIsProven() {
    Composition all = and(gaussian(3, 0.2, 1e-5), GammaRadiusMechanism.calibrate(0.3, 1e-7, P));
    for (double delta : new double[] {1e-7, 1e-5, 1e-3}) {
      double epsilon = all.epsilon(delta);
      assertThat(epsilon).isGreaterThan(0.3 * (1 - 1e-12));
      assertThat(all.delta(epsilon)).isLessThanOrEqualTo(delta);
      assertThat(all.delta(0.3 + (epsilon - 0.3) * (1 - 1e-9))).isGreaterThan(delta);
    }
  }

  @Test
  void and_everyRelease_onlyAdds() {
    Composition one = gaussian(1, 0.1, 1e-4);
    Composition two = and(one, GammaRadiusMechanism.calibrate(0.1, 1e-8, P));
    assertThat(two.mu()).isEqualTo(one.mu());
    assertThat(two.epsilon(1e-4)).isCloseTo(0.2, withinPercentage(1e-3));
    assertThat(two.coordinates()).isEqualTo(2 * P);
  }

  @Test
  void epsilonDelta_badArgument_refusedByName() {
    Composition all = gaussian(2, 0.1, 1e-4);
    for (double delta : new double[] {0, -1, 1, Double.NaN}) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> all.epsilon(delta))
          .withMessageStartingWith("delta = ");
    }
    for (double epsilon : new double[] {0, -1, Double.NaN, Double.POSITIVE_INFINITY}) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> all.delta(epsilon))
          .withMessageStartingWith("epsilon = ");
    }
    assertThatIllegalArgumentException()
        .isThrownBy(() -> all.epsilon(1e-10))
        .withMessageContaining("too small")
        .withMessageContaining("must be at least");
    for (double rho : new double[] {0, -1, Double.NaN, Double.POSITIVE_INFINITY}) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> all.and(rho, new GaussianNoise(1), 1))
          .withMessageStartingWith("rho = ");
    }
  }
}
