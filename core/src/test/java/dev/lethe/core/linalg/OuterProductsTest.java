package dev.lethe.core.linalg;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.testing.Exact;
import java.math.BigDecimal;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class OuterProductsTest {
  @ParameterizedTest
  @ValueSource(ints = {0, 1, 3, 5, 7, 8, 31, 100, 101})
  void add_anyNumberOfVectors_isWithinTheBoundOfTheExactSum(int size) {
    for (int n : new int[] {0, 1, 5, 6, 7, 25}) {
      SplittableRandom random = new SplittableRandom(size + 1000L * n);
      double[][] x = new double[n][];
      double[] a = new double[n];
      double[][] lower = new double[size][];
      for (int j = 0; j < size; j++) {
        lower[j] = new double[j + 1];
      }
      OuterProducts products = new OuterProducts(size);
      for (int i = 0; i < n; i++) {
        x[i] = random.doubles(size, -1, 1).toArray();
        a[i] = random.nextDouble();
        System.arraycopy(x[i], 0, products.next(), 0, size);
        products.add(a[i], lower);
      }
      products.flush(lower);
      products.flush(lower); // nothing is left
      for (int j = 0; j < size; j += 1 + size / 9) {
        for (int k = 0; k <= j; k++) {
          BigDecimal sum = BigDecimal.ZERO;
          BigDecimal absolute = BigDecimal.ZERO;
          for (int i = 0; i < n; i++) {
            BigDecimal term =
                Exact.of(a[i]).multiply(Exact.of(x[i][j])).multiply(Exact.of(x[i][k]));
            sum = sum.add(term);
            absolute = absolute.add(term.abs());
          }
          // a x_j rounds, and then every fused addition
          assertThat(Exact.error(lower[j][k], sum))
              .isLessThanOrEqualTo(absolute.multiply(Exact.of(Rounding.gamma(n + 1.0))));
        }
      }
    }
  }
}
