package dev.lethe.spark.job;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.data.TableSource;
import dev.lethe.spark.featurizer.FeatureRemoval;
import dev.lethe.spark.featurizer.Featurizer;
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
  private final Dataset<Row> given;
  private final Dataset<Row> table;
  private final boolean tableIsCorrected;
  private final Corrections corrections;
  private final FeatureChange features;
  private final LoadedModel model;

  /**
   * @param table the given one with placeholders for removed columns that it lacks
   */
  private RequestedChange(
      Request request,
      Dataset<Row> given,
      Dataset<Row> table,
      boolean tableIsCorrected,
      Corrections corrections,
      FeatureChange features,
      LoadedModel model) {
    this.request = request;
    this.given = given;
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
   * @param label the table's label column
   */
  static RequestedChange of(
      SparkSession spark,
      Request request,
      String requestFile,
      LoadedModel model,
      TableSource source,
      boolean tableIsCorrected,
      String label) {
    Featurizer featurizer = model.featurizer();
    List<RemovedFeature> removed = removedFeatures(request, requestFile);
    Dataset<Row> given = source.read(spark);
    Dataset<Row> table =
        tableIsCorrected ? FeatureChange.complete(given, featurizer, removed) : given;
    return new RequestedChange(
        request,
        given,
        table,
        tableIsCorrected,
        corrections(spark, request, requestFile, model, given, tableIsCorrected, label),
        FeatureChange.of(featurizer, model.logistic(), table, removed, label),
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
    SparkContext context = given.sparkSession().sparkContext();
    progress.phase("matching the request's rows");
    context.setJobDescription(progress.description());
    try {
      if (tableIsCorrected) {
        return SparkFailures.sanitized(place, () -> corrections.requireCorrected(given));
      }
      if (corrections.hasRowChanges()) {
        Impact impact =
            SparkFailures.sanitized(place, () -> corrections.inspect(given, model.labelDomain()));
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
    String weight = model.logistic().weightColumn();
    return tableIsCorrected
        ? Corrections.ofCorrected(spark, request, table.schema(), label, weight, requestFile)
        : Corrections.of(spark, request, table.schema(), label, weight, requestFile);
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

  FeatureRemoval removal() {
    return features.removal();
  }

  /** Slots that leave the model. */
  BitSet removedSlots() {
    return features.removedSlots();
  }

  /** All corrected rows, featurised as the published model featurises. */
  Dataset<Row> corrected() {
    return features.featurized(tableIsCorrected ? table : corrections.corrected(table));
  }

  /** All original rows, featurised; null if only the corrected table is there. */
  @Nullable Dataset<Row> original() {
    return tableIsCorrected ? null : model.featurizer().transform(table);
  }

  /** The original rows as the published stages map them; null as above. */
  @Nullable Dataset<Row> originalAsPublished() {
    return tableIsCorrected
        ? null
        : Featurizer.transform(features.removal().publishedStages(), table);
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
        : features.featurized(corrections.touchedCorrected(table));
  }
}
