package dev.lethe.core.testing;

import java.util.function.UnaryOperator;

/**
 * Newton's method with a Hessian of differences, Gaussian elimination and line searches by
 * bisection of the slope: an optimiser that shares no line with the solvers under test and takes
 * gradients only, so that it is as accurate as they are.
 */
public final class Differences {
  private Differences() {}

  /**
   * Where the gradient of a convex function vanishes but for rounding.
   *
   * @param gradient NaN outside the domain
   */
  public static double[] minimise(UnaryOperator<double[]> gradient, double[] start) {
    double[] x = start.clone();
    double[] g = gradient.apply(x);
    double best = norm(g);
    double[] bestPoint = x;
    int idle = 0;
    for (int step = 0; step < 300 && idle < 30; step++) {
      double[] d = solve(hessian(gradient, x), g);
      x = along(x, lineSearch(gradient, x, d), d);
      g = gradient.apply(x);
      double norm = norm(g);
      idle = norm < 0.9 * best ? 0 : idle + 1;
      if (norm < best) {
        best = norm;
        bestPoint = x;
      }
    }
    return bestPoint;
  }

  /** Central differences, a little added to the diagonal where the function may be flat. */
  private static double[][] hessian(UnaryOperator<double[]> gradient, double[] x) {
    int p = x.length;
    double[][] h = new double[p][];
    double largest = 0;
    for (int j = 0; j < p; j++) {
      double[] e = new double[p];
      e[j] = 1;
      double step = 1e-6 * (0.1 + Math.abs(x[j]));
      h[j] = along(gradient.apply(along(x, step, e)), -1, gradient.apply(along(x, -step, e)));
      for (int k = 0; k < p; k++) {
        h[j][k] /= 2 * step;
      }
      largest = Math.max(largest, h[j][j]);
    }
    for (int j = 0; j < p; j++) {
      h[j][j] += 1e-9 * largest;
    }
    return h;
  }

  /** A t &gt; 0 where the slope d'g(x + t d) changes sign. */
  private static double lineSearch(UnaryOperator<double[]> gradient, double[] x, double[] d) {
    double low = 0;
    double high = 1;
    for (int k = 0; k < 60 && dot(gradient.apply(along(x, high, d)), d) < 0; k++) {
      low = high;
      high *= 2;
    }
    for (int k = 0; k < 60; k++) {
      double middle = 0.5 * (low + high);
      if (dot(gradient.apply(along(x, middle, d)), d) < 0) {
        low = middle;
      } else {
        high = middle;
      }
    }
    return low;
  }

  /** -a^{-1} b by elimination with the largest pivot of the column. */
  private static double[] solve(double[][] a, double[] b) {
    int p = b.length;
    double[] x = new double[p];
    for (int j = 0; j < p; j++) {
      x[j] = -b[j];
    }
    for (int k = 0; k < p; k++) {
      int pivot = k;
      for (int i = k + 1; i < p; i++) {
        pivot = Math.abs(a[i][k]) > Math.abs(a[pivot][k]) ? i : pivot;
      }
      double[] row = a[pivot];
      a[pivot] = a[k];
      a[k] = row;
      double entry = x[pivot];
      x[pivot] = x[k];
      x[k] = entry;
      for (int i = k + 1; i < p; i++) {
        double factor = a[i][k] / a[k][k];
        x[i] -= factor * x[k];
        for (int j = k; j < p; j++) {
          a[i][j] -= factor * a[k][j];
        }
      }
    }
    for (int k = p - 1; k >= 0; k--) {
      for (int j = k + 1; j < p; j++) {
        x[k] -= a[k][j] * x[j];
      }
      x[k] /= a[k][k];
    }
    return x;
  }

  private static double[] along(double[] x, double t, double[] d) {
    double[] sum = x.clone();
    for (int j = 0; j < sum.length; j++) {
      sum[j] += t * d[j];
    }
    return sum;
  }

  private static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int j = 0; j < a.length; j++) {
      sum += a[j] * b[j];
    }
    return sum;
  }

  private static double norm(double[] v) {
    return Math.sqrt(dot(v, v));
  }
}
