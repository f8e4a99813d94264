package dev.lethe.core.linalg;

/**
 * A dense symmetric p x p matrix; both triangles are stored, row-major (equal to column-major).
 *
 * @param size p
 * @param values p * p entries; shared, not copied
 */
public record SymmetricMatrix(int size, double[] values) implements LinearOperator {
  public SymmetricMatrix {
    if (values.length != (long) size * size) {
      throw new IllegalArgumentException(
          "a symmetric matrix of size "
              + size
              + " has "
              + (long) size * size
              + " entries, not "
              + values.length);
    }
  }

  public double get(int i, int j) {
    return values[i * size + j];
  }

  @Override
  public double[] apply(double[] v) {
    double[] product = new double[size];
    for (int i = 0; i < size; i++) {
      double sum = 0;
      int row = i * size;
      for (int j = 0; j < size; j++) {
        sum += values[row + j] * v[j];
      }
      product[i] = sum;
    }
    return product;
  }
}
