package dev.lethe.core.model;

import dev.lethe.core.linalg.CompensatedVector;
import java.io.Serializable;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Some rows (x_i, y_i, w_i) of a data set with d features, in primitive arrays; immutable, but for
 * what it remembers of the last pass.
 *
 * <p>The intercept is not stored: its x is 1. Methods that take a row do not check it and do not
 * allocate, they are called once a row and pass.
 */
public abstract sealed class ExampleBlock implements Serializable
    permits DenseBlock, SparseBlock, BinaryBlock, NarrowBlock {
  private static final long serialVersionUID = 1L;

  private final int features;
  private final double[] labels;
  private final double[] weights;
  private final long checksum;
  private transient volatile @Nullable Curvatures curvatures;

  /** One number a row, at one point. */
  private record Curvatures(long point, double[] values) {}

  /**
   * @param entriesChecksum of what the subclass stores, by {@link #checksum(long, double[])}
   */
  ExampleBlock(int features, double[] labels, double[] weights, long entriesChecksum) {
    if (labels.length != weights.length) {
      throw new IllegalArgumentException(labels.length + " labels, " + weights.length + " weights");
    }
    this.features = features;
    this.labels = labels;
    this.weights = weights;
    checksum = checksum(checksum(entriesChecksum, labels), weights);
  }

  /** Some rows of another block, with its checksum. */
  ExampleBlock(ExampleBlock block, int first, int rows) {
    features = block.features;
    labels = Arrays.copyOfRange(block.labels, first, first + rows);
    weights = Arrays.copyOfRange(block.weights, first, first + rows);
    checksum = block.checksum;
  }

  /** Mixes the bits of the values into a checksum (multiplier of Steele, Lea, Flood 2014). */
  static long checksum(long start, double[] values) {
    long sum = start + values.length;
    for (double value : values) {
      sum = (sum ^ Double.doubleToRawLongBits(value)) * 0x9E3779B97F4A7C15L;
      sum ^= sum >>> 32;
    }
    return sum;
  }

  /** As {@link #checksum(long, double[])}. */
  static long checksum(long start, int[] values) {
    long sum = start + values.length;
    for (int value : values) {
      sum = (sum ^ value) * 0x9E3779B97F4A7C15L;
      sum ^= sum >>> 32;
    }
    return sum;
  }

  /** {@link #checksum(long, double[])} of {@code count} times the value 1. */
  static long checksumOfOnes(long start, int count) {
    long sum = start + count;
    for (int k = 0; k < count; k++) {
      sum = (sum ^ Double.doubleToRawLongBits(1)) * 0x9E3779B97F4A7C15L;
      sum ^= sum >>> 32;
    }
    return sum;
  }

  /**
   * A checksum of every bit of the block, made when the block was. The sum over the blocks of a
   * data set tells two passes that saw different data apart, but for a chance of 2^-64; it is no
   * protection against somebody who chooses the data.
   */
  public final long checksum() {
    return checksum;
  }

  /** Rows n of this block. */
  public final int rows() {
    return labels.length;
  }

  /** Features d, the intercept not counted. */
  public final int features() {
    return features;
  }

  public final double label(int row) {
    return labels[row];
  }

  public final double weight(int row) {
    return weights[row];
  }

  /**
   * What was remembered of a point, one number a row; null if nothing is: another point's was since
   * then, or the block has been moved.
   *
   * @param point tells points apart
   */
  public final double @Nullable [] curvatures(long point) {
    Curvatures last = curvatures;
    return last != null && last.point == point ? last.values : null;
  }

  /**
   * Remembers numbers for later passes at the same point, where they save looking up a parameter
   * for every entry of sparse rows, and take little memory beside them.
   *
   * @param values shared, not copied; nobody changes them
   */
  public final void rememberCurvatures(long point, double[] values) {
    curvatures = new Curvatures(point, values);
  }

  /** Whether {@link #rememberCurvatures} is worth its memory: 8 bytes a row. */
  public final boolean isWorthRemembering() {
    return !isDense() && bytes() >= 100L * rows();
  }

  /**
   * How the entries are stored, in a word or two. Whether dense or not changes results by rounding
   * alone, what numbers are kept as not by a bit.
   */
  public abstract String storage();

  /**
   * The rows in their order, for passes that go row by row: this block, or where its products with
   * a row would have to copy it, blocks of some rows that have it as doubles, each valid until the
   * next and with this block's checksum.
   */
  public Iterable<ExampleBlock> wide() {
    return List.of(this);
  }

  /** How far rows can be added up plainly; null where each has to be compensated, or is dense. */
  @Nullable ColumnRuns runs() {
    return null;
  }

  /** Whether every entry is stored. */
  public abstract boolean isDense();

  /** x_i'v over d entries of v from {@code offset}; at most d products, in a fixed order. */
  public abstract double dot(int row, double[] v, int offset);

  /** sum_j |x_ij v_{offset + j}|. */
  public abstract double absoluteDot(int row, double[] v, int offset);

  /** sum_j x_ij^2 over the columns that are not fixed, plainly; fixed may have further entries. */
  public abstract double squaredNorm(int row, boolean[] fixed);

  /** Number of stored entries of the row, an upper bound of its nonzeros. */
  public abstract int entries(int row);

  /** sums_{offset + j} += a x_ij; the caller {@linkplain CompensatedVector#endRow ends the row}. */
  public abstract void addScaledRow(int row, double a, CompensatedVector sums, int offset);

  /** sums_{offset + j} += a |x_ij|, plainly; a must not be negative. */
  public abstract void addScaledAbsoluteRow(int row, double a, double[] sums, int offset);

  /** sums_{offset + j} += a x_ij, plainly. */
  public abstract void addScaledRowPlainly(int row, double a, double[] sums, int offset);

  /** Lower triangle of the d x d part of gram from (first, offset) += a x_i x_i'. */
  public abstract void addScaledOuterProduct(
      int row, double a, double[][] gram, int first, int offset);

  /** Writes x_i to the first d entries of {@code target}. */
  public abstract void copyRow(int row, double[] target);

  /** Calls the consumer for each stored entry of the row. */
  public abstract void forEachEntry(int row, EntryConsumer consumer);

  /** Bytes of the arrays. */
  public abstract long bytes();

  /** Receives (column, value). */
  @FunctionalInterface
  public interface EntryConsumer {
    void accept(int column, double value);
  }
}
