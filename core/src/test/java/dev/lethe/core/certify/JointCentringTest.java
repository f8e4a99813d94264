package dev.lethe.core.certify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.data.Percentage.withPercentage;

import dev.lethe.core.certify.DistanceBound.Cause;
import dev.lethe.core.certify.DistanceBound.Proven;
import dev.lethe.core.certify.DistanceBound.Rule;
import dev.lethe.core.certify.DistanceBound.Unproven;
import dev.lethe.core.model.ParameterLayout;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Margins that share their curvature: the minimiser of every problem is known exactly. */
class JointCentringTest {
  private static final MathContext WORK = new MathContext(80);

  /** What makes a problem hard. */
  private enum Hardness {
    NONE,
    /** Parameters of order 10: nearly all rows are saturated. */
    SEPARABLE,
    /** One class has e^-8 of the others' probability. */
    UNBALANCED,
    /** Penalties of 1e-7 of the columns' curvature. */
    BARELY_PENALISED,
    /** Columns of scales 1e-3 to 1e5 off their centres, rare one-hot columns. */
    BADLY_SCALED
  }

  private static DenseSoftmax problem(Random random, Hardness hardness) {
    int n = 30 + random.nextInt(50);
    int d = 1 + random.nextInt(4);
    int classes = 2 + random.nextInt(4);
    boolean bad = hardness == Hardness.BADLY_SCALED;
    double[][] x = new double[n][d];
    double[] w = new double[n];
    int[] y = new int[n];
    for (int i = 0; i < n; i++) {
      w[i] = 0.1 + random.nextDouble();
      y[i] = random.nextInt(classes);
    }
    double[] lambda = new double[d];
    for (int j = 0; j < d; j++) {
      boolean oneHot = bad && random.nextInt(3) == 0;
      double scale = bad ? Math.pow(10, -3 + 8 * random.nextDouble()) : 1;
      double mean = 3 * random.nextGaussian();
      for (int i = 0; i < n; i++) {
        x[i][j] =
            oneHot ? (random.nextInt(15) == 0 ? 1 : 0) : scale * (mean + random.nextGaussian());
        lambda[j] += w[i] * x[i][j] * x[i][j];
      }
      if (lambda[j] == 0) {
        x[0][j] = 1;
        lambda[j] = w[0];
      }
      lambda[j] *=
          hardness == Hardness.BARELY_PENALISED ? 1e-7 : Math.pow(10, -3 * random.nextDouble());
    }
    return new DenseSoftmax(x, w, y, lambda, classes);
  }

  /** A centred point whose margins are of the given order. */
  private static double[] point(Random random, DenseSoftmax problem, double size) {
    double[] theta = new double[problem.size()];
    for (int a = 0; a < theta.length; a++) {
      int column = a % problem.stride();
      double largest = 1;
      for (int i = 0; column < problem.features() && i < problem.x.length; i++) {
        largest = Math.max(i == 0 ? 0 : largest, Math.abs(problem.x[i][column]));
      }
      theta[a] = size * random.nextGaussian() / largest;
    }
    return problem.centred(theta);
  }

  private static double[] minimiser(Random random, DenseSoftmax problem, Hardness hardness) {
    double[] theta = point(random, problem, hardness == Hardness.SEPARABLE ? 10 : 1);
    if (hardness == Hardness.UNBALANCED) {
      theta[problem.features()] -= 8;
    }
    return problem.centred(theta);
  }

  private static double[] sum(double[] a, double scale, double[] b) {
    double[] sum = new double[a.length];
    Arrays.setAll(sum, j -> a[j] + scale * b[j]);
    return sum;
  }

