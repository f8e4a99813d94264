package dev.lethe.spark.request;

import dev.lethe.spark.Conditions;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.Outage;
import dev.lethe.spark.SparkErrors;
import dev.lethe.spark.TableColumns;
import dev.lethe.spark.WithholdingRows;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.spark.SparkContext;
import org.apache.spark.api.java.function.Function2;
import org.apache.spark.ml.linalg.SQLDataTypes;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.BinaryType;
import org.apache.spark.sql.types.BooleanType;
import org.apache.spark.sql.types.ByteType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.DateType;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.DoubleType;
import org.apache.spark.sql.types.FloatType;
import org.apache.spark.sql.types.IntegerType;
import org.apache.spark.sql.types.LongType;
import org.apache.spark.sql.types.NumericType;
import org.apache.spark.sql.types.ShortType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.types.TimestampNTZType;
import org.apache.spark.sql.types.TimestampType;
import org.apache.spark.sql.types.UserDefinedType;
import org.jspecify.annotations.Nullable;

/**
 * What a {@link Request} does to a table of raw columns.
 *
 * <ul>
 *   <li>Every expression ({@code where}, {@code set}, {@code to}) sees the ORIGINAL row, whatever
 *       the other changes do. A condition that is NULL does not match.
 *   <li>Where several changes set the same column of the same row, the last in the file wins; but
 *       {@code replaceText} replaces in what the changes before it made. A row that any {@code
 *       removeRows} matches is removed, whatever else matches it.
 *   <li>A value is cast to its column's type by Spark's ANSI rules in every session. It is refused
 *       when it does not convert, overflows, would lose a fraction in an integer column, is NaN or
 *       infinite, or is NULL where the original is not; only {@code NULL} written as such replaces
 *       a value by NULL.
 *   <li>The label is changed by {@code relabel} only, and never to NULL. A new value of the weight
 *       column is greater than 0.
 *   <li>Every change matches at least one row.
 *   <li>Of several requests in one, none reads what an earlier one sets: not at all in a condition,
 *       and not in the same row in a value. So they mean the same as one after the other.
 * </ul>
 *
 * <p>Made on the driver; not serializable. Case does not count in names of columns. Messages name
 * file and key, never an expression or a value of the table.
 */
public final class Corrections {
  private final String file;
  private final StructType schema;
  private final List<RowChange> rowChanges;
  private final List<Fault> dependences;
  private final List<FeatureRef> removedFeatures;

  /**
   * One change of rows: a condition and, unless it removes them, new values.
   *
   * @param request which of several merged requests it is of
   * @param readByWhere columns that the condition reads; null if the table lacks one of them
   */
  private record RowChange(
      String request,
      String place,
      String wherePlace,
      @Nullable String where,
      @Nullable Set<String> readByWhere,
      boolean removes,
      List<Assignment> assignments) {
    Column matches() {
      return where == null ? functions.lit(true) : functions.expr(where);
    }

    /** Whether neither the condition nor a value reads one of these columns. */
    boolean readsNone(Set<String> columns) {
      return areNoneOf(columns, readByWhere)
          && assignments.stream().allMatch(a -> areNoneOf(columns, a.reads()));
    }

    private static boolean areNoneOf(Set<String> columns, @Nullable Set<String> reads) {
      return reads != null && reads.stream().noneMatch(columns::contains);
    }

    /** Whether the condition reads none but these columns. */
    boolean isReadIn(Set<String> columns) {
      return readByWhere != null && columns.containsAll(readByWhere);
    }
  }

  /**
   * A new value of a column.
   *
   * @param raw SQL of the expression as the request has it
   * @param value SQL of the same cast to the column's type, NULL where that fails
   * @param reads columns that the expression reads; null if the table lacks one of them
   * @param text what the value replaces in the column; null if it is the whole value
   */
  private record Assignment(
      String place,
      StructField field,
      @Nullable Set<String> reads,
      String raw,
      String value,
      DataType rawType,
      boolean label,
      boolean weight,
      Change.@Nullable ReplaceText text) {
    Column original() {
      return TableColumns.column(field.name());
    }

    /**
     * Whether all rows get the same value, which a table that is written and read again still has:
     * a format of text may cut a time or a date short.
     */
    boolean isConstant() {
      DataType type = field.dataType();
      return reads != null
          && reads.isEmpty()
          && text == null
          && (type instanceof NumericType
              || type instanceof BooleanType
              || type instanceof StringType);
    }

    /** Whether a cell is not the constant. In a file of text "" is NULL, and blanks may go. */
    Column differs(Column cell) {
      Column constant = functions.expr(value);
      return field.dataType() instanceof StringType
          ? functions.not(written(cell).eqNullSafe(written(constant)))
          : functions.not(cell.eqNullSafe(constant));
    }

    private static Column written(Column text) {
      return functions.coalesce(functions.trim(text), functions.lit(""));
    }

    Assignment replacing(Change.ReplaceText replaced) {
      return new Assignment(place, field, reads, raw, value, rawType, label, weight, replaced);
    }
  }

  /** What a corrected table holds for each cell. */
  public interface Cells {
    /** A cell that no change sets. */
    Column unchanged(StructField field);

    /** The cell of a new value. */
    Column changed(StructField field, Column value);
  }

