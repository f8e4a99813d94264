package dev.lethe.core.unlearn;

import dev.lethe.core.certify.DistanceBound;
import dev.lethe.core.certify.ResidualBounds;
import dev.lethe.core.linalg.Cholesky;
import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.loss.MarginLoss;
import dev.lethe.core.objective.KeptSums;
import dev.lethe.core.objective.Objective;
import dev.lethe.core.solver.ConvexFunction;
import dev.lethe.core.solver.NewtonSolver;
import dev.lethe.core.solver.NewtonState;
import dev.lethe.core.solver.NewtonStep;
import dev.lethe.core.unlearn.UnlearningResult.Outcome;
import dev.lethe.core.unlearn.UnlearningResult.Step;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The three updates, each ending with a measurement on the corrected data.
 *
 * <ul>
 *   <li>first order: theta - tau g, once;
 *   <li>second order: theta - H^{-1} g, once;
 *   <li>refined: Newton's method from theta until the PROVEN distance to the minimiser is at most
 *       rho, or the proven residual at most r where the loss is perturbed.
 * </ul>
 */
public final class Unlearning {
  private final Objective objective;
  private final double rho;
  private final double dataNorm;
  private final Listener listener;

  /** Told of the start (step 0) and of every step. */
  @FunctionalInterface
  public interface Listener {
    void measured(Step step);

    /**
     * Told, after that, where the refinement is: what {@link #refined(NewtonState, NewtonStep,
     * int)} resumes.
     */
    default void accepted(NewtonState state) {}
  }

  /**
   * @param objective of the corrected data
   * @param rho the distance that must be proven, finite and positive
   */
  public Unlearning(Objective objective, double rho, Listener listener) {
    if (!(rho > 0 && Double.isFinite(rho))) {
      throw new IllegalArgumentException("rho must be finite and positive, not " + rho);
    }
    this.objective = objective;
    this.rho = rho;
    this.dataNorm =
        ResidualBounds.dataNorm(objective.statistics(), objective.layout(), objective.fixed());
    this.listener = listener;
  }

  /**
   * One first-order step.
   *
   * @param g the gradient difference, or the gradient, from what was measured at the start
   */
  public UnlearningResult firstOrder(
      double[] start, Function<Objective.Measured, double[]> g, FirstOrderUpdate update) {
    Recorder recorder = new Recorder();
    Objective.Measured measured = objective.evaluate(start);
    recorder.record(measured);
    double[] direction = g.apply(measured);
    FirstOrderUpdate.Result step = update.apply(objective, start, direction);
    AprioriBound apriori =
        apriori(
            measured,
            bounds ->
                AprioriBound.firstOrder(
                    dataNorm, bounds.firstOrder(step.rate(), direction, step.theta())));
    return recorder.end(objective.evaluate(step.theta()), true, apriori);
  }

  /** One second-order step; g as above. */
  public UnlearningResult secondOrder(
      double[] start, Function<Objective.Measured, double[]> g, SecondOrderUpdate update) {
    Recorder recorder = new Recorder();
    Objective.Measured measured = objective.evaluate(start);
    recorder.record(measured);
    double[] direction = g.apply(measured);
    SecondOrderUpdate.Result step = update.apply(objective, measured, direction);
    AprioriBound apriori =
        apriori(
            measured,
            bounds ->
                AprioriBound.secondOrder(
                    dataNorm,
                    bounds.secondOrder(1, direction, step.solve().residualNorm(), step.theta())));
    return recorder.end(objective.evaluate(step.theta()), step.solve().solved(), apriori);
  }

  /**
   * Newton steps until the proven distance is at most rho; no step at all if it is already. Where
   * no step can lead to a proof, they end when the estimated distance is at most rho. A run that
   * ends above rho may take one more pass, for the Hessian, to tell what is proven where it ended.
   *
   * @throws UnreachableDistanceException if rho is below twice what rounding allows, as soon as the
   *     point is close enough to the minimiser to know
   */
  public UnlearningResult refined(double[] start, NewtonStep step, int maxSteps) {
    return refined(NewtonState.startingAt(start), step, maxSteps);
  }

  /**
   * As {@link #refined(double[], NewtonStep, int)}, from where a refinement was before, whose steps
   * count against the limit. What is proven is of the end alone, whatever it starts from.
   */
  public UnlearningResult refined(NewtonState from, NewtonStep step, int maxSteps) {
    Recorder recorder = new Recorder();
    NewtonSolver.Result<Objective.Measured> result =
        new NewtonSolver<Objective.Measured>(maxSteps, step, recorder)
            .resume(objective, from, recorder.withinRho());
    Objective.Measured end = result.evaluation();
    DistanceBound bound = recorder.bound();
    if (!result.converged()) {
      bound = conclude(end, bound, result.reason() == NewtonSolver.StopReason.STAGNATED);
    }
    return new UnlearningResult(
        end, bound, recorder.steps, outcome(bound, result.reason()), recorder.apriori());
  }

