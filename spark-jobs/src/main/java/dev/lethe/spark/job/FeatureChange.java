package dev.lethe.spark.job;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.TableColumns;
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
import org.apache.spark.sql.types.StructType;

/**
 * Features that leave a model, and those that an earlier release took out of it: the slots that are
 * 0, and how rows are featurised.
 *
 * <p>A removed column no longer decides anything in the corrected rows, not even which rows are
 * there or whether they can be featurised: a value that every stage accepts stands in for it,
 * whether the table has it or not.
 */
final class FeatureChange {
  private final List<Transformer> originalStages;
  private final FeatureRemoval removal;
  private final BitSet removedEarlier;
  private final Set<String> left;
  private final Set<String> missing;

  private FeatureChange(
      List<Transformer> originalStages,
      FeatureRemoval removal,
      BitSet removedEarlier,
      Set<String> left,
      Set<String> missing) {
    this.originalStages = originalStages;
    this.removal = removal;
    this.removedEarlier = removedEarlier;
    this.left = left;
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
    Set<String> named = new TreeSet<>(String.CASE_INSENSITIVE_ORDER);
    features.stream().filter(RemovedFeature::isColumn).forEach(f -> named.add(f.column()));
    Set<String> others = new TreeSet<>(String.CASE_INSENSITIVE_ORDER);
    if (!removedEarlier.isEmpty()) {
      others.addAll(featurizer.readColumns());
      others.removeAll(named);
      others.remove(label);
      others.removeIf(column -> !isRaw(featurizer, column));
    }
    Set<String> missing = new TreeSet<>(String.CASE_INSENSITIVE_ORDER);
    missing.addAll(named);
    missing.removeIf(column -> !isRaw(featurizer, column));
    missing.addAll(others);
    for (String column : table.columns()) {
      missing.remove(column);
    }
    Dataset<Row> complete = PlaceholderColumns.fill(table, featurizer.stages(), missing);
    requireColumns(featurizer, complete.schema(), place);
    List<RemovedFeature> all = new ArrayList<>(features);
    Set<String> left = new TreeSet<>(String.CASE_INSENSITIVE_ORDER);
    for (String column : others) {
      RemovedFeature feature = RemovedFeature.column(column, place);
      if (hasLeft(model, complete, feature, removedEarlier, label)) {
        all.add(feature);
        left.add(column);
      } else if (missing.contains(column)) {
        throw new InvalidInputException(
            place
                + ": the model reads column '"
                + column
                + "', which the table does not have; only what an earlier release removed may be"
                + " missing");
      }
    }
    FeatureRemoval removal =
        FeatureRemoval.of(featurizer, complete, all, label, model.linear().weightColumn());
    FeatureChange change =
        new FeatureChange(
            featurizer.stages(), removal, (BitSet) removedEarlier.clone(), left, missing);
    if (change.removedSlots().cardinality() >= model.linear().features()) {
      throw new InvalidInputException(
          place
              + ": with the features that earlier releases removed, the request removes every one of"
              + " the "
              + model.linear().features()
              + " features of the model; leave at least one");
    }
    return change;
  }

  /** That the table has what the stages read; where that cannot be seen, Spark finds it missing. */
  private static void requireColumns(Featurizer featurizer, StructType schema, String place) {
    for (String column : featurizer.tableColumns().orElse(Set.of())) {
      String outer = column.substring(0, (column + ".").indexOf('.'));
      if (TableColumns.find(schema, column) == null && TableColumns.find(schema, outer) == null) {
        throw new InvalidInputException(
            place
                + ": the model reads column '"
                + column
                + "', which the table does not have; "
                + TableColumns.list(schema));
      }
    }
  }

  /** Whether every slot that stems from the column left in an earlier release. */
  private static boolean hasLeft(
      LoadedModel model,
      Dataset<Row> complete,
      RemovedFeature column,
      BitSet removedEarlier,
      String label) {
    BitSet slots;
    try {
      slots =
          slots(
              FeatureRemoval.of(
                  model.featurizer(),
                  complete,
                  List.of(column),
                  label,
                  model.linear().weightColumn()));
    } catch (InvalidInputException notRemovable) {
      return false;
    }
    boolean any = !slots.isEmpty();
    slots.andNot(removedEarlier);
    return any && slots.isEmpty();
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
    return Featurizer.assemble(removal.publishedStages(), withoutRemoved(corrected));
  }

  /** Original rows, featurised by the old model's stages. */
  Dataset<Row> originallyFeaturized(Dataset<Row> original) {
    return Featurizer.assemble(originalStages, withoutLeft(original));
  }

  /** Original rows, featurised by the published model's stages. */
  Dataset<Row> originalAsPublished(Dataset<Row> original) {
    return Featurizer.assemble(removal.publishedStages(), withoutLeft(original));
  }

  /** The rows with a placeholder in place of every removed column. */
  Dataset<Row> withoutRemoved(Dataset<Row> rows) {
    return PlaceholderColumns.replace(complete(rows), originalStages, removal.removedColumns());
  }

  /** Original rows are those of the old model: they have what leaves only now. */
  private Dataset<Row> withoutLeft(Dataset<Row> rows) {
    return PlaceholderColumns.replace(complete(rows), originalStages, left);
  }

  /** The rows with a placeholder in every column that the old stages read and the table lacks. */
  Dataset<Row> complete(Dataset<Row> rows) {
    return PlaceholderColumns.fill(rows, originalStages, missing);
  }

  /** Whether the published model has the old one's stages. */
  boolean keepsStages() {
    return removal.publishedStages().equals(originalStages);
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

  /** Whole columns of the table that leave or have left. */
  Set<String> removedColumns() {
    return removal.removedColumns();
  }

  boolean removesColumn(String column) {
    return removal.removedColumns().stream().anyMatch(column::equalsIgnoreCase);
  }

  /** Slots that have left one by one, not with all that stems from a column of the table. */
  BitSet removedSlotsOfStages() {
    BitSet single = (BitSet) removedEarlier.clone();
    single.andNot(slots(removal));
    return single;
  }

  /** Slots of features that an earlier release removed. */
  BitSet removedEarlier() {
    return (BitSet) removedEarlier.clone();
  }
}
