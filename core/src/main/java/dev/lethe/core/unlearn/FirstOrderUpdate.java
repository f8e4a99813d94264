package dev.lethe.core.unlearn;

import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.objective.Objective;
import java.util.OptionalDouble;

/**
 * The first-order update theta+ = theta - tau g (Warnecke et al., NDSS 2023).
 *
 * @param tau the unlearning rate; empty for the exact minimiser along -g of the quadratic model,
 *     tau = g'g / g'Hg, which costs one Hessian-vector product
 */
public record FirstOrderUpdate(OptionalDouble tau) {
  public FirstOrderUpdate {
    if (tau.isPresent() && !(tau.getAsDouble() > 0 && Double.isFinite(tau.getAsDouble()))) {
      throw new IllegalArgumentException(
          "tau must be finite and positive, not " + tau.getAsDouble());
    }
  }

  /** The new parameters and the rate that was used. */
  public record Result(double[] theta, double rate) {}

  /**
   * theta - tau g.
   *
   * @param objective of the corrected data
   * @param g the gradient difference, or the gradient on the corrected data
   */
  public Result apply(Objective objective, double[] theta, double[] g) {
    double rate = tau.isPresent() ? tau.getAsDouble() : automatic(objective, theta, g);
    return new Result(Vectors.add(theta, -rate, g), rate);
  }

  private static double automatic(Objective objective, double[] theta, double[] g) {
    double square = Vectors.dot(g, g);
    double curvature = Vectors.dot(g, objective.hessian(theta).apply(g));
    // g = 0: nothing to do. g'Hg = 0 with g != 0 has no minimiser along -g.
    if (square > 0 && !(curvature > 0)) {
      throw new ArithmeticException(
          "tau: auto has no value, the objective is flat along the gradient; give tau");
    }
    return square == 0 ? 0 : square / curvature;
  }
}