  /**
   * Newton steps until {@link dev.lethe.core.certify.Measurement#residualBound} is at most r; no
   * step at all if it is already. No distance is asked for.
   *
   * @param residual r, a 2-norm of the gradient, sum form
   */
  public UnlearningResult refinedToResidual(
      double[] start, NewtonStep step, int maxSteps, double residual) {
    return refinedToResidual(NewtonState.startingAt(start), step, maxSteps, residual);
  }

  /** The same, from where a refinement was before, whose steps count against the limit. */
  public UnlearningResult refinedToResidual(
      NewtonState from, NewtonStep step, int maxSteps, double residual) {
    Recorder recorder = new Recorder();
    NewtonSolver.Result<Objective.Measured> result =
        new NewtonSolver<Objective.Measured>(maxSteps, step, recorder)
            .resume(objective, from, new ResidualGoal(residual));
    Outcome outcome =
        switch (result.reason()) {
          case CONVERGED -> Outcome.WITHIN_RESIDUAL;
          case MAX_STEPS -> Outcome.MAX_STEPS;
          case STAGNATED -> Outcome.ROUNDING_LIMITED;
          case LINEAR_SOLVER_FAILED -> Outcome.LINEAR_SOLVER_FAILED;
        };
    return new UnlearningResult(
        result.evaluation(), recorder.bound(), recorder.steps, outcome, recorder.apriori());
  }

  /**
   * One Newton step from the point of kept sums that follow the corrected data, its end bounded
   * instead of measured: no pass ({@link Objective#extrapolate}).
   *
   * @return empty if nothing can be bounded ({@link Objective#canFollow}), or the Hessian is not
   *     numerically positive definite
   */
  public Optional<UnlearningResult> bounded(KeptSums kept) {
    if (!objective.canFollow(kept)) {
      return Optional.empty();
    }
    Recorder recorder = new Recorder();
    Objective.Measured start = objective.evaluate(kept);
    recorder.add(0, start.gradient(), OptionalDouble.empty());
    return Cholesky.of(Objects.requireNonNull(start.hessian()))
        .map(
            factor -> {
              double[] theta = Vectors.add(start.point(), -1, factor.solve(start.gradient()));
              Objective.Measured end = objective.extrapolate(start, theta);
              DistanceBound bound = objective.proveByHessian(end);
              recorder.add(1, end.gradient(), distance(bound));
              return new UnlearningResult(
                  end,
                  bound,
                  recorder.steps,
                  isWithin(bound) ? Outcome.WITHIN_RHO : Outcome.ABOVE_RHO,
                  AprioriBound.none(dataNorm, "the step is bounded, not measured"));
            });
  }

  /** A proven residual of at most r; it looks reached where the gradient's norm is. */
  private record ResidualGoal(double residual) implements NewtonSolver.Goal<Objective.Measured> {
    @Override
    public boolean isReached(Objective.Measured measured) {
      return measured.measurement().residualBound() <= residual;
    }

    @Override
    public double remaining(Objective.Measured last, double[] gradient) {
      return Vectors.norm(gradient) / residual;
    }
  }

  /** The bound of the first step; none where the loss's outputs are not one margin a row. */
  private AprioriBound apriori(
      Objective.Measured start, Function<ResidualBounds, AprioriBound> bound) {
    if (!(objective.loss() instanceof MarginLoss loss)) {
      return AprioriBound.none(dataNorm, "the loss has several outputs a row");
    }
    return bound.apply(
        new ResidualBounds(
            objective.statistics(),
            start.point(),
            start.measurement(),
            objective.penalty().lambda(),
            objective.penalty().relativeError(),
            loss.secondDerivativeBound(),
            Math.nextUp(loss.thirdDerivativeBound())));
  }

  /** Whether rho is proven, or looks reached and no further step would help to prove it. */
  private boolean isFinished(Objective.Measured measured, DistanceBound bound) {
    if (bound instanceof DistanceBound.Unproven unproven) {
      return !unproven.cause().stepsMayHelp() && objective.estimatedDistance(measured) <= rho;
    }
    if (!isWithin(bound)) {
      // Close to the minimiser the curvature is known to a factor below 2, not exactly.
      requireReachable(bound, 2);
      return false;
    }
    return true;
  }

  /** What is proven where the steps ended, the Hessian taken if it was not yet. */
  private DistanceBound conclude(Objective.Measured end, DistanceBound last, boolean stagnated) {
    DistanceBound bound =
        last instanceof DistanceBound.Unproven && objective.estimatedDistance(end) > rho
            ? objective.prove(end)
            : last;
    if (!isWithin(bound) && (stagnated || bound instanceof DistanceBound.Proven)) {
      requireReachable(bound, 1);
    }
    return bound;
  }

  private Outcome outcome(DistanceBound bound, NewtonSolver.StopReason reason) {
    if (isWithin(bound)) {
      return Outcome.WITHIN_RHO;
    }
    boolean stepsMayHelp =
        !(bound instanceof DistanceBound.Unproven unproven) || unproven.cause().stepsMayHelp();
    return switch (reason) {
      case CONVERGED -> Outcome.UNPROVABLE;
      case MAX_STEPS -> Outcome.MAX_STEPS;
      case STAGNATED -> stepsMayHelp ? Outcome.ROUNDING_LIMITED : Outcome.UNPROVABLE;
      case LINEAR_SOLVER_FAILED -> Outcome.LINEAR_SOLVER_FAILED;
    };
  }

