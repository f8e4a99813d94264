package dev.lethe.core.certify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LossPerturbationTest {
  /** Truth: sqrt(2 ln(1.5 / delta)) r / epsilon to 15 digits, by bc. */
  @ParameterizedTest
  @CsvSource({
    "0.1, 1e-4, 1, 43.8538606740258",
    "1, 1e-5, 0.5, 2.44114630584469",
    "0.25, 0.5, 8, 47.4337218357604"
  })
  void calibrate_terms_sigmaOfTheFormula(
      double epsilon, double delta, double residual, double sigma) {
    assertThat(LossPerturbation.calibrate(epsilon, delta, residual).sigma())
        .isCloseTo(sigma, within(3e-14 * sigma));
  }

  @Test
  void constructor_sigmaTooSmall_isRefused() {
    LossPerturbation smallest = LossPerturbation.calibrate(0.1, 1e-4, 1);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new LossPerturbation(0.1, 1e-4, 1, smallest.sigma() * (1 - 1e-13)))
        .withMessageContaining("sigma");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new LossPerturbation(0.1, 1e-4, 1, Double.NaN));
    assertThat(new LossPerturbation(0.1, 1e-4, 1, 50).sigma()).isEqualTo(50);
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, -0.1, 1.0000001, Double.NaN, Double.POSITIVE_INFINITY})
  void calibrate_epsilonOutOfRange_isRefusedWithTheValue(double epsilon) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> LossPerturbation.calibrate(epsilon, 1e-4, 1))
        .withMessageContaining("epsilon = " + epsilon)
        .withMessageContaining("(0, 1]");
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, -0.1, 1, Double.NaN})
  void calibrate_deltaOutOfRange_isRefusedWithTheValue(double delta) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> LossPerturbation.calibrate(0.1, delta, 1))
        .withMessageContaining("delta = " + delta)
        .withMessageContaining("(0, 1)");
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, -1, Double.NaN, Double.POSITIVE_INFINITY})
  void calibrate_residualOutOfRange_isRefusedWithTheValue(double residual) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> LossPerturbation.calibrate(0.1, 1e-4, residual))
        .withMessageContaining("residual = " + residual);
  }

  /** Rejects true noise with probability 1e-9. */
  @Test
  void draw_manyCoordinates_isNormalOfSigma() {
    int p = 100_000;
    LossPerturbation perturbation = LossPerturbation.calibrate(0.1, 1e-4, 1);
    double[] b = perturbation.draw(p, OutputNoise.cryptographic());
    GaussianNoise law = new GaussianNoise(43.8538606740258);
    assertThat(law.test(b, new double[p], new boolean[p], 1e-9).passed()).isTrue();
  }
}
