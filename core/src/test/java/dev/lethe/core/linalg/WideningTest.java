package dev.lethe.core.linalg;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Runs with the Vector API, too. */
class WideningTest {
  private static final int SIZE = 90;
  private static final List<Widening> ALL = List.of(new Widening.Scalar(), Widening.best());

  /** Every remainder of the vectors' lengths, from every position; nothing behind is touched. */
  private static void requireCopies(Copy copy, double[] numbers) {
    for (Widening widening : ALL) {
      for (int from = 0; from < 20; from++) {
        for (int count = 0; count <= SIZE - from; count++) {
          double[] target = new double[SIZE + 1];
          Arrays.fill(target, 0.5);
          copy.widen(widening, from, target, count);
          for (int k = 0; k <= SIZE; k++) {
            assertThat(Double.doubleToLongBits(target[k]))
                .isEqualTo(Double.doubleToLongBits(k < count ? numbers[from + k] : 0.5));
          }
        }
      }
    }
  }

  @FunctionalInterface
  private interface Copy {
    void widen(Widening widening, int from, double[] target, int count);
  }

  @Test
  void widen_floats_areTheSameNumbers() {
    float[] special = {
      Float.MIN_VALUE,
      -Float.MIN_NORMAL,
      Float.MAX_VALUE,
      Float.NEGATIVE_INFINITY,
      Float.NaN,
      -0f,
      0f,
      Math.nextUp(1f)
    };
    SplittableRandom random = new SplittableRandom(1);
    float[] source = new float[SIZE];
    double[] numbers = new double[SIZE];
    for (int k = 0; k < SIZE; k++) {
      source[k] = k % 3 == 0 ? special[k / 3 % 8] : (float) (random.nextDouble() - 0.5);
      numbers[k] = Double.parseDouble(Float.toHexString(source[k])); // exact
    }
    requireCopies((w, from, target, count) -> w.widen(source, from, target, count), numbers);
  }

  @Test
  void widen_shorts_areTheSameNumbers() {
    SplittableRandom random = new SplittableRandom(2);
    short[] source = new short[SIZE];
    double[] numbers = new double[SIZE];
    for (int k = 0; k < SIZE; k++) {
      int number = k == 7 ? -32768 : k == 8 ? 32767 : random.nextInt(-32768, 32768);
      source[k] = (short) number;
      numbers[k] = number;
    }
    requireCopies((w, from, target, count) -> w.widen(source, from, target, count), numbers);
  }

  @Test
  void widen_bytes_areTheSameNumbers() {
    byte[] source = new byte[SIZE];
    double[] numbers = new double[SIZE];
    for (int k = 0; k < SIZE; k++) {
      int number = (k * 53) % 256 - 128;
      source[k] = (byte) number;
      numbers[k] = number;
    }
    requireCopies((w, from, target, count) -> w.widen(source, from, target, count), numbers);
  }
}
