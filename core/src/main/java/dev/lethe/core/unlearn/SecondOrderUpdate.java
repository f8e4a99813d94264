package dev.lethe.core.unlearn;

import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.objective.Objective;
import dev.lethe.core.solver.NewtonStep;

/**
 * The second-order update theta+ = theta - H^{-1} g (Warnecke et al., NDSS 2023), H the Hessian of
 * the CORRECTED data at the old theta.
 *
 * @param step how the system is solved
 * @param tolerance relative residual of conjugate gradient
 */
public record SecondOrderUpdate(NewtonStep step, double tolerance) {

  /** The new parameters and how the system was solved. */
  public record Result(double[] theta, NewtonStep.Result solve) {}

  /**
   * theta - H^{-1} g.
   *
   * @param start the old theta, evaluated on the corrected data
   * @param g the gradient difference, or the gradient on the corrected data
   */
  public Result apply(Objective objective, Objective.Measured start, double[] g) {
    NewtonStep.Result solve =
        step.solve(
            objective,
            start.point(),
            g,
            new double[g.length],
            objective.preconditioner(start),
            tolerance);
    return new Result(Vectors.add(start.point(), 1, solve.direction()), solve);
  }
}
