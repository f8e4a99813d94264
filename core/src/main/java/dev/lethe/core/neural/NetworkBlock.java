package dev.lethe.core.neural;

import java.io.Serializable;

/** Some thousand examples, packed; the unit that is cached. */
public interface NetworkBlock extends Serializable {
  /** Examples. */
  int rows();

  /**
   * Copies examples.
   *
   * @param indices of examples
   * @param from first of {@code indices}
   * @param to behind the last
   */
  Batch gather(int[] indices, int from, int to);

  /** Copies neighbours. */
  default Batch range(int from, int to) {
    int[] indices = new int[to - from];
    for (int k = 0; k < indices.length; k++) {
      indices[k] = from + k;
    }
    return gather(indices, 0, indices.length);
  }
}
