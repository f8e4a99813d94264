package dev.lethe.spark.data;

import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * A table whose files and columns have been looked up, once for all who read it.
 *
 * @param source the table
 * @param rows its rows, not read yet
 */
public record ReadTable(Table source, Dataset<Row> rows) implements Table {
  /** The table; itself if it has been looked up. */
  public static ReadTable of(SparkSession spark, Table source) {
    return source instanceof ReadTable read ? read : new ReadTable(source, source.read(spark));
  }

  @Override
  public Dataset<Row> read(SparkSession spark) {
    return rows;
  }

  @Override
  public String name() {
    return source.name();
  }

  @Override
  public String path() {
    return source.path();
  }

  @Override
  public String format() {
    return source.format();
  }

  @Override
  public Map<String, String> options() {
    return source.options();
  }

  @Override
  public Optional<String> place() {
    return source.place();
  }
}
