package dev.lethe.spark.featurizer;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A feature that the model shall no longer have: a whole column ({@code race}), or one slot of a
 * vector column by index ({@code features[17]}) or by the name in the column's ML attributes
 * ({@code features[age]}).
 *
 * @param column a column of the table, or one that a stage of the featurizer makes
 * @param index the slot, from 0; null for a whole column or a slot by name
 * @param slotName the slot's attribute name; null for a whole column or a slot by index
 * @param place where the request says so, for messages: {@code changes[0].removeFeatures[1]}
 */
public record RemovedFeature(
    String column, @Nullable Integer index, @Nullable String slotName, String place) {

  public RemovedFeature {
    Objects.requireNonNull(column, "column");
    Objects.requireNonNull(place, "place");
    if (index != null && slotName != null) {
      throw new IllegalArgumentException(
          place + ": a slot is named by index or by name, got index " + index + " and " + slotName);
    }
  }

  /** A whole column. */
  public static RemovedFeature column(String column, String place) {
    return new RemovedFeature(column, null, null, place);
  }

  /** One slot of a vector column, counted from 0. */
  public static RemovedFeature slot(String column, int index, String place) {
    return new RemovedFeature(column, index, null, place);
  }

  /** One slot of a vector column, by its ML attribute name. */
  public static RemovedFeature slot(String column, String slotName, String place) {
    return new RemovedFeature(column, null, slotName, place);
  }

  /** True if the feature is a whole column. */
  public boolean isColumn() {
    return index == null && slotName == null;
  }

  /** The feature as the request writes it: {@code race}, {@code features[17]}. */
  public String label() {
    if (isColumn()) {
      return column;
    }
    return column + "[" + (index != null ? index.toString() : slotName) + "]";
  }
}
