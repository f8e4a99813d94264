package dev.lethe.core.certify;

import dev.lethe.core.model.ParameterLayout;

/**
 * The Hessian's rows of the intercepts of K margins: A = sum_i w_i A_i between the intercepts, and
 * C = sum_i w_i A_i (x) x_i with the coefficients, A_i the loss's Hessian in the margins or a lower
 * bound of it. C_k,lj = C_l,kj, so the pairs k &gt;= l hold all of it.
 *
 * @param margins K
 * @param features d
 * @param sums at (k (k + 1) / 2 + l) (d + 1) the C_k,lj of features j = 0..d-1, then A_kl; what an
 *     open centre adds to the curvature included
 * @param relativeError kappa: every entry is within kappa sqrt(H_aa H_bb) of the exact one, H_aa of
 *     its intercept and H_bb of the other coordinate in the Hessian without penalties
 */
public record MarginCurvature(int margins, int features, double[] sums, double relativeError) {

  /** The most sums that are formed: as many as a Hessian of the largest size has, 128 MiB. */
  public static final long MAX_SUMS =
      DistanceBound.MAX_HESSIAN_SIZE * (DistanceBound.MAX_HESSIAN_SIZE + 1L) / 2;

  public MarginCurvature {
    if (sums.length != size(margins, features)) {
      throw new IllegalArgumentException(
          "%d sums for %d margins of %d features: must be %d"
              .formatted(sums.length, margins, features, size(margins, features)));
    }
    if (!(relativeError >= 0)) {
      throw new IllegalArgumentException(
          "relativeError = " + relativeError + ": must be at least 0");
    }
  }

  /** K (K + 1) / 2 (d + 1). */
  static long size(long margins, long features) {
    return margins * (margins + 1) / 2 * (features + 1);
  }

  /**
   * From a Hessian of margins with intercepts.
   *
   * @param hessian p x p; the triangle k &gt;= j of {@code hessian[j * p + k]} is read
   */
  static MarginCurvature of(ParameterLayout layout, double[] hessian, double relativeError) {
    int features = layout.features();
    double[] sums = new double[Math.toIntExact(size(layout.margins(), features))];
    int target = 0;
    for (int k = 0; k < layout.margins(); k++) {
      for (int l = 0; l <= k; l++) {
        for (int j = 0; j <= features; j++) {
          sums[target++] = hessian[layout.coefficient(l, j) * layout.size() + layout.intercept(k)];
        }
      }
    }
    return new MarginCurvature(layout.margins(), features, sums, relativeError);
  }

  /** C_k,lj, or A_kl for j = d. */
  double entry(int k, int l, int j) {
    int high = Math.max(k, l);
    return sums[(high * (high + 1) / 2 + Math.min(k, l)) * (features + 1) + j];
  }
}
