package dev.lethe.core.unlearn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.lethe.core.certify.DistanceBound;
import dev.lethe.core.certify.DistanceBound.Cause;
import dev.lethe.core.linalg.Rounding;
import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.loss.LogisticLoss;
import dev.lethe.core.loss.LossFunction;
import dev.lethe.core.loss.MarginLoss;
import dev.lethe.core.loss.MultinomialLogisticLoss;
import dev.lethe.core.model.BlockBuilder;
import dev.lethe.core.model.ParameterLayout;
import dev.lethe.core.model.SparseBlock;
import dev.lethe.core.objective.ExampleSums;
import dev.lethe.core.objective.LocalExamples;
import dev.lethe.core.objective.Objective;
import dev.lethe.core.objective.Penalty;
import dev.lethe.core.solver.LinearSolver;
import dev.lethe.core.solver.NewtonStep;
import dev.lethe.core.testing.Problem;
import dev.lethe.core.testing.Problem.Kind;
import dev.lethe.core.unlearn.UnlearningResult.Outcome;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RefinedTest {

  private static Objective objective(
      ExampleSums examples, LossFunction loss, boolean intercept, double lambda) {
    int p = examples.features() + (intercept ? 1 : 0);
    double[] all = new double[p];
    Arrays.fill(all, 0, examples.features(), lambda);
    return new Objective(
        examples,
        examples.statistics(loss).statistics(),
        loss,
        new ParameterLayout(examples.features(), intercept, 1, 0),
        new Penalty(all, new double[p]),
        new double[p],
        new boolean[p],
        -1);
  }

  private static UnlearningResult refined(Objective objective, double rho, int maxSteps) {
    NewtonStep step = new NewtonStep(LinearSolver.CG, 1000, (k, r, t) -> {});
    return new Unlearning(objective, rho, s -> {})
        .refined(new double[objective.size()], step, maxSteps);
  }

  private static Cause cause(UnlearningResult result) {
    return ((DistanceBound.Unproven) result.bound()).cause();
  }

  /**
   * d columns, each a one in four rows of its own, a quarter of the labels 0: without a penalty the
   * coordinates are independent and every minimiser is log 3.
   */
  private static LocalExamples independent(int d) {
    int n = 4 * d;
    int[] offsets = new int[n + 1];
    int[] columns = new int[n];
    double[] ones = new double[n];
    double[] y = new double[n];
    Arrays.setAll(offsets, i -> i);
    Arrays.setAll(columns, i -> i / 4);
    Arrays.fill(ones, 1);
    Arrays.setAll(y, i -> i % 4 == 0 ? 0 : 1);
    return new LocalExamples(d, List.of(new SparseBlock(d, offsets, columns, ones, y, ones)));
  }

  private static double distanceToLogThree(UnlearningResult result) {
    double[] truth = new double[result.end().point().length];
    Arrays.fill(truth, Math.log(3));
    return Vectors.distance(result.end().point(), truth);
  }

  /** Stops at the first point below r; r out of reach of rounding is told, not looped on. */
  @Test
  void refinedToResidual_someResiduals_stopsAsSoonAsItIsProven() {
    Problem problem = Problem.random(Kind.GAUSSIAN, 300, 5, true, 31);
    Objective objective = objective(problem.examples(), LogisticLoss.INSTANCE, true, 0.5);
    NewtonStep step = new NewtonStep(LinearSolver.CHOLESKY, 1, (k, r, t) -> {});
    double[] start = new double[objective.size()];
    for (double r : new double[] {10, 1, 1e-3, 1e-9}) {
      UnlearningResult result =
          new Unlearning(objective, 1, s -> {}).refinedToResidual(start, step, 50, r);
      assertThat(result.outcome()).isEqualTo(Outcome.WITHIN_RESIDUAL);
      assertThat(result.end().measurement().residualBound()).isLessThanOrEqualTo(r);
      for (int k = 0; k < result.steps().size() - 1; k++) {
        assertThat(result.steps().get(k).gradientNorm()).isGreaterThan(r * (1 - 1e-3));
      }
    }
    assertThat(
            new Unlearning(objective, 1, s -> {})
                .refinedToResidual(start, step, 50, 1e-16)
                .outcome())
        .isEqualTo(Outcome.ROUNDING_LIMITED);
    assertThat(
            new Unlearning(objective, 1, s -> {}).refinedToResidual(start, step, 1, 1e-9).outcome())
        .isEqualTo(Outcome.MAX_STEPS);
  }

  @Test
  void nothingPenalised_upToTheLargestHessian_isProven() {
    UnlearningResult result =
        refined(objective(independent(40), LogisticLoss.INSTANCE, false, 0), 1e-8, 50);

    assertThat(result.outcome()).isEqualTo(Outcome.WITHIN_RHO);
    assertThat(distanceToLogThree(result)).isLessThanOrEqualTo(result.distance().orElseThrow());
  }

  @Test
  void nothingPenalised_tooManyParameters_stopsWhereItLooksDoneAndSaysThatNothingIsProven() {
    CountingSums sums = new CountingSums(independent(4200));
    UnlearningResult result = refined(objective(sums, LogisticLoss.INSTANCE, false, 0), 1e-8, 50);

    assertThat(result.outcome()).isEqualTo(Outcome.UNPROVABLE);
    assertThat(cause(result)).isEqualTo(Cause.TOO_MANY_PARAMETERS);
    assertThat(sums.grams).isZero();
    // From 0 Newton takes 1, 1.097..., each step squaring the error: 4 steps to 1e-8 sqrt(4200).
    assertThat(result.steps()).hasSizeLessThanOrEqualTo(6);
    // Without an intercept the estimate takes the mean curvature, which here is every column's.
    assertThat(distanceToLogThree(result)).isLessThanOrEqualTo(1e-8);
  }

  /** 4503 parameters: three classes, 1500 one-hot columns, free intercepts. */
  @Test
  void softmaxOfManyColumns_freeIntercepts_isProvenByTheCurvatureOfItsMargins() {
    int d = 1500;
    SplittableRandom random = new SplittableRandom(12);
    BlockBuilder builder = BlockBuilder.of(d);
    for (int i = 0; i < 4 * d; i++) {
      builder.add(i % d, 1);
      int likely = i % d % 3;
      builder.endRow(random.nextInt(3) == 0 ? random.nextInt(3) : likely, 1);
    }
    LossFunction loss = new MultinomialLogisticLoss(3);
    LocalExamples local = new LocalExamples(d, List.of(builder.build()));
    CountingSums sums = new CountingSums(local);
    Objective objective = softmax(sums, loss, d);
    UnlearningResult result = refined(objective, 1e-7, 50);

    assertThat(result.outcome()).isEqualTo(Outcome.WITHIN_RHO);
    DistanceBound.Proven proven = (DistanceBound.Proven) result.bound();
    assertThat(proven.rule()).isEqualTo(DistanceBound.Rule.SELF_CONCORDANCE_JOINTLY_CENTRED);
    assertThat(sums.grams).isZero();
    assertThat(sums.marginCurvatures).isBetween(1, result.steps().size());
    // a point a hundred times nearer
    double[] nearer = refined(objective, 1e-9, 50).end().point();
    assertThat(Vectors.distance(result.end().point(), nearer))
        .isLessThanOrEqualTo(proven.distance() + 1e-9);
    // the proof needs the point and the data only
    assertThat(((DistanceBound.Proven) softmax(local, loss, d).prove(result.end())).distance())
        .isEqualTo(proven.distance());
  }

  private static Objective softmax(ExampleSums examples, LossFunction loss, int d) {
    ParameterLayout layout = new ParameterLayout(d, true, 3, 0);
    double[] lambda = new double[layout.size()];
    Arrays.setAll(lambda, j -> layout.feature(j) < d ? 0.5 : 0);
    return new Objective(
        examples,
        examples.statistics(loss).statistics(),
        loss,
        layout,
        new Penalty(lambda, new double[lambda.length]),
        new double[lambda.length],
        new boolean[lambda.length],
        -1);
  }

  @Test
  void tooManyParameters_rhoBelowRounding_stagnatesUnprovable() {
    UnlearningResult result =
        refined(objective(independent(4200), LogisticLoss.INSTANCE, false, 0), 1e-30, 50);

    assertThat(result.outcome()).isEqualTo(Outcome.UNPROVABLE);
    assertThat(result.steps()).hasSizeLessThan(20);
    assertThat(distanceToLogThree(result)).isLessThan(1e-13 * Math.sqrt(4200));
  }

  @Test
  void lossWithoutARule_freeIntercept_stopsWhereItLooksDone() {
    Problem problem = Problem.random(Kind.GAUSSIAN, 300, 5, true, 31);
    Objective objective = objective(problem.examples(), new PseudoHuber(), true, 0.5);
    UnlearningResult result = refined(objective, 1e-7, 50);

    assertThat(result.outcome()).isEqualTo(Outcome.UNPROVABLE);
    assertThat(cause(result)).isEqualTo(Cause.NO_RULE);
    assertThat(result.steps()).hasSizeLessThan(15);
    double[] further = refined(objective, 1e-12, 50).end().point();
    // the estimate is no bound; its preconditioner is within a small factor of this Hessian
    assertThat(Vectors.distance(result.end().point(), further)).isLessThan(1e-6);
  }

  /** Every coordinate penalised: strong convexity needs no self-concordance. */
  @Test
  void lossWithoutARule_everyCoordinatePenalised_isProven() {
    Problem problem = Problem.random(Kind.GAUSSIAN, 300, 5, false, 31);
    UnlearningResult result =
        refined(objective(problem.examples(), new PseudoHuber(), false, 0.5), 1e-7, 50);

    assertThat(result.outcome()).isEqualTo(Outcome.WITHIN_RHO);
  }

  /** The figure of the refusal is of use: with the rho that it names the run succeeds. */
  @ParameterizedTest
  @ValueSource(longs = {41, 42, 43, 44})
  void nothingPenalised_rhoBelowRounding_isRefusedWithARhoThatWorks(long seed) {
    Problem problem = Problem.random(Kind.GAUSSIAN, 300, 5, true, seed);
    for (double rho : new double[] {1e-30, 1e-16, 5e-14}) {
      CountingSums sums = new CountingSums(problem.examples());
      UnreachableDistanceException refusal =
          catchThrowableOfType(
              UnreachableDistanceException.class,
              () -> refined(objective(sums, LogisticLoss.INSTANCE, true, 0), rho, 50));

      assertThat(refusal).as("rho = %s", rho).isNotNull();
      assertThat(refusal.rho()).isEqualTo(rho);
      assertThat(refusal.reachable()).isBetween(1e-16, 1e-9);
      assertThat(sums.grams).isOne();
      double enough = 2 * refusal.reachable();
      UnlearningResult result =
          refined(objective(sums, LogisticLoss.INSTANCE, true, 0), enough, 50);
      assertThat(result.outcome()).isEqualTo(Outcome.WITHIN_RHO);
    }
  }

  @Test
  void nothingPenalised_tooFewSteps_saysSoAndRefusesNothing() {
    Problem problem = Problem.random(Kind.GAUSSIAN, 300, 5, true, 41);
    CountingSums sums = new CountingSums(problem.examples());
    UnlearningResult result = refined(objective(sums, LogisticLoss.INSTANCE, true, 0), 1e-30, 1);

    assertThat(result.outcome()).isEqualTo(Outcome.MAX_STEPS);
    assertThat(cause(result)).isEqualTo(Cause.NOT_CLOSE);
    assertThat(sums.grams).isOne();
  }

  @Test
  void nothingPenalised_collinearColumns_saysThatTheHessianIsSingular() {
    Problem random = Problem.random(Kind.GAUSSIAN, 300, 3, false, 51);
    double[][] x = new double[300][];
    Arrays.setAll(x, i -> new double[] {random.x()[i][0], random.x()[i][1], random.x()[i][0]});
    Problem problem = new Problem(x, random.y(), random.w(), false, new double[3]);
    UnlearningResult result =
        refined(objective(problem.examples(), LogisticLoss.INSTANCE, false, 0), 1e-6, 50);

    assertThat(result.outcome()).isEqualTo(Outcome.UNPROVABLE);
    assertThat(cause(result)).isEqualTo(Cause.NOT_POSITIVE_DEFINITE);
    assertThat(result.steps()).hasSizeLessThan(15);
  }

  /** l = sqrt(1 + (s - y)^2) - 1: |l'''| reaches 3/2 of l'', so it is not self-concordant. */
  private static final class PseudoHuber extends MarginLoss {
    private static final long serialVersionUID = 1L;

    @Override
    public String name() {
      return "pseudo-huber";
    }

    @Override
    public double value(double margin, double label) {
      return Math.hypot(1, margin - label) - 1;
    }

    @Override
    public double firstDerivative(double margin, double label) {
      return (margin - label) / Math.hypot(1, margin - label);
    }

    @Override
    public double secondDerivative(double margin, double label) {
      return Math.pow(Math.hypot(1, margin - label), -3);
    }

    @Override
    public double secondDerivativeBound() {
      return 1;
    }

    @Override
    public double thirdDerivativeBound() {
      return 1;
    }

    @Override
    protected double evaluationError(double margin, double label) {
      return Rounding.gamma(8) * Math.abs(firstDerivative(margin, label));
    }

    @Override
    public double hessianErrorUnits() {
      return 16;
    }

    @Override
    public double selfConcordance() {
      return Double.POSITIVE_INFINITY;
    }

    @Override
    public boolean acceptsLabel(double label) {
      return Double.isFinite(label);
    }

    @Override
    public String labelDomain() {
      return "finite";
    }
  }
}
