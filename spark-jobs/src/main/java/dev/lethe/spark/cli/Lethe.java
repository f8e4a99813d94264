package dev.lethe.spark.cli;

/** The command line: {@code lethe train | unlearn | verify | apply | demo}. */
public final class Lethe {
  private Lethe() {}

  public static void main(String[] args) {
    throw new UnsupportedOperationException("not yet");
  }
}
