package dev.lethe.core.certify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.lethe.core.certify.DistanceBound.Cause;
import dev.lethe.core.certify.DistanceBound.Proven;
import dev.lethe.core.certify.DistanceBound.Rule;
import dev.lethe.core.certify.DistanceBound.Unproven;
import dev.lethe.core.model.ParameterLayout;
import java.util.Arrays;
import java.util.Random;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.From;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.DoubleRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class DistanceBoundTest {

  /**
   * Random problems with columns of scales 1e-3 to 1e5, rare one-hot columns and weights. The
   * minimiser is known exactly: theta* is drawn and the linear term b makes the gradient vanish
   * there, the rounding of b being part of the gradient's error bound. The measured curvature is
   * disturbed by as much as its stated error allows.
   */
  @Property(tries = 600, seed = "5")
  void of_anyProblemAndPoint_trueDistanceNeverAboveTheBound(
      @ForAll long seed,
      @ForAll @From("logisticRules") Rule rule,
      @ForAll @DoubleRange(min = -9, max = 1) double logDistance) {
    Random random = new Random(seed);
    DenseLogistic problem = problem(random, rule, true);
    double[] minimiser = scaledNormals(random, problem, 1);
    problem.minimiseAt(minimiser);
    double[] offset = scaledNormals(random, problem, Math.pow(10, logDistance));
    double[] theta = new double[minimiser.length];
    Arrays.setAll(theta, j -> minimiser[j] + offset[j]);

    DistanceBound bound = bound(problem, theta, rule, random, random.nextBoolean() ? 1e-5 : 0);

    if (bound instanceof Proven proven) {
      assertThat(proven.rule()).isEqualTo(rule);
      assertThat(proven.distance())
          .isGreaterThanOrEqualTo(DenseLogistic.distance(theta, minimiser));
    }
  }

  @Provide
  Arbitrary<Rule> logisticRules() {
    return Arbitraries.of(
        Rule.STRONG_CONVEXITY, Rule.SELF_CONCORDANCE_CENTRED, Rule.SELF_CONCORDANCE_EIGENVALUE);
  }

  /** What makes the property above mean something: close to the minimiser every rule proves. */
  @ParameterizedTest
  @EnumSource(
      names = {"STRONG_CONVEXITY", "SELF_CONCORDANCE_CENTRED", "SELF_CONCORDANCE_EIGENVALUE"})
  void of_badlyScaledButClose_proven(Rule rule) {
    int proven = 0;
    for (int seed = 0; seed < 100; seed++) {
      Random random = new Random(seed);
      DenseLogistic problem = problem(random, rule, true);
      double[] minimiser = scaledNormals(random, problem, 1);
      problem.minimiseAt(minimiser);
      proven += bound(problem, minimiser, rule, random, 0) instanceof Proven ? 1 : 0;
    }
    // The eigenvalue rule pays R / min sqrt(D), up to 1e8 here: rounding alone may be too much.
    assertThat(proven).isGreaterThan(rule == Rule.SELF_CONCORDANCE_EIGENVALUE ? 20 : 95);
  }

  /**
   * Truth: Newton to machine precision. On standard columns the bounds are within these factors.
   */
  @ParameterizedTest
  @EnumSource(
      names = {"STRONG_CONVEXITY", "SELF_CONCORDANCE_CENTRED", "SELF_CONCORDANCE_EIGENVALUE"})
  void of_benignProblem_boundWithinAFactorOfTheTruth(Rule rule) {
    for (int seed = 0; seed < 20; seed++) {
      Random random = new Random(seed);
      DenseLogistic problem = problem(random, rule, false);
      double[] minimiser = problem.solve(new double[problem.size()]);
      double[] theta = minimiser.clone();
      for (int j = 0; j < theta.length; j++) {
        theta[j] += 1e-6 * random.nextGaussian();
      }
      double truth = DenseLogistic.distance(theta, minimiser);

      DistanceBound bound = bound(problem, theta, rule, random, 0);

      assertThat(bound).isInstanceOf(Proven.class);
      double ratio = ((Proven) bound).distance() / truth;
      assertThat(ratio).isBetween(1.0, 20.0);
    }
  }

  /**
   * With a constant feature x = c, H is Lambda + h (c, 1)(c, 1)' itself, so the centred rule has no
   * slack but its constants. The three directions are the ones in which a missing ||mu||, 1 / h or
   * g_0 mu would show; h is disturbed both ways by kappa, which shows a missing eps_c.
   */
  @ParameterizedTest
  @CsvSource({"1e-3, 3", "1e-3, 0.1", "1e3, 0.1", "1, 10", "1e2, 30"})
  void of_constantFeature_coversTheWorstDirectionsAndIsTight(double lambda, double c) {
    int n = 40;
    double[][] x = new double[n][];
    double[] y = new double[n];
    double[] w = new double[n];
    for (int i = 0; i < n; i++) {
      x[i] = new double[] {c, 1};
      y[i] = i % 2;
      w[i] = 1;
    }
    DenseLogistic problem = new DenseLogistic(x, y, w, new double[] {lambda, 0}, 1);
    double[] minimiser = {0.3 / c, -0.2};
    problem.minimiseAt(minimiser);
    double h = problem.measure(minimiser).curvature()[0];
    double kappa = 0.02 / (Math.sqrt(h / lambda) * c + 1);
    double[][] directions = {{1, -c}, {0, 1}, {-c / lambda, 1 / h + c * c / lambda}};
    double tightest = Double.POSITIVE_INFINITY;
    for (double[] direction : directions) {
      double scale = 1e-6 / (DenseLogistic.norm(direction) * (1 + c));
      double[] theta = {minimiser[0] + scale * direction[0], minimiser[1] + scale * direction[1]};
      double truth = DenseLogistic.distance(theta, minimiser);
      Measurement m = problem.measure(theta);
      for (double factor : new double[] {1 - kappa, 1, 1 + kappa}) {
        Measurement disturbed =
            withCurvature(m, m.curvature()[0] * factor, 1.01 * kappa + m.curvatureRelativeError());
        DistanceBound bound = DistanceBound.of(disturbed);

        assertThat(bound).isInstanceOf(Proven.class);
        assertThat(((Proven) bound).distance()).isGreaterThanOrEqualTo(truth);
      }
      tightest = Math.min(tightest, ((Proven) DistanceBound.of(m)).distance() / truth);
    }
    assertThat(tightest).isLessThan(1.5);
  }

  @Test
  void of_oneDimensionalQuadratic_tight() {
    // L = 2 theta^2 - theta: g(1) = 3, theta* = 1/4, distance 3/4
    Measurement m = measurement(new double[] {3}, new double[] {0}, new double[] {4}, false);

    assertThat(((Proven) DistanceBound.of(m)).distance()).isBetween(0.75, 0.75 + 1e-13);
  }

  @Test
  void of_unequalPenalties_neverWeakerThanTheSmallestPenaltyRule() {
    double[] g = {1e-3, 5};
    Measurement m = measurement(g, new double[2], new double[] {1e-2, 100}, false);
    double distance = ((Proven) DistanceBound.of(m)).distance();

    assertThat(distance).isLessThan(DenseLogistic.norm(g) / 1e-2);
    assertThat(distance).isGreaterThanOrEqualTo(0.1); // the exact error of the first coordinate
  }

  @Test
  void reachable_oneDimensionalQuadratic_isTheErrorOverThePenalty() {
    Measurement m = measurement(new double[] {3}, new double[] {1e-9}, new double[] {4}, false);

    assertThat(DistanceBound.of(m).reachable().orElseThrow())
        .isBetween(2.5e-10, 2.5e-10 * (1 + 1e-12));
  }

  @ParameterizedTest
  @EnumSource(
      names = {"STRONG_CONVEXITY", "SELF_CONCORDANCE_CENTRED", "SELF_CONCORDANCE_EIGENVALUE"})
  void reachable_anyRule_isTheBoundAtZeroGradient(Rule rule) {
    for (int seed = 0; seed < 30; seed++) {
      DenseLogistic problem = problem(new Random(seed), rule, seed % 2 == 0);
      double[] theta = scaledNormals(new Random(seed), problem, 1);
      Measurement m = problem.measure(theta);
      Measurement zero = withGradient(m, new double[problem.size()]);
      double[] hessian = problem.hessian(theta);
      double kappa = problem.kappa(theta);
      DistanceBound atZero =
          rule == Rule.SELF_CONCORDANCE_EIGENVALUE
              ? DistanceBound.of(zero, hessian, kappa)
              : DistanceBound.of(zero);
      DistanceBound bound =
          rule == Rule.SELF_CONCORDANCE_EIGENVALUE
              ? DistanceBound.of(m, hessian, kappa)
              : DistanceBound.of(m);

      assertThat(bound.reachable().isPresent()).isEqualTo(atZero instanceof Proven);
      if (atZero instanceof Proven proven) {
        assertThat(bound.reachable()).hasValue(proven.distance());
      }
    }
  }

  @Test
  void reachable_bothRules_isTheSmaller() {
    DenseLogistic problem = problem(new Random(3), Rule.SELF_CONCORDANCE_CENTRED, false);
    double[] theta = new double[problem.size()];
    Measurement m = problem.measure(theta);
    double[] hessian = problem.hessian(theta);
    double kappa = problem.kappa(theta);
    double[] unpenalised = new double[problem.size()];
    double onePass = DistanceBound.of(m).reachable().orElseThrow();
    double eigenvalue =
        DistanceBound.of(withPenalty(m, unpenalised), hessian, kappa).reachable().orElseThrow();

    assertThat(eigenvalue).isNotEqualTo(onePass);
    assertThat(DistanceBound.of(m, hessian, kappa).reachable())
        .hasValue(Math.min(onePass, eigenvalue));
  }

  @Test
  void of_fixedCoordinates_ignored() {
    boolean[] fixed = {false, true};
    Measurement m =
        new Measurement(
            new double[] {3, Double.NaN},
            new double[2],
            new double[] {4, 0},
            fixed,
            new ParameterLayout(2, false, 1, 0),
            new double[] {1},
            new double[2],
            0,
            1,
            1,
            Double.POSITIVE_INFINITY,
            true,
            -1,
            0);

    assertThat(((Proven) DistanceBound.of(m)).distance()).isLessThan(0.75 + 1e-13);
    double[] hessian = {5, Double.NaN, Double.NaN, Double.NaN};
    assertThat(DistanceBound.of(m, hessian, 0)).isEqualTo(DistanceBound.of(m));
  }

  @Test
  void of_everythingFixed_distanceZero() {
    Measurement m =
        new Measurement(
            new double[1],
            new double[1],
            new double[1],
            new boolean[] {true},
            new ParameterLayout(0, true, 1, 0),
            new double[1],
            new double[1],
            0,
            0,
            0,
            Double.POSITIVE_INFINITY,
            true,
            -1,
            0);

    assertThat(((Proven) DistanceBound.of(m)).distance()).isZero();
  }

  @Test
  void of_gradientTooLargeForSelfConcordance_unproven() {
    Random random = new Random(3);
    DenseLogistic problem = problem(random, Rule.SELF_CONCORDANCE_CENTRED, false);
    double[] far = new double[problem.size()];
    Arrays.fill(far, 30);

    assertUnproven(DistanceBound.of(problem.measure(far)), Cause.NOT_CLOSE);
  }

  @Test
  void of_intolerableCurvatureError_unproven() {
    DenseLogistic problem = problem(new Random(3), Rule.SELF_CONCORDANCE_CENTRED, false);
    Measurement m = problem.measure(problem.solve(new double[problem.size()]));

    assertUnproven(
        DistanceBound.of(withCurvature(m, m.curvature()[0], 0.2)), Cause.INACCURATE_CURVATURE);
    assertUnproven(DistanceBound.of(withCurvature(m, 0, 1e-12)), Cause.NO_CURVATURE);
    assertUnproven(DistanceBound.of(withCurvature(m, Double.NaN, 1e-12)), Cause.NOT_FINITE);
  }

  @Test
  void of_unpenalisedCoordinateOfAnotherLoss_noRuleWhateverIsFormed() {
    Measurement feature = measurement(new double[2], new double[2], new double[] {1, 0}, false);
    Measurement intercept = measurement(new double[2], new double[2], new double[] {1, 0}, true);
    double[] hessian = {1, 0, 0, 1};

    assertUnproven(DistanceBound.of(feature), Cause.NO_RULE);
    assertUnproven(DistanceBound.of(intercept), Cause.NO_RULE);
    assertUnproven(DistanceBound.of(feature, hessian, 0), Cause.NO_RULE);
    assertUnproven(DistanceBound.of(intercept, hessian, 0), Cause.NO_RULE);
  }

  @Test
  void of_unpenalisedFeature_asksForTheHessianUpToItsLargestSize() {
    assertUnproven(DistanceBound.of(unpenalised(4096)), Cause.HESSIAN_NEEDED);
    assertUnproven(DistanceBound.of(unpenalised(4097)), Cause.TOO_MANY_PARAMETERS);
  }

  private static Measurement unpenalised(int p) {
    double[] zero = new double[p];
    return new Measurement(
        zero,
        zero,
        zero,
        new boolean[p],
        new ParameterLayout(p, false, 1, 0),
        new double[] {1},
        zero,
        0,
        1,
        1,
        1,
        true,
        -1,
        0);
  }

  /** The combination of both rules says "more steps may help" exactly where one of them does. */
  @Test
  void of_bothRulesFail_causeIsTheOneThatDecides() {
    DenseLogistic problem = problem(new Random(3), Rule.SELF_CONCORDANCE_CENTRED, false);
    int p = problem.size();
    double[] far = new double[p];
    Arrays.fill(far, 30);
    double[] near = problem.solve(new double[p]);
    double[] singular = new double[p * p];
    Arrays.fill(singular, 1);
    double[] good = problem.hessian(near);
    Measurement inaccurate =
        withCurvature(problem.measure(far), problem.measure(far).curvature()[0], 0.2);

    // the centred rule fails for the point only: the Hessian's failure does not end the matter
    assertUnproven(DistanceBound.of(problem.measure(far), singular, 0), Cause.NOT_CLOSE);
    assertUnproven(DistanceBound.of(problem.measure(far), good, 0), Cause.NOT_CLOSE);
    // the centred rule fails for good: what the Hessian says decides
    assertUnproven(DistanceBound.of(inaccurate, good, 0), Cause.NOT_CLOSE);
    assertUnproven(DistanceBound.of(inaccurate, singular, 0), Cause.NOT_POSITIVE_DEFINITE);
    assertUnproven(DistanceBound.of(unpenalised(p), singular, 0), Cause.NOT_POSITIVE_DEFINITE);
  }

  @ParameterizedTest
  @EnumSource(Cause.class)
  void cause_text_isFixedAndDiffersFromTheOthers(Cause cause) {
    assertThat(new Unproven(cause, "x = 0.123").reason())
        .isEqualTo(cause.text())
        .isNotBlank()
        .doesNotContain("0.123");
    assertThat(Arrays.stream(Cause.values()).filter(c -> c.text().equals(cause.text()))).hasSize(1);
    assertThat(new Unproven(cause, "").isTooFar()).isEqualTo(cause.stepsMayHelp());
  }

  @Test
  void of_singularHessian_unproven() {
    DenseLogistic problem = problem(new Random(4), Rule.SELF_CONCORDANCE_EIGENVALUE, false);
    for (double[] row : problem.x) {
      row[1] = 2 * row[0]; // collinear
    }
    double[] theta = new double[problem.size()];
    problem.minimiseAt(theta);
    Measurement m = problem.measure(theta);

    assertUnproven(
        DistanceBound.of(m, problem.hessian(theta), problem.kappa(theta)),
        Cause.NOT_POSITIVE_DEFINITE);
  }

  @Test
  void of_notFinite_unproven() {
    for (double bad : new double[] {Double.NaN, Double.POSITIVE_INFINITY}) {
      Measurement g = measurement(new double[] {bad}, new double[1], new double[] {4}, false);
      assertUnproven(DistanceBound.of(g), Cause.NOT_FINITE);
      assertThat(DistanceBound.of(g).reachable()).isEmpty();
    }
    Measurement huge =
        measurement(new double[] {1e200}, new double[1], new double[] {1e-300}, false);
    assertUnproven(DistanceBound.of(huge), Cause.OUT_OF_RANGE);
  }

  @Test
  void of_tinyGradient_squaresThatUnderflowAreCovered() {
    Measurement m = measurement(new double[] {1e-200}, new double[1], new double[] {1}, false);

    assertThat(((Proven) DistanceBound.of(m)).distance()).isGreaterThanOrEqualTo(1e-200);
  }

  @Test
  void of_negativePenaltyOrWrongShape_refusedByName() {
    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                DistanceBound.of(
                    measurement(new double[1], new double[1], new double[] {-1}, false)))
        .withMessageContaining("lambda[0] = -1.0");
    assertThatIllegalArgumentException()
        .isThrownBy(
            () -> DistanceBound.of(measurement(new double[2], new double[1], new double[2], false)))
        .withMessageContaining("gradientError has 1");
    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                DistanceBound.of(
                    measurement(new double[1], new double[1], new double[] {1}, false),
                    new double[2],
                    0))
        .withMessageContaining("hessian has 2");
  }

  private static void assertUnproven(DistanceBound bound, Cause cause) {
    assertThat(bound).isInstanceOf(Unproven.class);
    assertThat(((Unproven) bound).cause()).isEqualTo(cause);
  }

  /** The bound by the rule under test, with the curvature disturbed by up to kappa. */
  private static DistanceBound bound(
      DenseLogistic problem, double[] theta, Rule rule, Random random, double kappa) {
    Measurement m = problem.measure(theta);
    double[] hessian = problem.hessian(theta);
    int p = problem.size();
    if (kappa > 0) {
      double[] moment = m.curvatureMoment();
      for (int j = 0; j < p; j++) {
        double absolute = 0;
        for (int i = 0; i < problem.x.length; i++) {
          double s = 0;
          for (int k = 0; k < p; k++) {
            s += problem.x[i][k] * theta[k];
          }
          double cosh = Math.cosh(s / 2);
          absolute += problem.w[i] / (4 * cosh * cosh) * Math.abs(problem.x[i][j]);
        }
        moment[j] += (random.nextBoolean() ? kappa : -kappa) * absolute;
      }
      m =
          withCurvature(
              m, m.curvature()[0] * (1 + kappa), 1.01 * kappa + m.curvatureRelativeError());
      double[] exact = hessian.clone();
      for (int j = 0; j < p; j++) {
        for (int k = j; k < p; k++) {
          double size = kappa * Math.sqrt(exact[j * p + j] * exact[k * p + k]);
          hessian[j * p + k] += j == k ? size : random.nextBoolean() ? size : -size;
        }
      }
    }
    return rule == Rule.SELF_CONCORDANCE_EIGENVALUE
        ? DistanceBound.of(m, hessian, 1.01 * kappa + problem.kappa(theta))
        : DistanceBound.of(m);
  }

  private static DenseLogistic problem(Random random, Rule rule, boolean bad) {
    int n = bad ? 30 + random.nextInt(60) : 400;
    int features = bad ? 1 + random.nextInt(5) : 4;
    boolean intercept = rule != Rule.STRONG_CONVEXITY;
    int p = features + (intercept ? 1 : 0);
    double[][] x = new double[n][p];
    double[] y = new double[n];
    double[] w = new double[n];
    for (int i = 0; i < n; i++) {
      y[i] = random.nextInt(2);
      w[i] = bad ? 0.1 + random.nextDouble() : 1;
      x[i][p - 1] = 1;
    }
    double[] lambda = new double[p];
    for (int j = 0; j < features; j++) {
      boolean oneHot = bad && random.nextInt(3) == 0;
      double scale = bad ? Math.pow(10, -3 + 8 * random.nextDouble()) : 1;
      double mean = bad ? 3 * random.nextGaussian() : 0;
      double squares = 0;
      for (int i = 0; i < n; i++) {
        x[i][j] =
            oneHot ? (random.nextInt(15) == 0 ? 1 : 0) : scale * (mean + random.nextGaussian());
        squares += w[i] * x[i][j] * x[i][j];
      }
      if (squares == 0) {
        x[0][j] = 1;
        squares = w[0];
      }
      double strength = bad ? Math.pow(10, -3 * random.nextDouble()) : 0.1;
      lambda[j] = rule == Rule.SELF_CONCORDANCE_EIGENVALUE ? 0 : strength * squares;
    }
    return new DenseLogistic(x, y, w, lambda, intercept ? p - 1 : -1);
  }

  /** Normals in units of one over the column's size, so that margins are of the given order. */
  private static double[] scaledNormals(Random random, DenseLogistic problem, double size) {
    double[] v = new double[problem.size()];
    for (int j = 0; j < v.length; j++) {
      double largest = 0;
      for (double[] row : problem.x) {
        largest = Math.max(largest, Math.abs(row[j]));
      }
      v[j] = size * random.nextGaussian() / largest;
    }
    return v;
  }

  private static Measurement measurement(
      double[] gradient, double[] error, double[] lambda, boolean intercept) {
    int p = gradient.length;
    return new Measurement(
        gradient,
        error,
        lambda,
        new boolean[p],
        new ParameterLayout(intercept ? p - 1 : p, intercept, 1, 0),
        new double[] {1},
        new double[p],
        0,
        1,
        1,
        Double.POSITIVE_INFINITY,
        true,
        -1,
        0);
  }

  private static Measurement withGradient(Measurement m, double[] gradient) {
    return with(m, gradient, m.lambda(), m.curvature()[0], m.curvatureRelativeError());
  }

  private static Measurement withPenalty(Measurement m, double[] lambda) {
    return with(m, m.gradient(), lambda, m.curvature()[0], m.curvatureRelativeError());
  }

  private static Measurement withCurvature(Measurement m, double curvature, double kappa) {
    return with(m, m.gradient(), m.lambda(), curvature, kappa);
  }

  private static Measurement with(
      Measurement m, double[] gradient, double[] lambda, double curvature, double kappa) {
    return new Measurement(
        gradient,
        m.gradientError(),
        lambda,
        m.fixed(),
        m.layout(),
        new double[] {curvature},
        m.curvatureMoment(),
        kappa,
        m.rowNorm(),
        m.scaledRowNorm(),
        m.selfConcordance(),
        m.separable(),
        m.radius(),
        m.offset());
  }
}
