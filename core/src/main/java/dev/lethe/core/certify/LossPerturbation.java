package dev.lethe.core.certify;

import org.apache.commons.rng.UniformRandomProvider;

/**
 * Loss perturbation (Chaudhuri, Monteleoni, Sarwate, JMLR 2011; Guo et al., ICML 2020, Theorem 3;
 * Warnecke et al., NDSS 2023): the objective gets a linear term b'theta with b ~ N(0, sigma^2 I),
 * and a model of the corrected data is released without further noise where
 *
 * <pre>
 *   ||grad L_b(theta; D')||_2 &lt;= r &lt;= sigma epsilon / c,   c = sqrt(2 ln(1.5 / delta)),
 *   epsilon &lt;= 1                                                                          (6)
 * </pre>
 *
 * <p>The theorem takes the residual to be independent of b. That of a solver is a function of b,
 * and the true delta can then be far larger ({@code docs/mathematics.md}, section 11): this is for
 * comparison with {@link GaussianMechanism}, which needs no such premise.
 *
 * <p>An instance is a claim that holds under that premise: the constructor refuses a sigma for
 * which (6) does not hold.
 *
 * @param epsilon in (0, 1]
 * @param delta in (0, 1)
 * @param residual r, a 2-norm of the gradient in the sum form, positive and finite
 * @param sigma the standard deviation of every coordinate of b, in units of the gradient
 */
public record LossPerturbation(double epsilon, double delta, double residual, double sigma) {
  /** What the claim rests on, as certificates word it. */
  public static final String ASSUMPTION = "guo-2020: assumes a residual independent of b";

  /** A handful of roundings, and a logarithm that another Java runtime rounds differently. */
  private static final double TOLERANCE = 0x1p-48;

  public LossPerturbation {
    if (!(epsilon > 0 && epsilon <= 1)) {
      throw new IllegalArgumentException(
          "epsilon = " + epsilon + ": must lie in (0, 1] with loss perturbation");
    }
    if (!(delta > 0 && delta < 1)) {
      throw new IllegalArgumentException("delta = " + delta + ": must lie in (0, 1)");
    }
    if (!(residual > 0 && residual < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException(
          "residual = " + residual + ": must be positive and finite");
    }
    if (!(sigma < Double.POSITIVE_INFINITY && residual * c(delta) <= sigma * epsilon)) {
      throw new IllegalArgumentException(
          "sigma = %s: must be finite and at least residual c / epsilon = %s"
              .formatted(sigma, residual * c(delta) / epsilon));
    }
  }

  /**
   * The perturbation with the smallest sigma that satisfies (6), rounded up.
   *
   * @throws IllegalArgumentException unless epsilon lies in (0, 1], delta in (0, 1), and r and
   *     sigma are positive and finite
   */
  public static LossPerturbation calibrate(double epsilon, double delta, double residual) {
    return new LossPerturbation(
        epsilon, delta, residual, residual * c(delta) / epsilon * (1 + TOLERANCE));
  }

  /** c = sqrt(2 ln(1.5 / delta)). */
  private static double c(double delta) {
    return Math.sqrt(2 * Math.log(1.5 / delta));
  }

  /** Draws b, length p. */
  public double[] draw(int coordinates, UniformRandomProvider rng) {
    return new GaussianNoise(sigma).sample(coordinates, rng);
  }
}
