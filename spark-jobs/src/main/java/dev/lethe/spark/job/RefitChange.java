package dev.lethe.spark.job;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.featurizer.Featurizer;
import dev.lethe.spark.featurizer.FeaturizerRefit;
import dev.lethe.spark.featurizer.RemovedFeature;
import java.util.BitSet;
import java.util.List;
import org.apache.spark.ml.Transformer;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * A model whose featurizer is to be fitted again: what its stages become, and the parameters that
 * the update starts from.
 */
final class RefitChange {
  private final LoadedModel model;
  private final FeatureChange features;
  private final FeaturizerRefit refit;

  private RefitChange(LoadedModel model, FeatureChange features, FeaturizerRefit refit) {
    this.model = model;
    this.features = features;
    this.refit = refit;
  }

  /**
   * Checks what can be checked without reading rows.
   *
   * @param features the features that leave {@code model}
   * @param named those that the request names
   * @param place the request, for messages
   * @throws InvalidInputException if a stage cannot be fitted again, or features leave that are not
   *     whole columns of the table
   */
  static RefitChange of(
      LoadedModel model, FeatureChange features, List<RemovedFeature> named, String place) {
    for (RemovedFeature feature : named) {
      if (!feature.isColumn() || !features.removesColumn(feature.column())) {
        throw new InvalidInputException(
            feature.place()
                + ": '"
                + feature.label()
                + "' is not a column of the table, and slots are others after a refit; with"
                + " featurizer: refit name a column of the table, or use featurizer: frozen");
      }
    }
    BitSet slots = features.removedSlotsOfStages();
    if (!slots.isEmpty()) {
      throw new InvalidInputException(
          place
              + ": featurizer: refit: slot "
              + slots.nextSetBit(0)
              + " of '"
              + model.featurizer().featuresCol()
              + "', which an earlier release removed, is not all that stems from a column that the"
              + " stages still read, so it cannot be followed through a refit; use featurizer:"
              + " frozen");
    }
    return new RefitChange(
        model, features, FeaturizerRefit.of(model.featurizer(), features.removedColumns(), place));
  }

  /**
   * Fits the featurizer to the corrected rows.
   *
   * @param corrected not featurised
   * @param place names the data, for messages
   * @return the model with the new featurizer. A coefficient has moved to the new slot of the same
   *     name; those of other slots are 0
   */
  LoadedModel fit(Dataset<Row> corrected, int partitions, String place) {
    return SparkFailures.sanitized(place, () -> fitted(corrected, partitions, place));
  }

  private LoadedModel fitted(Dataset<Row> corrected, int partitions, String place) {
    FeaturizerRefit.Fitted fitted =
        refit.fit(features.complete(corrected), corrected, partitions, place);
    int[] oldSlots = fitted.oldSlots();
    double[] theta = model.linear().layout().rearranged(oldSlots, model.linear().parameters());
    Transformer start =
        model.featurizer().publishKept(fitted.stages(), model.linear().withParameters(theta));
    return LoadedModel.of(start, "--model", model.path());
  }

  /** Where the published stages and params are not those of this refit, the fitted state aside. */
  List<String> differences(Featurizer published) {
    return refit.differences(published);
  }
}
