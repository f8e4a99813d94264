package dev.lethe.core.certify;

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
 * @param interceptIndex index of the intercept coordinate (its x is 1), or -1
 * @param curvature h = sum_i w_i l''(s_i) as computed
 * @param curvatureMoment c_j = sum_i w_i l''(s_i) x_ij as computed; c = h at the intercept
 * @param curvatureRelativeError kappa: every computed term w_i l''(s_i) x_ij and every computed sum
 *     of them is within a relative kappa of the exact one, relative to the sum of absolute terms
 * @param rowNorm an upper bound of R = max_i ||x_i||_2 over the coordinates that are not fixed, the
 *     intercept's 1 included
 * @param scaledRowNorm an upper bound of max_i sqrt(sum_j x_ij^2 / lambda_j) over the penalised
 *     coordinates that are not fixed, with {@code lambda} as given here
 * @param selfConcordantLoss whether |l'''| &lt;= l'' holds for the loss
 */
public record Measurement(
    double[] gradient,
    double[] gradientError,
    double[] lambda,
    boolean[] fixed,
    int interceptIndex,
    double curvature,
    double[] curvatureMoment,
    double curvatureRelativeError,
    double rowNorm,
    double scaledRowNorm,
    boolean selfConcordantLoss) {

  /** Number of coordinates p, fixed ones included. */
  public int size() {
    return gradient.length;
  }
}
