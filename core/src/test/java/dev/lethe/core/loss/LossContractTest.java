package dev.lethe.core.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assertions.withinPercentage;

import dev.lethe.core.linalg.Rounding;
import dev.lethe.core.testing.Exact;
import dev.lethe.core.testing.ExactLoss;
import dev.lethe.core.testing.LossCase;
import dev.lethe.core.testing.Problem;
import dev.lethe.core.testing.Serialized;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What {@link LossFunction} promises, of every loss, against definitions in exact arithmetic. */
class LossContractTest {
  private static final BigDecimal LARGEST = new BigDecimal("1e307");

  private static BigDecimal[] exact(double[] s) {
    return Arrays.stream(s).mapToObj(Exact::of).toArray(BigDecimal[]::new);
  }

  private static double[] gradient(LossFunction loss, double[] s, double y) {
    double[] gradient = new double[s.length];
    loss.gradient(s, y, gradient);
    return gradient;
  }

  private static double[] hessian(LossFunction loss, double[] s, double y) {
    double[] hessian = new double[s.length * s.length];
    loss.hessian(s, y, hessian);
    return hessian;
  }

  private static double form(double[] matrix, double[] u) {
    double sum = 0;
    for (int k = 0; k < u.length; k++) {
      for (int l = 0; l < u.length; l++) {
        sum += u[k] * matrix[k * u.length + l] * u[l];
      }
    }
    return sum;
  }

  private static double[] normals(SplittableRandom random, int n) {
    double[] v = new double[n];
    Arrays.setAll(v, k -> Problem.gaussian(random));
    return v;
  }

  private static double[] add(double[] s, double a, double[] t) {
    double[] sum = s.clone();
    Arrays.setAll(sum, k -> s[k] + a * t[k]);
    return sum;
  }

  private static double norm(double[] v) {
    return Math.sqrt(Arrays.stream(v).map(x -> x * x).sum());
  }

  @ParameterizedTest
  @EnumSource
  void value_anyMargins_matchesSixtyDigits(LossCase c) {
    SplittableRandom random = new SplittableRandom(1);
    for (int k = 0; k < 300; k++) {
      double y = c.label(random);
      double[] s = c.outputs(random);
      BigDecimal value = c.exact().value(exact(s), y);
      if (value.abs().compareTo(LARGEST) > 0) {
        assertThat(c.loss().value(s, y)).isGreaterThan(1e306);
        continue;
      }
      // a handful of roundings of terms of the size of value, margins, and margin times label
      double terms = Math.abs(value.doubleValue()) + 1e-30;
      for (double margin : s) {
        terms += Math.abs(margin) * (1 + Math.abs(y));
      }
      assertThat(Exact.error(c.loss().value(s, y), value).doubleValue())
          .as("s = %s, y = %s", Arrays.toString(s), y)
          .isLessThanOrEqualTo(20 * Rounding.UNIT * terms);
    }
  }

  @ParameterizedTest
  @EnumSource
  void jet_anyMargin_hasTheBitsOfTheMethods(LossCase c) {
    if (!(c.loss() instanceof MarginLoss loss)) {
      return;
    }
    SplittableRandom random = new SplittableRandom(11);
    double[] jet = new double[4];
    double[] bound = new double[1];
    for (int k = 0; k < 500; k++) {
      double y = c.label(random);
      double[] s = c.outputs(random);
      loss.jet(s[0], y, jet);
      assertThat(jet[0]).isEqualTo(loss.value(s[0], y));
      assertThat(jet[1]).isEqualTo(loss.firstDerivative(s[0], y));
      assertThat(jet[2]).isEqualTo(loss.secondDerivative(s[0], y));
      double[] error = {1e-12 * random.nextDouble()};
      loss.gradientError(s, y, error, bound);
      assertThat(loss.slopeError(s[0], y, error[0], jet)).isEqualTo(bound[0]);
    }
  }

