package dev.lethe.core.certify;

import dev.lethe.core.linalg.Rounding;
import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.model.ParameterLayout;

/**
 * What one pass over the corrected data D' measured at a parameter vector theta; everything that a
 * distance bound may use.
 *
 * <p>Shapes: p coordinates, the intercept included where there is one. Coordinates with {@code
 * fixed[j]} are not part of the problem (theta_j = 0 exactly: removed features and constant
 * columns); their entries elsewhere are zero and must be ignored.
 *
 * @param gradient g = grad L_b(theta; D') as computed, sum form
 * @param gradientError per coordinate, a proven bound on |computed - exact|: rounding of the
 *     margins, of the loss derivative and of the sums; see {@code docs/mathematics.md}
 * @param lambda the penalties lambda'_j of D', sum form, or lower bounds of them where they are
 *     known to a rounding error only; 0 for an unpenalised coordinate. Every rule only divides by
 *     them, so a smaller one is on the safe side; the pull lambda'_j theta_j is part of the
 *     gradient, and its error of {@code gradientError}
 * @param fixed coordinates that are held at zero
 * @param layout where coefficients, intercepts (their x is 1) and scalars stand
 * @param curvature per output, h_k = sum_i w_i A_i,kk as computed, A_i the loss's Hessian in the
 *     outputs or a lower bound of it in the ball of {@code radius}
 * @param curvatureMoment c_j = sum_i w_i A_i,kk x_ij as computed, j of output k; c = h_k at its
 *     intercept
 * @param curvatureRelativeError kappa: every computed term w_i A_i,kk x_ij and every computed sum
 *     of them is within a relative kappa of the exact one, relative to the sum of absolute terms
 * @param rowNorm an upper bound of R = max_i ||x_i||_2 over the features that are not fixed, the 1
 *     of an intercept or a scalar included
 * @param scaledRowNorm an upper bound of max_i sqrt(sum_j x_ij^2 / lambda_j) over the penalised
 *     coefficients of a margin that are not fixed, with {@code lambda} as given here
 * @param selfConcordance M of the loss, or infinity
 * @param separable whether the loss is a sum of functions of one output each
 * @param radius where M is infinite: the curvatures are lower bounds in the ball of this radius
 *     around theta; negative if there is no such ball
 * @param offset ||theta - theta_0||_2 where only the difference of theta_0 to the minimiser is
 *     bounded: theta_0 is theta, centred where the loss leaves the centre open; rounded up
 */
public record Measurement(
    double[] gradient,
    double[] gradientError,
    double[] lambda,
    boolean[] fixed,
    ParameterLayout layout,
    double[] curvature,
    double[] curvatureMoment,
    double curvatureRelativeError,
    double rowNorm,
    double scaledRowNorm,
    double selfConcordance,
    boolean separable,
    double radius,
    double offset) {

  /** Whether anything but the penalty bounds the curvature around theta. */
  public boolean boundsCurvature() {
    return selfConcordance < Double.POSITIVE_INFINITY || radius >= 0;
  }

  /** Whether the loss is self-concordant with margins only, whose curvature is not separate. */
  boolean couplesMargins() {
    return !separable && layout.scalars() == 0 && selfConcordance < Double.POSITIVE_INFINITY;
  }

  /**
   * A proven bound on ||grad L_b(theta; D')||_2, sum form: the norm as computed, plus that of its
   * error bounds, rounded up.
   */
  public double residualBound() {
    return Rounding.up(Vectors.norm(gradient) + Vectors.norm(gradientError), size() + 8.0);
  }

  /** Number of coordinates p, fixed ones included. */
  public int size() {
    return gradient.length;
  }
}
