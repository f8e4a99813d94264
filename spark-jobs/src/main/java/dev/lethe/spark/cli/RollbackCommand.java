package dev.lethe.spark.cli;

import dev.lethe.spark.job.LetheSession;
import dev.lethe.spark.ledger.Version;
import dev.lethe.spark.removal.Place;
import dev.lethe.spark.removal.RollbackJob;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
    name = "rollback",
    description = {
      "Makes another version of the model the one to use.",
      "",
      "A version that holds what has been unlearned since is refused, unless --force says why."
    })
final class RollbackCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Mixin private LedgerOptions ledger;

  @Option(
      names = "--to",
      required = true,
      paramLabel = "VERSION",
      description = "A version that was published")
  private int version;

  @Option(
      names = "--force",
      paramLabel = "REASON",
      description =
          "Use it although it holds what has been unlearned since; the public ledger records the"
              + " reason, which must name no personal data")
  private @Nullable String reason;

  @Mixin private Standard standard;

  @Override
  public Integer call() throws Exception {
    try (LetheSession session = LetheSession.open("Lethe rollback")) {
      Place place = ledger.place(session.spark());
      Version current = new RollbackJob(place, version, reason).run();
      spec.commandLine().getOut().println("current          version " + current.number());
      return 0;
    }
  }
}
