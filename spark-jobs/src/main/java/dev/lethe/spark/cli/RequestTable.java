package dev.lethe.spark.cli;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.data.TableSource;
import dev.lethe.spark.job.RequestSource;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** How {@code --request} is read if it is a table. */
final class RequestTable {
  @Option(
      names = "--request-format",
      paramLabel = "FORMAT",
      description =
          "The request is a table of requests with columns id and request, read by this Spark data"
              + " source; merged in order of its columns sequence and received, if it has them, and"
              + " id")
  private @Nullable String format;

  @Option(
      names = "--request-option",
      paramLabel = "KEY=VALUE",
      description = "An option of that data source, repeatable")
  private Map<String, String> options = new LinkedHashMap<>();

  /**
   * The request or requests.
   *
   * @param paths as {@code --request} gives them
   * @param id of the merged request, or null
   */
  RequestSource source(List<String> paths, @Nullable String id) {
    if (format == null) {
      if (!options.isEmpty()) {
        throw new InvalidInputException("--request-option: needs --request-format");
      }
      return new RequestSource(paths, null, id);
    }
    if (paths.size() > 1) {
      throw new InvalidInputException(
          "--request: given " + paths.size() + " times; with --request-format it is one table");
    }
    return new RequestSource(
        paths, new TableSource("--request", paths.get(0), format, options), id);
  }

  /** The same where {@code --request} may be left out and the merged request's id is not shown. */
  @Nullable RequestSource optional(List<String> paths) {
    if (paths.isEmpty()) {
      if (format != null || !options.isEmpty()) {
        throw new InvalidInputException("--request-format and --request-option: need --request");
      }
      return null;
    }
    return source(paths, "merged");
  }
}