  /**
   * The exact gradient at margins anywhere within the margins' error of those that the loss sees is
   * within the bound.
   */
  @ParameterizedTest
  @EnumSource
  void gradientError_anyMarginsAndErrors_boundsTheTrueError(LossCase c) {
    SplittableRandom random = new SplittableRandom(2);
    double worst = 0;
    double worstRounding = 0;
    for (int trial = 0; trial < 800; trial++) {
      double y = c.label(random);
      double[] s = c.outputs(random);
      double[] marginError = new double[s.length];
      boolean rounding = trial % 3 == 0;
      for (int k = 0; k < c.loss().margins(); k++) {
        double relative = Math.abs(s[k]) * Rounding.UNIT * random.nextInt(1, 1000);
        double absolute = Math.pow(10, -17 + 17.5 * random.nextDouble());
        marginError[k] = rounding ? 0 : random.nextBoolean() ? relative : absolute;
      }
      BigDecimal[] truth = exact(s);
      int way = random.nextInt(3);
      for (int k = 0; k < s.length; k++) {
        double share = way == 0 ? 2 * random.nextDouble() - 1 : random.nextBoolean() ? 1 : -1;
        truth[k] = truth[k].add(Exact.of(share).multiply(Exact.of(marginError[k])));
      }
      BigDecimal[] gradient = c.exact().gradient(truth, y);
      double[] computed = gradient(c.loss(), s, y);
      double[] bound = new double[s.length];
      c.loss().gradientError(s, y, marginError, bound);
      for (int k = 0; k < s.length; k++) {
        if (!Double.isFinite(computed[k])) {
          assertThat(gradient[k].abs()).isGreaterThan(LARGEST);
          assertThat(Double.isFinite(bound[k])).isFalse();
          continue;
        }
        BigDecimal error = Exact.error(computed[k], gradient[k]);
        assertThat(error)
            .as("s = %s, y = %s, error %s", Arrays.toString(s), y, Arrays.toString(marginError))
            .isLessThanOrEqualTo(Exact.of(bound[k]).add(Exact.of(2 * Double.MIN_VALUE)));
        double share = bound[k] > 1e-300 ? error.doubleValue() / bound[k] : 0;
        worst = Math.max(worst, share);
        worstRounding = Math.max(worstRounding, rounding ? share : 0);
        if (rounding) {
          // the gradient, e^s behind it, and the units of the softmax: never more than a dozen
          // digits are given away
          assertThat(bound[k])
              .isLessThanOrEqualTo(1e-12 * (Math.abs(computed[k]) + Math.abs(y) + 1));
        }
      }
    }
    // a bound, not a guess: it is nearly attained by a margin's error, and to a factor by rounding
    assertThat(worst).isGreaterThan(0.5);
    if (c.isSmooth() || c == LossCase.HUBER) { // a hinge subtracts numbers near each other, exactly
      assertThat(worstRounding).isGreaterThan(c.loss().margins() > 1 ? 0.01 : 0.1);
    }
  }

  /** Relative to the root of the diagonal entries, in the units that the loss claims. */
  @ParameterizedTest
  @EnumSource
  void hessian_anyMargins_isWithinItsUnitsOfSixtyDigits(LossCase c) {
    SplittableRandom random = new SplittableRandom(3);
    BigDecimal units = Exact.of(Rounding.gamma(c.loss().hessianErrorUnits()));
    for (int trial = 0; trial < 400; trial++) {
      double y = c.label(random);
      double[] s = c.outputs(random);
      int n = s.length;
      if (c.distanceToJump(s, y) < 1e-12) {
        continue; // which side of the jump is rounding's to say
      }
      BigDecimal[][] exact = c.exact().hessian(exact(s), y);
      double[] computed = hessian(c.loss(), s, y);
      for (int k = 0; k < n; k++) {
        for (int l = 0; l < n; l++) {
          double entry = computed[k * n + l];
          assertThat(entry).isEqualTo(computed[l * n + k]);
          if (exact[k][l].abs().compareTo(LARGEST) > 0) {
            assertThat(entry).isGreaterThan(1e306);
            continue;
          }
          BigDecimal scale = exact[k][k].multiply(exact[l][l]).sqrt(MathContext.DECIMAL64);
          assertThat(Exact.error(entry, exact[k][l]))
              .as("s = %s, y = %s, entry %s %s", Arrays.toString(s), y, k, l)
              .isLessThanOrEqualTo(units.multiply(scale).add(Exact.of(0x1p-1070)));
        }
      }
    }
  }

