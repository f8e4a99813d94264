package dev.lethe.spark.data;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.count_if;
import static org.apache.spark.sql.functions.first;
import static org.apache.spark.sql.functions.not;
import static org.apache.spark.sql.functions.struct;

import dev.lethe.spark.Conditions;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.SparkErrors;
import dev.lethe.spark.SparkFailedException;
import dev.lethe.spark.TableColumns;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Predicate;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * A table before and after, row joined to row by a key: which rows were added, removed or changed.
 *
 * <p>A row is changed if a column differs that both tables have and that counts. NULL equals NULL,
 * NaN equals NaN. The join is one shuffle of the key and the columns that count.
 */
public final class Snapshots {
  private static final String BEFORE = "before";
  private static final String AFTER = "after";
  private static final String ROWS_BEFORE = "rowsBefore";
  private static final String ROWS_AFTER = "rowsAfter";

  private final Dataset<Row> original;
  private final Dataset<Row> corrected;
  private final String originalName;
  private final String correctedName;
  private final List<String> key;
  private final List<StructField> before;
  private final List<StructField> after;
  private final Dataset<Row> pairs;
  private final Column changed;

  private Snapshots(
      Table originalSource,
      Dataset<Row> original,
      Table correctedSource,
      Dataset<Row> corrected,
      List<String> key,
      Predicate<String> counts) {
    this.original = original;
    this.corrected = corrected;
    this.originalName = originalSource.name();
    this.correctedName = correctedSource.name();
    this.key = key;
    this.before = fields(original.schema(), counts);
    this.after = fields(corrected.schema(), counts);
    this.pairs = pairs();
    this.changed = changed();
  }

  /**
   * Compares the schemas; reads no rows.
   *
   * @param key columns that identify a row in both tables
   * @param counts which columns decide whether a row has changed
   * @throws InvalidInputException if a table lacks a key column, or a column that both have is not
   *     of the same type or cannot be compared
   */
  public static Snapshots of(
      Table originalSource,
      Dataset<Row> original,
      Table correctedSource,
      Dataset<Row> corrected,
      List<String> key,
      Predicate<String> counts) {
    for (String column : key) {
      TableColumns.require(original.schema(), column, "--key: " + originalSource.name());
      TableColumns.require(corrected.schema(), column, "--key: " + correctedSource.name());
    }
    Predicate<String> keyOrCounts =
        column -> counts.test(column) || key.stream().anyMatch(column::equalsIgnoreCase);
    for (StructField field : fields(original.schema(), keyOrCounts)) {
      StructField other = TableColumns.find(corrected.schema(), field.name());
      if (other != null && !sameType(field, other)) {
        throw new InvalidInputException(
            originalSource.name()
                + " and "
                + correctedSource.name()
                + ": "
                + TableColumns.name(original.schema(), field)
                + " has type "
                + field.dataType().catalogString()
                + " in one and "
                + other.dataType().catalogString()
                + " in the other; it must be the same in both");
      }
    }
    try {
      return new Snapshots(
          originalSource, original, correctedSource, corrected, List.copyOf(key), counts);
    } catch (Exception e) { // AnalysisException is checked in bytecode only
      SparkFailedException.throwIfOutage(originalSource.name(), e);
      throw new InvalidInputException(
          originalSource.name()
              + " and "
              + correctedSource.name()
              + ": the rows cannot be compared ("
              + SparkErrors.kind(e)
              + "); the key and the columns that the model reads must be of comparable types, not"
              + " maps, for example",
          e);
    }
  }

  /**
   * How many rows differ.
   *
   * @param added rows whose key only the corrected table has
   * @param removed rows whose key only the original table has
   * @param changed rows of both that differ
   */
  public record Difference(long added, long removed, long changed) {}

  /**
   * Joins the rows and counts.
   *
   * @throws InvalidInputException if a key is NULL or occurs twice in a table
   */
  public Difference difference() {
    Column isNull = key(0).isNull();
    for (int i = 1; i < key.size(); i++) {
      isNull = isNull.or(key(i).isNull());
    }
    Row counts =
        pairs
            .agg(
                count_if(isNull.and(col(ROWS_BEFORE).gt(0))),
                count_if(isNull.and(col(ROWS_AFTER).gt(0))),
                count_if(col(ROWS_BEFORE).gt(1)),
                count_if(col(ROWS_AFTER).gt(1)),
                count_if(col(BEFORE).isNull()),
                count_if(col(AFTER).isNull()),
                count_if(changed))
            .head();
    requireNone(counts.getLong(0), originalName, "NULL");
    requireNone(counts.getLong(1), correctedName, "NULL");
    requireNone(counts.getLong(2), originalName, "not unique");
    requireNone(counts.getLong(3), correctedName, "not unique");
    return new Difference(counts.getLong(4), counts.getLong(5), counts.getLong(6));
  }

