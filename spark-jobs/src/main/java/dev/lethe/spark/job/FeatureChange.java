package dev.lethe.spark.job;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.featurizer.FeatureRemoval;
import dev.lethe.spark.featurizer.Featurizer;
import dev.lethe.spark.featurizer.PlaceholderColumns;
import dev.lethe.spark.featurizer.RemovedFeature;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.apache.spark.ml.Transformer;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * Features that leave a model, and those that an earlier release took out of it: the slots that are
 * 0, and how rows are featurised.
 *
 * <p>A removed column no longer decides anything, not even which rows are there or whether they can
 * be featurised: a value that every stage accepts stands in for it, whether the table has it or
 * not.
 */
final class FeatureChange {
  private final List<Transformer> originalStages;
  private final FeatureRemoval removal;
  private final BitSet removedEarlier;
  private final Set<String> missing;

  private FeatureChange(
      List<Transformer> originalStages,
      FeatureRemoval removal,
      BitSet removedEarlier,
      Set<String> missing) {
    this.originalStages = originalStages;
    this.removal = removal;
    this.removedEarlier = removedEarlier;
    this.missing = missing;
  }

  /**
   * Follows the features through the model's stages.
   *
   * @param table raw rows; it may lack a column that {@code features} names, and one whose slots
   *     are all among {@code removedEarlier}
   * @param features that leave now
   * @param removedEarlier slots that left in an earlier release
   * @param label the table's label column
   * @param place names the table, for messages
   * @throws InvalidInputException if a feature cannot be removed, the table lacks a column that is
   *     still needed, or no feature would be left
   */
  static FeatureChange of(
      LoadedModel model,
      Dataset<Row> table,
      List<RemovedFeature> features,
      BitSet removedEarlier,
      String label,
      String place) {
    Featurizer featurizer = model.featurizer();
    List<RemovedFeature> all = new ArrayList<>(features);
    Set<String> gone = new TreeSet<>();
    if (!removedEarlier.isEmpty()) {
      gone = missing(featurizer, table, label);
      for (RemovedFeature feature : features) {
        gone.removeIf(feature.column()::equalsIgnoreCase);
      }
      gone.forEach(column -> all.add(RemovedFeature.column(column, place)));
    }
    Set<String> missing = new TreeSet<>(gone);
    for (RemovedFeature feature : features) {
      if (feature.isColumn() && isRaw(featurizer, feature.column())) {
        missing.add(feature.column());
      }
    }
    for (String column : table.columns()) {
      missing.removeIf(column::equalsIgnoreCase);
    }
    FeatureRemoval removal =
        FeatureRemoval.of(
            featurizer,
            PlaceholderColumns.fill(table, featurizer.stages(), missing),
            all,
            label,
            model.logistic().weightColumn());
    if (!gone.isEmpty()) {
      requireGone(model, table, missing, gone, removedEarlier, label, place);
    }
    FeatureChange change =
        new FeatureChange(featurizer.stages(), removal, (BitSet) removedEarlier.clone(), missing);
    if (change.removedSlots().cardinality() >= model.logistic().features()) {
      throw new InvalidInputException(
          place
              + ": with the features that earlier releases removed, the request removes every one of"
              + " the "
              + model.logistic().features()
              + " features of the model; leave at least one");
    }
    return change;
  }

  /** That every missing column left the model in an earlier release. */
  private static void requireGone(
      LoadedModel model,
      Dataset<Row> table,
      Set<String> missing,
      Set<String> gone,
      BitSet removedEarlier,
      String label,
      String place) {
    Featurizer featurizer = model.featurizer();
    BitSet needed =
        slots(
            FeatureRemoval.of(
                featurizer,
                PlaceholderColumns.fill(table, featurizer.stages(), missing),
                gone.stream().map(column -> RemovedFeature.column(column, place)).toList(),
                label,
                model.logistic().weightColumn()));
    needed.andNot(removedEarlier);
    if (!needed.isEmpty()) {
      throw new InvalidInputException(
          place
              + ": the model reads "
              + (gone.size() == 1 ? "a column" : "columns")
              + " that the table does not have: "
              + String.join(", ", gone)
              + "; only what an earlier release removed may be missing");
    }
  }

  /** Raw columns that the stages read and the table lacks, the label's apart. */
  private static Set<String> missing(Featurizer featurizer, Dataset<Row> table, String label) {
    Set<String> missing = new TreeSet<>(featurizer.readColumns());
    missing.removeIf(column -> !isRaw(featurizer, column) || column.equalsIgnoreCase(label));
    for (String column : table.columns()) {
      missing.removeIf(column::equalsIgnoreCase);
    }
    return missing;
  }

  private static boolean isRaw(Featurizer featurizer, String column) {
    return featurizer.madeColumns().stream().noneMatch(column::equalsIgnoreCase);
  }

  private static BitSet slots(FeatureRemoval removal) {
    boolean[] slots = removal.removedSlots();
    BitSet set = new BitSet(slots.length);
    for (int j = 0; j < slots.length; j++) {
      set.set(j, slots[j]);
    }
    return set;
  }

  /** Corrected rows, featurised as the published model featurises. */
  Dataset<Row> featurized(Dataset<Row> corrected) {
    return Featurizer.transform(removal.publishedStages(), withoutRemoved(corrected));
  }

  /** Original rows, featurised by the old model's stages. */
  Dataset<Row> originallyFeaturized(Dataset<Row> original) {
    return Featurizer.transform(originalStages, complete(original));
  }

  /** Original rows, featurised by the published model's stages. */
  Dataset<Row> originalAsPublished(Dataset<Row> original) {
    return Featurizer.transform(removal.publishedStages(), complete(original));
  }

  /** The rows with a placeholder in place of every removed column. */
  Dataset<Row> withoutRemoved(Dataset<Row> rows) {
    return PlaceholderColumns.replace(complete(rows), originalStages, removal.removedColumns());
  }

  private Dataset<Row> complete(Dataset<Row> rows) {
    return PlaceholderColumns.fill(rows, originalStages, missing);
  }

  List<Transformer> publishedStages() {
    return removal.publishedStages();
  }

  /** Slots that are 0 from now on: those that leave and those that have left. */
  BitSet removedSlots() {
    BitSet removed = slots(removal);
    removed.or(removedEarlier);
    return removed;
  }

  /** Slots of features that an earlier release removed. */
  BitSet removedEarlier() {
    return (BitSet) removedEarlier.clone();
  }
}
