package dev.lethe.core.model;

/**
 * What one pass says about a column, or about the label.
 *
 * @param min the least value
 * @param max the greatest value
 * @param sum sum_i w_i x_i
 * @param secondMoment sum_i w_i x_i^2
 * @param variance the unbiased weighted variance s^2 = (sum_i w_i x_i^2 - (sum_i w_i x_i)^2 / W) /
 *     (W - sum_i w_i^2 / W), Spark ML's; exactly 0 for a constant column
 * @param varianceRelativeError e with |s^2 - exact| &lt;= e s^2; infinite where rounding leaves
 *     nothing of the variance
 */
public record ColumnStatistics(
    double min,
    double max,
    double sum,
    double secondMoment,
    double variance,
    double varianceRelativeError) {

  /** Of a column of zeros; one object for all of them, of which there may be millions. */
  public static final ColumnStatistics ZERO = new ColumnStatistics(0, 0, 0, 0, 0, 0);

  /** Whether all rows hold the same value. */
  public boolean isConstant() {
    return min == max;
  }

  /** max_i |x_i|. */
  public double maxAbs() {
    return Math.max(Math.abs(min), Math.abs(max));
  }
}
