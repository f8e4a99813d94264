package dev.lethe.core.neural;

/** Inputs that are numbers, with classes or numbers as targets. */
public final class ValueBlock implements NetworkBlock {
  private static final long serialVersionUID = 1L;

  private final int[] shape;
  private final int size;
  private final float[] values;
  private final int[] classes;
  private final float[] targets;
  private final int rows;

  /**
   * @param shape of one example's input
   * @param values row-major
   * @param classes of each row, or empty
   * @param targets row-major, or empty
   */
  public ValueBlock(int rows, int[] shape, float[] values, int[] classes, float[] targets) {
    this.rows = rows;
    this.shape = shape.clone();
    this.size = rows == 0 ? 0 : values.length / rows;
    this.values = values;
    this.classes = classes;
    this.targets = targets;
  }

  @Override
  public int rows() {
    return rows;
  }

  @Override
  public Batch gather(int[] indices, int from, int to) {
    int count = to - from;
    float[] inputs = new float[count * size];
    for (int k = 0; k < count; k++) {
      System.arraycopy(values, indices[from + k] * size, inputs, k * size, size);
    }
    if (classes.length > 0 || targets.length == 0) {
      long[] labels = new long[count];
      for (int k = 0; k < count; k++) {
        labels[k] = classes[indices[from + k]];
      }
      return Batch.ofValues(shape, inputs, labels);
    }
    int outputs = targets.length / rows;
    float[] wanted = new float[count * outputs];
    for (int k = 0; k < count; k++) {
      System.arraycopy(targets, indices[from + k] * outputs, wanted, k * outputs, outputs);
    }
    return Batch.ofTargets(count, shape, inputs, wanted);
  }
}
