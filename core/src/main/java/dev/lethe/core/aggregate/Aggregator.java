package dev.lethe.core.aggregate;

import dev.lethe.core.linalg.PartialSum;
import dev.lethe.core.model.ExampleBlock;

/**
 * A {@link PartialSum} over blocks of examples: {@code add} the blocks of a part in their order,
 * then {@code merge} the parts in theirs. Another order or another partitioning changes a sum by no
 * more than its stated rounding bound.
 *
 * @param <A> the type itself
 */
public interface Aggregator<A extends Aggregator<A>> extends PartialSum<A> {
  /** Adds the rows of a block. */
  void add(ExampleBlock block);
}
