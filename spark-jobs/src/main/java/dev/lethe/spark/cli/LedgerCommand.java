package dev.lethe.spark.cli;

import dev.lethe.spark.job.LetheSession;
import dev.lethe.spark.removal.LedgerTable;
import dev.lethe.spark.removal.Place;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
    name = "ledger",
    description = {
      "Writes a ledger as a Spark table, a row for every request, version or thing that an entry names."
    })
final class LedgerCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Mixin private LedgerOptions ledger;

  @Option(
      names = "--table",
      required = true,
      paramLabel = "DIR",
      description = "Where to write it; must not exist")
  private String table;

  @Option(
      names = "--format",
      paramLabel = "FORMAT",
      defaultValue = "parquet",
      description = "Spark data source that writes it (default: parquet)")
  private String format = "parquet";

  @Mixin private Standard standard;

  @Override
  public Integer call() throws Exception {
    try (LetheSession session = LetheSession.open("Lethe ledger")) {
      Place place = ledger.place(session.spark());
      LedgerTable.write(place, table, format);
      return 0;
    }
  }
}
