package dev.lethe.core.solver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import dev.lethe.core.linalg.LinearOperator;
import dev.lethe.core.linalg.Matrices;
import dev.lethe.core.linalg.SymmetricMatrix;
import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.solver.ConjugateGradient.Result;
import dev.lethe.core.solver.ConjugateGradient.StopReason;
import dev.lethe.core.testing.Problem;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class ConjugateGradientTest {
  private static final Preconditioner IDENTITY = double[]::clone;

  private static ConjugateGradient cg(double tolerance, int maxIterations) {
    return new ConjugateGradient(tolerance, maxIterations, (k, r, t) -> {});
  }

  private static SymmetricMatrix diagonal(double... d) {
    double[] a = new double[d.length * d.length];
    for (int j = 0; j < d.length; j++) {
      a[j * d.length + j] = d[j];
    }
    return new SymmetricMatrix(d.length, a);
  }

  /** Q diag(eigenvalues) Q' with Q a product of random reflections. */
  private static SymmetricMatrix withEigenvalues(double[] eigenvalues, long seed) {
    int n = eigenvalues.length;
    double[] a = diagonal(eigenvalues).values();
    SplittableRandom random = new SplittableRandom(seed);
    for (int k = 0; k < 3; k++) {
      double[] v = new double[n];
      Arrays.setAll(v, j -> Problem.gaussian(random));
      double norm = Vectors.norm(v);
      Arrays.setAll(v, j -> v[j] / norm);
      double[] av = new SymmetricMatrix(n, a).apply(v);
      double vav = Vectors.dot(v, av);
      double[] next = new double[n * n];
      for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
          next[i * n + j] =
              a[i * n + j] - 2 * v[i] * av[j] - 2 * av[i] * v[j] + 4 * vav * v[i] * v[j];
        }
      }
      a = next;
    }
    return new SymmetricMatrix(n, a);
  }

  @Test
  void solve_inverseHilbert_findsTheHilbertMatrixColumns() {
    for (int n = 1; n <= 6; n++) {
      SymmetricMatrix a = Matrices.inverseHilbert(n);
      for (int k = 0; k < n; k++) {
        double[] e = new double[n];
        e[k] = 1;
        Result result = cg(1e-7, 200).solve(a, e, IDENTITY);
        assertThat(result.converged()).isTrue();
        for (int j = 0; j < n; j++) {
          // ||x - x*|| <= ||A^-1|| ||r||: the Hilbert matrix has norm below 2, and r can be reduced
          // to about u ||A|| = 1e-9
          assertThat(result.x()[j]).isCloseTo(1.0 / (j + k + 1), within(2e-7));
        }
      }
    }
  }

  @Property(tries = 50, seed = "41")
  void solve_fewDistinctEigenvalues_takesAsManyIterations(
      @ForAll @IntRange(min = 1, max = 6) int distinct, @ForAll @IntRange(max = 999) int seed) {
    double[] eigenvalues = new double[30];
    Arrays.setAll(eigenvalues, j -> 1 + 2.5 * (j % distinct));
    SymmetricMatrix a = withEigenvalues(eigenvalues, seed);
    double[] b = new double[30];
    Arrays.setAll(b, j -> Math.sin(j + seed));
    Result result = cg(1e-11, 100).solve(a, b, IDENTITY);
    assertThat(result.converged()).isTrue();
    assertThat(result.iterations()).isLessThanOrEqualTo(distinct + 1);
    assertThat(result.products()).isEqualTo(result.iterations() + 1);
  }

  @Property(tries = 30, seed = "42")
  void solve_anySystem_reportsTheTrueResidual(@ForAll @IntRange(max = 999) int seed) {
    SplittableRandom random = new SplittableRandom(seed);
    double[] eigenvalues = random.doubles(25).map(t -> Math.pow(10, 8 * t)).toArray();
    SymmetricMatrix a = withEigenvalues(eigenvalues, seed);
    double[] b = random.doubles(25).toArray();
    double[] m = random.doubles(25).map(t -> 0.1 + t).toArray();
    Preconditioner jacobi =
        r -> {
          double[] z = r.clone();
          Arrays.setAll(z, j -> r[j] / m[j]);
          return z;
        };
    Result result = cg(1e-6, 10 + seed % 200).solve(a, b, jacobi);
    double[] r = Vectors.add(b, -1, a.apply(result.x()));
    double relative =
        Math.sqrt(Vectors.dot(r, jacobi.applyInverse(r)) / Vectors.dot(b, jacobi.applyInverse(b)));
    assertThat(result.residualNorm()).isCloseTo(Vectors.norm(r), within(1e-12 * Vectors.norm(r)));
    assertThat(result.relativeResidual()).isCloseTo(relative, within(1e-12 * relative));
    assertThat(result.converged()).isEqualTo(relative <= 1e-6);
  }

  @Test
  void solve_toleranceBeyondRounding_stagnatesAndSaysSo() {
    double[] eigenvalues = new double[40];
    Arrays.setAll(eigenvalues, j -> Math.pow(10, j / 4.0));
    SymmetricMatrix a = withEigenvalues(eigenvalues, 5);
    double[] b = new double[40];
    Arrays.fill(b, 1);
    Result result = cg(1e-15, 100_000).solve(a, b, IDENTITY);
    assertThat(result.reason()).isEqualTo(StopReason.STAGNATED);
    assertThat(result.relativeResidual()).isGreaterThan(1e-15);
  }

  @Test
  void solve_indefiniteMatrix_isNotPositiveDefinite() {
    double[] b = {1, 1};
    assertThat(cg(1e-8, 50).solve(diagonal(-1, -2), b, IDENTITY).reason())
        .isEqualTo(StopReason.NOT_POSITIVE_DEFINITE);
    assertThat(cg(1e-8, 50).solve(diagonal(1, -3), b, IDENTITY).reason())
        .isEqualTo(StopReason.NOT_POSITIVE_DEFINITE);
    assertThat(cg(1e-8, 50).solve(diagonal(0, 0), b, IDENTITY).reason())
        .isEqualTo(StopReason.NOT_POSITIVE_DEFINITE);
    assertThat(cg(1e-8, 50).solve(diagonal(1, Double.NaN), b, IDENTITY).reason())
        .isEqualTo(StopReason.NOT_POSITIVE_DEFINITE);
  }

  @Test
  void solve_iterationLimit_isReportedWithTheIterate() {
    SymmetricMatrix a = diagonal(1, 2, 3, 4, 5);
    double[] b = {1, 1, 1, 1, 1};
    Result result = cg(1e-12, 3).solve(a, b, IDENTITY);
    assertThat(result.reason()).isEqualTo(StopReason.MAX_ITERATIONS);
    assertThat(result.iterations()).isEqualTo(3);
    assertThat(result.products()).isEqualTo(4);
    assertThat(result.residualNorm()).isLessThan(Vectors.norm(b)).isPositive();
    assertThat(result.converged()).isFalse();
  }

  @Test
  void solve_zeroRightHandSide_isZeroWithoutAProduct() {
    LinearOperator forbidden =
        new LinearOperator() {
          @Override
          public int size() {
            return 2;
          }

          @Override
          public double[] apply(double[] v) {
            throw new AssertionError("no pass is needed");
          }
        };
    Result result = cg(1e-8, 5).solve(forbidden, new double[2], IDENTITY);
    assertThat(result.converged()).isTrue();
    assertThat(result.x()).containsExactly(0, 0);
    assertThat(result.products()).isZero();
  }

  @Test
  void solve_tinyRightHandSide_doesNotPassForSolved() {
    // ||b||^2 = 0 in doubles, b is not
    double[] b = {1e-200, -1e-200};
    Result result = cg(1e-8, 50).solve(diagonal(1, 2), b, IDENTITY);
    assertThat(result.converged()).isFalse();
    assertThat(result.reason()).isEqualTo(StopReason.STAGNATED);
    assertThat(result.relativeResidual()).isEqualTo(1);
  }

  @Test
  void solve_listener_hearsEveryIteration() {
    List<Integer> iterations = new ArrayList<>();
    List<Double> residuals = new ArrayList<>();
    Result result =
        new ConjugateGradient(
                1e-10,
                50,
                (k, r, tolerance) -> {
                  iterations.add(k);
                  residuals.add(r);
                  assertThat(tolerance).isEqualTo(1e-10);
                })
            .solve(diagonal(1, 10, 100), new double[] {1, 1, 1}, IDENTITY);
    assertThat(iterations).containsExactly(0, 1, 2, 3);
    assertThat(result.iterations()).isEqualTo(3);
    assertThat(residuals.get(0)).isEqualTo(1);
    assertThat(residuals.get(3)).isLessThan(1e-10);
  }

  @Test
  void constructor_parametersOutOfRange_areRefused() {
    for (double tolerance : new double[] {0, 1, -1, Double.NaN}) {
      assertThatIllegalArgumentException().isThrownBy(() -> cg(tolerance, 5));
    }
    assertThatIllegalArgumentException().isThrownBy(() -> cg(0.1, 0));
  }

  @Test
  void centredJacobi_applyInverse_isTheInverseOfItsDefinition() {
    double[] d = {2, 3, 5};
    double[] mu = {0.5, -4, 0};
    // M = T' D T, T = [1 0 0; 0 1 0; mu' 1]
    double[] m = new double[9];
    double[][] t = {{1, 0, 0}, {0, 1, 0}, {mu[0], mu[1], 1}};
    for (int i = 0; i < 3; i++) {
      for (int j = 0; j < 3; j++) {
        for (int k = 0; k < 3; k++) {
          m[i * 3 + j] += t[k][i] * d[k] * t[k][j];
        }
      }
    }
    double[] x = {1, -2, 7};
    double[] back =
        new CentredJacobi(d, mu, new int[] {2, 2, -1})
            .applyInverse(new SymmetricMatrix(3, m).apply(x));
    for (int j = 0; j < 3; j++) {
      assertThat(back[j]).isCloseTo(x[j], within(1e-12));
    }
    assertThat(
            new CentredJacobi(d, new double[3], new int[] {-1, -1, -1})
                .applyInverse(new double[] {2, 3, 5}))
        .containsExactly(1, 1, 1);
  }

  @Test
  void centredJacobi_entryNotPositive_isRefused() {
    for (double bad : new double[] {0, -1, Double.NaN, Double.POSITIVE_INFINITY}) {
      assertThatIllegalArgumentException()
          .isThrownBy(
              () -> new CentredJacobi(new double[] {1, bad}, new double[2], new int[] {-1, -1}));
    }
  }
}
