package dev.lethe.core.model;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Compressed rows as {@link SparseBlock}'s or {@link BinaryBlock}'s with values that all are
 * floats, shorts, bytes or 1 and kept as such or not at all, and columns in 16 bits where these are
 * enough.
 */
public final class NarrowSparseBlock extends NarrowBlock {
  private static final long serialVersionUID = 1L;

  private static final int MOST_OF_16_BITS = 1 << 16;

  private final int[] offsets;
  private final char[] shortColumns;
  private final int[] columns;
  private final @Nullable Narrow values;
  private final @Nullable ColumnRuns runs;

  /**
   * @param values null where all are 1
   */
  private NarrowSparseBlock(
      int features,
      int[] offsets,
      int[] columns,
      @Nullable Narrow values,
      double[] labels,
      double[] weights,
      long checksum) {
    super(features, labels, weights, checksum);
    this.offsets = offsets;
    boolean isShort = features <= MOST_OF_16_BITS;
    shortColumns = new char[isShort ? columns.length : 0];
    for (int k = 0; k < shortColumns.length; k++) {
      shortColumns[k] = (char) columns[k];
    }
    this.columns = isShort ? new int[0] : columns;
    this.values = values;
    runs = ColumnRuns.of(features, offsets, columns);
  }

  /** Whether rows without values take fewer bits here than in a {@link BinaryBlock}. */
  static boolean isNarrow(int features) {
    return features <= MOST_OF_16_BITS;
  }

  /** Of rows whose values are 1; arrays are shared, not copied. */
  static NarrowSparseBlock ofOnes(
      int features, int[] offsets, int[] columns, double[] labels, double[] weights) {
    long checksum = BinaryBlock.checksum(features, offsets, columns);
    return new NarrowSparseBlock(features, offsets, columns, null, labels, weights, checksum);
  }

  /**
   * Arrays are shared, not copied.
   *
   * @param width one that holds all values
   */
  static NarrowSparseBlock of(
      int features,
      int[] offsets,
      int[] columns,
      Narrow.Width width,
      double[] values,
      double[] labels,
      double[] weights) {
    long checksum = SparseBlock.checksum(features, offsets, columns, values);
    Narrow narrow = Narrow.of(width, values);
    return new NarrowSparseBlock(features, offsets, columns, narrow, labels, weights, checksum);
  }

  @Override
  Copies copies(int rows) {
    return new Panel(rows);
  }

  private final class Panel implements Copies {
    private final int[] starts;
    private int[] panelColumns = new int[0];
    private double[] panelValues = new double[0];

    Panel(int rows) {
      starts = new int[rows + 1];
    }

    @Override
    public ExampleBlock of(int first, int rows) {
      int from = offsets[first];
      int count = offsets[first + rows] - from;
      if (panelColumns.length < count) {
        panelColumns = new int[count];
        panelValues = new double[values == null ? 0 : count];
      }
      for (int r = 0; r <= rows; r++) {
        starts[r] = offsets[first + r] - from;
      }
      copyColumns(from, panelColumns, count);
      ExampleBlock whole = NarrowSparseBlock.this;
      if (values == null) {
        return new BinaryBlock(whole, first, rows, starts, panelColumns);
      }
      values.widen(from, panelValues, count);
      return new SparseBlock(whole, first, rows, starts, panelColumns, panelValues);
    }
  }

  private void copyColumns(int from, int[] target, int count) {
    if (columns.length > 0) {
      System.arraycopy(columns, from, target, 0, count);
    } else {
      for (int k = 0; k < count; k++) {
        target[k] = shortColumns[from + k];
      }
    }
  }

  private int column(int k) {
    return columns.length > 0 ? columns[k] : shortColumns[k];
  }

  private double value(int k) {
    return values == null ? 1 : values.at(k);
  }

  @Override
  public String storage() {
    String form = values == null ? "binary" : "sparse " + values.word();
    return features() <= MOST_OF_16_BITS ? form + ", 16-bit columns" : form;
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
  public int entries(int row) {
    return offsets[row + 1] - offsets[row];
  }

  @Override
  public void copyRow(int row, double[] target) {
    Arrays.fill(target, 0, features(), 0);
    for (int k = offsets[row]; k < offsets[row + 1]; k++) {
      target[column(k)] = value(k);
    }
  }

  @Override
  public void forEachEntry(int row, EntryConsumer consumer) {
    for (int k = offsets[row]; k < offsets[row + 1]; k++) {
      consumer.accept(column(k), value(k));
    }
  }

  @Override
  public long bytes() {
    return 2L * shortColumns.length
        + 4L * (columns.length + offsets.length)
        + (values == null ? 0 : values.bytes())
        + 16L * rows()
        + (runs == null ? 0 : runs.bytes());
  }
}
