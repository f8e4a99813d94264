package dev.lethe.core.linalg;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

class CholeskyTest {
  private static SymmetricMatrix matrix(double[]... rows) {
    return new SymmetricMatrix(
        rows.length, Arrays.stream(rows).flatMapToDouble(Arrays::stream).toArray());
  }

  @Test
  void solve_knownSystem_isExact() {
    // L = [2; 6 1; -8 5 3], the textbook's: every intermediate is an integer.
    SymmetricMatrix a =
        matrix(new double[] {4, 12, -16}, new double[] {12, 37, -43}, new double[] {-16, -43, 98});
    double[] b = a.apply(new double[] {1, -2, 3});
    assertThat(b).containsExactly(-68, -191, 364);
    assertThat(Cholesky.of(a).orElseThrow().solve(b)).containsExactly(1, -2, 3);
    assertThat(b).containsExactly(-68, -191, 364); // not overwritten
  }

  @Test
  void solve_inverseHilbert_matchesTheHilbertMatrix() {
    // cond = 1.6e7 for n = 6: relative error below n cond u = 1e-8.
    SymmetricMatrix a = Matrices.inverseHilbert(6);
    for (int k = 0; k < 6; k++) {
      double[] e = new double[6];
      e[k] = 1;
      double[] column = Cholesky.of(a).orElseThrow().solve(e);
      for (int j = 0; j < 6; j++) {
        assertThat(column[j]).isCloseTo(1.0 / (j + k + 1), within(1e-8));
      }
    }
  }

  @Test
  void solve_coordinatesCoupledWithNoOther_dividesThemByTheDiagonal() {
    SymmetricMatrix a =
        matrix(
            new double[] {4, 0, 2, 0},
            new double[] {0, 8, 0, 0},
            new double[] {2, 0, 5, 0},
            new double[] {0, 0, 0, 1});
    assertThat(Cholesky.of(a).orElseThrow().solve(a.apply(new double[] {1, -2, 3, 0.5})))
        .containsExactly(1, -2, 3, 0.5);
    SymmetricMatrix alone = matrix(new double[] {4, 0}, new double[] {0, 0.5});
    assertThat(Cholesky.of(alone).orElseThrow().solve(new double[] {1, 1}))
        .containsExactly(0.25, 2);
    assertThat(Cholesky.of(matrix(new double[] {4, 0}, new double[] {0, -1}))).isEmpty();
  }

  @Test
  void of_matrixNotPositiveDefinite_isEmpty() {
    assertThat(Cholesky.of(matrix(new double[] {1, 2}, new double[] {2, 1}))).isEmpty();
    assertThat(Cholesky.of(matrix(new double[] {1, 1}, new double[] {1, 1}))).isEmpty();
    assertThat(Cholesky.of(matrix(new double[] {-1}))).isEmpty();
    assertThat(Cholesky.of(matrix(new double[] {0}))).isEmpty();
    assertThat(Cholesky.of(matrix(new double[] {Double.NaN}))).isEmpty();
    assertThat(Cholesky.of(matrix(new double[] {1, Double.NaN}, new double[] {Double.NaN, 1})))
        .isEmpty();
    assertThat(Cholesky.of(matrix(new double[] {Double.POSITIVE_INFINITY}))).isEmpty();
  }

  @Test
  void of_doesNotChangeTheMatrix() {
    SymmetricMatrix a = matrix(new double[] {4, 2}, new double[] {2, 3});
    Cholesky.of(a);
    assertThat(a.values()).containsExactly(4, 2, 2, 3);
  }

  @Test
  void symmetricMatrix_wrongNumberOfEntries_isRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new SymmetricMatrix(2, new double[3]))
        .withMessageContaining("4 entries, not 3");
  }
}
