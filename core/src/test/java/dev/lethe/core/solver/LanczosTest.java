package dev.lethe.core.solver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import dev.lethe.core.linalg.LinearOperator;
import dev.lethe.core.solver.Lanczos.Result;
import dev.lethe.core.solver.Lanczos.Ritz;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.function.UnaryOperator;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

/** Truth: operators of known spectra. */
class LanczosTest {
  private static final Lanczos DEFAULT = new Lanczos(1e-6, Lanczos.DEFAULT_STEPS);

  private int products;

  private LinearOperator operator(int size, UnaryOperator<double[]> product) {
    return new LinearOperator() {
      @Override
      public int size() {
        return size;
      }

      @Override
      public double[] apply(double[] v) {
        products++;
        return product.apply(v);
      }
    };
  }

  /** A random start has no preferred axes, so the eigenvectors may be the axes. */
  private LinearOperator diagonal(double... eigenvalues) {
    return operator(
        eigenvalues.length,
        v -> {
          double[] product = v.clone();
          Arrays.setAll(product, j -> eigenvalues[j] * v[j]);
          return product;
        });
  }

  /** tridiag(-1, 2, -1): 2 - 2 cos(k pi / (p + 1)). */
  private LinearOperator secondDifference(int p) {
    return operator(
        p,
        v -> {
          double[] product = new double[p];
          Arrays.setAll(
              product, j -> 2 * v[j] - (j > 0 ? v[j - 1] : 0) - (j + 1 < p ? v[j + 1] : 0));
          return product;
        });
  }

  @Test
  void extremes_secondDifference_findsBothEndsInAsManyStepsAsItsSize() {
    int p = 80;
    Result result = new Lanczos(1e-12, p).extremes(secondDifference(p), 1);
    double sine = Math.sin(Math.PI / (2 * (p + 1)));
    assertThat(result.converged()).isTrue();
    assertThat(result.steps()).isEqualTo(products).isLessThanOrEqualTo(p);
    // the bound is 1e-12 of the norm 4, its square over the gap 4e-3 what is left; and rounding
    assertThat(result.smallest().value()).isCloseTo(4 * sine * sine, within(4e-12));
    assertThat(result.largest().value()).isCloseTo(4 - 4 * sine * sine, within(4e-12));
  }

  @Test
  void largest_eigenvalueThatStandsApart_isFoundInAFewSteps() {
    double[] eigenvalues = new SplittableRandom(3).doubles(3000, 0, 1).toArray();
    eigenvalues[1234] = 5;
    eigenvalues[77] = -0.5;
    Result result = DEFAULT.largest(diagonal(eigenvalues), 4);
    assertThat(result.converged()).isTrue();
    assertThat(result.steps()).isLessThan(15).isEqualTo(products);
    assertThat(result.largest().bound()).isLessThanOrEqualTo(5e-6);
    // the error of a Ritz value is at most bound^2 / gap
    assertThat(result.largest().value()).isCloseTo(5, within(5e-11));
  }

  /**
   * Every reported interval holds an eigenvalue, converged or not, and no Ritz value is outside.
   */
  @Property(tries = 200, seed = "21")
  void extremes_anySpectrumAnyStep_boundsHold(
      @ForAll @IntRange(min = 1, max = 60) int p,
      @ForAll @IntRange(min = 1, max = 70) int steps,
      @ForAll @IntRange(max = 9999) int seed) {
    SplittableRandom random = new SplittableRandom(seed);
    double[] eigenvalues =
        random
            .doubles(p)
            .map(t -> random.nextBoolean() ? Math.pow(10, 6 * t) : -1000 * t)
            .toArray();
    double norm = Arrays.stream(eigenvalues).map(Math::abs).max().orElseThrow();
    Result result = new Lanczos(1e-8, steps).extremes(diagonal(eigenvalues), seed);
    double rounding = 1e-13 * norm;
    for (Ritz ritz : new Ritz[] {result.largest(), result.smallest()}) {
      double nearest =
          Arrays.stream(eigenvalues).map(t -> Math.abs(t - ritz.value())).min().orElseThrow();
      assertThat(nearest).isLessThanOrEqualTo(ritz.bound() + rounding);
    }
    Arrays.sort(eigenvalues);
    assertThat(result.largest().value()).isLessThanOrEqualTo(eigenvalues[p - 1] + rounding);
    assertThat(result.smallest().value()).isGreaterThanOrEqualTo(eigenvalues[0] - rounding);
    assertThat(result.steps()).isLessThanOrEqualTo(Math.min(p, steps));
    if (steps >= p) { // the whole space: nothing is left over
      assertThat(result.converged()).isTrue();
    }
  }

