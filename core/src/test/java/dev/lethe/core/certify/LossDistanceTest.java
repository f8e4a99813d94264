package dev.lethe.core.certify;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.certify.DistanceBound.Cause;
import dev.lethe.core.certify.DistanceBound.Proven;
import dev.lethe.core.certify.DistanceBound.Rule;
import dev.lethe.core.certify.DistanceBound.Unproven;
import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.loss.LossFunction;
import dev.lethe.core.model.BlockBuilder;
import dev.lethe.core.model.ParameterLayout;
import dev.lethe.core.objective.LocalExamples;
import dev.lethe.core.objective.Objective;
import dev.lethe.core.objective.Penalty;
import dev.lethe.core.solver.LinearSolver;
import dev.lethe.core.solver.NewtonSolver;
import dev.lethe.core.solver.NewtonStep;
import dev.lethe.core.testing.LossCase;
import dev.lethe.core.testing.LossProblem;
import dev.lethe.core.testing.Problem;
import dev.lethe.core.testing.Problem.Kind;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The proven distance of every loss and rule against minimisers that are known. */
class LossDistanceTest {

  /** Which parameters are penalised, and whether there are intercepts. */
  private enum Setting {
    PENALISED_WITHOUT_INTERCEPT(0.1, false),
    FREE_INTERCEPT(0.1, true),
    NOTHING_PENALISED(0, true);

    private final double lambda;
    private final boolean intercept;

    Setting(double lambda, boolean intercept) {
      this.lambda = lambda;
      this.intercept = intercept;
    }

    /** What one pass proves with, or nothing. */
    Optional<Rule> onePass(LossCase c) {
      LossFunction loss = c.loss();
      if (this == PENALISED_WITHOUT_INTERCEPT && loss.scalars() == 0) {
        return Optional.of(Rule.STRONG_CONVEXITY);
      }
      if (this == NOTHING_PENALISED || !loss.isSeparable()) {
        return Optional.empty();
      }
      return Optional.of(
          loss.selfConcordance() == 0
              ? Rule.CONSTANT_HESSIAN_CENTRED
              : loss.isSelfConcordant()
                  ? Rule.SELF_CONCORDANCE_CENTRED
                  : Rule.LOCAL_CURVATURE_CENTRED);
    }
  }

  private static Rule eigenvalue(LossCase c) {
    return c.loss().selfConcordance() == 0
        ? Rule.CONSTANT_HESSIAN_EIGENVALUE
        : c.isSmooth() ? Rule.SELF_CONCORDANCE_EIGENVALUE : Rule.LOCAL_CURVATURE_EIGENVALUE;
  }

  private static Objective objective(LossProblem problem, Setting setting, double radius) {
    ParameterLayout layout = problem.layout();
    double[] lambda = new double[layout.size()];
    double weight = Arrays.stream(problem.rows().w()).sum();
    for (int j = 0; j < lambda.length; j++) {
      boolean coefficient = layout.feature(j) >= 0 && layout.feature(j) < layout.features();
      lambda[j] = coefficient ? setting.lambda * weight * (1 + layout.feature(j)) : 0;
    }
    LocalExamples examples = problem.examples();
    LossFunction loss = problem.loss().loss();
    return new Objective(
        examples,
        examples.statistics(loss).statistics(),
        loss,
        layout,
        new Penalty(lambda, new double[lambda.length]),
        new double[lambda.length],
        new boolean[lambda.length],
        radius);
  }

  /** Labels of order 1, so that distances of order 1 are steps of order 1 in the margins. */
  private static LossProblem problem(LossCase loss, Setting setting, long seed) {
    LossProblem drawn = LossProblem.random(loss, Kind.GAUSSIAN, 80, 3, setting.intercept, seed);
    if (loss.loss().classes() > 0 || loss == LossCase.PROPORTIONS) {
      return drawn;
    }
    SplittableRandom random = new SplittableRandom(seed);
    for (int i = 0; i < 80; i++) {
      double label = 1 + Problem.gaussian(random);
      drawn.rows().y()[i] = loss == LossCase.GAMMA ? Math.exp(label) : Math.abs(label);
    }
    return drawn;
  }

  /** To the last digits; {@code LossObjectiveTest} has it from an independent optimiser, too. */
  private static double[] minimiser(Objective objective) {
    return new NewtonSolver<Objective.Measured>(
            100, new NewtonStep(LinearSolver.CHOLESKY, 1, (k, r, t) -> {}), (k, e) -> {})
        .minimize(objective, objective.origin(), e -> objective.estimatedDistance(e) < 1e-14)
        .evaluation()
        .point();
  }

