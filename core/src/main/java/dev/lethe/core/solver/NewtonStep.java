package dev.lethe.core.solver;

import dev.lethe.core.linalg.Cholesky;
import dev.lethe.core.linalg.SymmetricMatrix;
import dev.lethe.core.linalg.Vectors;

/** Solves the Newton system H(theta) s = -g. */
public final class NewtonStep {
  /**
   * @param direction s; zero if Cholesky met a matrix that is not positive definite
   * @param cgIterations 0 for Cholesky
   * @param products Hessian-vector products; 0 for Cholesky
   * @param residualNorm ||H s + g||_2, computed afresh
   * @param solved whether the system was solved to the tolerance
   * @param outcome the solver's stop reason, in words
   */
  public record Result(
      double[] direction,
      int cgIterations,
      int products,
      double residualNorm,
      boolean solved,
      String outcome) {}

  private final LinearSolver solver;
  private final int maxCgIterations;
  private final ConjugateGradient.Listener listener;

  public NewtonStep(LinearSolver solver, int maxCgIterations, ConjugateGradient.Listener listener) {
    this.solver = solver;
    this.maxCgIterations = maxCgIterations;
    this.listener = listener;
  }

  /**
   * @param gradient the right-hand side's negative; not necessarily the gradient at the point
   * @param tolerance relative residual of conjugate gradient, in the preconditioner's norm
   */
  public <E extends ConvexFunction.Evaluation> Result solve(
      ConvexFunction<E> function,
      double[] point,
      double[] gradient,
      Preconditioner preconditioner,
      double tolerance) {
    double[] rhs = new double[gradient.length];
    Vectors.addInPlace(rhs, -1, gradient);
    if (solver == LinearSolver.CHOLESKY) {
      return byCholesky(function.hessianMatrix(point), rhs);
    }
    ConjugateGradient.Result cg =
        new ConjugateGradient(tolerance, maxCgIterations, listener)
            .solve(function.hessian(point), rhs, preconditioner);
    return new Result(
        cg.x(),
        cg.iterations(),
        cg.products(),
        cg.residualNorm(),
        cg.converged(),
        cg.reason().toString());
  }

  private static Result byCholesky(SymmetricMatrix hessian, double[] rhs) {
    return Cholesky.of(hessian)
        .map(
            factor -> {
              double[] s = factor.solve(rhs);
              return new Result(s, 0, 0, Vectors.distance(hessian.apply(s), rhs), true, "CHOLESKY");
            })
        .orElseGet(
            () ->
                new Result(
                    new double[rhs.length],
                    0,
                    0,
                    Vectors.norm(rhs),
                    false,
                    "NOT_POSITIVE_DEFINITE"));
  }
}