  /**
   * The same, where rows must differ.
   *
   * @throws InvalidInputException if a key is NULL or occurs twice in a table, or no row differs
   */
  public Difference someDifference() {
    Difference difference = difference();
    if (difference.equals(new Difference(0, 0, 0))) {
      throw new InvalidInputException(
          originalName
              + " and "
              + correctedName
              + ": no row differs in what the model reads, and the request removes no feature, so"
              + " that nothing is to be unlearned; are these the right versions?");
    }
    return difference;
  }

  private void requireNone(long keys, String table, String complaint) {
    if (keys > 0) {
      throw new InvalidInputException(
          table
              + ": --key "
              + String.join(",", key)
              + ": the key is "
              + complaint
              + " ("
              + keys
              + " values of it); it must identify a row");
    }
  }

  /** All rows as they were. */
  public Dataset<Row> original() {
    return original;
  }

  /** All rows as they are. */
  public Dataset<Row> corrected() {
    return corrected;
  }

  /** Removed and changed rows as they were, with the columns that count. */
  public Dataset<Row> touchedOriginal() {
    return side(BEFORE, before, AFTER);
  }

  /** Added and changed rows as they are, with the columns that count. */
  public Dataset<Row> touchedCorrected() {
    return side(AFTER, after, BEFORE);
  }

  private Dataset<Row> side(String side, List<StructField> fields, String other) {
    return pairs
        .where(col(side).isNotNull().and(col(other).isNull().or(changed)))
        .select(
            fields.stream()
                .map(f -> col(side).getField(f.name()).as(f.name(), f.metadata()))
                .toArray(Column[]::new));
  }

  /** One row a key: how often either table has it, and the row of each, NULL where it has none. */
  private Dataset<Row> pairs() {
    List<Column> keyBefore = new ArrayList<>();
    List<Column> keyAfter = new ArrayList<>();
    for (int i = 0; i < key.size(); i++) {
      keyBefore.add(TableColumns.column(key.get(i)).as(name(i)));
      keyAfter.add(TableColumns.column(key.get(i)).as(name(i)));
    }
    Column rowBefore = row(before);
    Column rowAfter = row(after);
    keyBefore.add(rowBefore.as(BEFORE));
    keyAfter.add(rowAfter.as(AFTER));
    Dataset<Row> sideBefore = original.select(keyBefore.toArray(Column[]::new));
    Dataset<Row> sideAfter = corrected.select(keyAfter.toArray(Column[]::new));
    return sideBefore
        .unionByName(sideAfter, true)
        .groupBy(keys())
        .agg(
            count(col(BEFORE)).as(ROWS_BEFORE),
            count(col(AFTER)).as(ROWS_AFTER),
            first(col(BEFORE), true).as(BEFORE),
            first(col(AFTER), true).as(AFTER));
  }

  private Column changed() {
    List<Column> different = new ArrayList<>();
    for (StructField field : before) {
      StructField other =
          after.stream()
              .filter(f -> f.name().equalsIgnoreCase(field.name()))
              .findFirst()
              .orElse(null);
      if (other != null) {
        Column same =
            col(BEFORE).getField(field.name()).eqNullSafe(col(AFTER).getField(other.name()));
        different.add(not(same));
      }
    }
    Column changed =
        col(BEFORE).isNotNull().and(col(AFTER).isNotNull()).and(Conditions.any(different));
    pairs.where(changed).schema(); // refuses what cannot be compared
    return changed;
  }

  private static Column row(List<StructField> fields) {
    return struct(fields.stream().map(f -> TableColumns.column(f.name())).toArray(Column[]::new));
  }

  private static List<StructField> fields(StructType schema, Predicate<String> wanted) {
    return Arrays.stream(schema.fields()).filter(field -> wanted.test(field.name())).toList();
  }

  private Column[] keys() {
    Column[] keys = new Column[key.size()];
    Arrays.setAll(keys, i -> key(i));
    return keys;
  }

  private static Column key(int i) {
    return functions.col(name(i));
  }

  private static String name(int i) {
    return "key" + i;
  }

  private static boolean sameType(StructField a, StructField b) {
    return a.dataType().getClass().equals(b.dataType().getClass())
        && a.dataType().catalogString().equals(b.dataType().catalogString());
  }
}
