package dev.lethe.spark.certificate;

/**
 * The figures of a certified release: theta + N(0, sigma^2 I) rounded to a grid, where {@code
 * ||theta - theta*(D')||_2 <= rho} was proven.
 *
 * @param epsilon in (0, infinity)
 * @param delta in (0, 1)
 * @param rho the proven distance in the 2-norm of the parameters, fixed before the run
 * @param sigma standard deviation of the noise on every parameter
 * @param gridStep every published parameter is a whole multiple of it
 */
public record Claim(double epsilon, double delta, double rho, double sigma, double gridStep) {
  public Claim {
    Require.positive(epsilon, "epsilon");
    Require.that(delta > 0 && delta < 1, "delta must be a number in (0, 1)");
    Require.positive(rho, "rho");
    Require.positive(sigma, "sigma");
    Require.positive(gridStep, "gridStep");
  }
}
