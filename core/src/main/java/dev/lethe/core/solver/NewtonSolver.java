package dev.lethe.core.solver;

import dev.lethe.core.linalg.Vectors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/**
 * Inexact Newton's method with globalisation for convex functions (Nocedal, Wright, Numerical
 * Optimization, 2nd ed., algorithm 7.1; forcing terms of Eisenstat, Walker 1996).
 *
 * <p>Step k solves H(x_k) s = -g_k to a relative residual of eta_k = min(0.5, sqrt(||g_k|| /
 * ||g_0||)), but no further than the goal seems to need, and takes the full step if the gradient
 * norm falls by at least a tenth of a per cent. Otherwise it backtracks by halves until the value
 * satisfies Armijo's condition. Norms are the preconditioner's, so that columns of different scale
 * count alike; for steps by a kept factor, or one of a sample, that factor's.
 *
 * <p>With Cholesky an evaluation brings the Hessian where that costs little. Otherwise a factor is
 * kept: later steps are made with it and with what they show of the curvature, at the cost of one
 * gradient each, until the gradient falls too slowly or a full step is not taken. Then the Hessian
 * is factorised anew. Conjugate gradient keeps, for a while, the preconditioner of the last full
 * evaluation. On the way only value and gradient are asked for; the function is evaluated in full
 * where the goal looks reached, or is expected to be by the next step, and at the end.
 *
 * @param <E> the function's evaluation
 */
public final class NewtonSolver<E extends ConvexFunction.Evaluation> {
  private static final double ARMIJO = 1e-4;
  private static final double SUFFICIENT_FALL = 0.999;
  private static final int MAX_BACKTRACKS = 40;

  /** A gradient that much smaller is at another point, where curvatures may be others. */
  private static final double NEAR = 0.01;

  /** Below 1, as the norm in which a step is solved is not the one in which the goal is. */
  private static final double NEEDED_FALL = 0.3;

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
   * @param residualNorm ||H s + g||_2 of the direction s, after the first step as conjugate
   *     gradient keeps it; NaN for a step by a kept factor
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

  /** When to stop. */
  @FunctionalInterface
  public interface Goal<E> {
    /** A gradient of at most {@code norm}, as computed, in the 2-norm. */
    static <E extends ConvexFunction.Evaluation> Goal<E> gradientNorm(double norm) {
      return new Goal<>() {
        @Override
        public boolean isReached(E evaluation) {
          return Vectors.norm(evaluation.gradient()) <= norm;
        }

        @Override
        public double remaining(E last, double[] gradient) {
          return Vectors.norm(gradient) / norm;
        }
      };
    }

    boolean isReached(E evaluation);

    /**
     * By what factor the gradient is too large, as far as an estimate tells: at most 1 where a full
     * evaluation is worth its cost, and no step is solved much more accurately than it asks for. 0
     * by default: not known, so that every point is evaluated in full.
     *
     * @param last the last full evaluation
     */
    default double remaining(E last, double[] gradient) {
      return 0;
    }
  }

  /** Told of every point before the pass that evaluates it, and of the points that are taken. */
  public interface Listener<E> {
    /** The start (step 0), or a step taken: evaluated in full, in a pass of its own perhaps. */
    void evaluated(int step, E evaluation);

    /** A step taken of which only value and gradient are known. */
    default void passed(int step, ConvexFunction.Evaluation evaluation) {}

    /** A step taken, after one of the above: all that {@link #resume} needs. */
    default void accepted(NewtonState state) {}

    /**
     * A step that is about to be evaluated, and taken if it improves.
     *
     * @param step 1-based
     * @param last the last full evaluation: where the first step starts
     * @param point where it ends
     * @param length the fraction of the direction s
     * @param residualNorm ||H s + g||_2; NaN for a step by a kept factor, never the first
     */
    default void proposed(int step, E last, double[] point, double length, double residualNorm) {}
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

  /** Minimises from {@code start} until the goal is reached. */
  public Result<E> minimize(ConvexFunction<E> function, double[] start, Goal<E> goal) {
    return resume(function, NewtonState.startingAt(start), goal);
  }

  /**
   * Goes on where another run was, whose steps count against the limit. Of the same function and
   * with the same settings, the points are those of that run, bit for bit, as far as the function's
   * sums are and its evaluations return the points they are given; of another function it is a
   * start like any other.
   */
  public Result<E> resume(ConvexFunction<E> function, NewtonState from, Goal<E> goal) {
    return new Run(function, goal, from).run();
  }

