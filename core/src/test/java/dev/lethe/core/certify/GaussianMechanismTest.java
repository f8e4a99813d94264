package dev.lethe.core.certify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assertions.withinPercentage;

import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GaussianMechanismTest {

  /**
   * Truth: (5) evaluated with 60 (for delta = 1e-300: 760) decimal digits by mpmath and bisected.
   * The first is the 3.7306 of the published implementations of [Balle and Wang, 2018].
   */
  @ParameterizedTest
  @CsvSource({
    "1,    1e-5,   3.7306316348159418",
    "0.1,  1e-4,   24.508105599145263",
    "0.5,  0.02,   2.6723672059909482",
    "1e-6, 1e-300, 36475988.4809531",
    "1e-6, 0.5,    0.74130067693110439",
    "1e-6, 1e-9,   2436407.9138101655",
    "50,   1e-300, 0.75241655372730068",
    "50,   0.5,    0.09901784387823793",
    "50,   1e-6,   0.15659287039176195",
    "8,    1e-12,  0.91225199883995782",
    "0.01, 1e-10,  501.29213292600074"
  })
  void calibrate_highPrecisionTruth_agreesAndIsNeverBelow(
      double epsilon, double delta, double sigma) {
    double computed = GaussianMechanism.calibrate(epsilon, delta, 1).sigma();

    assertThat(computed).isGreaterThanOrEqualTo(sigma);
    // What logDelta may admit: 2^-48 (1 + x) / mu in delta, less in sigma; 1e-8 for epsilon = 1e-6.
    assertThat(computed / sigma - 1).isLessThan(1e-13 * (100 + sigma));
  }

  /** Truth: quadrature of (p - e^epsilon q)+, which shares no special function with the code. */
  @Property(tries = 300, seed = "2")
  void logDelta_quadratureOfThePositivePart_agrees(
      @ForAll @DoubleRange(min = -6, max = 1.7) double logEpsilon,
      @ForAll @DoubleRange(min = -4, max = 1.3) double logMu) {
    double epsilon = Math.pow(10, logEpsilon);
    double mu = Math.pow(10, logMu);
    double truth = logDeltaByQuadrature(epsilon, mu);

    // Simpson's error and the stated excess, 2^-48 (1 + x) / mu
    assertThat(GaussianMechanism.logDelta(epsilon, mu))
        .isCloseTo(truth, within(1e-9 + 1e-13 * (1 + epsilon / mu) * (1 + epsilon / mu) / mu));
  }

  /**
   * With s = (z - mu) - x, delta = phi(x) integral_0^inf exp(-x s - s^2/2) (1 - exp(-mu s)) ds: the
   * integral of the positive part of the two normal densities, all terms positive.
   */
  private static double logDeltaByQuadrature(double epsilon, double mu) {
    double x = epsilon / mu - mu / 2;
    double end = x > 0 ? 45 / (x + 4.5) : 10 - x;
    int panels = 20_000;
    double width = end / panels;
    double peak = x < 0 ? x * x / 2 : 0;
    double sum = 0;
    for (int i = 0; i <= panels; i++) {
      double s = i * width;
      double weight = i == 0 || i == panels ? 1 : i % 2 == 1 ? 4 : 2;
      sum += weight * Math.exp(-x * s - s * s / 2 - peak) * -Math.expm1(-mu * s);
    }
    return Math.log(sum * width / 3) + peak - x * x / 2 - Math.log(2 * Math.PI) / 2;
  }

  @Property(tries = 200, seed = "3")
  void calibrate_anyParameters_holdsAndBarelyLessDoesNot(
      @ForAll @DoubleRange(min = -6, max = 1.69) double logEpsilon,
      @ForAll @DoubleRange(min = -300, max = -0.31) double logDelta,
      @ForAll @DoubleRange(min = -200, max = 200) double logRho) {
    double epsilon = Math.pow(10, logEpsilon);
    double delta = Math.pow(10, logDelta);
    double rho = Math.pow(10, logRho);
    double sigma = GaussianMechanism.calibrate(epsilon, delta, rho).sigma();

    double slack = 1e-10 + 1e-13 * sigma / rho; // what the excess of logDelta costs
    assertThat(GaussianMechanism.delta(epsilon, rho / sigma))
        .isLessThanOrEqualTo(delta * (1 + 1e-12));
    assertThat(GaussianMechanism.logDelta(epsilon, rho / (sigma * (1 - slack))))
        .isGreaterThan(Math.log(delta));
    assertThat(sigma / rho)
        .isCloseTo(GaussianMechanism.calibrate(epsilon, delta, 1).sigma(), withinPercentage(1e-10));
  }

  @Property(tries = 200, seed = "4")
  void calibrate_weakerPrivacy_smallerSigma(
      @ForAll @DoubleRange(min = 0.01, max = 49) double epsilon,
      @ForAll @DoubleRange(min = -12, max = -0.4) double logDelta) {
    double delta = Math.pow(10, logDelta);
    double sigma = GaussianMechanism.calibrate(epsilon, delta, 1).sigma();

    assertThat(GaussianMechanism.calibrate(epsilon * 1.01, delta, 1).sigma()).isLessThan(sigma);
    assertThat(GaussianMechanism.calibrate(epsilon, delta * 1.01, 1).sigma()).isLessThan(sigma);
  }

  @ParameterizedTest
  @CsvSource({
    "1e-300, 1e-300",
    "1e-300, 1e-3",
    "1e-3, 1e300",
    "1e300, 1e-5",
    "1e9, 1e-9",
    "50, 1e5"
  })
  void logDelta_extremes_neverNaN(double epsilon, double mu) {
    assertThat(GaussianMechanism.logDelta(epsilon, mu)).isLessThanOrEqualTo(0);
    assertThat(GaussianMechanism.delta(epsilon, mu)).isBetween(0.0, 1.0);
  }

  @ParameterizedTest
  @CsvSource({
    "0, 0.1, 1, epsilon",
    "-1, 0.1, 1, epsilon",
    "NaN, 0.1, 1, epsilon",
    "Infinity, 0.1, 1, epsilon",
    "1, 0, 1, delta",
    "1, 1, 1, delta",
    "1, NaN, 1, delta",
    "1, 0.1, 0, rho",
    "1, 0.1, NaN, rho",
    "1, 0.1, Infinity, rho",
    "1e-6, 1e-300, 1e308, rho"
  })
  void calibrate_badParameter_refusedByName(double epsilon, double delta, double rho, String name) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> GaussianMechanism.calibrate(epsilon, delta, rho))
        .withMessageStartingWith(name + " = ");
  }

  @ParameterizedTest
  @CsvSource({"0.999999", "0.5", "0.1"})
  void constructor_sigmaTooSmall_refused(double factor) {
    GaussianMechanism honest = GaussianMechanism.calibrate(0.1, 1e-4, 1e-8);

    assertThatIllegalArgumentException()
        .isThrownBy(() -> new GaussianMechanism(0.1, 1e-4, 1e-8, honest.sigma() * factor))
        .withMessageStartingWith("sigma = ");
  }
}