  @Test
  void of_anyProblemAndPoint_trueDistanceNeverAboveTheBound() {
    for (Hardness hardness : Hardness.values()) {
      int proven = 0;
      for (int seed = 0; seed < 400; seed++) {
        Random random = new Random(1000L * hardness.ordinal() + seed);
        DenseSoftmax problem = problem(random, hardness);
        double[] minimiser = minimiser(random, problem, hardness);
        problem.minimiseAt(minimiser);
        double size = Math.pow(10, -9 + 9 * random.nextDouble());
        double[] theta = problem.centred(sum(minimiser, size, point(random, problem, 1)));
        double kappa = random.nextBoolean() ? Math.pow(10, -12 + 10 * random.nextDouble()) : 0;
        DistanceBound bound =
            DistanceBound.of(problem.measure(theta), problem.curvature(theta, kappa, random));
        if (bound instanceof Proven p) {
          proven++;
          assertThat(p.rule()).isEqualTo(Rule.SELF_CONCORDANCE_JOINTLY_CENTRED);
          assertThat(p.distance())
              .as("%s, seed %s", hardness, seed)
              .isGreaterThanOrEqualTo(DenseLogistic.distance(theta, minimiser));
        } else {
          assertThat(((Unproven) bound).cause())
              .isIn(Cause.NOT_CLOSE, Cause.INACCURATE_CURVATURE, Cause.NO_CURVATURE);
        }
      }
      // of 400; where penalty or curvature is tiny, R_N is large and few points are close enough
      assertThat(proven).as("%s", hardness).isGreaterThan(60);
    }
  }

  /**
   * Identical rows and equal probabilities: A is (W / K) I with its open direction, V = c (I - 11'/
   * K), and H is N_0 itself but for the shrinking of m by the bisection. The directions are those
   * in which a missing ||V||, 1 / (m D) or V'g_t would show, the disturbance shows a missing delta.
   */
  @ParameterizedTest
  @CsvSource({
    "2, 1e-3, 3",
    "2, 1e-3, 0.1",
    "2, 1e3, 0.1",
    "2, 1, 10",
    "2, 1e2, 30",
    "3, 1, 10",
    "5, 1e2, 30"
  })
  void of_constantFeature_coversTheWorstDirectionsAndIsTight(int classes, double lambda, double c) {
    int n = 40;
    double[][] x = new double[n][];
    Arrays.setAll(x, i -> new double[] {c});
    double[] w = new double[n];
    Arrays.fill(w, 1);
    int[] y = new int[n];
    Arrays.setAll(y, i -> i % classes);
    DenseSoftmax problem = new DenseSoftmax(x, w, y, new double[] {lambda}, classes);
    double[] minimiser = new double[problem.size()];
    problem.minimiseAt(minimiser);
    double h = (double) n / classes;
    double kappa = 0.01 / classes / (Math.sqrt(h / lambda) * c + 1);
    double[][] directions = {{1, -c}, {0, 1}, {-c / lambda, 1 / h + c * c / lambda}};
    double tightest = Double.POSITIVE_INFINITY;
    for (double[] direction : directions) {
      double[] v = new double[problem.size()];
      for (int k = 0; k < 2; k++) { // of the first two classes, against each other
        v[2 * k] = (1 - 2 * k) * direction[0];
        v[2 * k + 1] = (1 - 2 * k) * direction[1];
      }
      double[] theta = sum(minimiser, 1e-6 / (DenseLogistic.norm(direction) * (1 + c)), v);
      double truth = DenseLogistic.distance(theta, minimiser);
      Measurement m = problem.measure(theta);
      for (int seed = 0; seed < 30; seed++) {
        DistanceBound bound =
            DistanceBound.of(m, problem.curvature(theta, kappa, new Random(seed)));
        assertThat(bound).isInstanceOf(Proven.class);
        assertThat(((Proven) bound).distance()).isGreaterThanOrEqualTo(truth);
      }
      Proven exact = (Proven) DistanceBound.of(m, problem.curvature(theta, 0, new Random(0)));
      tightest = Math.min(tightest, exact.distance() / truth);
    }
    assertThat(tightest).isLessThan(1.6);
  }

  /** Near the minimiser of benign data the joint rule is not far from the eigenvalue rule's. */
  @Test
  void of_benignProblem_isWithinAFactorOfTheTruthAndOfTheEigenvalueRule() {
    double worst = 0;
    double best = Double.POSITIVE_INFINITY;
    for (int seed = 0; seed < 60; seed++) {
      Random random = new Random(seed);
      DenseSoftmax problem = problem(random, Hardness.NONE);
      double[] minimiser = minimiser(random, problem, Hardness.NONE);
      problem.minimiseAt(minimiser);
      double[] theta = problem.centred(sum(minimiser, 1e-6, point(random, problem, 1)));
      double truth = DenseLogistic.distance(theta, minimiser);
      Measurement m = problem.measure(theta);
      Proven joint = (Proven) DistanceBound.of(m, problem.curvature(theta, 0, random));
      DistanceProof proof = DistanceProof.of(m);
      Proven eigenvalue = (Proven) proof.byEigenvalue(problem.hessian(theta), problem.kappa(theta));
      assertThat(joint.distance() / truth).isBetween(1.0, 1e4);
      worst = Math.max(worst, joint.distance() / eigenvalue.distance());
      best = Math.min(best, joint.distance() / eigenvalue.distance());
    }
    // penalties down to 1e-3 of the curvature that N_0 leaves out: the root of it either way
    assertThat(worst).isLessThan(100);
    assertThat(best).isLessThan(1);
  }

