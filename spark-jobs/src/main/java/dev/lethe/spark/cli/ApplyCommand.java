package dev.lethe.spark.cli;

import dev.lethe.spark.job.ApplyJob;
import dev.lethe.spark.job.LetheSession;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
    name = "apply",
    sortOptions = false,
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    usageHelpWidth = 100,
    descriptionHeading = "%n",
    optionListHeading = "%n",
    footerHeading = "%n",
    description = {
      "Writes the corrected table, so that tomorrow's retraining does not bring the data back.",
      "",
      "Rows are removed and values replaced as the request says; columns that it removes as features"
          + " are dropped."
    },
    footer = {
      "Example:",
      "  lethe apply --data tables/customers --label churned --request hr-2026-118.yaml \\",
      "              --out tables/customers-corrected"
    })
final class ApplyCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(names = "--data", required = true, paramLabel = "PATH", description = "The table")
  private String data;

  @Mixin private TableOptions table;

  @Option(
      names = "--label",
      required = true,
      paramLabel = "COLUMN",
      description = "The table's label column")
  private String label;

  @Option(
      names = "--weight",
      paramLabel = "COLUMN",
      description = "The row weights' column, if there is one")
  private @Nullable String weight;

  @Option(names = "--request", required = true, paramLabel = "FILE", description = "What to forget")
  private String request;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "DIR",
      description = "Where to write the corrected table, in the same format; must not exist")
  private String out;

  @Override
  public Integer call() throws Exception {
    try (LetheSession session = LetheSession.open("Lethe apply")) {
      ApplyJob.Result result =
          new ApplyJob(table.source("--data", data), label, weight, request, out, session.spark())
              .run();
      spec.commandLine()
          .getOut()
          .printf(
              "corrected table: %s%nrows: %d read, %d touched, %d removed; columns dropped: %s%n",
              out,
              result.rows(),
              result.touched(),
              result.removed(),
              result.droppedColumns().isEmpty()
                  ? "none"
                  : String.join(", ", result.droppedColumns()));
      return 0;
    }
  }
}
