package dev.lethe.core.objective;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import dev.lethe.core.linalg.Cholesky;
import dev.lethe.core.linalg.SymmetricMatrix;
import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.loss.LogisticLoss;
import dev.lethe.core.loss.LossFunction;
import dev.lethe.core.model.ParameterLayout;
import dev.lethe.core.solver.LinearSolver;
import dev.lethe.core.solver.NewtonSolver;
import dev.lethe.core.solver.NewtonStep;
import dev.lethe.core.testing.Differences;
import dev.lethe.core.testing.LossCase;
import dev.lethe.core.testing.LossProblem;
import dev.lethe.core.testing.Problem;
import dev.lethe.core.testing.Problem.Kind;
import dev.lethe.core.unlearn.Unlearning;
import dev.lethe.core.unlearn.UnlearningResult;
import dev.lethe.core.unlearn.UnlearningResult.Outcome;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The objective of every loss: its derivatives, its minimiser, and the proof about it. */
class LossObjectiveTest {
  private static final double RHO = 1e-6;

  /** A problem, its penalties, and which columns are fixed at 0. */
  private record Setting(LossProblem problem, double[] lambda, boolean[] fixed) {

    static Setting of(LossCase loss, Kind kind, boolean intercept, double lambda, long seed) {
      LossProblem problem = LossProblem.random(loss, kind, 90, 4, intercept, seed);
      ParameterLayout layout = problem.layout();
      double[] penalties = new double[layout.size()];
      boolean[] fixed = new boolean[layout.size()];
      for (int j = 0; j < penalties.length; j++) {
        int column = layout.feature(j);
        penalties[j] = column >= 0 && column < 4 ? lambda * (1 + 0.3 * column) : 0;
        fixed[j] = column == 2;
      }
      return new Setting(problem, penalties, fixed);
    }

    Objective objective() {
      int p = lambda.length;
      LossFunction loss = problem.loss().loss();
      LocalExamples examples = problem.examples();
      return new Objective(
          examples,
          examples.statistics(loss).statistics(),
          loss,
          problem.layout(),
          new Penalty(lambda, new double[p]),
          new double[p],
          fixed,
          RHO);
    }

    /** By plain loops over the rows. */
    double[] gradient(double[] theta) {
      ParameterLayout layout = problem.layout();
      LossFunction loss = problem.loss().loss();
      double[] g = new double[theta.length];
      double[] s = new double[layout.outputs()];
      double[] a = new double[layout.outputs()];
      for (int i = 0; i < problem.rows().rows(); i++) {
        double[] x = problem.rows().x()[i];
        for (int k = 0; k < s.length; k++) {
          s[k] = 0;
          for (int j = 0; j < theta.length; j++) {
            s[k] += fixed[j] ? 0 : coefficient(layout, x, k, j) * theta[j];
          }
        }
        loss.gradient(s, problem.rows().y()[i], a);
        for (int k = 0; k < s.length; k++) {
          for (int j = 0; j < theta.length; j++) {
            g[j] += problem.rows().w()[i] * a[k] * coefficient(layout, x, k, j);
          }
        }
      }
      for (int j = 0; j < theta.length; j++) {
        g[j] = fixed[j] ? 0 : g[j] + lambda[j] * theta[j];
      }
      return g;
    }

    /** Entry j of the row that makes output k. */
    private static double coefficient(ParameterLayout layout, double[] x, int k, int j) {
      if (k >= layout.margins()) {
        return j == layout.scalar(k - layout.margins()) ? 1 : 0;
      }
      if (layout.feature(j) < 0 || j / layout.stride() != k) {
        return 0;
      }
      return layout.feature(j) == layout.features() ? 1 : x[layout.feature(j)];
    }

    /** With 1/2 (sum_k theta_kj)^2 for every open column, which makes the centred one unique. */
    private double[] definiteGradient(double[] theta) {
      double[] g = gradient(theta);
      ParameterLayout layout = problem.layout();
      for (int column = 0; column < layout.stride(); column++) {
        double sum = 0;
        for (int k = 0; k < layout.margins(); k++) {
          sum += theta[layout.coefficient(k, column)];
        }
        for (int k = 0; isOpen(this, column) && k < layout.margins(); k++) {
          g[layout.coefficient(k, column)] += sum;
        }
      }
      return g;
    }

    double[] minimiser() {
      return Differences.minimise(this::definiteGradient, objective().origin());
    }
  }

