package dev.lethe.spark.data;

import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.count_if;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.struct;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.TableColumns;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeMap;
import java.util.function.Function;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.IntegralType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * Corrected rows alone: a key, and new values of some columns of the rows with that key. A column
 * that the corrections lack is kept; NULL overwrites like any value.
 */
public final class Overwrites {
  private final Dataset<Row> table;
  private final Dataset<Row> corrections;
  private final String tableName;
  private final String name;
  private final List<String> key;
  private final String mark;

  /** From the column of the table to that of the corrections. */
  private final TreeMap<String, String> columns;

  private Overwrites(
      Table tableSource,
      Dataset<Row> table,
      Table source,
      Dataset<Row> corrections,
      List<String> key,
      TreeMap<String, String> columns) {
    this.table = table;
    this.corrections = corrections;
    this.tableName = tableSource.name();
    this.name = source.name();
    this.key = List.copyOf(key);
    this.columns = columns;
    this.mark = TableColumns.unused("corrected", table.schema());
  }

  /**
   * Compares the schemas; reads no rows.
   *
   * @param key columns that identify a row in both tables
   * @throws InvalidInputException if a table lacks a key column, or the corrections have a column
   *     that the table lacks, none beside the key, or one whose values the table's column cannot
   *     hold
   */
  public static Overwrites of(
      Table tableSource,
      Dataset<Row> table,
      Table source,
      Dataset<Row> corrections,
      List<String> key) {
    TreeMap<String, String> columns = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
    for (String column : key) {
      StructField theirs =
          TableColumns.require(table.schema(), column, "--key: " + tableSource.name());
      StructField ours =
          TableColumns.require(corrections.schema(), column, "--key: " + source.name());
      requireHolds(theirs, ours, source, corrections.schema());
    }
    for (StructField field : corrections.schema().fields()) {
      if (key.stream().noneMatch(field.name()::equalsIgnoreCase)) {
        StructField theirs = TableColumns.find(table.schema(), field.name());
        if (theirs == null) {
          throw new InvalidInputException(
              source.name()
                  + ": "
                  + TableColumns.name(corrections.schema(), field)
                  + " is not a column of "
                  + tableSource.name()
                  + "; "
                  + TableColumns.list(table.schema()));
        }
        requireHolds(theirs, field, source, corrections.schema());
        if (columns.put(theirs.name(), field.name()) != null) {
          throw new InvalidInputException(
              source.name()
                  + ": "
                  + TableColumns.name(corrections.schema(), field)
                  + " is there twice");
        }
      }
    }
    if (columns.isEmpty()) {
      throw new InvalidInputException(
          source.name() + ": has no column beside the key, so that there is nothing to overwrite");
    }
    return new Overwrites(tableSource, table, source, corrections, key, columns);
  }

  private static void requireHolds(
      StructField theirs, StructField ours, Table source, StructType schema) {
    if (!holds(theirs.dataType(), ours.dataType())) {
      throw new InvalidInputException(
          source.name()
              + ": "
              + TableColumns.name(schema, ours)
              + " has type "
              + ours.dataType().catalogString()
              + ", the table's is "
              + theirs.dataType().catalogString()
              + "; it must be the same, or a number that the table's type always holds");
    }
  }

  /** Whether every value of a type is one of another: the same, or a narrower number. */
  private static boolean holds(DataType wide, DataType narrow) {
    if (wide.getClass().equals(narrow.getClass())
        && wide.catalogString().equals(narrow.catalogString())) {
      return true;
    }
    boolean integral = narrow instanceof IntegralType;
    if (wide instanceof IntegralType) {
      return integral && narrow.defaultSize() < wide.defaultSize();
    }
    return wide.equals(DataTypes.DoubleType)
        && ((integral && narrow.defaultSize() < 8) || narrow.equals(DataTypes.FloatType));
  }

