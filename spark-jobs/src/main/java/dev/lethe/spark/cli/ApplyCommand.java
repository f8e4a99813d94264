package dev.lethe.spark.cli;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.job.ApplyJob;
import dev.lethe.spark.job.ApplyOptions;
import dev.lethe.spark.job.LetheSession;
import dev.lethe.spark.job.Summary;
import dev.lethe.spark.removal.CorrectedTableJob;
import dev.lethe.spark.removal.Place;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
    name = "apply",
    description = {
      "Writes the corrected table, so that tomorrow's retraining does not bring the data back.",
      "",
      "Rows are removed and values replaced as request and --corrections say; columns that the request"
          + " removes as features are dropped, slots of the table's own vector columns become 0. Features that the table"
          + " does not have, such as slots that only the model's pipeline makes, are named."
    },
    footerHeading = "%n",
    footer = {
      "Example:",
      "  lethe apply --data tables/customers --label churned --request hr-2026-118.yaml \\",
      "              --out tables/customers-corrected"
    })
final class ApplyCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(
      names = "--config",
      paramLabel = "FILE",
      description =
          "Instead of everything but --out and --format: a ledger's configuration; the corrections of"
              + " all its versions are applied (docs/ledger.md)")
  private @Nullable String config;

  @Option(names = "--data", paramLabel = "PATH", description = "The table")
  private @Nullable String data;

  @Mixin private SecondTable second;

  @Mixin private TableOptions table;

  @Option(
      names = "--model",
      paramLabel = "DIR",
      description =
          "A model that reads the table: new labels and features are checked against it, label and"
              + " weight column are its own. Without it any new label is accepted")
  private @Nullable String model;

  @Option(
      names = "--model-certificate",
      paramLabel = "FILE",
      description =
          "The certificate of --model, where it comes from Lethe: what it says was removed stays"
              + " removed (default: DIR/../certificate.json, if it is there)")
  private @Nullable String modelCertificate;

  @Option(
      names = "--label",
      paramLabel = "COLUMN",
      description = "The table's label column; required without --model")
  private @Nullable String label;

  @Option(
      names = "--weight",
      paramLabel = "COLUMN",
      description = "The row weights' column, if there is one")
  private @Nullable String weight;

  @Option(
      names = "--request",
      paramLabel = "PATH",
      description =
          "What to forget (docs/requests.md): a file, YAML or JSON, or a directory of such files;"
              + " repeatable, merged in order")
  private List<String> request = new ArrayList<>();

  @Mixin private RequestTable requestTable;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "DIR",
      description = "Where to write the corrected table, in the same format; must not exist")
  private String out;

  @Mixin private FiguresOption figures;

  @Mixin private Standard standard;

  @Override
  public Integer call() throws Exception {
    if (config != null) {
      return ofLedger(config);
    }
    if (data == null || request.isEmpty()) {
      throw new CommandLine.ParameterException(
          spec.commandLine(), "--data and --request are required (or --config of a ledger)");
    }
    if (label == null && model == null) {
      throw new InvalidInputException("--label: required without --model");
    }
    if (modelCertificate != null && model == null) {
      throw new InvalidInputException("--model-certificate: needs --model");
    }
    ApplyOptions options =
        new ApplyOptions(
            second.beside(table.source("--data", data)),
            label,
            weight,
            model,
            modelCertificate,
            requestTable.source(request, "merged"),
            out);
    try (LetheSession session = LetheSession.open("Lethe apply")) {
      ApplyJob.Result result = new ApplyJob(options, session.spark()).run();
      Summary.of(result, out, figures.shown()).print(spec.commandLine().getOut());
      return 0;
    }
  }

  private int ofLedger(String file) throws Exception {
    if (data != null
        || !request.isEmpty()
        || model != null
        || modelCertificate != null
        || label != null
        || weight != null
        || second.isGiven()) {
      throw new CommandLine.ParameterException(
          spec.commandLine(), "--config: allowed with it are --out and --format alone");
    }
    try (LetheSession session = LetheSession.open("Lethe apply")) {
      Place place = LedgerOptions.place(session.spark(), file, Lethe.environment(spec));
      CorrectedTableJob.Result result = new CorrectedTableJob(place, out, table.format()).run();
      PrintWriter lines = spec.commandLine().getOut();
      lines.println("corrected table  " + out);
      lines.println("corrected-through " + result.through());
      if (!result.dropped().isEmpty()) {
        lines.println("dropped columns  " + String.join(", ", result.dropped()));
      }
      if (figures.shown()) {
        lines.println("rows             " + result.rows());
      }
      return 0;
    }
  }
}
