package dev.lethe.spark.cli;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.Outage;
import dev.lethe.spark.SparkErrors;
import dev.lethe.spark.SparkFailedException;
import dev.lethe.spark.ledger.LeaseLostException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/**
 * The command line: {@code lethe train | unlearn | verify | compose | apply | submit | run | ... |
 * neural | demo}.
 *
 * <p>The main class of the application jar. Returns normally on success: some cluster managers
 * report a driver that calls {@code System.exit(0)} as failed.
 */
@Command(
    name = "lethe",
    mixinStandardHelpOptions = true,
    usageHelpWidth = 100,
    descriptionHeading = "%n",
    optionListHeading = "%n",
    commandListHeading = "%nCommands:%n",
    footerHeading = "%n",
    versionProvider = Version.class,
    synopsisSubcommandLabel =
        "train|unlearn|verify|compose|apply|submit|run|status|history|rollback|purge|ledger|neural|demo",
    description = {
      "Removes features, labels and rows from a trained Spark ML model, as if it had been trained"
          + " on the corrected data, and certifies the result."
    },
    footer = {
      "A first look:       lethe demo",
      "The usual order:    lethe train -> lethe unlearn -> lethe verify -> lethe apply",
      "Every night:        lethe submit -> lethe run -> lethe purge",
      "Networks:           lethe neural train -> unlearn -> evaluate",
      "Help on a command:  lethe help unlearn",
      "",
      "Exit codes:",
      "  0  done, and certified if a certificate was asked for",
      "  1  unexpected failure",
      "  2  something given cannot be used, nothing was written (unlearn --independent: nothing for"
          + " the",
      "     requests that are named; the others are published)",
      "  3  finished without what was asked for: unlearn published as not-certified, train saved"
          + " nothing",
      "  4  a claim does not hold; run: what was made did not verify, and was given up",
      "  5  Spark did not finish (executors lost, out of memory...); nothing was written",
      "  6  another run has the ledger's lease: this one did nothing, or lost it on the way"
    },
    subcommands = {
      TrainCommand.class,
      UnlearnCommand.class,
      VerifyCommand.class,
      ComposeCommand.class,
      ApplyCommand.class,
      SubmitCommand.class,
      RunCommand.class,
      StatusCommand.class,
      HistoryCommand.class,
      RollbackCommand.class,
      PurgeCommand.class,
      LedgerCommand.class,
      NeuralCommand.class,
      DemoCommand.class,
      CommandLine.HelpCommand.class
    })
public final class Lethe implements Runnable {
  static final int FAILED = 1;
  static final int INVALID_INPUT = 2;
  static final int NOT_ACHIEVED = 3;
  static final int CLAIM_BROKEN = 4;
  static final int SPARK_FAILED = 5;
  static final int HELD = 6;

  private final Map<String, String> environment;

  @CommandLine.Spec private CommandLine.Model.CommandSpec spec;

  private Lethe(Map<String, String> environment) {
    this.environment = environment;
  }

  public static void main(String[] args) {
    int code;
    try {
      code = run(args);
    } catch (Throwable e) { // an Error's message may quote rows as well
      code = report(e, new PrintWriter(System.err, true, StandardCharsets.UTF_8));
    }
    if (code != 0) {
      System.exit(code);
    }
  }

  /** Runs a command and returns its exit code. */
  public static int run(String... args) {
    return run(System.getenv(), args);
  }

  /** The same with other environment variables than those of the process. */
  public static int run(Map<String, String> environment, String... args) {
    PrintWriter out = new PrintWriter(System.out, true, StandardCharsets.UTF_8);
    PrintWriter err = new PrintWriter(System.err, true, StandardCharsets.UTF_8);
    return commandLine(environment)
        .setOut(out)
        .setErr(err)
        .setExecutionExceptionHandler((e, command, parsed) -> report(e, command.getErr()))
        .execute(args);
  }

  static CommandLine commandLine() {
    return commandLine(Map.of());
  }

  private static CommandLine commandLine(Map<String, String> environment) {
    return new CommandLine(new Lethe(environment)).setCaseInsensitiveEnumValuesAllowed(true);
  }

  /** The environment variables that a command was started with. */
  static Map<String, String> environment(CommandLine.Model.CommandSpec command) {
    return ((Lethe) command.root().userObject()).environment;
  }

  /** The password of the keystore that an option names. */
  static char[] password(CommandLine.Model.CommandSpec command, String option, String variable) {
    return password(environment(command), option, variable);
  }

  /**
   * The password of the keystore that an option or a key of the configuration names.
   *
   * @throws InvalidInputException if the variable is not set
   */
  static char[] password(Map<String, String> environment, String name, String variable) {
    String password = environment.get(variable);
    if (password == null) {
      throw new InvalidInputException(
          name + ": its password must be in the environment variable " + variable);
    }
    // A file that became the variable may end as an editor leaves it.
    return password.replaceFirst("\r?\n\\z", "").toCharArray();
  }

  @Override
  public void run() {
    throw new CommandLine.ParameterException(spec.commandLine(), "a command is missing");
  }

  /**
   * Messages of unexpected failures may quote rows of the table: only kinds and places are shown.
   */
  private static int report(Throwable e, PrintWriter err) {
    if (e instanceof InvalidInputException) {
      Optional<Outage> outage = Outage.ofStorage(e);
      err.println(
          "lethe: " + e.getMessage() + outage.map(what -> " (" + what.words() + ")").orElse(""));
      leftovers(e, err);
      return outage.isPresent() ? SPARK_FAILED : INVALID_INPUT;
    }
    if (e instanceof LeaseLostException && Outage.of(e).isEmpty()) {
      err.println("lethe: " + e.getMessage());
      return HELD;
    }
    if (e instanceof SparkFailedException || e instanceof LeaseLostException) {
      err.println("lethe: " + e.getMessage());
      return SPARK_FAILED;
    }
    if (Outage.of(e).isPresent()) {
      err.println("lethe: " + SparkErrors.unfinished(e));
      return SPARK_FAILED;
    }
    err.println("lethe: unexpected failure; messages are withheld, they may quote rows");
    leftovers(e, err);
    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
      err.println("  " + cause.getClass().getName());
      for (StackTraceElement frame : cause.getStackTrace()) {
        if (frame.getClassName().startsWith("dev.lethe.")
            && !frame.getClassName().startsWith("dev.lethe.shaded.")) {
          err.println("    at " + frame);
        }
      }
      if (cause == cause.getCause()) {
        break;
      }
    }
    err.flush();
    return FAILED;
  }

  /** What cleaning up after the failure could not do. */
  private static void leftovers(Throwable e, PrintWriter err) {
    for (Throwable suppressed : e.getSuppressed()) {
      if (suppressed instanceof InvalidInputException) {
        err.println("lethe: " + suppressed.getMessage());
      }
    }
  }
}
