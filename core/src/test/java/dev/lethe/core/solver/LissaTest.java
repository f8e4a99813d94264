package dev.lethe.core.solver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import dev.lethe.core.linalg.Cholesky;
import dev.lethe.core.linalg.SymmetricMatrix;
import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.solver.Lissa.Result;
import dev.lethe.core.solver.Lissa.StopReason;
import dev.lethe.core.testing.Problem;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.BiFunction;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LissaTest {
  private static final int N = 200;
  private static final int P = 6;
  private static final int BATCH = 20;

  /** H = sum x_i x_i' of these rows. */
  private final double[][] rows = rows(1);

  private static double[][] rows(long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    double[][] rows = new double[N][P];
    for (double[] row : rows) {
      Arrays.setAll(row, j -> (1 + j) * Problem.gaussian(random) / 4);
    }
    return rows;
  }

  private static SampledOperator operator(int size, BiFunction<double[], Integer, double[]> apply) {
    return new SampledOperator() {
      @Override
      public int size() {
        return size;
      }

      @Override
      public double[] apply(double[] v, int step) {
        return apply.apply(v, step);
      }
    };
  }

  /** The same H at every step. */
  private static SampledOperator diagonal(double... d) {
    return operator(
        d.length, (v, t) -> IntStream.range(0, d.length).mapToDouble(j -> d[j] * v[j]).toArray());
  }

  /** A batch drawn with replacement, times factor. */
  private SampledOperator batches(double factor, long seed) {
    return operator(
        P,
        (v, t) -> {
          double[] sum = new double[P];
          new SplittableRandom(seed + 7919L * t)
              .ints(BATCH, 0, N)
              .forEach(i -> Vectors.addInPlace(sum, factor * Vectors.dot(rows[i], v), rows[i]));
          return sum;
        });
  }

  private double[] gradient() {
    double[] g = new double[P];
    Arrays.setAll(g, j -> 10 * Math.cos(j + 1));
    return g;
  }

  private SymmetricMatrix hessian(double damping) {
    double[] a = new double[P * P];
    for (int j = 0; j < P * P; j++) {
      for (double[] row : rows) {
        a[j] += row[j / P] * row[j % P];
      }
      a[j] += j / P == j % P ? damping : 0;
    }
    return new SymmetricMatrix(P, a);
  }

  /** No batch of n / b |x_i|^2 can exceed n max |x_i|^2. */
  private double scale(double damping) {
    return N * Arrays.stream(rows).mapToDouble(r -> Vectors.dot(r, r)).max().orElseThrow()
        + damping;
  }

  /** With exact products the error is I - A / scale applied depth + 1 times to x*. */
  @Test
  void solve_exactProducts_errsByThePowerOfTheIteration() {
    double[] d = {0, 0.5, 1, 3, 8};
    double[] g = {1, -2, 3, 1, 1};
    double damping = 0.5;
    double scale = 9;
    for (int depth : new int[] {1, 5, 200}) {
      Result result = new Lissa(scale, damping, depth, 1, 0).solve(diagonal(d), g);
      assertThat(result.reason()).isEqualTo(StopReason.MAX_STEPS);
      assertThat(result.steps()).isEqualTo(depth);
      for (int j = 0; j < d.length; j++) {
        double a = d[j] + damping;
        double truth = g[j] / a * (1 - Math.pow(1 - a / scale, depth + 1));
        assertThat(result.x()[j]).isCloseTo(truth, within(1e-13 * Math.abs(g[j] / a)));
      }
    }
  }

  /**
   * As samples of different steps are independent, the expectation of x is that of the recursion
   * with exact products; at this depth that is the solution, to 1e-6. Rejected beyond 6 standard
   * errors: a rate of 2e-9 a coordinate. The same test tells a batch that is not rescaled to n, and
   * a penalty left out.
   */
  @Test
  void solve_sampledBatches_areUnbiased() {
    double damping = 400;
    double[] g = gradient();
    double[] truth = Cholesky.of(hessian(damping)).orElseThrow().solve(g);
    Lissa lissa = new Lissa(scale(damping), damping, 400, 1, 0);
    double rate = 1 - damping / lissa.scale();
    assertThat(Math.pow(rate, 400)).isLessThan(1e-6);

    assertThat(worstDeviation(lissa, (double) N / BATCH, g, truth)).isLessThan(6);
    assertThat(worstDeviation(lissa, 1, g, truth)).isGreaterThan(100);
    double[] unpenalised = Cholesky.of(hessian(0)).orElseThrow().solve(g);
    assertThat(worstDeviation(lissa, (double) N / BATCH, g, unpenalised)).isGreaterThan(100);
  }

  /** |mean - truth| of 300 independent solves, in standard errors; the largest coordinate. */
  private double worstDeviation(Lissa lissa, double factor, double[] g, double[] truth) {
    int solves = 300;
    double[] sum = new double[P];
    double[] squares = new double[P];
    for (int k = 0; k < solves; k++) {
      Result result = lissa.solve(batches(factor, 1_000_003L * k), g);
      assertThat(result.reason()).isEqualTo(StopReason.MAX_STEPS);
      for (int j = 0; j < P; j++) {
        double error = result.x()[j] - truth[j];
        sum[j] += error;
        squares[j] += error * error;
      }
    }
    return IntStream.range(0, P)
        .mapToDouble(
            j -> {
              double mean = sum[j] / solves;
              double variance = (squares[j] / solves - mean * mean) / (solves - 1);
              return Math.abs(mean) / Math.sqrt(variance);
            })
        .max()
        .orElseThrow();
  }

  @Test
  void solve_repetitions_takeStepsOfTheirOwnAndAverage() {
    List<Integer> steps = new ArrayList<>();
    double[] g = gradient();
    SampledOperator sampled = batches(10, 5);
    SampledOperator recorded =
        operator(
            P,
            (v, t) -> {
              steps.add(t);
              return sampled.apply(v, t);
            });
    Result three = new Lissa(scale(1), 1, 7, 3, 0).solve(recorded, g);
    assertThat(steps).containsExactlyElementsOf(IntStream.range(0, 21).boxed().toList());
    assertThat(three.steps()).isEqualTo(21);
    assertThat(three.relativeChange()).isInfinite(); // fewer than ten steps
    double[] mean = new double[P];
    for (int r = 0; r < 3; r++) {
      int first = 7 * r;
      SampledOperator shifted = operator(P, (v, t) -> sampled.apply(v, first + t));
      Vectors.addInPlace(mean, 1 / 3.0, new Lissa(scale(1), 1, 7, 1, 0).solve(shifted, g).x());
    }
    assertThat(Vectors.distance(three.x(), mean)).isLessThan(1e-15 * Vectors.norm(mean));
  }

  @Test
  void solve_toleranceMet_endsEarlyWithinTheStatedError() {
    double[] d = {1, 4, 10};
    double[] g = {1, 1, 1};
    Result result = new Lissa(11, 0.1, 10_000, 2, 1e-8).solve(diagonal(d), g);
    assertThat(result.converged()).isTrue();
    assertThat(result.steps()).isLessThan(1000).satisfies(s -> assertThat(s % 20).isZero());
    assertThat(result.relativeChange()).isLessThanOrEqualTo(1e-8);
    double[] truth = {1 / 1.1, 1 / 4.1, 1 / 10.1};
    // the smallest eigenvalue of all, 1.1, may stand for the damping: 11 / (10 * 1.1) = 1
    assertThat(Vectors.distance(result.x(), truth))
        .isLessThanOrEqualTo(1e-8 * Vectors.norm(result.x()));
  }

  /** rate |1 - a / scale| above 1 below half the eigenvalue. */
  @ParameterizedTest
  @ValueSource(doubles = {0.1, 0.3, 0.45, 0.49})
  void solve_scaleBelowHalfTheLargestEigenvalue_diverges(double part) {
    Result result =
        new Lissa(10 * part, 0.01, 10_000, 3, 1e-6)
            .solve(diagonal(9.99, 1, 0.1), new double[] {1e-3, 1, 1});
    assertThat(result.reason()).isEqualTo(StopReason.DIVERGED);
    assertThat(result.converged()).isFalse();
    assertThat(result.steps()).isLessThan(500); // of 30 000
  }

  @Test
  void solve_negativeCurvatureBeyondTheDamping_diverges() {
    Result result =
        new Lissa(10, 0.5, 100_000, 1, 1e-6).solve(diagonal(-1, 3), new double[] {1, 1});
    assertThat(result.reason()).isEqualTo(StopReason.DIVERGED);
  }

  /** The published trap of a scale made for a mean: the sum's eigenvalues are n times as large. */
  @Test
  void solve_scaleOfTheMean_diverges() {
    Result result = new Lissa(scale(1) / N, 0.1, 5000, 1, 0).solve(batches(10, 6), gradient());
    assertThat(result.reason()).isEqualTo(StopReason.DIVERGED);
    assertThat(result.steps()).isLessThan(100);
  }

  @Test
  void solve_productThatIsNotANumber_diverges() {
    Result result =
        new Lissa(2, 0, 50, 4, 0)
            .solve(
                operator(1, (v, t) -> new double[] {t == 6 ? Double.NaN : v[0]}), new double[] {1});
    assertThat(result.reason()).isEqualTo(StopReason.DIVERGED);
    assertThat(result.steps()).isEqualTo(7);
    assertThat(result.x()).containsExactly(Double.NaN);
  }

  /** What the scale's condition promises: no semidefinite samples within it pass for divergent. */
  @Property(tries = 100, seed = "31")
  void solve_samplesWithinTheScale_neverDiverges(
      @ForAll @IntRange(max = 9999) int seed, @ForAll @IntRange(max = 1) int damped) {
    SplittableRandom random = new SplittableRandom(seed);
    double damping = damped * Math.pow(10, -4 * random.nextDouble());
    double scale = 1 + damping;
    SampledOperator h =
        operator(
            5,
            (v, t) ->
                IntStream.range(0, 5)
                    .mapToDouble(j -> j == 0 ? 0 : v[j] * random.nextInt(2))
                    .toArray());
    double[] g = random.doubles(5, -1, 1).toArray();
    // with no damping the first coordinate grows by g_0 every step, for ever
    Result result = new Lissa(scale, damping, 2000, 2, 0).solve(h, g);
    assertThat(result.reason()).isEqualTo(StopReason.MAX_STEPS);
    double reach = damping > 0 ? Math.min(2001, scale / damping) : 2001;
    assertThat(Vectors.norm(result.x()))
        .isLessThanOrEqualTo(reach * Vectors.norm(g) / scale * (1 + 1e-12));
  }

  @Test
  void solve_zeroRightHandSide_isZeroWithoutAProduct() {
    Result result =
        new Lissa(1, 0, 5, 1, 0)
            .solve(
                operator(
                    2,
                    (v, t) -> {
                      throw new AssertionError("no product is needed");
                    }),
                new double[2]);
    assertThat(result.converged()).isTrue();
    assertThat(result.x()).containsExactly(0, 0);
    assertThat(result.steps()).isZero();
  }

  @Test
  void constructor_parametersOutOfRange_areRefusedByName() {
    for (double scale : new double[] {0, -1, Double.NaN, Double.POSITIVE_INFINITY}) {
      refused("scale = ", scale, 0, 1, 1, 0);
    }
    for (double damping : new double[] {-1, 2, Double.NaN}) {
      refused("damping = ", 2, damping, 1, 1, 0);
    }
    refused("depth = 0", 1, 0, 0, 1, 0);
    refused("repetitions = 0: must lie in [1, 2147483647]", 1, 0, 1, 0, 0);
    refused("repetitions = 3: must lie in [1, 1]", 1, 0, 1 << 30, 3, 0);
    for (double tolerance : new double[] {-1e-9, 1, Double.NaN}) {
      refused("tolerance = ", 1, 0, 1, 1, tolerance);
    }
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Lissa(1, 0, 1, 1, 0).solve(diagonal(1, 2), new double[3]))
        .withMessageStartingWith("g has 3 entries: must have 2");
  }

  private static void refused(
      String message, double scale, double damping, int depth, int repetitions, double tolerance) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Lissa(scale, damping, depth, repetitions, tolerance))
        .withMessageStartingWith(message);
  }
}
