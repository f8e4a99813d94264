package dev.lethe.core.certify;

import dev.lethe.core.model.ParameterLayout;
import java.util.Arrays;
import java.util.Random;

/**
 * A small dense multinomial problem with free intercepts, written from the formulas alone: sum_i
 * w_i (log sum_k e^{s_ik} - s_{i y_i}) + 1/2 sum_kj lambda_j theta_kj^2 + b'theta, with everything
 * that a distance bound asks for. The linear term makes any centred point the exact minimiser.
 */
final class DenseSoftmax {
  private static final double U = 0x1p-53;

  final double[][] x; // without the intercept's 1
  final double[] w;
  final int[] y;
  final double[] lambda;
  final int classes;
  private double[] b;
  private double[] bError;

  DenseSoftmax(double[][] x, double[] w, int[] y, double[] lambda, int classes) {
    this.x = x;
    this.w = w;
    this.y = y;
    this.lambda = lambda;
    this.classes = classes;
    b = new double[size()];
    bError = new double[size()];
  }

  int features() {
    return lambda.length;
  }

  int stride() {
    return features() + 1;
  }

  int size() {
    return classes * stride();
  }

  ParameterLayout layout() {
    return new ParameterLayout(features(), true, classes, 0);
  }

  /** Chooses b; its rounding is charged to the gradient. Intercepts of theta must sum to 0. */
  void minimiseAt(double[] theta) {
    b = new double[size()];
    bError = new double[size()];
    double[] error = gradientError(theta);
    double[] g = gradient(theta);
    Arrays.setAll(b, j -> -g[j]);
    bError = error;
  }

  /** Intercepts in multiples of 2^-20 that sum to exactly 0. */
  double[] centred(double[] theta) {
    double[] result = theta.clone();
    double sum = 0;
    for (int k = 0; k < classes; k++) {
      int t = k * stride() + features();
      result[t] = k == classes - 1 ? -sum : Math.rint(theta[t] * 0x1p20) * 0x1p-20;
      sum += result[t];
    }
    return result;
  }

  private double value(int i, int column) {
    return column == features() ? 1 : x[i][column];
  }

  private double[] probabilities(int i, double[] theta) {
    double[] p = new double[classes];
    double top = Double.NEGATIVE_INFINITY;
    for (int k = 0; k < classes; k++) {
      for (int j = 0; j < stride(); j++) {
        p[k] += value(i, j) * theta[k * stride() + j];
      }
      top = Math.max(top, p[k]);
    }
    double sum = 0;
    for (int k = 0; k < classes; k++) {
      p[k] = Math.exp(p[k] - top);
      sum += p[k];
    }
    for (int k = 0; k < classes; k++) {
      p[k] /= sum;
    }
    return p;
  }

  /** diag(P) - P P', the diagonal as a sum of what the others have. */
  private double curvature(double[] p, int k, int l) {
    if (k != l) {
      return -p[k] * p[l];
    }
    double others = 0;
    for (int q = 0; q < classes; q++) {
      others += q == k ? 0 : p[q];
    }
    return p[k] * others;
  }

  double[] gradient(double[] theta) {
    double[] g = b.clone();
    for (int i = 0; i < x.length; i++) {
      double[] p = probabilities(i, theta);
      for (int k = 0; k < classes; k++) {
        for (int j = 0; j < stride(); j++) {
          g[k * stride() + j] += w[i] * (p[k] - (y[i] == k ? 1 : 0)) * value(i, j);
        }
      }
    }
    for (int a = 0; a < size(); a++) {
      g[a] += penalty(a) * theta[a];
    }
    return g;
  }

  double penalty(int parameter) {
    int column = parameter % stride();
    return column == features() ? 0 : lambda[column];
  }

  private double largestAbsoluteMargin(int i, double[] theta) {
    double largest = 0;
    for (int k = 0; k < classes; k++) {
      double sum = 0;
      for (int j = 0; j < stride(); j++) {
        sum += Math.abs(value(i, j) * theta[k * stride() + j]);
      }
      largest = Math.max(largest, sum);
    }
    return largest;
  }

