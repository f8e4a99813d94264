package dev.lethe.core.certify;

import dev.lethe.core.model.ParameterLayout;
import java.util.Arrays;

/**
 * A small dense logistic problem, written from the formulas alone: sum_i w_i l(theta'x_i, y_i) +
 * 1/2 sum_j lambda_j theta_j^2 + b'theta, with everything that a {@link Measurement} holds.
 */
final class DenseLogistic {
  private static final double U = 0x1p-53;

  final double[][] x;
  final double[] y;
  final double[] w;
  final double[] lambda;
  final int intercept;
  double[] b;
  double[] bError;

  DenseLogistic(double[][] x, double[] y, double[] w, double[] lambda, int intercept) {
    this.x = x;
    this.y = y;
    this.w = w;
    this.lambda = lambda;
    this.intercept = intercept;
    this.b = new double[lambda.length];
    this.bError = new double[lambda.length];
  }

  int size() {
    return lambda.length;
  }

  /** The intercept, if any, is the last coordinate. */
  ParameterLayout layout() {
    return new ParameterLayout(size() - (intercept >= 0 ? 1 : 0), intercept >= 0, 1, 0);
  }

  /** Chooses b so that theta is the exact minimiser, up to bError, which is charged to g. */
  void minimiseAt(double[] theta) {
    b = new double[size()];
    bError = new double[size()];
    double[] error = gradientError(theta);
    double[] g = gradient(theta);
    Arrays.setAll(b, j -> -g[j]);
    bError = error;
  }

  double[] gradient(double[] theta) {
    double[] g = b.clone();
    for (int i = 0; i < x.length; i++) {
      double r = w[i] * (sigmoid(margin(i, theta)) - y[i]);
      for (int j = 0; j < size(); j++) {
        g[j] += r * x[i][j];
      }
    }
    for (int j = 0; j < size(); j++) {
      g[j] += lambda[j] * theta[j];
    }
    return g;
  }

  /** Section 7: the margin's rounding times l'' <= 1/4, 8 u for l', and the sum's. */
  double[] gradientError(double[] theta) {
    double[] error = bError.clone();
    double terms = x.length + 8.0;
    for (int j = 0; j < size(); j++) {
      double absolute = Math.abs(b[j]) + Math.abs(lambda[j] * theta[j]);
      for (int i = 0; i < x.length; i++) {
        double a = w[i] * Math.abs(x[i][j]);
        error[j] += 1.01 * a * (0.25 * (size() + 2) * U * absoluteMargin(i, theta) + 8 * U);
        absolute += a;
      }
      error[j] += 1.01 * terms * U * absolute;
    }
    return error;
  }

  /** Row-major p x p. */
  double[] hessian(double[] theta) {
    int p = size();
    double[] h = new double[p * p];
    for (int i = 0; i < x.length; i++) {
      double c = curvature(i, theta);
      for (int j = 0; j < p; j++) {
        for (int k = 0; k < p; k++) {
          h[j * p + k] += c * x[i][j] * x[i][k];
        }
      }
    }
    for (int j = 0; j < p; j++) {
      h[j * p + j] += lambda[j];
    }
    return h;
  }

  /** Relative error of the sums of w l'' x: l'' (12 u and the margin's), and the sum's. */
  double kappa(double[] theta) {
    double largest = 0;
    for (int i = 0; i < x.length; i++) {
      largest = Math.max(largest, absoluteMargin(i, theta));
    }
    return 1.01 * U * (12 + x.length + 4 + (size() + 2) * largest);
  }

  Measurement measure(double[] theta) {
    int p = size();
    double h = 0;
    double[] c = new double[p];
    double row = 0;
    double scaledRow = 0;
    for (int i = 0; i < x.length; i++) {
      double curvature = curvature(i, theta);
      h += curvature;
      double square = 0;
      double scaledSquare = 0;
      for (int j = 0; j < p; j++) {
        c[j] += curvature * x[i][j];
        square += x[i][j] * x[i][j];
        scaledSquare += lambda[j] > 0 ? x[i][j] * x[i][j] / lambda[j] : 0;
      }
      row = Math.max(row, square);
      scaledRow = Math.max(scaledRow, scaledSquare);
    }
    double up = 1 + 1e-14;
    return new Measurement(
        gradient(theta),
        gradientError(theta),
        lambda,
        new boolean[p],
        layout(),
        new double[] {h},
        c,
        kappa(theta),
        Math.sqrt(row) * up,
        Math.sqrt(scaledRow) * up,
        1,
        true,
        -1,
        0);
  }

  /** Newton's method with halving, until the steps no longer shrink. */
  double[] solve(double[] start) {
    double[] theta = start.clone();
    double last = Double.POSITIVE_INFINITY;
    for (int iteration = 0; iteration < 100; iteration++) {
      double[] step = newtonStep(theta);
      double size = norm(step);
      if (size == 0 || (size >= last && size < 1e-10)) {
        return theta;
      }
      double scale = Math.min(1, 2 / size);
      for (int j = 0; j < theta.length; j++) {
        theta[j] -= scale * step[j];
      }
      last = size;
    }
    throw new IllegalStateException("Newton did not converge");
  }

  /** H^{-1} g by elimination with diagonal pivots. */
  double[] newtonStep(double[] theta) {
    int p = size();
    double[] h = hessian(theta);
    double[] g = gradient(theta);
    for (int k = 0; k < p; k++) {
      for (int i = k + 1; i < p; i++) {
        double f = h[i * p + k] / h[k * p + k];
        for (int j = k; j < p; j++) {
          h[i * p + j] -= f * h[k * p + j];
        }
        g[i] -= f * g[k];
      }
    }
    for (int i = p - 1; i >= 0; i--) {
      for (int j = i + 1; j < p; j++) {
        g[i] -= h[i * p + j] * g[j];
      }
      g[i] /= h[i * p + i];
    }
    return g;
  }

  private double curvature(int i, double[] theta) {
    double e = Math.exp(-Math.abs(margin(i, theta)));
    return w[i] * (e / ((1 + e) * (1 + e)));
  }

  private double margin(int i, double[] theta) {
    double s = 0;
    for (int j = 0; j < theta.length; j++) {
      s += x[i][j] * theta[j];
    }
    return s;
  }

  private double absoluteMargin(int i, double[] theta) {
    double s = 0;
    for (int j = 0; j < theta.length; j++) {
      s += Math.abs(x[i][j] * theta[j]);
    }
    return s;
  }

  private static double sigmoid(double s) {
    double e = Math.exp(-Math.abs(s));
    return (s > 0 ? 1 : e) / (1 + e);
  }

  static double norm(double[] v) {
    double sum = 0;
    for (double value : v) {
      sum += value * value;
    }
    return Math.sqrt(sum);
  }

  static double distance(double[] a, double[] b) {
    double[] difference = new double[a.length];
    Arrays.setAll(difference, j -> a[j] - b[j]);
    return norm(difference);
  }
}