  private static double[] near(double[] minimiser, double distance, SplittableRandom random) {
    double[] v = new double[minimiser.length];
    Arrays.setAll(v, j -> Problem.gaussian(random));
    if (random.nextInt(3) == 0) {
      int only = random.nextInt(v.length);
      Arrays.setAll(v, j -> j == only ? 1 : 0);
    }
    return Vectors.add(minimiser, distance / Vectors.norm(v), v);
  }

  @ParameterizedTest
  @EnumSource
  void prove_anyPoint_trueDistanceNeverAboveTheBound(LossCase loss) {
    for (Setting setting : Setting.values()) {
      int proven = 0;
      int provenAtOnce = 0;
      for (int seed = 0; seed < 3; seed++) {
        LossProblem problem = problem(loss, setting, 900 + seed);
        double[] minimiser = minimiser(objective(problem, setting, 1e-7));
        SplittableRandom random = new SplittableRandom(seed);
        for (int trial = 0; trial < 70; trial++) {
          double distance = Math.pow(10, -9 + 9.5 * random.nextDouble());
          double radius = distance * Math.pow(10, 3 * random.nextDouble() - 0.5);
          Objective objective = objective(problem, setting, radius);
          double[] theta = near(minimiser, distance, random);
          if (loss == LossCase.HUBER && !(theta[theta.length - 1] > 0)) {
            continue;
          }
          Objective.Measured measured = objective.evaluate(theta);
          double truth = Vectors.distance(measured.point(), minimiser);
          DistanceProof proof = DistanceProof.of(measured.measurement());
          Objective.Hessian hessian = objective.gram(measured.point());
          DistanceBound onePass = proof.fromOnePass();
          DistanceBound byEigenvalue =
              proof.byEigenvalue(hessian.matrix().values(), hessian.relativeError());
          for (DistanceBound bound : List.of(onePass, byEigenvalue)) {
            if (bound instanceof Proven p) {
              // the minimiser itself is known to about 1e-12
              assertThat(p.distance() + 1e-11)
                  .as("%s, seed %s, %s", setting, seed, p.rule())
                  .isGreaterThanOrEqualTo(truth);
              assertThat(p.rule())
                  .isEqualTo(bound == onePass ? setting.onePass(loss).get() : eigenvalue(loss));
              if (p.rule().name().startsWith("LOCAL")) {
                assertThat(p.distance()).isLessThan(radius);
              }
            } else {
              assertThat(((Unproven) bound).cause())
                  .isIn(
                      Cause.NOT_CLOSE,
                      Cause.NOT_POSITIVE_DEFINITE,
                      Cause.NO_CURVATURE,
                      Cause.HESSIAN_NEEDED);
            }
          }
          provenAtOnce += onePass instanceof Proven ? 1 : 0;
          proven += byEigenvalue instanceof Proven ? 1 : 0;
        }
      }
      // of 210
      assertThat(proven).as("%s", setting).isGreaterThan(60);
      assertThat(provenAtOnce > 40).as("%s", setting).isEqualTo(setting.onePass(loss).isPresent());
    }
  }

  /**
   * Free intercepts of the softmax, by the pass for the margins' curvature: labels as they come,
   * all but one of one class, and classes that the features separate.
   */
  @ParameterizedTest
  @EnumSource(names = {"TWO_CLASSES", "THREE_CLASSES", "SEVEN_CLASSES"})
  void of_marginCurvatureOfAnyPoint_trueDistanceNeverAboveTheBound(LossCase loss) {
    int classes = loss.loss().classes();
    for (int labels = 0; labels < 3; labels++) {
      int proven = 0;
      for (int seed = 0; seed < 4; seed++) {
        LossProblem problem = problem(loss, Setting.FREE_INTERCEPT, 1000 + seed);
        for (int i = 0; labels > 0 && i < 80; i++) {
          double[] x = problem.rows().x()[i];
          int separated = x[0] > 0.2 ? 0 : x[1] > 0 ? 1 : classes - 1;
          problem.rows().y()[i] = i < classes ? i : labels == 1 ? 0 : separated;
        }
        Objective objective = objective(problem, Setting.FREE_INTERCEPT, -1);
        double[] minimiser = minimiser(objective);
        SplittableRandom random = new SplittableRandom(seed);
        for (int trial = 0; trial < 60; trial++) {
          double distance = Math.pow(10, -9 + 9 * random.nextDouble());
          Objective.Measured measured = objective.evaluate(near(minimiser, distance, random));
          double truth = Vectors.distance(measured.point(), minimiser);
          int passes = objective.passes();
          DistanceBound bound =
              DistanceBound.of(measured.measurement(), objective.marginCurvature(measured.point()));
          assertThat(objective.passes() - passes).isEqualTo(1);
          if (bound instanceof Proven p) {
            proven++;
            assertThat(p.rule()).isEqualTo(Rule.SELF_CONCORDANCE_JOINTLY_CENTRED);
            // the minimiser itself is known to about 1e-12
            assertThat(p.distance() + 1e-11)
                .as("labels %s, seed %s", labels, seed)
                .isGreaterThanOrEqualTo(truth);
          } else {
            assertThat(((Unproven) bound).cause()).isEqualTo(Cause.NOT_CLOSE);
          }
        }
      }
      // of 240
      assertThat(proven).as("labels %s", labels).isGreaterThan(80);
    }
  }

