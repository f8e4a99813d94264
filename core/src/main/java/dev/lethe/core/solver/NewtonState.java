package dev.lethe.core.solver;

import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Where a minimisation by {@link NewtonSolver} is after a step, with all that its way onward
 * depends on beside the function: what is resumed from it goes the same way. Matrices are not part
 * of it, but where they were made, so that they can be made again.
 *
 * <p>Arrays are shared with the run, which changes none of them; nobody else may.
 *
 * @param step how many steps were taken
 * @param point where it is, as it was handed to the function
 * @param measuredStep the step of the last full evaluation, at most {@code step}
 * @param measuredAt where that was
 * @param firstNorm the gradient's norm at the start, in the preconditioner's norm; negative before
 *     the first step
 * @param fall by what the next step is expected to multiply the gradient's norm
 * @param factor that is kept for the next step, or null
 * @param products of conjugate gradient since the last preconditioner was made
 * @param preconditioner of conjugate gradient, or null for the diagonal
 */
public record NewtonState(
    int step,
    double[] point,
    int measuredStep,
    double[] measuredAt,
    double firstNorm,
    double fall,
    @Nullable Factor factor,
    int products,
    @Nullable Made preconditioner) {

  public NewtonState {
    if (step < 0 || measuredStep < 0 || measuredStep > step || products < 0) {
      throw new IllegalArgumentException(
          "steps and products must not be negative, nor a later step measured than taken");
    }
  }

  /** Before the first step. */
  public static NewtonState startingAt(double[] point) {
    return new NewtonState(0, point, 0, point, -1, 1, null, 0, null);
  }

  /**
   * Where a matrix was made.
   *
   * @param at the point
   * @param damping what was added to its diagonal
   */
  public record Origin(double[] at, double[] damping) {}

  /**
   * A factor of the Hessian at an earlier point, and what steps have shown since.
   *
   * @param exact whether it is of the Hessian itself, not of an approximation
   * @param pairs the oldest first
   */
  public record Factor(Origin origin, boolean exact, List<Pair> pairs) {
    public Factor {
      pairs = List.copyOf(pairs);
    }
  }

  /** A step and the change of the gradient along it. */
  public record Pair(double[] step, double[] change) {}

  /**
   * A preconditioner that was worth its cost.
   *
   * @param measuredAt the full evaluation whose diagonal it was made with
   */
  public record Made(Origin origin, double[] measuredAt, Preconditioning kind) {}

  /** Every point at which resuming evaluates the function. */
  public Stream<double[]> points() {
    Stream<double[]> points = Stream.of(point, measuredAt);
    if (factor != null) {
      points = Stream.concat(points, Stream.of(factor.origin().at()));
    }
    if (preconditioner != null) {
      points =
          Stream.concat(
              points, Stream.of(preconditioner.origin().at(), preconditioner.measuredAt()));
    }
    return points;
  }

  /** Every other vector: dampings, steps and changes of gradients. */
  public Stream<double[]> directions() {
    Stream<double[]> directions = Stream.of();
    if (factor != null) {
      directions =
          Stream.concat(
              Stream.of(factor.origin().damping()),
              factor.pairs().stream().flatMap(pair -> Stream.of(pair.step(), pair.change())));
    }
    return preconditioner == null
        ? directions
        : Stream.concat(directions, Stream.of(preconditioner.origin().damping()));
  }

  /** Says nothing of the contents. */
  @Override
  public String toString() {
    return "NewtonState[hidden]";
  }
}
