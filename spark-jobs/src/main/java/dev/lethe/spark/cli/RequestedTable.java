package dev.lethe.spark.cli;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.data.TableSource;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The table that a request is about, as it was or as it is after the request. */
final class RequestedTable {
  @Option(
      names = "--data",
      paramLabel = "PATH",
      description = "The original table; the request's changes are applied to it")
  private @Nullable String data;

  @Option(
      names = "--corrected",
      paramLabel = "PATH",
      description = "Instead of --data: the corrected table, without what was erased")
  private @Nullable String corrected;

  @Mixin private TableOptions table;

  @Option(
      names = "--label",
      paramLabel = "COLUMN",
      description = "The table's label column (default: the one that the model was fitted with)")
  private @Nullable String label;

  boolean isGiven() {
    return data != null || corrected != null;
  }

  /** Whether the table is {@code --corrected}. */
  boolean isCorrected() {
    return data == null;
  }

  /**
   * The one table that is given.
   *
   * @param needs begins the message
   */
  TableSource one(String needs) {
    if (data != null && corrected == null) {
      return table.source("--data", data);
    }
    if (data == null && corrected != null) {
      return table.source("--corrected", corrected);
    }
    throw new InvalidInputException(
        needs + " exactly one of --data and --corrected, not " + (data == null ? "none" : "both"));
  }

  @Nullable TableSource optional(String option, @Nullable String path) {
    return table.optional(option, path);
  }

  int partitions() {
    return table.partitions();
  }

  @Nullable String label() {
    return label;
  }
}
