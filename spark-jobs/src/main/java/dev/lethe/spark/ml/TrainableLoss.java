package dev.lethe.spark.ml;

import dev.lethe.core.loss.HingeLoss;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.UUID;
import java.util.stream.Collectors;
import org.apache.spark.ml.Model;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.attribute.NominalAttribute;
import org.apache.spark.ml.classification.ClassificationModel;
import org.apache.spark.ml.classification.LinearSVC;
import org.apache.spark.ml.classification.LinearSVCModel;
import org.apache.spark.ml.classification.LogisticRegression;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.ml.classification.OneVsRestModel;
import org.apache.spark.ml.linalg.Matrices;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.ml.regression.GeneralizedLinearRegressionModel;
import org.apache.spark.ml.regression.LinearRegressionModel;
import org.jspecify.annotations.Nullable;

/** The losses that {@code lethe train} fits, each saved as the Spark ML model that has it. */
public enum TrainableLoss {
  /** LogisticRegressionModel, family binomial. */
  LOGISTIC,
  /** LogisticRegressionModel, family multinomial. */
  MULTINOMIAL,
  /** LinearRegressionModel as solver l-bfgs fits it. */
  SQUARED,
  /** LinearRegressionModel with loss huber, epsilon 1.35. */
  HUBER,
  /** LinearSVCModel with the corner of the hinge rounded. */
  SMOOTHED_HINGE,
  /** LinearSVCModel with the square of the hinge. */
  SQUARED_HINGE,
  /** GeneralizedLinearRegressionModel, binomial with the logit link. */
  BINOMIAL,
  /** GeneralizedLinearRegressionModel, Poisson with the log link. */
  POISSON,
  /** GeneralizedLinearRegressionModel, Gamma with the log link. */
  GAMMA,
  /** OneVsRestModel of binary models, each a class against the others. */
  ONE_VS_REST_LOGISTIC(LOGISTIC),
  ONE_VS_REST_SMOOTHED_HINGE(SMOOTHED_HINGE),
  ONE_VS_REST_SQUARED_HINGE(SQUARED_HINGE);

  private final @Nullable TrainableLoss binary;

  TrainableLoss() {
    this(null);
  }

  TrainableLoss(@Nullable TrainableLoss binary) {
    this.binary = binary;
  }

  /**
   * What an estimator would be given.
   *
   * @param regParam Spark ML's, on the mean form
   * @param weight the weight column, or null
   * @param perturbed whether the loss gets a linear term b'theta; LOGISTIC only
   */
  public record Params(
      double regParam,
      boolean standardization,
      boolean fitIntercept,
      String featuresColumn,
      String labelColumn,
      @Nullable String weight,
      boolean perturbed) {}

  /** As it is written on the command line. */
  public String word() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /** All words, for messages. */
  public static String words() {
    return Arrays.stream(values()).map(TrainableLoss::word).collect(Collectors.joining(", "));
  }

  /** The loss of a word, or null. */
  public static @Nullable TrainableLoss of(String word) {
    return Arrays.stream(values())
        .filter(loss -> loss.word().equals(word))
        .findFirst()
        .orElse(null);
  }

  /** Whether the labels say how many classes there are. */
  public boolean countsClasses() {
    return this == MULTINOMIAL || binary != null;
  }

  /** Whether its Spark ML estimator can standardise the penalty. */
  public boolean standardizes() {
    return !List.of(BINOMIAL, POISSON, GAMMA).contains(this);
  }

  /** Where none is given: 0 as in GeneralizedLinearRegression, else one that proofs can rest on. */
  public double defaultRegParam() {
    return standardizes() ? 1e-3 : 0;
  }

  /**
   * A model with zero coefficients that carries the params.
   *
   * @param classes of a multinomial or one-vs-rest model
   */
  public Model<?> untrained(Params params, int features, int classes) {
    if (binary != null) {
      return oneVsRest(binary, params, features, classes);
    }
    Model<?> model =
        switch (this) {
          case LOGISTIC ->
              new LogisticRegressionModel(
                  uid(params.perturbed() ? LogisticModel.PERTURBED_UID : "logreg_lethe_"),
                  Vectors.zeros(features),
                  0);
          case MULTINOMIAL ->
              new LogisticRegressionModel(
                  uid("logreg_lethe_"),
                  Matrices.zeros(classes, features),
                  Vectors.zeros(classes),
                  classes,
                  true);
          case SQUARED, HUBER ->
              new LinearRegressionModel(uid("linreg_lethe_"), Vectors.zeros(features), 0, 1);
          case SMOOTHED_HINGE -> supportVector(HingeLoss.SMOOTHED, features);
          case SQUARED_HINGE -> supportVector(HingeLoss.SQUARED, features);
          case BINOMIAL, POISSON, GAMMA ->
              new GeneralizedLinearRegressionModel(uid("glm_lethe_"), Vectors.zeros(features), 0);
          case ONE_VS_REST_LOGISTIC, ONE_VS_REST_SMOOTHED_HINGE, ONE_VS_REST_SQUARED_HINGE ->
              throw new AssertionError(this);
        };
    setColumns(model, params);
    set(model, "regParam", params.regParam());
    set(model, "fitIntercept", params.fitIntercept());
    if (standardizes()) {
      set(model, "standardization", params.standardization());
    }
    switch (this) {
      case LOGISTIC -> set(model, "family", "binomial");
      case MULTINOMIAL -> set(model, "family", "multinomial");
      case SQUARED -> set(model, "solver", "l-bfgs");
      case HUBER -> set(model, "loss", "huber");
      case BINOMIAL -> setFamily(model, "binomial", "logit");
      case POISSON -> setFamily(model, "poisson", "log");
      case GAMMA -> setFamily(model, "gamma", "log");
      default -> {}
    }
    return model;
  }

  private static Model<?> supportVector(HingeLoss loss, int features) {
    return new LinearSVCModel(uid(SupportVectorModel.uidPrefix(loss)), Vectors.zeros(features), 0);
  }

  private static OneVsRestModel oneVsRest(
      TrainableLoss binary, Params params, int features, int classes) {
    ClassificationModel<?, ?>[] models = new ClassificationModel<?, ?>[classes];
    Arrays.setAll(models, k -> (ClassificationModel<?, ?>) binary.untrained(params, features, 2));
    // Spark ML saves the estimator with the model, and does not load it without one.
    PipelineStage estimator = binary == LOGISTIC ? new LogisticRegression() : new LinearSVC();
    for (String name : List.of("regParam", "fitIntercept", "standardization")) {
      set(estimator, name, models[0].getOrDefault(models[0].getParam(name)));
    }
    OneVsRestModel model =
        new OneVsRestModel(
            uid("oneVsRest_lethe_"),
            NominalAttribute.defaultAttr().withName("label").withNumValues(classes).toMetadata(),
            models);
    set(model, "classifier", estimator);
    setColumns(model, params);
    return model;
  }

  private static void setColumns(Model<?> model, Params params) {
    set(model, "labelCol", params.labelColumn());
    set(model, "featuresCol", params.featuresColumn());
    if (params.weight() != null) {
      set(model, "weightCol", params.weight());
    }
  }

  private static void setFamily(Model<?> model, String family, String link) {
    set(model, "family", family);
    set(model, "link", link);
  }

  private static void set(PipelineStage stage, String name, Object value) {
    stage.set(name, value);
  }

  private static String uid(String prefix) {
    return prefix + UUID.randomUUID().toString().replace("-", "").substring(0, 12);
  }
}
