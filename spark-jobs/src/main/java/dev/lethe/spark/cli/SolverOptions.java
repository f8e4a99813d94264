package dev.lethe.spark.cli;

import dev.lethe.core.aggregate.GramAggregator;
import dev.lethe.core.objective.Objective;
import dev.lethe.core.solver.LinearSolver;
import dev.lethe.core.solver.Preconditioning;
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
              + " parameters that are left, cg beyond; cg: distributed conjugate gradient, one pass a product;"
              + " cholesky: one pass for the Hessian, at most "
              + GramAggregator.MAX_SIZE
              + " parameters")
  private Choice solver = Choice.AUTO;

  enum PreconditionerChoice {
    AUTO,
    JACOBI,
    NYSTROM,
    SAMPLE
  }

  @Option(
      names = "--preconditioner",
      paramLabel = "KIND",
      defaultValue = "auto",
      description =
          "Of cg: auto (default): jacobi until its products have cost what a better one costs, then"
              + " the cheaper of these; jacobi: the diagonal, no pass; nystrom: a randomized sketch"
              + " of the Hessian, one pass; sample: a factor of the Hessian of a sample, up to "
              + Objective.MAX_FACTOR_SIZE
              + " parameters. One that the size rules out is not made")
  private PreconditionerChoice preconditioner = PreconditionerChoice.AUTO;

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

  /** Null for auto. */
  @Nullable Preconditioning preconditioning() {
    return switch (preconditioner) {
      case AUTO -> null;
      case JACOBI -> Preconditioning.JACOBI;
      case NYSTROM -> Preconditioning.NYSTROM;
      case SAMPLE -> Preconditioning.SAMPLE;
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
