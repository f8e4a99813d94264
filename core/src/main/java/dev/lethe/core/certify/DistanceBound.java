package dev.lethe.core.certify;

import java.util.Comparator;
import java.util.EnumSet;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.stream.Stream;

/**
 * A bound on ||theta - theta*||_2, where theta* is the exact minimiser of L_b(.; D') over the
 * coordinates that are not fixed, or the reason why there is none.
 *
 * <p>All rules are one lemma (proof in {@code docs/distance-bounds.md}). Let N be a positive
 * definite matrix with H(theta) &gt;= N, let nu = ||g||_{N^-1}, and let R_N = M max_i
 * ||X_i||_{N^-1} for a self-concordant loss, or R_N = 0 if H &gt;= N at every point, or at every
 * point of a ball that the bound does not leave. If q = R_N nu &lt; 1, then theta* exists, is
 * unique, and
 *
 * <pre>
 *   ||theta - theta*||_N &lt;= nu / (1 - q)
 * </pre>
 *
 * <p>This is Bach, Self-concordant analysis for logistic regression (2010), Proposition 2, with a
 * sharper constant: q &lt;= 1/2 is required as there, and 1 / (1 - q) &lt;= 2 stands for his 4.
 * Each |g_j| enters with its rounding bound; all results are rounded up.
 */
public sealed interface DistanceBound {

  /** The largest p for which a Hessian is formed for the sake of a proof. */
  int MAX_HESSIAN_SIZE = 4096;

  /**
   * The bound that would hold here if the computed gradient were exactly zero: what rounding alone
   * leaves, in units of theta, rounded up; confidential. Empty if nothing would be proven. A rho
   * below twice this is out of reach. It depends on the curvature, so on the point: close to the
   * minimiser (q &lt;= 1/2) by a factor below 2. That a ball is too small for it does not matter
   * here.
   */
  OptionalDouble reachable();

  /** The premise of the rule that proves it, or why none does: fixed text, may be published. */
  default String statement() {
    return this instanceof Proven proven ? proven.rule().statement() : ((Unproven) this).reason();
  }

  /** Which N proves the bound. */
  enum Rule {
    /** N = Lambda: ||theta - theta*|| &lt;= sqrt(sum g_j^2 / lambda_j) / sqrt(min lambda_j). */
    STRONG_CONVEXITY("every coordinate is penalised: H >= Lambda everywhere"),

    /**
     * N = (1 - delta) (Lambda + h (mu, 1)(mu, 1)') with mu = c / h, for a free intercept: the
     * curvature h of the loss determines it once the features are centred.
     */
    SELF_CONCORDANCE_CENTRED(
        "free intercept, self-concordant loss: H >= Lambda + h (mu, 1)(mu, 1)' at theta"),

    /**
     * The same for margins that share their curvature A: N = (1 - delta) (Lambda + m (V, I)' D (V,
     * I)) with m D &lt;= A and V, about A^{-1} C, centring the intercepts together.
     */
    SELF_CONCORDANCE_JOINTLY_CENTRED(
        "free intercepts of margins with a joint curvature A, self-concordant loss:"
            + " H >= Lambda + (V, I)' A (V, I) at theta, V = A^-1 C"),

    /** N = m D, D a power-of-four diagonal, m a certified lower eigenvalue of the scaled H. */
    SELF_CONCORDANCE_EIGENVALUE(
        "self-concordant loss: H >= m D at theta, m certified by a Cholesky factorisation"),

    /** As {@link #SELF_CONCORDANCE_CENTRED} for the squared loss, whose Hessian is constant. */
    CONSTANT_HESSIAN_CENTRED(
        "free intercept, constant Hessian: H >= Lambda + h (mu, 1)(mu, 1)' everywhere"),

    /** As {@link #SELF_CONCORDANCE_EIGENVALUE} for the squared loss. */
    CONSTANT_HESSIAN_EIGENVALUE(
        "constant Hessian: H >= m D everywhere, m certified by a Cholesky factorisation"),

