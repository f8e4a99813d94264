package dev.lethe.core.solver;

/** What conjugate gradient is preconditioned by. */
public enum Preconditioning {
  /** The diagonal in centred features ({@link CentredJacobi}); no pass. */
  JACOBI,
  /** A randomized Nystrom approximation: one pass, with many vectors. */
  NYSTROM,
  /** A Cholesky factor of the Hessian of a sample of the rows: one pass over those. */
  SAMPLE
}
