package dev.lethe.spark.featurizer;

import java.util.List;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.param.Param;
import org.apache.spark.ml.param.Params;
import org.jspecify.annotations.Nullable;

/** The columns that a stage reads and makes, from its params. */
public final class StageColumns {

  private StageColumns() {}

  /** inputCols if set, else inputCol, else featuresCol (selectors); empty if it has none. */
  public static List<String> inputs(Params stage) {
    return first(stage, "inputCols", "inputCol", "featuresCol");
  }

  /** outputCols if set, else outputCol; empty if it has none. */
  public static List<String> outputs(Params stage) {
    return first(stage, "outputCols", "outputCol");
  }

  /** The value of a string param, null if the stage has none or it is not set. */
  static @Nullable String string(Params stage, String param) {
    return value(stage, param) instanceof String text ? text : null;
  }

  static boolean handlesInvalidBy(Params stage, String choice) {
    return choice.equals(string(stage, "handleInvalid"));
  }

  /** How messages name a stage: {@code Normalizer (normalizer_1f2e)}. */
  public static String name(PipelineStage stage) {
    return stage.getClass().getSimpleName() + " (" + stage.uid() + ")";
  }

  private static List<String> first(Params stage, String... params) {
    for (String param : params) {
      Object value = value(stage, param);
      if (value instanceof String[] many) {
        return List.of(many);
      }
      if (value instanceof String one) {
        return List.of(one);
      }
    }
    return List.of();
  }

  /** The value of a param or its default, null if the stage has none or it is not set. */
  static @Nullable Object value(Params stage, String name) {
    if (!stage.hasParam(name)) {
      return null;
    }
    Param<Object> param = stage.getParam(name);
    return stage.isDefined(param) ? stage.getOrDefault(param) : null;
  }
}
