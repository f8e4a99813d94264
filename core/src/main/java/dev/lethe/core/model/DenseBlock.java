package dev.lethe.core.model;

import dev.lethe.core.linalg.CompensatedVector;

/** Rows in one row-major array: x_ij = values[i d + j]. */
public final class DenseBlock extends ExampleBlock {
  private static final long serialVersionUID = 1L;

  private final double[] values;

  /**
   * @param values n * d values, row-major; shared, not copied
   */
  public DenseBlock(int features, double[] values, double[] labels, double[] weights) {
    super(features, labels, weights, checksum(features, values));
    requireSize(features, values, labels);
    this.values = values;
  }

  /**
   * Some rows of another block, with its checksum.
   *
   * @param values their values, row-major, perhaps followed by others; shared, not copied
   */
  DenseBlock(ExampleBlock block, int first, int rows, double[] values) {
    super(block, first, rows);
    this.values = values;
  }

  static void requireSize(int features, double[] values, double[] labels) {
    if (values.length != (long) labels.length * features) {
      throw new IllegalArgumentException(
          values.length + " values for " + labels.length + " rows of " + features + " features");
    }
  }

  /** Not a copy. */
  double[] values() {
    return values;
  }

  @Override
  public String storage() {
    return "dense";
  }

  @Override
  public boolean isDense() {
    return true;
  }

  @Override
  public double dot(int row, double[] v, int from) {
    int d = features();
    int offset = row * d;
    // Four independent sums let the processor overlap the additions.
    double s0 = 0;
    double s1 = 0;
    double s2 = 0;
    double s3 = 0;
    int j = 0;
    for (; j + 3 < d; j += 4) {
      s0 += values[offset + j] * v[from + j];
      s1 += values[offset + j + 1] * v[from + j + 1];
      s2 += values[offset + j + 2] * v[from + j + 2];
      s3 += values[offset + j + 3] * v[from + j + 3];
    }
    for (; j < d; j++) {
      s0 += values[offset + j] * v[from + j];
    }
    return (s0 + s1) + (s2 + s3);
  }

  @Override
  public double absoluteDot(int row, double[] v, int from) {
    int d = features();
    int offset = row * d;
    double sum = 0;
    for (int j = 0; j < d; j++) {
      sum += Math.abs(values[offset + j] * v[from + j]);
    }
    return sum;
  }

  @Override
  public double squaredNorm(int row, boolean[] fixed) {
    int d = features();
    int offset = row * d;
    double sum = 0;
    for (int j = 0; j < d; j++) {
      sum += fixed[j] ? 0 : values[offset + j] * values[offset + j];
    }
    return sum;
  }

  @Override
  public int entries(int row) {
    return features();
  }

  @Override
  public void addScaledRow(int row, double a, CompensatedVector sums, int target) {
    int d = features();
    int offset = row * d;
    double[] panel = sums.panel(1);
    for (int j = 0; j < d; j++) {
      panel[target + j] += a * values[offset + j];
    }
  }

  @Override
  public void addScaledAbsoluteRow(int row, double a, double[] sums, int target) {
    int d = features();
    int offset = row * d;
    for (int j = 0; j < d; j++) {
      sums[target + j] += a * Math.abs(values[offset + j]);
    }
  }

  @Override
  public void addScaledRowPlainly(int row, double a, double[] sums, int target) {
    int d = features();
    int offset = row * d;
    for (int j = 0; j < d; j++) {
      sums[target + j] += a * values[offset + j];
    }
  }

  @Override
  public void addScaledOuterProduct(int row, double a, double[][] gram, int first, int target) {
    int d = features();
    int offset = row * d;
    for (int j = 0; j < d; j++) {
      double aj = a * values[offset + j];
      if (aj != 0) {
        double[] sums = gram[first + j];
        for (int k = 0; k <= j; k++) {
          sums[target + k] += aj * values[offset + k];
        }
      }
    }
  }

  @Override
  public void copyRow(int row, double[] target) {
    System.arraycopy(values, row * features(), target, 0, features());
  }

  @Override
  public void forEachEntry(int row, EntryConsumer consumer) {
    int d = features();
    int offset = row * d;
    for (int j = 0; j < d; j++) {
      consumer.accept(j, values[offset + j]);
    }
  }

  @Override
  public long bytes() {
    return 8L * rows() * (features() + 2L);
  }
}
