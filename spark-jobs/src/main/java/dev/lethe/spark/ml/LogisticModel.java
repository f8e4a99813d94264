package dev.lethe.spark.ml;

import dev.lethe.core.loss.LogisticLoss;
import dev.lethe.core.loss.MultinomialLogisticLoss;
import dev.lethe.core.objective.PenaltyRule;
import dev.lethe.spark.InvalidInputException;
import org.apache.spark.ml.Model;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.ml.linalg.DenseMatrix;
import org.apache.spark.ml.linalg.Matrix;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.ml.param.Param;

/**
 * LogisticRegression, binary or multinomial: (1/W) sum w l + regParam/2 sum s_j^2 theta_j^2, s_j
 * the unbiased weighted deviation with standardization, 1 without. A multinomial model's intercepts
 * sum to 0, and its coefficients of each column where there is no penalty.
 *
 * <p>Lethe trains a binary one with a perturbed loss, too, whose intercept is penalised. Its uid
 * says so, since a LogisticRegressionModel has no param for it and keeps its uid when it is copied
 * and saved.
 */
final class LogisticModel extends LinearModel {
  /** What the uid of a model with a perturbed loss begins with. */
  static final String PERTURBED_UID = "logreg_perturbed_";

  private final LogisticRegressionModel model;

  private LogisticModel(LogisticRegressionModel model, boolean binary) {
    super(
        model,
        binary ? LogisticLoss.INSTANCE : new MultinomialLogisticLoss(model.numClasses()),
        penaltyRule(model),
        model.numFeatures(),
        model.getFitIntercept());
    this.model = model;
  }

  private static PenaltyRule penaltyRule(LogisticRegressionModel model) {
    PenaltyRule rule = PenaltyRule.ofMean(model.getRegParam(), model.getStandardization());
    return isPerturbed(model) ? rule.withIntercept() : rule;
  }

  private static boolean isPerturbed(LogisticRegressionModel model) {
    return model.uid().startsWith(PERTURBED_UID);
  }

  static LogisticModel of(LogisticRegressionModel model, String stage) {
    int rows = model.coefficientMatrix().numRows();
    if (model.numClasses() < 2) {
      throw new InvalidInputException(
          stage + " was fitted on one class only; there must be at least two");
    }
    requireSmoothPenalty(stage, model.getRegParam(), model.getElasticNetParam());
    for (Param<?> bound :
        new Param<?>[] {
          model.lowerBoundsOnCoefficients(),
          model.upperBoundsOnCoefficients(),
          model.lowerBoundsOnIntercepts(),
          model.upperBoundsOnIntercepts()
        }) {
      if (model.isSet(bound)) {
        throw new InvalidInputException(
            stage
                + " was fitted with "
                + bound.name()
                + ": a constrained minimiser is not a point of zero gradient. Fit without bounds");
      }
    }
    requireNoIntercept(stage, model.getFitIntercept(), model.interceptVector().toArray());
    return new LogisticModel(model, rows == 1);
  }

  @Override
  public boolean isPerturbed() {
    return isPerturbed(model);
  }

  @Override
  public double[] parameters() {
    double[] theta = new double[layout().size()];
    Matrix coefficients = model.coefficientMatrix();
    for (int k = 0; k < layout().margins(); k++) {
      for (int j = 0; j < features(); j++) {
        theta[layout().coefficient(k, j)] = coefficients.apply(k, j);
      }
      if (fitIntercept()) {
        theta[layout().intercept(k)] = model.interceptVector().apply(k);
      }
    }
    return theta;
  }

  @Override
  public Model<?> withParameters(double[] theta) {
    int classes = layout().margins();
    if (classes == 1) {
      return withParamsOf(
          model,
          new LogisticRegressionModel(
              model.uid(),
              Vectors.dense(coefficients(theta, 0)).compressed(),
              intercept(theta, 0)));
    }
    int features = layoutOf(theta).features();
    double[] values = new double[classes * features];
    double[] intercepts = new double[classes];
    for (int k = 0; k < classes; k++) {
      System.arraycopy(coefficients(theta, k), 0, values, k * features, features);
      intercepts[k] = intercept(theta, k);
    }
    return withParamsOf(
        model,
        new LogisticRegressionModel(
            model.uid(),
            new DenseMatrix(classes, features, values, true).compressed(),
            Vectors.dense(intercepts),
            classes,
            true));
  }
}
