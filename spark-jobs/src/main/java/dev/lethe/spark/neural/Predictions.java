package dev.lethe.spark.neural;

import dev.lethe.core.neural.Batch;

/** Classes that outputs predict: the largest output's; of one output, whether it is positive. */
final class Predictions {
  private Predictions() {}

  static int of(float[] outputs, int row, int width) {
    if (width == 1) {
      return outputs[row] > 0 ? 1 : 0;
    }
    int best = row * width;
    for (int j = best + 1; j < (row + 1) * width; j++) {
      if (outputs[j] > outputs[best]) {
        best = j;
      }
    }
    return best - row * width;
  }

  /** Of each example; none is right where targets are numbers. */
  static boolean[] areRight(float[] outputs, Batch batch) {
    boolean[] right = new boolean[batch.rows()];
    long[] classes = batch.classes();
    if (classes.length > 0) {
      int width = outputs.length / batch.rows();
      for (int i = 0; i < right.length; i++) {
        right[i] = of(outputs, i, width) == classes[i];
      }
    }
    return right;
  }

  static long countRight(float[] outputs, Batch batch) {
    long count = 0;
    for (boolean right : areRight(outputs, batch)) {
      count += right ? 1 : 0;
    }
    return count;
  }
}