  @Test
  void of_hessian_takesTheSmallerOfBothRules() {
    int centred = 0;
    for (int seed = 0; seed < 40; seed++) {
      Random random = new Random(seed);
      DenseSoftmax problem = problem(random, Hardness.BADLY_SCALED);
      double[] minimiser = minimiser(random, problem, Hardness.BADLY_SCALED);
      problem.minimiseAt(minimiser);
      double[] theta = problem.centred(sum(minimiser, 1e-7, point(random, problem, 1)));
      Measurement m = problem.measure(theta);
      double[] hessian = problem.hessian(theta);
      double kappa = problem.kappa(theta);
      DistanceBound both = DistanceBound.of(m, hessian, kappa);
      DistanceBound joint =
          DistanceBound.of(m, MarginCurvature.of(problem.layout(), hessian, kappa));
      DistanceBound eigenvalue = DistanceProof.of(m).byEigenvalue(hessian, kappa);
      double smaller = Math.min(distance(joint), distance(eigenvalue));
      assertThat(distance(both)).isEqualTo(smaller);
      assertThat(distance(joint))
          .isCloseTo(
              distance(DistanceBound.of(m, problem.curvature(theta, 0, random))),
              withPercentage(1e-6));
      centred += ((Proven) both).rule() == Rule.SELF_CONCORDANCE_JOINTLY_CENTRED ? 1 : 0;
    }
    assertThat(centred).isBetween(1, 40);
  }

  private static double distance(DistanceBound bound) {
    return bound instanceof Proven proven ? proven.distance() : Double.POSITIVE_INFINITY;
  }

  /** One margin: the rule for several is the binary one, whose formulas are written out here. */
  @Test
  void of_oneMargin_isTheBinaryRule() {
    for (int seed = 0; seed < 200; seed++) {
      Random random = new Random(seed);
      int n = 30 + random.nextInt(60);
      int d = 1 + random.nextInt(5);
      double[][] x = new double[n][d + 1];
      double[] y = new double[n];
      double[] w = new double[n];
      double[] lambda = new double[d + 1];
      for (int j = 0; j < d; j++) {
        double scale = Math.pow(10, -3 + 6 * random.nextDouble());
        double mean = 3 * random.nextGaussian();
        for (int i = 0; i < n; i++) {
          x[i][j] = scale * (mean + random.nextGaussian());
          lambda[j] += 0.1 * x[i][j] * x[i][j];
        }
        lambda[j] *= Math.pow(10, -3 * random.nextDouble());
      }
      for (int i = 0; i < n; i++) {
        x[i][d] = 1;
        y[i] = random.nextInt(2);
        w[i] = 0.1 + random.nextDouble();
      }
      DenseLogistic problem = new DenseLogistic(x, y, w, lambda, d);
      double[] theta = new double[d + 1];
      problem.minimiseAt(theta);
      theta[d] = 1e-9 * random.nextGaussian();
      Measurement m = problem.measure(theta);
      Proven proven = (Proven) DistanceBound.of(m);
      assertThat(proven.rule()).isEqualTo(Rule.SELF_CONCORDANCE_CENTRED);
      // 1e-9 relative: both deltas are below that, and differ
      assertThat(proven.distance() / binary(m)).isBetween(1 - 1e-9, 1 + 1e-9);
    }
  }

