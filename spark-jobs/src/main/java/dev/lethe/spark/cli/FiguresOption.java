package dev.lethe.spark.cli;

import dev.lethe.spark.job.Terminal;
import picocli.CommandLine.Option;

/** Whether figures that depend on the data go to standard output. */
final class FiguresOption {
  @Option(
      names = "--figures",
      description =
          "Print counts of rows, residuals, metrics and times also where standard output is no"
              + " terminal: a log with them is confidential")
  private boolean figures;

  boolean shown() {
    return figures || Terminal.console().isPresent();
  }
}
