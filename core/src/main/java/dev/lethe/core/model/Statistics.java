package dev.lethe.core.model;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/**
 * What one pass says about a data set of d features.
 *
 * @param rows n
 * @param checksum sum of the blocks' checksums, modulo 2^64
 * @param totalWeight W = sum_i w_i
 * @param unbiasedWeight W - sum_i w_i^2 / W, which unbiased variances are divided by
 * @param columns one for each feature
 * @param label of the labels
 * @param classes rows of each class; empty where labels are no classes
 * @param invalid how many rows cannot be used
 * @param entries features that are not zero, of all rows
 */
public record Statistics(
    long rows,
    long checksum,
    double totalWeight,
    double unbiasedWeight,
    List<ColumnStatistics> columns,
    ColumnStatistics label,
    long[] classes,
    Invalid invalid,
    long entries) {
  public Statistics {
    columns = List.copyOf(columns);
  }

  /**
   * @param labels rows whose label the loss does not accept
   * @param weights rows whose weight is not finite and positive
   * @param values entries that are not finite
   * @param firstColumn the first column with such an entry, or -1
   */
  public record Invalid(long labels, long weights, long values, int firstColumn) {}

  /** The same with zeros in some columns. */
  public Statistics without(BitSet removed) {
    List<ColumnStatistics> kept = new ArrayList<>(columns);
    removed.stream().forEach(j -> kept.set(j, ColumnStatistics.ZERO));
    return new Statistics(
        rows, checksum, totalWeight, unbiasedWeight, kept, label, classes, invalid, entries);
  }

  public int features() {
    return columns.size();
  }

  public ColumnStatistics column(int feature) {
    return columns.get(feature);
  }

  /** (W - sum_i w_i^2 / W) / W: population variances are this times the unbiased ones. */
  public double populationShare() {
    return unbiasedWeight / totalWeight;
  }
}
