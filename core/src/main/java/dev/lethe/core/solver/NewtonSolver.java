package dev.lethe.core.solver;

import dev.lethe.core.linalg.Vectors;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/**
 * Inexact Newton's method with globalisation for convex functions (Nocedal, Wright, Numerical
 * Optimization, 2nd ed., algorithm 7.1; forcing terms of Eisenstat, Walker 1996).
 *
 * <p>Step k solves H(x_k) s = -g_k to a relative residual of eta_k = min(0.5, sqrt(||g_k|| /
 * ||g_0||)) and takes the full step if the gradient norm falls by at least a tenth of a per cent.
 * Otherwise it backtracks by halves until the value satisfies Armijo's condition. Norms are the
 * preconditioner's, so that columns of different scale count alike; for steps by a kept factor, or
 * one of a sample, that factor's.
 *
 * <p>With Cholesky an evaluation brings the Hessian where that costs little. Otherwise a factor is
 * kept: later steps are made with it and with what they show of the curvature, at the cost of one
 * evaluation each, until the gradient falls too slowly or a full step is not taken. Then the
 * Hessian is factorised anew.
 *
 * @param <E> the function's evaluation
 */
public final class NewtonSolver<E extends ConvexFunction.Evaluation> {
  private static final double ARMIJO = 1e-4;
  private static final double SUFFICIENT_FALL = 0.999;
  private static final int MAX_BACKTRACKS = 40;

  /** Why the iteration ended. */
  public enum StopReason {
    /** The caller's condition holds. */
    CONVERGED,
    /** The step limit was reached. */
    MAX_STEPS,
    /** No step improves gradient or value: rounding is in the way. */
    STAGNATED,
    /**
     * The Hessian is not numerically positive definite, the gradient is not finite, or the linear
     * solver gave no descent.
     */
    LINEAR_SOLVER_FAILED
  }

  /**
   * One Newton step.
   *
   * @param step 1-based
   * @param gradientNormBefore ||g||_2 where the step started
   * @param gradientNorm ||g||_2 where it ended
   * @param length the accepted fraction of the Newton direction
   * @param products Hessian-vector products
   * @param residualNorm ||H s + g||_2 of the direction s; NaN for a step by a kept factor
   */
  public record Step(
      int step,
      double gradientNormBefore,
      double gradientNorm,
      double length,
      int cgIterations,
      int products,
      double residualNorm,
      double seconds) {}

  /** The last evaluation and the way to it. */
  public record Result<E>(E evaluation, List<Step> steps, StopReason reason) {
    public boolean converged() {
      return reason == StopReason.CONVERGED;
    }
  }

  /** Told of every point before the pass that evaluates it, and of the points that are taken. */
  public interface Listener<E> {
    /** The start (step 0), or a step taken. */
    void evaluated(int step, E evaluation);

    /**
     * A step that is about to be evaluated, and taken if it improves.
     *
     * @param step 1-based
     * @param from where it starts
     * @param point where it ends
     * @param length the fraction of the direction s
     * @param residualNorm ||H s + g||_2; NaN for a step by a kept factor, never the first
     */
    default void proposed(int step, E from, double[] point, double length, double residualNorm) {}
  }

  private final int maxSteps;
  private final NewtonStep newtonStep;
  private final Listener<E> listener;

  public NewtonSolver(int maxSteps, NewtonStep newtonStep, Listener<E> listener) {
    if (maxSteps < 0) {
      throw new IllegalArgumentException("maxSteps must not be negative: " + maxSteps);
    }
    this.maxSteps = maxSteps;
    this.newtonStep = newtonStep;
    this.listener = listener;
  }

