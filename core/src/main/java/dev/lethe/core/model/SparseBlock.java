package dev.lethe.core.model;

import dev.lethe.core.linalg.CompensatedVector;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Rows in compressed sparse row form: the entries of row i are at offsets[i] .. offsets[i + 1] - 1
 * of {@code columns} (ascending within a row) and {@code values}.
 */
public final class SparseBlock extends ExampleBlock {
  private static final long serialVersionUID = 1L;

  private final int[] offsets;
  private final int[] columns;
  private final double[] values;
  private final @Nullable ColumnRuns runs;

  /** Arrays are shared, not copied. */
  public SparseBlock(
      int features,
      int[] offsets,
      int[] columns,
      double[] values,
      double[] labels,
      double[] weights) {
    super(features, labels, weights, checksum(features, offsets, columns, values));
    if (offsets.length != labels.length + 1
        || columns.length != values.length
        || offsets[labels.length] != values.length) {
      throw new IllegalArgumentException("inconsistent compressed rows");
    }
    this.offsets = offsets;
    this.columns = columns;
    this.values = values;
    runs = ColumnRuns.of(features, offsets, columns);
  }

  /** Some rows of another block, with its checksum; arrays may have further entries. */
  SparseBlock(
      ExampleBlock block, int first, int rows, int[] offsets, int[] columns, double[] values) {
    super(block, first, rows);
    this.offsets = offsets;
    this.columns = columns;
    this.values = values;
    runs = null;
  }

  static long checksum(int features, int[] offsets, int[] columns, double[] values) {
    return checksum(checksum(checksum(features, offsets), columns), values);
  }

  @Override
  public String storage() {
    return "sparse";
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
      sum += values[k] * v[from + columns[k]];
    }
    return sum;
  }

  @Override
  public double absoluteDot(int row, double[] v, int from) {
    double sum = 0;
    for (int k = offsets[row]; k < offsets[row + 1]; k++) {
      sum += Math.abs(values[k] * v[from + columns[k]]);
    }
    return sum;
  }

  @Override
  public double squaredNorm(int row, boolean[] fixed) {
    double sum = 0;
    for (int k = offsets[row]; k < offsets[row + 1]; k++) {
      sum += fixed[columns[k]] ? 0 : values[k] * values[k];
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
      sums.add(target + columns[k], a * values[k]);
    }
  }

  @Override
  public void addScaledAbsoluteRow(int row, double a, double[] sums, int target) {
    for (int k = offsets[row]; k < offsets[row + 1]; k++) {
      sums[target + columns[k]] += a * Math.abs(values[k]);
    }
  }

  @Override
  public void addScaledRowPlainly(int row, double a, double[] sums, int target) {
    for (int k = offsets[row]; k < offsets[row + 1]; k++) {
      sums[target + columns[k]] += a * values[k];
    }
  }

  @Override
  public void addScaledOuterProduct(int row, double a, double[][] gram, int first, int target) {
    for (int k = offsets[row]; k < offsets[row + 1]; k++) {
      double ak = a * values[k];
      double[] sums = gram[first + columns[k]];
      for (int l = offsets[row]; l <= k; l++) {
        sums[target + columns[l]] += ak * values[l];
      }
    }
  }

  @Override
  public void copyRow(int row, double[] target) {
    Arrays.fill(target, 0, features(), 0);
    for (int k = offsets[row]; k < offsets[row + 1]; k++) {
      target[columns[k]] = values[k];
    }
  }

  @Override
  public void forEachEntry(int row, EntryConsumer consumer) {
    for (int k = offsets[row]; k < offsets[row + 1]; k++) {
      consumer.accept(columns[k], values[k]);
    }
  }

  @Override
  public long bytes() {
    return 12L * values.length
        + 4L * offsets.length
        + 16L * rows()
        + (runs == null ? 0 : runs.bytes());
  }
}
