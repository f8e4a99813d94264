package dev.lethe.spark.data;

import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * A dataset of the caller's session.
 *
 * @param name of the argument that it was given as, for messages
 * @param rows the dataset
 */
public record GivenDataset(String name, Dataset<Row> rows) implements Table {
  @Override
  public Dataset<Row> read(SparkSession spark) {
    return rows;
  }

  /** Of a dataset no path is known: its name. */
  @Override
  public String path() {
    return name;
  }

  @Override
  public String format() {
    return "dataset";
  }

  @Override
  public Map<String, String> options() {
    return Map.of();
  }

  @Override
  public Optional<String> place() {
    return Optional.empty();
  }
}