  /**
   * Minimises from {@code start} until {@code done}.
   *
   * @param done asked for every evaluation, the start's included
   */
  public Result<E> minimize(ConvexFunction<E> function, double[] start, Predicate<E> done) {
    E current = evaluate(function, start);
    listener.evaluated(0, current);
    List<Step> steps = new ArrayList<>();
    double firstNorm = -1;
    KeptFactor kept = null;
    boolean begun = false;
    while (true) {
      if (done.test(current)) {
        return new Result<>(current, steps, StopReason.CONVERGED);
      }
      if (steps.size() >= maxSteps) {
        return new Result<>(current, steps, StopReason.MAX_STEPS);
      }
      long begin = System.nanoTime();
      Preconditioner preconditioner = function.preconditioner(current);
      double norm = preconditionedNorm(preconditioner, current.gradient());
      if (norm == 0) {
        return new Result<>(current, steps, StopReason.STAGNATED);
      }
      if (!Double.isFinite(norm)) {
        return new Result<>(current, steps, StopReason.LINEAR_SOLVER_FAILED);
      }
      firstNorm = firstNorm < 0 ? norm : firstNorm;
      double forcing = Math.min(0.5, Math.sqrt(norm / firstNorm));
      NewtonStep.Result direction =
          direction(function, current, preconditioner, Math.max(forcing, 1e-12), kept, begun);
      begun = true;
      double slope = Vectors.dot(direction.direction(), current.gradient());
      if (!(slope < 0)) {
        if (!direction.isExact()) {
          kept = null;
          continue;
        }
        return new Result<>(current, steps, StopReason.LINEAR_SOLVER_FAILED);
      }
      KeptFactor factor = direction.factor();
      ToDoubleFunction<double[]> measure =
          factor == null || direction.isExact()
              ? g -> preconditionedNorm(preconditioner, g)
              : factor::norm;
      double before = measure.applyAsDouble(current.gradient());
      double length = 1;
      E next = null;
      for (int k = 0; k < MAX_BACKTRACKS; k++, length /= 2) {
        double[] point = Vectors.add(current.point(), length, direction.direction());
        listener.proposed(steps.size() + 1, current, point, length, direction.residualNorm());
        E trial = evaluate(function, point);
        boolean gradientFell = measure.applyAsDouble(trial.gradient()) <= SUFFICIENT_FALL * before;
        boolean valueFell = trial.value() < current.value() + ARMIJO * length * slope;
        if ((k == 0 && gradientFell) || valueFell) {
          next = trial;
          break;
        }
        if (!direction.isExact()) {
          break;
        }
        // Close to the minimum the value no longer resolves a step; the gradient decides, once.
        if (Math.abs(slope) <= 1e-14 * Math.abs(current.value())) {
          break;
        }
      }
      if (next == null && !direction.isExact()) {
        kept = null;
        continue;
      }
      if (next == null) {
        return new Result<>(current, steps, StopReason.STAGNATED);
      }
      steps.add(
          new Step(
              steps.size() + 1,
              Vectors.norm(current.gradient()),
              Vectors.norm(next.gradient()),
              length,
              direction.cgIterations(),
              direction.products(),
              direction.residualNorm(),
              (System.nanoTime() - begin) / 1e9));
      kept = next.hessian() == null ? factor : null;
      if (kept != null) {
        kept.learn(
            Vectors.add(next.point(), -1, current.point()),
            Vectors.add(next.gradient(), -1, current.gradient()));
        if (kept.isSlow(kept.norm(next.gradient()) / kept.norm(current.gradient()))) {
          kept = null;
        }
      }
      current = next;
      listener.evaluated(steps.size(), current);
    }
  }

  private E evaluate(ConvexFunction<E> function, double[] point) {
    return newtonStep.needsMatrix()
        ? function.evaluateWithHessian(point)
        : function.evaluate(point);
  }

  private NewtonStep.Result direction(
      ConvexFunction<E> function,
      E current,
      Preconditioner preconditioner,
      double tolerance,
      @Nullable KeptFactor kept,
      boolean begun) {
    if (kept != null) {
      return NewtonStep.again(kept, current.gradient());
    }
    boolean first = !begun || current.hessian() != null;
    double[] damping = function.damping(current);
    return first
        ? newtonStep.begin(function, current, damping, preconditioner, tolerance)
        : newtonStep.solve(
            function, current.point(), current.gradient(), damping, preconditioner, tolerance);
  }

  private static double preconditionedNorm(Preconditioner preconditioner, double[] r) {
    double square = Vectors.dot(r, preconditioner.applyInverse(r));
    return square >= 0 ? Math.sqrt(square) : Double.NaN;
  }
}
