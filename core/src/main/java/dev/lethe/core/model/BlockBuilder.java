package dev.lethe.core.model;

import java.util.Arrays;

/**
 * Collects rows into blocks. A block is stored dense when more than half of its entries are not
 * zero, as compressed rows otherwise; its values as doubles, floats, shorts or bytes, whichever
 * hold all of them, or in compressed rows not at all if all are 1. Dense or not never changes a
 * result beyond rounding, the rest not a bit.
 */
public final class BlockBuilder {
  /** The most rows of a block. */
  public static final int MAX_ROWS = 4096;

  private static final double DENSE_ABOVE = 0.5;

  private final int features;
  private final int maxRows;
  private final int maxEntries;
  private int rows;
  private int entries;
  private boolean binary = true;
  private Narrow.Width width = Narrow.Width.BYTE;
  private int[] offsets;
  private int[] columns;
  private double[] values;
  private double[] labels;
  private double[] weights;

  /**
   * @param features d
   * @param maxRows rows after which a block {@linkplain #isFull() is full}
   * @param maxEntries stored entries after which a block is full
   */
  public BlockBuilder(int features, int maxRows, int maxEntries) {
    this.features = features;
    this.maxRows = maxRows;
    this.maxEntries = maxEntries;
    offsets = new int[65];
    columns = new int[1024];
    values = new double[1024];
    labels = new double[64];
    weights = new double[64];
  }

  /** A builder with blocks of at most {@value #MAX_ROWS} rows and about 8 MiB. */
  public static BlockBuilder of(int features) {
    return of(features, MAX_ROWS);
  }

  /** The same with fewer rows a block. */
  public static BlockBuilder of(int features, int maxRows) {
    return new BlockBuilder(features, maxRows, 1 << 20);
  }

  public boolean isFull() {
    return rows >= maxRows || entries >= maxEntries;
  }

  public boolean isEmpty() {
    return rows == 0;
  }

  /**
   * Adds an entry to the row that the next {@link #endRow} ends; zeros are dropped. Columns ascend.
   */
  public void add(int column, double value) {
    if (value == 0) {
      return;
    }
    if (entries == values.length) {
      int grown = Math.max(entries + 1, (int) Math.min(Integer.MAX_VALUE - 8L, 2L * entries));
      columns = Arrays.copyOf(columns, grown);
      values = Arrays.copyOf(values, grown);
    }
    binary &= value == 1;
    if (!width.holds(value)) {
      width = width.including(value);
    }
    columns[entries] = column;
    values[entries++] = value;
  }

  public void endRow(double label, double weight) {
    if (rows == labels.length) {
      labels = Arrays.copyOf(labels, 2 * rows);
      weights = Arrays.copyOf(weights, 2 * rows);
      offsets = Arrays.copyOf(offsets, 2 * rows + 1);
    }
    labels[rows] = label;
    weights[rows++] = weight;
    offsets[rows] = entries;
  }

  /** The collected rows; the builder is empty afterwards. */
  public ExampleBlock build() {
    double[] y = Arrays.copyOf(labels, rows);
    double[] w = Arrays.copyOf(weights, rows);
    long cells = (long) rows * features;
    boolean dense = entries > DENSE_ABOVE * cells && cells <= Integer.MAX_VALUE - 8;
    ExampleBlock block = dense ? dense((int) cells, y, w) : sparse(y, w);
    rows = 0;
    entries = 0;
    binary = true;
    width = Narrow.Width.BYTE;
    return block;
  }

  private ExampleBlock dense(int cells, double[] y, double[] w) {
    double[] dense = new double[cells];
    for (int i = 0; i < rows; i++) {
      for (int k = offsets[i]; k < offsets[i + 1]; k++) {
        dense[i * features + columns[k]] = values[k];
      }
    }
    return width == Narrow.Width.DOUBLE
        ? new DenseBlock(features, dense, y, w)
        : new NarrowDenseBlock(features, width, dense, y, w);
  }

  private ExampleBlock sparse(double[] y, double[] w) {
    int[] ends = Arrays.copyOf(offsets, rows + 1);
    int[] j = Arrays.copyOf(columns, entries);
    if (binary) {
      return NarrowSparseBlock.isNarrow(features)
          ? NarrowSparseBlock.ofOnes(features, ends, j, y, w)
          : new BinaryBlock(features, ends, j, y, w);
    }
    double[] x = Arrays.copyOf(values, entries);
    return width == Narrow.Width.DOUBLE
        ? new SparseBlock(features, ends, j, x, y, w)
        : NarrowSparseBlock.of(features, ends, j, width, x, y, w);
  }
}
