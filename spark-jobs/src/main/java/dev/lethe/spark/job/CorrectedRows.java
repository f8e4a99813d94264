package dev.lethe.spark.job;

import static org.apache.spark.sql.functions.expr;
import static org.apache.spark.sql.functions.not;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.TableColumns;
import dev.lethe.spark.data.Overwrites;
import dev.lethe.spark.data.Snapshots;
import dev.lethe.spark.data.Table;
import dev.lethe.spark.request.Change;
import dev.lethe.spark.request.Corrections;
import dev.lethe.spark.request.LabelDomain;
import dev.lethe.spark.request.Request;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructField;
import org.jspecify.annotations.Nullable;

/**
 * The raw rows of a change, before and after, and those that it touches, however the corrections
 * arrive. Where a corrected table is given, the request's changes of rows are taken as made.
 */
sealed interface CorrectedRows {

  /** The request, checked against the columns. */
  Corrections corrections();

  /** All rows as they are now. */
  Dataset<Row> corrected();

  /** All rows as they were; null if only the corrected table is there. */
  @Nullable Dataset<Row> original();

  /** Whether every row is touched. */
  boolean touchesAllRows();

  /** The touched rows as they were; some source may skip all others. */
  Dataset<Row> touchedOriginal();

  /** The touched rows as they are now. */
  Dataset<Row> touchedCorrected();

  /**
   * Joins two tables by the key, in a Spark job; null without a key.
   *
   * @throws InvalidInputException if the key does not identify rows
   */
  default Snapshots.@Nullable Difference difference() {
    return null;
  }

  /**
   * Checks the rows; a Spark job or two, none if no row changes.
   *
   * @throws InvalidInputException if the rows contradict the request, a key does not identify rows,
   *     or no row changes that should
   */
  Found inspect(LabelDomain labels);

  /**
   * What the rows say.
   *
   * @param touched rows that the request touches; null if not counted
   * @param unchecked conditions of the request that a corrected table does not show to be met:
   *     places in the request
   * @param difference what a join by key found; null without one
   */
  record Found(
      @Nullable Long touched, List<String> unchecked, Snapshots.@Nullable Difference difference) {}

  /**
   * Reads the tables' schemas and checks request and keys against them.
   *
   * @param file names the request, for messages
   * @param label the tables' label column
   */
  static CorrectedRows of(
      SparkSession spark,
      GivenTables given,
      Request request,
      String file,
      LoadedModel model,
      String label) {
    Dataset<Row> table = given.tables().get(0).read(spark);
    if (given instanceof GivenTables.Corrected) {
      return new Given(table, checked(spark, request, file, model, label, table, true));
    }
    if (given instanceof GivenTables.Snapshots tables) {
      Dataset<Row> corrected = tables.corrected().read(spark);
      return new Joined(
          Snapshots.of(
              tables.data(),
              table,
              tables.corrected(),
              corrected,
              tables.key(),
              counts(model, label)),
          checked(spark, request, file, model, label, corrected, true),
          request.changes().stream().anyMatch(Change.RemoveFeatures.class::isInstance));
    }
    Corrections corrections = checked(spark, request, file, model, label, table, false);
    if (given instanceof GivenTables.Overwritten tables) {
      Table source = tables.corrections();
      return new Changed(
          table,
          corrections,
          Overwrites.of(tables.data(), table, source, source.read(spark), tables.key()),
          label,
          model.linear().weightColumn());
    }
    if (request.changes().isEmpty()) {
      throw new InvalidInputException(
          file
              + ": the key 'changes' is missing; a request without changes needs a table that says"
              + " what changes: --corrected or --corrections");
    }
    return new Changed(table, corrections, null, label, model.linear().weightColumn());
  }

  private static Corrections checked(
      SparkSession spark,
      Request request,
      String file,
      LoadedModel model,
      String label,
      Dataset<Row> table,
      boolean corrected) {
    return Corrections.of(
        spark,
        request,
        table.schema(),
        label,
        model.linear().weightColumn(),
        file,
        corrected ? Corrections.Lacking.COLUMNS : Corrections.Lacking.NOTHING);
  }

  /**
   * The corrected table with cells of some kind. Corrected rows are the last change: they overwrite
   * what the request sets.
   *
   * @param rows of the original table, which may have further columns
   */
  static Dataset<Row> corrected(
      Corrections corrections,
      @Nullable Overwrites overwrites,
      Dataset<Row> rows,
      Corrections.Cells cells) {
    return overwrites == null
        ? corrections.corrected(rows, cells)
        : corrections.corrected(overwrites.marked(rows), new Overwritten(overwrites, cells));
  }

  /**
   * Refuses labels and weights among corrected rows that no model can learn from; a job or two, if
   * they have such columns.
   */
  static void requireLegal(
      Overwrites overwrites, String label, LabelDomain labels, @Nullable String weight) {
    overwrites.refuse(
        label,
        sql -> expr(sql).isNull().or(labels.violated(sql)),
        "the new label is NULL or not " + labels.description());
    if (weight != null) {
      overwrites.refuse(
          weight,
          // in Spark's order NaN is above every number, infinity included
          sql -> not(expr(sql).gt(0).and(expr(sql).lt(Double.POSITIVE_INFINITY))),
          "the new weight is not greater than 0 and finite");
    }
  }

