package dev.lethe.core.testing;

import java.math.BigDecimal;
import java.math.MathContext;

/**
 * Decimal arithmetic of 60 digits, and the logistic loss in it from its definition: the independent
 * truth of the tests. Margins and products of doubles are exact.
 */
public final class Exact {
  /** Digits of every result. */
  public static final MathContext DIGITS = new MathContext(60);

  private static final MathContext WORK = new MathContext(80);
  private static final BigDecimal TWO = BigDecimal.valueOf(2);

  /** e^-5000 is below 1e-2171: no double can tell it from 0. */
  private static final BigDecimal UNDERFLOW = BigDecimal.valueOf(5000);

  private Exact() {}

  public static BigDecimal of(double x) {
    return new BigDecimal(x);
  }

  /** e^x by halving the argument, a Taylor series and squaring. */
  public static BigDecimal exp(BigDecimal x) {
    if (x.negate().compareTo(UNDERFLOW) > 0) {
      return BigDecimal.ZERO;
    }
    int halvings = 10;
    for (double m = Math.abs(x.doubleValue()); m > 1; m /= 2) {
      halvings++;
    }
    BigDecimal r = x.divide(TWO.pow(halvings), WORK);
    BigDecimal term = BigDecimal.ONE;
    BigDecimal sum = BigDecimal.ONE;
    for (int n = 1; n <= 22; n++) {
      term = term.multiply(r, WORK).divide(BigDecimal.valueOf(n), WORK);
      sum = sum.add(term, WORK);
    }
    for (int k = 0; k < halvings; k++) {
      sum = sum.multiply(sum, WORK);
    }
    return sum;
  }

  /** log(1 + e) for 0 <= e <= 1. */
  private static BigDecimal log1p(BigDecimal e) {
    if (e.compareTo(new BigDecimal("1e-16")) < 0) {
      BigDecimal sum = BigDecimal.ZERO;
      BigDecimal power = BigDecimal.ONE;
      for (int n = 1; n <= 5; n++) {
        power = power.multiply(e, WORK).negate();
        sum = sum.subtract(power.divide(BigDecimal.valueOf(n), WORK), WORK);
      }
      return sum;
    }
    BigDecimal target = e.add(BigDecimal.ONE);
    BigDecimal log = of(Math.log1p(e.doubleValue()));
    // Halley's iteration, cubic: 16 digits become 48, then 80.
    for (int k = 0; k < 3; k++) {
      BigDecimal power = exp(log);
      log =
          log.add(
              TWO.multiply(target.subtract(power, WORK), WORK)
                  .divide(target.add(power, WORK), WORK),
              WORK);
    }
    return log;
  }

  /** log x for x >= 1. */
  public static BigDecimal log(BigDecimal x) {
    BigDecimal e = x.subtract(BigDecimal.ONE);
    if (e.compareTo(BigDecimal.ONE) <= 0) {
      return log1p(e);
    }
    // log x = k log 2 + log(x / 2^k)
    int k = 0;
    for (BigDecimal y = x; y.compareTo(TWO) > 0; y = y.divide(TWO, WORK)) {
      k++;
    }
    BigDecimal rest = x.divide(TWO.pow(k), WORK).subtract(BigDecimal.ONE);
    return log1p(BigDecimal.ONE).multiply(BigDecimal.valueOf(k), WORK).add(log1p(rest), WORK);
  }

  /** log(1 + e^s) - y s. */
  public static BigDecimal logisticLoss(BigDecimal s, double y) {
    return log1p(exp(s.abs().negate())).add(s.max(BigDecimal.ZERO)).subtract(of(y).multiply(s));
  }

  /** 1 / (1 + e^-s) - y, for y in {0, 1} as a tail, without cancellation. */
  public static BigDecimal logisticFirst(BigDecimal s, double y) {
    return y == 1 ? sigma(s.negate()).negate() : sigma(s);
  }

  /** e^s / (1 + e^s)^2. */
  public static BigDecimal logisticSecond(BigDecimal s) {
    return sigma(s).multiply(sigma(s.negate()), WORK);
  }

  private static BigDecimal sigma(BigDecimal s) {
    BigDecimal e = exp(s.abs().negate());
    BigDecimal d = e.add(BigDecimal.ONE, WORK);
    return s.signum() >= 0 ? BigDecimal.ONE.divide(d, WORK) : e.divide(d, WORK);
  }

  /** |computed - exact|. */
  public static BigDecimal error(double computed, BigDecimal exact) {
    return of(computed).subtract(exact).abs();
  }

  /** |computed - exact| / |exact|, for a nonzero exact value. */
  public static double relativeError(double computed, BigDecimal exact) {
    return error(computed, exact).divide(exact.abs(), DIGITS).doubleValue();
  }
}
