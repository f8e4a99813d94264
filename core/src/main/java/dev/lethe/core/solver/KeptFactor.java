package dev.lethe.core.solver;

import dev.lethe.core.linalg.Cholesky;
import dev.lethe.core.linalg.Vectors;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;

/**
 * A factor of the Hessian at an earlier point, corrected by what the steps since then have shown:
 * limited-memory BFGS with the factor as its initial matrix (Nocedal, Wright, Numerical
 * Optimization, 2nd ed., algorithm 7.4). A step costs no pass.
 */
public final class KeptFactor {
  private static final int MEMORY = 10;

  /** Of a pair whose curvature rounding may have made, nothing is learned. */
  private static final double LEAST_CURVATURE = 1e-10;

  private final Cholesky factor;
  private final NewtonState.Origin origin;
  private final boolean exact;
  private final double slow;
  private final Deque<Pair> pairs = new ArrayDeque<>();

  /** A step and the change of the gradient along it, change'step &gt; 0. */
  private record Pair(double[] step, double[] change, double curvature) {}

  /**
   * @param origin of the matrix
   * @param exact whether that is the Hessian itself
   * @param slow the ratio of two gradient norms above which another factor is worth its cost
   */
  KeptFactor(Cholesky factor, NewtonState.Origin origin, boolean exact, double slow) {
    this.factor = factor;
    this.origin = origin;
    this.exact = exact;
    this.slow = slow;
  }

  /** What {@link NewtonStep#remade} needs. */
  NewtonState.Factor state() {
    return new NewtonState.Factor(
        origin,
        exact,
        pairs.stream().map(pair -> new NewtonState.Pair(pair.step(), pair.change())).toList());
  }

  /** -B g, B the inverse of the corrected approximation: a descent direction. */
  double[] direction(double[] gradient) {
    double[] q = new double[gradient.length];
    Vectors.addInPlace(q, -1, gradient);
    double[] alphas = new double[pairs.size()];
    int k = pairs.size();
    for (Iterator<Pair> last = pairs.descendingIterator(); last.hasNext(); ) {
      Pair pair = last.next();
      alphas[--k] = Vectors.dot(pair.step(), q) / pair.curvature();
      Vectors.addInPlace(q, -alphas[k], pair.change());
    }
    double[] s = factor.solve(q);
    for (Pair pair : pairs) {
      double beta = Vectors.dot(pair.change(), s) / pair.curvature();
      Vectors.addInPlace(s, alphas[k++] - beta, pair.step());
    }
    return s;
  }

  /**
   * sqrt(g' F^{-1} g), F the factorised matrix: what g means for the value, whatever the scales and
   * the correlations of the columns.
   */
  double norm(double[] gradient) {
    return Math.sqrt(Math.max(0, Vectors.dot(gradient, factor.solve(gradient))));
  }

  /** Learns from a step that was taken. */
  void learn(double[] step, double[] change) {
    double curvature = Vectors.dot(step, change);
    if (curvature > LEAST_CURVATURE * Vectors.norm(step) * Vectors.norm(change)) {
      if (pairs.size() == MEMORY) {
        pairs.removeFirst();
      }
      pairs.addLast(new Pair(step, change, curvature));
    }
  }

  /**
   * Whether the gradient falls so slowly that another factor is worth its cost.
   *
   * @param ratio of the gradient's {@link #norm} after a step to that before
   */
  boolean isSlow(double ratio) {
    return !(ratio <= slow);
  }
}
