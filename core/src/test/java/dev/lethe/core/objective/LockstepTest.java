package dev.lethe.core.objective;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lethe.core.aggregate.Aggregator;
import dev.lethe.core.aggregate.GramAggregator;
import dev.lethe.core.aggregate.MeasuredHessianAggregator;
import dev.lethe.core.aggregate.SeveralSums;
import dev.lethe.core.aggregate.SumQuery;
import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.loss.LogisticLoss;
import dev.lethe.core.solver.LinearSolver;
import dev.lethe.core.solver.NewtonSolver;
import dev.lethe.core.solver.NewtonStep;
import dev.lethe.core.testing.Problem;
import dev.lethe.core.testing.Problem.Kind;
import dev.lethe.core.testing.Problem.Layout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.SortedMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@Timeout(60)
class LockstepTest {
  private static final Problem PROBLEM = Problem.random(Kind.GAUSSIAN, 400, 6, true, 7);
  private static final int SOLVERS = 5;

  /** One visit of the rows; counts how many there were, and how many each served. */
  private static final class LocalPasses implements Lockstep.Passes {
    private final List<Integer> served = new ArrayList<>();

    @Override
    public List<Aggregator<?>> sums(SortedMap<Integer, SumQuery> queries) {
      served.add(queries.size());
      SeveralSums sums = SeveralSums.of(List.copyOf(queries.values()));
      PROBLEM.blocks(Layout.BUILT, 64).forEach(sums::add);
      sums.sealed();
      List<Aggregator<?>> answers = new ArrayList<>();
      for (int k = 0; k < queries.size(); k++) {
        answers.add(sums.sum(k));
      }
      return answers;
    }
  }

  /** Solver k removes column k and goes on until the gradient is below 10^-(k + 2). */
  private static NewtonSolver.Result<Objective.Measured> solve(
      ExampleSums examples, Objective[] objectives, int k, LinearSolver solver) {
    double[] lambda = new double[PROBLEM.size()];
    Arrays.fill(lambda, 0, PROBLEM.features(), 0.5 + k);
    boolean[] fixed = new boolean[PROBLEM.size()];
    fixed[k] = true;
    objectives[k] =
        new Objective(
            examples,
            PROBLEM.examples().statistics(LogisticLoss.INSTANCE).statistics(),
            LogisticLoss.INSTANCE,
            PROBLEM.layout(),
            new Penalty(lambda, new double[lambda.length]),
            new double[PROBLEM.size()],
            fixed,
            -1);
    double target = Math.pow(10, -k - 2);
    return new NewtonSolver<Objective.Measured>(
            50, new NewtonStep(solver, 100, (i, r, t) -> {}), (step, evaluation) -> {})
        .minimize(
            objectives[k],
            new double[PROBLEM.size()],
            m -> m.measurement().residualBound() <= target);
  }

  @ParameterizedTest
  @EnumSource(LinearSolver.class)
  void run_solversOfUnequalLength_giveTheirOwnResultsInThePassesOfTheLongest(LinearSolver solver)
      throws Exception {
    LocalPasses passes = new LocalPasses();
    Lockstep lockstep = new Lockstep(PROBLEM.features(), passes);
    Objective[] objectives = new Objective[SOLVERS];
    List<Callable<NewtonSolver.Result<Objective.Measured>>> solvers = new ArrayList<>();
    for (int k = 0; k < SOLVERS; k++) {
      int number = k;
      solvers.add(() -> solve(lockstep.examples(number), objectives, number, solver));
    }

    List<FutureTask<NewtonSolver.Result<Objective.Measured>>> results = lockstep.run(solvers);

    int longest = 0;
    int total = 0;
    for (int k = 0; k < SOLVERS; k++) {
      int number = k;
      Objective[] alone = new Objective[SOLVERS];
      Lockstep one = new Lockstep(PROBLEM.features(), new LocalPasses());
      NewtonSolver.Result<Objective.Measured> expected =
          one.run(
                  List.<Callable<NewtonSolver.Result<Objective.Measured>>>of(
                      () -> solve(one.examples(0), alone, number, solver)))
              .get(0)
              .get();
      assertThat(results.get(k).get().evaluation().point())
          .isEqualTo(expected.evaluation().point());
      assertThat(objectives[k].passes()).isEqualTo(alone[k].passes());
      longest = Math.max(longest, objectives[k].passes());
      total += objectives[k].passes();
    }
    assertThat(passes.served).hasSize(longest).first().isEqualTo(SOLVERS);
    assertThat(passes.served.stream().mapToInt(Integer::intValue).sum()).isEqualTo(total);
    assertThat(passes.served).isSortedAccordingTo(Collections.reverseOrder());
  }

  /**
   * Who shares the passes of others spends no Hessian on each of them, nor loses accuracy by it.
   */
  @Test
  void run_cholesky_isWhatOneByItselfFindsWithoutAHessianAtEveryPoint() throws Exception {
    Objective[] alone = new Objective[SOLVERS];
    double[] expected =
        solve(PROBLEM.examples(), alone, 2, LinearSolver.CHOLESKY).evaluation().point();
    List<SumQuery> asked = new ArrayList<>();
    Lockstep lockstep =
        new Lockstep(
            PROBLEM.features(),
            queries -> {
              asked.addAll(queries.values());
              return new LocalPasses().sums(queries);
            });
    Objective[] objectives = new Objective[SOLVERS];

    double[] point =
        lockstep
            .run(
                List.<Callable<NewtonSolver.Result<Objective.Measured>>>of(
                    () -> solve(lockstep.examples(0), objectives, 2, LinearSolver.CHOLESKY)))
            .get(0)
            .get()
            .evaluation()
            .point();

    // residuals of at most 1e-4, curvatures above 1: each within 1e-4 of the minimiser
    assertThat(Vectors.distance(point, expected)).isLessThan(2e-4);
    assertThat(asked)
        .anyMatch(query -> query.zero() instanceof GramAggregator)
        .noneMatch(query -> query.zero() instanceof MeasuredHessianAggregator);
  }

  @Test
  void run_solverThatFails_leavesTheOthersTheirResults() throws Exception {
    LocalPasses passes = new LocalPasses();
    Lockstep lockstep = new Lockstep(PROBLEM.features(), passes);

    List<FutureTask<Double>> results =
        lockstep.run(
            List.of(
                () -> lockstep.examples(0).measure(PROBLEM.point()).value(),
                () -> {
                  throw new IllegalArgumentException("mine");
                },
                () -> {
                  lockstep.examples(2).gradient(PROBLEM.point());
                  return lockstep.examples(2).measure(PROBLEM.point()).value();
                }));

    double value = PROBLEM.examples().measure(PROBLEM.point()).value();
    assertThat(results.get(0).get()).isEqualTo(value);
    assertThat(results.get(2).get()).isEqualTo(value);
    assertThatThrownBy(() -> results.get(1).get())
        .isInstanceOf(ExecutionException.class)
        .hasRootCauseMessage("mine");
    assertThat(passes.served).containsExactly(2, 1);
  }

  @Test
  void run_passThatFails_failsAllThatWaitForIt() throws Exception {
    Lockstep lockstep =
        new Lockstep(
            PROBLEM.features(),
            queries -> {
              throw new IllegalStateException("no executor is left");
            });
    Callable<Double> solver = () -> lockstep.examples(0).measure(PROBLEM.point()).value();
    Callable<Double> other = () -> lockstep.examples(1).measure(PROBLEM.point()).value();

    for (FutureTask<Double> result : lockstep.run(List.of(solver, other))) {
      assertThatThrownBy(result::get)
          .cause()
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("no executor is left");
    }
  }
}
