package dev.lethe.core.certify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class SamplerDeltaTest {
  @Test
  void calibrate_manyCoordinates_paysForTheSamplerOutOfDelta() {
    double epsilon = 0.1;
    double delta = 1e-4;
    int p = 1_000_000;
    double sampler = (1 + Math.exp(epsilon)) * p * 4e-12;
    GaussianMechanism mechanism = GaussianMechanism.calibrate(epsilon, delta, 1e-6, p);
    assertThat(GaussianMechanism.delta(epsilon, 1e-6 / mechanism.sigma()) + sampler)
        .isLessThanOrEqualTo(delta);
    assertThat(mechanism.sigma())
        .isGreaterThan(GaussianMechanism.calibrate(epsilon, delta, 1e-6).sigma());
  }

  @Test
  void calibrate_deltaBelowWhatTheSamplerTakes_isRefusedWithTheFigure() {
    assertThatThrownBy(() -> GaussianMechanism.calibrate(0.1, 1e-6, 1e-6, 1_000_000))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("delta = 1.0E-6")
        .hasMessageContaining("1000000 parameters")
        .hasMessageContaining("must be at least 1.68");
  }
}
