package dev.lethe.core.unlearn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.withinPercentage;

import dev.lethe.core.linalg.LinearOperator;
import dev.lethe.core.linalg.SymmetricMatrix;
import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.loss.LogisticLoss;
import dev.lethe.core.model.BlockBuilder;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.ParameterLayout;
import dev.lethe.core.objective.ExampleSums;
import dev.lethe.core.objective.LocalExamples;
import dev.lethe.core.objective.Objective;
import dev.lethe.core.objective.Penalty;
import dev.lethe.core.solver.ConvexFunction;
import dev.lethe.core.solver.LinearSolver;
import dev.lethe.core.solver.NewtonSolver;
import dev.lethe.core.solver.NewtonStep;
import dev.lethe.core.solver.Preconditioner;
import dev.lethe.core.testing.Problem;
import dev.lethe.core.testing.Problem.Kind;
import dev.lethe.core.unlearn.UnlearningResult.Outcome;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** How few passes Newton's method takes with a factor that is kept, of all rows or of a sample. */
class KeptFactorTest {
  private static final int ROWS = 110_000;
  private static final int FEATURES = 139;

  /** Column 0 is 1 in three rows only, the others are about standard normal. */
  private static LocalExamples large;

  @BeforeAll
  static void generate() {
    SplittableRandom random = new SplittableRandom(20261121);
    List<ExampleBlock> blocks = new ArrayList<>();
    BlockBuilder builder = BlockBuilder.of(FEATURES);
    for (int i = 0; i < ROWS; i++) {
      builder.add(0, i % 40_000 == 7 ? 1 : 0);
      double margin = 0;
      for (int j = 1; j < FEATURES; j++) {
        // four uniforms of variance 3/12 each: mean 0, variance 1
        double x =
            Math.sqrt(3)
                * (random.nextDouble()
                    + random.nextDouble()
                    + random.nextDouble()
                    + random.nextDouble()
                    - 2);
        margin += j % 10 == 0 ? x / 4 : 0;
        builder.add(j, x + (j % 3 == 0 ? 1 : 0));
      }
      builder.endRow(random.nextDouble() < 1 / (1 + Math.exp(-margin)) ? 1 : 0, 1 + i % 2);
      if (builder.isFull()) {
        blocks.add(builder.build());
      }
    }
    blocks.add(builder.build());
    large = new LocalExamples(FEATURES, blocks);
  }

  private static Objective objective(ExampleSums examples, double lambda, int... fixed) {
    int p = examples.features() + 1;
    double[] all = new double[p];
    Arrays.fill(all, 0, examples.features(), lambda);
    boolean[] held = new boolean[p];
    for (int j : fixed) {
      held[j] = true;
    }
    return new Objective(
        examples,
        examples.statistics(LogisticLoss.INSTANCE).statistics(),
        LogisticLoss.INSTANCE,
        new ParameterLayout(examples.features(), true, 1, 0),
        new Penalty(all, new double[p]),
        new double[p],
        held,
        -1);
  }

  private static NewtonStep by(LinearSolver solver) {
    return new NewtonStep(solver, 1000, (k, r, t) -> {});
  }

  private static double[] minimiser(Objective objective, double[] start) {
    return new NewtonSolver<Objective.Measured>(50, by(LinearSolver.CG), (k, e) -> {})
        .minimize(objective, start, e -> Vectors.norm(e.gradient()) <= 1e-8)
        .evaluation()
        .point();
  }

  /** Newton's method proper: every pass measures and brings the Hessian. */
  @Test
  void refined_fewRows_takesAFewPassesInAll() {
    for (int seed = 0; seed < 20; seed++) {
      Problem problem = Problem.random(Kind.GAUSSIAN, 4000, 20, true, 900 + seed);
      CountingSums sums = new CountingSums(problem.examples());
      double[] start = minimiser(objective(problem.examples(), 4), new double[21]);
      Objective corrected = objective(sums, 4, 0);
      double[] truth = minimiser(objective(problem.examples(), 4, 0), new double[21]);
      start[0] = 0;

      UnlearningResult result =
          new Unlearning(corrected, 1e-7, step -> {}).refined(start, by(LinearSolver.CHOLESKY), 50);

      assertThat(result.outcome()).isEqualTo(Outcome.WITHIN_RHO);
      assertThat(Vectors.distance(result.end().point(), truth)).isLessThan(2e-7);
      // a column with a coefficient of about 1 leaves: 3 to 5 steps, each squaring the error
      assertThat(sums.both).as("seed %d", seed).isLessThanOrEqualTo(6);
      assertThat(sums.measurements + sums.grams + sums.samples).isZero();
      assertThat(corrected.passes()).isEqualTo(sums.both);
    }
  }

