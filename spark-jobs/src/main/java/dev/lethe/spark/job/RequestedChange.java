package dev.lethe.spark.job;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.featurizer.FeaturizerRefit;
import dev.lethe.spark.featurizer.RemovedFeature;
import dev.lethe.spark.request.Change;
import dev.lethe.spark.request.Corrections;
import dev.lethe.spark.request.FeatureRef;
import dev.lethe.spark.request.FeaturizerPolicy;
import dev.lethe.spark.request.Request;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Objects;
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
  private final CorrectedRows rows;
  private final FeatureChange features;
  private final FeatureChange originalFeatures;
  private final LoadedModel model;
  private final String label;
  // null where the featurizer is kept, or has been fitted again
  private final @Nullable RefitChange refit;

  private RequestedChange(
      Request request,
      CorrectedRows rows,
      FeatureChange features,
      FeatureChange originalFeatures,
      LoadedModel model,
      String label,
      @Nullable RefitChange refit) {
    this.request = request;
    this.rows = rows;
    this.features = features;
    this.originalFeatures = originalFeatures;
    this.model = model;
    this.label = label;
    this.refit = refit;
  }

  /**
   * Checks all of the request that can be checked without reading rows.
   *
   * @param removedEarlier slots that an earlier release took out of the model
   * @param label the table's label column
   */
  static RequestedChange of(
      SparkSession spark,
      Request request,
      String requestFile,
      LoadedModel model,
      BitSet removedEarlier,
      GivenTables given,
      String label) {
    if (request.featurizer() == FeaturizerPolicy.FORBID) {
      requireNothingLearned(model, requestFile);
    }
    CorrectedRows rows = CorrectedRows.of(spark, given, request, requestFile, model, label);
    List<RemovedFeature> removed = removedFeatures(request, requestFile);
    String corrected =
        given instanceof GivenTables.Snapshots tables ? tables.corrected().name() : given.name();
    FeatureChange features =
        FeatureChange.of(
            model,
            asFeaturized(request, model, rows.corrected()),
            removed,
            removedEarlier,
            label,
            corrected);
    FeatureChange originalFeatures = features;
    if (given instanceof GivenTables.Snapshots tables) {
      // the columns that a table lacks differ between the two
      String place = tables.data().name();
      Dataset<Row> original = Objects.requireNonNull(rows.original());
      try {
        originalFeatures = FeatureChange.of(model, original, removed, removedEarlier, label, place);
      } catch (InvalidInputException e) {
        throw new InvalidInputException(place + ": " + e.getMessage(), e);
      }
    }
    RefitChange refit =
        request.featurizer() == FeaturizerPolicy.REFIT
            ? RefitChange.of(model, features, removed, requestFile)
            : null;
    return new RequestedChange(request, rows, features, originalFeatures, model, label, refit);
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
    Dataset<Row> corrected = correctedTable();
    SparkContext context = corrected.sparkSession().sparkContext();
    progress.phase("fitting the featurizer again");
    context.setJobDescription(progress.description());
    try {
      LoadedModel fitted = refit.fit(corrected, partitions, place);
      FeatureChange kept =
          FeatureChange.of(fitted, corrected, List.of(), new BitSet(), label, place);
      return new RequestedChange(request, rows, kept, kept, fitted, label, null);
    } finally {
      context.setJobDescription(null);
    }
  }

  /**
   * Checks the rows: on an original table the new values of those that the request touches, on a
   * corrected one that no removed row is left, of two tables that the key identifies rows.
   *
   * @param place names the data, for messages
   */
  CorrectedRows.Found inspect(Progress progress, String place) {
    SparkContext context = rows.corrected().sparkSession().sparkContext();
    progress.phase("matching the request's rows");
    context.setJobDescription(progress.description());
    try {
      CorrectedRows.Found found =
          SparkFailures.sanitized(place, () -> rows.inspect(model.labelDomain()));
      if (found.touched() != null) {
        progress.matched(found.touched());
      }
      return found;
    } finally {
      context.setJobDescription(null);
    }
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
                  file + ": " + request.origins().get(i) + ".removeFeatures[" + k + "]"));
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
    return features.featurized(correctedTable());
  }

  /** The corrected rows, before they are featurised. */
  Dataset<Row> correctedTable() {
    return asFeaturized(request, model, rows.corrected());
  }

  /** Corrected rows as a featurizer gets them under the request's policy. */
  static Dataset<Row> asFeaturized(Request request, LoadedModel model, Dataset<Row> corrected) {
    return request.featurizer() == FeaturizerPolicy.REFIT
        ? FeaturizerRefit.withoutCategories(model.featurizer(), corrected)
        : corrected;
  }

  /** All original rows, featurised; null if only the corrected table is there. */
  @Nullable Dataset<Row> original() {
    Dataset<Row> original = rows.original();
    return original == null ? null : originalFeatures.originallyFeaturized(original);
  }

  /**
   * The original rows as the published stages map them; null as above, and if the stages were
   * fitted again: they may not know a category that left.
   */
  @Nullable Dataset<Row> originalAsPublished() {
    Dataset<Row> original = rows.original();
    return original == null || request.featurizer() == FeaturizerPolicy.REFIT
        ? null
        : originalFeatures.originalAsPublished(original);
  }

  /** Whether the gradient difference needs every row: a feature that is removed touches all. */
  boolean touchesAllRows() {
    return !rows.corrections().removedFeatures().isEmpty() || rows.touchesAllRows();
  }

  /**
   * Rows before and after a change, as the published model featurises them.
   *
   * @param before with the changes that were in force
   * @param after with all of the request; null if none of them is left
   */
  record Exchange(Dataset<Row> before, @Nullable Dataset<Row> after) {}

  /**
   * The rows that the changes from {@code first} on touch, where those before it are in force; the
   * source may skip all others.
   */
  Exchange since(SparkSession spark, int first) {
    if (!(rows instanceof CorrectedRows.Changed changed) || changed.overwrites() != null) {
      throw new IllegalStateException("the request alone must say what changes");
    }
    Dataset<Row> touched =
        changed
            .original()
            .where(corrections(spark, changed, first, request.changes().size()).touches());
    Dataset<Row> before =
        first == 0 ? touched : corrections(spark, changed, 0, first).corrected(touched);
    boolean removes =
        request.changes().stream().skip(first).allMatch(Change.RemoveRows.class::isInstance);
    return new Exchange(
        features.featurized(before),
        removes ? null : features.featurized(changed.corrections().corrected(touched)));
  }

  private Corrections corrections(
      SparkSession spark, CorrectedRows.Changed changed, int first, int end) {
    return Corrections.of(
        spark,
        KeptState.part(request, first, end),
        changed.original().schema(),
        label,
        model.linear().weightColumn(),
        "the request",
        Corrections.Lacking.NOTHING);
  }

  /**
   * Whether every row that the request does not touch is featurised as the old model does, but for
   * the slots that leave: so that its examples serve other requests as well. Not where a stage is
   * fitted again or reads fewer columns, or drops rows for what a removed column holds.
   */
  boolean sharesRows() {
    boolean removesColumns = !features.removedColumns().isEmpty();
    return refit == null
        && model.featurizer().mapsRowsByThemselves()
        && rows instanceof CorrectedRows.Changed
        && features.keepsStages()
        && !(removesColumns && model.featurizer().dropsRows());
  }

  /** Whether the request changes rows, which rows, the corrections say. */
  boolean changesRows() {
    return rows.corrections().hasRowChanges();
  }

  Corrections corrections() {
    return rows.corrections();
  }

  /** The raw original rows. */
  Dataset<Row> originalTable() {
    return Objects.requireNonNull(rows.original());
  }

  /**
   * The same change of some rows of the table.
   *
   * @param some original rows, all that the request touches among them
   */
  RequestedChange on(Dataset<Row> some) {
    return new RequestedChange(
        request,
        ((CorrectedRows.Changed) rows).on(some),
        features,
        originalFeatures,
        model,
        label,
        refit);
  }

  /** Original rows that the request does not touch, as the old model featurises them. */
  Dataset<Row> untouched(Dataset<Row> some) {
    return originalFeatures.originallyFeaturized(some);
  }

  /** The rows that the request touches as they were; the source may skip all others. */
  Dataset<Row> touchedOriginal() {
    return originalFeatures.originallyFeaturized(rows.touchedOriginal());
  }

  /** The same rows as they are now. */
  Dataset<Row> touchedCorrected() {
    return features.featurized(rows.touchedCorrected());
  }
}
