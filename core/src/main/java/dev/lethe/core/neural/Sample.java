package dev.lethe.core.neural;

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
    return share == 1 || (mix(mix(seed) ^ example) >>> 11) * 0x1p-53 < share;
  }

  /** The finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014). */
  private static long mix(long z) {
    long x = z + 0x9E3779B97F4A7C15L;
    x = (x ^ (x >>> 30)) * 0xBF58476D1CE4E5B9L;
    x = (x ^ (x >>> 27)) * 0x94D049BB133111EBL;
    return x ^ (x >>> 31);
  }
}
