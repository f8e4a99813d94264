package dev.lethe.core.aggregate;

import dev.lethe.core.linalg.Rounding;
import dev.lethe.core.loss.LossFunction;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.ParameterLayout;

/**
 * The outputs of one row after another at a point, the loss's derivatives there, and the rounding
 * errors of both; one object with its arrays for a block.
 */
final class RowEvaluation {
  /** More than underflow costs a margin, and beyond what anyone would notice. */
  private static final double UNDERFLOW = 0x1p-1000;

  private final Point point;
  private final LossFunction loss;
  private final ParameterLayout layout;
  private final int outputs;
  private final double[] s;
  private final double[] errors;
  private final double[] radii;
  private final double[] gradient;
  private final double[] gradientError;
  private final double[] hessian;

  RowEvaluation(Point point) {
    this.point = point;
    loss = point.loss();
    layout = point.layout();
    outputs = layout.outputs();
    s = new double[outputs];
    errors = new double[outputs];
    radii = new double[outputs];
    gradient = new double[outputs];
    gradientError = new double[outputs];
    hessian = new double[outputs * outputs];
  }

  /** Computes the row's outputs. */
  void at(ExampleBlock block, int row) {
    layout.apply(block, row, point.theta(), s);
  }

  /**
   * Bounds the rounding errors of the outputs: gamma_m times the sums of their absolute terms, m
   * the entries plus 2. A scalar is exact.
   *
   * @return the largest
   */
  double boundErrors(ExampleBlock block, int row) {
    layout.absoluteTerms(block, row, point.theta(), errors);
    double gamma = Rounding.gamma(block.entries(row) + 2.0);
    double largest = 0;
    for (int k = 0; k < outputs; k++) {
      errors[k] *= gamma;
      largest = Math.max(largest, errors[k]);
    }
    return largest;
  }

  double value(double label) {
    return loss.value(s, label);
  }

  /** w dl/ds, in an array that the next row overwrites. */
  double[] weightedGradient(double label, double weight) {
    loss.gradient(s, label, gradient);
    for (int k = 0; k < outputs; k++) {
      gradient[k] *= weight;
    }
    return gradient;
  }

  /**
   * Bounds of what is lost in every term w dl/ds_k x_j, but for |x_j|: after {@link #boundErrors}
   * and {@link #weightedGradient}.
   *
   * @param products relative error of the products and sums that follow the derivative
   */
  double[] weightedGradientError(double label, double weight, double products) {
    loss.gradientError(s, label, errors, gradientError);
    for (int k = 0; k < outputs; k++) {
      gradientError[k] = weightedError(gradientError[k], weight, products, gradient[k]);
    }
    return gradientError;
  }

  /** The bound for one term, from the derivative's error and the weighted derivative. */
  static double weightedError(double error, double weight, double products, double weighted) {
    // the normal number covers that w l' underflows
    return weight * (error + UNDERFLOW) + products * Math.abs(weighted) + Double.MIN_NORMAL;
  }

  /**
   * The Hessian in s, or its lower bound in the point's ball; {@link #boundErrors} first for the
   * latter. An array that the next row overwrites.
   */
  double[] hessian(ExampleBlock block, int row) {
    if (point.boundsCurvature()) {
      // ||x||; the normal number covers that squares underflow
      double square = block.squaredNorm(row, point.fixed());
      double norm = Math.sqrt(square + (layout.intercept() ? 1 : Double.MIN_NORMAL));
      double reach = Rounding.up(point.radius() * norm, block.entries(row) + 8.0);
      for (int k = 0; k < outputs; k++) {
        radii[k] = k < layout.margins() ? errors[k] + reach : point.radius();
      }
      loss.hessianFloor(s, block.label(row), radii, hessian);
    } else {
      loss.hessian(s, block.label(row), hessian);
    }
    return hessian;
  }

  /** w d2l/ds2 u for u = X v, written to {@code product}. */
  void weightedHessianProduct(
      ExampleBlock block, int row, double[] direction, double[] u, double[] product) {
    layout.apply(block, row, direction, u);
    loss.hessianProduct(s, block.label(row), u, product);
    double weight = block.weight(row);
    for (int k = 0; k < outputs; k++) {
      product[k] *= weight;
    }
  }
}