  /** Values of the columns' types. */
  public static final Cells TYPED =
      new Cells() {
        @Override
        public Column unchanged(StructField field) {
          return TableColumns.column(field.name());
        }

        @Override
        public Column changed(StructField field, Column value) {
          return value;
        }
      };

  /** A condition on a new value under which the request is refused. */
  private record Fault(String place, String complaint, Column flag) {}

  private Corrections(
      String file,
      StructType schema,
      List<RowChange> rowChanges,
      List<Fault> dependences,
      List<FeatureRef> removedFeatures) {
    this.file = file;
    this.schema = schema;
    this.rowChanges = List.copyOf(rowChanges);
    this.dependences = List.copyOf(dependences);
    this.removedFeatures = List.copyOf(removedFeatures);
  }

  /**
   * Checks all that can be checked without reading data.
   *
   * <p>A slot of a vector column that {@code schema} does not have is left to the featurizer, whose
   * stages may produce that column.
   *
   * @param spark the session that is active on this thread, here and in the other methods
   * @param schema the table's raw columns
   * @param labelColumn the raw label column; null if the model has none
   * @param weightColumn the raw weight column, or null
   * @param fileName the request's file, for messages
   * @throws InvalidInputException if an expression is refused or does not resolve, a column is
   *     unknown, a type does not fit, or changes contradict each other
   */
  public static Corrections of(
      SparkSession spark,
      Request request,
      StructType schema,
      @Nullable String labelColumn,
      @Nullable String weightColumn,
      String fileName) {
    return of(spark, request, schema, labelColumn, weightColumn, fileName, Lacking.NOTHING);
  }

  /** The same for a table that may lack columns of the request. */
  public static Corrections of(
      SparkSession spark,
      Request request,
      StructType schema,
      @Nullable String labelColumn,
      @Nullable String weightColumn,
      String fileName,
      Lacking lacking) {
    return new Analysis(spark, schema, labelColumn, weightColumn, fileName, lacking).of(request);
  }

  /** What of a request a table may lack. */
  public enum Lacking {
    /** It is the model's. */
    NOTHING,

    /**
     * It is another: features that the request removes, which then are among {@link
     * Corrections#removedFeatures} as the request spells them.
     */
    FEATURES,

    /**
     * It is corrected already: columns that the request removes, and those that its expressions
     * read, a key, for example, that nobody keeps beside the model's data. Only {@link
     * Corrections#checkCorrected}, {@link Corrections#requireCorrected} and {@link
     * Corrections#removedFeatures} are of use then.
     */
    COLUMNS
  }

  /** Turns a request into row changes; holds what every step of that needs. */
  private static final class Analysis {
    private final SparkSession spark;
    private final StructType schema;
    private final String file;
    private final @Nullable StructField label;
    private final @Nullable StructField weight;
    private final Lacking lacking;

    Analysis(
        SparkSession spark,
        StructType schema,
        @Nullable String labelColumn,
        @Nullable String weightColumn,
        String file,
        Lacking lacking) {
      this.lacking = lacking;
      this.spark = spark;
      this.schema = schema;
      this.file = file;
      this.label =
          labelColumn == null ? null : require("label column '" + labelColumn + "'", labelColumn);
      this.weight =
          weightColumn == null
              ? null
              : require("weight column '" + weightColumn + "'", weightColumn);
    }

    Corrections of(Request request) {
      List<RowChange> rowChanges = new ArrayList<>();
      LinkedHashSet<FeatureRef> removed = new LinkedHashSet<>();
      for (int i = 0; i < request.changes().size(); i++) {
        Change change = request.changes().get(i);
        Request.Origin origin = request.origins().get(i);
        String place = origin + "." + change.key();
        if (change instanceof Change.RemoveFeatures remove) {
          for (int j = 0; j < remove.features().size(); j++) {
            removed.add(removedFeature(remove.features().get(j), place + "[" + j + "]"));
          }
        } else if (change instanceof Change.ReplaceFeatures replace) {
          rowChanges.add(
              rowChange(
                  origin, place, replace.where(), false, assignments(replace, place + ".set")));
        } else if (change instanceof Change.ReplaceText text) {
          rowChanges.add(replacedText(origin, place, text));
        } else if (change instanceof Change.Relabel relabel) {
          if (label == null) {
            throw refuse(place, "the model has no label column");
          }
          rowChanges.add(
              rowChange(
                  origin,
                  place,
                  relabel.where(),
                  false,
                  List.of(assignment(place + ".to", label, relabel.to()))));
        } else if (change instanceof Change.RemoveRows rows) {
          rowChanges.add(rowChange(origin, place, rows.where(), true, List.of()));
        }
      }
      for (RowChange change : rowChanges) {
        for (Assignment assignment : change.assignments()) {
          for (FeatureRef feature : removed) {
            if (feature.column().equalsIgnoreCase(assignment.field().name())) {
              throw refuse(
                  assignment.place(),
                  "sets a column that the same request removes by removeFeatures; drop one of the"
                      + " two");
            }
          }
        }
      }
      return new Corrections(
          file, schema, rowChanges, dependences(rowChanges), List.copyOf(removed));
    }

