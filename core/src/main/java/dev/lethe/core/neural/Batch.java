package dev.lethe.core.neural;

import java.lang.reflect.Array;
import java.util.Arrays;
import java.util.List;

/**
 * Examples as a network takes them, row-major. Inputs are numbers or tokens, targets are classes or
 * numbers.
 */
public final class Batch {
  private final int rows;
  private final int[] shape;
  private final float[] values;
  private final long[] tokens;
  private final long[] classes;
  private final float[] targets;

  private Batch(
      int rows, int[] shape, float[] values, long[] tokens, long[] classes, float[] targets) {
    this.rows = rows;
    this.shape = shape;
    this.values = values;
    this.tokens = tokens;
    this.classes = classes;
    this.targets = targets;
  }

  /**
   * Numbers and classes.
   *
   * @param shape of one example's input
   * @param values rows times the product of the shape
   * @param classes 0, 1, ... of each row
   */
  public static Batch ofValues(int[] shape, float[] values, long[] classes) {
    requireSize(classes.length, shape, values.length);
    return new Batch(classes.length, shape.clone(), values, new long[0], classes, new float[0]);
  }

  /**
   * Numbers and numbers.
   *
   * @param targets outputs of each row
   */
  public static Batch ofTargets(int rows, int[] shape, float[] values, float[] targets) {
    requireSize(rows, shape, values.length);
    if (targets.length % Math.max(1, rows) != 0) {
      throw new IllegalArgumentException(targets.length + " targets of " + rows + " rows");
    }
    return new Batch(rows, shape.clone(), values, new long[0], new long[0], targets);
  }

  /**
   * Windows of tokens and the token that follows.
   *
   * @param window tokens of one input
   * @param tokens rows times window
   */
  public static Batch ofTokens(int window, long[] tokens, long[] classes) {
    requireSize(classes.length, new int[] {window}, tokens.length);
    return new Batch(
        classes.length, new int[] {window}, new float[0], tokens, classes, new float[0]);
  }

  /** Batches of one kind and shape, one behind the other. */
  public static Batch concat(List<Batch> parts) {
    if (parts.size() == 1) {
      return parts.get(0);
    }
    int rows = 0;
    int values = 0;
    int tokens = 0;
    int classes = 0;
    int targets = 0;
    for (Batch part : parts) {
      rows += part.rows;
      values += part.values.length;
      tokens += part.tokens.length;
      classes += part.classes.length;
      targets += part.targets.length;
    }
    Batch all =
        new Batch(
            rows,
            parts.get(0).shape,
            new float[values],
            new long[tokens],
            new long[classes],
            new float[targets]);
    values = 0;
    tokens = 0;
    classes = 0;
    targets = 0;
    for (Batch part : parts) {
      System.arraycopy(part.values, 0, all.values, values, part.values.length);
      System.arraycopy(part.tokens, 0, all.tokens, tokens, part.tokens.length);
      System.arraycopy(part.classes, 0, all.classes, classes, part.classes.length);
      System.arraycopy(part.targets, 0, all.targets, targets, part.targets.length);
      values += part.values.length;
      tokens += part.tokens.length;
      classes += part.classes.length;
      targets += part.targets.length;
    }
    return all;
  }

  /** Those rows whose flag is {@code wanted}. */
  public Batch where(boolean[] flags, boolean wanted) {
    int count = 0;
    for (boolean flag : flags) {
      count += flag == wanted ? 1 : 0;
    }
    Batch some =
        new Batch(
            count,
            shape,
            new float[values.length / rows * count],
            new long[tokens.length / rows * count],
            new long[classes.length / rows * count],
            new float[targets.length / rows * count]);
    int to = 0;
    for (int i = 0; i < rows; i++) {
      if (flags[i] == wanted) {
        copyRow(values, i, some.values, to, rows);
        copyRow(tokens, i, some.tokens, to, rows);
        copyRow(classes, i, some.classes, to, rows);
        copyRow(targets, i, some.targets, to, rows);
        to++;
      }
    }
    return some;
  }

  @SuppressWarnings("SuspiciousSystemArraycopy") // arrays of numbers of one type
  private static void copyRow(Object from, int row, Object to, int at, int rows) {
    int width = Array.getLength(from) / rows;
    System.arraycopy(from, row * width, to, at * width, width);
  }

  private static void requireSize(int rows, int[] shape, int length) {
    long size = rows;
    for (int extent : shape) {
      size *= extent;
    }
    if (size != length) {
      throw new IllegalArgumentException(
          length + " inputs are not " + rows + " rows of " + Arrays.toString(shape));
    }
  }

  public int rows() {
    return rows;
  }

  /** Rows first, then the shape of one input. */
  public long[] inputShape() {
    long[] all = new long[shape.length + 1];
    all[0] = rows;
    for (int k = 0; k < shape.length; k++) {
      all[k + 1] = shape[k];
    }
    return all;
  }

  /** Whether inputs are tokens. */
  public boolean hasTokens() {
    return tokens.length > 0;
  }

  /** Inputs that are numbers; not a copy. */
  public float[] values() {
    return values;
  }

  /** Inputs that are tokens; not a copy. */
  public long[] tokens() {
    return tokens;
  }

  /** Classes; empty if targets are numbers. Not a copy. */
  public long[] classes() {
    return classes;
  }

  /** Targets that are numbers, row-major. Not a copy. */
  public float[] targets() {
    return targets;
  }
}
