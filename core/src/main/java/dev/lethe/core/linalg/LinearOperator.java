package dev.lethe.core.linalg;

/** A symmetric linear map of R^p, known by its products only. */
public interface LinearOperator {
  /** p. */
  int size();

  /** A v, a new array. One call may be one distributed pass over the data. */
  double[] apply(double[] v);
}
