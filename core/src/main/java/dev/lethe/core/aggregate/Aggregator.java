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

  /** About how many bytes the serialized sums take. */
  long bytes();
}
