package dev.lethe.spark.cli;

import dev.lethe.spark.job.LetheSession;
import dev.lethe.spark.removal.Place;
import dev.lethe.spark.removal.PurgeJob;
import java.io.PrintWriter;
import java.time.Clock;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
    name = "purge",
    description = {
      "Destroys what holds deleted data and has served its time, as the configuration says.",
      "",
      "Contents of requests with their keys, evidence, superseded models, and the reports of both."
          + " The ledger's chain and the certificates stay, and can be verified."
    })
final class PurgeCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Mixin private LedgerOptions ledger;

  @Option(
      names = "--request",
      paramLabel = "ID",
      description = "The content of this request alone, whatever its age")
  private @Nullable String request;

  @Mixin private Standard standard;

  @Override
  public Integer call() throws Exception {
    try (LetheSession session = LetheSession.open("Lethe purge")) {
      Place place = ledger.place(session.spark());
      PurgeJob.Result result = new PurgeJob(place, request, Clock.systemUTC()).run();
      PrintWriter out = spec.commandLine().getOut();
      result
          .purged()
          .forEach(
              one ->
                  out.println(
                      "purged           "
                          + one.kind().word()
                          + " "
                          + one.subject()
                          + " ("
                          + one.reason()
                          + ")"));
      if (result.unreceived() > 0) {
        out.println(
            "destroyed        "
                + result.unreceived()
                + " contents whose submission did not end (a day ago or earlier)");
      }
      if (result.checkpoints() + result.states() > 0) {
        out.println(
            "deleted          "
                + result.checkpoints()
                + " checkpoints (retention.checkpoints), "
                + result.states()
                + " states (retention.states)");
      }
      if (!result.kept().isEmpty()) {
        out.println(
            "kept             "
                + result.kept().size()
                + " requests that are due: the table does not have their corrections in it"
                + " (data.corrected-through)");
      }
      return 0;
    }
  }
}
