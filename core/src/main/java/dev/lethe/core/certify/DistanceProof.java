package dev.lethe.core.certify;

import dev.lethe.core.certify.DistanceBound.Cause;
import dev.lethe.core.certify.DistanceBound.Proven;
import dev.lethe.core.certify.DistanceBound.Rule;
import dev.lethe.core.certify.DistanceBound.Unproven;
import dev.lethe.core.model.ParameterLayout;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.stream.IntStream;

/**
 * The rules of {@link DistanceBound} in floating point, every quantity rounded up.
 *
 * <p>All sums are of p non-negative terms with fewer than K + 32 roundings in each, K the margins,
 * so the exact value is below the computed one times (1 + u)^(p + K + 31) &lt;= 1 + (p + K + 32)
 * 2^-52 - {@link #up}. A square that underflows is covered by the smallest normal number that
 * {@link #square} adds.
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
      boolean centred =
          (m.separable() || m.couplesMargins()) && m.layout().feature(j) == m.layout().features();
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
    if (!hasFreeIntercept()) {
      return byStrongConvexity();
    }
    if (!m.boundsCurvature()) {
      return new Unproven(Cause.NO_RULE, "the intercept is not penalised");
    }
    if (m.separable()) {
      List<MarginCurvature> margins =
          IntStream.range(0, m.layout().margins()).mapToObj(this::ownCurvature).toList();
      return byCentring(rule(true), margins);
    }
    return new Unproven(withoutMarginCurvature(), "the margins' curvature is not separate");
  }

  private boolean hasFreeIntercept() {
    return IntStream.of(free)
        .anyMatch(j -> m.layout().feature(j) == m.layout().features() && m.lambda()[j] == 0);
  }

  /** Whether the curvature between margins would prove what one pass does not. */
  boolean needsMarginCurvature() {
    return isFinite() && m.couplesMargins() && smallestPenalty > 0 && hasFreeIntercept();
  }

  private Cause withoutMarginCurvature() {
    if (m.size() <= DistanceBound.MAX_HESSIAN_SIZE) {
      return Cause.HESSIAN_NEEDED;
    }
    long sums = MarginCurvature.size(m.layout().margins(), m.layout().features());
    return sums > MarginCurvature.MAX_SUMS
        ? Cause.TOO_MANY_PARAMETERS
        : Cause.MARGIN_CURVATURE_NEEDED;
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

  /** The curvature of one margin of a separable loss: h and c. */
  private MarginCurvature ownCurvature(int k) {
    ParameterLayout layout = m.layout();
    int features = layout.features();
    double[] sums =
        Arrays.copyOfRange(m.curvatureMoment(), layout.coefficient(k, 0), layout.intercept(k) + 1);
    sums[features] = m.curvature()[k];
    return new MarginCurvature(1, features, sums, m.curvatureRelativeError());
  }

  /** As {@link #fromOnePass}, with the curvature between the margins where it is needed. */
  DistanceBound byCentring(MarginCurvature curvature) {
    ParameterLayout layout = m.layout();
    requireLength("features of curvature", curvature.features(), layout.features());
    requireLength("margins of curvature", curvature.margins(), layout.margins());
    if (!needsMarginCurvature()) {
      return fromOnePass();
    }
    int stride = layout.stride();
    double sum = 0; // NaN unless every summand is finite
    for (int s = 0; s < curvature.sums().length; s++) {
      sum += m.fixed()[s % stride] ? 0 : 0 * curvature.sums()[s];
    }
    return sum == 0
        ? byCentring(Rule.SELF_CONCORDANCE_JOINTLY_CENTRED, List.of(curvature))
        : new Unproven(Cause.NOT_FINITE, "the curvature between the margins");
  }

  /**
   * N = (1 - delta) diag(Lambda, m D) in the coordinates (B, tau = t + V B) for each group of
   * margins that share their curvature. The groups are blocks of the Hessian: nu^2 adds up, the
   * other constants are the largest of any.
   */
  private DistanceBound byCentring(Rule rule, List<MarginCurvature> groups) {
    double kappa = groups.get(0).relativeError();
    if (!(kappa <= 0.125)) {
      return new Unproven(Cause.INACCURATE_CURVATURE, "kappa = " + kappa);
    }
    double error = 1.5 * (kappa + 0x1p-53);
    double gradient = 0;
    double rounding = 0;
    double row = 0;
    double width = 0;
    double missed = 0;
    int first = 0;
    for (MarginCurvature curvature : groups) {
      Optional<CentredMargins> margins = CentredMargins.of(curvature, error);
      if (margins.isEmpty()) {
        return new Unproven(Cause.NO_CURVATURE, "from margin " + first);
      }
      Constants constants = constants(margins.get(), first, error);
      gradient += constants.gradient;
      rounding += constants.rounding;
      row = Math.max(row, constants.row);
      width = Math.max(width, constants.width);
      missed = Math.max(missed, up(constants.missed));
      first += curvature.margins();
    }
    if (!(missed <= 0.5)) {
      return new Unproven(Cause.INACCURATE_CURVATURE, "delta = " + missed);
    }
    double keep = 1 - missed;
    return conclude(rule, gradient / keep, rounding / keep, row / keep, width / keep);
  }

  /**
   * Of one group: nu^2, the same for g = 0, R_N^2 and omega_N for N_0; and delta.
   *
   * @param missed delta
   */
  private record Constants(
      double gradient, double rounding, double row, double width, double missed) {}

  /**
   * @param first the group's first margin
   * @param error 3/2 (kappa + u)
   */
  private Constants constants(CentredMargins margins, int first, double error) {
    ParameterLayout layout = m.layout();
    int n = margins.size();
    double eigenvalue = margins.eigenvalue();
    double gradient = 0;
    double rounding = 0;
    double smallestScale = Double.POSITIVE_INFINITY;
    for (int k = 0; k < n; k++) {
      int t = layout.intercept(first + k);
      double root = margins.root(k);
      gradient += square((Math.abs(m.gradient()[t]) + m.gradientError()[t]) / root) / eigenvalue;
      rounding += square(m.gradientError()[t] / root) / eigenvalue;
      smallestScale = Math.min(smallestScale, root * root);
    }
    double[] v = new double[n];
    double[] gram = new double[n * n]; // V Lambda^-1 V', lower triangle
    double residual = 0;
    int coefficients = 0;
    for (int l = 0; l < n; l++) {
      for (int feature = 0; feature < layout.features(); feature++) {
        int j = layout.coefficient(first + l, feature);
        if (m.fixed()[j]) {
          continue;
        }
        coefficients++;
        double lambda = m.lambda()[j];
        residual += margins.centre(l, feature, v) / lambda;
        double g = m.gradient()[j];
        double terms = Math.abs(g);
        double gradientError = m.gradientError()[j];
        for (int k = 0; k < n; k++) {
          int t = layout.intercept(first + k);
          g = Math.fma(-m.gradient()[t], v[k], g);
          terms += Math.abs(m.gradient()[t] * v[k]);
          gradientError += m.gradientError()[t] * Math.abs(v[k]);
          for (int q = 0; q <= k; q++) {
            gram[k * n + q] += v[k] * v[q] / lambda;
          }
        }
        double cancelled = (n - 1) * 0x1p-52 * terms; // of all multiply-adds but the last
        double root = Math.sqrt(lambda);
        gradient += square((Math.abs(g) + gradientError + cancelled) / root);
        rounding += square(gradientError / root);
      }
    }
    double centre = normBound(gram, n, coefficients);
    double intercepts = 1 / eigenvalue / smallestScale;
    double trace = margins.trace();
    double missed =
        error
                * Math.sqrt(margins.scaledTrace() / eigenvalue)
                * Math.sqrt(trace)
                * (m.scaledRowNorm() + Math.sqrt(centre))
            + Math.sqrt(residual / eigenvalue);
    return new Constants(
        gradient,
        rounding,
        square(m.scaledRowNorm() + Math.sqrt(centre)) + intercepts,
        1 / smallestPenalty + intercepts + centre,
        missed);
  }

  /**
   * A bound of ||V Lambda^{-1/2}||_2^2, the norm of its Gram matrix: the largest row sum of
   * absolute values. What the sums of the entries lose is below 2^-52 (terms + 8) times the trace.
   */
  private static double normBound(double[] gram, int n, int terms) {
    double largest = 0;
    double trace = 0;
    for (int k = 0; k < n; k++) {
      double sum = 0;
      for (int q = 0; q < n; q++) {
        sum += Math.abs(gram[Math.max(k, q) * n + Math.min(k, q)]);
      }
      largest = Math.max(largest, sum);
      trace += gram[k * n + k];
    }
    return largest + (terms + 8) * 0x1p-52 * trace + (double) n * terms * Double.MIN_NORMAL;
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
    return value * (1 + (free.length + m.layout().margins() + 32) * 0x1p-52);
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
