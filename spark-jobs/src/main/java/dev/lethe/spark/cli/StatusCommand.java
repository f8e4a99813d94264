package dev.lethe.spark.cli;

import dev.lethe.spark.job.LetheSession;
import dev.lethe.spark.removal.Place;
import dev.lethe.spark.removal.StatusJob;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
    name = "status",
    description = {
      "Shows what a ledger says now: the version in use, what waits, what all releases tell."
    })
final class StatusCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Mixin private LedgerOptions ledger;

  @Option(
      names = "--reasons",
      description =
          "Says in full why requests were refused or wait again, as the vault has it; it may"
              + " quote them")
  private boolean reasons;

  @Mixin private Standard standard;

  @Override
  public Integer call() throws Exception {
    try (LetheSession session = LetheSession.open("Lethe status")) {
      Place place = ledger.place(session.spark());
      StatusJob job = new StatusJob(place);
      job.status().forEach(spec.commandLine().getOut()::println);
      if (reasons) {
        job.reasons().forEach(spec.commandLine().getOut()::println);
      }
      return 0;
    }
  }
}
