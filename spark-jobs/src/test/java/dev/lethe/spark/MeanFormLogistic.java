package dev.lethe.spark;

import java.util.Arrays;
import java.util.BitSet;
import java.util.function.ToDoubleFunction;

/**
 * The independent truth: Spark ML's logistic objective in its mean form,
 *
 * <pre>
 *   f(theta) = (1/W) sum_i w_i (log(1 + e^{s_i}) - y_i s_i) + regParam/2 sum_j (s_j theta_j)^2,
 * </pre>
 *
 * on rows in memory, from its definition: two-pass moments, a dense Hessian, damped Newton with
 * Gaussian elimination. It shares nothing with Lethe's code. Removed and constant columns are no
 * part of the problem; their coefficients are 0.
 */
final class MeanFormLogistic {
  /** How s_j is defined. */
  enum Deviation {
    /** sqrt(sum w (x - mean)^2 / (W - sum w^2 / W)), Spark ML's. */
    UNBIASED,
    /** sqrt(sum w (x - mean)^2 / W): wrong, for tests that must notice. */
    POPULATION,
    /** 1: no standardization. */
    NONE
  }

  private final double[][] x;
  private final double[] y;
  private final double[] w;
  private final boolean intercept;
  private final double[] penalty;
  private final boolean[] absent;
  private final double totalWeight;

  /**
   * @param x n rows of d features
   * @param y 0 or 1
   * @param removed columns that are no part of the model
   */
  MeanFormLogistic(
      double[][] x,
      double[] y,
      double[] w,
      double regParam,
      Deviation deviation,
      boolean intercept,
      BitSet removed) {
    int d = x[0].length;
    this.x = x;
    this.y = y;
    this.w = w;
    this.intercept = intercept;
    totalWeight = Arrays.stream(w).sum();
    penalty = new double[d + (intercept ? 1 : 0)];
    absent = new boolean[penalty.length];
    double squares = Arrays.stream(w).map(v -> v * v).sum();
    for (int j = 0; j < d; j++) {
      double mean = 0;
      for (int i = 0; i < x.length; i++) {
        mean += w[i] * x[i][j] / totalWeight;
      }
      double spread = 0;
      boolean constant = true;
      for (int i = 0; i < x.length; i++) {
        spread += w[i] * (x[i][j] - mean) * (x[i][j] - mean);
        constant &= x[i][j] == x[0][j];
      }
      absent[j] = constant || removed.get(j);
      penalty[j] =
          switch (deviation) {
            case UNBIASED -> regParam * spread / (totalWeight - squares / totalWeight);
            case POPULATION -> regParam * spread / totalWeight;
            case NONE -> regParam;
          };
    }
  }

  /**
   * A minimiser.
   *
   * @param theta coefficients, then the intercept if there is one; 0 where absent
   * @param smallestEigenvalue of the Hessian there, over the present coordinates
   * @param error a bound on ||theta - exact minimiser||_2: twice (gradient norm + its rounding) /
   *     smallest eigenvalue; the factor covers the change of the Hessian over that distance
   */
  record Minimum(double[] theta, double smallestEigenvalue, double error) {}

  int size() {
    return penalty.length;
  }

  boolean isAbsent(int j) {
    return absent[j];
  }

  double margin(int row, double[] theta) {
    double s = intercept ? theta[theta.length - 1] : 0;
    for (int j = 0; j < x[row].length; j++) {
      s += x[row][j] * theta[j];
    }
    return s;
  }

  /** ||x_i||_2 with the intercept's 1. */
  double rowNorm(int row) {
    double square = intercept ? 1 : 0;
    for (double v : x[row]) {
      square += v * v;
    }
    return Math.sqrt(square);
  }

  double[] gradient(double[] theta) {
    double[] g = new double[size()];
    for (int i = 0; i < x.length; i++) {
      double r = w[i] * (sigma(margin(i, theta)) - y[i]) / totalWeight;
      for (int j = 0; j < size(); j++) {
        g[j] += r * entry(i, j);
      }
    }
    for (int j = 0; j < size(); j++) {
      g[j] = absent[j] ? 0 : g[j] + penalty[j] * theta[j];
    }
    return g;
  }

  double gradientNorm(double[] theta) {
    return norm(gradient(theta));
  }

  /**
   * What rounding does to {@link #gradient} at most, 2-norm: n + 2 d + 10 roundings on every term,
   * whose size is w |x| (1 + sum |x theta|) / W, and 10 n on the moments behind the penalty.
   */
  private double rounding(double[] theta) {
    double[] size = new double[size()];
    for (int i = 0; i < x.length; i++) {
      double terms = 1;
      for (int j = 0; j < size(); j++) {
        terms += Math.abs(entry(i, j) * theta[j]);
      }
      for (int j = 0; j < size(); j++) {
        size[j] += w[i] / totalWeight * Math.abs(entry(i, j)) * terms;
      }
    }
    for (int j = 0; j < size(); j++) {
      size[j] = (x.length + 2 * size() + 10) * size[j] + 10.0 * x.length * penalty[j] * theta[j];
    }
    return 0x1p-53 * norm(size);
  }

