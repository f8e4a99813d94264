package dev.lethe.core.neural;

/** The loss of one example, from a network's outputs z; all are convex in z. */
public enum NetworkLoss {
  /** log sum_c exp(z_c) - z_y, y a class. */
  CROSS_ENTROPY("cross-entropy"),

  /** log(1 + exp(z)) - y z, one output, y 0 or 1. */
  BINARY_CROSS_ENTROPY("binary-cross-entropy"),

  /** ||z - y||^2 / 2, y as many numbers as outputs. */
  SQUARED("squared");

  private final String word;

  NetworkLoss(String word) {
    this.word = word;
  }

  /** As files have it. */
  public String word() {
    return word;
  }

  /** Whether targets are classes. */
  public boolean hasClasses() {
    return this != SQUARED;
  }
}
