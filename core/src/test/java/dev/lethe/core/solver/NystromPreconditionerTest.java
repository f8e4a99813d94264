package dev.lethe.core.solver;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.linalg.SymmetricMatrix;
import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.testing.Problem;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Operators D^{1/2} (Q Lambda Q' + mu I) D^{1/2} with known eigenvectors Q. */
class NystromPreconditionerTest {
  private static final int P = 60;
  private static final double MU = 1e-3;

  private final SplittableRandom random = new SplittableRandom(4);
  private final double[] diagonal = random.doubles(P, 0.01, 100).toArray();
  private final CentredJacobi jacobi = new CentredJacobi(diagonal, new double[P], none());

  private static int[] none() {
    int[] none = new int[P];
    Arrays.fill(none, -1);
    return none;
  }

  /** Orthonormal vectors, zero from {@code support} on. */
  private double[][] orthonormal(int rank, int support) {
    double[][] q = new double[rank][P];
    for (int k = 0; k < rank; k++) {
      double[] v = q[k];
      for (int j = 0; j < support; j++) {
        v[j] = Problem.gaussian(random);
      }
      for (int pass = 0; pass < 2; pass++) {
        for (int l = 0; l < k; l++) {
          Vectors.addInPlace(v, -Vectors.dot(v, q[l]), q[l]);
        }
      }
      double norm = Vectors.norm(v);
      for (int j = 0; j < P; j++) {
        v[j] /= norm;
      }
    }
    return q;
  }

  private SymmetricMatrix operator(double[][] q, double[] lambda) {
    double[] a = new double[P * P];
    for (int i = 0; i < P; i++) {
      for (int j = 0; j < P; j++) {
        double s = i == j ? MU : 0;
        for (int k = 0; k < q.length; k++) {
          s += q[k][i] * lambda[k] * q[k][j];
        }
        a[i * P + j] = Math.sqrt(diagonal[i]) * s * Math.sqrt(diagonal[j]);
      }
    }
    return new SymmetricMatrix(P, a);
  }

  private static double[] decaying(int rank) {
    double[] lambda = new double[rank];
    Arrays.setAll(lambda, k -> Math.pow(0.3, k));
    return lambda;
  }

  // S has rank 10 beside the shift: the approximation is exact to rounding, and by the definition
  // P^{-1} S = (lambda_10 + mu) Q Q' + mu (I - Q Q')
  @Test
  void applyInverse_rankOfTheSketch_invertsOnItsRange() {
    double[][] q = orthonormal(10, P);
    double[] lambda = decaying(10);
    SymmetricMatrix a = operator(q, lambda);
    Preconditioner m = NystromPreconditioner.of(a, jacobi, MU, 10, new boolean[P]).orElseThrow();
    double[] x = new SplittableRandom(5).doubles(P, -1, 1).toArray();
    double[] root = new double[P];
    Arrays.setAll(root, j -> Math.sqrt(diagonal[j]) * x[j]);
    double[] expected = new double[P];
    Vectors.addInPlace(expected, MU, root);
    for (double[] v : q) {
      Vectors.addInPlace(expected, lambda[9] * Vectors.dot(v, root), v);
    }
    double[] actual = m.applyInverse(a.apply(x));
    for (int j = 0; j < P; j++) {
      // rounding of 1e-16 relative to lambda_1 = 1, against lambda_10 = 2e-5
      assertThat(actual[j] * Math.sqrt(diagonal[j]) - expected[j]).isBetween(-1e-10, 1e-10);
    }
    // two eigenvalues: two iterations
    ConjugateGradient.Result solved =
        new ConjugateGradient(1e-8, 100, (k, r, t) -> {}).solve(a, x, m);
    assertThat(solved.converged()).isTrue();
    assertThat(solved.iterations()).isLessThanOrEqualTo(3);
    assertThat(new ConjugateGradient(1e-8, 100, (k, r, t) -> {}).solve(a, x, jacobi).iterations())
        .isGreaterThan(8);
  }

  @Test
  void applyInverse_everyRank_isSymmetricAndPositive() {
    SymmetricMatrix a = operator(orthonormal(40, P), decaying(40));
    for (int rank : new int[] {1, 8, 40, P}) {
      Preconditioner m =
          NystromPreconditioner.of(a, jacobi, MU, rank, new boolean[P]).orElseThrow();
      for (int k = 0; k < 20; k++) {
        double[] x = random.doubles(P, -1, 1).toArray();
        double[] y = random.doubles(P, -1, 1).toArray();
        double xy = Vectors.dot(x, m.applyInverse(y));
        assertThat(Vectors.dot(x, m.applyInverse(x))).isPositive();
        // relative to the norm of P^{-1}, at most 1 / min D = 100
        assertThat(xy - Vectors.dot(y, m.applyInverse(x))).isBetween(-1e-9, 1e-9);
      }
    }
  }

  @Test
  void applyInverse_fixedCoordinates_staysExactlyZeroThere() {
    boolean[] fixed = new boolean[P];
    Arrays.fill(fixed, 50, P, true);
    SymmetricMatrix a = operator(orthonormal(10, 50), decaying(10));
    Preconditioner m = NystromPreconditioner.of(a, jacobi, MU, 8, fixed).orElseThrow();
    double[] r = random.doubles(P, -1, 1).toArray();
    Arrays.fill(r, 50, P, 0);
    assertThat(Arrays.stream(m.applyInverse(r)).skip(50)).containsOnly(0.0);
  }

  @Test
  void of_productsThatAreNotFinite_isEmpty() {
    double[] nan = new double[P * P];
    Arrays.fill(nan, Double.NaN);
    assertThat(NystromPreconditioner.of(new SymmetricMatrix(P, nan), jacobi, MU, 8, new boolean[P]))
        .isEmpty();
  }
}
