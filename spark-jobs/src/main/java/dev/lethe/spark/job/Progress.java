package dev.lethe.spark.job;

import dev.lethe.core.neural.NetworkUnlearning;
import dev.lethe.core.solver.ConjugateGradient;
import dev.lethe.core.unlearn.UnlearningResult;
import java.io.Console;
import java.io.PrintWriter;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Says on the console how far a job is: what is being done, the residual, the target, the time
 * left. Quiet without a terminal. Also words the descriptions of Spark jobs.
 */
public final class Progress implements ConjugateGradient.Listener {
  private final @Nullable PrintWriter terminal;
  private final String name;
  private String phase = "";
  private long solveStart;

  Progress(String name, @Nullable PrintWriter terminal) {
    this.name = name;
    this.terminal = terminal;
  }

  /**
   * On the terminal, if there is one.
   *
   * @param name begins Spark's job descriptions: the command and the request's id, no personal data
   */
  public static Progress onTerminal(String name) {
    return new Progress(name, Terminal.console().map(Console::writer).orElse(null));
  }

  /**
   * Says nothing, and words the descriptions.
   *
   * @param name as above
   */
  public static Progress quiet(String name) {
    return new Progress(name, null);
  }

  /** Begins a phase. */
  public void phase(String what) {
    phase = what;
    line(what);
  }

  /** For Spark's job descriptions. */
  public String description() {
    return phase.isEmpty() ? name : name + ", " + phase;
  }

  /** Reports a step of training and begins the next. */
  public void training(int step, double gradientNorm, double target) {
    line(
        String.format(
            Locale.ROOT, "step %d: gradient norm %.3e (target %.1e)", step, gradientNorm, target));
    phase = "step " + (step + 1);
  }

  /**
   * Reports how far the training of a network is.
   *
   * @param step steps done in all
   * @param ofEpoch steps of an epoch
   * @param meanLoss of the epoch so far
   */
  public void epochs(long step, long ofEpoch, int epochs, double meanLoss) {
    long within = (step - 1) % ofEpoch + 1;
    if (within == ofEpoch || within % Math.max(1, ofEpoch / 20) == 0) {
      int bar = (int) (20 * within / ofEpoch);
      line(
          String.format(
              Locale.ROOT,
              "epoch %d of %d [%s%s] mean loss %.4f",
              (step - 1) / ofEpoch + 1,
              epochs,
              "#".repeat(bar),
              ".".repeat(20 - bar),
              meanLoss));
    }
  }

  /** Reports an update of a network and begins the next. */
  public void update(NetworkUnlearning.Round round) {
    line(
        String.format(
            Locale.ROOT,
            "update: %d examples wrong, %d remembered and %d avoided before it, %d products, step"
                + " %.3g at attempt %d, mean loss %.4f",
            round.wrong(),
            round.remembered(),
            round.avoided(),
            round.products(),
            round.stepNorm(),
            round.attempts(),
            round.meanLoss()));
  }

  /** Reports how many rows the request touches. */
  public void matched(long rows) {
    line("the request touches " + rows + " rows");
  }

  /** Reports a measured step and begins the next. */
  public void step(UnlearningResult.Step step, double rho) {
    line(
        String.format(
            Locale.ROOT,
            "step %d: gradient norm %.3e, distance %s (target %.1e), %d products, %.2f s",
            step.step(),
            step.gradientNorm(),
            step.distance().isPresent()
                ? String.format(Locale.ROOT, "%.3e proven", step.distance().getAsDouble())
                : "not proven",
            rho,
            step.products(),
            step.seconds()));
    phase = "step " + (step.step() + 1);
  }

  @Override
  public void iteration(int iteration, double relativeResidual, double tolerance) {
    if (iteration == 0) {
      solveStart = System.nanoTime();
    }
    if (terminal == null) {
      return;
    }
    double elapsed = (System.nanoTime() - solveStart) / 1e9;
    // The residual falls about geometrically: what is left is to what is done as the logarithms
    // are.
    double done = -Math.log(relativeResidual);
    double left =
        iteration > 0 && done > 0
            ? elapsed * Math.max(0, Math.log(relativeResidual / tolerance)) / done
            : Double.NaN;
    terminal.printf(
        Locale.ROOT,
        "\r\u001b[K%s: conjugate gradient %d, residual %.2e, target %.2e%s",
        phase,
        iteration,
        relativeResidual,
        tolerance,
        Double.isNaN(left) ? "" : String.format(Locale.ROOT, ", about %.1f s left", left));
    terminal.flush();
  }

  private void line(String text) {
    if (terminal != null) {
      terminal.printf("\r\u001b[K%s%n", text);
      terminal.flush();
    }
  }
}