    /**
     * Where a request reads what an earlier one sets, all of them on the original row are not the
     * same as one after the other. A condition that does is refused here, a value by these faults:
     * one a column, true in a row where a later request computes with what an earlier one sets.
     *
     * @throws InvalidInputException if a condition reads a column that an earlier request sets
     */
    private List<Fault> dependences(List<RowChange> changes) {
      Map<String, List<RowChange>> setters = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
      Map<String, List<Column>> reads = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
      for (RowChange change : changes) {
        for (String column :
            change.readByWhere() == null ? Set.<String>of() : change.readByWhere()) {
          List<RowChange> earlier = earlier(setters, column, change);
          if (!earlier.isEmpty()) {
            throw refuse(
                change.wherePlace(),
                "reads column '"
                    + column
                    + "', which "
                    + earlier.get(0).place()
                    + " sets; where a request builds on another, give them one after the other");
          }
        }
        for (Assignment assignment : change.assignments()) {
          for (String column : assignment.reads() == null ? Set.<String>of() : assignment.reads()) {
            int earlier = earlier(setters, column, change).size();
            if (earlier > 0) {
              reads
                  .computeIfAbsent(column, c -> new ArrayList<>(List.of(functions.lit(0))))
                  .add(functions.when(change.matches(), earlier).otherwise(0));
            }
          }
        }
        for (Assignment assignment : change.assignments()) {
          setters.computeIfAbsent(assignment.field().name(), c -> new ArrayList<>()).add(change);
        }
      }
      List<Fault> faults = new ArrayList<>();
      reads.forEach(
          (column, setBefore) -> {
            Column[] sets =
                setters.getOrDefault(column, List.of()).stream()
                    .map(c -> Conditions.orFalse(c.matches()))
                    .toArray(Column[]::new);
            Column first = functions.array_position(functions.array(sets), true);
            faults.add(
                new Fault(
                    "column '" + column + "'",
                    "a later request computes with what an earlier one sets (give these one after"
                        + " the other)",
                    first
                        .gt(0)
                        .and(first.leq(functions.greatest(setBefore.toArray(Column[]::new))))));
          });
      return faults;
    }

    private static List<RowChange> earlier(
        Map<String, List<RowChange>> setters, String column, RowChange reader) {
      return setters.getOrDefault(column, List.of()).stream()
          .filter(setter -> !setter.request().equals(reader.request()))
          .toList();
    }

    private RowChange rowChange(
        Request.Origin origin,
        String place,
        @Nullable String where,
        boolean removes,
        List<Assignment> assignments) {
      String wherePlace = place + (where == null ? "" : ".where");
      Set<String> columns = Set.of();
      if (where != null) {
        String at = file + ": " + wherePlace;
        SqlExpressions.check(at, where);
        if (lacksColumnOf(where)) {
          return new RowChange(
              origin.request(), place, wherePlace, where, null, removes, assignments);
        }
        SqlExpressions.Resolved resolved = SqlExpressions.resolve(spark, schema, at, where);
        if (!(resolved.type() instanceof BooleanType)) {
          throw refuse(
              wherePlace, "must be a condition (boolean), not " + typeName(resolved.type()));
        }
        columns = resolved.columns();
      }
      return new RowChange(
          origin.request(), place, wherePlace, where, columns, removes, assignments);
    }

    private RowChange replacedText(Request.Origin origin, String place, Change.ReplaceText text) {
      StructField field = column(text.column(), place + ".column");
      if (!(field.dataType() instanceof StringType)) {
        throw refuse(place + ".column", "must be a string, not " + typeName(field.dataType()));
      }
      refuseLabel(place + ".column", field);
      String name = TableColumns.quoted(field.name());
      String find = SqlExpressions.literal(text.find());
      String value =
          "replace(" + name + ", " + find + ", " + SqlExpressions.literal(text.with()) + ")";
      return rowChange(
          origin,
          place,
          "contains(" + name + ", " + find + ")",
          false,
          List.of(assignment(place, field, value).replacing(text)));
    }

    private void refuseLabel(String place, StructField field) {
      if (isLabel(field)) {
        throw refuse(place, "is the label column; a label is changed by relabel");
      }
    }

    private boolean isLabel(StructField field) {
      return label != null && field.name().equalsIgnoreCase(label.name());
    }

    private List<Assignment> assignments(Change.ReplaceFeatures replace, String place) {
      List<Assignment> assignments = new ArrayList<>();
      Set<String> set = new HashSet<>();
      for (Map.Entry<String, String> entry : replace.set().entrySet()) {
        if (lacking == Lacking.COLUMNS && TableColumns.matching(schema, entry.getKey()).isEmpty()) {
          continue;
        }
        StructField field = column(entry.getKey(), place);
        String at = place + "." + FeatureRef.ofColumn(field.name());
        refuseLabel(at, field);
        if (!set.add(field.name())) {
          throw refuse(at, "is set twice");
        }
        assignments.add(assignment(at, field, entry.getValue()));
      }
      return assignments;
    }

