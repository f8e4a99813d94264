package dev.lethe.core.neural;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import dev.lethe.core.linalg.Cholesky;
import dev.lethe.core.linalg.SymmetricMatrix;
import dev.lethe.core.testing.Problem;
import java.util.Arrays;
import java.util.SplittableRandom;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SkewNormalTest {

  /** Azzalini's representation: location + scale (delta |u| + sqrt(1 - delta^2) v), u, v normal. */
  static double[] draw(SkewNormal law, int n, SplittableRandom random) {
    double c = Math.sqrt(1 + law.shape() * law.shape());
    double[] samples = new double[n];
    Arrays.setAll(
        samples,
        i -> {
          double u = Math.abs(Problem.gaussian(random));
          double v = Problem.gaussian(random);
          return law.location() + law.scale() * (law.shape() * u + v) / c;
        });
    return samples;
  }

  /**
   * Truth: mpmath, the density integrated in 50 digits; for |shape| up to 20 also Phi(z) - 2 T(z,
   * shape), Owen's T integrated in 120 digits and more, which below 1e-30 is the one that is used.
   */
  @ParameterizedTest
  @CsvSource({
    "0, 0, 0.5",
    "1, 0, 0.84134474606854295",
    "-8, 0, 6.2209605742717841e-16",
    "0, 5, 0.062832958189001184",
    "0, -5, 0.93716704181099882",
    "-1, 1, 0.025171489600055118",
    "-2, 3, 5.0891259751793012e-12",
    "-1.6, 5, 3.2245926492293629e-18",
    "-0.5, 20, 2.6250936452082366e-26",
    "-0.0078, 1000, 3.0697998756003791e-19",
    "-7.5, 0.1, 1.4217396504312743e-14",
    "-5.5, 0.7, 1.4918967137082948e-12",
    "-8, -3, 1.2441921148543568e-15",
    "-20, -3, 5.5072482372124674e-89",
    "-30, -0.5, 9.8134278542963741e-198",
    "-0.3, -1000, 0.76417715562209473",
    "-12, 2, 9.9202835085103383e-161",
    "0.01, 50, 0.011134287525947282",
    "0.5, -2, 0.97462366858196989",
    "2, 4, 0.95449973610364159",
    "0.01, 1000, 0.0079787126292632076",
    "3, -100, 1",
    "1.5, -0.2, 0.95329291385711513"
  })
  void cdf_highPrecisionTruth_agreesRelatively(double z, double shape, double truth) {
    double relative = 1e-13 * (1 + Math.abs(shape) / 10);
    assertThat(new SkewNormal(0, 1, shape).cdf(z)).isCloseTo(truth, within(relative * truth));
    assertThat(new SkewNormal(0, 1, shape).logCdf(z))
        .isCloseTo(Math.log(truth), within(relative * (1 + Math.abs(Math.log(truth)))));
    // (4 + z / 2) is exact for most z, and else moves z by at most 2^-51
    assertThat(new SkewNormal(8, 2, shape).cdf(8 + 2 * z))
        .isCloseTo(truth, within((relative + 0x1p-51 * slope(z, shape)) * truth));
  }

  /** A bound of f / F: that of the tail's Gaussian factor. */
  private static double slope(double z, double shape) {
    return 2 * (1 + (1 + shape * shape) * Math.abs(z) + Math.abs(shape));
  }

  /** Far beyond the range of a double: log of the first term of the tail's asymptotic series. */
  @Test
  void logCdf_tailThatUnderflows_isFinite() {
    double z = 1000;
    // shape 0: phi(z) / z (1 - 1/z^2)
    double normal = -z * z / 2 - Math.log(z) - Math.log(2 * Math.PI) / 2 - 1 / (z * z);
    assertThat(new SkewNormal(0, 1, 0).logCdf(-z)).isCloseTo(normal, within(1e-9));
    assertThat(new SkewNormal(0, 1, 0).cdf(-z)).isZero();
    // shape 1: Phi(z)^2
    assertThat(new SkewNormal(0, 1, 1).logCdf(-z)).isCloseTo(2 * normal, within(1e-9));
  }

  /** F(b) - F(a) is Simpson's integral of the density: ties the two together. */
  @Property(tries = 200, seed = "11")
  void cdf_difference_isTheIntegralOfTheDensity(
      @ForAll @DoubleRange(min = -6, max = 6) double from,
      @ForAll @DoubleRange(min = 0, max = 4) double length,
      @ForAll @DoubleRange(min = -20, max = 20) double shape) {
    SkewNormal law = new SkewNormal(0.5, 2, shape);
    int panels = 4000;
    double width = length / panels;
    double sum = 0;
    for (int i = 0; i <= panels; i++) {
      double weight = i == 0 || i == panels ? 1 : i % 2 == 1 ? 4 : 2;
      sum += weight * Math.exp(law.logDensity(from + i * width));
    }
    // Simpson: length width^4 / 180 max|f''''|, below 4 (1e-3)^4 / 180 10^4 = 2e-10
    assertThat(law.cdf(from + length) - law.cdf(from)).isCloseTo(sum * width / 3, within(1e-9));
  }

  /** Truth: mpmath in 40 digits; scipy.stats.skewnorm.logpdf agrees. */
  @ParameterizedTest
  @CsvSource({
    "0.3, 1, 2, 3, -2.8984704855149429",
    "-50, 1, 2, 3, -3257.4253386087581",
    "40, -1, 0.5, -4, -57160.24460560852"
  })
  void logDensity_highPrecisionTruth_agrees(
      double x, double location, double scale, double shape, double truth) {
    assertThat(new SkewNormal(location, scale, shape).logDensity(x))
        .isCloseTo(truth, within(1e-14 * Math.abs(truth)));
  }

  /** The stationary point of the likelihood, found by Newton's method in 30 digits with mpmath. */
  @Test
  void fit_fixedSample_findsTheMaximum() {
    double[] x = new double[40];
    Arrays.setAll(
        x, i -> (37 * i) % 40 / 10.0 + i * i % 7 / 3.0 + Math.pow((i * i * i) % 11, 2) / 40);
    SkewNormal fit = SkewNormal.fit(x);
    assertThat(fit.location()).isCloseTo(4.4233906582834631, within(1e-6));
    assertThat(fit.scale()).isCloseTo(1.6933992817500000, within(1e-6));
    assertThat(fit.shape()).isCloseTo(-0.97754705527021111, within(1e-6));
    assertThat(fit.logLikelihood(x)).isCloseTo(-70.312173548312545, within(1e-11));
  }

  /**
   * Within 5 standard errors, by the information at the truth: rejected with a rate of 6e-7 for
   * each of 12 figures.
   */
  @ParameterizedTest
  @CsvSource({"1.5, 1", "-3, 2", "5, 3", "-12, 4"})
  void fit_seededSample_recoversTheParameters(double shape, long seed) {
    SkewNormal truth = new SkewNormal(30, 4, shape);
    double[] samples = draw(truth, 20_000, new SplittableRandom(seed));
    SkewNormal fit = SkewNormal.fit(samples);
    double[] error = standardErrors(truth, samples);
    assertThat(fit.location()).isCloseTo(truth.location(), within(5 * error[0]));
    assertThat(fit.scale()).isCloseTo(truth.scale(), within(5 * error[1]));
    assertThat(fit.shape()).isCloseTo(truth.shape(), within(5 * error[2]));
    assertThat(error[2]).isLessThan(0.1 * Math.abs(shape)); // the tolerance is worth something
  }

  /** Roots of the diagonal of (sum s_i s_i')^{-1}, s_i the scores by central differences. */
  private static double[] standardErrors(SkewNormal law, double[] samples) {
    double h = 1e-5;
    double[] information = new double[9];
    for (double x : samples) {
      double[] score = {
        (new SkewNormal(law.location() + h, law.scale(), law.shape()).logDensity(x)
                - new SkewNormal(law.location() - h, law.scale(), law.shape()).logDensity(x))
            / (2 * h),
        (new SkewNormal(law.location(), law.scale() + h, law.shape()).logDensity(x)
                - new SkewNormal(law.location(), law.scale() - h, law.shape()).logDensity(x))
            / (2 * h),
        (new SkewNormal(law.location(), law.scale(), law.shape() + h).logDensity(x)
                - new SkewNormal(law.location(), law.scale(), law.shape() - h).logDensity(x))
            / (2 * h)
      };
      for (int j = 0; j < 9; j++) {
        information[j] += score[j / 3] * score[j % 3];
      }
    }
    Cholesky factor = Cholesky.of(new SymmetricMatrix(3, information)).orElseThrow();
    double[] errors = new double[3];
    for (int j = 0; j < 3; j++) {
      double[] e = new double[3];
      e[j] = 1;
      errors[j] = Math.sqrt(factor.solve(e)[j]);
    }
    return errors;
  }

  /**
   * Wilks: twice the gain over the truth is chi-square of three degrees of freedom, beyond 30.7
   * with a rate of 1e-6; also for the normal, where the shape's standard error does not exist.
   */
  @ParameterizedTest
  @ValueSource(doubles = {0, 0.3, -1, 2, -5, 30})
  void fit_anyShape_isAsLikelyAsTheTruthAndBarelyMore(double shape) {
    SkewNormal truth = new SkewNormal(-7, 0.1, shape);
    double[] samples = draw(truth, 5000, new SplittableRandom(6));
    double gain = SkewNormal.fit(samples).logLikelihood(samples) - truth.logLikelihood(samples);
    assertThat(2 * gain).isBetween(0.0, 30.7);
  }

  @ParameterizedTest
  @CsvSource({"1000, 1e-3", "-1e6, 250", "0, -1", "3, -1e5"})
  void fit_movedAndScaledSample_movesAndScales(double shift, double factor) {
    double[] samples = draw(new SkewNormal(0, 1, 2), 1000, new SplittableRandom(7));
    SkewNormal fit = SkewNormal.fit(samples);
    SkewNormal moved =
        SkewNormal.fit(Arrays.stream(samples).map(x -> shift + factor * x).toArray());
    // the search ends within about 1e-7 deviations; here, where one in the shape is 10 of these
    assertThat((moved.location() - shift) / factor).isCloseTo(fit.location(), within(1e-5));
    assertThat(moved.scale() / Math.abs(factor)).isCloseTo(fit.scale(), within(1e-5));
    assertThat(moved.shape() * Math.signum(factor)).isCloseTo(fit.shape(), within(1e-4));
  }

  /** The likelihood of a half-normal sample can rise with the shape without end. */
  @Test
  void fit_likelihoodWithoutMaximum_endsAtTheLargestSkewness() {
    double[] samples = draw(new SkewNormal(0, 1, 1000), 30, new SplittableRandom(8));
    SkewNormal fit = SkewNormal.fit(samples);
    assertThat(fit.shape()).isBetween(500.0, 600.0);
    double least = Arrays.stream(samples).min().orElseThrow();
    assertThat(fit.location()).isCloseTo(least, within(0.02));
    // of the half normal at the smallest value the maximum is known; shape 591 costs little
    double square = Arrays.stream(samples).map(x -> (x - least) * (x - least)).sum() / 30;
    double halfNormal = 30 * (Math.log(2 / Math.PI / square) - 1) / 2;
    assertThat(fit.logLikelihood(samples)).isGreaterThan(halfNormal - 3);
  }

  @Test
  void fit_degenerateSample_isRefusedByName() {
    double[] nine = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    assertThatIllegalArgumentException()
        .isThrownBy(() -> SkewNormal.fit(nine))
        .withMessage("samples has 9 values: must have at least 10");
    double[] equal = new double[100];
    Arrays.fill(equal, 0.1);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> SkewNormal.fit(equal))
        .withMessage("samples has standard deviation 0.0: must be positive and finite");
    for (double bad : new double[] {Double.NaN, Double.NEGATIVE_INFINITY}) {
      double[] samples = draw(new SkewNormal(0, 1, 1), 100, new SplittableRandom(1));
      samples[50] = bad;
      assertThatIllegalArgumentException()
          .isThrownBy(() -> SkewNormal.fit(samples))
          .withMessage("samples has the value " + bad + ": must be finite");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "NaN, 1, 0, location",
    "Infinity, 1, 0, location",
    "0, 0, 0, scale",
    "0, NaN, 0, scale",
    "0, Infinity, 0, scale",
    "0, 1, 1001, shape",
    "0, 1, NaN, shape"
  })
  void constructor_badParameter_refusedByName(
      double location, double scale, double shape, String name) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new SkewNormal(location, scale, shape))
        .withMessageStartingWith(name + " = ");
  }
}