  private static List<Setting> settings(LossCase loss) {
    List<Setting> settings = new ArrayList<>();
    long seed = 40;
    for (Kind kind : new Kind[] {Kind.GAUSSIAN, Kind.SPARSE}) {
      for (boolean intercept : new boolean[] {true, false}) {
        settings.add(Setting.of(loss, kind, intercept, 1.5, seed++));
      }
    }
    return settings;
  }

  private static NewtonSolver.Result<Objective.Measured> newton(
      Objective objective, LinearSolver solver, double tolerance) {
    return new NewtonSolver<Objective.Measured>(
            80, new NewtonStep(solver, 500, (k, r, t) -> {}), (k, e) -> {})
        .minimize(objective, objective.origin(), e -> objective.estimatedDistance(e) <= tolerance);
  }

  @ParameterizedTest
  @EnumSource
  void newton_fromTheOrigin_findsTheMinimiserOfAnotherOptimiser(LossCase loss) {
    for (Setting setting : settings(loss)) {
      double[] truth = setting.minimiser();
      assertThat(Vectors.norm(setting.gradient(truth))).isLessThan(1e-9);
      for (LinearSolver solver : LinearSolver.values()) {
        NewtonSolver.Result<Objective.Measured> result = newton(setting.objective(), solver, 1e-11);
        assertThat(result.reason())
            .as("%s", setting.problem.layout().intercept())
            .isEqualTo(NewtonSolver.StopReason.CONVERGED);
        assertThat(result.steps()).hasSizeLessThan(40);
        assertThat(Vectors.distance(result.evaluation().point(), truth))
            .isLessThanOrEqualTo(1e-9 * (1 + Vectors.norm(truth)));
        for (int j = 0; j < truth.length; j++) {
          assertThat(setting.fixed[j] && result.evaluation().point()[j] != 0).isFalse();
        }
      }
    }
  }

  /** To a proven distance, with the exact minimiser within it. */
  @ParameterizedTest
  @EnumSource
  void refined_fromTheOrigin_provesADistanceThatHolds(LossCase loss) {
    for (Setting setting : settings(loss)) {
      double[] truth = setting.minimiser();
      Objective objective = setting.objective();
      UnlearningResult result =
          new Unlearning(objective, RHO, s -> {})
              .refined(
                  objective.origin(),
                  new NewtonStep(LinearSolver.CHOLESKY, 1, (k, r, t) -> {}),
                  60);
      assertThat(result.outcome())
          .as("%s: %s", setting.problem.layout().intercept(), result.bound())
          .isEqualTo(Outcome.WITHIN_RHO);
      // the other optimiser is within 1e-11 or so itself
      assertThat(Vectors.distance(result.end().point(), truth))
          .isLessThanOrEqualTo(result.distance().orElseThrow() + 1e-10 * Vectors.norm(truth));
    }
  }

  @ParameterizedTest
  @EnumSource
  void gradientAndHessian_byCentralDifferences_agree(LossCase loss) {
    for (Setting setting : settings(loss)) {
      Objective objective = setting.objective();
      ParameterLayout layout = setting.problem.layout();
      SplittableRandom random = new SplittableRandom(3);
      double[] theta = objective.origin();
      double[] v = new double[theta.length];
      for (int j = 0; j < theta.length; j++) {
        boolean scalar = layout.feature(j) < 0;
        theta[j] =
            setting.fixed[j]
                ? 0
                : scalar ? 1 + random.nextDouble() : 0.3 * Problem.gaussian(random);
        v[j] = setting.fixed[j] ? 0 : Problem.gaussian(random);
      }
      centreOpenColumns(setting, v);
      double h = 1e-6;
      Objective.Measured here = objective.evaluate(theta);
      Objective.Measured above = objective.evaluate(Vectors.add(theta, h, v));
      Objective.Measured below = objective.evaluate(Vectors.add(theta, -h, v));
      // rounding u value / h, truncation h^2, and rows that jump within h
      double tolerance = 1e-8 * (1 + Math.abs(here.value()));
      assertThat(Vectors.dot(here.gradient(), v))
          .isCloseTo((above.value() - below.value()) / (2 * h), within(tolerance));
      double[] product = objective.hessian(theta).apply(v);
      double[] matrix = objective.hessianMatrix(theta).apply(v);
      double size = Vectors.norm(product);
      for (int j = 0; j < theta.length; j++) {
        assertThat(matrix[j]).isCloseTo(product[j], within(1e-12 * size));
        double bend = (above.gradient()[j] - below.gradient()[j]) / (2 * h);
        assertThat(product[j]).isCloseTo(bend, within(1e-6 * size + tolerance));
      }
      assertThat(here.gradient()).isEqualTo(objective.evaluate(theta).gradient());
      double[] plain = setting.gradient(theta);
      for (int j = 0; j < theta.length; j++) {
        assertThat(here.gradient()[j])
            .isCloseTo(plain[j], within(1e-10 * (1 + Math.abs(here.value()))));
      }
    }
  }

