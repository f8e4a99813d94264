package dev.lethe.spark.cli;

import dev.lethe.spark.job.ComposeJob;
import dev.lethe.spark.job.ComposeOptions;
import dev.lethe.spark.job.LetheSession;
import dev.lethe.spark.job.Summary;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
    name = "compose",
    description = {
      "Says what an observer of several releases of one model learns, from their certificates.",
      "",
      "Every release must be certified, and the noises independent of each other, as Lethe's are. The"
          + " joint claim compares all releases with those of models retrained on the corrected data"
          + " of each. Reads public files alone."
    },
    footerHeading = "%n",
    footer = {
      "Example:",
      "  lethe compose --delta 1e-4 models/churn-2026-118/certificate.json \\",
      "                models/churn-2026-131/certificate.json"
    })
final class ComposeCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Parameters(
      arity = "1..*",
      paramLabel = "CERTIFICATE",
      description = "The public certificates of all releases that the observer sees")
  private List<String> certificates = List.of();

  @ArgGroup(exclusive = true)
  private @Nullable At at;

  /** Where on the curve of epsilon and delta. */
  static final class At {
    @Option(
        names = "--delta",
        paramLabel = "DELTA",
        description = "Print the epsilon for it (default: the largest delta of the certificates)")
    private @Nullable Double delta;

    @Option(names = "--epsilon", paramLabel = "EPSILON", description = "Print the delta for it")
    private @Nullable Double epsilon;
  }

  @Mixin private Standard standard;

  @Override
  public Integer call() {
    ComposeOptions options =
        new ComposeOptions(
            certificates, at == null ? null : at.delta, at == null ? null : at.epsilon);
    try (LetheSession session = LetheSession.open("Lethe compose")) {
      Summary.of(new ComposeJob(options, session.spark()).run()).print(spec.commandLine().getOut());
      return 0;
    }
  }
}
