package dev.lethe.core.unlearn;

import dev.lethe.core.aggregate.Point;
import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.objective.ExampleSums;
import dev.lethe.core.objective.Penalty;

/**
 * The gradient difference of Warnecke et al. (NDSS 2023), sum form:
 *
 * <pre>
 *   G = sum_{i changed} ( grad l(theta; z~_i) - grad l(theta; z_i) )
 * </pre>
 *
 * Unchanged rows cancel, so only the changed ones need to be read; a removed row has no z~_i.
 */
public final class GradientDifference {
  private GradientDifference() {}

  /**
   * G, length p.
   *
   * @param original the changed rows as they were
   * @param corrected the changed rows as they are now
   */
  public static double[] of(ExampleSums original, ExampleSums corrected, Point theta) {
    return Vectors.add(
        corrected.gradient(theta).gradient(), -1, original.gradient(theta).gradient());
  }

  /**
   * grad L(theta; D') for a theta with grad L(theta; D) = 0, equation (2): G + (lambda' - lambda)
   * .* theta, with the entries of fixed coordinates set to 0.
   */
  public static double[] ofObjective(
      double[] g, Penalty original, Penalty corrected, double[] theta, boolean[] fixed) {
    double[] difference = g.clone();
    for (int j = 0; j < difference.length; j++) {
      difference[j] =
          fixed[j] ? 0 : difference[j] + (corrected.lambda()[j] - original.lambda()[j]) * theta[j];
    }
    return difference;
  }
}