  /** A constant Hessian bounds any distance, strong convexity too. */
  @Test
  void prove_squaredLossFarAway_stillProvesWithinAFactor() {
    for (Setting setting : Setting.values()) {
      LossProblem problem = problem(LossCase.SQUARED, setting, 7);
      Objective objective = objective(problem, setting, -1);
      double[] minimiser = minimiser(objective);
      SplittableRandom random = new SplittableRandom(7);
      for (double distance : new double[] {1e-6, 1, 1e6}) {
        Objective.Measured measured = objective.evaluate(near(minimiser, distance, random));
        Proven proven = (Proven) objective.prove(measured);
        double truth = Vectors.distance(measured.point(), minimiser);
        assertThat(proven.distance() / truth).isBetween(1.0, 30.0);
      }
    }
  }

  /**
   * How loose the bounds are near the minimiser of benign data, every column of deviation 1: the
   * share of the curvature that N has, and the condition number.
   */
  @ParameterizedTest
  @EnumSource
  void prove_nearTheMinimiser_isWithinAFactorOfTheTruth(LossCase loss) {
    for (Setting setting : Setting.values()) {
      for (int seed = 0; seed < 4; seed++) {
        LossProblem problem = problem(loss, setting, 950 + seed);
        Objective objective = objective(problem, setting, 1e-4);
        double[] minimiser = minimiser(objective);
        SplittableRandom random = new SplittableRandom(seed);
        Objective.Measured measured = objective.evaluate(near(minimiser, 1e-7, random));
        DistanceBound bound = objective.prove(measured);
        assertThat(bound).as("%s, seed %s", setting, seed).isInstanceOf(Proven.class);
        double truth = Vectors.distance(measured.point(), minimiser);
        double ratio = ((Proven) bound).distance() / truth;
        // seven classes in 80 rows: a rare one without a penalty has little curvature
        double loose = loss == LossCase.SEVEN_CLASSES ? 500 : 50;
        assertThat(ratio).as("%s, seed %s", setting, seed).isBetween(1.0, loose);
      }
    }
  }

  /** Rows without features, so that the intercepts are all there is. */
  private static Objective intercepts(LossFunction loss, double[] y, double[] w, double radius) {
    BlockBuilder builder = BlockBuilder.of(0);
    for (int i = 0; i < y.length; i++) {
      builder.endRow(y[i], w[i]);
    }
    LocalExamples examples = new LocalExamples(0, List.of(builder.build()));
    int p = loss.outputs();
    return new Objective(
        examples,
        examples.statistics(loss).statistics(),
        loss,
        new ParameterLayout(0, true, loss.margins(), loss.scalars()),
        new Penalty(new double[p], new double[p]),
        new double[p],
        new boolean[p],
        radius);
  }