    /** As {@link #SELF_CONCORDANCE_CENTRED} with a lower bound of the curvature in a ball. */
    LOCAL_CURVATURE_CENTRED(
        "free intercept: H >= Lambda + h (mu, 1)(mu, 1)' in a ball around theta that holds the"
            + " minimiser"),

    /** As {@link #SELF_CONCORDANCE_EIGENVALUE} with a lower bound of the Hessian in a ball. */
    LOCAL_CURVATURE_EIGENVALUE(
        "H >= m D in a ball around theta that holds the minimiser, m certified by a Cholesky"
            + " factorisation");

    private static final Set<Rule> OF_ONE_HESSIAN =
        EnumSet.of(SELF_CONCORDANCE_JOINTLY_CENTRED, SELF_CONCORDANCE_EIGENVALUE);

    private final String statement;

    Rule(String statement) {
      this.statement = statement;
    }

    /** The premise in one line, the same for all data. */
    public String statement() {
      return statement;
    }

    /**
     * Whether a proof by this rule may have had that {@link #statement} when it was made first: its
     * own or, as the Hessian of a softmax proves by two rules and rounding may decide which of them
     * proves less, the other's.
     */
    public boolean mayBeRecordedAs(String recorded) {
      return statement.equals(recorded)
          || (OF_ONE_HESSIAN.contains(this)
              && OF_ONE_HESSIAN.stream().anyMatch(rule -> rule.statement.equals(recorded)));
    }
  }

  /**
   * ||theta - theta*||_2 &lt;= distance.
   *
   * @param distance in units of theta, rounded up
   */
  record Proven(double distance, Rule rule, OptionalDouble reachable) implements DistanceBound {
    public Proven {
      if (!(distance >= 0 && distance < Double.POSITIVE_INFINITY)) {
        throw new IllegalArgumentException("distance = " + distance + ": must be finite, >= 0");
      }
    }
  }

  /** Why no rule proves a distance; a closed list of texts, the same for all data. */
  enum Cause {
    /** The gradient, a bound of its error, or the curvature is infinite or not a number. */
    NOT_FINITE("the measured gradient or curvature is not finite", false),

    /** A bound follows, but overflows. */
    OUT_OF_RANGE("the bound exceeds the range of a double", true),

    /** No rule covers an unpenalised coordinate of such a loss, at any point. */
    NO_RULE("a coordinate carries no penalty, and nothing bounds the loss's curvature", false),

    /** One pass proves nothing; the Hessian might, but was not formed at this point. */
    HESSIAN_NEEDED(
        "a coordinate carries no penalty, and one pass proves no curvature for it", true),

    /** As {@link #HESSIAN_NEEDED}, but p exceeds {@link #MAX_HESSIAN_SIZE}. */
    TOO_MANY_PARAMETERS(
        "one pass proves nothing for an unpenalised coordinate, and a Hessian of more than "
            + MAX_HESSIAN_SIZE
            + " parameters is not formed",
        false),

    /**
     * One pass proves nothing for margins that share their curvature; a second pass for it might,
     * but was not made at this point.
     */
    MARGIN_CURVATURE_NEEDED(
        "the margins share their curvature, and one pass does not separate their intercepts", true),

    /** h = 0, or A is singular beyond rounding: margins are saturated. */
    NO_CURVATURE("the loss has no measurable curvature along the intercept", true),

    /** The relative error of h and c leaves nothing of the centred Hessian. */
    INACCURATE_CURVATURE(
        "the curvature is not measured accurately enough to separate the intercept", false),

    /** The Hessian was formed, and is singular as far as rounding can tell. */
    NOT_POSITIVE_DEFINITE("the Hessian is not positive definite beyond rounding", false),

    /** A rule applies, but q &gt; 1/2. */
    NOT_CLOSE(
        "the parameters are not close enough to the minimiser for self-concordance to bound the"
            + " distance",
        true);

