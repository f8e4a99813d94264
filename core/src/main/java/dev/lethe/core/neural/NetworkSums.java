package dev.lethe.core.neural;

/** Sums of a network's losses over a data set, wherever that is. No penalty, never means. */
public interface NetworkSums {
  /** p. */
  int size();

  /** n. */
  long rows();

  /** sum_i l_i over a sample, and how many classes are predicted right. */
  NetworkSum evaluate(double[] theta, Sample sample);

  /** The same over all examples. */
  default NetworkSum evaluate(double[] theta) {
    return evaluate(theta, Sample.ALL);
  }

  /** sum_i d l_i / d theta over the examples that a filter leaves of a sample, at theta. */
  NetworkSum gradient(double[] theta, Sample sample, Filter filter);

  /**
   * {@link NeuralModel#addForgettingGradient} over the examples that are remembered.
   *
   * @param quantile an example is remembered where at least this share of the other classes has a
   *     smaller output than its own; 1 where it has the largest
   */
  NetworkSum forgettingGradient(double[] theta, double quantile);

  /** sum_i H_i v over a sample. */
  NetworkSum product(double[] theta, double[] v, Curvature curvature, Sample sample);

  /** Which examples count, by what the network predicts. */
  enum Filter {
    ALL,
    /** Those of another class than that of the largest output. */
    WRONG
  }
}
