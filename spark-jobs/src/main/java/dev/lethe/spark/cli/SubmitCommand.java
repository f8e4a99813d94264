package dev.lethe.spark.cli;

import dev.lethe.spark.job.LetheSession;
import dev.lethe.spark.removal.Place;
import dev.lethe.spark.removal.SubmitJob;
import java.io.PrintWriter;
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
          + " content; the same id with another content is refused.",
      "",
      "With --each a file that cannot be received keeps no other from it: exit code 2 and the reasons,"
          + " after all others have been received. A directory may be empty then."
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
      names = "--each",
      description = "Receive each request that can be received, whatever the others are")
  private boolean each;

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
      SubmitJob.Result result = new SubmitJob(place, requests, each, again).run();
      PrintWriter out = spec.commandLine().getOut();
      result
          .submitted()
          .forEach(one -> out.println(one.id() + ": " + one.state().word() + one.before().words()));
      PrintWriter err = spec.commandLine().getErr();
      result.refusals().forEach(refusal -> err.println("lethe: " + refusal));
      if (result.unanswered()) {
        return Lethe.SPARK_FAILED;
      }
      return result.refusals().isEmpty() ? 0 : Lethe.INVALID_INPUT;
    }
  }
}
