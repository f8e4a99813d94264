package dev.lethe.spark.job;

import dev.lethe.spark.cli.Lethe;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/**
 * What a command did, seen from the shell.
 *
 * @param code the exit code
 * @param out standard output
 * @param err standard error
 */
public record Outcome(int code, String out, String err) {
  /** Runs {@code lethe} with these arguments in this JVM. */
  public static Outcome of(List<String> arguments) {
    return of(arguments, System.getenv());
  }

  /** The same with these environment variables. */
  public static Outcome of(List<String> arguments, Map<String, String> environment) {
    PrintStream console = System.out;
    PrintStream errors = System.err;
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    try {
      System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
      System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
      int code = Lethe.run(environment, arguments.toArray(String[]::new));
      return new Outcome(
          code, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
    } finally {
      System.setOut(console);
      System.setErr(errors);
    }
  }

  static Outcome of(Invocation invocation) {
    return of(invocation.arguments());
  }

  /** For the description of an assertion. */
  @Override
  public String toString() {
    return "exit code " + code + "\n--- out\n" + out + "--- err\n" + err;
  }
}
