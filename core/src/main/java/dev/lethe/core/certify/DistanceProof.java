package dev.lethe.core.certify;

import dev.lethe.core.certify.DistanceBound.Cause;
import dev.lethe.core.certify.DistanceBound.Proven;
import dev.lethe.core.certify.DistanceBound.Rule;
import dev.lethe.core.certify.DistanceBound.Unproven;
import java.util.OptionalDouble;
import java.util.stream.IntStream;

/**
 * The rules of {@link DistanceBound} in floating point, every quantity rounded up.
 *
 * <p>All sums are of p non-negative terms with fewer than 32 roundings in each, so the exact value
 * is below the computed one times (1 + u)^(p + 31) &lt;= 1 + (p + 32) 2^-52 - {@link #up}. A square
 * that underflows is covered by the smallest normal number that {@link #square} adds.
 */
final class DistanceProof {
  private final Measurement m;

  /** The coordinates that are not fixed. */
  private final int[] free;

  /** min lambda_j over the free coordinates, an unpenalised intercept excepted. */
  private final double smallestPenalty;

  private DistanceProof(Measurement m, int[] free, double smallestPenalty) {
    this.m = m;
    this.free = free;
    this.smallestPenalty = smallestPenalty;
  }

  static DistanceProof of(Measurement m) {
    int p = m.size();
    requireLength("gradientError", m.gradientError().length, p);
    requireLength("lambda", m.lambda().length, p);
    requireLength("fixed", m.fixed().length, p);
    requireLength("curvatureMoment", m.curvatureMoment().length, p);
    if (m.interceptIndex() < -1 || m.interceptIndex() >= p) {
      throw new IllegalArgumentException(
          "interceptIndex = " + m.interceptIndex() + ": must be -1 or below " + p);
    }
    requireNotNegative("curvatureRelativeError", m.curvatureRelativeError());
    requireNotNegative("rowNorm", m.rowNorm());
    requireNotNegative("scaledRowNorm", m.scaledRowNorm());
    int[] free = IntStream.range(0, p).filter(j -> !m.fixed()[j]).toArray();
    double smallestPenalty = Double.POSITIVE_INFINITY;
    for (int j : free) {
      if (m.gradientError()[j] < 0) { // NaN is a measurement that failed, not a wrong call
        requireNotNegative("gradientError[" + j + "]", m.gradientError()[j]);
      }
      requireNotNegative("lambda[" + j + "]", m.lambda()[j]);
      if (j != m.interceptIndex() || m.lambda()[j] > 0) {
        smallestPenalty = Math.min(smallestPenalty, m.lambda()[j]);
      }
    }
    return new DistanceProof(m, free, smallestPenalty);
  }

  DistanceBound fromOnePass() {
    if (!isFinite()) {
      return new Unproven(Cause.NOT_FINITE, "gradient, its error bound, or curvature");
    }
    if (!(smallestPenalty > 0)) {
      return new Unproven(withoutPenalty(), "smallest penalty " + smallestPenalty);
    }
    int intercept = m.interceptIndex();
    boolean freeIntercept = intercept >= 0 && !m.fixed()[intercept] && m.lambda()[intercept] == 0;
    return freeIntercept ? byCentring(intercept) : byStrongConvexity();
  }

  /** What is left to try for an unpenalised coordinate other than the intercept. */
  private Cause withoutPenalty() {
    if (!m.selfConcordantLoss()) {
      return Cause.NO_RULE;
    }
    return m.size() > DistanceBound.MAX_HESSIAN_SIZE
        ? Cause.TOO_MANY_PARAMETERS
        : Cause.HESSIAN_NEEDED;
  }

  /** N = Lambda, R_N = 0. */
  private DistanceBound byStrongConvexity() {
    double gradient = 0;
    double rounding = 0;
    for (int j : free) {
      double root = Math.sqrt(m.lambda()[j]);
      gradient += square((Math.abs(m.gradient()[j]) + m.gradientError()[j]) / root);
      rounding += square(m.gradientError()[j] / root);
    }
    return conclude(Rule.STRONG_CONVEXITY, gradient, rounding, 0, 1 / smallestPenalty);
  }

  /**
   * N = (1 - eps_c) (Lambda + h (mu, 1)(mu, 1)'), in the coordinates (beta, t = b + mu'beta) where
   * it is diagonal. eps_c = 3 (kappa + u) (sqrt(h) R_Lambda + 1) covers that h and mu are computed.
   */
  private DistanceBound byCentring(int intercept) {
    if (!m.selfConcordantLoss()) {
      return new Unproven(Cause.NO_RULE, "the intercept is not penalised");
    }
    double h = m.curvature();
    if (!(h > 0)) {
      return new Unproven(Cause.NO_CURVATURE, "h = " + h);
    }
    double g0 = m.gradient()[intercept];
    double e0 = m.gradientError()[intercept];
    double gradient = square(Math.abs(g0) + e0) / h;
    double rounding = square(e0) / h;
    double centre = 0;
    for (int j : free) {
      if (j != intercept) {
        double mu = m.curvatureMoment()[j] / h;
        double root = Math.sqrt(m.lambda()[j]);
        double g = Math.abs(Math.fma(-g0, mu, m.gradient()[j]));
        double error = m.gradientError()[j] + e0 * Math.abs(mu);
        gradient += square((g + error) / root);
        rounding += square(error / root);
        centre += square(mu / root);
      }
    }
    double kappa = m.curvatureRelativeError() + 0x1p-53;
    double centring = up(3 * kappa * (Math.sqrt(h) * m.scaledRowNorm() + 1));
    if (!(centring <= 0.5)) {
      return new Unproven(Cause.INACCURATE_CURVATURE, "eps_c = " + centring);
    }
    double keep = 1 - centring;
    double row = square(m.scaledRowNorm() + Math.sqrt(centre)) + 1 / h;
    double width = 1 / smallestPenalty + 1 / h + centre;
    return conclude(
        Rule.SELF_CONCORDANCE_CENTRED, gradient / keep, rounding / keep, row / keep, width / keep);
  }

