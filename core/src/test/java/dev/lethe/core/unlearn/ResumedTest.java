package dev.lethe.core.unlearn;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.aggregate.GradientAggregator;
import dev.lethe.core.aggregate.GramAggregator;
import dev.lethe.core.aggregate.HessianSketchAggregator;
import dev.lethe.core.aggregate.HessianVectorAggregator;
import dev.lethe.core.aggregate.MarginCurvatureAggregator;
import dev.lethe.core.aggregate.MeasuredHessianAggregator;
import dev.lethe.core.aggregate.MeasurementAggregator;
import dev.lethe.core.aggregate.Point;
import dev.lethe.core.aggregate.SeveralSums;
import dev.lethe.core.aggregate.StatisticsAggregator;
import dev.lethe.core.aggregate.SumQuery;
import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.loss.LogisticLoss;
import dev.lethe.core.loss.LossFunction;
import dev.lethe.core.loss.MultinomialLogisticLoss;
import dev.lethe.core.model.BlockBuilder;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.ParameterLayout;
import dev.lethe.core.objective.ExampleSums;
import dev.lethe.core.objective.LocalExamples;
import dev.lethe.core.objective.Objective;
import dev.lethe.core.objective.Penalty;
import dev.lethe.core.solver.LinearSolver;
import dev.lethe.core.solver.NewtonSolver;
import dev.lethe.core.solver.NewtonState;
import dev.lethe.core.solver.NewtonStep;
import dev.lethe.core.solver.Preconditioning;
import dev.lethe.core.testing.Problem;
import dev.lethe.core.unlearn.UnlearningResult.Outcome;
import dev.lethe.core.unlearn.UnlearningResult.Step;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A refinement that ends at any step and is resumed by another, which knows its state alone. */
class ResumedTest {
  private static final double RHO = 1e-6;
  private static final int FEATURES = 40;

  private static final LocalExamples BINARY = examples(3000, 2, 1);
  private static final LocalExamples CLASSES = examples(3000, 3, 2);
  // enough rows for a sample of 64 a parameter to be less than half of them
  private static final LocalExamples MANY = examples(8000, 2, 3);

  /**
   * One way to refine.
   *
   * @param isAsMeant tells of the states of a run that they hold what the case is about
   */
  private record Case(
      String name,
      Supplier<Objective> objective,
      LinearSolver solver,
      @Nullable Preconditioning preconditioning,
      Predicate<List<NewtonState>> isAsMeant) {
    NewtonStep newtonStep() {
      return new NewtonStep(solver, preconditioning, 1000, (k, r, t) -> {});
    }

    @Override
    public String toString() {
      return name;
    }
  }

  static Stream<Case> cases() {
    Predicate<List<NewtonState>> plain =
        states -> states.stream().allMatch(s -> s.factor() == null && s.preconditioner() == null);
    return Stream.of(
        new Case(
            "a factor of every point",
            () -> binary(BINARY),
            LinearSolver.CHOLESKY,
            null,
            plain.and(states -> states.stream().allMatch(s -> s.measuredStep() == s.step()))),
        new Case(
            "a kept factor of all rows",
            () -> binary(new Shared(BINARY)),
            LinearSolver.CHOLESKY,
            null,
            states -> hasFactor(states, true)),
        new Case(
            "a kept factor of a sample",
            () -> binary(new Shared(MANY)),
            LinearSolver.CHOLESKY,
            null,
            states -> hasFactor(states, false)),
        new Case(
            "the diagonal",
            () -> binary(BINARY),
            LinearSolver.CG,
            Preconditioning.JACOBI,
            plain.and(states -> states.stream().anyMatch(s -> s.measuredStep() < s.step()))),
        new Case(
            "a sketch",
            () -> binary(BINARY),
            LinearSolver.CG,
            Preconditioning.NYSTROM,
            states -> hasMade(states, Preconditioning.NYSTROM)),
        new Case(
            "a sample's factor as preconditioner",
            () -> binary(BINARY),
            LinearSolver.CG,
            Preconditioning.SAMPLE,
            states -> hasMade(states, Preconditioning.SAMPLE)),
        new Case(
            "what is worth its cost",
            () -> binary(BINARY),
            LinearSolver.CG,
            null,
            states ->
                states.get(0).preconditioner() == null
                    && states.get(states.size() - 1).preconditioner() != null),
        new Case(
            "points that are centred",
            ResumedTest::softmax,
            LinearSolver.CG,
            Preconditioning.JACOBI,
            plain));
  }

