package dev.lethe.core.certify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PublicationGridTest {

  @Property(seed = "1")
  void of_anySigma_largestPowerOfTwoBelowAHundredth(
      @ForAll @DoubleRange(min = 1, max = 2) double mantissa,
      @ForAll @DoubleRange(min = -900, max = 900) double exponent) {
    double sigma = Math.scalb(mantissa, (int) exponent);
    double step = PublicationGrid.of(sigma).step();

    assertThat(100 * step).isLessThanOrEqualTo(sigma); // 100 * step is exact
    assertThat(200 * step).isGreaterThan(sigma);
    assertThat(Long.bitCount(Double.doubleToLongBits(step) & 0xfffffffffffffL)).isZero();
  }

  @Test
  void of_aroundAHundredPowersOfTwo_neverAboveAHundredth() {
    assertThat(PublicationGrid.of(100).step()).isEqualTo(1);
    assertThat(PublicationGrid.of(Math.nextDown(100.0)).step()).isEqualTo(0.5);
  }

  @Test
  void round_values_nearestMultipleWithoutNegativeZero() {
    PublicationGrid grid = new PublicationGrid(0.25);

    assertThat(grid.round(1.1)).isEqualTo(1.0);
    assertThat(grid.round(1.2)).isEqualTo(1.25);
    assertThat(grid.round(-1.13)).isEqualTo(-1.25);
    assertThat(Double.doubleToRawLongBits(grid.round(-0.1))).isZero();
    assertThat(grid.contains(-1.25)).isTrue();
    assertThat(grid.contains(1.2)).isFalse();
    assertThat(grid.contains(Math.nextUp(1.25))).isFalse();
    assertThat(grid.contains(Double.NaN)).isFalse();
    assertThat(grid.contains(Double.POSITIVE_INFINITY)).isFalse();
  }

  @Test
  void fits_aroundTwoToTheTwentyUlp_exactThreshold() {
    PublicationGrid grid = new PublicationGrid(0x1p-32); // 2^20 ulp of [1, 2)

    assertThat(grid.fits(Math.nextDown(2.0))).isTrue();
    assertThat(grid.fits(2.0)).isFalse();
    assertThat(grid.fits(0)).isTrue();
    assertThat(grid.fits(Double.NaN)).isFalse();
  }

  @ParameterizedTest
  @ValueSource(doubles = {1e-12, 0.3, 1, 17.5, 1e9})
  void smallestRho_isSmallest(double maxAbsTheta) {
    double rho =
        PublicationGrid.smallestRho(GaussianMechanism.calibrate(0.1, 1e-4, 1).sigma(), maxAbsTheta);

    assertThat(gridFor(rho).fits(maxAbsTheta)).isTrue();
    assertThat(gridFor(rho * (1 - 1e-8)).fits(maxAbsTheta)).isFalse();
  }

  private static PublicationGrid gridFor(double rho) {
    return PublicationGrid.of(GaussianMechanism.calibrate(0.1, 1e-4, rho).sigma());
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, -1, 1e-320, Double.NaN, Double.POSITIVE_INFINITY})
  void of_badSigma_refusedByName(double sigma) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> PublicationGrid.of(sigma))
        .withMessageContaining("sigma = " + sigma);
  }

  @Test
  void constructor_notAPowerOfTwo_refused() {
    assertThatIllegalArgumentException().isThrownBy(() -> new PublicationGrid(0.3));
    assertThatIllegalArgumentException().isThrownBy(() -> new PublicationGrid(Double.MIN_VALUE));
  }
}
