package dev.lethe.core.certify;

import static dev.lethe.core.linalg.Rounding.gamma;
import static dev.lethe.core.linalg.Rounding.up;

import dev.lethe.core.linalg.Rounding;
import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.model.ParameterLayout;
import dev.lethe.core.model.Statistics;

/**
 * Upper bounds of ||grad L(theta+; D')||_2, the residual that one step from theta to theta+ leaves,
 * from what is known before the pass that measures it: the measurement at theta and the statistics
 * of D'. Sum form, the coordinates that are not fixed; proofs in {@code docs/mathematics.md},
 * section 10.
 *
 * <p>With X the rows x_i (an intercept's 1 included), W = diag(w), B2 and B3 bounds of the loss's
 * second and third derivative, and s = theta+ - theta:
 *
 * <pre>
 *   N^2 = sum_j sum_i w_i x_ij^2 &gt;= ||W^(1/2) X||_2^2                                      Frobenius norm
 *   d = sum_j max_i |x_ij| |s_j| &gt;= max_i |x_i's|
 *   q = sum_j sqrt(sum_i w_i x_ij^2) |s_j| &gt;= ||W^(1/2) X s||_2
 * </pre>
 *
 * Everything is rounded up, and what rounding does to the step is part of the bounds. They are
 * infinite where a derivative is unbounded or a penalty is not known.
 */
public final class ResidualBounds {
  /** The roundings between l'' and a summed product, panels of 1024 rows and merges included. */
  private static final double PRODUCT_ROUNDINGS = 2200;

  private final double[] theta;
  private final Measurement start;
  private final double secondDerivative;
  private final double thirdDerivative;
  private final double rows;
  private final double totalWeight;
  private final double[] columnNorm;
  private final double[] maxAbs;
  private final double[] lambda;
  private final double[] lambdaError;
  private final double leastLambda;
  private final double largestLambda;
  private final double dataNorm;

  /**
   * @param statistics of D'
   * @param theta where the step starts, p
   * @param start measured at theta on D'
   * @param lambda penalties as computed, p
   * @param lambdaRelativeError of them against the exact rule, p
   * @param secondDerivative B2 &gt;= l'', possibly infinite
   * @param thirdDerivative B3 &gt;= |l'''|, possibly infinite
   * @throws IllegalArgumentException unless p is the number of features, or one more for an
   *     intercept
   */
  public ResidualBounds(
      Statistics statistics,
      double[] theta,
      Measurement start,
      double[] lambda,
      double[] lambdaRelativeError,
      double secondDerivative,
      double thirdDerivative) {
    int p = start.size();
    int features = statistics.features();
    if (theta.length != p || p != start.layout().stride()) {
      throw new IllegalArgumentException(
          "theta has %d entries: must have %d, one for each of %d features and the intercept"
              .formatted(theta.length, p, features));
    }
    this.theta = theta.clone();
    this.start = start;
    this.secondDerivative = secondDerivative;
    this.thirdDerivative = thirdDerivative;
    rows = statistics.rows();
    totalWeight = up(statistics.totalWeight(), 4);
    columnNorm = columnNorms(statistics, start.layout(), start.fixed());
    maxAbs = new double[p];
    this.lambda = new double[p];
    lambdaError = new double[p];
    double least = Double.POSITIVE_INFINITY;
    double largest = 0;
    for (int j = 0; j < p; j++) {
      if (start.fixed()[j]) {
        continue;
      }
      maxAbs[j] = j < features ? statistics.column(j).maxAbs() : 1;
      this.lambda[j] = lambda[j];
      lambdaError[j] = lambda[j] == 0 ? 0 : up(lambda[j] * lambdaRelativeError[j], 1);
      least = Math.min(least, Math.max(0, lambda[j] - lambdaError[j]));
      largest = Math.max(largest, lambda[j] + lambdaError[j]);
    }
    leastLambda = least;
    largestLambda = largest;
    dataNorm = norm(columnNorm);
  }

  /**
   * N, an upper bound of ||W^(1/2) X||_2: the Frobenius norm, of the columns that are not fixed. It
   * takes no pass, and is the same for every loss.
   *
   * @param fixed by parameter; the margins' parameters of one column are fixed alike
   */
  public static double dataNorm(Statistics statistics, ParameterLayout layout, boolean[] fixed) {
    return norm(columnNorms(statistics, layout, fixed));
  }

