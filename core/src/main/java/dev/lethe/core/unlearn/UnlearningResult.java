package dev.lethe.core.unlearn;

import dev.lethe.core.certify.DistanceBound;
import dev.lethe.core.objective.Objective;
import java.util.List;
import java.util.OptionalDouble;

/**
 * What an update reached, as measured on the corrected data.
 *
 * @param end the new parameters and their measurement
 * @param bound the proven distance to the minimiser on the corrected data, or why there is none
 * @param steps step 0 is the start; those of a run that was resumed begin where it was measured
 *     last
 * @param outcome whether the target was reached, and if not, why
 * @param apriori a bound of the residual after step 1 that was known before it was measured
 */
public record UnlearningResult(
    Objective.Measured end,
    DistanceBound bound,
    List<Step> steps,
    Outcome outcome,
    AprioriBound apriori) {
  public UnlearningResult {
    steps = List.copyOf(steps);
  }

  /** How an update ended. */
  public enum Outcome {
    /** The proven distance is at most rho. */
    WITHIN_RHO,
    /** The proven residual is at most the one that was asked for. */
    WITHIN_RESIDUAL,
    /** The update was carried out; its proven distance exceeds rho or none is proven. */
    ABOVE_RHO,
    /** Rounding alone allows no proof of rho. */
    ROUNDING_LIMITED,
    /**
     * The estimated distance is at most rho, or rounding ended the steps, and no step would lead to
     * a proof: the bound's cause tells why.
     */
    UNPROVABLE,
    /** The step limit was reached. */
    MAX_STEPS,
    /** The linear system could not be solved, or gave no descent. */
    LINEAR_SOLVER_FAILED
  }

  /**
   * The state after a step.
   *
   * @param gradientNorm ||grad L(theta; D')||_2, sum form, as measured
   * @param distance the proven distance, where one is proven
   * @param products Hessian-vector products of the step, those that check residuals included
   * @param passes all passes of the step over the data
   */
  public record Step(
      int step,
      double gradientNorm,
      OptionalDouble distance,
      int products,
      int passes,
      double seconds) {}

  /** The proven distance, if any. */
  public OptionalDouble distance() {
    return Unlearning.distance(bound);
  }
}
