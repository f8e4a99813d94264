package dev.lethe.spark.request;

import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Collectors;

/** How the parameters are updated. */
public enum Method {
  /** One step of length tau against the difference of the gradients, corrected less original. */
  FIRST_ORDER("first-order"),
  /** One Newton step with the Hessian of the corrected data. */
  SECOND_ORDER("second-order"),
  /** Newton steps until the proven distance to the minimiser on the corrected data is below rho. */
  REFINED("refined");

  private final String word;

  Method(String word) {
    this.word = word;
  }

  /** The word for this method in a request file. */
  public String word() {
    return word;
  }

  /** The method that a request file means by {@code word}; empty if it means none. */
  public static Optional<Method> ofWord(String word) {
    return Arrays.stream(values()).filter(m -> m.word.equals(word)).findFirst();
  }

  static String words() {
    return Arrays.stream(values()).map(Method::word).collect(Collectors.joining(", "));
  }
}
