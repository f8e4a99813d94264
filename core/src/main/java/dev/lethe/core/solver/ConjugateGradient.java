package dev.lethe.core.solver;

import dev.lethe.core.linalg.LinearOperator;
import dev.lethe.core.linalg.Vectors;

/**
 * Preconditioned conjugate gradient for A x = b with A symmetric positive definite (Hestenes,
 * Stiefel 1952; Golub, Van Loan, 4th ed., algorithm 11.5.1).
 *
 * <p>Stops when the recurrence's residual satisfies ||r||_{M^{-1}} &lt;= tolerance ||b||_{M^{-1}}.
 * The recurrence drifts from the true residual, so b - A x is computed afresh at the end (one more
 * product); if it misses the tolerance, the iteration restarts from it. One iteration is one
 * product.
 */
public final class ConjugateGradient {
  private static final int MAX_RESTARTS = 3;

  /** Why a solve ended. */
  public enum StopReason {
    /** The true residual is within the tolerance. */
    CONVERGED,
    /** The iteration limit was reached. */
    MAX_ITERATIONS,
    /** A direction v with v'Av &lt;= 0 (or not a number) was met: A is not positive definite. */
    NOT_POSITIVE_DEFINITE,
    /** Restarts no longer reduce the true residual: rounding is in the way. */
    STAGNATED
  }

  /**
   * @param x the solution, or the last iterate if not converged
   * @param iterations products of the iterations proper
   * @param products all products, those for true residuals included
   * @param residual b - A x, computed afresh unless the solve was unchecked
   * @param relativeResidual ||b - A x||_{M^{-1}} / ||b||_{M^{-1}}, of this residual
   */
  public record Result(
      double[] x,
      int iterations,
      int products,
      double[] residual,
      double relativeResidual,
      StopReason reason) {
    /** ||b - A x||_2. */
    public double residualNorm() {
      return Vectors.norm(residual);
    }

    public boolean converged() {
      return reason == StopReason.CONVERGED;
    }
  }

  /** Told the relative residual of the recurrence before the first and after every iteration. */
  @FunctionalInterface
  public interface Listener {
    void iteration(int iteration, double relativeResidual, double tolerance);
  }

  private final double tolerance;
  private final int maxIterations;
  private final Listener listener;

  /**
   * @param tolerance relative, in (0, 1)
   * @param maxIterations at least 1
   */
  public ConjugateGradient(double tolerance, int maxIterations, Listener listener) {
    if (!(tolerance > 0 && tolerance < 1)) {
      throw new IllegalArgumentException("tolerance must lie in (0, 1), not " + tolerance);
    }
    if (maxIterations < 1) {
      throw new IllegalArgumentException("maxIterations must be at least 1, not " + maxIterations);
    }
    this.tolerance = tolerance;
    this.maxIterations = maxIterations;
    this.listener = listener;
  }

  /** Solves A x = b from x = 0. */
  public Result solve(LinearOperator a, double[] b, Preconditioner m) {
    return solve(a, b, m, new double[b.length], b.clone(), true);
  }

  /**
   * The same without the last product: the residual is the recurrence's. For a caller that measures
   * what x is good for.
   */
  public Result solveUnchecked(LinearOperator a, double[] b, Preconditioner m) {
    return solve(a, b, m, new double[b.length], b.clone(), false);
  }

  /**
   * Goes on from the end of another solve of the same system, by another preconditioner.
   *
   * @param checked as {@link #solve}, or as {@link #solveUnchecked}
   */
  Result resume(LinearOperator a, double[] b, Preconditioner m, Result from, boolean checked) {
    return solve(a, b, m, from.x().clone(), from.residual().clone(), checked);
  }

  private Result solve(
      LinearOperator a, double[] b, Preconditioner m, double[] x, double[] r, boolean checked) {
    double scale = Math.sqrt(Vectors.dot(b, m.applyInverse(b)));
    if (scale == 0) {
      return Vectors.norm(b) == 0
          ? new Result(x, 0, 0, r, 0, StopReason.CONVERGED)
          : new Result(x, 0, 0, r, 1, StopReason.STAGNATED); // the squares of b underflow
    }
    double[] z = m.applyInverse(r);
    double rz = Vectors.dot(r, z);
    listener.iteration(0, Math.sqrt(rz) / scale, tolerance);
    int iterations = 0;
    int products = 0;
    double lastTrue = Double.POSITIVE_INFINITY;
    for (int restart = 0; ; restart++) {
      double[] p = z;
      boolean definite = true;
      while (Math.sqrt(rz) > tolerance * scale && iterations < maxIterations) {
        double[] ap = a.apply(p);
        products++;
        double curvature = Vectors.dot(p, ap);
        if (!(curvature > 0)) {
          definite = false;
          break;
        }
        double alpha = rz / curvature;
        Vectors.addInPlace(x, alpha, p);
        Vectors.addInPlace(r, -alpha, ap);
        z = m.applyInverse(r);
        double next = Vectors.dot(r, z);
        p = Vectors.add(z, next / rz, p);
        rz = next;
        iterations++;
        listener.iteration(iterations, Math.sqrt(rz) / scale, tolerance);
      }
      if (checked) {
        r = Vectors.add(b, -1, a.apply(x));
        products++;
        z = m.applyInverse(r);
        rz = Vectors.dot(r, z);
      }
      double relative = Math.sqrt(rz) / scale;
      StopReason reason = null;
      if (!definite) {
        reason = StopReason.NOT_POSITIVE_DEFINITE;
      } else if (relative <= tolerance) {
        reason = StopReason.CONVERGED;
      } else if (iterations >= maxIterations) {
        reason = StopReason.MAX_ITERATIONS;
      } else if (restart == MAX_RESTARTS || relative > 0.5 * lastTrue) {
        reason = StopReason.STAGNATED;
      }
      if (reason != null) {
        return new Result(x, iterations, products, r, relative, reason);
      }
      lastTrue = relative;
    }
  }
}
