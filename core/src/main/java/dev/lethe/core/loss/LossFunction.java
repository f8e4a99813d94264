package dev.lethe.core.loss;

import java.io.Serializable;

/**
 * A per-example convex loss l(s, y) of the label y and of one or more outputs s of the model.
 *
 * <p>The first {@link #margins} outputs are linear in the features, s_k = x'theta_k. The {@link
 * #scalars} behind them are parameters of the loss itself, the same for every row, such as Huber's
 * scale. Everything that Lethe proves about a model it proves from the value, the first two
 * derivatives in s, and what bounds their change. Values must not overflow where the exact ones do
 * not: implementations evaluate exponentials of the negative side only, where there is one.
 *
 * <p>Methods that fill an array are called once a row and pass and do not allocate. Matrices are
 * row-major, of the order {@link #outputs}.
 */
public interface LossFunction extends Serializable {

  /** A stable identifier, written to evidence files. */
  String name();

  /** Outputs that are linear in the features, at least 1. */
  default int margins() {
    return 1;
  }

  /** Parameters of the loss itself. */
  default int scalars() {
    return 0;
  }

  /** K: the length of s. */
  default int outputs() {
    return margins() + scalars();
  }

  /** l(s, y). */
  double value(double[] s, double label);

  /** dl/ds. */
  void gradient(double[] s, double label, double[] gradient);

  /**
   * Bounds |computed - exact| of {@link #gradient}, where the exact margins differ from s by at
   * most {@code marginError}, 0 for a scalar: the change of the derivative and the error of
   * evaluating it, from the documented ulp bounds of {@link Math}; see {@code docs/mathematics.md}.
   * Derivatives below 2^-1022 may be off by 2^-1073 instead.
   */
  void gradientError(double[] s, double label, double[] marginError, double[] bound);

  /** d2l/ds2, positive semidefinite. */
  void hessian(double[] s, double label, double[] hessian);

  /** The product of {@link #hessian} with a direction. */
  void hessianProduct(double[] s, double label, double[] direction, double[] product);

  /**
   * A lower bound, in the order of symmetric matrices, of the exact Hessian at every s + t with
   * |t_k| &lt;= radius_k where there is one. Its diagonal is not negative, and |floor_jk|^2 &lt;= 2
   * floor_jj floor_kk. Only asked of a loss without {@linkplain #selfConcordance()
   * self-concordance}.
   */
  default void hessianFloor(double[] s, double label, double[] radius, double[] floor) {
    throw new UnsupportedOperationException(name() + " is self-concordant");
  }

  /**
   * Of what size d2l/ds2 is where it does not vanish, given the values of the scalars. Only asked
   * of a loss without {@linkplain #selfConcordance() self-concordance}; no proof rests on it.
   */
  default double curvatureScale(double[] scalars) {
    return 1;
  }

  /**
   * A bound, in units of 2^-53, on the error of evaluating an entry jk of the Hessian, or of its
   * lower bound, relative to the root of the diagonal entries jj and kk.
   */
  double hessianErrorUnits();

  /**
   * M with |d3l/ds3 [u, u, t]| &lt;= M ||t||_2 d2l/ds2 [u, u] for all s, u and t: generalized
   * self-concordance, the premise of Bach, Self-concordant analysis for logistic regression (2010),
   * Proposition 2. Infinite if there is none.
   */
  double selfConcordance();

  /** Whether {@link #selfConcordance} is finite. */
  default boolean isSelfConcordant() {
    return selfConcordance() < Double.POSITIVE_INFINITY;
  }

  /** Whether the loss is a sum of functions of one output each. */
  default boolean isSeparable() {
    return outputs() == 1;
  }

  /** Whether adding the same number to all margins changes nothing, as for the softmax. */
  default boolean isShiftInvariant() {
    return false;
  }

  /** Classes whose numbers, from 0, are the labels; 0 if labels are no classes. */
  default int classes() {
    return 0;
  }

  /** The least legal label. */
  default double leastLabel() {
    return classes() > 0 ? 0 : -Double.MAX_VALUE;
  }

  /** The greatest legal label. */
  default double greatestLabel() {
    return classes() > 0 ? classes() - 1 : Double.MAX_VALUE;
  }

  /** Whether {@code label} is legal for this loss. */
  default boolean acceptsLabel(double label) {
    boolean inRange = label >= leastLabel() && label <= greatestLabel();
    return inRange && (classes() == 0 || label == Math.rint(label));
  }

  /** The legal labels in words, for error messages. */
  String labelDomain();
}