  private double value(double[] theta) {
    double f = 0;
    for (int i = 0; i < x.length; i++) {
      double s = margin(i, theta);
      f += w[i] * (Math.max(s, 0) + Math.log1p(Math.exp(-Math.abs(s))) - y[i] * s) / totalWeight;
    }
    for (int j = 0; j < size(); j++) {
      f += penalty[j] * theta[j] * theta[j] / 2;
    }
    return f;
  }

  private double[][] hessian(double[] theta) {
    double[][] h = new double[size()][size()];
    for (int i = 0; i < x.length; i++) {
      double p = sigma(margin(i, theta));
      double c = w[i] * p * (1 - p) / totalWeight;
      for (int j = 0; j < size(); j++) {
        for (int k = 0; k < size(); k++) {
          h[j][k] += absent[j] || absent[k] ? 0 : c * entry(i, j) * entry(i, k);
        }
      }
    }
    for (int j = 0; j < size(); j++) {
      h[j][j] += absent[j] ? 1 : penalty[j];
    }
    return h;
  }

  /** Newton's method with halving until the value falls, from 0, to the rounding of doubles. */
  Minimum minimum() {
    double[] theta = new double[size()];
    double best = gradientNorm(theta);
    for (int step = 0; step < 200; step++) {
      double[] direction = solve(hessian(theta), gradient(theta));
      double[] next = minus(theta, direction, 1);
      for (double t = 0.5; best > 1e-8 && value(next) > value(theta) && t > 1e-6; t /= 2) {
        next = minus(theta, direction, t);
      }
      double norm = gradientNorm(next);
      if (best <= 1e-8 && norm >= best) {
        break;
      }
      theta = next;
      best = norm;
    }
    double eigenvalue = smallestEigenvalue(hessian(theta));
    return new Minimum(theta, eigenvalue, 2 * (best + rounding(theta)) / eigenvalue);
  }

  private double entry(int i, int j) {
    return j < x[i].length ? x[i][j] : 1;
  }

  private static double sigma(double s) {
    return s >= 0 ? 1 / (1 + Math.exp(-s)) : Math.exp(s) / (1 + Math.exp(s));
  }

  static double norm(double[] v) {
    return Math.sqrt(Arrays.stream(v).map(a -> a * a).sum());
  }

  static double distance(double[] a, double[] b) {
    return norm(minus(a, b, 1));
  }

  private static double[] minus(double[] a, double[] b, double t) {
    double[] c = a.clone();
    for (int j = 0; j < c.length; j++) {
      c[j] -= t * b[j];
    }
    return c;
  }

  /** Gaussian elimination with partial pivoting. */
  private static double[] solve(double[][] a, double[] b) {
    int n = b.length;
    double[] x = b.clone();
    for (int k = 0; k < n; k++) {
      int pivot = k;
      for (int i = k + 1; i < n; i++) {
        pivot = Math.abs(a[i][k]) > Math.abs(a[pivot][k]) ? i : pivot;
      }
      double[] row = a[k];
      a[k] = a[pivot];
      a[pivot] = row;
      double t = x[k];
      x[k] = x[pivot];
      x[pivot] = t;
      for (int i = k + 1; i < n; i++) {
        double f = a[i][k] / a[k][k];
        for (int j = k; j < n; j++) {
          a[i][j] -= f * a[k][j];
        }
        x[i] -= f * x[k];
      }
    }
    for (int k = n - 1; k >= 0; k--) {
      for (int j = k + 1; j < n; j++) {
        x[k] -= a[k][j] * x[j];
      }
      x[k] /= a[k][k];
    }
    return x;
  }

  /** Jacobi's rotations; absent coordinates must have a unit row. */
  private double smallestEigenvalue(double[][] a) {
    int n = a.length;
    for (int sweep = 0; sweep < 60; sweep++) {
      for (int p = 0; p < n; p++) {
        for (int q = p + 1; q < n; q++) {
          if (a[p][q] != 0) {
            rotate(a, p, q);
          }
        }
      }
    }
    ToDoubleFunction<Integer> present = j -> absent[j] ? Double.POSITIVE_INFINITY : a[j][j];
    double smallest = Double.POSITIVE_INFINITY;
    for (int j = 0; j < n; j++) {
      smallest = Math.min(smallest, present.applyAsDouble(j));
    }
    return smallest;
  }

  private static void rotate(double[][] a, int p, int q) {
    double tau = (a[q][q] - a[p][p]) / (2 * a[p][q]);
    double t = Math.copySign(1, tau) / (Math.abs(tau) + Math.sqrt(1 + tau * tau));
    double c = 1 / Math.sqrt(1 + t * t);
    double s = t * c;
    for (int k = 0; k < a.length; k++) {
      double kp = a[k][p];
      double kq = a[k][q];
      a[k][p] = c * kp - s * kq;
      a[k][q] = s * kp + c * kq;
    }
    for (int k = 0; k < a.length; k++) {
      double pk = a[p][k];
      double qk = a[q][k];
      a[p][k] = c * pk - s * qk;
      a[q][k] = s * pk + c * qk;
    }
    a[p][q] = 0;
    a[q][p] = 0;
  }
}
