package dev.lethe.core.model;

import java.util.Arrays;

/**
 * Collects rows into blocks. A block is stored dense when more than half of its entries are not
 * zero, as compressed rows otherwise, without their values if all are 1; the first choice never
 * changes a result beyond rounding, the second not a bit.
 */
public final class BlockBuilder {
  private static final double DENSE_ABOVE = 0.5;

  private final int features;
  private final int maxRows;
  private final int maxEntries;
  private int rows;
  private int entries;
  private boolean binary = true;
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

  /** A builder with blocks of at most 4096 rows and about 8 MiB. */
  public static BlockBuilder of(int features) {
    return new BlockBuilder(features, 4096, 1 << 20);
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
    ExampleBlock block;
    if (entries > DENSE_ABOVE * cells && cells <= Integer.MAX_VALUE - 8) {
      double[] dense = new double[(int) cells];
      for (int i = 0; i < rows; i++) {
        for (int k = offsets[i]; k < offsets[i + 1]; k++) {
          dense[i * features + columns[k]] = values[k];
        }
      }
      block = new DenseBlock(features, dense, y, w);
    } else if (binary) {
      block =
          new BinaryBlock(
              features, Arrays.copyOf(offsets, rows + 1), Arrays.copyOf(columns, entries), y, w);
    } else {
      block =
          new SparseBlock(
              features,
              Arrays.copyOf(offsets, rows + 1),
              Arrays.copyOf(columns, entries),
              Arrays.copyOf(values, entries),
              y,
              w);
    }
    rows = 0;
    entries = 0;
    binary = true;
    return block;
  }
}
