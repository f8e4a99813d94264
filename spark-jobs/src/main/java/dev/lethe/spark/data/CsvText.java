package dev.lethe.spark.data;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.date_format;
import static org.apache.spark.sql.functions.from_csv;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.struct;
import static org.apache.spark.sql.functions.to_csv;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.TableColumns;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.DateType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.types.TimestampNTZType;
import org.apache.spark.sql.types.TimestampType;

/**
 * A CSV table with the characters of its cells beside its typed columns: a cell that nothing
 * changes is written as the file has it, 00123, though an expression sees the number 123.
 *
 * <p>Every cell is read as text. Spark's CSV parser then makes the typed columns of the same row,
 * with the options that the table is read with.
 */
public final class CsvText {
  private static final String CELLS = "cells";
  private static final String TYPED = "typed";

  private final TableSource source;
  private final StructType schema;
  private final Dataset<Row> rows;

  private CsvText(TableSource source, StructType schema, Dataset<Row> rows) {
    this.source = source;
    this.schema = schema;
    this.rows = rows;
  }

  /**
   * The table, not read yet.
   *
   * @param schema its columns as {@link TableSource#read} types them
   * @throws InvalidInputException if rows that do not parse are to be dropped
   */
  public static CsvText of(SparkSession spark, TableSource source, StructType schema) {
    if ("DROPMALFORMED".equalsIgnoreCase(source.settings().get("mode"))) {
      throw new InvalidInputException(
          "--option mode=DROPMALFORMED: would drop rows that the request does not remove; allowed"
              + " are PERMISSIVE and FAILFAST");
    }
    StructType text = new StructType();
    StructType numbered = new StructType();
    Column[] texts = new Column[schema.size()];
    Column[] columns = new Column[schema.size() + 1];
    for (int i = 0; i < texts.length; i++) {
      StructField field = schema.fields()[i];
      text = text.add(field.name(), DataTypes.StringType);
      numbered = numbered.add(number(i), field.dataType());
      texts[i] = TableColumns.column(field.name()).as(number(i));
      columns[i] = col(TYPED).getField(number(i)).as(field.name(), field.metadata());
    }
    columns[texts.length] = col(CELLS).as(TableColumns.unused(CELLS, schema));
    Dataset<Row> rows =
        spark
            .read()
            .format(source.format())
            .options(reading(source))
            .schema(text)
            .load(source.path())
            .select(struct(texts).as(CELLS))
            .select(
                col(CELLS),
                from_csv(
                        to_csv(col(CELLS), writing(source)), lit(numbered.toDDL()), parsing(source))
                    .as(TYPED))
            .select(columns);
    return new CsvText(source, schema, rows);
  }

  /** The typed columns, and behind them one with the cells as they are in the file. */
  public Dataset<Row> rows() {
    return rows;
  }

  /** A cell of {@link #rows} as it is in the file. */
  public Column cell(StructField field) {
    return TableColumns.column(rows.columns()[schema.size()])
        .getField(number(schema.fieldIndex(field.name())));
  }

  /** A new value as a cell that the table's own options read. */
  public Column text(StructField field, Column value) {
    String format = source.settings().get(formatOption(field.dataType()));
    return format == null ? value.cast("string") : date_format(value, format);
  }

  /** The options with which cells that are texts are written as they are. */
  public Map<String, String> writerOptions() {
    return writing(source);
  }

  private static String formatOption(DataType type) {
    if (type instanceof DateType) {
      return "dateFormat";
    }
    return type instanceof TimestampNTZType
        ? "timestampNTZFormat"
        : type instanceof TimestampType ? "timestampFormat" : "";
  }

  private static String number(int column) {
    return "c" + column;
  }

  private static Map<String, String> reading(TableSource source) {
    Map<String, String> options = source.settings();
    options.keySet().removeAll(List.of("inferSchema", "emptyValue"));
    // no text, so that "" is not NULL
    options.put("nullValue", "\uffff");
    // a row with more cells than the header would lose them
    options.put("mode", "FAILFAST");
    return options;
  }

  private static Map<String, String> parsing(TableSource source) {
    Map<String, String> options = source.settings();
    options.remove("comment"); // the first cell may begin with it
    return options;
  }

  /** NULL is written as nothing and an empty text as two quotes, as both are read. */
  private static Map<String, String> writing(TableSource source) {
    Map<String, String> options = source.settings();
    options.put("nullValue", "");
    options.put("emptyValue", "\"\"");
    options.put("ignoreLeadingWhiteSpace", "false");
    options.put("ignoreTrailingWhiteSpace", "false");
    return options;
  }
}