    private final String text;
    private final boolean stepsMayHelp;

    Cause(String text, boolean stepsMayHelp) {
      this.text = text;
      this.stepsMayHelp = stepsMayHelp;
    }

    /** Half a sentence without a figure of the data: may be published. */
    public String text() {
      return text;
    }

    /**
     * Whether the cause lies in the point: another one, nearer to the minimiser, may be proven. It
     * lies in the objective otherwise, or in what can be measured of it.
     */
    public boolean stepsMayHelp() {
      return stepsMayHelp;
    }
  }

  /**
   * No rule applies.
   *
   * @param cause why, in a text that may be published
   * @param detail the figures behind it: confidential
   */
  record Unproven(Cause cause, String detail, OptionalDouble reachable) implements DistanceBound {
    /** Where not even a gradient of zero would prove anything. */
    Unproven(Cause cause, String detail) {
      this(cause, detail, OptionalDouble.empty());
    }

    /** {@link Cause#text}. */
    public String reason() {
      return cause.text();
    }

    /** Whether a rule applies to this objective, but not yet at this point: more steps may help. */
    public boolean isTooFar() {
      return cause.stepsMayHelp();
    }
  }

  /**
   * The bound from one pass: by strong convexity or, for a free intercept, by self-concordance.
   *
   * @throws IllegalArgumentException if the measurement's arrays differ in length, or a penalty, an
   *     error bound, the curvature or a norm is negative
   */
  static DistanceBound of(Measurement m) {
    return DistanceProof.of(m).fromOnePass();
  }

  /**
   * The bound from one pass and, for margins that share it, their curvature.
   *
   * @throws IllegalArgumentException as above, or if the curvature is of other margins
   */
  static DistanceBound of(Measurement m, MarginCurvature curvature) {
    return DistanceProof.of(m).byCentring(curvature);
  }

  /**
   * The smallest bound that one pass or the Hessian proves; the latter holds the margins'
   * curvature, too.
   *
   * @param hessian H(theta; D') with the penalty, p x p; the triangle k &gt;= j of {@code hessian[j
   *     * p + k]} is read
   * @param hessianRelativeError kappa_H: every entry is within kappa_H sqrt(H_jj H_kk) of the exact
   *     one; an intercept's with another coordinate also without the penalties in H_jj and H_kk
   * @throws IllegalArgumentException as above, or if the Hessian is not p x p
   */
  static DistanceBound of(Measurement m, double[] hessian, double hessianRelativeError) {
    DistanceProof proof = DistanceProof.of(m);
    DistanceBound byEigenvalue = proof.byEigenvalue(hessian, hessianRelativeError);
    DistanceBound centred =
        proof.needsMarginCurvature()
            ? proof.byCentring(MarginCurvature.of(m.layout(), hessian, hessianRelativeError))
            : proof.fromOnePass();
    return smaller(centred, byEigenvalue);
  }

  private static DistanceBound smaller(DistanceBound a, DistanceBound b) {
    OptionalDouble reachable =
        Stream.of(a, b).flatMapToDouble(bound -> bound.reachable().stream()).min();
    if (a instanceof Unproven p && b instanceof Unproven q) {
      Cause cause = decisive(p.cause(), q.cause());
      return new Unproven(cause, p.detail() + "; " + q.detail(), reachable);
    }
    Proven proven =
        Stream.of(a, b)
            .filter(Proven.class::isInstance)
            .map(Proven.class::cast)
            .min(Comparator.comparingDouble(Proven::distance))
            .orElseThrow();
    return new Proven(proven.distance(), proven.rule(), reachable);
  }

  /** What stands in the way of a proof when one pass and the Hessian were both tried. */
  private static Cause decisive(Cause onePass, Cause hessian) {
    boolean hessianDecides = onePass == Cause.HESSIAN_NEEDED || hessian.stepsMayHelp();
    return hessianDecides || !onePass.stepsMayHelp() ? hessian : onePass;
  }
}
