package dev.lethe.spark.api;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.data.GivenDataset;
import dev.lethe.spark.data.Table;
import dev.lethe.spark.data.TableSource;
import dev.lethe.spark.job.GivenTables;
import dev.lethe.spark.job.SessionSettings;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * The rows that a model was trained on, and how their correction arrives. The datasets have the raw
 * columns, as the model's first stage reads them, and are read several times: give some that yield
 * the same rows each time. Nothing is read before the data are used.
 */
public final class TrainingData {
  private final GivenTables tables;
  private final @Nullable Dataset<Row> test;
  private final SparkSession session;

  private TrainingData(GivenTables tables, @Nullable Dataset<Row> test, SparkSession session) {
    this.tables = tables;
    this.test = test;
    this.session = session;
  }

  private static TrainingData of(GivenTables tables, Dataset<?> first) {
    return new TrainingData(tables, null, first.sparkSession());
  }

  /**
   * The original rows; the request's changes are applied to them.
   *
   * @param data all rows
   * @return the data
   */
  public static TrainingData original(Dataset<?> data) {
    return of(new GivenTables.Original(table("data", data)), data);
  }

  /**
   * The original rows of a table that a data source reads. Unlike a dataset it can be asked whether
   * it is still the same, by its files, which {@link Unlearner#keepState} needs.
   *
   * @param session reads it, once for its columns
   * @param path of the table
   * @param format a Spark data source: parquet, csv, json, orc, libsvm, delta...
   * @param options of the source; CSV has a header and inferred types unless they say otherwise
   * @return the data
   * @throws InvalidInputException if the path does not exist or the source cannot be opened
   */
  public static TrainingData originalTable(
      SparkSession session, String path, String format, Map<String, String> options) {
    GivenTables named = new GivenTables.Original(new TableSource("data", path, format, options));
    try (SessionSettings pinned = SessionSettings.pin(session)) {
      return new TrainingData(named.lookedUp(session), null, session);
    }
  }

  /**
   * The corrected rows alone, where the original ones are gone. The request says what was changed;
   * its conditions are checked not to match any more.
   *
   * @param corrected all rows that are left, with their new values
   * @return the data
   */
  public static TrainingData corrected(Dataset<?> corrected) {
    return of(new GivenTables.Corrected(table("corrected", corrected)), corrected);
  }

  /**
   * The table before and after. What has changed is found by the key.
   *
   * @param data all rows before
   * @param corrected all rows after
   * @param key columns of both that identify a row
   * @return the data
   * @throws InvalidInputException if no key is given
   */
  public static TrainingData snapshots(Dataset<?> data, Dataset<?> corrected, String... key) {
    return of(
        new GivenTables.Snapshots(
            table("data", data), table("corrected", corrected), requireKey(key)),
        data);
  }

  /**
   * The original rows, and corrected ones that overwrite those with the same key.
   *
   * @param data all rows before
   * @param corrections the key and the columns to overwrite, a row for each row that changes
   * @param key columns of both that identify a row
   * @return the data
   * @throws InvalidInputException if no key is given
   */
  public static TrainingData corrections(Dataset<?> data, Dataset<?> corrections, String... key) {
    return of(
        new GivenTables.Overwritten(
            table("data", data), table("corrections", corrections), requireKey(key)),
        data);
  }

  /**
   * The same data with test data beside them: metrics before and after go into the evidence.
   *
   * @param testData rows with the raw columns and the label
   * @return the data with it
   */
  public TrainingData withTest(Dataset<?> testData) {
    return new TrainingData(tables, testData.toDF(), session);
  }

  private static GivenDataset table(String name, Dataset<?> rows) {
    return new GivenDataset(name, rows.toDF());
  }

  private static List<String> requireKey(String... key) {
    if (key.length == 0) {
      throw new InvalidInputException("key: no column is named; it takes at least one");
    }
    return List.of(key);
  }

  GivenTables tables() {
    return tables;
  }

  @Nullable Table test() {
    return test == null ? null : new GivenDataset("test", test);
  }

  SparkSession session() {
    return session;
  }
}
