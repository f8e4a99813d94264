package dev.lethe.core.linalg;

import java.io.Serializable;
import java.util.Arrays;
import java.util.function.DoubleBinaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * A vector of plain sums, minima or maxima, cut and sent as {@link CompensatedVector} is: {@link
 * #sealed}, it keeps only the entries that differ from the operation's neutral element.
 */
public final class PlainVector implements Serializable {
  private static final long serialVersionUID = 1L;

  private final int size;
  private final double neutral;
  private double[] values;
  private int @Nullable [] packed;

  /**
   * @param neutral 0 for sums, an infinity for minima and maxima
   */
  public PlainVector(int size, double neutral) {
    this(neutral, new double[size]);
    if (neutral != 0) {
      Arrays.fill(values, neutral);
    }
  }

  private PlainVector(double neutral, double[] values) {
    size = values.length;
    this.neutral = neutral;
    this.values = values;
  }

  public int size() {
    return size;
  }

  /** All entries, to be read and written until {@link #sealed}. */
  public double[] values() {
    if (packed != null) {
      values = Packing.spread(values, packed, size, neutral);
      packed = null;
    }
    return values;
  }

  /** Combines every entry with that of {@code other}. */
  public void merge(PlainVector other, DoubleBinaryOperator operation) {
    if (other.size != size) {
      throw new IllegalArgumentException("sizes differ: " + size + ", " + other.size);
    }
    double[] all = values();
    for (int k = 0; k < other.values.length; k++) {
      int j = other.packed == null ? k : other.packed[k];
      all[j] = operation.applyAsDouble(all[j], other.values[k]);
    }
  }

  /** Before the vector is serialized. */
  public PlainVector sealed() {
    if (packed == null) {
      packed = Packing.indices(values, values, neutral);
      values = packed == null ? values : Packing.take(values, packed);
    }
    return this;
  }

  /** As {@link CompensatedVector#slice}. */
  public PlainVector slice(int part, int parts) {
    return new PlainVector(
        neutral,
        Arrays.copyOfRange(
            values(), Packing.start(size, part, parts), Packing.start(size, part + 1, parts)));
  }

  /** As {@link CompensatedVector#place}. */
  public void place(PlainVector slice, int part, int parts) {
    System.arraycopy(slice.values(), 0, values(), Packing.start(size, part, parts), slice.size);
  }
}
