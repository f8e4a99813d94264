package dev.lethe.spark.ml;

import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.loss.LossFunction;
import dev.lethe.core.model.ParameterLayout;
import dev.lethe.core.objective.PenaltyRule;
import dev.lethe.spark.InvalidInputException;
import java.util.Arrays;
import org.apache.spark.ml.Model;
import org.apache.spark.ml.classification.LinearSVCModel;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.ml.classification.OneVsRestModel;
import org.apache.spark.ml.param.Param;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.ml.param.Params;
import org.apache.spark.ml.regression.GeneralizedLinearRegressionModel;
import org.apache.spark.ml.regression.LinearRegressionModel;
import org.jspecify.annotations.Nullable;

/**
 * A Spark ML predictor that is the minimiser of a smooth convex objective, sum form,
 *
 * <pre>
 *   sum_i w_i l(theta; x_i, y_i) + 1/2 sum_j lambda_j theta_j^2
 * </pre>
 *
 * with the loss l and the penalty rule that its estimator has; intercepts are not penalised, but
 * where the loss is perturbed. Parameters: see {@link ParameterLayout}.
 */
public abstract class LinearModel {
  /** The model classes that can be read, for messages. */
  public static final String SUPPORTED =
      "LogisticRegressionModel, LinearRegressionModel, GeneralizedLinearRegressionModel,"
          + " LinearSVCModel, and OneVsRestModel of one of the binary ones";

  private final Model<?> model;
  private final LossFunction loss;
  private final PenaltyRule penaltyRule;
  private final ParameterLayout layout;

  LinearModel(
      Model<?> model,
      LossFunction loss,
      PenaltyRule penaltyRule,
      int features,
      boolean fitIntercept) {
    this.model = model;
    this.loss = loss;
    this.penaltyRule = penaltyRule;
    this.layout = new ParameterLayout(features, fitIntercept, loss.margins(), loss.scalars());
  }

  /**
   * @param place where the model is, for messages
   * @throws InvalidInputException if it is no such model, or its objective is not of the form above
   */
  public static LinearModel of(Model<?> predictor, String place) {
    String stage = place + ": stage " + predictor.uid();
    LinearModel model;
    if (predictor instanceof LogisticRegressionModel logistic) {
      model = LogisticModel.of(logistic, stage);
    } else if (predictor instanceof LinearRegressionModel regression) {
      model = RegressionModel.of(regression, stage);
    } else if (predictor instanceof GeneralizedLinearRegressionModel generalized) {
      model = GeneralizedModel.of(generalized, stage);
    } else if (predictor instanceof LinearSVCModel machine) {
      model = SupportVectorModel.of(machine, stage);
    } else if (predictor instanceof OneVsRestModel reduction) {
      model = OneVsRest.of(reduction, stage);
    } else {
      throw new InvalidInputException(
          place
              + ": its predictor is a "
              + predictor.getClass().getName()
              + ", which is no minimiser of a smooth convex objective that Lethe knows; supported"
              + " are "
              + SUPPORTED);
    }
    if (!Vectors.isFinite(model.parameters())) {
      throw new InvalidInputException(stage + " has a coefficient that is not a finite number");
    }
    return model;
  }

  /** The loss l. */
  public LossFunction loss() {
    return loss;
  }

  /** How lambda follows from the data. */
  public PenaltyRule penaltyRule() {
    return penaltyRule;
  }

  public ParameterLayout layout() {
    return layout;
  }

  /** d. */
  public int features() {
    return layout.features();
  }

  public boolean fitIntercept() {
    return layout.intercept();
  }

  public double regParam() {
    return penaltyRule.regParam();
  }

  /** Whether the penalty is on s_j theta_j. */
  public boolean standardization() {
    return penaltyRule.features() != PenaltyRule.Deviation.NONE;
  }

  public String featuresColumn() {
    return text(model, "featuresCol");
  }

  public String labelColumn() {
    return text(model, "labelCol");
  }

  public @Nullable String weightColumn() {
    Param<Object> param = model.getParam("weightCol");
    return model.isDefined(param) && !text(model, "weightCol").isEmpty()
        ? text(model, "weightCol")
        : null;
  }

  /** The column of predicted labels. */
  public String predictionColumn() {
    return text(model, "predictionCol");
  }

  /** The column of margins, one for each class, of a binary classifier; null for another model. */
  public @Nullable String rawPredictionColumn() {
    return loss.classes() == 2 && loss.margins() == 1 ? text(model, "rawPredictionCol") : null;
  }

  /** Whether the objective has a linear term b'theta, which is a secret and not in the model. */
  public boolean isPerturbed() {
    return false;
  }

  /** theta. */
  public abstract double[] parameters();

  /**
   * The same model, params and uid with other parameters, which may be of another number of
   * features.
   */
  public abstract Model<?> withParameters(double[] theta);

  /** The layout of parameters of any number of features. */
  public ParameterLayout layoutOf(double[] theta) {
    int stride = (theta.length - layout.scalars()) / layout.margins();
    return new ParameterLayout(
        stride - (layout.intercept() ? 1 : 0),
        layout.intercept(),
        layout.margins(),
        layout.scalars());
  }

  static String text(Params params, String name) {
    return String.valueOf(params.getOrDefault(params.getParam(name)));
  }

  /** Copies all params of {@code from} to a model that was made anew. */
  static <M extends Model<M>> M withParamsOf(M from, M made) {
    from.copyValues(made, ParamMap.empty());
    return made;
  }

  /** Refuses an L1 penalty. */
  static void requireSmoothPenalty(String stage, double regParam, double elasticNetParam) {
    if (regParam > 0 && elasticNetParam > 0) {
      throw new InvalidInputException(
          stage
              + " was fitted with an L1 penalty (elasticNetParam = "
              + elasticNetParam
              + ", regParam = "
              + regParam
              + "): its objective is not smooth and no distance to its minimiser can be proven."
              + " Allowed is elasticNetParam = 0");
    }
  }

  /** Refuses an intercept that the objective does not have. */
  static void requireNoIntercept(String stage, boolean fitIntercept, double... intercepts) {
    for (double intercept : intercepts) {
      if (!fitIntercept && intercept != 0) {
        throw new InvalidInputException(
            stage + " has fitIntercept = false and an intercept that is not 0; it must be 0");
      }
    }
  }

  /** theta of one margin without scalars. */
  final double[] join(double[] coefficients, double intercept) {
    double[] theta = Arrays.copyOf(coefficients, layout.size());
    if (layout.intercept()) {
      theta[layout.intercept(0)] = intercept;
    }
    return theta;
  }

  /** The coefficients of a margin. */
  final double[] coefficients(double[] theta, int margin) {
    ParameterLayout own = layoutOf(theta);
    int from = own.coefficient(margin, 0);
    return Arrays.copyOfRange(theta, from, from + own.features());
  }

  /** The intercept of a margin, or 0. */
  final double intercept(double[] theta, int margin) {
    return layout.intercept() ? theta[layoutOf(theta).intercept(margin)] : 0;
  }
}
