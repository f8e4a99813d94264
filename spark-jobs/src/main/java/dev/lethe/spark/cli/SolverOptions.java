package dev.lethe.spark.cli;

import dev.lethe.core.aggregate.GramAggregator;
import dev.lethe.core.solver.LinearSolver;
import dev.lethe.spark.InvalidInputException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** How the Newton systems are solved. */
final class SolverOptions {
  enum Choice {
    AUTO,
    CG,
    CHOLESKY
  }

  @Option(
      names = "--solver",
      paramLabel = "SOLVER",
      defaultValue = "auto",
      description =
          "auto (default): cholesky up to "
              + LinearSolver.AUTO_CHOLESKY_LIMIT
              + " parameters, cg beyond; cg: distributed conjugate gradient, one pass a product;"
              + " cholesky: one pass for the Hessian, at most "
              + GramAggregator.MAX_SIZE
              + " parameters")
  private Choice solver = Choice.AUTO;

  @Option(
      names = "--max-steps",
      paramLabel = "N",
      defaultValue = "50",
      description = "Newton steps at most (default: 50)")
  private int maxSteps;

  @Option(
      names = "--max-cg-iterations",
      paramLabel = "N",
      defaultValue = "1000",
      description = "Conjugate gradient iterations in one step at most (default: 1000)")
  private int maxCgIterations;

  @Nullable LinearSolver solver() {
    return switch (solver) {
      case AUTO -> null;
      case CG -> LinearSolver.CG;
      case CHOLESKY -> LinearSolver.CHOLESKY;
    };
  }

  int maxSteps() {
    return positive("--max-steps", maxSteps);
  }

  int maxCgIterations() {
    return positive("--max-cg-iterations", maxCgIterations);
  }

  private static int positive(String option, int value) {
    if (value < 1) {
      throw new InvalidInputException(option + " " + value + ": must be at least 1");
    }
    return value;
  }
}