  /** Section 2 (b) for one margin, eps_c = 0. */
  private static double binary(Measurement m) {
    int d = m.size() - 1;
    double h = m.curvature()[0];
    double g0 = m.gradient()[d];
    double e0 = m.gradientError()[d];
    double nu = (Math.abs(g0) + e0) * (Math.abs(g0) + e0) / h;
    double centre = 0;
    double smallest = Double.POSITIVE_INFINITY;
    for (int j = 0; j < d; j++) {
      double mu = m.curvatureMoment()[j] / h;
      double g = Math.abs(m.gradient()[j] - g0 * mu) + m.gradientError()[j] + e0 * Math.abs(mu);
      nu += g * g / m.lambda()[j];
      centre += mu * mu / m.lambda()[j];
      smallest = Math.min(smallest, m.lambda()[j]);
    }
    double row = m.scaledRowNorm() + Math.sqrt(centre);
    double q = Math.sqrt((row * row + 1 / h) * nu);
    return Math.sqrt((1 / smallest + 1 / h + centre) * nu) / (1 - q);
  }

  /** Hilbert's matrix of order 7, condition 5e8: what the computed V misses is bounded, exactly. */
  @Test
  void centre_illConditionedCurvature_boundsTheExactResidual() {
    int n = 7;
    double worst = 0;
    for (int seed = 0; seed < 50; seed++) {
      Random random = new Random(seed);
      double[] sums = new double[n * (n + 1) / 2 * 2];
      double[] scale = random.doubles(n, -20, 20).map(e -> Math.pow(2, Math.rint(e))).toArray();
      for (int k = 0, next = 0; k < n; k++) {
        for (int l = 0; l <= k; l++) {
          sums[next++] = scale[k] * scale[l] * random.nextGaussian(); // C, of one feature
          sums[next++] = scale[k] * scale[l] / (k + l + 1);
        }
      }
      MarginCurvature curvature = new MarginCurvature(n, 1, sums, 0);
      CentredMargins margins = CentredMargins.of(curvature, 0).orElseThrow();
      double[] v = new double[n];
      for (int l = 0; l < n; l++) {
        double bound = margins.centre(l, 0, v);
        BigDecimal square = BigDecimal.ZERO;
        for (int k = 0; k < n; k++) {
          BigDecimal residual = new BigDecimal(curvature.entry(k, l, 0));
          for (int q = 0; q < n; q++) {
            BigDecimal a = new BigDecimal(curvature.entry(k, q, 1));
            residual = residual.subtract(a.multiply(new BigDecimal(v[q])));
          }
          BigDecimal scaled = residual.divide(new BigDecimal(margins.root(k)), WORK);
          square = square.add(scaled.pow(2));
        }
        assertThat(square.doubleValue()).isLessThanOrEqualTo(bound * (1 + 1e-14));
        worst = Math.max(worst, square.doubleValue() / bound);
      }
    }
    // the bound adds 2 (K + 2) u of the absolute terms: the residual itself is of that size
    assertThat(worst).isGreaterThan(1e-4);
  }

  @Test
  void reachable_anyProblem_isTheBoundAtZeroGradient() {
    for (int seed = 0; seed < 40; seed++) {
      Random random = new Random(seed);
      DenseSoftmax problem = problem(random, Hardness.NONE);
      double[] theta = minimiser(random, problem, Hardness.NONE);
      problem.minimiseAt(theta);
      Measurement m = problem.measure(problem.centred(sum(theta, 1e-3, theta)));
      MarginCurvature curvature = problem.curvature(theta, 0, random);
      DistanceBound zero =
          DistanceBound.of(with(m, new double[m.size()], m.layout(), m.lambda()), curvature);
      assertThat(DistanceBound.of(m, curvature).reachable()).hasValue(distance(zero));
    }
  }

  private static Measurement with(
      Measurement m, double[] gradient, ParameterLayout layout, double[] lambda) {
    return new Measurement(
        gradient,
        m.gradientError(),
        lambda,
        m.fixed(),
        layout,
        m.curvature(),
        m.curvatureMoment(),
        m.curvatureRelativeError(),
        m.rowNorm(),
        m.scaledRowNorm(),
        m.selfConcordance(),
        m.separable(),
        m.radius(),
        m.offset());
  }

  private static Measurement empty(int classes, int features) {
    ParameterLayout layout = new ParameterLayout(features, true, classes, 0);
    double[] lambda = new double[layout.size()];
    Arrays.setAll(lambda, j -> layout.feature(j) < features ? 1 : 0);
    double[] zero = new double[layout.size()];
    return new Measurement(
        zero,
        zero,
        lambda,
        new boolean[layout.size()],
        layout,
        new double[classes],
        zero,
        0,
        1,
        1,
        2,
        false,
        -1,
        0);
  }