  /** The columns that decide an example: all of the table's where it cannot be seen. */
  private static Predicate<String> counts(LoadedModel model, String label) {
    Set<String> read = model.featurizer().tableColumns().orElse(null);
    String weight = model.linear().weightColumn();
    return column ->
        read == null
            || column.equalsIgnoreCase(label)
            || column.equalsIgnoreCase(weight)
            || read.stream()
                .anyMatch(
                    name ->
                        name.equalsIgnoreCase(column)
                            || name.regionMatches(true, 0, column + ".", 0, column.length() + 1));
  }

  /** The original table, which the request and perhaps corrected rows change. */
  record Changed(
      Dataset<Row> original,
      Corrections corrections,
      @Nullable Overwrites overwrites,
      String label,
      @Nullable String weight)
      implements CorrectedRows {
    @Override
    public Dataset<Row> corrected() {
      return overwrites == null
          ? corrections.corrected(original)
          : CorrectedRows.corrected(corrections, overwrites, original, Corrections.TYPED);
    }

    @Override
    public boolean touchesAllRows() {
      return corrections.touchesAllRows();
    }

    @Override
    public Dataset<Row> touchedOriginal() {
      return overwrites == null
          ? corrections.touchedOriginal(original)
          : touched(overwrites)
              .select(
                  Arrays.stream(original.columns())
                      .map(TableColumns::column)
                      .toArray(Column[]::new));
    }

    @Override
    public Dataset<Row> touchedCorrected() {
      return overwrites == null
          ? corrections.touchedCorrected(original)
          : corrections.corrected(
              touched(overwrites), new Overwritten(overwrites, Corrections.TYPED));
    }

    /** The same of other rows. */
    Changed on(Dataset<Row> rows) {
      return new Changed(rows, corrections, overwrites, label, weight);
    }

    private Dataset<Row> touched(Overwrites overwrites) {
      return overwrites.marked(original).where(corrections.touches().or(overwrites.matches()));
    }

    @Override
    public Found inspect(LabelDomain labels) {
      Long touched =
          corrections.hasRowChanges()
              ? Long.valueOf(corrections.inspect(original, labels).touchedRows())
              : null;
      if (overwrites != null) {
        requireLegal(overwrites, label, labels, weight);
      }
      return new Found(touched, List.of(), difference());
    }

    @Override
    public Snapshots.@Nullable Difference difference() {
      return overwrites == null ? null : new Snapshots.Difference(0, 0, overwrites.inspect());
    }
  }

  /** Cells under those of corrected rows. */
  record Overwritten(Overwrites overwrites, Corrections.Cells cells) implements Corrections.Cells {
    @Override
    public Column unchanged(StructField field) {
      return overwritten(field, cells.unchanged(field));
    }

    @Override
    public Column changed(StructField field, Column value) {
      return overwritten(field, cells.changed(field, value));
    }

    private Column overwritten(StructField field, Column otherwise) {
      if (!overwrites.overwrites(field)) {
        return otherwise;
      }
      Column value = cells.changed(field, overwrites.value(field));
      return functions.when(overwrites.matches(), value).otherwise(otherwise);
    }
  }

  /** The corrected table alone. */
  record Given(Dataset<Row> corrected, Corrections corrections) implements CorrectedRows {
    @Override
    public @Nullable Dataset<Row> original() {
      return null;
    }

    @Override
    public boolean touchesAllRows() {
      return true;
    }

    @Override
    public Dataset<Row> touchedOriginal() {
      throw new IllegalStateException("the original rows are not there");
    }

    @Override
    public Dataset<Row> touchedCorrected() {
      return corrected;
    }

    @Override
    public Found inspect(LabelDomain labels) {
      return new Found(null, corrections.requireCorrected(corrected), null);
    }
  }

  /**
   * The table before and after.
   *
   * @param removesFeatures whether the request does, so that no row needs to differ
   */
  record Joined(Snapshots snapshots, Corrections corrections, boolean removesFeatures)
      implements CorrectedRows {
    @Override
    public Dataset<Row> corrected() {
      return snapshots.corrected();
    }

    @Override
    public Dataset<Row> original() {
      return snapshots.original();
    }

    @Override
    public boolean touchesAllRows() {
      return false;
    }

    @Override
    public Dataset<Row> touchedOriginal() {
      return snapshots.touchedOriginal();
    }

    @Override
    public Dataset<Row> touchedCorrected() {
      return snapshots.touchedCorrected();
    }

    @Override
    public Found inspect(LabelDomain labels) {
      List<String> unchecked = corrections.requireCorrected(snapshots.corrected());
      return new Found(
          null, unchecked, removesFeatures ? difference() : snapshots.someDifference());
    }

    @Override
    public Snapshots.Difference difference() {
      return snapshots.difference();
    }
  }
}
