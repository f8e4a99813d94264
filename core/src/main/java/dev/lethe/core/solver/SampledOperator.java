package dev.lethe.core.solver;

/**
 * Unbiased estimates H_t of a symmetric operator H that is a sum over n examples, each from a
 * sample of them: of b examples drawn uniformly, H_t is n / b times the sum over the sample, plus
 * what of H no example has a part in (a penalty). Samples of different steps are independent.
 */
public interface SampledOperator {
  /** p. */
  int size();

  /**
   * H_t v, a new array.
   *
   * @param v p entries; not to be changed or kept
   * @param step t, from 0; the same step takes the same sample
   */
  double[] apply(double[] v, int step);
}
