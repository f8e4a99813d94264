package dev.lethe.core.model;

import dev.lethe.core.linalg.CompensatedVector;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Compressed sparse rows as {@link SparseBlock}'s in which every stored value is 1, as one-hot
 * columns and flags give: only the columns are kept. Every result has the bits that the same rows
 * have with their values stored.
 */
public final class BinaryBlock extends ExampleBlock {
  private static final long serialVersionUID = 1L;

  private final int[] offsets;
  private final int[] columns;
  private final @Nullable ColumnRuns runs;

  /** Arrays are shared, not copied. */
  public BinaryBlock(
      int features, int[] offsets, int[] columns, double[] labels, double[] weights) {
    super(features, labels, weights, checksum(features, offsets, columns));
    if (offsets.length != labels.length + 1 || offsets[labels.length] != columns.length) {
      throw new IllegalArgumentException("inconsistent compressed rows");
    }
    this.offsets = offsets;
    this.columns = columns;
    runs = ColumnRuns.of(features, offsets, columns);
  }

  /** Some rows of another block, with its checksum; arrays may have further entries. */
  BinaryBlock(ExampleBlock block, int first, int rows, int[] offsets, int[] columns) {
    super(block, first, rows);
    this.offsets = offsets;
    this.columns = columns;
    runs = null;
  }

  static long checksum(int features, int[] offsets, int[] columns) {
    return checksumOfOnes(checksum(checksum(features, offsets), columns), columns.length);
  }

  @Override
  public String storage() {
    return "binary";
  }

  @Override
  @Nullable ColumnRuns runs() {
    return runs;
  }

  @Override
  public boolean isDense() {
    return false;
  }

  @Override
  public double dot(int row, double[] v, int from) {
    double sum = 0;
    for (int k = offsets[row]; k < offsets[row + 1]; k++) {
      sum += v[from + columns[k]];
    }
    return sum;
  }

  @Override
  public double absoluteDot(int row, double[] v, int from) {
    double sum = 0;
    for (int k = offsets[row]; k < offsets[row + 1]; k++) {
      sum += Math.abs(v[from + columns[k]]);
    }
    return sum;
  }

  @Override
  public double squaredNorm(int row, boolean[] fixed) {
    double sum = 0;
    for (int k = offsets[row]; k < offsets[row + 1]; k++) {
      sum += fixed[columns[k]] ? 0 : 1;
    }
    return sum;
  }

  @Override
  public int entries(int row) {
    return offsets[row + 1] - offsets[row];
  }

  @Override
  public void addScaledRow(int row, double a, CompensatedVector sums, int target) {
    for (int k = offsets[row]; k < offsets[row + 1]; k++) {
      sums.add(target + columns[k], a);
    }
  }

  @Override
  public void addScaledAbsoluteRow(int row, double a, double[] sums, int target) {
    addScaledRowPlainly(row, a, sums, target);
  }

  @Override
  public void addScaledRowPlainly(int row, double a, double[] sums, int target) {
    for (int k = offsets[row]; k < offsets[row + 1]; k++) {
      sums[target + columns[k]] += a;
    }
  }

  @Override
  public void addScaledOuterProduct(int row, double a, double[][] gram, int first, int target) {
    for (int k = offsets[row]; k < offsets[row + 1]; k++) {
      double[] sums = gram[first + columns[k]];
      for (int l = offsets[row]; l <= k; l++) {
        sums[target + columns[l]] += a;
      }
    }
  }

  @Override
  public void copyRow(int row, double[] target) {
    Arrays.fill(target, 0, features(), 0);
    for (int k = offsets[row]; k < offsets[row + 1]; k++) {
      target[columns[k]] = 1;
    }
  }

  @Override
  public void forEachEntry(int row, EntryConsumer consumer) {
    for (int k = offsets[row]; k < offsets[row + 1]; k++) {
      consumer.accept(columns[k], 1);
    }
  }

  @Override
  public long bytes() {
    return 4L * columns.length
        + 4L * offsets.length
        + 16L * rows()
        + (runs == null ? 0 : runs.bytes());
  }
}
