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

  /** sum_i H_i v over a sample. */
  NetworkSum product(double[] theta, double[] v, Curvature curvature, Sample sample);

  /** Moments of the log odds that classes have where they are not the target, for TypicalOdds. */
  double[] oddsMoments(double[] theta);

  /**
   * How far the examples' classes are from being as likely as is typical.
   *
   * @param beyond standard deviations from which on an example is remembered, or avoided
   */
  Recall recall(double[] theta, TypicalOdds typical, double beyond);

  /** sum_i r_i d r_i / d theta, the gradient of the misfits. */
  NetworkSum misfitGradient(double[] theta, TypicalOdds typical);

  /** sum_i (d r_i / d theta) (d r_i / d theta)' v, the misfits' Gauss-Newton matrix times v. */
  NetworkSum misfitProduct(double[] theta, double[] v, TypicalOdds typical);

  /**
   * What a network holds of examples' classes.
   *
   * @param misfit sum_i r_i^2 / 2
   * @param remembered examples whose class is likelier than is typical of it: r_i is above a limit
   * @param avoided examples whose class is less likely: -r_i is
   */
  record Recall(double misfit, long remembered, long avoided) {
    /** Of nothing. */
    public static final Recall NONE = new Recall(0, 0, 0);
  }

  /** Which examples count, by what the network predicts. */
  enum Filter {
    ALL,
    /** Those of another class than that of the largest output. */
    WRONG
  }
}
