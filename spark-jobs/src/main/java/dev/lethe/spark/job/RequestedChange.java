package dev.lethe.spark.job;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.data.TableSource;
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
import org.apache.spark.SparkContext;
import org.apache.spark.ml.Transformer;
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
  private final Dataset<Row> table;
  private final boolean tableIsCorrected;
  private final Corrections corrections;
  private final FeatureChange features;
  private final LoadedModel model;

  private RequestedChange(
      Request request,
      Dataset<Row> table,
      boolean tableIsCorrected,
      Corrections corrections,
      FeatureChange features,
      LoadedModel model) {
    this.request = request;
    this.table = table;
    this.tableIsCorrected = tableIsCorrected;
    this.corrections = corrections;
    this.features = features;
    this.model = model;
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
   * Checks all of the request that can be checked without reading rows.
   *
   * @param tableIsCorrected whether the table has the row changes already
   * @param removedEarlier slots that an earlier release took out of the model
   * @param label the table's label column
   */
  static RequestedChange of(
      SparkSession spark,
      Request request,
      String requestFile,
      LoadedModel model,
      BitSet removedEarlier,
      TableSource source,
      boolean tableIsCorrected,
      String label) {
    Dataset<Row> table = source.read(spark);
    return new RequestedChange(
        request,
        table,
        tableIsCorrected,
        corrections(spark, request, requestFile, model, table, tableIsCorrected, label),
        FeatureChange.of(
            model,
            table,
            removedFeatures(request, requestFile),
            removedEarlier,
            label,
            source.name()),
        model);
  }

  /**
   * Checks the rows: on an original table the new values of those that the request touches, on a
   * corrected one that no removed row is left. One Spark job if the request changes rows.
   *
   * @param place names the data, for messages
   * @return the conditions that could not be checked on a corrected table, since it lacks a column
   *     that they read or the request itself sets one: places in the request
   */
  List<String> inspect(Progress progress, String place) {
    SparkContext context = table.sparkSession().sparkContext();
    progress.phase("matching the request's rows");
    context.setJobDescription(progress.description());
    try {
      if (tableIsCorrected) {
        return SparkFailures.sanitized(place, () -> corrections.requireCorrected(table));
      }
      if (corrections.hasRowChanges()) {
        Impact impact =
            SparkFailures.sanitized(place, () -> corrections.inspect(table, model.labelDomain()));
        progress.matched(impact.touchedRows());
      }
      return List.of();
    } finally {
      context.setJobDescription(null);
    }
  }

  /** The row changes of a request on a table, which may be corrected already. */
  static Corrections corrections(
      SparkSession spark,
      Request request,
      String requestFile,
      LoadedModel model,
      Dataset<Row> table,
      boolean tableIsCorrected,
      String label) {
    String weight = model.linear().weightColumn();
    Corrections.Lacking lacking =
        tableIsCorrected ? Corrections.Lacking.COLUMNS : Corrections.Lacking.NOTHING;
    return Corrections.of(spark, request, table.schema(), label, weight, requestFile, lacking);
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

  Request request() {
    return request;
  }

  /** The stages of the published model. */
  List<Transformer> publishedStages() {
    return features.publishedStages();
  }

  /** Slots that are 0 from now on. */
  BitSet removedSlots() {
    return features.removedSlots();
  }

  /** Slots that an earlier release took out of the model. */
  BitSet removedEarlier() {
    return features.removedEarlier();
  }

  /** All corrected rows, featurised as the published model featurises. */
  Dataset<Row> corrected() {
    return features.featurized(tableIsCorrected ? table : corrections.corrected(table));
  }

  /** All original rows, featurised; null if only the corrected table is there. */
  @Nullable Dataset<Row> original() {
    return tableIsCorrected ? null : features.originallyFeaturized(table);
  }

  /** The original rows as the published stages map them; null as above. */
  @Nullable Dataset<Row> originalAsPublished() {
    return tableIsCorrected ? null : features.originalAsPublished(table);
  }

  /** Whether the gradient difference needs every row: a feature that is removed touches all. */
  boolean touchesAllRows() {
    return !corrections.removedFeatures().isEmpty() || corrections.touchesAllRows();
  }

  /** The rows that the request touches as they were; the source may skip all others. */
  Dataset<Row> touchedOriginal() {
    return features.originallyFeaturized(corrections.touchedOriginal(table));
  }

  /** The same rows as they are now. */
  Dataset<Row> touchedCorrected() {
    return features.featurized(corrections.touchedCorrected(table));
  }
}