    private Assignment assignment(String place, StructField field, String sql) {
      String at = file + ": " + place;
      SqlExpressions.check(at, sql);
      if (lacksColumnOf(sql)) {
        return new Assignment(place, field, null, sql, sql, field.dataType(), false, false, null);
      }
      SqlExpressions.Resolved resolved = SqlExpressions.resolve(spark, schema, at, sql);
      DataType from = resolved.type();
      DataType to = field.dataType();
      boolean isLabel = isLabel(field);
      String raw = SqlExpressions.embedded(sql);
      String value = raw;
      if (isLabel
          && !(to instanceof NumericType
              || to instanceof StringType
              || to instanceof BooleanType)) {
        throw refuse(place, "the label column has type " + typeName(to) + ", not a label's");
      }
      if (from.equals(DataTypes.NullType)) {
        if (isLabel) {
          throw refuse(place, "a label must not be NULL");
        }
        if (!field.nullable()) {
          throw refuse(place, "the column does not allow NULL");
        }
        value = castsToAtomic(to) ? "CAST(NULL AS " + to.sql() + ")" : "NULL";
      } else if (!sameType(from, to)) {
        if (!castsToAtomic(to)) {
          throw refuse(place, "yields " + typeName(from) + "; the column is " + typeName(to));
        }
        value = "try_cast(" + raw + " AS " + to.sql() + ")";
        SqlExpressions.resolve(spark, schema, at, value);
      }
      boolean isWeight = weight != null && field.name().equalsIgnoreCase(weight.name());
      return new Assignment(
          place, field, resolved.columns(), raw, value, from, isLabel, isWeight, null);
    }

    private FeatureRef removedFeature(FeatureRef feature, String place) {
      if ((feature.isSlot() || lacking != Lacking.NOTHING)
          && TableColumns.matching(schema, feature.column()).isEmpty()) {
        return feature;
      }
      StructField field = column(feature.column(), place);
      if (feature.isSlot() && !field.dataType().equals(SQLDataTypes.VectorType())) {
        throw refuse(
            place,
            "names a slot of a column of type "
                + typeName(field.dataType())
                + "; only a vector column has slots");
      }
      if (isLabel(field)) {
        throw refuse(place, "is the label column; it is not a feature");
      }
      if (weight != null && field.name().equalsIgnoreCase(weight.name())) {
        throw refuse(place, "is the weight column; it is not a feature");
      }
      return new FeatureRef(field.name(), feature.index(), feature.attribute());
    }

    private boolean lacksColumnOf(String sql) {
      return lacking == Lacking.COLUMNS && SqlExpressions.namesMissingColumn(spark, schema, sql);
    }

    private StructField column(String name, String place) {
      List<StructField> found = TableColumns.matching(schema, name);
      if (found.size() == 1) {
        return found.get(0);
      }
      if (found.size() > 1) {
        throw refuse(
            place,
            RequestReader.name(name) + " names several columns; " + TableColumns.list(schema));
      }
      throw refuse(
          place,
          RequestReader.name(name)
              + " is not a top-level column of the data; "
              + TableColumns.list(schema));
    }

    private StructField require(String what, String name) {
      List<StructField> found = TableColumns.matching(schema, name);
      if (found.size() != 1) {
        throw new InvalidInputException(
            what
                + (found.isEmpty()
                    ? " is not in the data; "
                    : " is more than one column of the data; ")
                + TableColumns.list(schema));
      }
      return found.get(0);
    }

    private InvalidInputException refuse(String place, String complaint) {
      return new InvalidInputException(file + ": " + place + ": " + complaint);
    }
  }

  /**
   * These corrections and then others, all of them on the original row.
   *
   * @param later of the same columns
   * @return empty if a later one reads what one of these sets: it must be given the table that
   *     these make
   */
  Optional<Corrections> then(Corrections later) {
    Set<String> changed = changedColumns();
    if (later.rowChanges.stream().anyMatch(change -> !change.readsNone(changed))) {
      return Optional.empty();
    }
    return Optional.of(
        new Corrections(
            later.file,
            schema,
            concat(rowChanges, later.rowChanges),
            concat(dependences, later.dependences),
            concat(removedFeatures, later.removedFeatures)));
  }

  private static <T> List<T> concat(List<T> first, List<T> second) {
    return Stream.concat(first.stream(), second.stream()).toList();
  }

  /** The features that the model must no longer have, each once, as the data spell them. */
  public List<FeatureRef> removedFeatures() {
    return removedFeatures;
  }

  /** Whether any change changes rows; if not, corrected and original data are the same. */
  public boolean hasRowChanges() {
    return !rowChanges.isEmpty();
  }

  /** Whether a change has no condition, so that every row is touched. */
  public boolean touchesAllRows() {
    return rowChanges.stream().anyMatch(c -> c.where() == null);
  }

  /**
   * The corrected table: rows removed, values replaced; the same columns in the same order with the
   * same types and metadata.
   *
   * @param original the table, with the columns that {@link #of} was given
   */
  public Dataset<Row> corrected(Dataset<Row> original) {
    requireSchema(original);
    return hasRowChanges() ? corrected(original, TYPED) : original;
  }

  /**
   * The table that several make of another, one after the other.
   *
   * <p>Those that do not build on one another are applied in one step: Spark's planning takes
   * longer with every step, and in the end its stack does not suffice.
   */
  public static Dataset<Row> corrected(Dataset<Row> original, List<Corrections> several) {
    if (several.isEmpty()) {
      return original;
    }
    Dataset<Row> rows = original;
    Corrections step = several.get(0);
    for (Corrections next : several.subList(1, several.size())) {
      Optional<Corrections> both = step.then(next);
      if (both.isEmpty()) {
        rows = step.corrected(rows);
      }
      step = both.orElse(next);
    }
    return step.corrected(rows);
  }

