package dev.lethe.spark.ml;

import dev.lethe.core.loss.MarginLoss;
import dev.lethe.core.loss.OneVsRestLoss;
import dev.lethe.spark.InvalidInputException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.ml.Model;
import org.apache.spark.ml.classification.ClassificationModel;
import org.apache.spark.ml.classification.OneVsRestModel;
import org.jspecify.annotations.Nullable;

/**
 * OneVsRest: one binary model a class, each the minimiser of its own objective on the labels "this
 * class or not". Together they minimise the sum of the objectives.
 */
final class OneVsRest extends LinearModel {
  private final OneVsRestModel model;
  private final List<LinearModel> binaries;

  private OneVsRest(OneVsRestModel model, MarginLoss loss, List<LinearModel> binaries) {
    super(
        model,
        new OneVsRestLoss(loss, binaries.size()),
        binaries.get(0).penaltyRule(),
        binaries.get(0).features(),
        binaries.get(0).fitIntercept());
    this.model = model;
    this.binaries = binaries;
  }

  static OneVsRest of(OneVsRestModel model, String stage) {
    List<LinearModel> binaries = new ArrayList<>();
    for (ClassificationModel<?, ?> binary : model.models()) {
      binaries.add(LinearModel.of(binary, stage));
    }
    if (binaries.stream().anyMatch(LinearModel::isPerturbed)) {
      throw new InvalidInputException(
          stage
              + " has binary models that were trained with loss perturbation, which Lethe supports"
              + " for a model on its own only");
    }
    LinearModel first = binaries.get(0);
    if (!(first.loss() instanceof MarginLoss loss) || first.loss().classes() != 2) {
      throw new InvalidInputException(
          stage
              + " reduces to models with the loss "
              + first.loss().name()
              + "; supported are binary classifiers");
    }
    for (LinearModel other : binaries) {
      if (other.loss() != first.loss()
          || !other.penaltyRule().equals(first.penaltyRule())
          || other.fitIntercept() != first.fitIntercept()
          || other.features() != first.features()) {
        throw new InvalidInputException(
            stage
                + " has binary models of different objectives; loss, regParam, standardization and"
                + " fitIntercept must be the same for all classes");
      }
    }
    return new OneVsRest(model, loss, binaries);
  }

  @Override
  public @Nullable String rawPredictionColumn() {
    return null;
  }

  @Override
  public double[] parameters() {
    return binaries.stream()
        .flatMapToDouble(binary -> Arrays.stream(binary.parameters()))
        .toArray();
  }

  @Override
  public Model<?> withParameters(double[] theta) {
    int stride = layoutOf(theta).stride();
    ClassificationModel<?, ?>[] changed = new ClassificationModel<?, ?>[binaries.size()];
    for (int k = 0; k < changed.length; k++) {
      double[] own = Arrays.copyOfRange(theta, k * stride, (k + 1) * stride);
      changed[k] = (ClassificationModel<?, ?>) binaries.get(k).withParameters(own);
    }
    return withParamsOf(model, new OneVsRestModel(model.uid(), model.labelMetadata(), changed));
  }
}
