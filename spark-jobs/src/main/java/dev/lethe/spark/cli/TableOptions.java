package dev.lethe.spark.cli;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.data.TableSource;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.Option;

/** How a table is read. */
final class TableOptions {
  @Option(
      names = "--format",
      paramLabel = "FORMAT",
      defaultValue = "parquet",
      description =
          "Spark data source: parquet (default), csv, json, orc, libsvm; delta or iceberg with their"
              + " package on --packages of spark-submit. Tables are read by path, not by name")
  private String format = "parquet";

  @Option(
      names = "--option",
      paramLabel = "KEY=VALUE",
      description =
          "An option of the data source, repeatable. csv has header=true and inferSchema=true unless"
              + " said otherwise")
  private Map<String, String> options = new LinkedHashMap<>();

  @Option(
      names = "--partitions",
      paramLabel = "N",
      defaultValue = "0",
      description =
          "Partitions of the cached data; 0 (default): the source's own, at least the cores")
  private int partitions;

  TableSource source(String option, String path) {
    return new TableSource(option, path, format, options);
  }

  String format() {
    return format;
  }

  int partitions() {
    if (partitions < 0) {
      throw new InvalidInputException(
          "--partitions " + partitions + ": must be 0 or a positive number");
    }
    return partitions;
  }
}
