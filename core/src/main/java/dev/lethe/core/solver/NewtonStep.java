package dev.lethe.core.solver;

import dev.lethe.core.linalg.Cholesky;
import dev.lethe.core.linalg.LinearOperator;
import dev.lethe.core.linalg.SymmetricMatrix;
import dev.lethe.core.linalg.Vectors;

/** Solves the Newton system (H(theta) + diag(damping)) s = -g. */
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
   * @param damping not negative, length p
   * @param tolerance relative residual of conjugate gradient, in the preconditioner's norm
   */
  public <E extends ConvexFunction.Evaluation> Result solve(
      ConvexFunction<E> function,
      double[] point,
      double[] gradient,
      double[] damping,
      Preconditioner preconditioner,
      double tolerance) {
    double[] rhs = new double[gradient.length];
    Vectors.addInPlace(rhs, -1, gradient);
    if (solver == LinearSolver.CHOLESKY) {
      return byCholesky(damped(function.hessianMatrix(point), damping), rhs);
    }
    ConjugateGradient.Result cg =
        new ConjugateGradient(tolerance, maxCgIterations, listener)
            .solve(damped(function.hessian(point), damping), rhs, preconditioner);
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

  private static SymmetricMatrix damped(SymmetricMatrix matrix, double[] damping) {
    for (int j = 0; j < damping.length; j++) {
      matrix.values()[j * (damping.length + 1)] += damping[j];
    }
    return matrix;
  }

  private static LinearOperator damped(LinearOperator operator, double[] damping) {
    return new LinearOperator() {
      @Override
      public int size() {
        return operator.size();
      }

      @Override
      public double[] apply(double[] v) {
        double[] product = operator.apply(v);
        for (int j = 0; j < product.length; j++) {
          product[j] += damping[j] * v[j];
        }
        return product;
      }
    };
  }
}
