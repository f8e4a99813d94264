package dev.lethe.core.certify;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.loss.LogisticLoss;
import dev.lethe.core.model.DenseBlock;
import dev.lethe.core.model.ParameterLayout;
import dev.lethe.core.model.Statistics;
import dev.lethe.core.objective.LocalExamples;
import dev.lethe.core.objective.Objective;
import dev.lethe.core.objective.PenaltyRule;
import dev.lethe.core.solver.LinearSolver;
import dev.lethe.core.solver.NewtonStep;
import dev.lethe.core.unlearn.Unlearning;
import dev.lethe.core.unlearn.UnlearningResult;
import dev.lethe.core.unlearn.UnlearningResult.Outcome;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.apache.commons.rng.UniformRandomProvider;
import org.apache.commons.rng.simple.RandomSource;
import org.apache.commons.statistics.distribution.BetaDistribution;
import org.junit.jupiter.api.Test;

/**
 * The premise of loss perturbation, a residual independent of b, fails for a solver that stops at
 * r: a counter-example in one dimension (logistic, n = 200, five rows removed, epsilon 0.1, r = 1),
 * by the product's own classes, and output noise under the same test.
 *
 * <p>The five rows pull with a total of at most 2. Where the old model gives less than r the solver
 * takes no step, where it gives more one Newton step leaves almost nothing: in between the
 * published parameter jumps over an interval that the retrained one lies in with probability 9e-3.
 *
 * <p>Each estimate's lower limit exceeds the true delta with probability at most {@value
 * #ERROR_RATE}; seeds are fixed.
 */
class LossPerturbationMonteCarloTest {
  private static final int RUNS = 20_000; // in each half
  private static final double ERROR_RATE = 1e-6;
  private static final double EPSILON = 0.1;
  private static final double DELTA = 1e-4;
  private static final double R = 1;
  private static final int N = 200;
  private static final int REMOVED = 5;
  private static final double REG_PARAM = 0.05;

  private static final NewtonStep CHOLESKY =
      new NewtonStep(LinearSolver.CHOLESKY, 1, (k, r, t) -> {});

  @Test
  void lossPerturbation_solverStopsAtTheResidual_claimIsExceeded() {
    LossPerturbation mechanism = LossPerturbation.calibrate(EPSILON, DELTA, R);
    LocalExamples original = examples(0);
    LocalExamples corrected = examples(REMOVED);
    UniformRandomProvider rng = RandomSource.XO_RO_SHI_RO_128_PP.create(71);
    double[] unlearned = new double[2 * RUNS];
    double[] retrained = new double[2 * RUNS];
    for (int run = 0; run < unlearned.length; run++) {
      double[] b = mechanism.draw(1, rng);
      double[] old = minimiser(objective(original, b));
      UnlearningResult result =
          new Unlearning(objective(corrected, b), 1, step -> {})
              .refinedToResidual(old, CHOLESKY, 50, R);
      assertThat(result.outcome()).isEqualTo(Outcome.WITHIN_RESIDUAL);
      assertThat(result.end().measurement().residualBound()).isLessThanOrEqualTo(R);
      unlearned[run] = result.end().point()[0];
      retrained[run] = minimiser(objective(corrected, mechanism.draw(1, rng)))[0];
    }

    double lowerLimit = lowerLimit(unlearned, retrained);

    assertThat(lowerLimit).isGreaterThan(10 * DELTA);
  }

  /** The same rows, the same solver, and rho such that it stops at the same residual. */
  @Test
  void outputNoise_solverStopsAtTheResidual_claimHolds() {
    LocalExamples corrected = examples(REMOVED);
    double[] b = {0};
    double rho = R / (REG_PARAM * (N - REMOVED));
    GaussianNoise noise = GaussianMechanism.calibrate(EPSILON, DELTA, rho, 1).noise();
    UniformRandomProvider rng = RandomSource.XO_RO_SHI_RO_128_PP.create(72);
    UnlearningResult result =
        new Unlearning(objective(corrected, b), rho, step -> {})
            .refined(minimiser(objective(examples(0), b)), CHOLESKY, 50);
    assertThat(result.outcome()).isEqualTo(Outcome.WITHIN_RHO);
    double[] exact = minimiser(objective(corrected, b));
    double[] unlearned = new double[2 * RUNS];
    double[] retrained = new double[2 * RUNS];
    for (int run = 0; run < unlearned.length; run++) {
      unlearned[run] = publish(noise, result.end().point(), rng);
      retrained[run] = publish(noise, exact, rng);
    }

    assertThat(result.steps()).as("stops at the old model").hasSize(1);
    assertThat(lowerLimit(unlearned, retrained)).isLessThanOrEqualTo(DELTA);
  }

