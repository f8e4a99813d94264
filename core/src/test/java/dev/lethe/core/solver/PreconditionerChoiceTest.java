package dev.lethe.core.solver;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.linalg.LinearOperator;
import dev.lethe.core.linalg.SymmetricMatrix;
import dev.lethe.core.linalg.Vectors;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** A diagonal system with eigenvalues 1 .. 10^4, for which conjugate gradient takes its time. */
class PreconditionerChoiceTest {
  private static final int P = 200;
  private static final double COST = 12;

  private final double[] eigenvalues = new double[P];
  private final double[] b = new double[P];
  private int made;

  PreconditionerChoiceTest() {
    Arrays.setAll(eigenvalues, j -> Math.pow(10, 4.0 * j / (P - 1)));
    Arrays.fill(b, 1);
  }

  private LinearOperator operator() {
    double[] values = new double[P * P];
    for (int j = 0; j < P; j++) {
      values[j * (P + 1)] = eigenvalues[j];
    }
    return new SymmetricMatrix(P, values);
  }

  /** Offers the exact inverse. */
  private final class Offering implements ConvexFunction<ConvexFunction.Evaluation> {
    @Override
    public List<PreconditionerOffer> preconditionerOffers(
        double[] point, LinearOperator hessian, Preconditioner cheap) {
      return List.of(
          new PreconditionerOffer(Preconditioning.SAMPLE, 2 * COST, Optional::empty),
          new PreconditionerOffer(Preconditioning.NYSTROM, COST, this::inverse));
    }

    private Optional<Preconditioner> inverse() {
      made++;
      return Optional.of(
          r -> {
            double[] z = new double[P];
            Arrays.setAll(z, j -> r[j] / eigenvalues[j]);
            return z;
          });
    }

    @Override
    public int size() {
      return P;
    }

    @Override
    public Evaluation evaluate(double[] point) {
      throw new UnsupportedOperationException();
    }

    @Override
    public LinearOperator hessian(double[] point) {
      return operator();
    }

    @Override
    public SymmetricMatrix hessianMatrix(double[] point) {
      throw new UnsupportedOperationException();
    }

    @Override
    public Preconditioner preconditioner(Evaluation evaluation) {
      return double[]::clone;
    }
  }

  private ConjugateGradient.Result solve(
      PreconditionerChoice choice, double[] point, double tolerance, int maxIterations) {
    return choice.solve(
        new Offering(),
        point,
        operator(),
        b,
        double[]::clone,
        limit -> new ConjugateGradient(tolerance, limit, (k, r, t) -> {}),
        maxIterations,
        true);
  }

  private void assertSolved(ConjugateGradient.Result result) {
    assertThat(result.converged()).isTrue();
    // to 1e-8 of ||b||_{M^-1} <= ||b||, and no eigenvalue is below 1
    for (int j = 0; j < P; j++) {
      assertThat(result.x()[j] - 1 / eigenvalues[j]).isBetween(-2e-7, 2e-7);
    }
  }

  @Test
  void solve_diagonalIsSlow_changesWhenItsProductsHaveCostAsMuch() {
    PreconditionerChoice choice = new PreconditionerChoice(null);
    ConjugateGradient.Result result = solve(choice, new double[P], 1e-8, 1000);
    assertSolved(result);
    assertThat(choice.kind()).isEqualTo(Preconditioning.NYSTROM);
    assertThat(made).isEqualTo(1);
    // 12 iterations, then one; a check of the residual after both
    assertThat(result.iterations()).isEqualTo(13);
    assertThat(result.products()).isEqualTo(15);
    assertThat(Vectors.norm(result.residual())).isLessThan(1e-7);
  }

  @Test
  void solve_againAtAnotherPoint_keepsWhatWasMade() {
    PreconditionerChoice choice = new PreconditionerChoice(null);
    solve(choice, new double[P], 1e-8, 1000);
    ConjugateGradient.Result again = solve(choice, new double[P], 1e-8, 1000);
    assertSolved(again);
    assertThat(again.iterations()).isEqualTo(1);
    assertThat(made).isEqualTo(1);
  }

  @Test
  void solve_diagonalIsEnough_neverPays() {
    Arrays.fill(b, 0);
    b[7] = 1; // an eigenvector: one iteration
    PreconditionerChoice choice = new PreconditionerChoice(null);
    for (int k = 0; k < 5; k++) {
      assertThat(solve(choice, new double[P], 1e-8, 1000).iterations()).isEqualTo(1);
    }
    assertThat(choice.kind()).isEqualTo(Preconditioning.JACOBI);
    assertThat(made).isZero();
  }

  @Test
  void solve_manyLooseSolves_addUp() {
    PreconditionerChoice choice = new PreconditionerChoice(null);
    for (int k = 0; k < 40; k++) {
      solve(choice, new double[P], 0.5, 1000);
    }
    assertThat(made).isPositive();
  }

  @Test
  void solve_iterationLimitBelowTheCost_isNotPassedOver() {
    PreconditionerChoice choice = new PreconditionerChoice(null);
    ConjugateGradient.Result result = solve(choice, new double[P], 1e-8, 5);
    assertThat(result.iterations()).isEqualTo(5);
    assertThat(result.reason()).isEqualTo(ConjugateGradient.StopReason.MAX_ITERATIONS);
    assertThat(made).isZero();
  }

  @Test
  void solve_asked_usesItFromTheStart() {
    PreconditionerChoice choice = new PreconditionerChoice(Preconditioning.NYSTROM);
    ConjugateGradient.Result result = solve(choice, new double[P], 1e-8, 1000);
    assertSolved(result);
    assertThat(result.iterations()).isEqualTo(1);
  }

  @Test
  void solve_askedForTheDiagonal_usesNoOther() {
    PreconditionerChoice choice = new PreconditionerChoice(Preconditioning.JACOBI);
    ConjugateGradient.Result result = solve(choice, new double[P], 1e-8, 1000);
    assertSolved(result);
    assertThat(result.iterations()).isGreaterThan(100);
    assertThat(made).isZero();
  }

  @Test
  void solve_offerThatCannotBeMade_goesOnWithTheDiagonal() {
    PreconditionerChoice choice = new PreconditionerChoice(Preconditioning.SAMPLE);
    assertSolved(solve(choice, new double[P], 1e-8, 1000));
    assertThat(choice.kind()).isEqualTo(Preconditioning.JACOBI);
  }
}
