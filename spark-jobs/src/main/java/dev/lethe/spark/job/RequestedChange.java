package dev.lethe.spark.job;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.data.TableSource;
import dev.lethe.spark.featurizer.RemovedFeature;
import dev.lethe.spark.request.Change;
import dev.lethe.spark.request.Corrections;
import dev.lethe.spark.request.FeatureRef;
import dev.lethe.spark.request.FeaturizerPolicy;
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
  private final String label;
  // null where the featurizer is kept, or has been fitted again
  private final @Nullable RefitChange refit;

  private RequestedChange(
      Request request,
      Dataset<Row> table,
      boolean tableIsCorrected,
      Corrections corrections,
      FeatureChange features,
      LoadedModel model,
      String label,
      @Nullable RefitChange refit) {
    this.request = request;
    this.table = table;
    this.tableIsCorrected = tableIsCorrected;
    this.corrections = corrections;
    this.features = features;
    this.model = model;
    this.label = label;
    this.refit = refit;
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
    if (request.featurizer() == FeaturizerPolicy.FORBID) {
      requireNothingLearned(model, requestFile);
    }
    Dataset<Row> table = source.read(spark);
    Corrections corrections =
        corrections(spark, request, requestFile, model, table, tableIsCorrected, label);
    List<RemovedFeature> named = removedFeatures(request, requestFile);
    FeatureChange features =
        FeatureChange.of(model, table, named, removedEarlier, label, source.name());
    return new RequestedChange(
        request,
        table,
        tableIsCorrected,
        corrections,
        features,
        model,
        label,
        request.featurizer() == FeaturizerPolicy.REFIT
            ? RefitChange.of(model, features, named, requestFile)
            : null);
  }

  private static void requireNothingLearned(LoadedModel model, String requestFile) {
    List<String> learned = model.learnedStages();
    if (!learned.isEmpty()) {
      throw new InvalidInputException(
          requestFile
              + ": featurizer: forbid: the model has stages whose state was, or may have been,"
              + " learned from the data: "
              + String.join(", ", learned)
              + "; use frozen or refit, or train a model without them");
    }
  }

  /**
   * Fits the featurizer again, if the request asks for it.
   *
   * @param partitions 0 for the default parallelism
   * @param place names the data, for messages
   * @return the change of the model with the new featurizer, from which no feature has to be
   *     removed any more; this change if the featurizer is kept
   */
  RequestedChange refitted(Progress progress, int partitions, String place) {
    if (refit == null) {
      return this;
    }
    SparkContext context = table.sparkSession().sparkContext();
    progress.phase("fitting the featurizer again");
    context.setJobDescription(progress.description());
    try {
      Dataset<Row> rows = correctedRows();
      LoadedModel fitted = refit.fit(rows, partitions, place);
      FeatureChange kept = FeatureChange.of(fitted, rows, List.of(), new BitSet(), label, place);
      return new RequestedChange(
          request, table, tableIsCorrected, corrections, kept, fitted, label, null);
    } finally {
      context.setJobDescription(null);
    }
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
    String weight = model.logistic().weightColumn();
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

  /** The model that is changed. */
  LoadedModel model() {
    return model;
  }

  private Dataset<Row> correctedRows() {
    return tableIsCorrected ? table : corrections.corrected(table);
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
    return features.featurized(correctedRows());
  }

  /** All original rows, featurised; null if only the corrected table is there. */
  @Nullable Dataset<Row> original() {
    return tableIsCorrected ? null : features.originallyFeaturized(table);
  }

  /**
   * The original rows as the published stages map them; null as above, and if the stages were
   * fitted again: they may not know a category that left.
   */
  @Nullable Dataset<Row> originalAsPublished() {
    return tableIsCorrected || request.featurizer() == FeaturizerPolicy.REFIT
        ? null
        : features.originalAsPublished(table);
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
