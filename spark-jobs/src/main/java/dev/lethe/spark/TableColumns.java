package dev.lethe.spark;

import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.Metadata;
import org.apache.spark.sql.types.MetadataBuilder;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.jspecify.annotations.Nullable;

/** Columns of a table by name, as Spark SQL resolves names: case does not count. */
public final class TableColumns {
  private static final int NAMES_SHOWN = 50;
  private static final String FIRST_ROW = "lethe.firstRow";

  private TableColumns() {}

  /** A name as SQL writes it, whatever characters it has. */
  public static String quoted(String name) {
    return "`" + name.replace("`", "``") + "`";
  }

  /** The top-level column of this name, whatever characters it has. */
  public static Column column(String name) {
    return functions.col(quoted(name));
  }

  /** The columns that {@code name} may mean; more than one is an ambiguity. */
  public static List<StructField> matching(StructType schema, String name) {
    return Arrays.stream(schema.fields())
        .filter(field -> field.name().equalsIgnoreCase(name))
        .toList();
  }

  /** The column of this spelling, else the first that differs in case alone, else null. */
  public static @Nullable StructField find(StructType schema, String name) {
    List<StructField> found = matching(schema, name);
    return found.stream()
        .filter(field -> field.name().equals(name))
        .findFirst()
        .orElse(found.isEmpty() ? null : found.get(0));
  }

  /** A name for a column that is added: this one, or a longer one if the table has it. */
  public static String unused(String name, StructType schema) {
    return find(schema, name) == null ? name : unused(name + "_", schema);
  }

  /**
   * The column of this name.
   *
   * @param place what names it, for the message
   * @throws InvalidInputException if the table has none
   */
  public static StructField require(StructType schema, String name, String place) {
    StructField field = find(schema, name);
    if (field == null) {
      throw new InvalidInputException(
          place + ": column '" + name + "' does not exist; " + list(schema));
    }
    return field;
  }

  /** The same table, of which messages name no column: a file's first row gave the names. */
  public static Dataset<Row> namedByFirstRow(Dataset<Row> table) {
    Metadata mark = new MetadataBuilder().putBoolean(FIRST_ROW, true).build();
    return table.select(
        Arrays.stream(table.columns())
            .map(name -> column(name).as(name, mark))
            .toArray(Column[]::new));
  }

  /** Whether names of columns may be cells, because a file that has no header was read with one. */
  public static boolean mayBeCells(StructType schema) {
    return Arrays.stream(schema.fields()).anyMatch(field -> field.metadata().contains(FIRST_ROW));
  }

  /** What a message says of the columns that a table has, at most 50 by name. */
  public static String list(StructType schema) {
    if (mayBeCells(schema)) {
      return "there are "
          + schema.size()
          + " columns; their names are not shown, because in a file without a header they are cells"
          + " of the first row: check --option header";
    }
    String shown =
        Arrays.stream(schema.fieldNames()).limit(NAMES_SHOWN).collect(Collectors.joining(", "));
    int more = schema.size() - NAMES_SHOWN;
    return "there are " + shown + (more > 0 ? " and " + more + " more" : "");
  }

  /** How a message names a column that nothing given names. */
  public static String name(StructType schema, StructField field) {
    return mayBeCells(schema)
        ? "column number " + (schema.fieldIndex(field.name()) + 1)
        : "column '" + field.name() + "'";
  }
}
