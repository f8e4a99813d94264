package dev.lethe.core.objective;

import dev.lethe.core.aggregate.GramAggregator;
import dev.lethe.core.aggregate.MeasurementAggregator;
import dev.lethe.core.aggregate.Point;
import dev.lethe.core.certify.DistanceBound;
import dev.lethe.core.certify.Measurement;
import dev.lethe.core.linalg.LinearOperator;
import dev.lethe.core.linalg.Rounding;
import dev.lethe.core.linalg.SymmetricMatrix;
import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.loss.LossFunction;
import dev.lethe.core.model.Statistics;
import dev.lethe.core.solver.CentredJacobi;
import dev.lethe.core.solver.ConvexFunction;
import dev.lethe.core.solver.Preconditioner;

/**
 * The objective in its canonical sum form, {@code docs/mathematics.md} equation (1):
 *
 * <pre>
 *   L_b(theta; D) = sum_i w_i l(theta; x_i, y_i) + 1/2 sum_j lambda_j theta_j^2 + b'theta
 * </pre>
 *
 * over the coordinates that are not fixed; fixed coordinates are 0 and no part of the problem:
 * their gradient is 0 and the Hessian is the identity there. The intercept, if any, is the last
 * coordinate, with x = 1 and lambda = 0.
 *
 * <p>Counts its passes over the data.
 */
public final class Objective implements ConvexFunction<Objective.Measured> {
  private final ExampleSums examples;
  private final Statistics statistics;
  private final LossFunction loss;
  private final boolean intercept;
  private final Penalty penalty;
  private final double[] linear;
  private final boolean[] fixed;
  private int passes;
  private int hessianVectorProducts;

  /**
   * @param statistics of {@code examples}
   * @param linear b, length p; zeros for an ordinary model
   * @param fixed coordinates held at zero, length p
   */
  public Objective(
      ExampleSums examples,
      Statistics statistics,
      LossFunction loss,
      boolean intercept,
      Penalty penalty,
      double[] linear,
      boolean[] fixed) {
    int p = examples.features() + (intercept ? 1 : 0);
    if (penalty.size() != p || linear.length != p || fixed.length != p) {
      throw new IllegalArgumentException(
          "p = "
              + p
              + ", but the penalty has "
              + penalty.size()
              + " coordinates, b "
              + linear.length
              + ", fixed "
              + fixed.length);
    }
    this.examples = examples;
    this.statistics = statistics;
    this.loss = loss;
    this.intercept = intercept;
    this.penalty = penalty;
    this.linear = linear.clone();
    this.fixed = fixed.clone();
  }

  /** A value, its gradient, and all that a distance bound needs. */
  public record Measured(double[] point, double value, Measurement measurement)
      implements Evaluation {
    @Override
    public double[] gradient() {
      return measurement.gradient();
    }
  }

  @Override
  public int size() {
    return penalty.size();
  }

  public ExampleSums examples() {
    return examples;
  }

  public Statistics statistics() {
    return statistics;
  }

  public Penalty penalty() {
    return penalty;
  }

  /** Coordinates held at zero, a copy. */
  public boolean[] fixed() {
    return fixed.clone();
  }

  /** Passes over the data so far, Hessian-vector products included. */
  public int passes() {
    return passes;
  }

  public int hessianVectorProducts() {
    return hessianVectorProducts;
  }

  /** Where a pass evaluates; fixed coordinates must be zero. */
  public Point at(double[] theta) {
    for (int j = 0; j < fixed.length; j++) {
      if (fixed[j] && theta[j] != 0) {
        throw new IllegalArgumentException("coordinate " + j + " is fixed at 0 but is not 0");
      }
    }
    return new Point(loss, examples.features(), intercept, theta);
  }

  /**
   * {@inheritDoc}
   *
   * @throws DataChangedException if the pass saw other data than the statistics
   */
  @Override
  public Measured evaluate(double[] theta) {
    passes++;
    MeasurementAggregator sums = examples.measure(at(theta));
    requireSameData(sums.rows(), sums.checksum());
    double[] lambda = penalty.lambda().clone();
    double[] g = sums.gradient();
    double[] error = sums.gradientError();
    double value = sums.value();
    for (int j = 0; j < g.length; j++) {
      if (fixed[j]) {
        g[j] = 0;
        error[j] = 0;
        continue;
      }
      double pull = lambda[j] * theta[j];
      double sum = g[j] + pull + linear[j];
      // the rule's own error, the product, and two additions of at most these magnitudes
      double e = penalty.relativeError()[j];
      if (e > 0 && theta[j] != 0) {
        error[j] += Double.isInfinite(e) ? e : e * Math.abs(pull);
      }
      error[j] +=
          2 * Rounding.UNIT * (Math.abs(g[j]) + 4 * Math.abs(pull) + Math.abs(sum))
              + Double.MIN_VALUE;
      // Distance bounds divide by lambda: they get one that the exact rule is not below.
      if (e > 0) {
        lambda[j] = e < 1 ? Rounding.down(lambda[j] * (1 - e), 4) : 0;
      }
      g[j] = sum;
      value += 0.5 * pull * theta[j] + linear[j] * theta[j];
    }
    double[] moment = sums.curvatureMoment();
    double rowNorm = intercept ? 1 : 0;
    double scaledRowNorm = 0;
    for (int j = 0; j < fixed.length; j++) {
      if (fixed[j]) {
        moment[j] = 0;
      } else if (j < examples.features()) {
        // the square may underflow
        double square = statistics.maxAbs(j) * statistics.maxAbs(j) + Double.MIN_NORMAL;
        rowNorm += square;
        if (lambda[j] > 0) {
          scaledRowNorm += square / lambda[j];
        }
      }
    }
    Measurement measurement =
        new Measurement(
            g,
            error,
            lambda,
            fixed,
            intercept ? size() - 1 : -1,
            sums.curvature(),
            moment,
            sums.curvatureRelativeError(),
            Rounding.up(Math.sqrt(rowNorm), size() + 4.0),
            Rounding.up(Math.sqrt(scaledRowNorm), size() + 8.0),
            loss.isSelfConcordant());
    return new Measured(theta.clone(), value, measurement);
  }