  private static double norm(double[] columnNorm) {
    return up(Vectors.norm(columnNorm), columnNorm.length + 4.0);
  }

  /** sqrt(sum_i w_i x_ij^2), rounded up; 0 for a fixed column. */
  private static double[] columnNorms(
      Statistics statistics, ParameterLayout layout, boolean[] fixed) {
    double[] norms = new double[layout.stride()];
    for (int j = 0; j < norms.length; j++) {
      if (!fixed[layout.coefficient(0, j)]) {
        double moment =
            j < layout.features() ? statistics.column(j).secondMoment() : statistics.totalWeight();
        norms[j] = up(Math.sqrt(moment), 8) + Double.MIN_NORMAL;
      }
    }
    return norms;
  }

  /**
   * After theta+ = theta - tau v:
   *
   * <pre>
   *   max(|1 - tau min lambda|, |1 - tau (B2 N^2 + max lambda)|) ||v|| + ||g - v||
   * </pre>
   *
   * @param tau the rate, as used
   * @param direction v: the gradient g at theta, or the gradient difference
   * @param end theta+, as computed
   */
  public double firstOrder(double tau, double[] direction, double[] end) {
    double curvature = curvature();
    double factor =
        Math.max(Math.abs(1 - tau * leastLambda), Math.abs(1 - tau * curvature))
            + 4 * Rounding.UNIT * (1 + tau * curvature);
    double[] misplaced = new double[end.length];
    for (int j = 0; j < end.length; j++) {
      misplaced[j] =
          2 * Rounding.UNIT * (Math.abs(end[j]) + tau * Math.abs(direction[j])) + Double.MIN_VALUE;
    }
    return up(
        factor * Vectors.norm(direction)
            + Vectors.norm(Vectors.add(start.gradient(), -1, direction))
            + Vectors.norm(start.gradientError())
            + curvature * Vectors.norm(misplaced),
        end.length + 16.0);
  }

  /**
   * After theta+ = theta + length u, where u solves H(theta) u = -v but for a residual:
   *
   * <pre>
   *   1/2 B3 N d q + (1 - length) ||v|| + length ||H u + v|| + ||g - v||
   * </pre>
   *
   * <p>1/2 B3 = 1 / (12 sqrt 3) for the logistic loss.
   *
   * @param length in (0, 1], as used
   * @param direction v: the gradient g at theta, or the gradient difference
   * @param linearResidual ||H u + v||_2 as computed, by a product with H or its matrix
   * @param end theta+, as computed
   */
  public double secondOrder(
      double length, double[] direction, double linearResidual, double[] end) {
    int p = end.length;
    double[] step = new double[p];
    double[] penalty = new double[p];
    double[] misplaced = new double[p];
    double margin = 0;
    double reach = 0;
    double weighted = 0;
    for (int j = 0; j < p; j++) {
      misplaced[j] = 3 * Rounding.UNIT * Math.abs(end[j]) + Double.MIN_VALUE;
      step[j] = Math.abs(end[j] - theta[j]) + misplaced[j];
      penalty[j] = lambdaError[j] * step[j] + 4 * Rounding.UNIT * lambda[j] * step[j];
      margin += maxAbs[j] * Math.abs(theta[j]);
      reach += maxAbs[j] * step[j];
      weighted += columnNorm[j] * step[j];
    }
    double taylor = 0.5 * thirdDerivative * dataNorm * reach * weighted;
    double v = Vectors.norm(direction);
    double plain = gamma(3 * rows);
    double relative = gamma(3.0 * p + PRODUCT_ROUNDINGS) + plain * plain;
    double product = // of the product with H by which the linear residual was computed
        reach
            * Math.sqrt(totalWeight)
            * dataNorm
            * (secondDerivative * relative + thirdDerivative * gamma(p + 4.0) * margin);
    return up(
        taylor
            + Math.max(0, 1 - length) * v
            + length * (linearResidual * (1 + gamma(p + 8.0)) + 4 * Rounding.UNIT * v)
            + product
            + Vectors.norm(penalty)
            + Vectors.norm(Vectors.add(start.gradient(), -1, direction))
            + Vectors.norm(start.gradientError())
            + curvature() * Vectors.norm(misplaced),
        2.0 * p + 32);
  }

  /** B2 N^2 + max lambda, an upper bound of every Hessian's largest eigenvalue. */
  private double curvature() {
    return up(secondDerivative * dataNorm * dataNorm + largestLambda, 4);
  }
}
