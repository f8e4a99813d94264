package dev.lethe.core.linalg;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Arrays in which most entries have one value, without those entries; and ranges of arrays. */
final class Packing {
  private Packing() {}

  /**
   * The indices, ascending, at which one of two arrays of equal length differs from {@code filler};
   * null if these are more than half.
   */
  static int @Nullable [] indices(double[] x, double[] y, double filler) {
    int count = 0;
    for (int j = 0; j < x.length; j++) {
      count += x[j] != filler || y[j] != filler ? 1 : 0;
    }
    if (count > x.length / 2) {
      return null;
    }
    int[] indices = new int[count];
    for (int j = 0, k = 0; k < count; j++) {
      if (x[j] != filler || y[j] != filler) {
        indices[k++] = j;
      }
    }
    return indices;
  }

  /** The entries at some indices. */
  static double[] take(double[] dense, int[] indices) {
    double[] entries = new double[indices.length];
    for (int k = 0; k < indices.length; k++) {
      entries[k] = dense[indices[k]];
    }
    return entries;
  }

  /** The inverse of {@link #take}. */
  static double[] spread(double[] entries, int[] indices, int size, double filler) {
    double[] dense = new double[size];
    if (filler != 0) {
      Arrays.fill(dense, filler);
    }
    for (int k = 0; k < indices.length; k++) {
      dense[indices[k]] = entries[k];
    }
    return dense;
  }

  /** Where range {@code part} of {@code parts} about equal ones begins. */
  static int start(int size, int part, int parts) {
    return (int) ((long) size * part / parts);
  }
}