  /**
   * The corrected table with cells of another kind, the columns in the same order.
   *
   * @param original the table, which may have further columns
   */
  public Dataset<Row> corrected(Dataset<Row> original, Cells cells) {
    Dataset<Row> kept =
        rowChanges.stream().anyMatch(RowChange::removes)
            ? original.filter(functions.not(removed()))
            : original;
    Column[] columns = new Column[schema.size()];
    for (int i = 0; i < columns.length; i++) {
      columns[i] = corrected(schema.fields()[i], cells);
    }
    return kept.select(columns);
  }

  private Column corrected(StructField field, Cells cells) {
    Column original = cells.unchanged(field);
    List<Setter> setters = setters(field);
    @Nullable Column cases = null;
    // CASE takes the first branch that matches: the last change of the file comes first.
    for (int i = setters.size() - 1; i >= 0; i--) {
      Setter setter = setters.get(i);
      boolean whole = setter.assignment().text() == null;
      Column matches = setter.matches();
      Column value = functions.expr(setter.assignment().value());
      if (!whole) {
        List<Setter> upTo = setters.subList(0, i + 1);
        matches = Conditions.any(upTo.stream().map(Setter::matches).toList());
        value = upTo.size() == 1 ? value : composed(upTo, field);
      }
      Column cell = cells.changed(field, value);
      cases = cases == null ? functions.when(matches, cell) : cases.when(matches, cell);
      if (!whole) {
        break; // it has the changes before it inside
      }
    }
    return (cases == null ? original : cases.otherwise(original))
        .as(field.name(), field.metadata());
  }

  /** A change of a column. */
  private record Setter(Column matches, Assignment assignment) {}

  /** In the order of the file. */
  private List<Setter> setters(StructField field) {
    return rowChanges.stream()
        .flatMap(
            change ->
                change.assignments().stream()
                    .filter(a -> a.field().name().equals(field.name()))
                    .map(a -> new Setter(change.matches(), a)))
        .toList();
  }

  /**
   * What changes of a column of text make of it, each of what the ones before it made: a fold over
   * them. One in the other they would be an expression as deep as there are changes.
   */
  private static Column composed(List<Setter> setters, StructField field) {
    Column[] changes = new Column[setters.size()];
    for (int i = 0; i < changes.length; i++) {
      Setter setter = setters.get(i);
      Change.ReplaceText text = setter.assignment().text();
      Column whole = functions.expr(setter.assignment().value());
      Column with = text == null ? whole : literal(text.with());
      Column find = text == null ? functions.lit(null) : literal(text.find());
      changes[i] =
          functions.struct(
              Conditions.orFalse(setter.matches()).as("matches"),
              find.cast(field.dataType()).as("find"),
              functions.when(setter.matches(), with).cast(field.dataType()).as("with"));
    }
    return functions.aggregate(
        functions.array(changes),
        setters.get(0).assignment().original(),
        (value, change) ->
            functions
                .when(functions.not(change.getField("matches")), value)
                .when(change.getField("find").isNull(), change.getField("with"))
                .otherwise(
                    functions.replace(value, change.getField("find"), change.getField("with"))));
  }

  /**
   * Whether a change removes the row; NULL is no match. A CASE, which stays one level deep: of what
   * is not (a or b or ...) the optimizer makes a chain, as deep as there are conditions.
   */
  private Column removed() {
    Column removed = functions.when(functions.lit(false), true);
    for (RowChange change : rowChanges) {
      if (change.removes()) {
        removed = removed.when(change.matches(), true);
      }
    }
    return removed.otherwise(false);
  }

  private static Column literal(String text) {
    return functions.expr(SqlExpressions.literal(text));
  }

  /**
   * The original rows that some change matches, and no others. The condition is the disjunction of
   * the {@code where}s as they stand, so that a source which supports it reads only what it must.
   */
  public Dataset<Row> touchedOriginal(Dataset<Row> original) {
    requireSchema(original);
    if (touchesAllRows()) {
      return original;
    }
    return original.filter(touches());
  }

  /** Whether some change matches a row; NULL is no match. */
  public Column touches() {
    return Conditions.any(rowChanges.stream().map(RowChange::matches).toList());
  }

  /**
   * Counts the rows that each of several requests touches, in one Spark job that reads the columns
   * of their conditions.
   *
   * @return one count for each, then the number of all rows
   */
  public static long[] touchedRows(Dataset<Row> original, List<Corrections> several) {
    List<Column> flags = new ArrayList<>();
    several.forEach(corrections -> flags.add(corrections.touches()));
    flags.add(functions.lit(true));
    return count(original, flags, "count the rows of the requests");
  }

  /** Whether some change of some of the requests matches a row. */
  public static Column anyTouches(List<Corrections> several) {
    return Conditions.any(
        several.stream().map(corrections -> Conditions.orFalse(corrections.touches())).toList());
  }

  /**
   * The rows of {@link #touchedOriginal}, each as it was and as it is: structs {@code before} and
   * {@code after} of the table's columns, {@code after} NULL where the row is removed.
   */
  public Dataset<Row> touchedPairs(Dataset<Row> original) {
    Column[] before = new Column[schema.size()];
    Column[] after = new Column[schema.size()];
    for (int i = 0; i < before.length; i++) {
      before[i] = TableColumns.column(schema.fields()[i].name());
      after[i] = corrected(schema.fields()[i], TYPED);
    }
    return touchedOriginal(original)
        .select(
            functions.struct(before).as("before"),
            functions.when(functions.not(removed()), functions.struct(after)).as("after"));
  }

