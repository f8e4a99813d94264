package dev.lethe.core.neural;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class NelderMeadTest {

  /** Its valley is curved and flat: the customary test of such searches. */
  @Test
  void minimise_rosenbrock_findsTheMinimum() {
    double[] x =
        NelderMead.minimise(
            p -> 100 * Math.pow(p[1] - p[0] * p[0], 2) + Math.pow(1 - p[0], 2),
            new double[] {-1.2, 1},
            0.5,
            1e-9);
    assertThat(x[0]).isCloseTo(1, within(1e-7));
    assertThat(x[1]).isCloseTo(1, within(1e-7));
  }

  @Test
  void minimise_functionThatIsConstantOrNotANumber_ends() {
    assertThat(NelderMead.minimise(p -> 1, new double[] {3, 4}, 0.5, 1e-6)).hasSize(2);
    assertThat(NelderMead.minimise(p -> Double.NaN, new double[] {3, 4}, 0.5, 1e-6)).hasSize(2);
  }
}
