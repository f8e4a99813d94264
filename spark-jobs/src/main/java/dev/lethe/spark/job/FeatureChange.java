package dev.lethe.spark.job;

import dev.lethe.spark.featurizer.FeatureRemoval;
import dev.lethe.spark.featurizer.Featurizer;
import dev.lethe.spark.featurizer.PlaceholderColumns;
import dev.lethe.spark.featurizer.RemovedFeature;
import dev.lethe.spark.ml.LogisticModel;
import java.util.BitSet;
import java.util.Collection;
import java.util.Set;
import java.util.TreeSet;
import org.apache.spark.ml.linalg.SQLDataTypes;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.StructField;

/**
 * Features that leave a model: its slots that become 0, and how corrected rows are featurised.
 *
 * <p>A removed column no longer decides anything, not even which rows are there: where a stage
 * drops rows that it cannot read ({@code handleInvalid = "skip"}), a value that it accepts stands
 * in for the column, as it does where the corrected table lacks the column.
 */
final class FeatureChange {
  private final Featurizer featurizer;
  private final FeatureRemoval removal;

  private FeatureChange(Featurizer featurizer, FeatureRemoval removal) {
    this.featurizer = featurizer;
    this.removal = removal;
  }

  /**
   * @param table with every column that the stages read, see {@link #complete}
   * @param label the table's label column
   * @throws dev.lethe.spark.InvalidInputException if a feature cannot be removed
   */
  static FeatureChange of(
      Featurizer featurizer,
      LogisticModel predictor,
      Dataset<Row> table,
      Collection<RemovedFeature> features,
      String label) {
    return new FeatureChange(
        featurizer,
        FeatureRemoval.of(featurizer, table, features, label, predictor.weightColumn()));
  }

  /** A corrected table with a placeholder for each removed column that it lacks. */
  static Dataset<Row> complete(
      Dataset<Row> corrected, Featurizer featurizer, Collection<RemovedFeature> features) {
    Set<String> missing = new TreeSet<>(String.CASE_INSENSITIVE_ORDER);
    for (RemovedFeature feature : features) {
      if (feature.isColumn()) {
        missing.add(feature.column());
      }
    }
    for (String column : corrected.columns()) {
      missing.remove(column);
    }
    featurizer.madeColumns().forEach(missing::remove);
    return PlaceholderColumns.fill(corrected, featurizer.stages(), missing);
  }

  /** Corrected rows, featurised as the published model featurises. */
  Dataset<Row> featurized(Dataset<Row> corrected) {
    return Featurizer.transform(removal.publishedStages(), withoutRemoved(corrected));
  }

  /** The rows with a placeholder in place of removed columns where their values could drop rows. */
  Dataset<Row> withoutRemoved(Dataset<Row> corrected) {
    if (!featurizer.skipsInvalidRows()) {
      return corrected;
    }
    Set<String> dropped = new TreeSet<>();
    for (StructField field : corrected.schema().fields()) {
      // the size of a vector is not known without its rows: it stays
      if (removal.removedColumns().contains(field.name())
          && !field.dataType().equals(SQLDataTypes.VectorType())) {
        dropped.add(field.name());
      }
    }
    return PlaceholderColumns.fill(
        corrected.drop(dropped.toArray(String[]::new)), featurizer.stages(), dropped);
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
}