  /**
   * Where the curvature falls off as fast as self-concordance lets it, e^{-M r}, the bound has no
   * room: nu / (1 - q) against -ln(1 - q) nu / q, so a factor of 1.45 at q = 1/2. Half of M would
   * prove too little.
   */
  @ParameterizedTest
  @EnumSource(names = {"POISSON", "GAMMA", "LOGISTIC", "TWO_CLASSES", "LOGISTIC_VS_REST"})
  void prove_curvatureFallingAtTheRateOfM_isTightToTheLemma(LossCase c) {
    double rare = 1e-9;
    double[] y = c == LossCase.LOGISTIC_VS_REST ? new double[] {0, 1, 2} : new double[] {1, 0};
    double[] w = {rare, 1, 1};
    double[] minimiser;
    double[] towardsCurvature;
    switch (c) {
      case POISSON -> {
        y[0] = y[1] = 2;
        minimiser = new double[] {Math.log(2)};
        towardsCurvature = new double[] {1};
      }
      case GAMMA -> {
        y[0] = y[1] = 2;
        minimiser = new double[] {Math.log(2)};
        towardsCurvature = new double[] {-1};
      }
      case LOGISTIC -> {
        minimiser = new double[] {Math.log(rare)};
        towardsCurvature = new double[] {1};
      }
      case TWO_CLASSES -> {
        minimiser = new double[] {-0.5 * Math.log(rare), 0.5 * Math.log(rare)};
        towardsCurvature = new double[] {-Math.sqrt(0.5), Math.sqrt(0.5)};
      }
      default -> {
        minimiser = new double[] {Math.log(rare / 2), 0, 0};
        towardsCurvature = new double[] {1, 0, 0};
      }
    }
    Objective objective = intercepts(c.loss(), y, Arrays.copyOf(w, y.length), -1);
    double m = c.loss().selfConcordance();
    int proven = 0;
    double tightest = Double.POSITIVE_INFINITY;
    for (double q = 0.02; q < 0.6; q += 0.02) {
      // the softmax's shift of both margins has a curvature of its own: q is smaller than there
      double distance = -Math.log1p(-q) / m;
      double[] theta = Vectors.add(minimiser, distance, towardsCurvature);
      Objective.Measured measured = objective.evaluate(theta);
      DistanceBound bound = objective.prove(measured);
      if (bound instanceof Proven p) {
        proven++;
        double truth = Vectors.distance(measured.point(), minimiser);
        double slack = 1e-6 * truth; // log(rare) is the minimiser to about 1e-9
        assertThat(p.distance() + slack).isGreaterThanOrEqualTo(truth);
        tightest = Math.min(tightest, p.distance() / truth);
        if (q > 0.4) {
          assertThat(p.distance() / truth).isLessThan(1.6);
        }
      } else {
        assertThat(((Unproven) bound).cause()).isEqualTo(Cause.NOT_CLOSE);
        assertThat(q).isGreaterThan(0.4);
      }
    }
    assertThat(proven).isBetween(20, 26);
    assertThat(tightest).isLessThan(1.05);
  }

  /**
   * A thousand rows that are flat beyond 1e-4 of the point hold the curvature there, and one row
   * the slope: the quadratic model is wrong by a factor of a thousand, and a ball says so.
   */
  @ParameterizedTest
  @EnumSource(names = {"SMOOTHED_HINGE", "SQUARED_HINGE"})
  void prove_curvatureThatEndsNextToThePoint_isNotClose(LossCase c) {
    int n = 1000;
    double[] y = new double[n + 2];
    double[] w = new double[n + 2];
    Arrays.fill(y, 1);
    Arrays.fill(w, 1);
    double upper = c == LossCase.SMOOTHED_HINGE ? 1.5 : 1;
    w[n] = 1e-6;
    y[n + 1] = 0;
    // column 0 shifts the margins: 0 for the thousand, -1 for the row with the slope
    BlockBuilder builder = BlockBuilder.of(1);
    for (int i = 0; i < n + 2; i++) {
      builder.add(0, i == n ? -1 : i == n + 1 ? 0.5 : 0);
      builder.endRow(y[i], i < n ? 1 : 3);
    }
    LocalExamples examples = new LocalExamples(1, List.of(builder.build()));
    for (double radius : new double[] {1e-1, 1e-2, 1e-3, 1e-5}) {
      Objective objective =
          new Objective(
              examples,
              examples.statistics(c.loss()).statistics(),
              c.loss(),
              new ParameterLayout(1, true, 1, 0),
              new Penalty(new double[] {1, 0}, new double[2]),
              new double[2],
              new boolean[2],
              radius);
      double[] theta = {0, upper - 1e-4};
      double[] minimiser = minimiser(objective);
      double truth = Vectors.distance(theta, minimiser);
      Objective.Measured measured = objective.evaluate(theta);
      DistanceBound bound = objective.prove(measured);
      if (bound instanceof Proven p) {
        assertThat(p.distance()).isGreaterThanOrEqualTo(truth).isLessThan(radius);
      }
      if (radius < truth) {
        assertThat(bound).isInstanceOf(Unproven.class);
        assertThat(((Unproven) bound).cause().stepsMayHelp()).isTrue();
      }
    }
  }