  /**
   * What is reachable depends on the curvature, so on the point: asked close to the minimiser only.
   */
  private void requireReachable(DistanceBound bound, double slack) {
    OptionalDouble reachable = bound.reachable();
    if (reachable.isPresent() && 2 * reachable.getAsDouble() > slack * rho) {
      throw new UnreachableDistanceException(rho, reachable.getAsDouble());
    }
  }

  /** Certifies every measurement and reports it; bounds the first step before it is measured. */
  private final class Recorder implements NewtonSolver.Listener<Objective.Measured> {
    private final List<Step> steps = new ArrayList<>();
    private @Nullable DistanceBound bound;
    private @Nullable AprioriBound apriori;
    private long begin = System.nanoTime();
    private int passes = objective.passes();
    private int products = objective.hessianVectorProducts();

    private DistanceBound record(Objective.Measured measured) {
      return record(steps.size(), measured);
    }

    private DistanceBound record(int step, Objective.Measured measured) {
      DistanceBound bound = objective.distanceBound(measured, rho);
      this.bound = bound;
      add(step, measured.gradient(), distance(bound));
      return bound;
    }

    /** A step that was passed before, and is measured now, is one with the costs of both. */
    private void add(int step, double[] gradient, OptionalDouble distance) {
      long now = System.nanoTime();
      int end = steps.size() - 1;
      Step before = end >= 0 && steps.get(end).step() == step ? steps.remove(end) : null;
      Step recorded =
          new Step(
              step,
              Vectors.norm(gradient),
              distance,
              objective.hessianVectorProducts()
                  - products
                  + (before == null ? 0 : before.products()),
              objective.passes() - passes + (before == null ? 0 : before.passes()),
              (now - begin) / 1e9 + (before == null ? 0 : before.seconds()));
      begin = now;
      passes = objective.passes();
      products = objective.hessianVectorProducts();
      steps.add(recorded);
      listener.measured(recorded);
    }

    /**
     * Within rho of the minimiser, proven. A point looks so close where what was proven at the last
     * measurement, or estimated, shrinks to rho as the gradient does.
     */
    NewtonSolver.Goal<Objective.Measured> withinRho() {
      return new NewtonSolver.Goal<>() {
        @Override
        public boolean isReached(Objective.Measured measured) {
          return isFinished(measured, bound());
        }

        @Override
        public double remaining(Objective.Measured last, double[] gradient) {
          double estimate = objective.estimatedDistance(last, gradient);
          OptionalDouble proven = distance(bound());
          return (proven.isPresent()
                  ? proven.getAsDouble() * estimate / objective.estimatedDistance(last)
                  : estimate)
              / rho;
        }
      };
    }

    /** The bound of the last measurement. */
    DistanceBound bound() {
      return Objects.requireNonNull(bound);
    }

    @Override
    public void evaluated(int step, Objective.Measured measured) {
      record(step, measured);
    }

    @Override
    public void passed(int step, ConvexFunction.Evaluation evaluation) {
      add(step, evaluation.gradient(), OptionalDouble.empty());
    }

    @Override
    public void accepted(NewtonState state) {
      listener.accepted(state);
    }

    @Override
    public void proposed(
        int step, Objective.Measured from, double[] point, double length, double residualNorm) {
      if (step == 1) { // where it backtracks, the last proposal is the step that is taken
        apriori =
            Unlearning.this.apriori(
                from,
                bounds ->
                    AprioriBound.secondOrder(
                        dataNorm,
                        bounds.secondOrder(length, from.gradient(), residualNorm, point)));
      }
    }

    /** Of the first Newton step. */
    AprioriBound apriori() {
      if (apriori != null && steps.size() > 1) {
        return apriori;
      }
      boolean begun = steps.get(steps.size() - 1).step() > 0;
      return AprioriBound.none(
          dataNorm, begun ? "the run was resumed after step 1" : "no step was taken");
    }

    UnlearningResult end(Objective.Measured measured, boolean solved, AprioriBound apriori) {
      DistanceBound bound = record(measured);
      Outcome outcome =
          !solved
              ? Outcome.LINEAR_SOLVER_FAILED
              : isWithin(bound) ? Outcome.WITHIN_RHO : Outcome.ABOVE_RHO;
      return new UnlearningResult(measured, bound, steps, outcome, apriori);
    }
  }

  private boolean isWithin(DistanceBound bound) {
    OptionalDouble distance = distance(bound);
    return distance.isPresent() && distance.getAsDouble() <= rho;
  }

  static OptionalDouble distance(DistanceBound bound) {
    return bound instanceof DistanceBound.Proven proven
        ? OptionalDouble.of(proven.distance())
        : OptionalDouble.empty();
  }
}
