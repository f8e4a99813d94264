package dev.lethe.spark.ml;

import dev.lethe.spark.InvalidInputException;
import java.util.Arrays;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.ml.param.Param;
import org.apache.spark.ml.param.ParamMap;
import org.jspecify.annotations.Nullable;

/**
 * A binary Spark ML logistic regression and the objective that it was fitted with:
 *
 * <pre>
 *   (1/W) sum_i w_i l_i + regParam/2 sum_j (s_j theta_j)^2,   W = sum_i w_i,
 * </pre>
 *
 * s_j the unbiased weighted standard deviation of column j with standardization, 1 without; the
 * intercept is not penalised. Parameters: the coefficients, then the intercept if there is one.
 */
public final class LogisticModel {
  private final LogisticRegressionModel model;

  private LogisticModel(LogisticRegressionModel model) {
    this.model = model;
  }

  /**
   * @param place where the model is, for messages
   * @throws InvalidInputException if its objective is not the one above
   */
  public static LogisticModel of(LogisticRegressionModel model, String place) {
    String stage = place + ": stage " + model.uid();
    if (model.numClasses() != 2 || model.coefficientMatrix().numRows() != 1) {
      throw new InvalidInputException(
          stage
              + " is a multinomial logistic regression ("
              + model.numClasses()
              + " classes); supported is the binary one with one row of coefficients (family"
              + " 'binomial')");
    }
    if (model.getRegParam() > 0 && model.getElasticNetParam() > 0) {
      throw new InvalidInputException(
          stage
              + " was fitted with an L1 penalty (elasticNetParam = "
              + model.getElasticNetParam()
              + ", regParam = "
              + model.getRegParam()
              + "): its objective is not smooth and no distance to its minimiser can be proven."
              + " Allowed is elasticNetParam = 0");
    }
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
    if (!model.getFitIntercept() && model.intercept() != 0) {
      throw new InvalidInputException(
          stage + " has fitIntercept = false and an intercept that is not 0; it must be 0");
    }
    LogisticModel result = new LogisticModel(model);
    if (!dev.lethe.core.linalg.Vectors.isFinite(result.parameters())) {
      throw new InvalidInputException(stage + " has a coefficient that is not a finite number");
    }
    return result;
  }

  public LogisticRegressionModel model() {
    return model;
  }

  /** d. */
  public int features() {
    return model.numFeatures();
  }

  public boolean fitIntercept() {
    return model.getFitIntercept();
  }

  public double regParam() {
    return model.getRegParam();
  }

  public boolean standardization() {
    return model.getStandardization();
  }

  public String featuresColumn() {
    return model.getFeaturesCol();
  }

  public String labelColumn() {
    return model.getLabelCol();
  }

  public @Nullable String weightColumn() {
    return model.isDefined(model.weightCol()) && !model.getWeightCol().isEmpty()
        ? model.getWeightCol()
        : null;
  }

  /** The coefficients, then the intercept if the model has one. */
  public double[] parameters() {
    double[] coefficients = model.coefficients().toArray();
    double[] theta = Arrays.copyOf(coefficients, features() + (fitIntercept() ? 1 : 0));
    if (fitIntercept()) {
      theta[features()] = model.intercept();
    }
    return theta;
  }

  /** The same params and uid for another number of features, all parameters 0. */
  public LogisticModel resized(int features) {
    LogisticRegressionModel changed =
        new LogisticRegressionModel(model.uid(), Vectors.zeros(features), 0);
    model.copyValues(changed, ParamMap.empty());
    return new LogisticModel(changed);
  }

  /** The same model, params and uid with other parameters. */
  public LogisticRegressionModel withParameters(double[] theta) {
    int d = features();
    LogisticRegressionModel changed =
        new LogisticRegressionModel(
            model.uid(),
            Vectors.dense(Arrays.copyOf(theta, d)).compressed(),
            fitIntercept() ? theta[d] : 0);
    model.copyValues(changed, ParamMap.empty());
    return changed;
  }
}
