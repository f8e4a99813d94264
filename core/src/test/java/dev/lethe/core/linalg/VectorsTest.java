package dev.lethe.core.linalg;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import java.math.BigDecimal;
import java.math.MathContext;
import org.junit.jupiter.api.Test;

class VectorsTest {
  @Test
  void norm_extremeEntries_neitherOverflowsNorUnderflows() {
    assertThat(Vectors.norm(new double[] {3e200, -4e200})).isCloseTo(5e200, within(1e185));
    assertThat(Vectors.norm(new double[] {3e-200, -4e-200})).isCloseTo(5e-200, within(1e-215));
    assertThat(Vectors.norm(new double[] {Double.MIN_VALUE, 0})).isEqualTo(Double.MIN_VALUE);
    assertThat(Vectors.norm(new double[0])).isZero();
    assertThat(Vectors.norm(new double[] {1, Double.POSITIVE_INFINITY}))
        .isEqualTo(Double.POSITIVE_INFINITY);
    assertThat(Vectors.norm(new double[] {Double.NaN, 1})).isNaN();
  }

  @Test
  void operations_smallVectors_areTheDefinitions() {
    double[] x = {1, 2};
    assertThat(Vectors.dot(x, new double[] {3, -1})).isEqualTo(1);
    assertThat(Vectors.add(x, 2, new double[] {1, 1})).containsExactly(3, 4);
    assertThat(x).containsExactly(1, 2);
    assertThat(Vectors.distance(x, new double[] {4, 6})).isEqualTo(5);
    assertThat(Vectors.maxAbs(new double[] {1, -7, 3})).isEqualTo(7);
    assertThat(Vectors.maxAbs(new double[] {1, Double.NaN})).isNaN();
    assertThat(Vectors.isFinite(x)).isTrue();
    assertThat(Vectors.isFinite(new double[] {1, Double.NaN})).isFalse();
  }

  @Test
  void gamma_anyCount_isAnUpperBoundAndTight() {
    for (double m = 0; m < 1e15; m = 3 * m + 1) {
      BigDecimal mu = new BigDecimal(m).multiply(new BigDecimal(0x1p-53));
      BigDecimal exact = mu.divide(BigDecimal.ONE.subtract(mu), new MathContext(50));
      BigDecimal gamma = new BigDecimal(Rounding.gamma(m));
      assertThat(gamma).isGreaterThanOrEqualTo(exact);
      assertThat(gamma).isLessThanOrEqualTo(exact.multiply(new BigDecimal("1.000000001")));
    }
  }

  @Test
  void gamma_outOfRange_isRefused() {
    for (double m : new double[] {-1, 0x1p52, Double.NaN, Double.POSITIVE_INFINITY}) {
      assertThatIllegalArgumentException().isThrownBy(() -> Rounding.gamma(m));
    }
  }

  @Test
  void upAndDown_bracketAnyValueWithinGamma() {
    double exact = 0.7;
    for (double m : new double[] {1, 10, 1e6, 1e12}) {
      double gamma = Rounding.gamma(m);
      assertThat(Rounding.up(exact * (1 - gamma), m)).isGreaterThanOrEqualTo(exact);
      assertThat(Rounding.down(exact * (1 + gamma), m)).isLessThanOrEqualTo(exact);
    }
  }
}
