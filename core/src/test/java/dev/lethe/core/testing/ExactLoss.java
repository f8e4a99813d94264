package dev.lethe.core.testing;

import java.math.BigDecimal;
import java.math.MathContext;
import java.util.Arrays;
import java.util.function.BiFunction;

/** A loss and its two derivatives in decimal arithmetic of 60 digits, from its definition only. */
public interface ExactLoss {
  MathContext WORK = new MathContext(80);

  BigDecimal value(BigDecimal[] s, double label);

  BigDecimal[] gradient(BigDecimal[] s, double label);

  BigDecimal[][] hessian(BigDecimal[] s, double label);

  /** Value and derivatives of a loss of one margin. */
  record Margin(
      BiFunction<BigDecimal, Double, BigDecimal> value,
      BiFunction<BigDecimal, Double, BigDecimal> first,
      BiFunction<BigDecimal, Double, BigDecimal> second) {}

  /** One margin. */
  static ExactLoss of(Margin l) {
    return separable(l, 1, (label, k) -> label);
  }

  /** K binary problems, the label of the k-th 1 for class k and 0 otherwise. */
  static ExactLoss oneVsRest(Margin l, int classes) {
    return separable(l, classes, (label, k) -> label == (double) k ? 1.0 : 0.0);
  }

  private static ExactLoss separable(
      Margin l, int margins, BiFunction<Double, Integer, Double> labelOf) {
    return new ExactLoss() {
      @Override
      public BigDecimal value(BigDecimal[] s, double label) {
        BigDecimal sum = BigDecimal.ZERO;
        for (int k = 0; k < margins; k++) {
          sum = sum.add(l.value.apply(s[k], labelOf.apply(label, k)), WORK);
        }
        return sum;
      }

      @Override
      public BigDecimal[] gradient(BigDecimal[] s, double label) {
        BigDecimal[] gradient = new BigDecimal[margins];
        Arrays.setAll(gradient, k -> l.first.apply(s[k], labelOf.apply(label, k)));
        return gradient;
      }

      @Override
      public BigDecimal[][] hessian(BigDecimal[] s, double label) {
        BigDecimal[][] hessian = zeros(margins);
        for (int k = 0; k < margins; k++) {
          hessian[k][k] = l.second.apply(s[k], labelOf.apply(label, k));
        }
        return hessian;
      }
    };
  }

  private static BigDecimal[][] zeros(int n) {
    BigDecimal[][] zeros = new BigDecimal[n][n];
    Arrays.stream(zeros).forEach(row -> Arrays.fill(row, BigDecimal.ZERO));
    return zeros;
  }

  /** log(1 + e^s) - y s, 0 <= y <= 1. */
  Margin LOGISTIC =
      new Margin(
          Exact::logisticLoss,
          (s, y) ->
              y == 0 || y == 1
                  ? Exact.logisticFirst(s, y)
                  : Exact.logisticFirst(s, 0).subtract(Exact.of(y)),
          (s, y) -> Exact.logisticSecond(s));

  /** (s - y)^2 / 2. */
  Margin SQUARED =
      new Margin(
          (s, y) -> half(s.subtract(Exact.of(y)).pow(2)),
          (s, y) -> s.subtract(Exact.of(y)),
          (s, y) -> BigDecimal.ONE);

  /** e^s - y s. */
  Margin POISSON =
      new Margin(
          (s, y) -> Exact.exp(s).subtract(s.multiply(Exact.of(y)), WORK),
          (s, y) -> Exact.exp(s).subtract(Exact.of(y), WORK),
          (s, y) -> Exact.exp(s));

  /** y e^-s + s. */
  Margin GAMMA =
      new Margin(
          (s, y) -> Exact.of(y).multiply(Exact.exp(s.negate()), WORK).add(s, WORK),
          (s, y) ->
              BigDecimal.ONE.subtract(Exact.of(y).multiply(Exact.exp(s.negate()), WORK), WORK),
          (s, y) -> Exact.of(y).multiply(Exact.exp(s.negate()), WORK));

  /** With z = s for y = 1 and -s for y = 0: 0, (3/2 - z)^2 / 2 from 3/2 down to 1/2, 1 - z. */
  Margin SMOOTHED_HINGE = hinge(new BigDecimal("1.5"), new BigDecimal("0.5"));

  /** max(0, 1 - z)^2 / 2. */
  Margin SQUARED_HINGE = hinge(BigDecimal.ONE, new BigDecimal("-1e400"));