  /** Double against double: no definition in exact arithmetic is involved. */
  @ParameterizedTest
  @EnumSource
  void derivatives_byCentralDifferences_agree(LossCase c) {
    SplittableRandom random = new SplittableRandom(4);
    double h = 1e-5;
    int tested = 0;
    for (int trial = 0; trial < 2000; trial++) {
      double y = c.label(random);
      double[] s = c.outputs(random);
      double sigma = c == LossCase.HUBER ? s[1] : 1;
      if (c.distanceToJump(s, y) < 10 * h / sigma) {
        continue;
      }
      tested++;
      int n = s.length;
      double[] g = gradient(c.loss(), s, y);
      double[] hessian = hessian(c.loss(), s, y);
      double step = h * sigma;
      double value = c.loss().value(s, y);
      if (!(value < 1e300)) {
        continue; // Poisson beyond 709, Gamma below -709
      }
      double size = 1 + Math.abs(value) + Math.abs(g[0]) + hessian[0] + Math.abs(y);
      for (int k = 0; k < n; k++) {
        double[] e = new double[n];
        e[k] = 1;
        double[] plus = add(s, step, e);
        double[] minus = add(s, -step, e);
        double width = plus[k] - minus[k];
        double slope = (c.loss().value(plus, y) - c.loss().value(minus, y)) / width;
        // truncation h^2 / 6 of the third derivative, rounding u (value and s) / h
        assertThat(g[k])
            .as("s = %s, y = %s", Arrays.toString(s), y)
            .isCloseTo(slope, within(1e-9 * size / Math.min(1, sigma)));
        double[] above = gradient(c.loss(), plus, y);
        double[] below = gradient(c.loss(), minus, y);
        for (int l = 0; l < n; l++) {
          assertThat(hessian[k * n + l])
              .isCloseTo((above[l] - below[l]) / width, within(1e-9 * size / Math.min(1, sigma)));
        }
      }
    }
    assertThat(tested).isGreaterThan(1500);
  }

