package dev.lethe.spark.cli;

import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

@Command(
    name = "neural",
    synopsisSubcommandLabel = "train|unlearn|evaluate",
    commandListHeading = "%nCommands:%n",
    description = {
      "Networks: makes them forget texts, labels and rows, and measures what is left. Nothing here"
          + " is certified.",
      "",
      "Needs libtorch on the class path of driver and executors (docs/neural.md)."
    },
    subcommands = {
      NeuralTrainCommand.class,
      NeuralUnlearnCommand.class,
      NeuralEvaluateCommand.class
    })
final class NeuralCommand implements Runnable {
  @Spec private CommandSpec spec;
  @Mixin private Standard standard;

  @Override
  public void run() {
    throw new CommandLine.ParameterException(spec.commandLine(), "a command is missing");
  }
}
