package dev.lethe.spark.cli;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.data.TableSource;
import dev.lethe.spark.job.GivenTables;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** A table beside {@code --data}, joined to it by a key. */
final class SecondTable {
  @Option(
      names = "--corrections",
      paramLabel = "PATH",
      description =
          "With --data and --key: the corrected rows alone, the key and the columns to overwrite")
  private @Nullable String corrections;

  @Option(
      names = "--key",
      split = ",",
      paramLabel = "COLUMN",
      description = "The columns that identify a row, in --data and in the table beside it")
  private List<String> key = new ArrayList<>();

  @Option(
      names = "--second-format",
      paramLabel = "FORMAT",
      description = "Data source of the table beside --data (default: --format)")
  private @Nullable String format;

  @Option(
      names = "--second-option",
      paramLabel = "KEY=VALUE",
      description = "An option of its data source, repeatable; --option is for --data alone")
  private Map<String, String> options = new LinkedHashMap<>();

  boolean isGiven() {
    return corrections != null || !key.isEmpty() || format != null || !options.isEmpty();
  }

  /** {@code --data} alone, or with {@code --corrections}. */
  GivenTables beside(TableSource data) {
    if (!isGiven()) {
      return new GivenTables.Original(data);
    }
    if (corrections == null || key.isEmpty()) {
      throw new InvalidInputException(
          "--key, --corrections, --second-format and --second-option: need a table beside --data,"
              + " and a table beside --data needs --key");
    }
    return new GivenTables.Overwritten(data, source("--corrections", corrections, data), key);
  }

  /** {@code --data} and {@code --corrected}. */
  GivenTables snapshots(TableSource data, String corrected) {
    if (corrections != null) {
      throw new InvalidInputException("--corrected and --corrections exclude each other");
    }
    return new GivenTables.Snapshots(data, source("--corrected", corrected, data), key);
  }

  boolean hasKey() {
    return !key.isEmpty();
  }

  private TableSource source(String option, String path, TableSource data) {
    return new TableSource(option, path, format == null ? data.format() : format, options);
  }
}
