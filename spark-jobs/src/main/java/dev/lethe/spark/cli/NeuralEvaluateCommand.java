package dev.lethe.spark.cli;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.job.LetheSession;
import dev.lethe.spark.neural.NeuralEvaluateJob;
import dev.lethe.spark.neural.NeuralSummary;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
    name = "evaluate",
    description = {
      "Measures a network: loss, perplexity, accuracy and confusion on a table, and the exposure of"
          + " a secret.",
      "",
      "Prints figures, which depend on the data: treat them as confidential."
    },
    footerHeading = "%n",
    footer = {
      "Example:",
      "  lethe neural evaluate --model models/texts --data held-out --canary canary.json"
    })
final class NeuralEvaluateCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(
      names = "--model",
      required = true,
      paramLabel = "DIR",
      description = "The network, as lethe neural train saves it")
  private String model;

  @Option(names = "--data", paramLabel = "PATH", description = "The table")
  private @Nullable String data;

  @Mixin private TableOptions table;

  @Option(
      names = "--canary",
      paramLabel = "FILE",
      description =
          "A secret whose exposure is measured: JSON with schemaVersion 1, context, secret and"
              + " alphabet. Confidential")
  private @Nullable String canary;

  @Mixin private Standard standard;

  @Override
  public Integer call() {
    if (data == null && canary == null) {
      throw new InvalidInputException("--data, --canary: one of them is needed");
    }
    NeuralEvaluateJob.Options options =
        new NeuralEvaluateJob.Options(
            model, data == null ? null : table.source("--data", data), canary);
    try (LetheSession session = LetheSession.open("Lethe neural evaluate")) {
      NeuralSummary.of(new NeuralEvaluateJob(options, session.spark()).run())
          .print(spec.commandLine().getOut());
      return 0;
    }
  }
}
