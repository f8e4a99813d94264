package dev.lethe.core.linalg;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/**
 * Operations on dense vectors of equal length; results are new arrays unless the name says
 * otherwise.
 */
public final class Vectors {
  private Vectors() {}

  /** x'y. */
  public static double dot(double[] x, double[] y) {
    double sum = 0;
    for (int j = 0; j < x.length; j++) {
      sum += x[j] * y[j];
    }
    return sum;
  }

  /** ||x||_2, without overflow or underflow of the squares. */
  public static double norm(double[] x) {
    double scale = 0;
    for (double v : x) {
      scale = Math.max(scale, Math.abs(v));
    }
    if (scale == 0 || Double.isInfinite(scale) || Double.isNaN(scale)) {
      return scale;
    }
    double sum = 0;
    for (double v : x) {
      double t = v / scale;
      sum += t * t;
    }
    return scale * Math.sqrt(sum);
  }

  /** ||x - y||_2. */
  public static double distance(double[] x, double[] y) {
    return norm(add(x, -1, y));
  }

  /** x + a y. */
  public static double[] add(double[] x, double a, double[] y) {
    double[] sum = x.clone();
    addInPlace(sum, a, y);
    return sum;
  }

  /** x := x + a y. */
  public static void addInPlace(double[] x, double a, double[] y) {
    for (int j = 0; j < x.length; j++) {
      x[j] += a * y[j];
    }
  }

  /** max_j |x_j|. */
  public static double maxAbs(double[] x) {
    double max = 0;
    for (double v : x) {
      max = Math.max(max, Math.abs(v));
    }
    return max;
  }

  /** Writes the entries, not their number. */
  public static void write(double[] x, DataOutput out) throws IOException {
    for (double value : x) {
      out.writeDouble(value);
    }
  }

  /** Fills x with what {@link #write} wrote. */
  public static void read(double[] x, DataInput in) throws IOException {
    for (int j = 0; j < x.length; j++) {
      x[j] = in.readDouble();
    }
  }

  /** Whether every entry is finite. */
  public static boolean isFinite(double[] x) {
    for (double v : x) {
      if (!Double.isFinite(v)) {
        return false;
      }
    }
    return true;
  }
}
