package dev.lethe.spark.ml;

import dev.lethe.core.loss.HingeLoss;
import dev.lethe.core.objective.PenaltyRule;
import dev.lethe.spark.InvalidInputException;
import java.util.List;
import org.apache.spark.ml.Model;
import org.apache.spark.ml.classification.LinearSVCModel;
import org.apache.spark.ml.linalg.Vectors;

/**
 * A linear support vector machine: (1/W) sum w l + regParam/2 sum s_j^2 theta_j^2. Spark ML's own
 * loss, the hinge, is not differentiable; Lethe trains two that are, and the model's uid names
 * which, since a LinearSVCModel has no param for it.
 */
public final class SupportVectorModel extends LinearModel {
  private static final List<HingeLoss> LOSSES = List.of(HingeLoss.SMOOTHED, HingeLoss.SQUARED);

  private final LinearSVCModel model;

  private SupportVectorModel(LinearSVCModel model, HingeLoss loss) {
    super(
        model,
        loss,
        PenaltyRule.ofMean(model.getRegParam(), model.getStandardization()),
        model.numFeatures(),
        model.getFitIntercept());
    this.model = model;
  }

  static SupportVectorModel of(LinearSVCModel model, String stage) {
    HingeLoss loss =
        LOSSES.stream()
            .filter(known -> model.uid().startsWith(uidPrefix(known)))
            .findFirst()
            .orElseThrow(
                () ->
                    new InvalidInputException(
                        stage
                            + " is a LinearSVCModel that was fitted with the hinge loss. The hinge"
                            + " has a corner, so its minimiser is no point of zero gradient and no"
                            + " distance to it can be proven. Train with lethe train --loss"
                            + " smoothed-hinge or squared-hinge, which save a LinearSVCModel as"
                            + " well"));
    requireNoIntercept(stage, model.getFitIntercept(), model.intercept());
    return new SupportVectorModel(model, loss);
  }

  /** What the uid of a model with this loss begins with. */
  public static String uidPrefix(HingeLoss loss) {
    return "linearsvc_" + loss.name() + "_";
  }

  @Override
  public double[] parameters() {
    return join(model.coefficients().toArray(), model.intercept());
  }

  @Override
  public Model<?> withParameters(double[] theta) {
    return withParamsOf(
        model,
        new LinearSVCModel(
            model.uid(), Vectors.dense(coefficients(theta, 0)).compressed(), intercept(theta, 0)));
  }
}
