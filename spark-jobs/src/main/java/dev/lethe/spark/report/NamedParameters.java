package dev.lethe.spark.report;

import dev.lethe.core.model.ParameterLayout;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** The parameters of a model, with names for those that multiply a feature. */
public final class NamedParameters {
  private final ParameterLayout layout;
  private final @Nullable String[] slots;
  private final double[] theta;

  private NamedParameters(ParameterLayout layout, @Nullable String[] slots, double[] theta) {
    this.layout = layout;
    this.slots = slots;
    this.theta = theta;
  }

  /**
   * @param slots names of the d slots of the feature vector; null for one without a name
   * @param theta shape (p)
   * @throws IllegalArgumentException if one of them has another length than the layout
   */
  public static NamedParameters of(
      ParameterLayout layout, @Nullable String[] slots, double[] theta) {
    if (slots.length != layout.features() || theta.length != layout.size()) {
      throw new IllegalArgumentException(
          slots.length
              + " names and "
              + theta.length
              + " parameters for a layout of "
              + layout.features()
              + " features and "
              + layout.size()
              + " parameters");
    }
    return new NamedParameters(layout, slots.clone(), theta.clone());
  }

  int size() {
    return theta.length;
  }

  double value(int parameter) {
    return theta[parameter];
  }

  /** The slot of the feature that a parameter multiplies; negative for intercepts and scalars. */
  int slot(int parameter) {
    int feature = layout.feature(parameter);
    return feature < layout.features() ? feature : -1;
  }

  String name(int parameter) {
    int feature = layout.feature(parameter);
    if (feature < 0) {
      return layout.scalars() == 1
          ? "scale"
          : "scale " + (parameter - layout.margins() * layout.stride());
    }
    String name = feature == layout.features() ? "intercept" : slot(feature, slots[feature]);
    return layout.margins() == 1 ? name : name + ", class " + parameter / layout.stride();
  }

  private static String slot(int feature, @Nullable String name) {
    return name == null || name.isEmpty() ? "slot " + feature : name;
  }

  /** The name of a slot, whatever the class. */
  String slotName(int slot) {
    return slot(slot, slots[slot]);
  }

  /** Whether parameter j is of the same feature in both, for all j. */
  boolean matches(NamedParameters other) {
    return theta.length == other.theta.length
        && layout.margins() == other.layout.margins()
        && layout.intercept() == other.layout.intercept()
        && layout.scalars() == other.layout.scalars()
        && Arrays.equals(slots, other.slots);
  }
}
