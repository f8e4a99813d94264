package dev.lethe.core.neural;

/** Which second derivative of a sum of losses a product is taken with. */
public enum Curvature {
  /** The Hessian, where the loss is smooth; of piecewise smooth networks that of the piece. */
  HESSIAN,

  /**
   * sum_i J_i' (d2l/dz2) J_i, J_i the Jacobian of example i's outputs z (Schraudolph, Neural
   * Computation 2002): positive semidefinite where the loss is convex in the outputs.
   */
  GAUSS_NEWTON
}