  private static boolean isOpen(Setting setting, int j) {
    ParameterLayout layout = setting.problem.layout();
    return setting.problem.loss().loss().isShiftInvariant()
        && setting.lambda[j] == 0
        && !setting.fixed[j]
        && layout.feature(j) >= 0;
  }

  private static void centreOpenColumns(Setting setting, double[] v) {
    ParameterLayout layout = setting.problem.layout();
    for (int column = 0; column < layout.stride(); column++) {
      if (isOpen(setting, column)) {
        double mean = 0;
        for (int k = 0; k < layout.margins(); k++) {
          mean += v[layout.coefficient(k, column)] / layout.margins();
        }
        for (int k = 0; k < layout.margins(); k++) {
          v[layout.coefficient(k, column)] -= mean;
        }
      }
    }
  }

  /** Nothing penalised: every column is open, and the centred minimiser is found and proven. */
  @ParameterizedTest
  @EnumSource(names = {"TWO_CLASSES", "THREE_CLASSES", "SEVEN_CLASSES"})
  void softmax_withoutPenalty_findsAndProvesTheCentredMinimiser(LossCase loss) {
    for (boolean intercept : new boolean[] {true, false}) {
      Setting setting = Setting.of(loss, Kind.GAUSSIAN, intercept, 0, 51);
      Objective objective = setting.objective();
      double[] truth = setting.minimiser();
      UnlearningResult result =
          new Unlearning(objective, RHO, s -> {})
              .refined(
                  objective.origin(), new NewtonStep(LinearSolver.CG, 500, (k, r, t) -> {}), 60);
      assertThat(result.outcome()).isEqualTo(Outcome.WITHIN_RHO);
      assertThat(Vectors.distance(result.end().point(), truth))
          .isLessThanOrEqualTo(result.distance().orElseThrow() + 1e-9);
      // the Hessian with the open curvature is definite, and has the open direction's own
      SymmetricMatrix h = objective.hessianMatrix(truth);
      assertThat(Cholesky.of(h)).isPresent();
      double[] ones = new double[truth.length];
      for (int k = 0; k < setting.problem.layout().margins(); k++) {
        ones[setting.problem.layout().coefficient(k, 0)] = 1;
      }
      double[] pull = h.apply(ones);
      double curvature = Vectors.dot(pull, ones);
      assertThat(curvature).isPositive();
      for (int j = 0; j < pull.length; j++) {
        // the data's Hessian does not bend along it, so the product is a multiple of it
        double expected = ones[j] * curvature / setting.problem.layout().margins();
        assertThat(pull[j]).isCloseTo(expected, within(1e-12 * curvature));
      }
    }
  }

  @Test
  void softmax_pointOffCentre_isCentredAndMeasuredThere() {
    Setting setting = Setting.of(LossCase.THREE_CLASSES, Kind.GAUSSIAN, true, 1, 52);
    Objective objective = setting.objective();
    ParameterLayout layout = setting.problem.layout();
    double[] theta = setting.minimiser();
    double[] shifted = theta.clone();
    for (int k = 0; k < 3; k++) {
      shifted[layout.intercept(k)] += 0.1;
    }
    Objective.Measured a = objective.evaluate(theta);
    Objective.Measured b = objective.evaluate(shifted);
    assertThat(Vectors.distance(a.point(), b.point())).isLessThan(1e-15);
    assertThat(b.value()).isCloseTo(a.value(), within(1e-12 * a.value()));
    double sum = 0;
    for (int k = 0; k < 3; k++) {
      sum += b.point()[layout.intercept(k)];
    }
    assertThat(b.measurement().offset())
        .isGreaterThanOrEqualTo(Math.abs(sum) / Math.sqrt(3))
        .isLessThan(1e-14);
    // penalised coefficients have a centre of their own: nothing is moved
    for (int k = 0; k < 3; k++) {
      for (int j = 0; j < 4; j++) {
        int parameter = layout.coefficient(k, j);
        assertThat(b.point()[parameter]).isEqualTo(shifted[parameter]);
      }
    }
  }

