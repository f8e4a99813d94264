package dev.lethe.core.linalg;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.lethe.core.testing.Serialized;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.function.DoubleBinaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PlainVectorTest {
  private static double[] numbers(int size, double neutral, double share, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    double[] numbers = new double[size];
    Arrays.setAll(numbers, j -> random.nextDouble() < share ? random.nextDouble() - 0.5 : neutral);
    return numbers;
  }

  private static PlainVector vector(double[] numbers, double neutral) {
    PlainVector vector = new PlainVector(numbers.length, neutral);
    System.arraycopy(numbers, 0, vector.values(), 0, numbers.length);
    return vector;
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, Double.POSITIVE_INFINITY})
  void mergeAndPlace_sealedSlices_equalTheWhole(double neutral) {
    DoubleBinaryOperator operation = neutral == 0 ? Double::sum : Math::min;
    for (double share : new double[] {0, 0.1, 0.9}) {
      for (int parts : new int[] {1, 3, 200}) {
        double[] a = numbers(100, neutral, share, 1);
        double[] b = numbers(100, neutral, 0.3, 2);
        PlainVector joined = new PlainVector(100, neutral);
        for (int part = 0; part < parts; part++) {
          PlainVector slice = Serialized.copy(vector(a, neutral).slice(part, parts).sealed());
          slice.merge(Serialized.copy(vector(b, neutral).slice(part, parts).sealed()), operation);
          joined.place(slice.sealed(), part, parts);
        }
        double[] expected = new double[100];
        Arrays.setAll(expected, j -> operation.applyAsDouble(a[j], b[j]));
        assertThat(joined.values()).isEqualTo(expected);
      }
    }
  }

  @Test
  void sealed_fewEntries_sendsOnlyThose() {
    PlainVector vector = new PlainVector(100_000, Double.NEGATIVE_INFINITY);
    vector.values()[17] = 3;
    assertThat(Serialized.bytes(vector.sealed()).length).isLessThan(500);
    assertThat(vector.values()[17]).isEqualTo(3);
    assertThat(vector.values()[16]).isEqualTo(Double.NEGATIVE_INFINITY);
  }

  @Test
  void merge_anotherSize_isRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new PlainVector(2, 0).merge(new PlainVector(3, 0), Double::sum));
  }
}
