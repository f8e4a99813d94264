package dev.lethe.spark.ml;

import dev.lethe.core.loss.GammaLoss;
import dev.lethe.core.loss.LogisticLoss;
import dev.lethe.core.loss.LossFunction;
import dev.lethe.core.loss.PoissonLoss;
import dev.lethe.core.loss.SquaredLoss;
import dev.lethe.core.objective.PenaltyRule;
import dev.lethe.core.objective.PenaltyRule.Basis;
import dev.lethe.core.objective.PenaltyRule.Deviation;
import dev.lethe.spark.InvalidInputException;
import java.util.Locale;
import org.apache.spark.ml.Model;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.ml.regression.GeneralizedLinearRegressionModel;

/**
 * GeneralizedLinearRegression. Gaussian with the identity link is fitted by weighted least squares,
 * like LinearRegression's normal equations. All others by iteratively reweighted least squares:
 * each step minimises (1 / 2V) sum v (z - s)^2 + regParam/2 sum theta_j^2 with working weights v =
 * w l''(s) and V = sum v, so the fixed point solves
 *
 * <pre>
 *   sum_i w_i l'(s_i) x_i + regParam V(theta) theta = 0.
 * </pre>
 *
 * This is the gradient of an objective only where V is a constant: regParam = 0; Gamma with the log
 * link, whose v is w; Poisson with an intercept, where V = sum w e^s = sum w y.
 */
final class GeneralizedModel extends LinearModel {
  private final GeneralizedLinearRegressionModel model;

  private GeneralizedModel(
      GeneralizedLinearRegressionModel model, LossFunction loss, PenaltyRule rule) {
    super(model, loss, rule, model.numFeatures(), model.getFitIntercept());
    this.model = model;
  }

  static GeneralizedModel of(GeneralizedLinearRegressionModel model, String stage) {
    requireNoIntercept(stage, model.getFitIntercept(), model.intercept());
    if (model.isSet(model.offsetCol()) && !model.getOffsetCol().isEmpty()) {
      throw new InvalidInputException(
          stage
              + " was fitted with offsetCol = '"
              + model.getOffsetCol()
              + "'; supported are models without an offset");
    }
    String family = model.getFamily().toLowerCase(Locale.ROOT);
    String link =
        model.isDefined(model.link())
            ? model.getLink().toLowerCase(Locale.ROOT)
            : canonicalLink(family);
    double regParam = model.getRegParam();
    switch (family + " " + link) {
      case "gaussian identity":
        return new GeneralizedModel(
            model,
            SquaredLoss.INSTANCE,
            new PenaltyRule(
                regParam, Deviation.POPULATION, Deviation.POPULATION, Basis.TOTAL_WEIGHT));
      case "gamma log":
        return new GeneralizedModel(model, GammaLoss.INSTANCE, PenaltyRule.ofMean(regParam, false));
      case "poisson log":
        requireObjective(stage, family, regParam, model.getFitIntercept(), "fitIntercept = true, ");
        return new GeneralizedModel(
            model,
            PoissonLoss.INSTANCE,
            new PenaltyRule(regParam, Deviation.NONE, Deviation.NONE, Basis.WEIGHTED_LABELS));
      case "binomial logit":
        requireObjective(stage, family, regParam, false, "");
        return new GeneralizedModel(
            model, LogisticLoss.OF_PROPORTIONS, PenaltyRule.ofMean(regParam, false));
      default:
        throw new InvalidInputException(
            stage
                + " has family '"
                + family
                + "' with link '"
                + link
                + "'; supported are gaussian with identity, binomial with logit, poisson with log,"
                + " and gamma with log: of the others the likelihood is not convex, or not defined"
                + " for every parameter");
    }
  }

  private static String canonicalLink(String family) {
    return switch (family) {
      case "gaussian" -> "identity";
      case "binomial" -> "logit";
      case "poisson" -> "log";
      case "gamma" -> "inverse";
      default -> "power";
    };
  }

  private static void requireObjective(
      String stage, String family, double regParam, boolean constantWeight, String alternative) {
    if (regParam > 0 && !constantWeight) {
      throw new InvalidInputException(
          stage
              + " has family '"
              + family
              + "' and regParam = "
              + regParam
              + ": its fit divides the penalty by working weights that depend on the parameters, so"
              + " it minimises no objective and there is no minimiser to be close to. Allowed is "
              + alternative
              + "regParam = 0"
              + (family.equals("binomial") ? ", or LogisticRegression" : ""));
    }
  }

  @Override
  public double[] parameters() {
    return join(model.coefficients().toArray(), model.intercept());
  }

  @Override
  public Model<?> withParameters(double[] theta) {
    return withParamsOf(
        model,
        new GeneralizedLinearRegressionModel(
            model.uid(), Vectors.dense(coefficients(theta, 0)).compressed(), intercept(theta, 0)));
  }
}
