package dev.lethe.spark.cli;

import dev.lethe.spark.job.LetheSession;
import dev.lethe.spark.removal.Place;
import dev.lethe.spark.removal.SubmitJob;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
    name = "submit",
    description = {
      "Takes requests into a ledger.",
      "",
      "All of them are received, or none. A request that was received before is known by its id and"
          + " content; the same id with another content is refused."
    })
final class SubmitCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Mixin private LedgerOptions ledger;

  @Parameters(
      arity = "1..*",
      paramLabel = "REQUEST",
      description = "Files of requests, YAML or JSON, and directories of such files")
  private List<String> requests = List.of();

  @Option(
      names = "--again",
      description =
          "Requests that were refused are decided on once more, as after the table was put right")
  private boolean again;

  @Mixin private Standard standard;

  @Override
  public Integer call() {
    try (LetheSession session = LetheSession.open("Lethe submit")) {
      Place place = ledger.place(session.spark());
      for (SubmitJob.Submitted one : new SubmitJob(place, requests, again).run()) {
        spec.commandLine()
            .getOut()
            .println(one.id() + ": " + one.state().word() + one.before().words());
      }
      return 0;
    }
  }
}
