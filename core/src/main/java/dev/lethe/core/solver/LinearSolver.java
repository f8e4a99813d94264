package dev.lethe.core.solver;

/** How the Newton system H x = -g is solved. */
public enum LinearSolver {
  /** Preconditioned conjugate gradient, one pass a product. */
  CG,
  /** One pass for the p x p Hessian, factorised on the driver. */
  CHOLESKY;

  /** Up to so many coordinates that are not fixed, {@code auto} takes Cholesky: p^2 is small. */
  public static final int AUTO_CHOLESKY_LIMIT = 1024;

  /** Where the fixed ones are so many that even the matrix with them is large, it does not. */
  private static final int AUTO_CHOLESKY_SIZE = 4096;

  /** The choice of {@code auto} for p coordinates, some of them fixed. */
  public static LinearSolver auto(int size, int free) {
    return size <= AUTO_CHOLESKY_SIZE && free <= AUTO_CHOLESKY_LIMIT ? CHOLESKY : CG;
  }
}