  /** One minimisation: where it is, and what it knows. */
  private final class Run {
    private final ConvexFunction<E> function;
    private final Goal<E> goal;
    private final List<Step> steps = new ArrayList<>();
    private final int stepsBefore;
    private E last;
    private double[] lastAt;
    private int lastStep;
    private Preconditioner preconditioner;
    private ConvexFunction.Evaluation current;
    private @Nullable KeptFactor kept;
    private @Nullable Preconditioner made;
    private NewtonState.@Nullable Made madeFrom;
    private @Nullable NewtonState unmade;
    private double firstNorm;
    private boolean begun;

    /**
     * By what a step is expected to multiply the gradient's norm: as the last one, or as solved.
     */
    private double fall;

    Run(ConvexFunction<E> function, Goal<E> goal, NewtonState from) {
      this.function = function;
      this.goal = goal;
      stepsBefore = from.step();
      firstNorm = from.firstNorm();
      fall = from.fall();
      begun = from.step() > 0;
      last = evaluate(from.measuredAt());
      lastAt = at(from.measuredAt(), last);
      lastStep = from.measuredStep();
      current = last;
      preconditioner = function.preconditioner(last);
      listener.evaluated(lastStep, last);
      if (from.step() > lastStep) {
        current = function.evaluateGradient(from.point());
        listener.passed(from.step(), current);
      }
      made = newtonStep.made();
      unmade = begun ? from : null;
    }

    /** Makes again what the step after the one resumed from was solved with. */
    private void remake(NewtonState from) {
      if (!newtonStep.needsMatrix()) {
        newtonStep.resume(function, from.preconditioner(), from.products());
        made = newtonStep.made();
        madeFrom = from.preconditioner();
      } else if (from.factor() != null) {
        kept = newtonStep.remade(function, from.factor()).orElse(null);
      }
      unmade = null;
    }

    /** Where an evaluation was asked for, one array for both where it is where it was made. */
    private double[] at(double[] asked, ConvexFunction.Evaluation evaluation) {
      return Arrays.equals(asked, evaluation.point()) ? evaluation.point() : asked;
    }

    /** How many steps were taken, those before it was resumed included. */
    private int taken() {
      return stepsBefore + steps.size();
    }

    Result<E> run() {
      while (true) {
        if (looksReached()) {
          measure();
          if (goal.isReached(last)) {
            return end(StopReason.CONVERGED);
          }
        }
        if (taken() >= maxSteps) {
          return end(StopReason.MAX_STEPS);
        }
        long begin = System.nanoTime();
        double norm = preconditionedNorm(preconditioner, current.gradient());
        if (norm == 0) {
          return end(StopReason.STAGNATED);
        }
        if (!Double.isFinite(norm)) {
          return end(StopReason.LINEAR_SOLVER_FAILED);
        }
        firstNorm = firstNorm < 0 ? norm : firstNorm;
        double remaining = goal.remaining(last, current.gradient());
        double needed = remaining > 0 ? NEEDED_FALL / remaining : 0;
        double forcing =
            Math.max(1e-12, Math.min(0.5, Math.max(needed, Math.sqrt(norm / firstNorm))));
        NewtonStep.Result direction = direction(forcing);
        if (direction.factor() == null) {
          fall = forcing;
        }
        double slope = Vectors.dot(direction.direction(), current.gradient());
        if (!(slope < 0) && direction.isExact()) {
          return end(StopReason.LINEAR_SOLVER_FAILED);
        }
        Trial<E> next = slope < 0 ? search(direction, slope) : null;
        if (next == null && direction.isExact() && current == last) {
          return end(StopReason.STAGNATED);
        }
        if (next == null) {
          kept = null;
          if (direction.isExact()) {
            measure(); // the preconditioner may be of too far a point
          }
          continue;
        }
        steps.add(
            new Step(
                taken() + 1,
                Vectors.norm(current.gradient()),
                Vectors.norm(next.evaluation().gradient()),
                next.length(),
                direction.cgIterations(),
                direction.products(),
                direction.residualNorm(),
                (System.nanoTime() - begin) / 1e9));
        learn(direction.factor(), next.evaluation());
        take(next);
      }
    }

    /** Whether the point may be the last. */
    private boolean looksReached() {
      return current == last || goal.remaining(last, current.gradient()) <= 1;
    }

    /** Evaluates in full where that has not been done. */
    private void measure() {
      if (current != last) {
        double[] point = current.point();
        last = evaluate(point);
        lastAt = at(point, last);
        lastStep = taken();
        current = last;
        preconditioner = function.preconditioner(last);
        listener.evaluated(taken(), last);
      }
    }

    private Result<E> end(StopReason reason) {
      boolean measured = current == last;
      measure();
      return new Result<>(
          last, steps, !measured && goal.isReached(last) ? StopReason.CONVERGED : reason);
    }

