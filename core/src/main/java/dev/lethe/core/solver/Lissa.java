package dev.lethe.core.solver;

import dev.lethe.core.linalg.Vectors;
import java.util.Arrays;

/**
 * LiSSA: (H + damping I) x = g by the stochastic Neumann series of Agarwal, Bullins, Hazan (JMLR
 * 2017), in the form of Koh and Liang (ICML 2017), section 3. From h_0 = g, with independent
 * samples H_t,
 *
 * <pre>
 *   h_{j+1} = g + (I - (H_t + damping I) / scale) h_j,     x = h_depth / scale
 * </pre>
 *
 * averaged over independent repetitions; repetition r takes the steps t = r depth + j.
 *
 * <p>H and g are sums over the same n examples, and damping adds to the sum. Three slips in
 * published code: batches that are not rescaled to n solve for b / n of H; an L2 penalty that is in
 * g but neither in H_t nor in damping is missing from x; a scale that suits the mean does not suit
 * the sum, n times it.
 *
 * <p>The scale has to be at least the largest eigenvalue of H + damping I: every step multiplies
 * the error of the expectation by I - (H + damping I) / scale, which alternates below that
 * eigenvalue and grows below half of it; H + damping I itself has to be positive definite. That
 * alone does not bound the variance. It suffices that every H_t is positive semidefinite and the
 * scale at least the largest eigenvalue of every H_t + damping I: no factor then lengthens a
 * vector, and
 *
 * <pre>
 *   ||h_j|| &lt;= ||g|| (1 + q + ... + q^j) &lt;= ||g|| scale / damping,     q = 1 - damping / scale
 * </pre>
 *
 * Ten times the former is taken for divergence, as single samples may exceed the scale. Growth as
 * such is no sign of it: ||h_j|| of a convergent recursion rises from ||g|| to its limit.
 *
 * <p>A small change is not a small error: with exact products ||x - x*|| is up to scale / (10
 * damping) times the change over ten steps, and sampled ones stop changing at the noise only.
 * Whoever needs the residual takes a product with H itself.
 *
 * @param scale positive, finite
 * @param damping at least 0, below scale
 * @param depth steps of a repetition at most, at least 1
 * @param repetitions at least 1; depth times repetitions must be an int
 * @param tolerance a repetition ends when ten steps change x by at most tolerance ||x||; in [0, 1),
 *     0 to take all steps
 */
public record Lissa(double scale, double damping, int depth, int repetitions, double tolerance) {
  private static final int WINDOW = 10;
  private static final double SLACK = 10;

  /** Why a solve ended. */
  public enum StopReason {
    /** Every repetition came within the tolerance. */
    CONVERGED,
    /** Some repetition took all its steps. */
    MAX_STEPS,
    /** A repetition outgrew what the recursion can reach, or met what is not a number. */
    DIVERGED
  }

  /**
   * @param x the mean of the repetitions; if diverged, the last iterate of the one that did
   * @param steps products of all repetitions
   * @param relativeChange ||x_j - x_{j-10}|| / ||x_j|| when last computed, every ten steps; the
   *     largest of the repetitions, infinite if one took fewer steps
   */
  public record Result(double[] x, int steps, double relativeChange, StopReason reason) {
    public boolean converged() {
      return reason == StopReason.CONVERGED;
    }
  }

  public Lissa {
    if (!(scale > 0 && scale < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException("scale = " + scale + ": must be positive and finite");
    }
    if (!(damping >= 0 && damping < scale)) {
      throw new IllegalArgumentException(
          "damping = " + damping + ": must lie in [0, scale), scale = " + scale);
    }
    if (depth < 1) {
      throw new IllegalArgumentException("depth = " + depth + ": must be at least 1");
    }
    if (repetitions < 1 || (long) depth * repetitions > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          "repetitions = %d: must lie in [1, %d]"
              .formatted(repetitions, Integer.MAX_VALUE / depth));
    }
    if (!(tolerance >= 0 && tolerance < 1)) {
      throw new IllegalArgumentException("tolerance = " + tolerance + ": must lie in [0, 1)");
    }
  }

  /**
   * Solves for one g. No product is taken if g = 0; after a repetition that diverges, no other is
   * tried.
   *
   * @param g p entries
   * @throws IllegalArgumentException if g has another length than the operator
   */
  public Result solve(SampledOperator h, double[] g) {
    if (g.length != h.size()) {
      throw new IllegalArgumentException(
          "g has " + g.length + " entries: must have " + h.size() + ", as the operator");
    }
    if (Vectors.maxAbs(g) == 0) {
      return new Result(new double[g.length], 0, 0, StopReason.CONVERGED);
    }
    double[] mean = new double[g.length];
    int steps = 0;
    double change = 0;
    StopReason reason = StopReason.CONVERGED;
    for (int r = 0; r < repetitions; r++) {
      Result one = repetition(h, g, r * depth);
      steps += one.steps();
      if (one.reason() == StopReason.DIVERGED) {
        return new Result(one.x(), steps, one.relativeChange(), StopReason.DIVERGED);
      }
      Vectors.addInPlace(mean, 1.0 / repetitions, one.x());
      change = Math.max(change, one.relativeChange());
      reason = one.converged() ? reason : StopReason.MAX_STEPS;
    }
    return new Result(mean, steps, change, reason);
  }

  private Result repetition(SampledOperator operator, double[] g, int first) {
    double norm = Vectors.norm(g);
    double q = 1 - damping / scale;
    double reach = norm;
    double[] h = g;
    double[] before = g;
    double change = Double.POSITIVE_INFINITY;
    for (int steps = 1; steps <= depth; steps++) {
      double[] next = operator.apply(h, first + steps - 1);
      for (int i = 0; i < next.length; i++) {
        next[i] = g[i] + q * h[i] - next[i] / scale;
      }
      h = next;
      reach = norm + q * reach;
      double length = Vectors.norm(h);
      if (!(length <= SLACK * reach)) {
        return new Result(unscaled(h), steps, change, StopReason.DIVERGED);
      }
      if (steps % WINDOW == 0) {
        change = Vectors.distance(h, before) / length;
        before = h;
        if (change <= tolerance) {
          return new Result(unscaled(h), steps, change, StopReason.CONVERGED);
        }
      }
    }
    return new Result(unscaled(h), depth, change, StopReason.MAX_STEPS);
  }

  private double[] unscaled(double[] h) {
    return Arrays.stream(h).map(t -> t / scale).toArray();
  }
}