  /** The test sees noise that is too small. */
  @Test
  void outputNoise_eighthOfSigma_isCaught() {
    double sigma = GaussianMechanism.calibrate(EPSILON, DELTA, R).sigma() / 8;
    UniformRandomProvider rng = RandomSource.XO_RO_SHI_RO_128_PP.create(73);
    GaussianNoise noise = new GaussianNoise(sigma);
    double[] p = new double[2 * RUNS];
    double[] q = new double[2 * RUNS];
    for (int run = 0; run < p.length; run++) {
      p[run] = publish(noise, new double[] {R}, rng);
      q[run] = publish(noise, new double[] {0}, rng);
    }
    assertThat(lowerLimit(p, q)).isGreaterThan(DELTA);
  }

  private static double publish(GaussianNoise noise, double[] theta, UniformRandomProvider rng) {
    return noise.publish(theta, new boolean[1], noise.grid(), rng)[0];
  }

  /** The rows that stay have both labels alike often; those removed have the label 1. */
  private static LocalExamples examples(int removed) {
    SplittableRandom random = new SplittableRandom(7);
    double[] x = new double[N];
    double[] y = new double[N];
    for (int i = 0; i < N; i++) {
      x[i] = i < REMOVED ? 0.4 : random.nextDouble() * 2 - 1;
      y[i] = i < REMOVED ? 1 : i % 2;
    }
    double[] w = new double[N - removed];
    Arrays.fill(w, 1);
    return new LocalExamples(
        1,
        List.of(
            new DenseBlock(
                1, Arrays.copyOfRange(x, removed, N), Arrays.copyOfRange(y, removed, N), w)));
  }

  private static Objective objective(LocalExamples examples, double[] b) {
    Statistics statistics = examples.statistics(LogisticLoss.INSTANCE).statistics();
    ParameterLayout layout = new ParameterLayout(1, false, 1, 0);
    return new Objective(
        examples,
        statistics,
        LogisticLoss.INSTANCE,
        layout,
        PenaltyRule.ofMean(REG_PARAM, false).on(statistics, layout),
        b,
        new boolean[1],
        -1);
  }

  /** To a residual of 1e-9. */
  private static double[] minimiser(Objective objective) {
    UnlearningResult result =
        new Unlearning(objective, 1, step -> {})
            .refinedToResidual(objective.origin(), CHOLESKY, 50, 1e-9);
    assertThat(result.outcome()).isEqualTo(Outcome.WITHIN_RESIDUAL);
    return result.end().point();
  }

  /** Of the larger direction: at most delta but with probability {@value #ERROR_RATE}. */
  private static double lowerLimit(double[] p, double[] q) {
    return Math.max(oneWay(p, q), oneWay(q, p));
  }

  /**
   * P(S) - e^epsilon Q(S) from below, S the interval that is best on the first half of the runs;
   * Clopper-Pearson limits on the second half.
   */
  private static double oneWay(double[] p, double[] q) {
    double factor = Math.exp(EPSILON);
    double[][] events = new double[2 * RUNS][];
    for (int run = 0; run < RUNS; run++) {
      events[2 * run] = new double[] {p[run], 1};
      events[2 * run + 1] = new double[] {q[run], -factor};
    }
    Arrays.sort(events, (a, c) -> Double.compare(a[0], c[0]));
    double sum = 0;
    double best = 0;
    double from = events[0][0];
    double low = 0;
    double high = 0;
    for (double[] event : events) {
      if (sum <= 0) {
        sum = 0;
        from = event[0];
      }
      sum += event[1];
      if (sum > best) {
        best = sum;
        low = from;
        high = event[0];
      }
    }
    return atLeast(inside(p, low, high)) - factor * (1 - atLeast(RUNS - inside(q, low, high)));
  }

  private static int inside(double[] values, double low, double high) {
    return (int) Arrays.stream(values, RUNS, 2 * RUNS).filter(v -> v >= low && v <= high).count();
  }

  /** Four limits an estimate. */
  private static double atLeast(int count) {
    return count == 0
        ? 0
        : BetaDistribution.of(count, RUNS - count + 1.0)
            .inverseCumulativeProbability(ERROR_RATE / 4);
  }
}