    /** The first of the points on the way that improves; null if none does. */
    private @Nullable Trial<E> search(NewtonStep.Result direction, double slope) {
      KeptFactor factor = direction.factor();
      ToDoubleFunction<double[]> measure =
          factor == null || direction.isExact()
              ? g -> preconditionedNorm(preconditioner, g)
              : factor::norm;
      double before = measure.applyAsDouble(current.gradient());
      double length = 1;
      for (int k = 0; k < MAX_BACKTRACKS; k++, length /= 2) {
        double[] point = Vectors.add(current.point(), length, direction.direction());
        listener.proposed(taken() + 1, last, point, length, direction.residualNorm());
        Trial<E> trial = trial(point, factor, length);
        ConvexFunction.Evaluation evaluation = trial.evaluation();
        boolean gradientFell =
            measure.applyAsDouble(evaluation.gradient()) <= SUFFICIENT_FALL * before;
        boolean valueFell = evaluation.value() < current.value() + ARMIJO * length * slope;
        if ((k == 0 && gradientFell) || valueFell) {
          return trial;
        }
        // Close to the minimum the value no longer resolves a step; the gradient decides, once.
        if (!direction.isExact() || Math.abs(slope) <= 1e-14 * Math.abs(current.value())) {
          return null;
        }
      }
      return null;
    }

    /** In full, unless the goal is farther than a step; or the next needs the Hessian with it. */
    private Trial<E> trial(double[] point, @Nullable KeptFactor factor, double length) {
      boolean isOnTheWay =
          (factor != null || !newtonStep.needsMatrix() && isNear())
              && last.hessian() == null
              && goal.remaining(last, current.gradient()) * fall > 1;
      if (isOnTheWay) {
        return new Trial<>(function.evaluateGradient(point), null, point, length);
      }
      E full = evaluate(point);
      return new Trial<>(full, full, point, length);
    }

    /** Whether the preconditioner of the last full evaluation still serves. */
    private boolean isNear() {
      return Vectors.norm(current.gradient()) > NEAR * Vectors.norm(last.gradient());
    }

    private void learn(@Nullable KeptFactor factor, ConvexFunction.Evaluation next) {
      kept = next.hessian() == null ? factor : null;
      if (kept != null) {
        kept.learn(
            Vectors.add(next.point(), -1, current.point()),
            Vectors.add(next.gradient(), -1, current.gradient()));
        fall = kept.norm(next.gradient()) / kept.norm(current.gradient());
        if (kept.isSlow(fall)) {
          kept = null;
        }
      }
    }

    private void take(Trial<E> next) {
      current = next.evaluation();
      double[] point = at(next.at(), current);
      if (next.full() == null) {
        listener.passed(taken(), current);
      } else {
        last = next.full();
        lastAt = point;
        lastStep = taken();
        preconditioner = function.preconditioner(last);
        listener.evaluated(taken(), last);
      }
      listener.accepted(
          new NewtonState(
              taken(),
              point,
              lastStep,
              lastAt,
              firstNorm,
              fall,
              kept == null ? null : kept.state(),
              newtonStep.products(),
              madeFrom));
    }

    private E evaluate(double[] point) {
      return newtonStep.needsMatrix()
          ? function.evaluateWithHessian(point)
          : function.evaluate(point);
    }

    private NewtonStep.Result direction(double tolerance) {
      if (unmade != null) {
        remake(unmade);
      }
      if (kept != null) {
        return NewtonStep.again(kept, current.gradient());
      }
      boolean first = !begun || current.hessian() != null;
      begun = true;
      double[] damping = function.damping(current);
      NewtonStep.Result result =
          first
              ? newtonStep.begin(function, last, damping, preconditioner, tolerance)
              : newtonStep.solveUnchecked(
                  function,
                  current.point(),
                  current.gradient(),
                  damping,
                  preconditioner,
                  tolerance);
      if (newtonStep.made() != made) {
        made = newtonStep.made();
        madeFrom =
            new NewtonState.Made(
                new NewtonState.Origin(current.point(), damping),
                lastAt,
                newtonStep.preconditioning());
      }
      return result;
    }
  }

  /**
   * A point that may be taken.
   *
   * @param full the evaluation, if it is one in full
   * @param at what was asked to be evaluated
   * @param length the fraction of the direction
   */
  private record Trial<E>(
      ConvexFunction.Evaluation evaluation, @Nullable E full, double[] at, double length) {}

  private static double preconditionedNorm(Preconditioner preconditioner, double[] r) {
    double square = Vectors.dot(r, preconditioner.applyInverse(r));
    return square >= 0 ? Math.sqrt(square) : Double.NaN;
  }
}
