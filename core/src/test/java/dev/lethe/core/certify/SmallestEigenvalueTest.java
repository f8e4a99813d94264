package dev.lethe.core.certify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SmallestEigenvalueTest {

  /** tridiag(-1/2, 1, -1/2) has the eigenvalues 1 - cos(k pi / (n + 1)). */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 10, 100, 200})
  void lowerBound_secondDifference_belowTheTruthByAFewPercent(int n) {
    double[] s = new double[n * n];
    for (int j = 0; j < n; j++) {
      s[j * n + j] = 1;
      if (j + 1 < n) {
        s[j * n + j + 1] = -0.5;
      }
    }
    double truth = 2 * Math.pow(Math.sin(Math.PI / (2 * (n + 1))), 2);

    assertThat(SmallestEigenvalue.lowerBound(s, n, 0)).isBetween(0.95 * truth, truth);
  }

  /**
   * J + t I (all ones plus a ridge) scaled to diagonal 1: the smallest eigenvalue is t / (1 + t).
   */
  @Test
  void lowerBound_entriesOfLimitedAccuracy_reducedByKappaTimesTrace() {
    int n = 20;
    double truth = 0.1;
    double[] s = new double[n * n];
    Arrays.fill(s, 1 - truth);
    for (int j = 0; j < n; j++) {
      s[j * n + j] = 1;
    }
    // Every entry larger by kappa in the direction of v v', v alternating, moves it by kappa n.
    assertThat(SmallestEigenvalue.lowerBound(s, n, 1e-3))
        .isLessThanOrEqualTo(truth - 1e-3 * n)
        .isCloseTo(truth - 1e-3 * n, within(0.005));
    assertThat(SmallestEigenvalue.lowerBound(s, n, 1e-2)).isZero();
  }

  @Test
  void lowerBound_singularOrIndefinite_zero() {
    assertThat(SmallestEigenvalue.lowerBound(new double[] {1, 1, 1, 1}, 2, 0)).isZero();
    assertThat(SmallestEigenvalue.lowerBound(new double[] {1, 1.1, 1.1, 1}, 2, 0)).isZero();
    assertThat(SmallestEigenvalue.lowerBound(new double[] {1, Double.NaN, 0, 1}, 2, 0)).isZero();
    assertThat(
            SmallestEigenvalue.lowerBound(new double[] {1, Double.POSITIVE_INFINITY, 0, 1}, 2, 0))
        .isZero();
  }

  /** The scaled 14 x 14 Hilbert matrix has a smallest eigenvalue near 1e-18: out of reach. */
  @Test
  void lowerBound_hilbertMatrix_neverAboveWhatRoundingAllows() {
    int n = 14;
    double[] s = new double[n * n];
    for (int j = 0; j < n; j++) {
      for (int k = 0; k < n; k++) {
        s[j * n + k] = Math.sqrt((2 * j + 1.0) * (2 * k + 1.0)) / (j + k + 1);
      }
    }
    assertThat(SmallestEigenvalue.lowerBound(s, n, 0)).isZero();
  }
}
