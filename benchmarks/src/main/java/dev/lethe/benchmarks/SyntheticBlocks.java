package dev.lethe.benchmarks;

import dev.lethe.core.model.BlockBuilder;
import dev.lethe.core.model.ExampleBlock;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** Blocks of random rows with labels 0 and 1 and weight 1. */
final class SyntheticBlocks {
  private SyntheticBlocks() {}

  /**
   * @param entries nonzeros a row, one in each of as many equal parts of the features
   */
  static List<ExampleBlock> of(
      int features, int entries, long rows, Numbers numbers, SplittableRandom random) {
    List<ExampleBlock> blocks = new ArrayList<>();
    BlockBuilder builder = BlockBuilder.of(features);
    int stride = features / entries;
    for (long i = 0; i < rows; i++) {
      for (int k = 0; k < entries; k++) {
        builder.add(k * stride + random.nextInt(stride), numbers.draw(random));
      }
      builder.endRow(random.nextInt(2), 1);
      if (builder.isFull()) {
        blocks.add(builder.build());
      }
    }
    if (!builder.isEmpty()) {
      blocks.add(builder.build());
    }
    return blocks;
  }
}
