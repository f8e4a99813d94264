package dev.lethe.spark.api;

import dev.lethe.core.solver.LinearSolver;
import dev.lethe.core.solver.Preconditioning;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.job.Training;
import java.util.List;
import org.apache.spark.ml.param.DoubleParam;
import org.apache.spark.ml.param.IntParam;
import org.apache.spark.ml.param.Param;
import org.apache.spark.ml.param.ParamValidators;
import org.apache.spark.ml.param.Params;
import org.jspecify.annotations.Nullable;

/** The params of everything that solves, with the command line's defaults. */
record SolverParams(
    Param<String> solver,
    IntParam maxSteps,
    IntParam maxCgIterations,
    IntParam partitions,
    DoubleParam gradientNorm,
    Param<String> preconditioner) {

  /**
   * @param reached names what has to reach the gradient norm
   */
  static SolverParams of(Params parent, String reached) {
    return new SolverParams(
        new Param<>(
            parent,
            "solver",
            "of the Newton systems: auto (cholesky up to "
                + LinearSolver.AUTO_CHOLESKY_LIMIT
                + " parameters that are left, cg beyond), cg or cholesky",
            ParamValidators.inArray(List.of("auto", "cg", "cholesky"))),
        new IntParam(parent, "maxSteps", "Newton steps at most, >= 1", atLeast(1)),
        new IntParam(
            parent,
            "maxCgIterations",
            "conjugate gradient iterations in one step at most, >= 1",
            atLeast(1)),
        new IntParam(
            parent,
            "partitions",
            "partitions of the cached data, >= 0; 0: the data's own, at least the cores",
            atLeast(0)),
        new DoubleParam(
            parent,
            "gradientNorm",
            "mean-form gradient norm that " + reached + " has to reach, finite and > 0",
            ParamValidators.inRange(0, Double.MAX_VALUE, false, true)),
        new Param<>(
            parent,
            "preconditioner",
            "of conjugate gradient: auto (jacobi until its products have cost what a better one"
                + " costs), jacobi, nystrom or sample",
            ParamValidators.inArray(List.of("auto", "jacobi", "nystrom", "sample"))));
  }

  /**
   * Refuses a value.
   *
   * @throws InvalidInputException if the param does not allow it
   */
  static <T> void requireAllowed(Param<T> param, T value) {
    if (!(boolean) param.isValid().apply(value)) {
      throw new InvalidInputException(
          param.name() + " " + value + " is not allowed: " + param.doc());
    }
  }

  private static scala.Function1<Object, Object> atLeast(int least) {
    return ParamValidators.gtEq(least);
  }

  void setDefaults(Params parent) {
    parent.setDefault(solver, "auto");
    parent.setDefault(maxSteps, 50);
    parent.setDefault(maxCgIterations, 1000);
    parent.setDefault(partitions, 0);
    parent.setDefault(gradientNorm, 1e-9);
    parent.setDefault(preconditioner, "auto");
  }

  /** The solver that is set; null to choose by size. */
  @Nullable LinearSolver linearSolver(Params parent) {
    return switch (parent.getOrDefault(solver)) {
      case "cg" -> LinearSolver.CG;
      case "cholesky" -> LinearSolver.CHOLESKY;
      default -> null;
    };
  }

  /** The preconditioner that is set; null for the one that is worth its cost. */
  @Nullable Preconditioning preconditioning(Params parent) {
    return switch (parent.getOrDefault(preconditioner)) {
      case "jacobi" -> Preconditioning.JACOBI;
      case "nystrom" -> Preconditioning.NYSTROM;
      case "sample" -> Preconditioning.SAMPLE;
      default -> null;
    };
  }

  /** What is set. */
  Training.Settings settings(Params parent) {
    return new Training.Settings(
        (double) parent.getOrDefault(gradientNorm),
        linearSolver(parent),
        (int) parent.getOrDefault(maxSteps),
        (int) parent.getOrDefault(maxCgIterations),
        (int) parent.getOrDefault(partitions),
        preconditioning(parent));
  }
}
