package dev.lethe.core.solver;

import dev.lethe.core.linalg.Cholesky;
import dev.lethe.core.linalg.LinearOperator;
import dev.lethe.core.linalg.SymmetricMatrix;
import dev.lethe.core.linalg.Vectors;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Solves the Newton system (H(theta) + diag(damping)) s = -g. */
public final class NewtonStep {
  /**
   * @param direction s; zero if Cholesky met a matrix that is not positive definite
   * @param cgIterations 0 for Cholesky
   * @param products Hessian-vector products; 0 for Cholesky
   * @param residualNorm ||H s + g||_2, computed afresh but in an unchecked solve; NaN where it is
   *     not known
   * @param solved whether the system was solved to the tolerance
   * @param outcome the solver's stop reason, in words
   * @param factor for steps from later points; null for conjugate gradient, and without a factor
   * @param isExact whether s is the Newton direction, to the tolerance
   */
  public record Result(
      double[] direction,
      int cgIterations,
      int products,
      double residualNorm,
      boolean solved,
      String outcome,
      @Nullable KeptFactor factor,
      boolean isExact) {}

  /**
   * Above these ratios of two gradient norms a step by the kept factor is slow: an exact factor
   * that is that slow is far from its point, and one of a sample is replaced by one of all rows.
   */
  private static final double SLOW = 0.2;

  private static final double SLOW_APPROXIMATION = 0.5;

  private final LinearSolver solver;
  private final int maxCgIterations;
  private final ConjugateGradient.Listener listener;
  private final PreconditionerChoice choice;

  /** With the preconditioner that {@link PreconditionerChoice} finds worth its cost. */
  public NewtonStep(LinearSolver solver, int maxCgIterations, ConjugateGradient.Listener listener) {
    this(solver, null, maxCgIterations, listener);
  }

  /**
   * @param preconditioning of conjugate gradient; null for the one that is worth its cost
   */
  public NewtonStep(
      LinearSolver solver,
      @Nullable Preconditioning preconditioning,
      int maxCgIterations,
      ConjugateGradient.Listener listener) {
    this.solver = solver;
    this.maxCgIterations = maxCgIterations;
    this.listener = listener;
    choice = new PreconditionerChoice(preconditioning);
  }

  /** What conjugate gradient was preconditioned by last. */
  public Preconditioning preconditioning() {
    return choice.kind();
  }

  /**
   * @param gradient the right-hand side's negative; not necessarily the gradient at the point
   * @param damping not negative, length p
   * @param tolerance relative residual of conjugate gradient, in the preconditioner's norm
   */
  public <E extends ConvexFunction.Evaluation> Result solve(
      ConvexFunction<E> function,
      double[] point,
      double[] gradient,
      double[] damping,
      Preconditioner preconditioner,
      double tolerance) {
    return solve(function, point, gradient, damping, preconditioner, tolerance, true);
  }

  /** As {@link #solve}, but what conjugate gradient leaves is not computed afresh. */
  <E extends ConvexFunction.Evaluation> Result solveUnchecked(
      ConvexFunction<E> function,
      double[] point,
      double[] gradient,
      double[] damping,
      Preconditioner preconditioner,
      double tolerance) {
    return solve(function, point, gradient, damping, preconditioner, tolerance, false);
  }

  private <E extends ConvexFunction.Evaluation> Result solve(
      ConvexFunction<E> function,
      double[] point,
      double[] gradient,
      double[] damping,
      Preconditioner preconditioner,
      double tolerance,
      boolean checked) {
    double[] rhs = new double[gradient.length];
    Vectors.addInPlace(rhs, -1, gradient);
    if (solver == LinearSolver.CHOLESKY) {
      return byCholesky(
          function.hessianMatrix(point), new NewtonState.Origin(point, damping), true, rhs);
    }
    ConjugateGradient.Result cg =
        choice.solve(
            function,
            point,
            damped(function.hessian(point), damping),
            rhs,
            preconditioner,
            iterations -> new ConjugateGradient(tolerance, iterations, listener),
            maxCgIterations,
            checked);
    return new Result(
        cg.x(),
        cg.iterations(),
        cg.products(),
        cg.residualNorm(),
        cg.converged(),
        cg.reason().toString(),
        null,
        true);
  }

  /** Whether a step needs the Hessian as a matrix. */
  boolean needsMatrix() {
    return solver == LinearSolver.CHOLESKY;
  }