  private static boolean hasFactor(List<NewtonState> states, boolean exact) {
    return states.stream()
        .anyMatch(
            s ->
                s.factor() != null && s.factor().exact() == exact && s.factor().pairs().size() > 1);
  }

  private static boolean hasMade(List<NewtonState> states, Preconditioning kind) {
    return states.stream()
        .allMatch(s -> s.preconditioner() != null && s.preconditioner().kind() == kind);
  }

  /** Columns of very different scales that share factors, so that some steps are needed. */
  private static LocalExamples examples(int rows, int classes, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    double[] truth = random.doubles(FEATURES, -1, 1).toArray();
    List<ExampleBlock> blocks = new ArrayList<>();
    BlockBuilder builder = BlockBuilder.of(FEATURES);
    for (int i = 0; i < rows; i++) {
      double common = Problem.gaussian(random);
      double other = Problem.gaussian(random);
      double margin = 0;
      for (int j = 0; j < FEATURES; j++) {
        double x = common + (j % 2) * other + 0.2 * Problem.gaussian(random);
        margin += truth[j] * x / 2;
        builder.add(j, x);
      }
      double noisy = margin + 2 * Problem.gaussian(random);
      builder.endRow(classes == 2 ? (noisy > 0 ? 1 : 0) : noisy > 1 ? 2 : noisy > -1 ? 1 : 0, 1);
      if (builder.isFull()) {
        blocks.add(builder.build());
      }
    }
    if (!builder.isEmpty()) {
      blocks.add(builder.build());
    }
    return new LocalExamples(FEATURES, blocks);
  }

  private static Objective binary(ExampleSums examples) {
    return objective(examples, LogisticLoss.INSTANCE, 1);
  }

  private static Objective softmax() {
    return objective(CLASSES, new MultinomialLogisticLoss(3), 3);
  }

  private static Objective objective(ExampleSums examples, LossFunction loss, int margins) {
    ParameterLayout layout = new ParameterLayout(FEATURES, true, margins, 0);
    double[] lambda = new double[layout.size()];
    Arrays.setAll(lambda, j -> layout.feature(j) < FEATURES ? 0.3 : 0);
    boolean[] fixed = new boolean[layout.size()];
    for (int j = 0; j < fixed.length; j++) {
      fixed[j] = layout.feature(j) == 3;
    }
    return new Objective(
        examples,
        examples.statistics(loss).statistics(),
        loss,
        layout,
        new Penalty(lambda, new double[lambda.length]),
        new double[lambda.length],
        fixed,
        -1);
  }

  /** Keeps every state. */
  private static final class States implements Unlearning.Listener {
    final List<NewtonState> accepted = new ArrayList<>();
    int last = -1;

    @Override
    public void measured(Step step) {
      last = step.step();
    }

    @Override
    public void accepted(NewtonState state) {
      assertThat(state.step()).isEqualTo(last);
      accepted.add(state);
    }
  }

  /** By another method, from another start, to a much smaller gradient. */
  private static double[] minimiser(Objective objective) {
    return new NewtonSolver<Objective.Measured>(
            100, new NewtonStep(LinearSolver.CHOLESKY, 1, (k, r, t) -> {}), (k, e) -> {})
        .minimize(objective, new double[objective.size()], e -> Vectors.norm(e.gradient()) <= 1e-9)
        .evaluation()
        .point();
  }

  @ParameterizedTest
  @MethodSource("cases")
  void refined_resumedAfterAnyStep_endsAtTheSameBits(Case of) {
    Objective undisturbed = of.objective().get();
    States states = new States();
    UnlearningResult whole =
        new Unlearning(undisturbed, RHO, states)
            .refined(new double[undisturbed.size()], of.newtonStep(), 50);
    assertThat(whole.outcome()).isEqualTo(Outcome.WITHIN_RHO);
    assertThat(states.accepted).hasSizeGreaterThan(2);
    assertThat(of.isAsMeant().test(states.accepted)).as("states as meant").isTrue();
    double[] truth = minimiser(of.objective().get());
    int end = whole.steps().get(whole.steps().size() - 1).step();

    for (NewtonState state : states.accepted) {
      Objective objective = of.objective().get();
      States later = new States();
      UnlearningResult rest =
          new Unlearning(objective, RHO, later).refined(state, of.newtonStep(), 50);

      assertThat(rest.outcome()).isEqualTo(Outcome.WITHIN_RHO);
      assertThat(rest.end().point()).as("from %d", state.step()).isEqualTo(whole.end().point());
      assertThat(rest.distance()).isEqualTo(whole.distance());
      assertThat(Vectors.distance(rest.end().point(), truth)).isLessThanOrEqualTo(RHO);
      assertThat(later.accepted).hasSize(end - state.step());
      assertThat(rest.steps().get(0).step()).isEqualTo(state.measuredStep());
      assertThat(rest.steps().get(rest.steps().size() - 1).step()).isEqualTo(end);
      assertThat(rest.steps().stream().mapToInt(Step::passes).sum()).isEqualTo(objective.passes());
      assertThat(rest.apriori().residual()).isEmpty();
      assertThat(rest.apriori().rule()).contains("resumed");
    }
  }

