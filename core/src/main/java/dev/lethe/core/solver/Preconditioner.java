package dev.lethe.core.solver;

/** A symmetric positive definite approximation M of an operator, known by its inverse. */
@FunctionalInterface
public interface Preconditioner {
  /** M^{-1} r, a new array. */
  double[] applyInverse(double[] r);
}