  /**
   * A step from an evaluation that has the Hessian, or the first one of a run: as {@link #solve},
   * or with an approximation of the Hessian where that is much cheaper; one product more then, for
   * the residual.
   */
  <E extends ConvexFunction.Evaluation> Result begin(
      ConvexFunction<E> function,
      E start,
      double[] damping,
      Preconditioner preconditioner,
      double tolerance) {
    if (solver != LinearSolver.CHOLESKY) {
      return solve(function, start.point(), start.gradient(), damping, preconditioner, tolerance);
    }
    SymmetricMatrix known = start.hessian();
    ConvexFunction.Approximation hessian =
        known == null
            ? function.approximateHessian(start)
            : new ConvexFunction.Approximation(known, true);
    double[] rhs = new double[damping.length];
    Vectors.addInPlace(rhs, -1, start.gradient());
    NewtonState.Origin origin = new NewtonState.Origin(start.point(), damping);
    Result result = byCholesky(hessian.matrix(), origin, hessian.isExact(), rhs);
    if (hessian.isExact()) {
      return result;
    }
    if (!result.solved()) {
      return byCholesky(function.hessianMatrix(start.point()), origin, true, rhs);
    }
    double[] product = damped(function.hessian(start.point()), damping).apply(result.direction());
    return new Result(
        result.direction(),
        0,
        1,
        Vectors.distance(product, rhs),
        true,
        "CHOLESKY_APPROXIMATE",
        result.factor(),
        false);
  }

  /** A step by a factor of an earlier point; its residual is not known. */
  static Result again(KeptFactor factor, double[] gradient) {
    return new Result(
        factor.direction(gradient), 0, 0, Double.NaN, true, "KEPT_FACTOR", factor, false);
  }

  /** The factor of an earlier run, made again; empty if it is not positive definite any more. */
  <E extends ConvexFunction.Evaluation> Optional<KeptFactor> remade(
      ConvexFunction<E> function, NewtonState.Factor of) {
    double[] at = of.origin().at();
    SymmetricMatrix matrix =
        of.exact()
            ? function.hessianMatrix(at)
            : function.approximateHessian(function.evaluate(at)).matrix();
    return Cholesky.of(damped(matrix, of.origin().damping()))
        .map(
            factor -> {
              KeptFactor kept = new KeptFactor(factor, of.origin(), of.exact(), slow(of.exact()));
              of.pairs().forEach(pair -> kept.learn(pair.step(), pair.change()));
              return kept;
            });
  }

  /** The preconditioner that was made, if any: not the diagonal. */
  @Nullable Preconditioner made() {
    return choice.made();
  }

  /** Products since it was made. */
  int products() {
    return choice.products();
  }

  /** Makes the preconditioner of an earlier run again, and goes on counting products. */
  <E extends ConvexFunction.Evaluation> void resume(
      ConvexFunction<E> function, NewtonState.@Nullable Made made, int products) {
    if (made != null) {
      double[] at = made.origin().at();
      choice.make(
          function,
          at,
          damped(function.hessian(at), made.origin().damping()),
          function.preconditioner(function.evaluate(made.measuredAt())),
          made.kind());
    }
    choice.resume(products);
  }

  private static double slow(boolean exact) {
    return exact ? SLOW : SLOW_APPROXIMATION;
  }

  private static Result byCholesky(
      SymmetricMatrix matrix, NewtonState.Origin origin, boolean exact, double[] rhs) {
    SymmetricMatrix hessian = damped(matrix, origin.damping());
    return Cholesky.of(hessian)
        .map(
            factor -> {
              double[] s = factor.solve(rhs);
              return new Result(
                  s,
                  0,
                  0,
                  Vectors.distance(hessian.apply(s), rhs),
                  true,
                  "CHOLESKY",
                  new KeptFactor(factor, origin, exact, slow(exact)),
                  true);
            })
        .orElseGet(
            () ->
                new Result(
                    new double[rhs.length],
                    0,
                    0,
                    Vectors.norm(rhs),
                    false,
                    "NOT_POSITIVE_DEFINITE",
                    null,
                    true));
  }

  private static SymmetricMatrix damped(SymmetricMatrix matrix, double[] damping) {
    double[] values = matrix.values().clone();
    for (int j = 0; j < damping.length; j++) {
      values[j * (damping.length + 1)] += damping[j];
    }
    return new SymmetricMatrix(damping.length, values);
  }

  private static LinearOperator damped(LinearOperator operator, double[] damping) {
    return new LinearOperator() {
      @Override
      public int size() {
        return operator.size();
      }

      @Override
      public double[] apply(double[] v) {
        return damp(operator.apply(v), v);
      }

      @Override
      public double[][] applyAll(double[][] vectors) {
        double[][] products = operator.applyAll(vectors);
        for (int k = 0; k < products.length; k++) {
          damp(products[k], vectors[k]);
        }
        return products;
      }

      private double[] damp(double[] product, double[] v) {
        for (int j = 0; j < product.length; j++) {
          product[j] += damping[j] * v[j];
        }
        return product;
      }
    };
  }
}