  @Test
  void refinedToResidual_resumedAfterAnyStep_endsAtTheSameBits() {
    Case of = cases().findFirst().orElseThrow();
    Objective undisturbed = of.objective().get();
    States states = new States();
    UnlearningResult whole =
        new Unlearning(undisturbed, 1, states)
            .refinedToResidual(new double[undisturbed.size()], of.newtonStep(), 50, 1e-7);
    assertThat(states.accepted).hasSizeGreaterThan(2);
    for (NewtonState state : states.accepted) {
      UnlearningResult rest =
          new Unlearning(of.objective().get(), 1, s -> {})
              .refinedToResidual(state, of.newtonStep(), 50, 1e-7);
      assertThat(rest.outcome()).isEqualTo(Outcome.WITHIN_RESIDUAL);
      assertThat(rest.end().point()).isEqualTo(whole.end().point());
    }
  }

  /** The limit is of the steps in all, as in a run that was not interrupted. */
  @Test
  void refined_resumedAtTheLimitOfSteps_takesNone() {
    Case of = cases().findFirst().orElseThrow();
    States states = new States();
    new Unlearning(of.objective().get(), RHO, states)
        .refined(new double[FEATURES + 1], of.newtonStep(), 50);

    UnlearningResult rest =
        new Unlearning(of.objective().get(), RHO, s -> {})
            .refined(states.accepted.get(1), of.newtonStep(), 2);

    assertThat(rest.outcome()).isEqualTo(Outcome.MAX_STEPS);
    assertThat(rest.steps()).hasSize(1);
  }

  /** Whatever a state is of: the end is measured on the data that are there. */
  @ParameterizedTest
  @MethodSource("cases")
  void refined_stateOfOtherData_isProvenAllTheSame(Case of) {
    States states = new States();
    Objective other = of.objective().get();
    new Unlearning(other, RHO, states).refined(new double[other.size()], of.newtonStep(), 50);
    Supplier<Objective> changed =
        () ->
            other.layout().margins() > 1
                ? objective(examples(2000, 3, 12), new MultinomialLogisticLoss(3), 3)
                : binary(examples(2000, 2, 11));
    double[] truth = minimiser(changed.get());

    for (NewtonState state : states.accepted) {
      UnlearningResult rest =
          new Unlearning(changed.get(), RHO, s -> {}).refined(state, of.newtonStep(), 50);

      assertThat(rest.outcome()).isEqualTo(Outcome.WITHIN_RHO);
      assertThat(rest.distance().orElseThrow()).isLessThanOrEqualTo(RHO);
      assertThat(Vectors.distance(rest.end().point(), truth)).isLessThanOrEqualTo(RHO);
    }
  }

  /** Sums that share their passes, so that an evaluation never brings the Hessian. */
  private record Shared(ExampleSums sums) implements ExampleSums {
    @Override
    public int features() {
      return sums.features();
    }

    @Override
    public boolean sharesPasses() {
      return true;
    }

    @Override
    public StatisticsAggregator statistics(LossFunction loss) {
      return sums.statistics(loss);
    }

    @Override
    public GradientAggregator gradient(Point point) {
      return sums.gradient(point);
    }

    @Override
    public MeasurementAggregator measure(Point point) {
      return sums.measure(point);
    }

    @Override
    public HessianVectorAggregator hessianVector(Point point, double[] direction) {
      return sums.hessianVector(point, direction);
    }

    @Override
    public HessianSketchAggregator hessianSketch(Point point, double[][] directions) {
      return sums.hessianSketch(point, directions);
    }

    @Override
    public GramAggregator gram(Point point) {
      return sums.gram(point);
    }

    @Override
    public MeasuredHessianAggregator measureWithHessian(Point point) {
      return sums.measureWithHessian(point);
    }

    @Override
    public GramAggregator gram(Point point, double share) {
      return sums.gram(point, share);
    }

    @Override
    public MarginCurvatureAggregator marginCurvature(Point point) {
      return sums.marginCurvature(point);
    }

    @Override
    public SeveralSums several(List<SumQuery> queries) {
      return sums.several(queries);
    }
  }
}