  /** The start lies in a sum of as many eigenspaces, which is then invariant. */
  @Test
  void extremes_fewDistinctEigenvalues_takesAsManySteps() {
    double[] eigenvalues = new double[50];
    Arrays.setAll(eigenvalues, j -> j % 4 - 1.5);
    Result result = DEFAULT.extremes(diagonal(eigenvalues), 5);
    assertThat(result.converged()).isTrue();
    assertThat(result.steps()).isEqualTo(4);
    assertThat(result.largest().value()).isCloseTo(1.5, within(1e-13));
    assertThat(result.smallest().value()).isCloseTo(-1.5, within(1e-13));
  }

  @Test
  void extremes_zeroAndOneByOne_areExact() {
    Result zero = DEFAULT.extremes(diagonal(new double[10]), 1);
    assertThat(zero).isEqualTo(new Result(new Ritz(0, 0), new Ritz(0, 0), 1, true));
    Result one = DEFAULT.extremes(diagonal(-7), 1);
    assertThat(one).isEqualTo(new Result(new Ritz(-7, 0), new Ritz(-7, 0), 1, true));
  }

  @Test
  void largest_smallEndStillOpen_endsBeforeExtremes() {
    double[] eigenvalues = new double[400];
    Arrays.setAll(eigenvalues, j -> j == 0 ? 10 : j / 400.0);
    Lanczos lanczos = new Lanczos(1e-9, 200);
    Result largest = lanczos.largest(diagonal(eigenvalues), 6);
    Result extremes = lanczos.extremes(diagonal(eigenvalues), 6);
    assertThat(largest.converged()).isTrue();
    assertThat(largest.smallest().bound()).isGreaterThan(1e-8);
    assertThat(extremes.converged()).isTrue();
    assertThat(extremes.smallest().bound()).isLessThanOrEqualTo(1e-8);
    assertThat(extremes.steps()).isGreaterThan(largest.steps());
  }

  @Test
  void largest_tooFewSteps_isNotConverged() {
    Result result = new Lanczos(1e-10, 5).largest(secondDifference(200), 7);
    assertThat(result.converged()).isFalse();
    assertThat(result.steps()).isEqualTo(5);
    assertThat(result.largest().bound()).isGreaterThan(4e-10);
  }

  @Test
  void largest_sameSeed_sameResult() {
    LinearOperator a = secondDifference(100);
    assertThat(DEFAULT.largest(a, 8)).isEqualTo(DEFAULT.largest(a, 8));
    assertThat(DEFAULT.largest(a, 8)).isNotEqualTo(DEFAULT.largest(a, 9));
  }

  @Test
  void extremes_productThatIsNotFinite_isUnknown() {
    for (double bad : new double[] {Double.NaN, Double.POSITIVE_INFINITY}) {
      Result result = DEFAULT.extremes(diagonal(1, 2, bad), 1);
      assertThat(result.converged()).isFalse();
      assertThat(result.steps()).isEqualTo(1);
      assertThat(result.largest().value()).isNaN();
      assertThat(result.smallest().bound()).isInfinite();
    }
  }

  @Test
  void constructor_parametersOutOfRange_areRefusedByName() {
    for (double tolerance : new double[] {0, 1, Double.NaN}) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> new Lanczos(tolerance, 5))
          .withMessageStartingWith("tolerance = ");
    }
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Lanczos(0.1, 0))
        .withMessageStartingWith("maxSteps = 0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> DEFAULT.largest(diagonal(), 1))
        .withMessageStartingWith("size = 0");
  }
}
