package dev.lethe.core.model;

/**
 * What one pass says about a data set of d features.
 *
 * @param rows n
 * @param checksum sum of the blocks' checksums, modulo 2^64
 * @param totalWeight W = sum_i w_i
 * @param labelWeight sum_i w_i y_i
 * @param variance per column the unbiased weighted variance s_j^2 = (sum_i w_i x_ij^2 - (sum_i w_i
 *     x_ij)^2 / W) / (W - sum_i w_i^2 / W), Spark ML's; exactly 0 for a constant column
 * @param varianceRelativeError per column e_j with |s_j^2 - exact| &lt;= e_j s_j^2; infinite where
 *     rounding leaves nothing of the variance
 * @param secondMoment per column sum_i w_i x_ij^2
 * @param min per column the least value
 * @param max per column the greatest value
 * @param invalid how many rows cannot be used
 */
public record Statistics(
    long rows,
    long checksum,
    double totalWeight,
    double labelWeight,
    double[] variance,
    double[] varianceRelativeError,
    double[] secondMoment,
    double[] min,
    double[] max,
    Invalid invalid) {

  /**
   * @param labels rows whose label the loss does not accept
   * @param weights rows whose weight is not finite and positive
   * @param values entries that are not finite
   * @param firstColumn the first column with such an entry, or -1
   */
  public record Invalid(long labels, long weights, long values, int firstColumn) {}

  public int features() {
    return variance.length;
  }

  /** Whether all rows hold the same value in the column. */
  public boolean isConstant(int column) {
    return min[column] == max[column];
  }

  /** Whether every row has label 0, or every row label 1, as far as weights tell. */
  public boolean hasOneClass() {
    return labelWeight == 0 || labelWeight == totalWeight;
  }

  /** max_i |x_ij|. */
  public double maxAbs(int column) {
    return Math.max(Math.abs(min[column]), Math.abs(max[column]));
  }
}
