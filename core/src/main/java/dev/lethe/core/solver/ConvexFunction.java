package dev.lethe.core.solver;

import dev.lethe.core.linalg.LinearOperator;
import dev.lethe.core.linalg.SymmetricMatrix;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A twice differentiable convex function of R^p.
 *
 * @param <E> what an evaluation yields beside value and gradient
 */
public interface ConvexFunction<E extends ConvexFunction.Evaluation> {

  /** Value and gradient at a point. */
  interface Evaluation {
    double[] point();

    double value();

    /** Length p. */
    double[] gradient();

    /** The Hessian, where the evaluation has found it on its way; null otherwise. */
    default @Nullable SymmetricMatrix hessian() {
      return null;
    }
  }

  /** p. */
  int size();

  /** Value and gradient: one pass over the data. */
  E evaluate(double[] point);

  /** Value and gradient alone, for points on the way: a pass that may cost less. */
  default Evaluation evaluateGradient(double[] point) {
    return evaluate(point);
  }

  /** {@link #evaluate} with the Hessian, where its sums cost little beside the pass. */
  default E evaluateWithHessian(double[] point) {
    return evaluate(point);
  }

  /** The Hessian at a point as an operator: one pass a product. */
  LinearOperator hessian(double[] point);

  /** The Hessian at a point as a matrix: one pass. */
  SymmetricMatrix hessianMatrix(double[] point);

  /**
   * A positive definite matrix near the Hessian.
   *
   * @param isExact whether it is the Hessian itself
   */
  record Approximation(SymmetricMatrix matrix, boolean isExact) {}

  /**
   * What the first steps are made with: the Hessian itself, or an approximation where that is much
   * cheaper; at most one pass.
   */
  default Approximation approximateHessian(E evaluation) {
    return new Approximation(hessianMatrix(evaluation.point()), true);
  }

  /**
   * What is added to the Hessian's diagonal where it may be singular away from the minimiser; it
   * vanishes with the gradient, so that convergence stays superlinear. Zeros by default.
   */
  default double[] damping(Evaluation evaluation) {
    return new double[size()];
  }

  /** A preconditioner for {@link #hessian} at the evaluated point, without another pass. */
  Preconditioner preconditioner(E evaluation);

  /**
   * Better ones, at a price; none by default.
   *
   * @param hessian at the point, damped
   * @param cheap what {@link #preconditioner} gave
   */
  default List<PreconditionerOffer> preconditionerOffers(
      double[] point, LinearOperator hessian, Preconditioner cheap) {
    return List.of();
  }
}
