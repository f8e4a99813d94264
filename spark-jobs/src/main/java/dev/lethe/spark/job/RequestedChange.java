package dev.lethe.spark.job;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.data.TableSource;
import dev.lethe.spark.featurizer.FeatureRemoval;
import dev.lethe.spark.featurizer.Featurizer;
import dev.lethe.spark.featurizer.PlaceholderColumns;
import dev.lethe.spark.featurizer.RemovedFeature;
import dev.lethe.spark.request.Change;
import dev.lethe.spark.request.Corrections;
import dev.lethe.spark.request.FeatureRef;
import dev.lethe.spark.request.Impact;
import dev.lethe.spark.request.Request;
import dev.lethe.spark.request.RequestReader;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * A request, checked against a model and a table: the original and the corrected rows as the
 * model's featurizer maps them, and the slots that leave the model.
 */
final class RequestedChange {
  private final Request request;
  private final LoadedModel model;
  private final Dataset<Row> table;
  private final boolean tableIsCorrected;
  private final Corrections corrections;
  private final FeatureRemoval removal;

  private RequestedChange(
      Request request,
      LoadedModel model,
      Dataset<Row> table,
      boolean tableIsCorrected,
      Corrections corrections,
      FeatureRemoval removal) {
    this.request = request;
    this.model = model;
    this.table = table;
    this.tableIsCorrected = tableIsCorrected;
    this.corrections = corrections;
    this.removal = removal;
  }

  /**
   * Reads a request file on any Hadoop file system.
   *
   * @throws InvalidInputException if it does not exist or is not a request
   */
  static Request readRequest(SparkSession spark, String file) {
    return RequestReader.read(
        file, InputFile.read(spark, "--request", file, RequestReader.MAX_BYTES + 1));
  }

  /**
   * Checks the request against model and table; one Spark job if the request changes rows.
   *
   * @param source the table; its rows are read for the counts only
   * @param tableIsCorrected whether the table has the row changes already
   * @param label the table's label column
   */
  static RequestedChange check(
      SparkSession spark,
      Request request,
      String requestFile,
      LoadedModel model,
      TableSource source,
      boolean tableIsCorrected,
      String label,
      Progress progress) {
    Dataset<Row> given = source.read(spark);
    Dataset<Row> table = given;
    List<RemovedFeature> features = removedFeatures(request, requestFile);
    if (tableIsCorrected) {
      table = withPlaceholders(table, model.featurizer(), wholeColumns(features));
    }
    Corrections corrections =
        Corrections.of(
            spark, request, table.schema(), label, model.logistic().weightColumn(), requestFile);
    FeatureRemoval removal =
        FeatureRemoval.of(
            model.featurizer(), table, features, label, model.logistic().weightColumn());
    String place = source.option() + " " + source.path();
    progress.phase("matching the request's rows");
    spark.sparkContext().setJobDescription(progress.description());
    if (tableIsCorrected) {
      // Not the placeholders: a condition on a column that is gone cannot be checked.
      SparkFailures.sanitized(place, () -> corrections.checkCorrected(given));
    } else if (corrections.hasRowChanges()) {
      Impact impact =
          SparkFailures.sanitized(place, () -> corrections.inspect(given, model.labelDomain()));
      progress.matched(impact.touchedRows());
    }
    spark.sparkContext().setJobDescription(null);
    return new RequestedChange(request, model, table, tableIsCorrected, corrections, removal);
  }

  /** The features that a request removes. */
  static List<RemovedFeature> removedFeatures(Request request, String file) {
    List<RemovedFeature> features = new ArrayList<>();
    for (int i = 0; i < request.changes().size(); i++) {
      if (request.changes().get(i) instanceof Change.RemoveFeatures change) {
        for (int k = 0; k < change.features().size(); k++) {
          FeatureRef f = change.features().get(k);
          features.add(
              new RemovedFeature(
                  f.column(),
                  f.index(),
                  f.attribute(),
                  file + ": changes[" + i + "].removeFeatures[" + k + "]"));
        }
      }
    }
    return features;
  }

  private static Set<String> wholeColumns(List<RemovedFeature> features) {
    Set<String> columns = new TreeSet<>();
    for (RemovedFeature feature : features) {
      if (feature.isColumn()) {
        columns.add(feature.column());
      }
    }
    return columns;
  }

  /** The corrected table with a column that it lacks because it was removed; its slots become 0. */
  static Dataset<Row> withPlaceholders(
      Dataset<Row> table, Featurizer featurizer, Set<String> removedColumns) {
    Set<String> missing = new TreeSet<>(String.CASE_INSENSITIVE_ORDER);
    missing.addAll(removedColumns);
    for (String column : table.columns()) {
      missing.remove(column);
    }
    return missing.isEmpty() ? table : PlaceholderColumns.fill(table, featurizer.stages(), missing);
  }

  Request request() {
    return request;
  }

  Corrections corrections() {
    return corrections;
  }

  FeatureRemoval removal() {
    return removal;
  }

  /** Slots that leave the model. */
  BitSet removedSlots() {
    boolean[] slots = removal.removedSlots();
    BitSet set = new BitSet(slots.length);
    for (int j = 0; j < slots.length; j++) {
      set.set(j, slots[j]);
    }
    return set;
  }

  /** All corrected rows, featurised as the published model featurises. */
  Dataset<Row> corrected() {
    Dataset<Row> rows = tableIsCorrected ? table : corrections.corrected(table);
    return Featurizer.transform(removal.publishedStages(), rows);
  }

  /** All original rows, featurised; null if only the corrected table is there. */
  @Nullable Dataset<Row> original() {
    return tableIsCorrected ? null : model.featurizer().transform(table);
  }

  /** Whether the gradient difference needs every row: a feature that is removed touches all. */
  boolean touchesAllRows() {
    return !corrections.removedFeatures().isEmpty() || corrections.touchesAllRows();
  }

  /** The rows that the request touches as they were; the source may skip all others. */
  Dataset<Row> touchedOriginal() {
    return model
        .featurizer()
        .transform(touchesAllRows() ? table : corrections.touchedOriginal(table));
  }

  /** The same rows as they are now. */
  Dataset<Row> touchedCorrected() {
    return touchesAllRows()
        ? corrected()
        : Featurizer.transform(removal.publishedStages(), corrections.touchedCorrected(table));
  }
}
