package dev.lethe.core.unlearn;

import java.util.OptionalDouble;

/**
 * A bound of the residual that the first step leaves, ||grad L(theta+; D')||_2, from what was known
 * before the pass that measured it; or why there is none.
 *
 * @param dataNorm an upper bound of ||W^(1/2) X'||_2, known before the first pass of the update
 * @param residual the bound, rounded up; empty if there is none
 * @param rule the formula, or why none applies: fixed text
 */
public record AprioriBound(double dataNorm, OptionalDouble residual, String rule) {
  private static final String FIRST_ORDER =
      "first order: max(|1 - tau min lambda|, |1 - tau (B2 N^2 + max lambda)|) ||v|| + ||g - v||";
  private static final String SECOND_ORDER =
      "second order: 1/2 B3 N d q + the linear system's residual + ||g - v||";

  static AprioriBound firstOrder(double dataNorm, double residual) {
    return of(dataNorm, residual, FIRST_ORDER);
  }

  static AprioriBound secondOrder(double dataNorm, double residual) {
    return of(dataNorm, residual, SECOND_ORDER);
  }

  /** Without a bound. */
  static AprioriBound none(double dataNorm, String reason) {
    return new AprioriBound(dataNorm, OptionalDouble.empty(), "none: " + reason);
  }

  private static AprioriBound of(double dataNorm, double residual, String rule) {
    return Double.isFinite(residual)
        ? new AprioriBound(dataNorm, OptionalDouble.of(residual), rule)
        : none(
            dataNorm,
            "a derivative of the loss is unbounded, a penalty unknown, or the bound overflows");
  }
}
