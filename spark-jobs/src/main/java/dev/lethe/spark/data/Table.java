package dev.lethe.spark.data;

import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/** A table that is given: one that a data source reads, or a dataset that is there. */
public sealed interface Table permits TableSource, GivenDataset, ReadTable {

  /** The table, not read yet. */
  Dataset<Row> read(SparkSession spark);

  /** Names the table, for messages. */
  String name();

  /** Where it is, as the evidence records it. */
  String path();

  /** The data source. */
  String format();

  /** The source's options. */
  Map<String, String> options();

  /** The directory or file that it is read from; empty if it is not, or not known. */
  Optional<String> place();
}
