package dev.lethe.spark.cli;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.Verdict;
import dev.lethe.spark.job.IndependentUnlearnJob;
import dev.lethe.spark.job.LetheSession;
import dev.lethe.spark.job.ReleaseKeys;
import dev.lethe.spark.job.ReportFiles;
import dev.lethe.spark.job.Summary;
import dev.lethe.spark.job.UnlearnJob;
import dev.lethe.spark.job.UnlearnOptions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.apache.hadoop.conf.Configuration;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
    name = "unlearn",
    description = {
      "Changes a saved model as a request says, and publishes it with a certificate.",
      "",
      "Writes, all or nothing, OUT/model (Spark ML's own format) and OUT/certificate.json (public),"
          + " and VAULT/<certificate id>/evidence.json (confidential). With a signing key also"
          + " OUT/certificate.json.sig (public)."
    },
    footerHeading = "%n",
    footer = {
      "Example:",
      "  lethe unlearn --model models/churn --data tables/customers --request hr-2026-118.yaml \\",
      "                --out models/churn-2026-118 --vault /secure/lethe"
    })
final class UnlearnCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(
      names = "--model",
      required = true,
      paramLabel = "DIR",
      description = "The saved Spark ML model: a linear predictor, a pipeline, or a tuning of one")
  private String model;

  @Option(
      names = "--model-certificate",
      paramLabel = "FILE",
      description =
          "The model's certificate, where the model comes from Lethe: what it says was removed stays removed"
              + " (default: DIR/../certificate.json, if it is there)")
  private @Nullable String modelCertificate;

  @Mixin private RequestedTable table;

  @Option(
      names = {"--request", "--requests"},
      required = true,
      paramLabel = "PATH",
      description =
          "What to forget (docs/requests.md): a file, YAML or JSON, or a directory of such files;"
              + " repeatable, merged in order")
  private List<String> request = new ArrayList<>();

  @Option(
      names = "--independent",
      description =
          "Answer every request by itself, in OUT/<request id>, with a model and a certificate each;"
              + " the table is read once for all. One that is refused keeps no other from being"
              + " published")
  private boolean independent;

  @Mixin private RequestTable requestTable;

  @Option(
      names = "--id",
      paramLabel = "ID",
      description =
          "Public id of the merged request, in the certificate; required with a directory, a table"
              + " or several files of requests")
  private @Nullable String id;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "DIR",
      description = "Where to publish; must not exist (with --independent, no OUT/<request id>)")
  private String out;

  @Option(
      names = "--vault",
      required = true,
      paramLabel = "DIR",
      description = "Where the confidential evidence goes; never below OUT or the model")
  private String vault;

  @Mixin private VaultOptions vaultKey;

  @Option(
      names = "--state",
      description =
          "Keep, in the vault, what lets the next request that touches few rows do without reading the"
              + " others, and use what was kept with the model (docs/kept-state.md)")
  private boolean state;

  @Option(
      names = "--report",
      paramLabel = "FILE",
      description =
          "Write the run's report for people, one HTML file; confidential, mode 0600, never below"
              + " OUT")
  private @Nullable String report;

  @Option(
      names = "--redacted-report",
      paramLabel = "FILE",
      description =
          "Write a report of what certificate and published model say alone; may be published")
  private @Nullable String redactedReport;

  @Option(
      names = "--resume",
      description =
          "Keep a checkpoint of the refinement in the vault, and go on from the one that the same"
              + " command left when its process ended before its time (docs/operations.md)")
  private boolean resume;

  @Option(
      names = "--checkpoint-interval",
      paramLabel = "SECONDS",
      description =
          "With --resume: the least time between two checkpoints, 0 for one after every step"
              + " (default: 5)")
  private @Nullable Integer checkpointInterval;

  @Mixin private SigningOptions signing;

  @Mixin private TestTable test;

  @Mixin private SolverOptions solver;

  @Mixin private FiguresOption figures;

  @Mixin private Standard standard;

  @Override
  public Integer call() throws Exception {
    requireOneRelease();
    requireInterval();
    UnlearnOptions options =
        new UnlearnOptions(
            model,
            modelCertificate,
            table.tables("unlearn needs"),
            table.label(),
            requestTable.source(request, id),
            out,
            vault,
            table.beside(test),
            solver.solver(),
            solver.maxSteps(),
            solver.maxCgIterations(),
            table.partitions(),
            solver.preconditioning(),
            state,
            checkpointInterval());
    try (LetheSession session = LetheSession.open("Lethe unlearn")) {
      Configuration configuration = session.spark().sparkContext().hadoopConfiguration();
      ReleaseKeys keys =
          new ReleaseKeys(vaultKey.encryption(configuration), signing.key(configuration));
      if (independent) {
        return answered(new IndependentUnlearnJob(options, keys, session.spark()).run());
      }
      ReportFiles reports = ReportFiles.checked(session.spark(), options, report, redactedReport);
      UnlearnJob.Result result = new UnlearnJob(options, keys, session.spark()).run();
      Summary.of(result, out, vault, figures.shown()).print(spec.commandLine().getOut());
      try {
        reports.write(result.reports());
      } catch (InvalidInputException e) {
        spec.commandLine()
            .getErr()
            .println("lethe: the release is published, but " + e.getMessage());
        return Lethe.FAILED;
      }
      return code(result);
    }
  }

  private void requireOneRelease() {
    if (independent && state) {
      throw new CommandLine.ParameterException(
          spec.commandLine(),
          "--state: is kept with one release, for the next request; not allowed with --independent");
    }
    if (independent && resume) {
      throw new CommandLine.ParameterException(
          spec.commandLine(),
          "--resume: a checkpoint is of one refinement; not allowed with --independent");
    }
    if (independent && (report != null || redactedReport != null)) {
      throw new CommandLine.ParameterException(
          spec.commandLine(),
          (report != null ? "--report" : "--redacted-report")
              + ": is of one release; not allowed with --independent");
    }
  }

  private void requireInterval() {
    if (checkpointInterval != null && (!resume || checkpointInterval < 0)) {
      throw new CommandLine.ParameterException(
          spec.commandLine(),
          "--checkpoint-interval "
              + checkpointInterval
              + ": must be 0 or more seconds, and needs --resume");
    }
  }

  private @Nullable Duration checkpointInterval() {
    return resume ? Duration.ofSeconds(checkpointInterval == null ? 5 : checkpointInterval) : null;
  }

  private static int code(UnlearnJob.Result result) {
    boolean asked = result.evidence().measurement().rho() != null;
    return asked && result.certificate().verdict() != Verdict.CERTIFIED ? Lethe.NOT_ACHIEVED : 0;
  }

  /** Prints the answers, refusals on standard error; a refusal decides the code. */
  private int answered(List<IndependentUnlearnJob.Answer> answers) {
    int code = 0;
    for (IndependentUnlearnJob.Answer answer : answers) {
      if (answer instanceof IndependentUnlearnJob.Answer.Refused refused) {
        spec.commandLine().getErr().println("lethe: " + refused.message());
        code = Lethe.INVALID_INPUT;
      } else if (answer instanceof IndependentUnlearnJob.Answer.Published published) {
        UnlearnJob.Result result = published.result();
        Summary.of(result, published.out(), vault, figures.shown())
            .print(spec.commandLine().getOut());
        spec.commandLine().getOut().println();
        code = code == Lethe.INVALID_INPUT ? code : Math.max(code, code(result));
      }
    }
    spec.commandLine().getErr().flush();
    spec.commandLine().getOut().flush();
    return code;
  }
}