  @Override
  public LinearOperator hessian(double[] theta) {
    Point point = at(theta);
    return new LinearOperator() {
      @Override
      public int size() {
        return penalty.size();
      }

      @Override
      public double[] apply(double[] v) {
        passes++;
        hessianVectorProducts++;
        double[] active = v.clone();
        zeroFixed(active);
        double[] product = examples.hessianVector(point, active).product();
        for (int j = 0; j < product.length; j++) {
          product[j] = fixed[j] ? v[j] : product[j] + penalty.lambda()[j] * v[j];
        }
        return product;
      }
    };
  }

  @Override
  public SymmetricMatrix hessianMatrix(double[] theta) {
    return gram(theta).matrix();
  }

  /** The Hessian with the error bound that a certificate needs. */
  public record Hessian(SymmetricMatrix matrix, double relativeError) {}

  /**
   * The Hessian at theta: one pass.
   *
   * @throws DataChangedException if the pass saw other data than the statistics
   */
  public Hessian gram(double[] theta) {
    passes++;
    GramAggregator sums = examples.gram(at(theta));
    requireSameData(sums.rows(), sums.checksum());
    SymmetricMatrix matrix = sums.matrix();
    int p = size();
    for (int j = 0; j < p; j++) {
      for (int k = 0; k < p; k++) {
        if (fixed[j] || fixed[k]) {
          matrix.values()[j * p + k] = j == k ? 1 : 0;
        }
      }
    }
    double lambdaError = 0;
    for (int j = 0; j < p; j++) {
      if (!fixed[j]) {
        matrix.values()[j * p + j] += penalty.lambda()[j];
        lambdaError = Math.max(lambdaError, penalty.relativeError()[j]);
      }
    }
    return new Hessian(matrix, sums.relativeError() + lambdaError + 2 * Rounding.UNIT);
  }

  /**
   * The proven distance of an evaluated point to the minimiser, in units of theta, rounded up.
   * Where its own pass proves nothing (regParam = 0, or a partly penalised problem), the Hessian is
   * computed, one more pass, if a rule can use it and p allows it. No estimate decides.
   */
  public DistanceBound prove(Measured evaluation) {
    Measurement m = evaluation.measurement();
    DistanceBound bound = DistanceBound.of(m);
    if (!(bound instanceof DistanceBound.Unproven unproven)
        || unproven.cause() == DistanceBound.Cause.NOT_FINITE
        || !m.selfConcordantLoss()
        || size() > DistanceBound.MAX_HESSIAN_SIZE) {
      return bound;
    }
    Hessian hessian = gram(evaluation.point());
    return DistanceBound.of(m, hessian.matrix().values(), hessian.relativeError());
  }

  /**
   * As {@link #prove}, but without the Hessian's pass where the point looks too far for the proof
   * to matter: for the steps of a solver.
   *
   * @param rho the distance of interest
   */
  public DistanceBound distanceBound(Measured evaluation, double rho) {
    return estimatedDistance(evaluation) > rho
        ? DistanceBound.of(evaluation.measurement())
        : prove(evaluation);
  }

  /** ||M^{-1} g||_2 with the preconditioner M in the Hessian's place: an estimate, no bound. */
  public double estimatedDistance(Measured evaluation) {
    return Vectors.norm(preconditioner(evaluation).applyInverse(evaluation.gradient()));
  }

  /**
   * Centred Jacobi from what is already known: the mean curvature h / W times the column's moment
   * stands for the diagonal of the data's Hessian.
   */
  @Override
  public Preconditioner preconditioner(Measured evaluation) {
    Measurement m = evaluation.measurement();
    int p = size();
    int d = examples.features();
    double[] diagonal = new double[p];
    double[] mean = new double[p];
    boolean centred = intercept && !fixed[d];
    // Where every margin is saturated h says nothing; the floor keeps the inverse finite.
    double h =
        Math.max(m.curvature(), 0x1p-40 * loss.secondDerivativeBound() * statistics.totalWeight());
    double meanCurvature =
        centred ? h / statistics.totalWeight() : 0.5 * loss.secondDerivativeBound();
    for (int j = 0; j < p; j++) {
      if (fixed[j]) {
        diagonal[j] = 1;
      } else if (j == d) {
        diagonal[j] = h;
      } else {
        double moment = statistics.secondMoment()[j];
        double spread = statistics.variance()[j] * statistics.totalWeight();
        mean[j] = centred ? m.curvatureMoment()[j] / h : 0;
        double data = meanCurvature * (centred ? spread : moment);
        diagonal[j] = Math.max(data + penalty.lambda()[j], Double.MIN_NORMAL);
      }
    }
    return new CentredJacobi(diagonal, mean, centred ? d : -1);
  }

  /** The penalties and the rows' norms are the statistics', the sums are the pass's. */
  private void requireSameData(long rows, long checksum) {
    if (rows != statistics.rows() || checksum != statistics.checksum()) {
      throw new DataChangedException(statistics.rows(), rows);
    }
  }

  private void zeroFixed(double[] v) {
    for (int j = 0; j < v.length; j++) {
      if (fixed[j]) {
        v[j] = 0;
      }
    }
  }
}
