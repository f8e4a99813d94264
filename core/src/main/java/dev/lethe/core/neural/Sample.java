package dev.lethe.core.neural;

import dev.lethe.core.linalg.SplitMix;
import java.io.Serializable;

/**
 * Some of the examples, each with the same probability and independently of the others.
 *
 * @param share in (0, 1]; 1 is all of them
 * @param seed other seeds give other examples
 */
public record Sample(double share, long seed) implements Serializable {
  public static final Sample ALL = new Sample(1, 0);

  public Sample {
    if (!(share > 0 && share <= 1)) {
      throw new IllegalArgumentException("share must lie in (0, 1], not " + share);
    }
  }

  /** Whether the example with this number is one of them. */
  public boolean has(long example) {
    return share == 1 || SplitMix.uniform(SplitMix.mix(seed) ^ example) < share;
  }
}
