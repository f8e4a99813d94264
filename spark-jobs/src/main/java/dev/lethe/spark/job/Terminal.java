package dev.lethe.spark.job;

import java.io.Console;
import java.util.Optional;

/** The terminal that somebody sits at, where standard input and output are one. */
public final class Terminal {
  private Terminal() {}

  /** Its console; empty where the output goes into a file or to another program. */
  @SuppressWarnings("SystemConsoleNull") // from JDK 22 on Console.isTerminal tells
  public static Optional<Console> console() {
    Console console = System.console();
    if (console == null) {
      return Optional.empty();
    }
    try {
      boolean terminal = (boolean) Console.class.getMethod("isTerminal").invoke(console);
      return terminal ? Optional.of(console) : Optional.empty();
    } catch (ReflectiveOperationException e) {
      return Optional.of(console); // before JDK 22 a console is a terminal
    }
  }
}