  /** The rows of {@link #touchedOriginal} after correction; removed ones are absent. */
  public Dataset<Row> touchedCorrected(Dataset<Row> original) {
    return corrected(touchedOriginal(original));
  }

  /**
   * Counts what the request matches and checks every new value, in one Spark job that reads the
   * touched rows only (none when the request changes no row).
   *
   * @param labels what a new label may be
   * @throws InvalidInputException if a change matches no row, a new value is refused, or an
   *     expression fails on some row
   */
  public Impact inspect(Dataset<Row> original, LabelDomain labels) {
    requireSchema(original);
    if (!hasRowChanges()) {
      return new Impact(0, 0, List.of());
    }
    List<Column> flags = new ArrayList<>();
    flags.add(functions.lit(true));
    flags.add(removed());
    List<Fault> faults = new ArrayList<>();
    for (RowChange change : rowChanges) {
      flags.add(change.matches());
      faults.addAll(faults(change, labels));
    }
    faults.addAll(dependences);
    faults.forEach(f -> flags.add(f.flag()));
    long[] counts;
    try {
      counts = count(touchedOriginal(original), flags, "inspect the rows of the request");
    } catch (Exception e) {
      throw evaluationFailure(e, original, labels);
    }
    List<Impact.Matched> matched = new ArrayList<>();
    for (int i = 0; i < rowChanges.size(); i++) {
      RowChange change = rowChanges.get(i);
      long rows = counts[2 + i];
      if (rows == 0) {
        throw refuse(
            change.wherePlace(),
            change.where() == null
                ? "the data have no row"
                : "matches no row of the data (NULL counts as no match)");
      }
      matched.add(new Impact.Matched(change.place(), rows));
    }
    for (int i = 0; i < faults.size(); i++) {
      long rows = counts[2 + rowChanges.size() + i];
      if (rows > 0) {
        Fault fault = faults.get(i);
        throw refuse(fault.place(), fault.complaint() + " in " + rows + " matched row(s)");
      }
    }
    return new Impact(counts[0], counts[1], matched);
  }

  /**
   * What the changes say of a table that is said to be corrected.
   *
   * @param unchecked places of the conditions of {@code removeRows} that could not be checked
   * @param left the conditions that rows still match
   * @param different where a column's value is set, and how many rows have another one
   */
  public record Corrected(
      List<String> unchecked, List<Impact.Matched> left, List<Impact.Matched> different) {
    public Corrected {
      unchecked = List.copyOf(unchecked);
      left = List.copyOf(left);
      different = List.copyOf(different);
    }
  }

  /**
   * Refuses a table of which {@link #checkCorrected} finds that it is not corrected.
   *
   * @return the places of the conditions of {@code removeRows} that could not be checked
   * @throws InvalidInputException if rows that should have been removed are there, or have another
   *     value than the one that is set
   */
  public List<String> requireCorrected(Dataset<Row> corrected) {
    return requireCorrected(List.of(this), corrected);
  }

  /** The same of several, each of what the one before it made. */
  public static List<String> requireCorrected(List<Corrections> several, Dataset<Row> corrected) {
    List<String> unchecked = new ArrayList<>();
    for (Claim claim : claims(several, corrected, unchecked)) {
      if (claim.rows() > 0) {
        throw claim
            .corrections()
            .refuse(
                claim.place(),
                claim.rows()
                    + " row(s) of the corrected data "
                    + (claim.removal()
                        ? "still match; they must be removed from it before"
                        : "have another value than is set here, or by a later change of the same"
                            + " column; it must be in the table before")
                    + " (lethe apply writes a corrected table)");
      }
    }
    return unchecked;
  }

  /**
   * Looks for rows which a {@code removeRows} still matches, and for rows that do not have the
   * constant (a number, a boolean, a text) that is set; one Spark job, or none when nothing can be
   * checked.
   *
   * <p>A condition cannot be checked when the table lacks a column that it reads, or when the
   * request itself sets such a column: a kept row may then match it legitimately. Nor can a value
   * that is computed from others, for they may be the old ones or the new ones.
   *
   * @throws InvalidInputException if a condition cannot be evaluated on some row
   */
  public Corrected checkCorrected(Dataset<Row> corrected) {
    List<String> unchecked = new ArrayList<>();
    List<Impact.Matched> left = new ArrayList<>();
    List<Impact.Matched> different = new ArrayList<>();
    for (Claim claim : claims(List.of(this), corrected, unchecked)) {
      if (claim.rows() > 0) {
        (claim.removal() ? left : different).add(new Impact.Matched(claim.place(), claim.rows()));
      }
    }
    return new Corrected(unchecked, left, different);
  }

  /** The columns in which it sets values. */
  private Set<String> changedColumns() {
    Set<String> changed = new TreeSet<>(String.CASE_INSENSITIVE_ORDER);
    for (RowChange change : rowChanges) {
      change.assignments().forEach(assignment -> changed.add(assignment.field().name()));
    }
    return changed;
  }

  /**
   * What corrections say of a corrected table, and in how many rows it does not hold.
   *
   * @param removal whether it says that rows are gone, else that they have a value
   */
  private record Claim(
      Corrections corrections, String place, boolean removal, Column fails, long rows) {
    Claim in(long found) {
      return new Claim(corrections, place, removal, fails, found);
    }
  }

