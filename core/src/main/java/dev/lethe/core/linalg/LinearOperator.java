package dev.lethe.core.linalg;

import java.util.Arrays;

/** A symmetric linear map of R^p, known by its products only. */
public interface LinearOperator {
  /** p. */
  int size();

  /** A v, a new array. One call may be one distributed pass over the data. */
  double[] apply(double[] v);

  /** A times each of several vectors; where it can be one pass over the data for all, it is. */
  default double[][] applyAll(double[][] vectors) {
    double[][] products = new double[vectors.length][];
    Arrays.setAll(products, k -> apply(vectors[k]));
    return products;
  }
}
