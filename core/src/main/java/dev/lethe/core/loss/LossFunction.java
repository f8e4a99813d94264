package dev.lethe.core.loss;

import java.io.Serializable;

/**
 * A per-example loss as a function of the margin s = theta'x and the label y.
 *
 * <p>Everything that Lethe proves about a model it proves from these four facts: the value, the
 * first two derivatives in s, and a bound on the third. Values must be finite for every finite
 * margin: implementations evaluate exponentials of the negative side only.
 */
public interface LossFunction extends Serializable {

  /** A stable identifier, written to evidence files. */
  String name();

  /** l(s, y). */
  double value(double margin, double label);

  /** dl/ds. */
  double firstDerivative(double margin, double label);

  /** d2l/ds2, never negative. */
  double secondDerivative(double margin, double label);

  /** An upper bound of d2l/ds2 over all margins and labels. */
  double secondDerivativeBound();

  /**
   * Whether |d3l/ds3| &lt;= d2l/ds2 everywhere: generalized self-concordance, the premise of Bach,
   * Self-concordant analysis for logistic regression (2010), Proposition 2.
   */
  boolean isSelfConcordant();

  /**
   * A bound, in units of 2^-53, on the relative error of computing {@link #firstDerivative}, from
   * the documented ulp bounds of {@link Math}; see {@code docs/mathematics.md}. Results below
   * 2^-1022 may be off by 2^-1073 instead.
   */
  double derivativeErrorUnits();

  /** Whether {@code label} is legal for this loss. */
  boolean acceptsLabel(double label);

  /** The legal labels in words, for error messages. */
  String labelDomain();
}
