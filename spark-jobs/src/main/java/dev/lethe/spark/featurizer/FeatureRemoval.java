package dev.lethe.spark.featurizer;

import dev.lethe.spark.InvalidInputException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.SortedSet;
import org.apache.spark.ml.Transformer;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.jspecify.annotations.Nullable;

/**
 * What removing features means for a fitted pipeline: which slots of the model's feature vector go,
 * and with which featurizer stages the model is published.
 *
 * <p>A slot goes if it stems from removed features alone; in the corrected data it is 0 in every
 * row and its coefficient is 0 exactly. A raw zero pushed through the stages is not that: a scaler
 * or an indexer maps it to something else. Slots of a FeatureHasher that other columns share stay,
 * and the published FeatureHasher no longer reads the removed column. Where a stage mixes a removed
 * feature with others for good, or cannot be seen into, the removal is refused.
 *
 * <p>docs/featurizers.md lists the rule for every stage.
 */
public final class FeatureRemoval {
  private final boolean[] removedSlots;
  private final List<Transformer> publishedStages;
  private final Set<String> removedColumns;

  private FeatureRemoval(
      boolean[] removedSlots, List<Transformer> publishedStages, Set<String> removedColumns) {
    this.removedSlots = removedSlots;
    this.publishedStages = publishedStages;
    this.removedColumns = removedColumns;
  }

  /**
   * Follows the features through the stages.
   *
   * <p>Runs no job, but for vector columns without ML attributes (one row is read to learn the
   * size) and FeatureHashers (one made-up row).
   *
   * @param featurizer the fitted model
   * @param table the rows that the stages read; a corrected table that lacks a removed column goes
   *     through {@link PlaceholderColumns#fill} first
   * @param features what to remove; the same feature twice counts once; none gives a removal that
   *     changes nothing
   * @param labelColumn the table's label column, which cannot be removed
   * @param weightColumn the table's weight column, null if there is none
   * @throws InvalidInputException if a feature is unknown, unused, the label or the weight, mixed
   *     with others for good, or if nothing would be left; or if the stages do not make as many
   *     slots as the model has
   */
  public static FeatureRemoval of(
      Featurizer featurizer,
      Dataset<Row> table,
      Collection<RemovedFeature> features,
      @Nullable String labelColumn,
      @Nullable String weightColumn) {
    List<RemovedFeature> distinct = distinct(features);
    refuseReserved(distinct, "label", labelColumn, featurizer.labelCol());
    refuseReserved(distinct, "weight", weightColumn, featurizer.weightCol());
    SlotWalk walk = new SlotWalk(distinct, table);
    for (Transformer stage : featurizer.stages()) {
      walk.step(stage);
    }
    walk.refuseUnknownColumns();
    refuseTainted(walk, distinct, "label", featurizer.labelCol());
    refuseTainted(walk, distinct, "weight", featurizer.weightCol());

    SlotOrigin[] slots = modelSlots(featurizer, walk);
    SortedSet<Integer> used = SlotOrigin.featuresOf(slots);
    for (int id = 0; id < distinct.size(); id++) {
      if (!used.contains(id)) {
        RemovedFeature unused = distinct.get(id);
        throw new InvalidInputException(
            unused.place()
                + ": the model does not use "
                + (unused.isColumn() ? "column '" : "slot '")
                + unused.label()
                + "': no slot of '"
                + featurizer.featuresCol()
                + "' stems from it; take it out of the request");
      }
    }
    boolean[] removed = new boolean[slots.length];
    int left = 0;
    for (int j = 0; j < removed.length; j++) {
      removed[j] = !slots[j].isKept();
      left += removed[j] ? 0 : 1;
    }
    if (left == 0) {
      throw new InvalidInputException(
          distinct.get(0).place()
              + ": the request removes every one of the "
              + removed.length
              + " features of the model; leave at least one");
    }
    return new FeatureRemoval(removed, walk.published(), walk.removedColumns());
  }

  /** For each slot of the model's feature vector, whether it stems from removed features alone. */
  public boolean[] removedSlots() {
    return removedSlots.clone();
  }

  /**
   * The featurizer stages of the published model, one for one with {@link Featurizer#stages}: the
   * same objects, but for FeatureHashers that must not read a removed column any more. Corrected
   * rows are mapped by these.
   */
  public List<Transformer> publishedStages() {
    return publishedStages;
  }

  /** The whole columns of the table that are removed, spelled as in the table. */
  public Set<String> removedColumns() {
    return removedColumns;
  }

  private static List<RemovedFeature> distinct(Collection<RemovedFeature> features) {
    Map<String, RemovedFeature> byLabel = new LinkedHashMap<>();
    for (RemovedFeature feature : features) {
      // the index 3 and a slot whose name is "3" are two features
      byLabel.putIfAbsent((feature.index() == null) + feature.label(), feature);
    }
    return new ArrayList<>(byLabel.values());
  }

  private static SlotOrigin[] modelSlots(Featurizer featurizer, SlotWalk walk) {
    String column = featurizer.featuresCol();
    String predictor = StageColumns.name(featurizer.predictor());
    if (!walk.hasColumn(column) || !walk.isVector(column)) {
      throw new InvalidInputException(
          "predictor "
              + predictor
              + " reads vector column '"
              + column
              + "', which neither the table nor a stage of the model has");
    }
    SlotOrigin[] slots = walk.read(column);
    if (slots.length != featurizer.numFeatures()) {
      throw new InvalidInputException(
          "column '"
              + column
              + "' has "
              + slots.length
              + " slots for this table, predictor "
              + predictor
              + " was fitted on "
              + featurizer.numFeatures()
              + "; the table must have the columns and types that the model was fitted on");
    }
    return slots;
  }

  private static void refuseReserved(
      List<RemovedFeature> features, String role, @Nullable String... columns) {
    Set<String> reserved = new HashSet<>();
    Arrays.stream(columns)
        .filter(column -> column != null)
        .forEach(column -> reserved.add(column.toLowerCase(Locale.ROOT)));
    for (RemovedFeature feature : features) {
      if (reserved.contains(feature.column().toLowerCase(Locale.ROOT))) {
        throw new InvalidInputException(
            feature.place()
                + ": column '"
                + feature.column()
                + "' is the "
                + role
                + " column and cannot be removed; name a feature");
      }
    }
  }

  private static void refuseTainted(
      SlotWalk walk, List<RemovedFeature> features, String role, @Nullable String column) {
    if (column != null && walk.isTainted(column)) {
      int id = SlotOrigin.featuresOf(walk.read(column)).first();
      throw new InvalidInputException(
          features.get(id).place()
              + ": the model's "
              + role
              + " column '"
              + column
              + "' stems from '"
              + features.get(id).label()
              + "', which therefore cannot be removed; name a feature");
    }
  }
}