  /** The sample's matrix against products with the Hessian of all rows. */
  @Test
  void approximateHessian_manyRows_isNearTheHessian() {
    Objective objective = objective(large, 1e-3);
    SplittableRandom random = new SplittableRandom(1);
    double[] theta = random.doubles(FEATURES + 1L, -0.1, 0.1).toArray();
    Objective.Measured measured = objective.evaluate(theta);
    ConvexFunction.Approximation sampled = objective.approximateHessian(measured);
    LinearOperator exact = objective.hessian(theta);

    assertThat(sampled.isExact()).isFalse();
    for (int k = 0; k < 20; k++) {
      double[] v = random.doubles(FEATURES + 1L, -1, 1).toArray();
      v[0] = 0;
      double ratio = Vectors.dot(v, sampled.matrix().apply(v)) / Vectors.dot(v, exact.apply(v));
      // of m >= 64 p rows the extreme eigenvalues are within about 1 +- 2 / 8
      assertThat(ratio).isBetween(0.75, 1.3);
    }
    // three rows of weight 2, which a sample of a tenth may well miss: w l'' of each is 0.5 at most
    assertThat(sampled.matrix().get(0, 0)).isBetween(0.3, 5.0);
  }

  @Test
  void refined_manyRows_reachesRhoWithoutTheHessianOfAllRows() {
    CountingSums sums = new CountingSums(large);
    Objective corrected = objective(sums, 1, 10, 20);
    double[] start = minimiser(objective(large, 1), new double[FEATURES + 1]);
    double[] truth = minimiser(corrected, new double[FEATURES + 1]);
    start[10] = 0;
    start[20] = 0;
    sums.measurements = 0;
    sums.samples = 0;

    UnlearningResult result =
        new Unlearning(corrected, 1e-6, step -> {}).refined(start, by(LinearSolver.CHOLESKY), 50);

    assertThat(result.outcome()).isEqualTo(Outcome.WITHIN_RHO);
    assertThat(Vectors.distance(result.end().point(), truth)).isLessThan(2e-6);
    assertThat(sums.grams).isZero();
    assertThat(sums.samples).isEqualTo(1);
    // the start, the end, and one more where the end came sooner or later than expected
    assertThat(sums.measurements).isLessThanOrEqualTo(3);
    assertThat(sums.gradients).isLessThanOrEqualTo(12);
    assertThat(sums.both).isZero();
    assertThat(result.steps())
        .extracting(UnlearningResult.Step::step)
        .isEqualTo(IntStream.range(0, result.steps().size()).boxed().toList());
    assertThat(result.steps().stream().mapToInt(UnlearningResult.Step::passes).sum())
        .isEqualTo(sums.measurements + sums.gradients + sums.samples + 1);
    assertThat(result.distance().orElseThrow()).isLessThanOrEqualTo(1e-6);
    // the residual of the first step is known: the a-priori bound needs it
    assertThat(result.apriori().residual()).isPresent();
  }

  @Test
  void refined_byConjugateGradient_measuresWhereItBeginsAndWhereItLooksDone() {
    CountingSums sums = new CountingSums(large);
    Objective corrected = objective(sums, 1, 10, 20);
    double[] start = minimiser(objective(large, 1), new double[FEATURES + 1]);
    double[] truth = minimiser(corrected, new double[FEATURES + 1]);
    start[10] = 0;
    start[20] = 0;
    sums.measurements = 0;
    sums.gradients = 0;
    int before = corrected.passes();

    UnlearningResult result =
        new Unlearning(corrected, 1e-6, step -> {}).refined(start, by(LinearSolver.CG), 50);

    assertThat(result.outcome()).isEqualTo(Outcome.WITHIN_RHO);
    assertThat(Vectors.distance(result.end().point(), truth)).isLessThan(2e-6);
    assertThat(sums.gradients).isPositive();
    // the start, the end, one where the gradient is a hundredth, one where the end came not as
    // expected
    assertThat(sums.measurements).isLessThanOrEqualTo(4);
    assertThat(result.steps().stream().mapToInt(UnlearningResult.Step::passes).sum())
        .isEqualTo(corrected.passes() - before);
  }

