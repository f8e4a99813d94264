package dev.lethe.core.neural;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Against steps by hand. */
class OptimizerTest {
  private static final Offset<Double> ROUNDING = within(1e-14);

  @Test
  void step_sgd_isTheRateTimesTheGradient() {
    Optimizer sgd = new Optimizer.Sgd(2, 0.5, 0);
    double[] theta = {3, 4};
    sgd.step(theta, new double[] {1, -2});
    assertThat(theta).containsExactly(2.5, 5);
    sgd.step(theta, new double[] {4, 2});
    assertThat(theta).containsExactly(0.5, 4);
  }

  @Test
  void step_momentum_addsHalfOfTheVelocity() {
    Optimizer sgd = new Optimizer.Sgd(2, 0.5, 0.5);
    double[] theta = {3, 4};
    sgd.step(theta, new double[] {1, -2}); // v = (1, -2)
    assertThat(theta).containsExactly(2.5, 5);
    sgd.step(theta, new double[] {4, 2}); // v = (4.5, 1)
    assertThat(theta).containsExactly(0.25, 4.5);
    sgd.step(theta, new double[] {0, 0}); // v = (2.25, 0.5)
    assertThat(theta).containsExactly(-0.875, 4.25);
  }

  @Test
  void step_adam_isThatOfCorrectedMoments() {
    Optimizer adam = new Optimizer.Adam(2, 0.1);
    double[] theta = {3, 4};

    // without the correction of both it would be 0.1 / sqrt(0.001): 3.16 times as long
    adam.step(theta, new double[] {2, -0.001});
    assertThat(theta[0]).isCloseTo(3 - 0.1 * 2 / (2 + 1e-8), ROUNDING);
    assertThat(theta[1]).isCloseTo(4 + 0.1 * 0.001 / (0.001 + 1e-8), ROUNDING);

    // m = 0.9 0.2 + 0.1 1, v = 0.999 0.004 + 0.001 1; 1 - 0.9^2 = 0.19, 1 - 0.999^2 = 0.001999
    double before = theta[0];
    adam.step(theta, new double[] {1, 0});
    assertThat(theta[0] - before)
        .isCloseTo(-0.1 * (0.28 / 0.19) / (Math.sqrt(0.004996 / 0.001999) + 1e-8), ROUNDING);
    // the powers of the third: 0.271, 0.002997001
    before = theta[0];
    adam.step(theta, new double[] {-3, 0});
    assertThat(theta[0] - before)
        .isCloseTo(0.1 * (0.048 / 0.271) / (Math.sqrt(0.013991004 / 0.002997001) + 1e-8), ROUNDING);
  }

  static Stream<Supplier<Optimizer>> optimizers() {
    return Stream.of(() -> new Optimizer.Sgd(2, 0.5, 0.5), () -> new Optimizer.Adam(2, 0.1));
  }

  @ParameterizedTest
  @MethodSource("optimizers")
  void read_whatWasWritten_goesOnTheSame(Supplier<Optimizer> fresh) throws IOException {
    Optimizer optimizer = fresh.get();
    double[] theta = {3, 4};
    optimizer.step(theta, new double[] {1, -2});
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    optimizer.write(new DataOutputStream(bytes));
    Optimizer other = fresh.get();
    other.read(new DataInputStream(new ByteArrayInputStream(bytes.toByteArray())));
    double[] same = theta.clone();

    optimizer.step(theta, new double[] {4, 2});
    other.step(same, new double[] {4, 2});

    assertThat(same).isEqualTo(theta);
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, -1, Double.NaN, Double.POSITIVE_INFINITY})
  void rate_notPositiveAndFinite_isRefused(double rate) {
    assertThatThrownBy(() -> new Optimizer.Sgd(1, rate, 0))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new Optimizer.Adam(1, rate))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