  /**
   * A rho that would cost every row its curvature is no obstacle: the ball is smaller then, and so
   * is what has to be proven.
   */
  @ParameterizedTest
  @EnumSource(names = {"SMOOTHED_HINGE", "SQUARED_HINGE", "SQUARED_HINGE_VS_REST", "HUBER"})
  void prove_rhoFarAboveTheDistance_isProvenInASmallerBall(LossCase loss) {
    for (Setting setting : new Setting[] {Setting.FREE_INTERCEPT, Setting.NOTHING_PENALISED}) {
      LossProblem problem = problem(loss, setting, 5);
      double[] minimiser = minimiser(objective(problem, setting, 1e-7));
      Objective objective = objective(problem, setting, 50);
      SplittableRandom random = new SplittableRandom(5);
      Objective.Measured measured = objective.evaluate(near(minimiser, 1e-9, random));
      assertThat(measured.measurement().radius()).isBetween(1e-4, 1e-1);
      Proven proven = (Proven) objective.prove(measured);
      double truth = Vectors.distance(measured.point(), minimiser);
      assertThat(proven.distance()).isGreaterThanOrEqualTo(truth).isLessThan(1e-3);
    }
  }

  /** Points off the centre of an open column are measured where they are centred. */
  @Test
  void prove_softmaxOffCentre_boundsTheDistanceOfTheCentredPoint() {
    LossProblem problem = problem(LossCase.SEVEN_CLASSES, Setting.NOTHING_PENALISED, 3);
    Objective objective = objective(problem, Setting.NOTHING_PENALISED, -1);
    double[] minimiser = minimiser(objective);
    double[] theta = minimiser.clone();
    ParameterLayout layout = problem.layout();
    for (int k = 0; k < 7; k++) {
      theta[layout.coefficient(k, 1)] += 0.7;
      theta[layout.intercept(k)] -= 3;
    }
    theta[0] += 1e-6;
    Objective.Measured measured = objective.evaluate(theta);
    Proven proven = (Proven) objective.prove(measured);
    double truth = Vectors.distance(measured.point(), minimiser);
    assertThat(truth).isBetween(0.9e-6, 1e-6); // the shift in the centre of column 0 is taken off
    assertThat(proven.distance()).isBetween(truth, 1e-3);
  }

  @Test
  void of_offset_isAddedToTheDistanceAndToWhatIsReachable() {
    Proven without = (Proven) DistanceBound.of(measurement(Double.POSITIVE_INFINITY, -1, 0));
    Proven with = (Proven) DistanceBound.of(measurement(Double.POSITIVE_INFINITY, -1, 0.25));
    assertThat(with.distance() - without.distance()).isBetween(0.25, 0.25 + 1e-12);
    assertThat(with.reachable().orElseThrow()).isGreaterThanOrEqualTo(0.25);
  }

  /** One coefficient of penalty 4 and gradient 3, one free intercept of curvature 2. */
  private static Measurement measurement(double selfConcordance, double radius, double offset) {
    boolean free = radius >= 0 || selfConcordance == 0;
    return new Measurement(
        new double[] {3, 0},
        new double[2],
        new double[] {4, free ? 0 : 1},
        new boolean[2],
        new ParameterLayout(1, true, 1, 0),
        new double[] {2},
        new double[2],
        0,
        2,
        0.5,
        selfConcordance,
        true,
        radius,
        offset);
  }

  /** The curvature is known within the radius only: a distance of 3/4 sqrt 2 or so needs more. */
  @Test
  void of_ballSmallerThanTheDistance_isNotCloseAndNamesNoDistance() {
    for (double radius : new double[] {0, 0.1, 0.7}) {
      DistanceBound bound = DistanceBound.of(measurement(Double.POSITIVE_INFINITY, radius, 0));
      assertThat(bound).isInstanceOf(Unproven.class);
      assertThat(((Unproven) bound).cause()).isEqualTo(Cause.NOT_CLOSE);
      assertThat(bound.reachable()).isPresent();
    }
    Proven proven = (Proven) DistanceBound.of(measurement(Double.POSITIVE_INFINITY, 3, 0));
    assertThat(proven.rule()).isEqualTo(Rule.LOCAL_CURVATURE_CENTRED);
    assertThat(proven.distance()).isBetween(0.75, 3.0);
    // the same for a constant Hessian, which no radius limits
    Proven constant = (Proven) DistanceBound.of(measurement(0, -1, 0));
    assertThat(constant.rule()).isEqualTo(Rule.CONSTANT_HESSIAN_CENTRED);
    assertThat(constant.distance()).isEqualTo(proven.distance());
    // exactly at the edge of the ball is not inside it
    assertThat(DistanceBound.of(measurement(Double.POSITIVE_INFINITY, proven.distance(), 0)))
        .isInstanceOf(Unproven.class);
  }
}