  /** theta_1 = -theta_0 = delta / 2: K = 2 with lambda is the binary problem with lambda / 2. */
  @Test
  void softmax_twoClasses_hasTheBinaryMinimiserInBothRows() {
    for (double lambda : new double[] {0, 0.8}) {
      Setting two = Setting.of(LossCase.TWO_CLASSES, Kind.GAUSSIAN, true, lambda, 53);
      LossProblem rows = two.problem;
      LossProblem binary =
          new LossProblem(LossCase.LOGISTIC, rows.rows(), new double[rows.layout().stride()]);
      double[] half = Arrays.stream(two.lambda, 0, 5).map(x -> x / 2).toArray();
      Setting one = new Setting(binary, half, Arrays.copyOf(two.fixed, 5));
      assertThat(one.problem.loss().loss()).isSameAs(LogisticLoss.INSTANCE);
      double[] delta = newton(one.objective(), LinearSolver.CHOLESKY, 1e-12).evaluation().point();
      double[] theta = newton(two.objective(), LinearSolver.CG, 1e-12).evaluation().point();
      for (int j = 0; j < 5; j++) {
        assertThat(theta[5 + j]).isCloseTo(delta[j] / 2, within(1e-10));
        assertThat(theta[j]).isCloseTo(-delta[j] / 2, within(1e-10));
      }
    }
  }

  @Test
  void damping_vanishesWithTheGradientAndForSelfConcordantLosses() {
    for (LossCase loss : LossCase.values()) {
      Setting setting = Setting.of(loss, Kind.GAUSSIAN, true, 1, 54);
      Objective objective = setting.objective();
      double[] far = objective.damping(objective.evaluate(objective.origin()));
      double[] near = objective.damping(objective.evaluate(setting.minimiser()));
      if (loss.isSmooth()) {
        assertThat(far).containsOnly(0);
        continue;
      }
      double weight = Arrays.stream(setting.problem.rows().w()).sum();
      for (int j = 0; j < far.length; j++) {
        assertThat(far[j] > 0).isEqualTo(!setting.fixed[j]);
        assertThat(near[j]).isLessThan(1e-8 * weight * 10);
      }
    }
  }

  @Test
  void origin_scaleOfHuber_isTheLabelsDeviation() {
    Setting setting = Setting.of(LossCase.HUBER, Kind.GAUSSIAN, true, 1, 55);
    Objective objective = setting.objective();
    double[] origin = objective.origin();
    assertThat(origin[origin.length - 1])
        .isEqualTo(Math.sqrt(objective.statistics().label().variance()));
    assertThat(Arrays.copyOf(origin, origin.length - 1)).containsOnly(0);
  }

  @Test
  void constructor_marginsTreatedDifferently_areRefused() {
    LossProblem problem =
        LossProblem.random(LossCase.THREE_CLASSES, Kind.GAUSSIAN, 20, 2, true, 56);
    boolean[] fixed = new boolean[9];
    fixed[4] = true; // column 1 of the second margin alone
    double[] lambda = new double[9];
    lambda[6] = 1;
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Setting(problem, new double[9], fixed).objective())
        .withMessageContaining("parameters 1 and 4");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Setting(problem, lambda, new boolean[9]).objective())
        .withMessageContaining("parameters 0 and 6");
  }

  /** b along an open direction has no minimiser. */
  @Test
  void constructor_linearTermOnAnOpenColumn_isRefused() {
    LossProblem problem =
        LossProblem.random(LossCase.THREE_CLASSES, Kind.GAUSSIAN, 20, 2, true, 57);
    LocalExamples examples = problem.examples();
    double[] lambda = {1, 1, 0, 1, 1, 0, 1, 1, 0};
    double[] b = {1, 1, 0, 1, 1, 0, 1, 1, 0.5};
    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                new Objective(
                    examples,
                    examples.statistics(problem.loss().loss()).statistics(),
                    problem.loss().loss(),
                    problem.layout(),
                    new Penalty(lambda, new double[9]),
                    b,
                    new boolean[9],
                    -1))
        .withMessageContaining("b[8] = 0.5");
  }
}
