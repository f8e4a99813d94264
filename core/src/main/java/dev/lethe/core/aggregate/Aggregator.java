package dev.lethe.core.aggregate;

import dev.lethe.core.model.ExampleBlock;
import java.io.Serializable;

/**
 * Sums over examples that can be computed in parts: {@code add} the blocks of a part in their
 * order, then {@code merge} the parts in theirs. The same order gives the same bits; another order
 * or another partitioning changes a sum by no more than its stated rounding bound.
 *
 * @param <A> the type itself
 */
public interface Aggregator<A extends Aggregator<A>> extends Serializable {
  /** Adds the rows of a block. */
  void add(ExampleBlock block);

  /** Adds the sums of another part. */
  void merge(A other);

  /** Ends the part: nothing may be left in scratch memory that is not serialized. */
  A sealed();

  /**
   * A copy of one of several ranges of every vector of sums, sealed. What is no vector goes with
   * each, so that slices of the same range of all parts, merged in the parts' order, are the slice
   * of the merged parts, bit for bit.
   *
   * @param part 0 .. parts - 1
   */
  A slice(int part, int parts);

  /** Takes a range as it is, and what is no vector. */
  void place(A slice, int part, int parts);

  /** About how many bytes the serialized sums take at most. */
  long bytes();
}
