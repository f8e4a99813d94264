package dev.lethe.spark.cli;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.data.TableSource;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The table on which a model is measured. */
final class TestTable {
  @Option(
      names = "--test",
      paramLabel = "PATH",
      description =
          "Test data: metrics of the model on it. unlearn keeps those before and after in the"
              + " evidence, train prints them")
  private @Nullable String path;

  @Option(
      names = "--test-format",
      paramLabel = "FORMAT",
      description = "Data source of the test data (default: --format)")
  private @Nullable String format;

  @Option(
      names = "--test-option",
      paramLabel = "KEY=VALUE",
      description =
          "An option of its data source, repeatable (default: every --option, unless --test-format"
              + " is given). Give it where --option names a version of --data")
  private Map<String, String> options = new LinkedHashMap<>();

  /**
   * The table, or null if none is given.
   *
   * @param data whose format and options it has unless it has its own
   */
  @Nullable TableSource source(TableSource data) {
    if (path == null) {
      if (format != null || !options.isEmpty()) {
        throw new InvalidInputException("--test-format and --test-option: need --test");
      }
      return null;
    }
    boolean own = format != null || !options.isEmpty();
    return new TableSource(
        "--test", path, format == null ? data.format() : format, own ? options : data.options());
  }
}
