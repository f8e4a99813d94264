package dev.lethe.spark.operator;

import dev.lethe.core.aggregate.Aggregator;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.spark.operator.DistributedExamples.AggregatorFactory;
import java.util.Iterator;

/** What an aggregator makes of a partition's blocks. */
final class PartitionSum<T, A extends Aggregator<A>> extends PartTask<ExampleBlock, A> {
  private static final long serialVersionUID = 1L;

  private final Sent<T> arguments;
  private final AggregatorFactory<T, A> factory;

  PartitionSum(Sent<T> arguments, AggregatorFactory<T, A> factory) {
    this.arguments = arguments;
    this.factory = factory;
  }

  @Override
  protected A sum(int partition, Iterator<ExampleBlock> blocks) {
    A aggregator = factory.create(arguments.value(), partition);
    while (blocks.hasNext()) {
      aggregator.add(blocks.next());
    }
    return aggregator;
  }
}
