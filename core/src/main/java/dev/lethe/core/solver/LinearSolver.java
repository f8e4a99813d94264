package dev.lethe.core.solver;

/** How the Newton system H x = -g is solved. */
public enum LinearSolver {
  /** Preconditioned conjugate gradient, one pass a product. */
  CG,
  /** One pass for the p x p Hessian, factorised on the driver. */
  CHOLESKY;

  /**
   * Up to this p, {@code auto} takes Cholesky: p^2 doubles are small and a step costs two passes.
   */
  public static final int AUTO_CHOLESKY_LIMIT = 1024;

  /** The choice of {@code auto} for p coordinates. */
  public static LinearSolver auto(int size) {
    return size <= AUTO_CHOLESKY_LIMIT ? CHOLESKY : CG;
  }
}