  /** |dP_k| <= max |dt|, twice the margins' error with that of s_k - max s; 20 u to evaluate P. */
  double[] gradientError(double[] theta) {
    double[] error = bError.clone();
    double terms = x.length + 8.0;
    for (int i = 0; i < x.length; i++) {
      double p = 1.01 * U * (2 * (stride() + 2) * largestAbsoluteMargin(i, theta) + 20);
      for (int a = 0; a < size(); a++) {
        double size = w[i] * Math.abs(value(i, a % stride()));
        error[a] += size * (p + 1.01 * terms * U);
      }
    }
    for (int a = 0; a < size(); a++) {
      error[a] += 1.01 * terms * U * (Math.abs(b[a]) + Math.abs(penalty(a) * theta[a]));
    }
    return error;
  }

  /** Relative error of the curvature's sums; a bound for margins of order 10. */
  double kappa(double[] theta) {
    double largest = 0;
    for (int i = 0; i < x.length; i++) {
      largest = Math.max(largest, largestAbsoluteMargin(i, theta));
    }
    return 1.01 * U * (100 + x.length + 4 * classes * (stride() + 2) * largest);
  }

  /** What (1a) of docs/mathematics.md adds between any two intercepts. */
  private double open() {
    return Arrays.stream(w).sum() / classes / classes;
  }

  /** Row-major p x p. */
  double[] hessian(double[] theta) {
    int n = size();
    double[] h = new double[n * n];
    for (int i = 0; i < x.length; i++) {
      double[] p = probabilities(i, theta);
      for (int a = 0; a < n; a++) {
        for (int c = 0; c < n; c++) {
          h[a * n + c] +=
              w[i]
                  * curvature(p, a / stride(), c / stride())
                  * value(i, a % stride())
                  * value(i, c % stride());
        }
      }
    }
    for (int a = 0; a < n; a++) {
      h[a * n + a] += penalty(a);
      for (int c = 0; c < n; c++) {
        boolean intercepts = a % stride() == features() && c % stride() == features();
        h[a * n + c] += intercepts ? open() : 0;
      }
    }
    return h;
  }

  /** The margins' curvature, every entry disturbed by kappa of what it may be off, either way. */
  MarginCurvature curvature(double[] theta, double kappa, Random random) {
    int pairs = classes * (classes + 1) / 2;
    double[] sums = new double[pairs * stride()];
    double[] absolute = new double[sums.length];
    for (int i = 0; i < x.length; i++) {
      double[] p = probabilities(i, theta);
      int target = 0;
      for (int k = 0; k < classes; k++) {
        for (int l = 0; l <= k; l++) {
          for (int j = 0; j < stride(); j++) {
            sums[target] += w[i] * curvature(p, k, l) * value(i, j);
            absolute[target++] +=
                w[i] * Math.sqrt(curvature(p, k, k) * curvature(p, l, l)) * Math.abs(value(i, j));
          }
        }
      }
    }
    for (int s = 0; s < sums.length; s++) {
      sums[s] += s % stride() == features() ? open() : 0;
      sums[s] += (random.nextBoolean() ? kappa : -kappa) * absolute[s];
    }
    return new MarginCurvature(classes, features(), sums, 1.01 * kappa + kappa(theta));
  }

  Measurement measure(double[] theta) {
    double row = 0;
    double scaledRow = 0;
    for (double[] features : x) {
      double square = 1;
      double scaledSquare = 0;
      for (int j = 0; j < features(); j++) {
        square += features[j] * features[j];
        scaledSquare += features[j] * features[j] / lambda[j];
      }
      row = Math.max(row, square);
      scaledRow = Math.max(scaledRow, scaledSquare);
    }
    double up = 1 + 1e-14;
    double[] penalties = new double[size()];
    Arrays.setAll(penalties, this::penalty);
    return new Measurement(
        gradient(theta),
        gradientError(theta),
        penalties,
        new boolean[size()],
        layout(),
        new double[classes],
        new double[size()],
        kappa(theta),
        Math.sqrt(row) * up,
        Math.sqrt(scaledRow) * up,
        Math.nextUp(Math.sqrt(2)),
        false,
        -1,
        0);
  }
}
