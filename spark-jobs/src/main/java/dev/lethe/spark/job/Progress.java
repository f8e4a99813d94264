package dev.lethe.spark.job;

import dev.lethe.core.neural.NetworkUnlearning;
import dev.lethe.core.solver.ConjugateGradient;
import dev.lethe.core.unlearn.UnlearningResult;
import dev.lethe.spark.metrics.LetheMetrics;
import dev.lethe.spark.operator.PassObserver;
import java.io.Console;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.DoubleSupplier;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * Says on the console how far a job is: what is being done, the residual, the target, the time
 * left. Quiet without a terminal. Also words the descriptions of Spark jobs, and sets the {@link
 * LetheMetrics}. Figures that depend on the data are in descriptions only where {@value
 * LetheMetrics#FIGURES} is true.
 */
public final class Progress implements ConjugateGradient.Listener, PassObserver {
  private final @Nullable PrintWriter terminal;
  private final String name;
  private final boolean figures;
  private final @Nullable LetheMetrics metrics;
  private final DoubleSupplier clock;
  private final AtomicInteger passes = new AtomicInteger();
  private final TimeLeft timeLeft = new TimeLeft();
  private String phase = "";
  // what the last step reached, and what the solver at work has; for descriptions
  private String reached = "";
  private String solving = "";
  private double solveStart;
  private double provenDistance = Double.NaN;
  private double provenGradient = Double.NaN;

  /**
   * @param clock seconds since whenever
   */
  Progress(
      String name,
      @Nullable PrintWriter terminal,
      boolean figures,
      @Nullable LetheMetrics metrics,
      DoubleSupplier clock) {
    this.name = name;
    this.terminal = terminal;
    this.figures = figures;
    this.metrics = metrics;
    this.clock = clock;
    if (metrics != null) {
      metrics.begun();
    }
  }

  /**
   * On the terminal, if there is one.
   *
   * @param name begins Spark's job descriptions: the command and the request's id, no personal data
   */
  public static Progress onTerminal(SparkSession spark, String name) {
    PrintWriter terminal = Terminal.console().map(Console::writer).orElse(null);
    return new Progress(name, terminal, figures(spark), LetheMetrics.get(), Progress::uptime);
  }

  /**
   * Says nothing on the terminal.
   *
   * @param name as above
   */
  public static Progress quiet(SparkSession spark, String name) {
    return new Progress(name, null, figures(spark), LetheMetrics.get(), Progress::uptime);
  }

  /**
   * Of one of several that go on at once: says nothing on the terminal, and sets no metrics.
   *
   * @param name as above
   */
  static Progress among(SparkSession spark, String name) {
    return new Progress(name, null, figures(spark), null, Progress::uptime);
  }

  private static boolean figures(SparkSession spark) {
    return Boolean.parseBoolean(spark.conf().get(LetheMetrics.FIGURES, "false"));
  }

  /** Begins a phase. */
  public void phase(String what) {
    phase = what;
    reached = "";
    solving = "";
    line(what);
  }

  /** For Spark's job descriptions. */
  @Override
  public String description() {
    if (phase.isEmpty()) {
      return name;
    }
    String doing = name + ", " + phase;
    if (reached.isEmpty()) {
      return doing;
    }
    return figures
        ? doing + reached + solving + timeLeft.words(now())
        : doing + ", " + passes + " passes";
  }

  @Override
  public void passed(int products, double seconds) {
    passes.incrementAndGet();
    if (metrics != null) {
      metrics.passed(products, seconds);
    }
  }

  /** Reports a step of training and begins the next. */
  public void training(int step, double gradientNorm, double target) {
    timeLeft.measured(step, gradientNorm, target, now());
    line(
        String.format(
            Locale.ROOT,
            "step %d: gradient norm %.3e (target %.1e)%s",
            step,
            gradientNorm,
            target,
            timeLeft.words(now())));
    next(step, String.format(Locale.ROOT, ": gradient norm %.1e of %.1e", gradientNorm, target));
    if (metrics != null) {
      metrics.stepped(step, gradientNorm, Double.NaN, target);
    }
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
    double distance = step.distance().orElse(Double.NaN);
    if (step.distance().isPresent()) {
      provenDistance = distance;
      provenGradient = step.gradientNorm();
    }
    // between two proofs the distance falls about as the gradient does
    timeLeft.measured(
        step.step(), provenDistance * step.gradientNorm() / provenGradient, rho, now());
    line(
        String.format(
            Locale.ROOT,
            "step %d: gradient norm %.3e, distance %s (target %.1e), %d products, %.2f s%s",
            step.step(),
            step.gradientNorm(),
            step.distance().isPresent()
                ? String.format(Locale.ROOT, "%.3e proven", distance)
                : "not proven",
            rho,
            step.products(),
            step.seconds(),
            timeLeft.words(now())));
    next(
        step.step(),
        String.format(Locale.ROOT, ": gradient norm %.1e, distance ", step.gradientNorm())
            + (step.distance().isPresent()
                ? String.format(Locale.ROOT, "%.1e of %.1e", distance, rho)
                : String.format(Locale.ROOT, "not proven, target %.1e", rho)));
    if (metrics != null) {
      metrics.stepped(step.step(), step.gradientNorm(), distance, rho);
    }
  }

  private void next(int step, String reached) {
    phase = "step " + (step + 1);
    this.reached = reached;
    solving = "";
  }

  @Override
  public void iteration(int iteration, double relativeResidual, double tolerance) {
    if (iteration == 0) {
      solveStart = now();
    }
    String residual =
        String.format(Locale.ROOT, "residual %.2e, target %.2e", relativeResidual, tolerance);
    solving = ", conjugate gradient " + iteration + ", " + residual;
    if (terminal == null) {
      return;
    }
    double elapsed = now() - solveStart;
    // The residual falls about geometrically: what is left is to what is done as the logarithms
    // are.
    double done = -Math.log(relativeResidual);
    String rest =
        iteration > 0 && done > 0
            ? ", "
                + TimeLeft.about(
                    elapsed * Math.max(0, Math.log(relativeResidual / tolerance)) / done)
                + " in this step"
            : "";
    terminal.printf(
        "\r\u001b[K%s: conjugate gradient %d, %s%s%s",
        phase, iteration, residual, rest, timeLeft.words(now()));
    terminal.flush();
  }

  private double now() {
    return clock.getAsDouble();
  }

  private static double uptime() {
    return System.nanoTime() / 1e9;
  }

  private void line(String text) {
    if (terminal != null) {
      terminal.printf("\r\u001b[K%s%n", text);
      terminal.flush();
    }
  }
}
