package dev.lethe.spark.job;

import java.util.Locale;

/**
 * How long until a figure that falls from step to step reaches its target, if every step divides it
 * as the last one did and takes as long. Newton's steps divide by ever more: the estimate errs on
 * the long side. There is none before two steps, nor after a step that gained nothing, nor once the
 * time that was estimated is over.
 */
final class TimeLeft {
  private int step = -1;
  private double before = Double.NaN;
  private double begin;
  private double figure = Double.NaN;
  private double end;
  private double left = Double.NaN;

  /**
   * A step has ended, or was measured again.
   *
   * @param figure NaN where it is not known
   * @param now seconds since whenever
   */
  void measured(int step, double figure, double target, double now) {
    if (step != this.step) {
      this.step = step;
      before = this.figure;
      begin = end;
    }
    this.figure = figure;
    end = now;
    double gain = Math.log(before / figure);
    double steps = Math.max(0, Math.ceil(Math.log(figure / target) / gain));
    left = gain > 0 ? steps * (end - begin) : Double.NaN;
  }

  /** In words, with a comma before them; empty where there is no estimate. */
  String words(double now) {
    double rest = left - (now - end);
    return rest > 0 ? ", " + about(rest) + " left" : "";
  }

  /** Two digits: an estimate has no more. */
  static String about(double seconds) {
    if (seconds < 9.95) {
      return String.format(Locale.ROOT, "about %.1f s", seconds);
    }
    if (seconds < 120) {
      return String.format(Locale.ROOT, "about %.0f s", seconds);
    }
    return seconds < 7200
        ? String.format(Locale.ROOT, "about %.0f min", seconds / 60)
        : String.format(Locale.ROOT, "about %.0f h", seconds / 3600);
  }
}
