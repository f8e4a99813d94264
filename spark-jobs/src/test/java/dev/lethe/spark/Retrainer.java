package dev.lethe.spark;

import java.util.Arrays;

/**
 * Minimises (1/W) sum_i w_i l_i + 1/2 sum_j lambda_j theta_j^2 on rows in memory by damped Newton
 * steps on plain arrays, from the definitions: none of Lethe's code.
 *
 * <p>Parameters as Lethe orders them: margin by margin the coefficients and the intercept, then the
 * scale.
 */
public final class Retrainer {
  /** A loss of its outputs: value, gradient and Hessian, straight from the formulas. */
  public interface Loss {
    int margins();

    default int scalars() {
      return 0;
    }

    double value(double[] s, double y);

    void derivatives(double[] s, double y, double[] gradient, double[][] hessian);
  }

  /** A loss of one margin. */
  public interface Scalar {
    double at(double s, double y);
  }

  static Loss of(Scalar value, Scalar first, Scalar second) {
    return new Loss() {
      @Override
      public int margins() {
        return 1;
      }

      @Override
      public double value(double[] s, double y) {
        return value.at(s[0], y);
      }

      @Override
      public void derivatives(double[] s, double y, double[] gradient, double[][] hessian) {
        gradient[0] = first.at(s[0], y);
        hessian[0][0] = second.at(s[0], y);
      }
    };
  }

  public static final Loss LOGISTIC =
      of(
          (s, y) -> Math.log(1 + Math.exp(s)) - y * s,
          (s, y) -> 1 / (1 + Math.exp(-s)) - y,
          (s, y) -> 1 / (1 + Math.exp(-s)) / (1 + Math.exp(s)));
  static final Loss SQUARED = of((s, y) -> (s - y) * (s - y) / 2, (s, y) -> s - y, (s, y) -> 1);
  static final Loss POISSON =
      of((s, y) -> Math.exp(s) - y * s, (s, y) -> Math.exp(s) - y, (s, y) -> Math.exp(s));
  static final Loss GAMMA =
      of((s, y) -> y / Math.exp(s) + s, (s, y) -> 1 - y / Math.exp(s), (s, y) -> y / Math.exp(s));

  private static double agreement(double s, double y) {
    return (2 * y - 1) * s;
  }

  static final Loss SQUARED_HINGE =
      of(
          (s, y) -> Math.pow(Math.max(0, 1 - agreement(s, y)), 2) / 2,
          (s, y) -> -(2 * y - 1) * Math.max(0, 1 - agreement(s, y)),
          (s, y) -> agreement(s, y) < 1 ? 1 : 0);

  /** Chaudhuri and others with h = 1/2. */
  static final Loss SMOOTHED_HINGE =
      of(
          (s, y) -> {
            double z = agreement(s, y);
            return z > 1.5 ? 0 : z < 0.5 ? 1 - z : (1.5 - z) * (1.5 - z) / 2;
          },
          (s, y) -> {
            double z = agreement(s, y);
            return -(2 * y - 1) * (z > 1.5 ? 0 : z < 0.5 ? 1 : 1.5 - z);
          },
          (s, y) -> Math.abs(1 - agreement(s, y)) <= 0.5 ? 1 : 0);

  static Loss multinomial(int classes) {
    return new Loss() {
      @Override
      public int margins() {
        return classes;
      }

      @Override
      public double value(double[] s, double y) {
        return Math.log(Arrays.stream(s).map(Math::exp).sum()) - s[(int) y];
      }

      @Override
      public void derivatives(double[] s, double y, double[] gradient, double[][] hessian) {
        double sum = Arrays.stream(s).map(Math::exp).sum();
        for (int k = 0; k < classes; k++) {
          double p = Math.exp(s[k]) / sum;
          gradient[k] = p - (k == y ? 1 : 0);
          for (int l = 0; l < classes; l++) {
            hessian[k][l] = (k == l ? p : 0) - p * Math.exp(s[l]) / sum;
          }
        }
      }
    };
  }

  static Loss oneVsRest(Loss binary, int classes) {
    return new Loss() {
      @Override
      public int margins() {
        return classes;
      }

      @Override
      public double value(double[] s, double y) {
        double sum = 0;
        for (int k = 0; k < classes; k++) {
          sum += binary.value(new double[] {s[k]}, k == y ? 1 : 0);
        }
        return sum;
      }

      @Override
      public void derivatives(double[] s, double y, double[] gradient, double[][] hessian) {
        for (int k = 0; k < classes; k++) {
          double[] g = new double[1];
          double[][] h = new double[1][1];
          binary.derivatives(new double[] {s[k]}, k == y ? 1 : 0, g, h);
          Arrays.fill(hessian[k], 0);
          gradient[k] = g[0];
          hessian[k][k] = h[0][0];
        }
      }
    };
  }

