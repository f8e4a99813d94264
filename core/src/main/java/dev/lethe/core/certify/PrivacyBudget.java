package dev.lethe.core.certify;

import java.util.OptionalDouble;

/**
 * What an observer of all releases of a model may learn at most: the limit (epsilon, delta) of
 * their {@link Composition}.
 *
 * @param epsilon of all releases together, positive and finite
 * @param delta at which epsilon is proven, in (0, 1)
 */
public record PrivacyBudget(double epsilon, double delta) {
  /** A release of less than this part of the epsilon asked for is not worth its noise. */
  static final double SMALLEST_PART = 1e-6;

  public PrivacyBudget {
    if (!(epsilon > 0 && epsilon < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException("epsilon = " + epsilon + ": must be positive and finite");
    }
    if (!(delta > 0 && delta < 1)) {
      throw new IllegalArgumentException("delta = " + delta + ": must lie in (0, 1)");
    }
  }

  /** Whether these releases together stay within the limit. */
  public boolean allows(Composition releases) {
    return releases.delta(epsilon) <= delta;
  }

  /**
   * The epsilon that these releases are proven to have at the budget's delta; empty if none is
   * proven there.
   */
  public OptionalDouble spent(Composition releases) {
    if (releases.equals(Composition.NONE)) {
      return OptionalDouble.of(0);
    }
    try {
      return OptionalDouble.of(releases.epsilon(delta));
    } catch (IllegalArgumentException tooSmall) {
      return OptionalDouble.empty();
    }
  }

  /**
   * The largest epsilon, at most the one asked for, of a next release that stays within the limit;
   * to a relative 2^-30. The noise grows as epsilon falls, rho stays.
   *
   * @param spent all releases before it
   * @param asked its epsilon, if the budget did not matter
   * @param delta of the release by itself; 0 for pure noise
   * @param rho its proven distance
   * @param parameters p, an upper bound of the coordinates that get noise
   * @return empty if not even a millionth of it is left
   * @throws IllegalArgumentException as {@link OutputMechanism#calibrate}
   */
  public OptionalDouble affordable(
      Composition spent, double asked, double delta, double rho, int parameters) {
    if (allows(with(spent, asked, delta, rho, parameters))) {
      return OptionalDouble.of(asked);
    }
    double upper = asked;
    double lower = asked * SMALLEST_PART;
    if (!allows(with(spent, lower, delta, rho, parameters))) {
      return OptionalDouble.empty();
    }
    while (upper > lower * (1 + 0x1p-30)) {
      double middle = Math.sqrt(lower * upper);
      if (allows(with(spent, middle, delta, rho, parameters))) {
        lower = middle;
      } else {
        upper = middle;
      }
    }
    return OptionalDouble.of(lower);
  }

  private static Composition with(
      Composition spent, double epsilon, double delta, double rho, int parameters) {
    return spent.and(
        rho,
        OutputMechanism.calibrate(epsilon, delta, rho, parameters, parameters).noise(),
        parameters);
  }
}