  private static Margin hinge(BigDecimal upper, BigDecimal lower) {
    return new Margin(
        (s, y) -> {
          BigDecimal z = y == 1 ? s : s.negate();
          BigDecimal r = upper.subtract(z).max(BigDecimal.ZERO);
          return z.compareTo(lower) < 0 ? BigDecimal.ONE.subtract(z) : half(r.pow(2));
        },
        (s, y) -> {
          BigDecimal z = y == 1 ? s : s.negate();
          BigDecimal slope = z.max(lower).min(upper).subtract(upper);
          return y == 1 ? slope : slope.negate();
        },
        (s, y) -> {
          BigDecimal z = y == 1 ? s : s.negate();
          boolean bent = z.compareTo(upper) < 0 && z.compareTo(lower) > 0;
          return bent ? BigDecimal.ONE : BigDecimal.ZERO;
        });
  }

  private static BigDecimal half(BigDecimal x) {
    return x.divide(BigDecimal.valueOf(2), WORK);
  }

  /** log sum_k e^{s_k} - s_y. */
  static ExactLoss softmax(int classes) {
    return new ExactLoss() {
      /** Numerators e^{s_k - max s}, and their sum behind them. */
      private BigDecimal[] exponentials(BigDecimal[] s) {
        BigDecimal top = Arrays.stream(s).max(BigDecimal::compareTo).orElseThrow();
        BigDecimal[] e = new BigDecimal[classes + 1];
        e[classes] = BigDecimal.ZERO;
        for (int k = 0; k < classes; k++) {
          e[k] = Exact.exp(s[k].subtract(top));
          e[classes] = e[classes].add(e[k], WORK);
        }
        return e;
      }

      @Override
      public BigDecimal value(BigDecimal[] s, double label) {
        BigDecimal top = Arrays.stream(s).max(BigDecimal::compareTo).orElseThrow();
        return Exact.log(exponentials(s)[classes]).add(top).subtract(s[(int) label]);
      }

      @Override
      public BigDecimal[] gradient(BigDecimal[] s, double label) {
        BigDecimal[] e = exponentials(s);
        BigDecimal[] gradient = new BigDecimal[classes];
        BigDecimal others = BigDecimal.ZERO;
        for (int k = 0; k < classes; k++) {
          gradient[k] = e[k].divide(e[classes], WORK);
          others = k == (int) label ? others : others.add(gradient[k], WORK);
        }
        gradient[(int) label] = others.negate();
        return gradient;
      }

      @Override
      public BigDecimal[][] hessian(BigDecimal[] s, double label) {
        BigDecimal[] e = exponentials(s);
        BigDecimal[][] hessian = zeros(classes);
        for (int k = 0; k < classes; k++) {
          BigDecimal p = e[k].divide(e[classes], WORK);
          for (int l = 0; l < classes; l++) {
            if (l != k) {
              hessian[k][l] = p.multiply(e[l].divide(e[classes], WORK), WORK).negate();
              hessian[k][k] = hessian[k][k].subtract(hessian[k][l], WORK);
            }
          }
        }
        return hessian;
      }
    };
  }

  /** Huber's loss with its scale behind the margin, of the threshold m. */
  static ExactLoss huber(double threshold) {
    BigDecimal m = Exact.of(threshold);
    return new ExactLoss() {
      private boolean within(BigDecimal[] s, double label) {
        return s[0].subtract(Exact.of(label)).abs().compareTo(m.multiply(s[1])) <= 0;
      }

      @Override
      public BigDecimal value(BigDecimal[] s, double label) {
        BigDecimal r = s[0].subtract(Exact.of(label)).abs();
        return within(s, label)
            ? half(s[1].add(r.pow(2).divide(s[1], WORK)))
            : half(
                s[1].add(m.multiply(r).multiply(BigDecimal.valueOf(2)))
                    .subtract(m.pow(2).multiply(s[1])));
      }

      @Override
      public BigDecimal[] gradient(BigDecimal[] s, double label) {
        BigDecimal z = s[0].subtract(Exact.of(label)).divide(s[1], WORK).max(m.negate()).min(m);
        return new BigDecimal[] {z, half(BigDecimal.ONE.subtract(z.pow(2)))};
      }

      @Override
      public BigDecimal[][] hessian(BigDecimal[] s, double label) {
        BigDecimal[][] hessian = zeros(2);
        if (within(s, label)) {
          BigDecimal z = s[0].subtract(Exact.of(label)).divide(s[1], WORK);
          hessian[0][0] = BigDecimal.ONE.divide(s[1], WORK);
          hessian[0][1] = z.divide(s[1], WORK).negate();
          hessian[1][0] = hessian[0][1];
          hessian[1][1] = z.pow(2).divide(s[1], WORK);
        }
        return hessian;
      }
    };
  }
}