  /** N = m D: D = diag(4^k_j) with H_jj / 4^k_j in [1/2, 2), so that the scaling is exact. */
  DistanceBound byEigenvalue(double[] hessian, double relativeError) {
    requireLength("hessian", hessian.length, Math.multiplyExact(m.size(), m.size()));
    requireNotNegative("hessianRelativeError", relativeError);
    if (!isFinite()) {
      return new Unproven(Cause.NOT_FINITE, "gradient, its error bound, or curvature");
    }
    if (!m.selfConcordantLoss()) {
      return new Unproven(Cause.NO_RULE, "the loss is not self-concordant");
    }
    int n = free.length;
    int[] exponent = new int[n];
    double gradient = 0;
    double rounding = 0;
    double smallestScale = Double.POSITIVE_INFINITY;
    for (int a = 0; a < n; a++) {
      int j = free[a];
      double diagonal = hessian[j * m.size() + j];
      if (!(diagonal >= Double.MIN_NORMAL && diagonal < Double.POSITIVE_INFINITY)) {
        return new Unproven(Cause.NOT_POSITIVE_DEFINITE, "a diagonal of " + diagonal);
      }
      exponent[a] = (Math.getExponent(diagonal) + 1) >> 1;
      double root = Math.scalb(1.0, exponent[a]);
      gradient += square((Math.abs(m.gradient()[j]) + m.gradientError()[j]) / root);
      rounding += square(m.gradientError()[j] / root);
      smallestScale = Math.min(smallestScale, root * root);
    }
    double[] scaled = new double[n * n];
    for (int a = 0; a < n; a++) {
      for (int b = a; b < n; b++) {
        double entry = hessian[free[a] * m.size() + free[b]];
        scaled[a * n + b] = Math.scalb(entry, -exponent[a] - exponent[b]);
      }
    }
    double eigenvalue = SmallestEigenvalue.lowerBound(scaled, n, relativeError);
    if (!(eigenvalue > 0)) {
      return new Unproven(
          Cause.NOT_POSITIVE_DEFINITE, "no positive lower eigenvalue bound for the scaled Hessian");
    }
    double width = 1 / eigenvalue / smallestScale;
    return conclude(
        Rule.SELF_CONCORDANCE_EIGENVALUE,
        gradient / eigenvalue,
        rounding / eigenvalue,
        square(m.rowNorm()) * width,
        width);
  }

  /**
   * The lemma, for the measured gradient and for one of zero.
   *
   * @param gradient nu^2 = ||g||^2 in the norm of N^-1, rounding included
   * @param rounding the same for g = 0
   * @param row R_N^2
   * @param width sup ||e||_2^2 over ||e||_N = 1
   */
  private DistanceBound conclude(
      Rule rule, double gradient, double rounding, double row, double width) {
    double least = distance(rounding, row, width);
    OptionalDouble reachable =
        Double.isFinite(least) ? OptionalDouble.of(least) : OptionalDouble.empty();
    double distance = distance(gradient, row, width);
    if (Double.isFinite(distance)) {
      return new Proven(distance, rule, reachable);
    }
    Cause cause = Double.isNaN(distance) ? Cause.NOT_CLOSE : Cause.OUT_OF_RANGE;
    return new Unproven(cause, "%s: nu^2 = %s, R^2 = %s".formatted(rule, gradient, row), reachable);
  }

  /** The lemma's bound; NaN unless q &lt;= 1/2, and infinite if it overflows. */
  private double distance(double gradient, double row, double width) {
    double nu = Math.sqrt(up(gradient));
    if (!Double.isFinite(nu)) {
      return Double.POSITIVE_INFINITY;
    }
    double q = up(Math.sqrt(up(row)) * nu);
    return q <= 0.5 ? up(Math.sqrt(up(width)) * nu / (1 - q)) : Double.NaN;
  }

  private boolean isFinite() {
    double sum = 0 * m.curvature(); // NaN unless every summand is finite
    for (int j : free) {
      sum += 0 * m.gradient()[j] + 0 * m.gradientError()[j] + 0 * m.curvatureMoment()[j];
    }
    return sum == 0;
  }

  private double up(double value) {
    return value * (1 + (free.length + 32) * 0x1p-52);
  }

  private static double square(double value) {
    return value * value + Double.MIN_NORMAL;
  }

  private static void requireLength(String name, int length, int expected) {
    if (length != expected) {
      throw new IllegalArgumentException(
          name + " has " + length + " entries: must have " + expected);
    }
  }

  private static void requireNotNegative(String name, double value) {
    if (!(value >= 0)) {
      throw new IllegalArgumentException(name + " = " + value + ": must be at least 0");
    }
  }
}
