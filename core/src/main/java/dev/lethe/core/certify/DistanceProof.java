package dev.lethe.core.certify;

import dev.lethe.core.certify.DistanceBound.Cause;
import dev.lethe.core.certify.DistanceBound.Proven;
import dev.lethe.core.certify.DistanceBound.Rule;
import dev.lethe.core.certify.DistanceBound.Unproven;
import dev.lethe.core.model.ParameterLayout;
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

  /** min lambda_j over the free coordinates but the unpenalised intercepts that are centred. */
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
    requireLength("layout", m.layout().size(), p);
    requireLength("curvature", m.curvature().length, m.layout().outputs());
    requireNotNegative("selfConcordance", m.selfConcordance());
    requireNotNegative("offset", m.offset());
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
      boolean centred = m.separable() && m.layout().feature(j) == m.layout().features();
      if (!centred || m.lambda()[j] > 0) {
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
    boolean freeIntercept =
        IntStream.of(free)
            .anyMatch(j -> m.layout().feature(j) == m.layout().features() && m.lambda()[j] == 0);
    return freeIntercept ? byCentring() : byStrongConvexity();
  }

  /** What is left to try for an unpenalised coordinate other than the intercept. */
  private Cause withoutPenalty() {
    if (!m.boundsCurvature()) {
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
   * N = (1 - eps_c) (Lambda + h (mu, 1)(mu, 1)') for every margin, in the coordinates (beta, t = b
   * + mu'beta) where it is diagonal. eps_c = 3 (kappa + u) (sqrt(h) R_Lambda + 1) covers that h and
   * mu are computed. A separable loss's Hessian has one block for each margin: nu^2 adds up, the
   * other constants are the largest of any.
   */
  private DistanceBound byCentring() {
    if (!m.boundsCurvature()) {
      return new Unproven(Cause.NO_RULE, "the intercept is not penalised");
    }
    ParameterLayout layout = m.layout();
    double kappa = m.curvatureRelativeError() + 0x1p-53;
    double gradient = 0;
    double rounding = 0;
    double row = 0;
    double width = 0;
    double centring = 0;
    for (int k = 0; k < layout.margins(); k++) {
      double h = m.curvature()[k];
      if (!(h > 0)) {
        return new Unproven(Cause.NO_CURVATURE, "h = " + h);
      }
      int intercept = layout.intercept(k);
      double g0 = m.gradient()[intercept];
      double e0 = m.gradientError()[intercept];
      gradient += square(Math.abs(g0) + e0) / h;
      rounding += square(e0) / h;
      double centre = 0;
      for (int j = layout.coefficient(k, 0); j < intercept; j++) {
        if (!m.fixed()[j]) {
          double mu = m.curvatureMoment()[j] / h;
          double root = Math.sqrt(m.lambda()[j]);
          double g = Math.abs(Math.fma(-g0, mu, m.gradient()[j]));
          double error = m.gradientError()[j] + e0 * Math.abs(mu);
          gradient += square((g + error) / root);
          rounding += square(error / root);
          centre += square(mu / root);
        }
      }
      centring = Math.max(centring, up(3 * kappa * (Math.sqrt(h) * m.scaledRowNorm() + 1)));
      row = Math.max(row, square(m.scaledRowNorm() + Math.sqrt(centre)) + 1 / h);
      width = Math.max(width, 1 / smallestPenalty + 1 / h + centre);
    }
    if (!(centring <= 0.5)) {
      return new Unproven(Cause.INACCURATE_CURVATURE, "eps_c = " + centring);
    }
    double keep = 1 - centring;
    return conclude(rule(true), gradient / keep, rounding / keep, row / keep, width / keep);
  }

  private Rule rule(boolean centred) {
    if (m.selfConcordance() == 0) {
      return centred ? Rule.CONSTANT_HESSIAN_CENTRED : Rule.CONSTANT_HESSIAN_EIGENVALUE;
    }
    if (m.selfConcordance() == Double.POSITIVE_INFINITY) {
      return centred ? Rule.LOCAL_CURVATURE_CENTRED : Rule.LOCAL_CURVATURE_EIGENVALUE;
    }
    return centred ? Rule.SELF_CONCORDANCE_CENTRED : Rule.SELF_CONCORDANCE_EIGENVALUE;
  }

  /** N = m D: D = diag(4^k_j) with H_jj / 4^k_j in [1/2, 2), so that the scaling is exact. */
  DistanceBound byEigenvalue(double[] hessian, double relativeError) {
    requireLength("hessian", hessian.length, Math.multiplyExact(m.size(), m.size()));
    requireNotNegative("hessianRelativeError", relativeError);
    if (!isFinite()) {
      return new Unproven(Cause.NOT_FINITE, "gradient, its error bound, or curvature");
    }
    if (!m.boundsCurvature()) {
      return new Unproven(Cause.NO_RULE, "nothing bounds the loss's curvature around theta");
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
        rule(false),
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
   * @param row max_i ||x_i||^2 in the norm of N^-1
   * @param width sup ||e||_2^2 over ||e||_N = 1
   */
  private DistanceBound conclude(
      Rule rule, double gradient, double rounding, double row, double width) {
    boolean ball = rule == Rule.LOCAL_CURVATURE_CENTRED || rule == Rule.LOCAL_CURVATURE_EIGENVALUE;
    double change = rule == Rule.STRONG_CONVEXITY || ball ? 0 : m.selfConcordance();
    double least = distance(rounding, row, width, change);
    OptionalDouble reachable =
        Double.isFinite(least) ? OptionalDouble.of(least) : OptionalDouble.empty();
    double distance = distance(gradient, row, width, change);
    if (ball && distance >= m.radius()) {
      return new Unproven(
          Cause.NOT_CLOSE, "%s: %s >= %s".formatted(rule, distance, m.radius()), reachable);
    }
    if (Double.isFinite(distance)) {
      return new Proven(distance, rule, reachable);
    }
    Cause cause = Double.isNaN(distance) ? Cause.NOT_CLOSE : Cause.OUT_OF_RANGE;
    return new Unproven(cause, "%s: nu^2 = %s, R^2 = %s".formatted(rule, gradient, row), reachable);
  }

  /**
   * The lemma's bound with R_N = M max_i ||x_i||_{N^-1}; NaN unless q &lt;= 1/2, and infinite if it
   * overflows.
   */
  private double distance(double gradient, double row, double width, double change) {
    double nu = Math.sqrt(up(gradient));
    if (!Double.isFinite(nu)) {
      return Double.POSITIVE_INFINITY;
    }
    double q = change == 0 ? 0 : up(change * Math.sqrt(up(row)) * nu);
    return q <= 0.5 ? up(Math.sqrt(up(width)) * nu / (1 - q) + m.offset()) : Double.NaN;
  }

  private boolean isFinite() {
    double sum = 0; // NaN unless every summand is finite
    for (double h : m.curvature()) {
      sum += 0 * h;
    }
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
