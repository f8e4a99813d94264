package dev.lethe.spark.certificate;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Against integers of any size. */
class FieldElementTest {
  static final BigInteger P = BigInteger.TWO.pow(127).subtract(BigInteger.ONE);

  private static final long[] EDGES = {
    0, 1, 2, -1, -2, Long.MAX_VALUE, Long.MAX_VALUE - 1, Long.MIN_VALUE, Long.MIN_VALUE + 1
  };

  static BigInteger unsigned(long value) {
    return new BigInteger(Long.toUnsignedString(value));
  }

  static BigInteger number(long high, long low) {
    return unsigned(high).shiftLeft(64).add(unsigned(low));
  }

  static BigInteger number(FieldElement element) {
    return number(element.high(), element.low());
  }

  private static long some(SplittableRandom random) {
    return random.nextInt(3) == 0 ? EDGES[random.nextInt(EDGES.length)] : random.nextLong();
  }

  @Test
  void operations_longSequencesOfAny_areThoseModuloThePrime() {
    SplittableRandom random = new SplittableRandom(1);
    FieldElement element = new FieldElement();
    BigInteger expected = BigInteger.ZERO;
    for (int i = 0; i < 200_000; i++) {
      long high = some(random) & Long.MAX_VALUE;
      long low = some(random);
      FieldElement other = new FieldElement(high, low);
      BigInteger number = number(high, low);
      switch (random.nextInt(7)) {
        case 0 -> {
          element.add(other);
          expected = expected.add(number);
        }
        case 1 -> {
          element.subtract(other);
          expected = expected.subtract(number);
        }
        case 2 -> {
          element.multiply(other);
          expected = expected.multiply(number);
        }
        case 3 -> {
          element.multiply(element);
          expected = expected.multiply(expected);
        }
        case 4 -> {
          element.set(other);
          expected = number;
        }
        default -> {
          int terms = random.nextInt(6);
          long[] keys = new long[2 * terms];
          int[] at = new int[terms];
          long[] values = new long[terms + 1];
          for (int k = 0; k < terms; k++) {
            at[k] = terms - 1 - k;
            keys[2 * at[k]] = some(random) & Long.MAX_VALUE;
            keys[2 * at[k] + 1] = some(random) & Long.MAX_VALUE;
            values[k] = some(random);
            BigInteger key = BigInteger.valueOf(keys[2 * at[k] + 1]).shiftLeft(63);
            key = key.add(BigInteger.valueOf(keys[2 * at[k]]));
            // the first is passed over
            expected =
                k == 0 ? expected : expected.add(key.multiply(BigInteger.valueOf(values[k])));
          }
          element.addProducts(keys, at, values, Math.min(1, terms), terms);
        }
      }
      expected = expected.mod(P);
      if (random.nextInt(4) == 0) { // what is between operations has another form
        assertThat(number(element)).isEqualTo(expected);
      }
    }
  }

  @Test
  void subtract_itself_isZero() {
    FieldElement element = new FieldElement(Long.MAX_VALUE, -1);
    assertThat(number(element)).isZero();
    element.set(5, 7);
    element.subtract(element);
    assertThat(number(element)).isZero();
  }
}
