package dev.lethe.spark.cli;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.data.TableSource;
import dev.lethe.spark.job.GivenTables;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The table that a request is about, as it was or as it is after the request, or both. */
final class RequestedTable {
  @Option(
      names = "--data",
      paramLabel = "PATH",
      description = "The original table; the request's changes are applied to it")
  private @Nullable String data;

  @Option(
      names = "--corrected",
      paramLabel = "PATH",
      description =
          "Instead of --data: the corrected table, without what was erased. With --data and --key:"
              + " the same table after its correction; a join finds the rows that differ")
  private @Nullable String corrected;

  @Mixin private SecondTable second;

  @Mixin private TableOptions table;

  @Option(
      names = "--label",
      paramLabel = "COLUMN",
      description = "The table's label column (default: the one that the model was fitted with)")
  private @Nullable String label;

  boolean isGiven() {
    return data != null || corrected != null || second.isGiven();
  }

  /** Whether {@code --data} is given. */
  boolean hasOriginal() {
    return data != null;
  }

  /**
   * The tables that are given.
   *
   * @param needs begins the message
   */
  GivenTables tables(String needs) {
    if (data != null && corrected == null) {
      return second.beside(table.source("--data", data));
    }
    if (data == null && corrected != null && !second.isGiven()) {
      return new GivenTables.Corrected(table.source("--corrected", corrected));
    }
    if (data != null && corrected != null && second.hasKey()) {
      return second.snapshots(table.source("--data", data), corrected);
    }
    if (data == null && second.isGiven()) {
      throw new InvalidInputException(
          "--key, --corrections, --second-format and --second-option: need --data");
    }
    throw new InvalidInputException(
        needs
            + " exactly one of --data and --corrected, not "
            + (data == null ? "none" : "both (unless --key says how their rows are joined)"));
  }

  /** The test table, read like {@code --data} unless it says otherwise. */
  @Nullable TableSource beside(TestTable test) {
    return test.source(table.source("--data", ""));
  }

  int partitions() {
    return table.partitions();
  }

  @Nullable String label() {
    return label;
  }
}