  @Test
  void minimize_stepLimitOnTheWay_endsWithAMeasuredPoint() {
    CountingSums sums = new CountingSums(large);
    Objective objective = objective(sums, 1);
    List<Integer> evaluated = new ArrayList<>();
    List<Integer> passed = new ArrayList<>();
    NewtonSolver.Listener<Objective.Measured> listener =
        new NewtonSolver.Listener<>() {
          @Override
          public void evaluated(int step, Objective.Measured evaluation) {
            evaluated.add(step);
          }

          @Override
          public void passed(int step, ConvexFunction.Evaluation evaluation) {
            passed.add(step);
          }
        };
    NewtonSolver.Result<Objective.Measured> result =
        new NewtonSolver<>(1, by(LinearSolver.CG), listener)
            .minimize(objective, new double[FEATURES + 1], NewtonSolver.Goal.gradientNorm(1e-7));

    assertThat(result.reason()).isEqualTo(NewtonSolver.StopReason.MAX_STEPS);
    assertThat(passed).containsExactly(1);
    assertThat(evaluated).containsExactly(0, 1);
    double[] gradient = objective.evaluate(result.evaluation().point()).gradient();
    assertThat(result.evaluation().gradient()).isEqualTo(gradient);
    assertThat(result.steps().get(0).gradientNorm())
        .isCloseTo(Vectors.norm(gradient), withinPercentage(1e-6));
  }

  /** What the sums cost decides: entries of sparse rows, and coordinates that are free. */
  @Test
  void evaluateWithHessian_fewEntriesOrFewFreeCoordinates_bringsIt() {
    int d = 1500;
    int n = 1000;
    Function<Integer, LocalExamples> rows =
        entries -> {
          BlockBuilder builder = new BlockBuilder(d, n, Integer.MAX_VALUE);
          for (int i = 0; i < n; i++) {
            for (int k = 0; k < entries; k++) {
              builder.add(k * (d / entries), 1 + (i * 31 + k) % 7);
            }
            builder.endRow(i % 2, 1);
          }
          return new LocalExamples(d, List.of(builder.build()));
        };
    double[] zero = new double[d + 1];
    // n f^2 = 2.25e9 either way
    assertThat(objective(rows.apply(d), 1).evaluateWithHessian(zero).hessian()).isNull();
    assertThat(objective(rows.apply(3), 1).evaluateWithHessian(zero).hessian()).isNotNull();
    int[] fixed = IntStream.range(100, d).toArray();
    assertThat(objective(rows.apply(d), 1, fixed).evaluateWithHessian(zero).hessian()).isNotNull();
  }

  /** A matrix with which the first step goes wrong: the next one is Newton's. */
  @Test
  void minimize_badApproximation_isReplacedByTheHessian() {
    Problem problem = Problem.random(Kind.GAUSSIAN, 300, 6, true, 4);
    Objective objective = objective(problem.examples(), 1);
    for (double scale : new double[] {1e-3, -1, 1e3}) {
      ConvexFunction<Objective.Measured> wrong = new Misjudged(objective, scale);
      NewtonSolver.Result<Objective.Measured> result =
          new NewtonSolver<Objective.Measured>(50, by(LinearSolver.CHOLESKY), (k, e) -> {})
              .minimize(wrong, new double[7], e -> Vectors.norm(e.gradient()) <= 1e-9);

      assertThat(result.converged()).as("scale %s", scale).isTrue();
      assertThat(Vectors.distance(result.evaluation().point(), minimiser(objective, new double[7])))
          .isLessThan(1e-8);
      assertThat(result.steps()).hasSizeLessThanOrEqualTo(14);
    }
  }

  /** The Hessian times a number as its approximation. */
  private record Misjudged(Objective objective, double scale)
      implements ConvexFunction<Objective.Measured> {
    @Override
    public int size() {
      return objective.size();
    }

    @Override
    public Objective.Measured evaluate(double[] point) {
      return objective.evaluate(point);
    }

    @Override
    public LinearOperator hessian(double[] point) {
      return objective.hessian(point);
    }

    @Override
    public SymmetricMatrix hessianMatrix(double[] point) {
      return objective.hessianMatrix(point);
    }

    @Override
    public Approximation approximateHessian(Objective.Measured evaluation) {
      double[] values = hessianMatrix(evaluation.point()).values();
      Arrays.setAll(values, i -> scale * values[i]);
      return new Approximation(new SymmetricMatrix(size(), values), false);
    }

    @Override
    public Preconditioner preconditioner(Objective.Measured evaluation) {
      return objective.preconditioner(evaluation);
    }
  }
}
