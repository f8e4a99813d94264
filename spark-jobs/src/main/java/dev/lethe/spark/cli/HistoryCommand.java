package dev.lethe.spark.cli;

import dev.lethe.spark.job.LetheSession;
import dev.lethe.spark.removal.Place;
import dev.lethe.spark.removal.StatusJob;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
    name = "history",
    description = {"Lists the entries of a ledger."})
final class HistoryCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Mixin private LedgerOptions ledger;

  @Option(names = "--request", paramLabel = "ID", description = "Those of one request alone")
  private @Nullable String request;

  @Mixin private Standard standard;

  @Override
  public Integer call() {
    try (LetheSession session = LetheSession.open("Lethe history")) {
      Place place = ledger.place(session.spark());
      new StatusJob(place).history(request).forEach(spec.commandLine().getOut()::println);
      return 0;
    }
  }
}
