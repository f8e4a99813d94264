package dev.lethe.spark.cli;

import dev.lethe.spark.job.LetheSession;
import dev.lethe.spark.ledger.Version;
import dev.lethe.spark.removal.Place;
import dev.lethe.spark.removal.RunJob;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

@Command(
    name = "run",
    description = {
      "Answers all requests that wait in one release, and publishes it with a certificate.",
      "",
      "Finishes first what a run before it has left. A request that fits neither model nor table is"
          + " refused, and keeps no other from being answered. Two runs at once: one waits, or leaves"
          + " with exit code 6."
    })
final class RunCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Mixin private LedgerOptions ledger;

  @Mixin private Standard standard;

  @Override
  public Integer call() throws Exception {
    try (LetheSession session = LetheSession.open("Lethe run")) {
      Place place = ledger.place(session.spark());
      RunJob.Result result = new RunJob(place).run();
      PrintWriter out = spec.commandLine().getOut();
      for (Version version : result.published()) {
        out.println(
            "published        version "
                + version.number()
                + ", "
                + version.requests().size()
                + " requests");
      }
      result
          .refused()
          .forEach(one -> out.println("refused          " + one.id() + ": " + one.reason().text()));
      if (!result.refused().isEmpty()) {
        out.println("note             lethe status --reasons says more; it may quote requests");
      }
      result
          .deferred()
          .forEach(
              id -> out.println("deferred         " + id + ": not together with those before it"));
      result.notes().forEach(note -> out.println("note             " + note));
      out.println("outcome          " + result.outcome().word());
      return switch (result.outcome()) {
        case PUBLISHED, NOTHING_TO_DO -> 0;
        case NOT_CERTIFIED, OVER_BUDGET -> Lethe.NOT_ACHIEVED;
        case CLAIM_BROKEN -> Lethe.CLAIM_BROKEN;
        case HELD -> Lethe.HELD;
      };
    }
  }
}
