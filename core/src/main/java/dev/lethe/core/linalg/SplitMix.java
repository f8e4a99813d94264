package dev.lethe.core.linalg;

/** Hashes of numbers: SplitMix64 of Steele, Lea, Flood, OOPSLA 2014. Not for cryptography. */
public final class SplitMix {
  /** What its state grows by from number to number. */
  public static final long GAMMA = 0x9E3779B97F4A7C15L;

  private SplitMix() {}

  /** The number behind state z. */
  public static long mix(long z) {
    long x = z + GAMMA;
    x = (x ^ (x >>> 30)) * 0xBF58476D1CE4E5B9L;
    x = (x ^ (x >>> 27)) * 0x94D049BB133111EBL;
    return x ^ (x >>> 31);
  }

  /** The same in [0, 1). */
  public static double uniform(long z) {
    return (mix(z) >>> 11) * 0x1p-53;
  }
}
