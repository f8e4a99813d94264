package dev.lethe.core.linalg;

/**
 * Narrow numbers as doubles, exactly. By the Vector API where the JVM has {@code
 * jdk.incubator.vector}: HotSpot 17 vectorises no conversion between numbers of different sizes.
 */
public abstract sealed class Widening permits Widening.Scalar, VectorWidening {
  private static final Widening BEST =
      ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent()
          ? VectorWidening.or(new Scalar())
          : new Scalar();

  /** The fastest that this JVM has. */
  public static Widening best() {
    return BEST;
  }

  /** target_k = source_{from + k} for k &lt; count. */
  public abstract void widen(float[] source, int from, double[] target, int count);

  /** As {@link #widen(float[], int, double[], int)}. */
  public abstract void widen(short[] source, int from, double[] target, int count);

  /** As {@link #widen(float[], int, double[], int)}. */
  public abstract void widen(byte[] source, int from, double[] target, int count);

  /** One number after another. */
  static final class Scalar extends Widening {
    @Override
    public void widen(float[] source, int from, double[] target, int count) {
      for (int k = 0; k < count; k++) {
        target[k] = source[from + k];
      }
    }

    @Override
    public void widen(short[] source, int from, double[] target, int count) {
      for (int k = 0; k < count; k++) {
        target[k] = source[from + k];
      }
    }

    @Override
    public void widen(byte[] source, int from, double[] target, int count) {
      for (int k = 0; k < count; k++) {
        target[k] = source[from + k];
      }
    }
  }
}
