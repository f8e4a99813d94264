package dev.lethe.spark.data;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.SparkErrors;
import dev.lethe.spark.SparkFailedException;
import dev.lethe.spark.TableColumns;
import java.io.IOException;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * A table as a Spark data source reads it.
 *
 * @param option the command line option that named it, for messages
 * @param path where it is
 * @param format a Spark data source: parquet, csv, json, orc, libsvm, delta...
 * @param options the source's options
 */
public record TableSource(String option, String path, String format, Map<String, String> options)
    implements Table {
  private static final Set<String> FILES =
      Set.of("parquet", "csv", "json", "orc", "libsvm", "text", "delta");

  /** Spark writes a CRC with every page and reads without looking at it. */
  private static final String PAGE_CHECKSUMS = "parquet.page.verify-checksum.enabled";

  private static final Pattern GLOB = Pattern.compile("[^/]*[*?\\[{].*");

  public TableSource {
    String known = format.toLowerCase(Locale.ROOT);
    format = FILES.contains(known) ? known : format;
    options = Map.copyOf(options);
  }

  /**
   * The table, not read yet. CSV has a header and inferred types, and the pages of Parquet are held
   * against their checksums, unless the options say otherwise.
   *
   * @throws InvalidInputException if the path does not exist or the source cannot be opened
   */
  @Override
  public Dataset<Row> read(SparkSession spark) {
    Map<String, String> settings = settings();
    if (FILES.contains(format)) {
      requireExists(spark);
    }
    try {
      Dataset<Row> table = spark.read().format(format).options(settings).load(path);
      boolean header = isCsv() && Boolean.parseBoolean(settings.get("header"));
      return header ? TableColumns.namedByFirstRow(table) : table;
    } catch (Exception e) { // AnalysisException is checked in bytecode only
      SparkFailedException.throwIfOutage(name(), e);
      throw new InvalidInputException(
          name()
              + ": cannot be read as "
              + format
              + " ("
              + SparkErrors.kind(e)
              + "); is --format right"
              + (options.isEmpty() ? "?" : ", and does the source know these options?"),
          e);
    }
  }

  /** Names the table, for messages: {@code --data PATH}. */
  @Override
  public String name() {
    return option + " " + path;
  }

  public boolean isCsv() {
    return format.equals("csv");
  }

  /** The options with Lethe's defaults; the caller's own, case does not count in keys. */
  Map<String, String> settings() {
    Map<String, String> settings = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
    if (isCsv()) {
      settings.put("header", "true");
      settings.put("inferSchema", "true");
    }
    if (format.equals("parquet")) {
      settings.put(PAGE_CHECKSUMS, "true");
    }
    settings.putAll(options);
    return settings;
  }

  /**
   * The directory or file that this table is read from, without the part of the path that is a
   * pattern; empty if the source does not read files.
   */
  @Override
  public Optional<String> place() {
    if (!FILES.contains(format)) {
      return Optional.empty();
    }
    String fixed = GLOB.matcher(path).replaceFirst("");
    return fixed.isEmpty() ? Optional.empty() : Optional.of(fixed);
  }

  private void requireExists(SparkSession spark) {
    try {
      Path file = new Path(path);
      FileStatus[] found =
          file.getFileSystem(spark.sparkContext().hadoopConfiguration()).globStatus(file);
      if (found == null || found.length == 0) {
        throw new InvalidInputException(name() + ": does not exist");
      }
    } catch (IOException | IllegalArgumentException e) {
      throw new InvalidInputException(
          name() + ": cannot be reached (" + e.getClass().getSimpleName() + ")", e);
    }
  }
}
