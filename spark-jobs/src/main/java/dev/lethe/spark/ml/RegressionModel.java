package dev.lethe.spark.ml;

import dev.lethe.core.loss.HuberLoss;
import dev.lethe.core.loss.LossFunction;
import dev.lethe.core.loss.SquaredLoss;
import dev.lethe.core.objective.PenaltyRule;
import dev.lethe.core.objective.PenaltyRule.Basis;
import dev.lethe.core.objective.PenaltyRule.Deviation;
import org.apache.spark.ml.Model;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.ml.regression.LinearRegressionModel;

/**
 * LinearRegression. Squared loss: (1/2W) sum w r^2 + regParam / (2 s_y) sum s_j^2 theta_j^2, the
 * deviations unbiased where l-bfgs fits and those of the population where the normal equations do.
 * Huber: (1/W) sum w l + regParam/2 sum s_j^2 theta_j^2, with a scale, and no s_y.
 */
final class RegressionModel extends LinearModel {
  /** WeightedLeastSquares.MAX_NUM_FEATURES: solver auto takes the normal equations up to this. */
  private static final int MAX_NORMAL_FEATURES = 4096;

  private final LinearRegressionModel model;

  private RegressionModel(LinearRegressionModel model, LossFunction loss, PenaltyRule rule) {
    super(model, loss, rule, model.numFeatures(), model.getFitIntercept());
    this.model = model;
  }

  static RegressionModel of(LinearRegressionModel model, String stage) {
    requireSmoothPenalty(stage, model.getRegParam(), model.getElasticNetParam());
    requireNoIntercept(stage, model.getFitIntercept(), model.intercept());
    if (isHuber(model)) {
      return new RegressionModel(
          model,
          new HuberLoss(model.getEpsilon()),
          PenaltyRule.ofMean(model.getRegParam(), model.getStandardization()));
    }
    Deviation deviation = usesNormalEquations(model) ? Deviation.POPULATION : Deviation.UNBIASED;
    return new RegressionModel(
        model,
        SquaredLoss.INSTANCE,
        new PenaltyRule(
            model.getRegParam(),
            model.getStandardization() ? deviation : Deviation.NONE,
            deviation,
            Basis.TOTAL_WEIGHT));
  }

  private static boolean isHuber(LinearRegressionModel model) {
    return model.getLoss().equalsIgnoreCase("huber");
  }

  private static boolean usesNormalEquations(LinearRegressionModel model) {
    return switch (model.getSolver()) {
      case "normal" -> true;
      case "auto" -> model.numFeatures() <= MAX_NORMAL_FEATURES;
      default -> false;
    };
  }

  @Override
  public double[] parameters() {
    double[] theta = join(model.coefficients().toArray(), model.intercept());
    if (layout().scalars() > 0) {
      theta[layout().scalar(0)] = model.scale();
    }
    return theta;
  }

  @Override
  public Model<?> withParameters(double[] theta) {
    return withParamsOf(
        model,
        new LinearRegressionModel(
            model.uid(),
            Vectors.dense(coefficients(theta, 0)).compressed(),
            intercept(theta, 0),
            layout().scalars() > 0 ? theta[layoutOf(theta).scalar(0)] : 1));
  }
}