  /** 4096 parameters and 4096 * 4097 / 2 sums are the limits. */
  @ParameterizedTest
  @CsvSource({
    "2, 2047, HESSIAN_NEEDED",
    "2, 2048, MARGIN_CURVATURE_NEEDED",
    "10, 10000, MARGIN_CURVATURE_NEEDED",
    "64, 4032, MARGIN_CURVATURE_NEEDED",
    "64, 4100, TOO_MANY_PARAMETERS"
  })
  void of_onePass_saysWhatIsNeeded(int classes, int features, Cause cause) {
    assertThat(((Unproven) DistanceBound.of(empty(classes, features))).cause()).isEqualTo(cause);
  }

  @ParameterizedTest
  @ValueSource(doubles = {0.2, Double.POSITIVE_INFINITY})
  void of_inaccurateCurvature_isUnproven(double kappa) {
    assertCause(Cause.INACCURATE_CURVATURE, new double[] {0, 4, 0, 1, 0, 4}, kappa);
  }

  @Test
  void of_uselessCurvature_isUnprovenByItsCause() {
    assertCause(Cause.NO_CURVATURE, new double[] {0, 1, 0, 1, 0, 1}, 0); // singular
    assertCause(Cause.NO_CURVATURE, new double[] {0, 0, 0, 0, 0, 1}, 0);
    assertCause(Cause.NOT_FINITE, new double[] {Double.NaN, 4, 0, 1, 0, 4}, 0);
    assertCause(Cause.NOT_FINITE, new double[] {0, 4, 0, Double.POSITIVE_INFINITY, 0, 4}, 0);
  }

  private static void assertCause(Cause cause, double[] sums, double kappa) {
    DistanceBound bound = DistanceBound.of(empty(2, 1), new MarginCurvature(2, 1, sums, kappa));
    assertThat(((Unproven) bound).cause()).isEqualTo(cause);
    assertThat(bound.reachable()).isEmpty();
  }

  @Test
  void of_fixedFeature_isIgnored() {
    Measurement m = empty(2, 1);
    m.fixed()[0] = true;
    m.fixed()[2] = true;
    m.gradient()[1] = 1e-3;
    double[] sums = {Double.NaN, 4, Double.NaN, 1, Double.NaN, 4};
    assertThat(DistanceBound.of(m, new MarginCurvature(2, 1, sums, 0))).isInstanceOf(Proven.class);
  }

  @Test
  void of_curvatureOfAnotherShape_isRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new MarginCurvature(2, 1, new double[5], 0))
        .withMessageContaining("must be 6");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new MarginCurvature(2, 1, new double[6], Double.NaN))
        .withMessageContaining("relativeError");
    assertThatIllegalArgumentException()
        .isThrownBy(
            () -> DistanceBound.of(empty(2, 2), new MarginCurvature(2, 1, new double[6], 0)));
    assertThatIllegalArgumentException()
        .isThrownBy(
            () -> DistanceBound.of(empty(3, 1), new MarginCurvature(2, 1, new double[6], 0)));
  }

  @Test
  void mayBeRecordedAs_rulesOfOneHessian_eitherOfBothAndNoOther() {
    Rule joint = Rule.SELF_CONCORDANCE_JOINTLY_CENTRED;
    Rule eigenvalue = Rule.SELF_CONCORDANCE_EIGENVALUE;
    for (Rule rule : Rule.values()) {
      for (Rule recorded : Rule.values()) {
        boolean both =
            (rule == joint || rule == eigenvalue) && (recorded == joint || recorded == eigenvalue);
        assertThat(rule.mayBeRecordedAs(recorded.statement()))
            .as("%s as %s", rule, recorded)
            .isEqualTo(rule == recorded || both);
      }
      assertThat(rule.mayBeRecordedAs("none")).isFalse();
    }
  }

  /** Where it is not needed it changes nothing. */
  @Test
  void of_penalisedIntercepts_isStrongConvexity() {
    Measurement m = empty(2, 1);
    Arrays.fill(m.lambda(), 1);
    Proven proven = (Proven) DistanceBound.of(m, new MarginCurvature(2, 1, new double[6], 0));
    assertThat(proven.rule()).isEqualTo(Rule.STRONG_CONVEXITY);
  }
}
