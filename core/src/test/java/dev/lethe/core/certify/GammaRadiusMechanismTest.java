package dev.lethe.core.certify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.math.BigDecimal;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GammaRadiusMechanismTest {

  /** Truth: exact arithmetic on the doubles. */
  @Property(tries = 300, seed = "5")
  void calibrate_anyTerms_scaleIsTheLeastAboveRhoOverEpsilon(
      @ForAll @DoubleRange(min = -6, max = 0.7) double logEpsilon,
      @ForAll @DoubleRange(min = -200, max = 200) double logRho) {
    double epsilon = Math.pow(10, logEpsilon);
    double rho = Math.pow(10, logRho);
    double scale = GammaRadiusMechanism.calibrate(epsilon, rho, 10).noise().scale();

    assertThat(new BigDecimal(scale).multiply(new BigDecimal(epsilon)))
        .isGreaterThanOrEqualTo(new BigDecimal(rho));
    assertThat(
            new BigDecimal(Math.nextDown(Math.nextDown(scale))).multiply(new BigDecimal(epsilon)))
        .isLessThan(new BigDecimal(rho));
  }

  /**
   * In one dimension the noise is Laplace's and the privacy loss is known everywhere: of all events
   * {x &gt; t} the worst has the ratio e^(rho / scale), to the last digits e^epsilon.
   */
  @Test
  void calibrate_oneDimension_worstEventIsAtEpsilon() {
    double epsilon = 0.3;
    double rho = 2e-5;
    double scale = GammaRadiusMechanism.calibrate(epsilon, rho, 1).noise().scale();
    double worst = 0;
    for (double t = -10; t <= 10; t += 0.01) {
      worst = Math.max(worst, Math.log(tail(t - rho / scale) / tail(t)));
    }
    assertThat(worst).isBetween(epsilon * (1 - 1e-12), epsilon * (1 + 1e-12));
  }

  /** P(Laplace(1) &gt; t). */
  private static double tail(double t) {
    return t > 0 ? Math.exp(-t) / 2 : 1 - Math.exp(t) / 2;
  }

  @Test
  void delta_isTheSamplersCostAlone() {
    GammaRadiusMechanism mechanism = GammaRadiusMechanism.calibrate(0.1, 1e-8, 1000);
    double sampler = (1 + Math.exp(0.1)) * 1000 * 4e-12;
    assertThat(mechanism.delta()).isBetween(sampler, sampler * (1 + 1e-12));
  }

  @Test
  void calibrate_byDelta_choosesTheMechanism() {
    assertThat(OutputMechanism.calibrate(0.1, 0, 1e-8, 5, 4))
        .isEqualTo(GammaRadiusMechanism.calibrate(0.1, 1e-8, 4));
    assertThat(OutputMechanism.calibrate(0.1, 1e-4, 1e-8, 5, 4))
        .isEqualTo(GaussianMechanism.calibrate(0.1, 1e-4, 1e-8, 5));
  }

  @ParameterizedTest
  @CsvSource({
    "0, 1, 3, epsilon",
    "-1, 1, 3, epsilon",
    "NaN, 1, 3, epsilon",
    "Infinity, 1, 3, epsilon",
    "30, 1, 3, epsilon",
    "0.1, 1, 20000000, epsilon",
    "1, 0, 3, rho",
    "1, -1, 3, rho",
    "1, NaN, 3, rho",
    "1e-6, 1e308, 3, rho",
    "1, 1, -1, coordinates"
  })
  void calibrate_badParameter_refusedByName(
      double epsilon, double rho, int coordinates, String name) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> GammaRadiusMechanism.calibrate(epsilon, rho, coordinates))
        .withMessageStartingWith(name + " = ");
  }

  @Test
  void constructor_tooLittleNoiseOrDelta_refused() {
    GammaRadiusMechanism honest = GammaRadiusMechanism.calibrate(0.1, 1e-8, 7);
    double scale = honest.noise().scale();
    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                new GammaRadiusMechanism(
                    0.1, honest.delta(), 1e-8, new GammaRadiusNoise(scale * (1 - 1e-15), 7)))
        .withMessageStartingWith("scale = ");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new GammaRadiusMechanism(0.1, 0, 1e-8, honest.noise()))
        .withMessageStartingWith("delta = ");
    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                new GammaRadiusMechanism(
                    0.1, honest.delta(), 1e-8, new GammaRadiusNoise(scale, 100)))
        .withMessageStartingWith("delta = ");
  }
}