  /**
   * Matches the keys.
   *
   * @return the number of rows that are overwritten
   * @throws InvalidInputException if a key of the corrections is NULL or occurs twice, or matches
   *     no row of the table or several
   */
  public long inspect() {
    Column[] keys = keys();
    Column isNull = lit(false);
    for (Column part : keys) {
      isNull = isNull.or(part.isNull());
    }
    Dataset<Row> given =
        corrections.select(numberedKeys(key)).groupBy(keys).agg(count(lit(1)).as("given"));
    Dataset<Row> found =
        table
            .select(numberedKeys(key))
            .join(given.select(keys), names(), "left_semi")
            .groupBy(keys)
            .agg(count(lit(1)).as("found"));
    Row counts =
        given
            .join(found, names(), "left_outer")
            .agg(
                count(lit(1)),
                count_if(isNull),
                count_if(col("given").gt(1)),
                count_if(col("found").isNull()),
                count_if(col("found").gt(1)))
            .head();
    if (counts.getLong(0) == 0) {
      throw new InvalidInputException(name + ": has no row");
    }
    requireNone(counts.getLong(1), name, "the key is NULL");
    requireNone(counts.getLong(2), name, "the key is not unique");
    requireNone(counts.getLong(3), name, "the key matches no row of " + tableName);
    requireNone(counts.getLong(4), tableName, "the key of a corrected row is not unique");
    return counts.getLong(0);
  }

  /**
   * Refuses new values of a column; a Spark job over the corrections, none if they lack the column.
   *
   * @param column of the table
   * @param fault true where the value of the column that the SQL names is refused
   * @param complaint what is wrong then
   * @throws InvalidInputException if a row of the corrections has such a value
   */
  public void refuse(String column, Function<String, Column> fault, String complaint) {
    String theirs = columns.get(column);
    if (theirs == null) {
      return;
    }
    Column wrong = coalesce(fault.apply(TableColumns.quoted(theirs)), lit(true));
    long rows = corrections.agg(count_if(wrong)).head().getLong(0);
    if (rows > 0) {
      throw new InvalidInputException(
          name + ": column '" + column + "': " + complaint + " in " + rows + " row(s)");
    }
  }

  private void requireNone(long keys, String place, String complaint) {
    if (keys > 0) {
      throw new InvalidInputException(
          place
              + ": --key "
              + String.join(",", key)
              + ": "
              + complaint
              + " ("
              + keys
              + " values of it)");
    }
  }

  /**
   * The rows with one more column, behind theirs, that holds their new values; NULL where a row
   * keeps its own.
   *
   * @param rows of the table, which may have further columns
   */
  public Dataset<Row> marked(Dataset<Row> rows) {
    List<Column> selected = new ArrayList<>();
    Column same = lit(true);
    for (int i = 0; i < key.size(); i++) {
      String part = TableColumns.unused(mark + "Key" + i, rows.schema());
      selected.add(TableColumns.column(key.get(i)).as(part));
      same = same.and(TableColumns.column(key.get(i)).equalTo(col(part)));
    }
    selected.add(
        struct(columns.values().stream().map(TableColumns::column).toArray(Column[]::new))
            .as(mark));
    Dataset<Row> ours = corrections.select(selected.toArray(Column[]::new));
    List<Column> kept = new ArrayList<>();
    for (String column : rows.columns()) {
      kept.add(TableColumns.column(column));
    }
    kept.add(col(mark));
    return rows.join(ours, same, "left_outer").select(kept.toArray(Column[]::new));
  }

  /** Whether a row of {@link #marked} has new values. */
  public Column matches() {
    return col(mark).isNotNull();
  }

  /** Whether a column is overwritten. */
  public boolean overwrites(StructField field) {
    return columns.containsKey(field.name());
  }

  /** The new value of a column that is overwritten, of the column's type. */
  public Column value(StructField field) {
    return col(mark).getField(columns.get(field.name())).cast(field.dataType());
  }

  private static Column[] numberedKeys(List<String> key) {
    Column[] numbered = new Column[key.size()];
    Arrays.setAll(numbered, i -> TableColumns.column(key.get(i)).as("key" + i));
    return numbered;
  }

  private String[] names() {
    String[] names = new String[key.size()];
    Arrays.setAll(names, i -> "key" + i);
    return names;
  }

  private Column[] keys() {
    return Arrays.stream(names()).map(name -> col(name)).toArray(Column[]::new);
  }
}
