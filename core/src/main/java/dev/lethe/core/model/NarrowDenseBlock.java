package dev.lethe.core.model;

/** Rows as {@link DenseBlock}'s whose values all are floats, shorts or bytes and kept as such. */
public final class NarrowDenseBlock extends NarrowBlock {
  private static final long serialVersionUID = 1L;

  private final Narrow values;

  /**
   * @param width one that holds all values
   * @param values n * d values, row-major
   */
  NarrowDenseBlock(
      int features, Narrow.Width width, double[] values, double[] labels, double[] weights) {
    super(features, labels, weights, checksum(features, values));
    DenseBlock.requireSize(features, values, labels);
    this.values = Narrow.of(width, values);
  }

  @Override
  Copies copies(int rows) {
    double[] copy = new double[Math.min(rows, rows()) * features()];
    return (first, count) -> {
      values.widen(first * features(), copy, count * features());
      return new DenseBlock(this, first, count, copy);
    };
  }

  @Override
  public String storage() {
    return "dense " + values.word();
  }

  @Override
  public boolean isDense() {
    return true;
  }

  @Override
  public int entries(int row) {
    return features();
  }

  @Override
  public void copyRow(int row, double[] target) {
    values.widen(row * features(), target, features());
  }

  @Override
  public void forEachEntry(int row, EntryConsumer consumer) {
    int d = features();
    int offset = row * d;
    for (int j = 0; j < d; j++) {
      consumer.accept(j, values.at(offset + j));
    }
  }

  @Override
  public long bytes() {
    return values.bytes() + 16L * rows();
  }
}
