package dev.lethe.core.model;

import dev.lethe.core.linalg.CompensatedVector;
import java.util.Iterator;
import java.util.NoSuchElementException;

/**
 * Rows that are kept in fewer bits than as doubles. Every result has the bits that the same rows
 * have as doubles.
 *
 * <p>Passes take {@link RowPanel} or {@link #wide}; the products of one row make a copy of it.
 */
public abstract sealed class NarrowBlock extends ExampleBlock
    permits NarrowDenseBlock, NarrowSparseBlock {
  private static final long serialVersionUID = 1L;

  NarrowBlock(int features, double[] labels, double[] weights, long entriesChecksum) {
    super(features, labels, weights, entriesChecksum);
  }

  /** Copies some rows as doubles, into arrays that its next call overwrites. */
  @FunctionalInterface
  interface Copies {
    ExampleBlock of(int first, int rows);
  }

  /**
   * @param rows the most of a call
   */
  abstract Copies copies(int rows);

  @Override
  public final Iterable<ExampleBlock> wide() {
    return Panels::new;
  }

  /** The rows, a panel at a time. */
  private final class Panels implements Iterator<ExampleBlock> {
    private final Copies copies = copies(RowPanel.ROWS);
    private int first;

    @Override
    public boolean hasNext() {
      return first < rows();
    }

    @Override
    public ExampleBlock next() {
      if (!hasNext()) {
        throw new NoSuchElementException();
      }
      ExampleBlock copy = copies.of(first, Math.min(rows() - first, RowPanel.ROWS));
      first += copy.rows();
      return copy;
    }
  }

  private ExampleBlock row(int row) {
    return copies(1).of(row, 1);
  }

  @Override
  public final double dot(int row, double[] v, int from) {
    return row(row).dot(0, v, from);
  }

  @Override
  public final double absoluteDot(int row, double[] v, int from) {
    return row(row).absoluteDot(0, v, from);
  }

  @Override
  public final double squaredNorm(int row, boolean[] fixed) {
    return row(row).squaredNorm(0, fixed);
  }

  @Override
  public final void addScaledRow(int row, double a, CompensatedVector sums, int target) {
    row(row).addScaledRow(0, a, sums, target);
  }

  @Override
  public final void addScaledAbsoluteRow(int row, double a, double[] sums, int target) {
    row(row).addScaledAbsoluteRow(0, a, sums, target);
  }

  @Override
  public final void addScaledRowPlainly(int row, double a, double[] sums, int target) {
    row(row).addScaledRowPlainly(0, a, sums, target);
  }

  @Override
  public final void addScaledOuterProduct(
      int row, double a, double[][] gram, int first, int target) {
    row(row).addScaledOuterProduct(0, a, gram, first, target);
  }
}