  /** A change among those of several corrections. */
  private record Step(Corrections corrections, RowChange change, Set<String> readable) {
    /** Whether the condition tells on the corrected table which rows it has matched. */
    boolean isReadable() {
      return change.isReadIn(readable);
    }

    Column matches(Dataset<Row> corrected) {
      if (change.where() != null) {
        SqlExpressions.resolve(
            corrected.sparkSession(),
            corrected.schema(),
            corrections.file + ": " + change.wherePlace() + " on the corrected data",
            change.where());
      }
      return change.matches();
    }

    Claim claim(String place, boolean removal, Column fails) {
      return new Claim(corrections, place, removal, fails, 0);
    }
  }

  private static List<Claim> claims(
      List<Corrections> several, Dataset<Row> corrected, List<String> unchecked) {
    List<Step> lastFirst = lastFirst(several, corrected);
    List<Claim> claims = new ArrayList<>();
    for (Step step : lastFirst) {
      RowChange change = step.change();
      if (change.removes() && step.isReadable()) {
        claims.add(step.claim(change.wherePlace(), true, step.matches(corrected)));
      } else if (change.removes()) {
        unchecked.add(change.wherePlace());
      }
    }
    Collections.reverse(claims); // in the order of the file
    Collections.reverse(unchecked);
    for (StructField field : corrected.schema().fields()) {
      differs(field.name(), lastFirst, corrected).ifPresent(claims::add);
    }
    if (claims.isEmpty()) {
      return claims;
    }
    long[] counts;
    try {
      counts =
          count(
              corrected,
              claims.stream().map(Claim::fails).toList(),
              "look for what should be corrected in the corrected data");
    } catch (Exception e) {
      throw several
          .get(several.size() - 1)
          .withoutValues(e, "the conditions on the corrected data");
    }
    return IntStream.range(0, counts.length).mapToObj(i -> claims.get(i).in(counts[i])).toList();
  }

  private static List<Step> lastFirst(List<Corrections> several, Dataset<Row> corrected) {
    Set<String> readable = new TreeSet<>(String.CASE_INSENSITIVE_ORDER);
    readable.addAll(Arrays.asList(corrected.schema().fieldNames()));
    List<Step> steps = new ArrayList<>();
    for (int i = several.size() - 1; i >= 0; i--) {
      Corrections corrections = several.get(i);
      // what it sets is not what its conditions have read, nor what those before it have
      corrections.changedColumns().forEach(readable::remove);
      Set<String> read = new TreeSet<>(String.CASE_INSENSITIVE_ORDER);
      read.addAll(readable);
      for (int j = corrections.rowChanges.size() - 1; j >= 0; j--) {
        steps.add(new Step(corrections, corrections.rowChanges.get(j), read));
      }
    }
    return steps;
  }

  /** Which rows do not have a column's constant: of several changes, that of the last. */
  private static Optional<Claim> differs(
      String column, List<Step> lastFirst, Dataset<Row> corrected) {
    Column cell = TableColumns.column(column);
    Column differs = functions.when(functions.lit(false), false);
    @Nullable Claim first = null;
    for (Step step : lastFirst) {
      for (Assignment assignment : step.change().assignments()) {
        if (assignment.field().name().equalsIgnoreCase(column)) {
          if (!step.isReadable()) {
            // nobody knows which rows it has changed, whose values before count no more
            return Optional.ofNullable(first);
          }
          differs =
              differs.when(
                  step.matches(corrected),
                  assignment.isConstant() ? assignment.differs(cell) : functions.lit(false));
          if (assignment.isConstant()) {
            first = step.claim(assignment.place(), false, differs.otherwise(false));
          }
        }
      }
    }
    return Optional.ofNullable(first);
  }

  private static List<Fault> faults(RowChange change, LabelDomain labels) {
    List<Fault> faults = new ArrayList<>();
    for (Assignment a : change.assignments()) {
      if (a.rawType().equals(DataTypes.NullType)) {
        if (a.weight()) {
          add(faults, change, a, "the new weight is NULL", functions.lit(true));
        }
        continue;
      }
      DataType type = a.field().dataType();
      Column raw = functions.expr(a.raw());
      Column value = functions.expr(a.value());
      boolean cast = !a.raw().equals(a.value());
      if (cast) {
        add(
            faults,
            change,
            a,
            "the new value does not convert to " + type.catalogString(),
            raw.isNotNull().and(value.isNull()));
      }
      boolean neverNull = a.label() || a.weight() || !a.field().nullable();
      add(
          faults,
          change,
          a,
          "the new value is NULL",
          neverNull ? raw.isNull() : raw.isNull().and(a.original().isNotNull()));
      if (type instanceof DoubleType || type instanceof FloatType) {
        Column magnitude = functions.abs(value);
        add(
            faults,
            change,
            a,
            "the new value is NaN or infinite",
            // In Spark's order NaN is above every number, infinity included.
            magnitude.geq(Double.POSITIVE_INFINITY));
      }
      if (cast && isFractional(a.rawType()) && isIntegral(type)) {
        add(
            faults,
            change,
            a,
            "the new value is not an integer, and the column is " + type.catalogString(),
            functions.not(value.cast(DataTypes.DoubleType).eqNullSafe(raw.cast("double"))));
      }
      if (a.weight() && type instanceof NumericType) {
        add(faults, change, a, "the new weight is not greater than 0", value.leq(0));
      }
      if (a.label()) {
        add(
            faults,
            change,
            a,
            "the new label is not " + labels.description(),
            labels.violated(a.value()));
      }
    }
    return faults;
  }