  @ParameterizedTest
  @EnumSource
  void hessianProduct_anyDirection_isTheHessianTimesIt(LossCase c) {
    SplittableRandom random = new SplittableRandom(5);
    for (int trial = 0; trial < 500; trial++) {
      double y = c.label(random);
      double[] s = c.outputs(random);
      int n = s.length;
      double[] v = normals(random, n);
      double[] hessian = hessian(c.loss(), s, y);
      double[] product = new double[n];
      c.loss().hessianProduct(s, y, v, product);
      for (int k = 0; k < n; k++) {
        double expected = 0;
        double terms = 0;
        for (int l = 0; l < n; l++) {
          expected += hessian[k * n + l] * v[l];
          terms += Math.abs(hessian[k * n + l] * v[l]);
        }
        if (terms < 1e300) {
          // P_k (v_k - v'P) loses up to u of P_k v_k, which the matrix does not hold
          double slack = c.loss().isShiftInvariant() ? 1e-14 * norm(v) : 1e-300;
          assertThat(product[k]).isCloseTo(expected, within(1e-14 * terms + slack));
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void hessian_anyDirection_isPositiveSemidefinite(LossCase c) {
    SplittableRandom random = new SplittableRandom(6);
    for (int trial = 0; trial < 3000; trial++) {
      double[] s = c.outputs(random);
      double[] hessian = hessian(c.loss(), s, c.label(random));
      double[] u = normals(random, s.length);
      double size = form(Arrays.stream(hessian).map(Math::abs).toArray(), absolute(u));
      assertThat(form(hessian, u)).isGreaterThanOrEqualTo(-1e-13 * size);
      for (int k = 0; k < s.length; k++) {
        assertThat(hessian[k * (s.length + 1)]).isGreaterThanOrEqualTo(0);
      }
    }
  }

  private static double[] absolute(double[] v) {
    return Arrays.stream(v).map(Math::abs).toArray();
  }

  /**
   * |D3l[u, u, t]| <= M ||t|| D2l[u, u] everywhere is the same as D2l[u, u] changing by a factor of
   * at most e^{M ||t||} from s to s + t: asked for short t, where it is the derivative, and long.
   */
  @ParameterizedTest
  @EnumSource
  void selfConcordance_anyStep_boundsTheChangeOfTheCurvature(LossCase c) {
    double m = c.loss().selfConcordance();
    assertThat(c.loss().isSelfConcordant()).isEqualTo(m < Double.POSITIVE_INFINITY);
    if (m == Double.POSITIVE_INFINITY) {
      return;
    }
    SplittableRandom random = new SplittableRandom(7);
    double worst = 0;
    for (int trial = 0; trial < 20_000; trial++) {
      double y = c.label(random);
      double[] s = normals(random, c.loss().outputs());
      s = add(s, 5 * random.nextDouble(), normals(random, s.length));
      double[] u = normals(random, s.length);
      double[] t = normals(random, s.length);
      if (s.length > 1 && trial % 2 == 0) {
        Arrays.fill(t, 2, t.length, 0); // the direction in which a softmax is worst
        t[1] = -t[0];
        s[0] += 10 * Math.signum(t[0]);
      }
      double length = trial % 3 == 0 ? 1e-3 : 3 * random.nextDouble();
      double scale = length / norm(t);
      double change =
          Math.log(form(hessian(c.loss(), add(s, scale, t), y), u))
              - Math.log(form(hessian(c.loss(), s, y), u));
      // 1e-11: the softmax's form is a difference of probabilities of order 1
      assertThat(Math.abs(change)).isLessThanOrEqualTo(m * length + 1e-8);
      worst = Math.max(worst, Math.abs(change) / length);
    }
    // no smaller M would do
    assertThat(worst).isBetween(0.9 * m, m + 1e-4);
  }

  /** The floor is below the exact Hessian at every point of the box, and above 0 in most. */
  @ParameterizedTest
  @EnumSource(
      names = {
        "SMOOTHED_HINGE",
        "SQUARED_HINGE",
        "SMOOTHED_HINGE_VS_REST",
        "SQUARED_HINGE_VS_REST",
        "HUBER"
      })
  void hessianFloor_anyBox_isALowerBoundAndNotVacuous(LossCase c) {
    SplittableRandom random = new SplittableRandom(8);
    int curved = 0;
    int kept = 0;
    for (int trial = 0; trial < 2000; trial++) {
      double y = c == LossCase.HUBER ? Problem.gaussian(random) : c.label(random);
      double[] s = normals(random, c.loss().outputs());
      if (c == LossCase.HUBER) {
        s[1] = Math.exp(2 * random.nextDouble() - 1);
      }
      double size = Math.pow(10, -7 * random.nextDouble());
      double[] radius = absolute(normals(random, s.length));
      Arrays.setAll(radius, k -> size * radius[k]);
      int n = s.length;
      double[] floor = new double[n * n];
      c.loss().hessianFloor(s, y, radius, floor);
      for (int point = 0; point < 8; point++) {
        double[] at = s.clone();
        for (int k = 0; k < n; k++) {
          // corners first: Huber's worst are there
          double share = point < 4 ? (point >> (k % 2) & 1) * 2 - 1 : 2 * random.nextDouble() - 1;
          at[k] += share * radius[k];
        }
        if (n == 2 && !(at[1] > 0)) {
          continue;
        }
        assertAbove(c.exact().hessian(exact(at), y), floor, "s = " + Arrays.toString(at));
      }
      for (int k = 0; k < n; k++) {
        assertThat(floor[k * (n + 1)]).isGreaterThanOrEqualTo(0);
        for (int l = 0; l < n; l++) {
          assertThat(floor[k * n + l] * floor[k * n + l])
              .isLessThanOrEqualTo((2 + 1e-9) * floor[k * (n + 1)] * floor[l * (n + 1)]);
        }
      }
      double[] hessian = hessian(c.loss(), s, y);
      if (hessian[0] > 0 && size < 1e-3) {
        curved++;
        // all of it but a share of the order of the box
        kept += floor[0] > (1 - 100 * size) * hessian[0] && floor[0] > 0 ? 1 : 0;
      }
    }
    assertThat(curved).isGreaterThan(200);
    assertThat(kept).isGreaterThan(95 * curved / 100);
  }

  /** The exact matrix minus the floor has no eigenvalue below 0 but for the last digits. */
  private static void assertAbove(BigDecimal[][] exact, double[] floor, String at) {
    int n = exact.length;
    if (n == 2) {
      BigDecimal a = exact[0][0].subtract(Exact.of(floor[0]));
      BigDecimal b = exact[0][1].subtract(Exact.of(floor[1]));
      BigDecimal d = exact[1][1].subtract(Exact.of(floor[3]));
      // entries are off by 24 u of the diagonal's root
      BigDecimal slack =
          Exact.of(24 * Rounding.UNIT)
              .multiply(exact[0][0].add(exact[1][1]).add(BigDecimal.ONE.movePointLeft(30)));
      BigDecimal lifted = a.add(slack);
      assertThat(lifted).as(at).isGreaterThanOrEqualTo(BigDecimal.ZERO);
      assertThat(lifted.multiply(d.add(slack))).as(at).isGreaterThanOrEqualTo(b.multiply(b));
    } else {
      for (int k = 0; k < n; k++) {
        for (int l = 0; l < n; l++) {
          BigDecimal difference = exact[k][l].subtract(Exact.of(floor[k * n + l]));
          assertThat(difference)
              .as(at)
              .isBetween(BigDecimal.ZERO, k == l ? BigDecimal.ONE : BigDecimal.ZERO);
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void hessianFloor_selfConcordantLoss_isNotAskedFor(LossCase c) {
    if (c.isSmooth()) {
      int n = c.loss().outputs();
      assertThatThrownBy(
              () -> c.loss().hessianFloor(new double[n], 1, new double[n], new double[n * n]))
          .isInstanceOf(UnsupportedOperationException.class);
    }
  }

  /**
   * The exact value is beyond a double, or is not, as is the computed one: e^709.78 is the last.
   */
  @Test
  void exponentials_beyondTheRangeOfADouble_areInfiniteAndNeverNotANumber() {
    for (double s : new double[] {709.7, 709.8, 800, 1e5, 1e300}) {
      double expected = s < 709.78 ? Math.exp(s) : Double.POSITIVE_INFINITY;
      assertThat(PoissonLoss.INSTANCE.value(s, 3)).isEqualTo(expected - 3 * s);
      assertThat(PoissonLoss.INSTANCE.firstDerivative(s, 3)).isEqualTo(expected - 3);
      assertThat(PoissonLoss.INSTANCE.secondDerivative(s, 3)).isEqualTo(expected);
      assertThat(GammaLoss.INSTANCE.secondDerivative(-s, 1))
          .isCloseTo(expected, withinPercentage(1e-12));
      assertThat(PoissonLoss.INSTANCE.secondDerivative(-s, 3)).isBetween(0.0, 1e-300);
      assertThat(GammaLoss.INSTANCE.value(s, 1)).isEqualTo(s);
      assertThat(GammaLoss.INSTANCE.firstDerivative(s, 1)).isEqualTo(1);
    }
    // the label brings e^-s back into range, from either side
    assertThat(GammaLoss.INSTANCE.secondDerivative(-800, 1e-300))
        .isCloseTo(
            Exact.exp(Exact.of(800)).multiply(Exact.of(1e-300)).doubleValue(),
            withinPercentage(1e-12));
    assertThat(GammaLoss.INSTANCE.secondDerivative(800, 1e300))
        .isCloseTo(
            Exact.exp(Exact.of(-800)).multiply(Exact.of(1e300)).doubleValue(),
            withinPercentage(1e-12));
  }

  @ParameterizedTest
  @EnumSource
  void everything_marginsUpToEightHundredAndBeyond_isNotNotANumber(LossCase c) {
    SplittableRandom random = new SplittableRandom(9);
    double[] sizes = {-1e15, -800, -746, -709, -40, 0, 40, 709, 746, 800, 1e15};
    for (int trial = 0; trial < 3000; trial++) {
      double y = c.label(random);
      double[] s = new double[c.loss().outputs()];
      Arrays.setAll(s, k -> sizes[random.nextInt(sizes.length)]);
      for (int k = c.loss().margins(); k < s.length; k++) {
        s[k] = Math.exp(12 * random.nextDouble() - 6);
      }
      assertThat(c.loss().value(s, y)).isNotNaN();
      assertThat(gradient(c.loss(), s, y)).doesNotContain(Double.NaN);
      assertThat(hessian(c.loss(), s, y)).doesNotContain(Double.NaN);
      boolean mayOverflow = c == LossCase.POISSON || c == LossCase.GAMMA;
      if (!mayOverflow) {
        assertThat(c.loss().value(s, y)).isLessThan(1e40);
        assertThat(Arrays.stream(hessian(c.loss(), s, y)).sum()).isLessThan(1e4);
      }
    }
  }

  @Test
  void huber_scaleNotPositive_isOutsideTheDomain() {
    HuberLoss huber = new HuberLoss(1.5);
    for (double sigma : new double[] {0, -1, Double.NaN}) {
      double[] s = {1, sigma};
      assertThat(huber.value(s, 0)).isEqualTo(Double.POSITIVE_INFINITY);
      assertThat(gradient(huber, s, 0)).containsOnly(Double.NaN);
    }
    // a ball that contains a scale of 0 has no curvature to show
    double[] floor = {1, 1, 1, 1};
    huber.hessianFloor(new double[] {0.1, 0.5}, 0, new double[] {1e-9, 0.5}, floor);
    assertThat(Arrays.stream(floor).map(Math::abs).sum()).isZero();
  }

  @Test
  void softmax_sameShiftOfAllMargins_changesNothing() {
    MultinomialLogisticLoss loss = new MultinomialLogisticLoss(5);
    SplittableRandom random = new SplittableRandom(10);
    for (int trial = 0; trial < 300; trial++) {
      // shifts and margins on a grid of 2^-20: additions are exact, so are the results
      double[] s = new double[5];
      Arrays.setAll(s, k -> Math.rint(0x1p20 * 10 * Problem.gaussian(random)) * 0x1p-20);
      double shift = Math.rint(0x1p20 * 700 * Problem.gaussian(random)) * 0x1p-20;
      double[] shifted = Arrays.stream(s).map(x -> x + shift).toArray();
      int y = random.nextInt(5);
      assertThat(loss.value(shifted, y)).isEqualTo(loss.value(s, y));
      assertThat(gradient(loss, shifted, y)).isEqualTo(gradient(loss, s, y));
      assertThat(hessian(loss, shifted, y)).isEqualTo(hessian(loss, s, y));
      assertThat(Arrays.stream(gradient(loss, s, y)).sum()).isCloseTo(0, within(1e-15));
    }
    assertThat(loss.isShiftInvariant()).isTrue();
  }

  /** Margins (s, 0) of two classes are the binary loss of label 0 first: P_0 = sigma(s). */
  @Test
  void softmax_twoClasses_isTheBinaryLossOfTheDifference() {
    MultinomialLogisticLoss two = new MultinomialLogisticLoss(2);
    LogisticLoss binary = LogisticLoss.INSTANCE;
    SplittableRandom random = new SplittableRandom(11);
    for (int trial = 0; trial < 300; trial++) {
      double[] s = LossCase.TWO_CLASSES.outputs(random);
      double difference = s[1] - s[0];
      for (int y = 0; y < 2; y++) {
        assertThat(two.value(s, y))
            .isCloseTo(binary.value(difference, y), within(1e-15 * (Math.abs(difference) + 1)));
        double[] g = gradient(two, s, y);
        double first = binary.firstDerivative(difference, y);
        assertThat(g[1]).isCloseTo(first, within(1e-15 * Math.abs(first)));
        assertThat(g[0]).isCloseTo(-first, within(1e-15 * Math.abs(first)));
        double second = binary.secondDerivative(difference, y);
        assertThat(hessian(two, s, y)[0]).isCloseTo(second, within(2e-15 * second));
      }
    }
  }

  @Test
  void oneVsRest_everyOutput_isTheBinaryLossOfItsClass() {
    OneVsRestLoss loss = new OneVsRestLoss(LogisticLoss.INSTANCE, 3);
    double[] s = {0.3, -1, 2};
    double[] g = gradient(loss, s, 1);
    for (int k = 0; k < 3; k++) {
      assertThat(g[k]).isEqualTo(LogisticLoss.INSTANCE.firstDerivative(s[k], k == 1 ? 1 : 0));
    }
    assertThat(loss.isSeparable()).isTrue();
    assertThat(new MultinomialLogisticLoss(3).isSeparable()).isFalse();
    assertThat(new HuberLoss(2).isSeparable()).isFalse();
    assertThat(SquaredLoss.INSTANCE.isSeparable()).isTrue();
  }

  @ParameterizedTest
  @EnumSource
  void labels_inAndOutsideTheDomain_areToldApart(LossCase c) {
    SplittableRandom random = new SplittableRandom(12);
    for (int trial = 0; trial < 100; trial++) {
      assertThat(c.loss().acceptsLabel(c.label(random))).isTrue();
    }
    for (double y : new double[] {Double.NaN, Double.POSITIVE_INFINITY, -Double.MAX_VALUE * 2}) {
      assertThat(c.loss().acceptsLabel(y)).isFalse();
    }
    boolean anyNumber = c == LossCase.SQUARED || c == LossCase.HUBER;
    assertThat(c.loss().acceptsLabel(-0.5)).isEqualTo(anyNumber);
    assertThat(c.loss().acceptsLabel(-1)).isEqualTo(anyNumber);
    assertThat(c.loss().acceptsLabel(0)).isEqualTo(c != LossCase.GAMMA);
    boolean fractions = anyNumber || c == LossCase.POISSON || c == LossCase.GAMMA;
    assertThat(c.loss().acceptsLabel(0.5)).isEqualTo(fractions || c == LossCase.PROPORTIONS);
    assertThat(c.loss().acceptsLabel(1e6 + 0.5)).isEqualTo(fractions);
    int classes = c.loss().classes();
    if (classes > 0) {
      assertThat(c.loss().acceptsLabel(classes - 1)).isTrue();
      assertThat(c.loss().acceptsLabel(classes)).isFalse();
    }
    assertThat(c.loss().labelDomain()).isNotBlank();
  }

  @Test
  void name_everyLoss_isItsOwn() {
    Set<String> names = new HashSet<>();
    Set<LossCase> sameLossOfMoreClasses = Set.of(LossCase.THREE_CLASSES, LossCase.SEVEN_CLASSES);
    for (LossCase c : LossCase.values()) {
      assertThat(names.add(c.loss().name())).isEqualTo(!sameLossOfMoreClasses.contains(c));
    }
  }

  @ParameterizedTest
  @EnumSource
  void serialization_roundTrip_givesTheSameFunction(LossCase c) {
    LossFunction copy = Serialized.copy(c.loss());
    if (c.loss() instanceof MarginLoss) {
      assertThat(copy).isSameAs(c.loss());
    }
    SplittableRandom random = new SplittableRandom(13);
    for (int trial = 0; trial < 50; trial++) {
      double y = c.label(random);
      double[] s = c.outputs(random);
      assertThat(copy.value(s, y)).isEqualTo(c.loss().value(s, y));
      assertThat(gradient(copy, s, y)).isEqualTo(gradient(c.loss(), s, y));
    }
    assertThat(copy.name()).isEqualTo(c.loss().name());
  }

  @Test
  void constructors_parametersOutOfRange_areRefusedWithTheValue() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new MultinomialLogisticLoss(1))
        .withMessageContaining("classes = 1");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new OneVsRestLoss(LogisticLoss.INSTANCE, 1))
        .withMessageContaining("classes = 1");
    for (double bad : new double[] {1, 0.5, Double.NaN, Double.POSITIVE_INFINITY}) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> new HuberLoss(bad))
          .withMessageContaining("threshold = " + bad);
    }
  }

  /** The definitions themselves: derivatives of the exact value by differences of 1e-20. */
  @ParameterizedTest
  @EnumSource
  void exactDefinitions_moderateMargins_areDerivativesOfEachOther(LossCase c) {
    SplittableRandom random = new SplittableRandom(14);
    BigDecimal h = new BigDecimal("1e-20");
    ExactLoss exact = c.exact();
    for (int trial = 0; trial < 20; trial++) {
      double y = c.label(random);
      double[] s = normals(random, c.loss().outputs());
      for (int k = c.loss().margins(); k < s.length; k++) {
        s[k] = 0.5 + random.nextDouble();
      }
      if (c.distanceToJump(s, y) < 1e-9) {
        continue;
      }
      for (int k = 0; k < s.length; k++) {
        BigDecimal[] plus = exact(s);
        plus[k] = plus[k].add(h);
        BigDecimal[] minus = exact(s);
        minus[k] = minus[k].subtract(h);
        BigDecimal width = h.multiply(BigDecimal.valueOf(2));
        BigDecimal slope =
            exact.value(plus, y).subtract(exact.value(minus, y)).divide(width, Exact.DIGITS);
        BigDecimal gradient = exact.gradient(exact(s), y)[k];
        // truncation 1e-40 times at most 1e5, rounding 1e-57 / 1e-20
        assertThat(slope.subtract(gradient).abs()).isLessThan(new BigDecimal("1e-30"));
        for (int l = 0; l < s.length; l++) {
          BigDecimal bend =
              exact
                  .gradient(plus, y)[l]
                  .subtract(exact.gradient(minus, y)[l])
                  .divide(width, Exact.DIGITS);
          BigDecimal hessian = exact.hessian(exact(s), y)[k][l];
          assertThat(bend.subtract(hessian).abs()).isLessThan(new BigDecimal("1e-30"));
        }
      }
    }
  }
}