  /** With its scale as the last output. */
  static Loss huber(double m) {
    return new Loss() {
      @Override
      public int margins() {
        return 1;
      }

      @Override
      public int scalars() {
        return 1;
      }

      @Override
      public double value(double[] s, double y) {
        double r = Math.abs(s[0] - y);
        double sigma = s[1];
        if (sigma <= 0) {
          return Double.POSITIVE_INFINITY;
        }
        return r / sigma <= m
            ? (sigma + r * r / sigma) / 2
            : (sigma + (2 * m * r / sigma - m * m) * sigma) / 2;
      }

      @Override
      public void derivatives(double[] s, double y, double[] gradient, double[][] hessian) {
        double sigma = s[1];
        double r = s[0] - y;
        boolean within = Math.abs(r) / sigma <= m;
        gradient[0] = within ? r / sigma : m * Math.signum(r);
        gradient[1] = within ? (1 - r * r / sigma / sigma) / 2 : (1 - m * m) / 2;
        hessian[0][0] = within ? 1 / sigma : 0;
        hessian[0][1] = hessian[1][0] = within ? -r / sigma / sigma : 0;
        hessian[1][1] = within ? r * r / sigma / sigma / sigma : 0;
      }
    };
  }

  private final Loss loss;
  private final double[][] x;
  private final double[] y;
  private final double[] w;
  private final double[] lambda;
  private final boolean intercept;
  private final boolean[] removed;

  /**
   * @param lambda of the mean form, one for each feature
   * @param removed features whose coefficient is 0
   */
  public Retrainer(
      Loss loss,
      double[][] x,
      double[] y,
      double[] w,
      double[] lambda,
      boolean intercept,
      boolean[] removed) {
    this.loss = loss;
    this.x = x;
    this.y = y;
    this.w = w;
    this.lambda = lambda;
    this.intercept = intercept;
    this.removed = removed;
  }

  /** The weighted standard deviation of a column; the denominator is W, or W - sum w^2 / W. */
  public static double deviation(double[] values, double[] w, boolean unbiased) {
    double total = Arrays.stream(w).sum();
    double mean = 0;
    double squares = 0;
    for (int i = 0; i < w.length; i++) {
      mean += w[i] * values[i] / total;
      squares += w[i] * w[i];
    }
    double sum = 0;
    for (int i = 0; i < w.length; i++) {
      sum += w[i] * Math.pow(values[i] - mean, 2);
    }
    return Math.sqrt(sum / (unbiased ? total - squares / total : total));
  }

  private int stride() {
    return x[0].length + (intercept ? 1 : 0);
  }

  private double entry(int i, int column) {
    return column == x[0].length ? 1 : removed[column] ? 0 : x[i][column];
  }

  private double[] outputs(double[] theta, int i) {
    int outputs = loss.margins() + loss.scalars();
    double[] s = new double[outputs];
    for (int k = 0; k < outputs; k++) {
      if (k >= loss.margins()) {
        s[k] = theta[loss.margins() * stride() + k - loss.margins()];
      } else {
        for (int j = 0; j < stride(); j++) {
          s[k] += theta[k * stride() + j] * entry(i, j);
        }
      }
    }
    return s;
  }

  private double penalty(int parameter) {
    int j = parameter < loss.margins() * stride() ? parameter % stride() : x[0].length;
    return j < x[0].length ? lambda[j] : 0;
  }

  private double value(double[] theta) {
    double total = Arrays.stream(w).sum();
    double value = 0;
    for (int i = 0; i < x.length; i++) {
      value += w[i] / total * loss.value(outputs(theta, i), y[i]);
    }
    for (int j = 0; j < theta.length; j++) {
      value += penalty(j) * theta[j] * theta[j] / 2;
    }
    return value;
  }

