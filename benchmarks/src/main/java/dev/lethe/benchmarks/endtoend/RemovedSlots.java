package dev.lethe.benchmarks.endtoend;

import static org.apache.spark.sql.functions.udf;

import java.util.BitSet;
import java.util.stream.IntStream;
import org.apache.spark.ml.linalg.SQLDataTypes;
import org.apache.spark.ml.linalg.SparseVector;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.api.java.UDF1;

/**
 * Slots of sparse vectors that leave, spread so that frequent and rare ones do.
 *
 * @param slots d
 * @param count how many leave
 */
record RemovedSlots(int slots, int count) {
  private IntStream indices() {
    return IntStream.range(0, count).map(k -> (slots / count) * k + slots / count / 2);
  }

  /** As a request names them. */
  String[] names(String column) {
    return indices().mapToObj(j -> column + "[" + j + "]").toArray(String[]::new);
  }

  /** Drops the entries and keeps the slots, which costs less than a VectorSlicer of the others. */
  Column without(Column vectors) {
    BitSet removed = new BitSet(slots);
    indices().forEach(removed::set);
    return udf(
            (UDF1<Vector, Vector>) x -> without(x.toSparse(), removed), SQLDataTypes.VectorType())
        .apply(vectors);
  }

  private static Vector without(SparseVector x, BitSet removed) {
    int[] indices = x.indices();
    int left = 0;
    for (int j : indices) {
      left += removed.get(j) ? 0 : 1;
    }
    if (left == indices.length) {
      return x;
    }
    int[] kept = new int[left];
    double[] values = new double[left];
    int at = 0;
    for (int k = 0; k < indices.length; k++) {
      if (!removed.get(indices[k])) {
        kept[at] = indices[k];
        values[at++] = x.values()[k];
      }
    }
    return Vectors.sparse(x.size(), kept, values);
  }
}
