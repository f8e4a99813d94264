package dev.lethe.core.model;

import dev.lethe.core.linalg.Widening;
import java.io.Serializable;

/**
 * Numbers in fewer bits than a double's that come back as the doubles that they were, bit for bit;
 * immutable.
 */
abstract sealed class Narrow implements Serializable {
  private static final long serialVersionUID = 1L;

  /** From the narrowest on; each holds whatever one before it holds. */
  enum Width {
    BYTE,
    SHORT,
    FLOAT,
    DOUBLE;

    /** Whether the number comes back with all its bits; not so -0 from whole numbers. */
    boolean holds(double x) {
      return switch (this) {
        case BYTE -> isSame((byte) x, x);
        case SHORT -> isSame((short) x, x);
        case FLOAT -> isSame((float) x, x);
        case DOUBLE -> true;
      };
    }

    private static boolean isSame(double narrowed, double x) {
      return Double.doubleToRawLongBits(narrowed) == Double.doubleToRawLongBits(x);
    }

    /** The narrowest from this one on that holds the number. */
    Width including(double x) {
      return holds(x) ? this : values()[ordinal() + 1].including(x);
    }
  }

  /**
   * @param width narrower than {@link Width#DOUBLE} and one that holds every number
   */
  static Narrow of(Width width, double[] numbers) {
    return switch (width) {
      case BYTE -> new Bytes(numbers);
      case SHORT -> new Shorts(numbers);
      case FLOAT -> new Floats(numbers);
      case DOUBLE -> throw new IllegalArgumentException("doubles are not narrow");
    };
  }

  /** What they are, in a word. */
  abstract String word();

  /** How many. */
  abstract int length();

  /** Of all of them. */
  abstract long bytes();

  abstract double at(int k);

  /** Writes {@code count} numbers from {@code from} on to the start of {@code target}. */
  abstract void widen(int from, double[] target, int count);

  private static final class Bytes extends Narrow {
    private static final long serialVersionUID = 1L;

    private final byte[] numbers;

    Bytes(double[] wide) {
      numbers = new byte[wide.length];
      for (int k = 0; k < wide.length; k++) {
        numbers[k] = (byte) wide[k];
      }
    }

    @Override
    String word() {
      return "byte";
    }

    @Override
    int length() {
      return numbers.length;
    }

    @Override
    long bytes() {
      return numbers.length;
    }

    @Override
    double at(int k) {
      return numbers[k];
    }

    @Override
    void widen(int from, double[] target, int count) {
      Widening.best().widen(numbers, from, target, count);
    }
  }

  private static final class Shorts extends Narrow {
    private static final long serialVersionUID = 1L;

    private final short[] numbers;

    Shorts(double[] wide) {
      numbers = new short[wide.length];
      for (int k = 0; k < wide.length; k++) {
        numbers[k] = (short) wide[k];
      }
    }

    @Override
    String word() {
      return "short";
    }

    @Override
    int length() {
      return numbers.length;
    }

    @Override
    long bytes() {
      return 2L * numbers.length;
    }

    @Override
    double at(int k) {
      return numbers[k];
    }

    @Override
    void widen(int from, double[] target, int count) {
      Widening.best().widen(numbers, from, target, count);
    }
  }

  private static final class Floats extends Narrow {
    private static final long serialVersionUID = 1L;

    private final float[] numbers;

    Floats(double[] wide) {
      numbers = new float[wide.length];
      for (int k = 0; k < wide.length; k++) {
        numbers[k] = (float) wide[k];
      }
    }

    @Override
    String word() {
      return "float";
    }

    @Override
    int length() {
      return numbers.length;
    }

    @Override
    long bytes() {
      return 4L * numbers.length;
    }

    @Override
    double at(int k) {
      return numbers[k];
    }

    @Override
    void widen(int from, double[] target, int count) {
      Widening.best().widen(numbers, from, target, count);
    }
  }
}
