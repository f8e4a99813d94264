package dev.lethe.core.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.lethe.core.linalg.Rounding;
import dev.lethe.core.testing.Exact;
import dev.lethe.core.testing.Problem;
import dev.lethe.core.testing.Serialized;
import java.util.SplittableRandom;
import java.util.stream.DoubleStream;
import org.junit.jupiter.api.Test;

class LogisticLossTest {
  private static final LogisticLoss LOSS = LogisticLoss.INSTANCE;

  /** Margins of every size: near 0, of order 1 and 10, up to 700, where e^-|s| is still normal. */
  private static double[] margins(int count) {
    SplittableRandom random = new SplittableRandom(20240601);
    return DoubleStream.generate(
            () -> {
              double z = Problem.gaussian(random);
              return switch (random.nextInt(4)) {
                case 0 -> z * Math.pow(10, -20 * random.nextDouble());
                case 1 -> z;
                case 2 -> 10 * z;
                default -> 1400 * random.nextDouble() - 700;
              };
            })
        .limit(count)
        .toArray();
  }

  @Test
  void value_anyMargin_matchesSixtyDigits() {
    // exp and log1p: 1 ulp each, the sum and the product: u each; 8 u leaves room for 2 u more.
    for (double s : margins(800)) {
      for (double y : new double[] {0, 1}) {
        assertThat(Exact.relativeError(LOSS.value(s, y), Exact.logisticLoss(Exact.of(s), y)))
            .as("s = %s, y = %s", s, y)
            .isLessThanOrEqualTo(8 * Rounding.UNIT);
      }
    }
  }

  @Test
  void firstDerivative_thousandsOfMargins_staysWithinItsClaimedUnits() {
    double worst = 0;
    for (double s : margins(3000)) {
      for (double y : new double[] {0, 1}) {
        double first = LOSS.firstDerivative(s, y);
        double error = Exact.error(first, Exact.logisticFirst(Exact.of(s), y)).doubleValue();
        double claim = LOSS.evaluationError(s, y);
        assertThat(claim).isLessThanOrEqualTo(Rounding.gamma(5) * Math.abs(first));
        assertThat(error).as("s = %s, y = %s", s, y).isLessThanOrEqualTo(claim);
        worst = Math.max(worst, error / claim);
      }
    }
    // The claim is a bound, not a guess: real errors come within a factor of 5 of it.
    assertThat(worst).isGreaterThan(0.2);
  }

  @Test
  void firstDerivative_underflowingTail_isWithinTheLeastDouble() {
    for (double s = 708; s <= 800; s += 0.37) {
      for (double signed : new double[] {-s, s}) {
        double y = signed > 0 ? 1 : 0;
        assertThat(
                Exact.error(
                    LOSS.firstDerivative(signed, y), Exact.logisticFirst(Exact.of(signed), y)))
            .isLessThanOrEqualTo(Exact.of(2 * Double.MIN_VALUE));
      }
    }
  }

  @Test
  void secondDerivative_anyMargin_matchesSixtyDigits() {
    // 2 u (exp) + 2 (1 + e is squared) + 1 + 1 units; 8 rounded up.
    for (double s : margins(3000)) {
      assertThat(
              Exact.relativeError(LOSS.secondDerivative(s, 1), Exact.logisticSecond(Exact.of(s))))
          .as("s = %s", s)
          .isLessThanOrEqualTo(8 * Rounding.UNIT);
    }
  }

  @Test
  void derivatives_moderateMargins_agreeWithCentralDifferences() {
    // Step 1e-4: truncation h^2/6 |l''''| < 1e-9, rounding u |s| / h < 1e-11.
    double h = 1e-4;
    for (double s = -12; s <= 12; s += 0.31) {
      for (double y : new double[] {0, 1}) {
        double slope = (LOSS.value(s + h, y) - LOSS.value(s - h, y)) / (2 * h);
        double bend = (LOSS.firstDerivative(s + h, y) - LOSS.firstDerivative(s - h, y)) / (2 * h);
        assertThat(LOSS.firstDerivative(s, y)).isCloseTo(slope, within(2e-9));
        assertThat(LOSS.secondDerivative(s, y)).isCloseTo(bend, within(2e-9));
      }
    }
  }

  @Test
  void thirdDerivative_byCentralDifferences_isBoundedByTheSecond() {
    assertThat(LOSS.selfConcordance()).isEqualTo(1);
    double h = 1e-4;
    for (double s = -30; s <= 30; s += 0.11) {
      double third = (LOSS.secondDerivative(s + h, 0) - LOSS.secondDerivative(s - h, 0)) / (2 * h);
      // Relative truncation h^2/6 and rounding 8 u / h: 1e-8 covers both.
      assertThat(Math.abs(third)).isLessThanOrEqualTo(LOSS.secondDerivative(s, 0) * (1 + 1e-8));
    }
  }

  @Test
  void secondDerivative_anyMargin_isWithinItsBound() {
    assertThat(LOSS.secondDerivative(0, 0)).isEqualTo(LOSS.secondDerivativeBound());
    for (double s : margins(2000)) {
      // the bound is one of the exact function
      assertThat(LOSS.secondDerivative(s, 0))
          .isBetween(0.0, LOSS.secondDerivativeBound() * (1 + 8 * Rounding.UNIT));
    }
  }

  @Test
  void everything_extremeMargins_isFiniteAndHasItsLimit() {
    for (double s : new double[] {-1e300, -1e5, -800, -746, 746, 800, 1e5, 1e300}) {
      for (double y : new double[] {0, 1}) {
        double wrong = s > 0 == (y == 0) ? 1 : 0;
        assertThat(LOSS.value(s, y)).isEqualTo(wrong * Math.abs(s));
        assertThat(LOSS.firstDerivative(s, y)).isEqualTo(wrong * Math.signum(s));
        assertThat(LOSS.secondDerivative(s, y)).isZero();
      }
    }
  }

  @Test
  void derivatives_symmetry_isExact() {
    for (double s : margins(500)) {
      assertThat(LOSS.firstDerivative(-s, 1)).isEqualTo(-LOSS.firstDerivative(s, 0));
      assertThat(LOSS.secondDerivative(-s, 0)).isEqualTo(LOSS.secondDerivative(s, 0));
    }
  }

  @Test
  void acceptsLabel_onlyZeroAndOne() {
    assertThat(LOSS.acceptsLabel(0)).isTrue();
    assertThat(LOSS.acceptsLabel(-0.0)).isTrue();
    assertThat(LOSS.acceptsLabel(1)).isTrue();
    for (double y : new double[] {-1, 0.5, 2, Double.NaN, Double.POSITIVE_INFINITY}) {
      assertThat(LOSS.acceptsLabel(y)).as("%s", y).isFalse();
    }
    assertThat(LOSS.labelDomain()).isEqualTo("0 or 1");
  }

  @Test
  void serialization_returnsTheSingleton() {
    assertThat(Serialized.copy(LogisticLoss.INSTANCE)).isSameAs(LogisticLoss.INSTANCE);
  }
}