  /** g += the gradient, h += the Hessian. */
  private void derivatives(double[] theta, double[] g, double[][] h) {
    int outputs = loss.margins() + loss.scalars();
    double total = Arrays.stream(w).sum();
    double[] s = new double[outputs];
    double[][] a = new double[outputs][outputs];
    for (int i = 0; i < x.length; i++) {
      loss.derivatives(outputs(theta, i), y[i], s, a);
      for (int u = 0; u < theta.length; u++) {
        int k = output(u);
        double xu = w[i] / total * column(i, u);
        g[u] += xu * s[k];
        for (int v = 0; v < theta.length; v++) {
          h[u][v] += xu * a[k][output(v)] * column(i, v);
        }
      }
    }
    for (int u = 0; u < theta.length; u++) {
      g[u] += penalty(u) * theta[u];
      h[u][u] += penalty(u);
    }
  }

  private static double norm(double[] g) {
    return Math.sqrt(Arrays.stream(g).map(v -> v * v).sum());
  }

  /** The norm of the gradient. */
  double gradientNorm(double[] theta) {
    double[] g = new double[theta.length];
    derivatives(theta, g, new double[theta.length][theta.length]);
    return norm(g);
  }

  /** The minimiser, its gradient below 1e-12. */
  public double[] minimum() {
    int p = loss.margins() * stride() + loss.scalars();
    double[] theta = new double[p];
    if (loss.scalars() > 0) {
      theta[p - 1] = deviation(y, w, true);
    }
    for (int step = 0; step < 300; step++) {
      double[] g = new double[p];
      double[][] h = new double[p][p];
      derivatives(theta, g, h);
      double norm = norm(g);
      if (norm < 1e-12) {
        return centred(theta);
      }
      for (int u = 0; u < p; u++) {
        boolean gone =
            u < loss.margins() * stride() && u % stride() < removed.length && removed[u % stride()];
        // the Hessian is singular for removed columns, shifts of a softmax and flat parts of a
        // hinge
        h[u][u] += gone ? 1 : Math.min(0.1, norm) + 1e-14;
      }
      double[] direction = solve(h, g);
      double length = 1;
      double before = value(theta);
      double[] next = moved(theta, direction, length);
      while (value(next) > before + 1e-15 * Math.abs(before) && length > 1e-9) {
        length /= 2;
        next = moved(theta, direction, length);
      }
      theta = next;
    }
    throw new IllegalStateException("did not converge");
  }

  private int output(int parameter) {
    int coefficients = loss.margins() * stride();
    return parameter < coefficients
        ? parameter / stride()
        : loss.margins() + parameter - coefficients;
  }

  private double column(int i, int parameter) {
    return parameter < loss.margins() * stride() ? entry(i, parameter % stride()) : 1;
  }

  /** A multinomial model's unpenalised parameters sum to 0 over the classes. */
  private double[] centred(double[] theta) {
    boolean softmax = loss.margins() > 1;
    double[] g = new double[loss.margins()];
    double[][] a = new double[loss.margins()][loss.margins()];
    if (softmax) {
      loss.derivatives(new double[loss.margins()], 0, g, a);
      softmax = a[0][1] != 0; // one-vs-rest has nothing to centre
    }
    for (int j = 0; softmax && j < stride(); j++) {
      if (penalty(j) == 0) {
        double mean = 0;
        for (int k = 0; k < loss.margins(); k++) {
          mean += theta[k * stride() + j] / loss.margins();
        }
        for (int k = 0; k < loss.margins(); k++) {
          theta[k * stride() + j] -= mean;
        }
      }
    }
    return theta;
  }

  private static double[] moved(double[] theta, double[] direction, double length) {
    double[] next = theta.clone();
    for (int j = 0; j < next.length; j++) {
      next[j] -= length * direction[j];
    }
    return next;
  }

  /** Gaussian elimination with row pivots. */
  private static double[] solve(double[][] matrix, double[] rhs) {
    int n = rhs.length;
    double[] b = rhs.clone();
    for (int c = 0; c < n; c++) {
      int pivot = c;
      for (int r = c + 1; r < n; r++) {
        pivot = Math.abs(matrix[r][c]) > Math.abs(matrix[pivot][c]) ? r : pivot;
      }
      double[] row = matrix[pivot];
      matrix[pivot] = matrix[c];
      matrix[c] = row;
      double value = b[pivot];
      b[pivot] = b[c];
      b[c] = value;
      for (int r = c + 1; r < n; r++) {
        double factor = matrix[r][c] / matrix[c][c];
        for (int k = c; k < n; k++) {
          matrix[r][k] -= factor * matrix[c][k];
        }
        b[r] -= factor * b[c];
      }
    }
    for (int c = n - 1; c >= 0; c--) {
      for (int k = c + 1; k < n; k++) {
        b[c] -= matrix[c][k] * b[k];
      }
      b[c] /= matrix[c][c];
    }
    return b;
  }
}