  /** The value is evaluated where the condition matches and nowhere else. */
  private static void add(
      List<Fault> faults, RowChange change, Assignment a, String complaint, Column fault) {
    faults.add(new Fault(a.place(), complaint, functions.when(change.matches(), fault)));
  }

  /**
   * Counts, for every flag, the rows where it is true. An RDD action, because adaptive execution
   * makes two jobs of a SQL aggregate.
   */
  private static long[] count(Dataset<Row> rows, List<Column> flags, String description) {
    Column[] columns = new Column[flags.size()];
    for (int i = 0; i < columns.length; i++) {
      columns[i] = Conditions.orFalse(flags.get(i)).as("flag" + i);
    }
    SparkContext context = rows.sparkSession().sparkContext();
    @Nullable String before = context.getLocalProperty("spark.job.description");
    context.setJobDescription("lethe: " + description);
    try {
      return WithholdingRows.rdd(rows.select(columns))
          .aggregate(new long[columns.length], new CountFlags(), new AddCounts());
    } finally {
      context.setLocalProperty("spark.job.description", before);
    }
  }

  private static final class CountFlags
      implements Function2<long[], InternalRow, long[]>, Serializable {
    private static final long serialVersionUID = 1L;

    @Override
    public long[] call(long[] counts, InternalRow flags) {
      for (int i = 0; i < counts.length; i++) {
        if (flags.getBoolean(i)) {
          counts[i]++;
        }
      }
      return counts;
    }
  }

  private static final class AddCounts implements Function2<long[], long[], long[]>, Serializable {
    private static final long serialVersionUID = 1L;

    @Override
    public long[] call(long[] left, long[] right) {
      for (int i = 0; i < left.length; i++) {
        left[i] += right[i];
      }
      return left;
    }
  }

  /**
   * Finds the expression that fails, one at a time; this costs jobs on the way to an error only.
   */
  private RuntimeException evaluationFailure(
      Exception failure, Dataset<Row> original, LabelDomain labels) {
    if (dataError(failure) == null) {
      return unchecked(failure);
    }
    for (RowChange change : rowChanges) {
      try {
        count(original, List.of(change.matches()), "find the expression that fails");
      } catch (Exception e) {
        return withoutValues(e, change.wherePlace());
      }
      for (Fault fault : faults(change, labels)) {
        try {
          count(original, List.of(fault.flag()), "find the expression that fails");
        } catch (Exception e) {
          return withoutValues(e, fault.place());
        }
      }
    }
    return withoutValues(failure, "the changes");
  }

  /** Spark's messages about a row quote its values: only the error class is kept. */
  private RuntimeException withoutValues(Exception e, String place) {
    @Nullable String condition = dataError(e);
    if (condition == null) {
      return unchecked(e);
    }
    return refuse(place, "cannot be evaluated on some row of the data (" + condition + ")");
  }

  /** The error class of the innermost Spark error, or null if no row is to blame. */
  private static @Nullable String dataError(Throwable e) {
    @Nullable String found = null;
    if (Outage.of(e).isPresent() || SparkErrors.kind(e).startsWith("FAILED_READ_FILE")) {
      return null;
    }
    for (Throwable t : SparkErrors.causes(e).toList()) {
      String condition = SparkErrors.condition(t);
      if (!condition.isEmpty()) {
        found = condition;
      } else {
        found = SparkErrors.arithmetic(t).map(n -> n.toUpperCase(Locale.ROOT)).orElse(found);
      }
    }
    return found;
  }

  private static RuntimeException unchecked(Exception e) {
    return e instanceof RuntimeException r ? r : new IllegalStateException(e);
  }

  private InvalidInputException refuse(String place, String complaint) {
    return new InvalidInputException(file + ": " + place + ": " + complaint);
  }

  private void requireSchema(Dataset<Row> original) {
    if (!List.of(original.schema().fieldNames()).equals(List.of(schema.fieldNames()))) {
      throw new IllegalArgumentException(
          "the table has the columns "
              + List.of(original.schema().fieldNames())
              + ", not those of the corrections, "
              + List.of(schema.fieldNames()));
    }
  }

  /** Equal but for nullability inside; a vector is not the struct that it is stored as. */
  private static boolean sameType(DataType a, DataType b) {
    boolean userDefined = a instanceof UserDefinedType || b instanceof UserDefinedType;
    return a.equals(b) || (!userDefined && a.catalogString().equals(b.catalogString()));
  }

  private static String typeName(DataType type) {
    return type.equals(SQLDataTypes.VectorType()) ? "vector" : type.catalogString();
  }

  private static boolean castsToAtomic(DataType to) {
    return to instanceof NumericType
        || to instanceof StringType
        || to instanceof BooleanType
        || to instanceof DateType
        || to instanceof TimestampType
        || to instanceof TimestampNTZType
        || to instanceof BinaryType;
  }

  private static boolean isFractional(DataType type) {
    return type instanceof DoubleType || type instanceof FloatType || type instanceof DecimalType;
  }

  private static boolean isIntegral(DataType type) {
    return type instanceof ByteType
        || type instanceof ShortType
        || type instanceof IntegerType
        || type instanceof LongType;
  }
}
