package dev.lethe.spark.ml;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lethe.spark.InvalidInputException;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.apache.spark.ml.Model;
import org.apache.spark.ml.classification.ClassificationModel;
import org.apache.spark.ml.classification.LinearSVCModel;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.ml.classification.OneVsRestModel;
import org.apache.spark.ml.linalg.Matrices;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.ml.param.ParamPair;
import org.apache.spark.ml.regression.GeneralizedLinearRegressionModel;
import org.apache.spark.ml.regression.IsotonicRegressionModel;
import org.apache.spark.ml.regression.LinearRegressionModel;
import org.apache.spark.sql.types.Metadata;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Spark ML predictors as parameters and objective, and back; which are refused, and why. */
class LinearModelTest {
  private static LogisticRegressionModel binary(String uid) {
    return new LogisticRegressionModel(uid, Vectors.dense(1, 2), 0.5);
  }

  private static OneVsRestModel oneVsRest(ClassificationModel<?, ?>... models) {
    return new OneVsRestModel("ovr", Metadata.empty(), models);
  }

  private static GeneralizedLinearRegressionModel generalized(
      String family, String link, double regParam, boolean intercept) {
    GeneralizedLinearRegressionModel model =
        new GeneralizedLinearRegressionModel("glm", Vectors.dense(1, 2), 0);
    model.set(model.family(), family);
    if (!link.isEmpty()) {
      model.set(model.link(), link);
    }
    model.set("regParam", regParam);
    model.set("fitIntercept", intercept);
    return model;
  }

  private static void assertRefused(Model<?> model, String... messages) {
    assertThatThrownBy(() -> LinearModel.of(model, "--model m"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageStartingWith("--model m: ")
        .satisfies(e -> assertThat(e.getMessage()).contains(messages));
  }

  @ParameterizedTest
  @EnumSource(TrainableLoss.class)
  void withParameters_everyLoss_roundTripsParametersAndParams(TrainableLoss loss) {
    double regParam = loss == TrainableLoss.BINOMIAL ? 0 : 0.1; // it has no penalised objective
    Model<?> model =
        loss.untrained(new TrainableLoss.Params(regParam, true, true, "f", "y", "w", false), 3, 4);
    LinearModel linear = LinearModel.of(model, "test");
    assertThat(linear.loss().margins()).isEqualTo(loss.countsClasses() ? 4 : 1);
    double[] theta = new SplittableRandom(3).doubles(linear.layout().size(), 0.5, 2).toArray();
    theta[1] = 0;
    Model<?> changed = linear.withParameters(theta);
    assertThat(LinearModel.of(changed, "test").parameters()).isEqualTo(theta);
    assertThat(changed.uid()).isEqualTo(model.uid());
    assertThat(changed).hasSameClassAs(model);
    for (ParamPair<?> pair : model.extractParamMap().toList().toArray(new ParamPair<?>[0])) {
      assertThat(changed.getOrDefault(changed.getParam(pair.param().name())))
          .as(pair.param().name())
          .isEqualTo(pair.value());
    }
    assertThat(linear.labelColumn()).isEqualTo("y");
    assertThat(linear.featuresColumn()).isEqualTo("f");
    assertThat(linear.weightColumn()).isEqualTo("w");
    assertThat(linear.regParam()).isEqualTo(regParam);
  }

  @Test
  void withParameters_oneVsRest_roundTrips() {
    LinearModel linear = LinearModel.of(oneVsRest(binary("a"), binary("b"), binary("c")), "test");
    assertThat(linear.layout().margins()).isEqualTo(3);
    assertThat(linear.parameters()).containsExactly(1, 2, 0.5, 1, 2, 0.5, 1, 2, 0.5);
    double[] theta = {1, 2, 3, 4, 0, 6, 7, 8, 9};
    OneVsRestModel changed = (OneVsRestModel) linear.withParameters(theta);
    assertThat(LinearModel.of(changed, "test").parameters()).isEqualTo(theta);
    assertThat(Arrays.stream(changed.models()).map(Model::uid)).containsExactly("a", "b", "c");
  }

  /** What a refit needs; read by Spark ML's own getters. */
  @ParameterizedTest
  @EnumSource(TrainableLoss.class)
  void withParameters_otherNumberOfFeatures_areThoseOfItsSparkMlModel(TrainableLoss loss) {
    double regParam = loss.standardizes() ? 0.1 : 0;
    for (boolean intercept : new boolean[] {true, false}) {
      TrainableLoss.Params params =
          new TrainableLoss.Params(regParam, true, intercept, "f", "y", null, false);
      LinearModel linear = LinearModel.of(loss.untrained(params, 3, 4), "test");
      for (int features : new int[] {2, 5}) {
        int margins = loss.countsClasses() ? 4 : 1;
        int scalars = loss == TrainableLoss.HUBER ? 1 : 0;
        int stride = features + (intercept ? 1 : 0);
        double[] theta = new double[margins * stride + scalars];
        Arrays.setAll(theta, j -> j + 1);
        Model<?> changed = linear.withParameters(theta);
        for (int k = 0; k < margins; k++) {
          int from = k * stride;
          assertThat(coefficients(changed, k))
              .containsExactly(Arrays.copyOfRange(theta, from, from + features));
          assertThat(intercept(changed, k)).isEqualTo(intercept ? theta[from + features] : 0);
        }
        if (scalars > 0) {
          assertThat(((LinearRegressionModel) changed).scale()).isEqualTo(theta[theta.length - 1]);
        }
        LinearModel read = LinearModel.of(changed, "test");
        assertThat(read.features()).isEqualTo(features);
        assertThat(read.parameters()).isEqualTo(theta);
        assertThat(read.penaltyRule()).isEqualTo(linear.penaltyRule());
      }
    }
  }

  private static double[] coefficients(Model<?> model, int margin) {
    if (model instanceof OneVsRestModel reduction) {
      return coefficients(reduction.models()[margin], 0);
    } else if (model instanceof LogisticRegressionModel logistic) {
      return logistic.coefficientMatrix().toDense().rowIter().drop(margin).next().toArray();
    } else if (model instanceof LinearSVCModel machine) {
      return machine.coefficients().toArray();
    } else if (model instanceof GeneralizedLinearRegressionModel generalized) {
      return generalized.coefficients().toArray();
    }
    return ((LinearRegressionModel) model).coefficients().toArray();
  }

  private static double intercept(Model<?> model, int margin) {
    if (model instanceof OneVsRestModel reduction) {
      return intercept(reduction.models()[margin], 0);
    } else if (model instanceof LogisticRegressionModel logistic) {
      return logistic.interceptVector().apply(margin);
    } else if (model instanceof LinearSVCModel machine) {
      return machine.intercept();
    } else if (model instanceof GeneralizedLinearRegressionModel generalized) {
      return generalized.intercept();
    }
    return ((LinearRegressionModel) model).intercept();
  }

  @Test
  void of_modelsWithoutSuchAnObjective_refused() {
    assertRefused(
        new IsotonicRegressionModel(),
        "IsotonicRegressionModel",
        "supported are",
        "LinearSVCModel");
  }

  @Test
  void of_hingeOfSparkMl_refusedWithWhatToTrain() {
    assertRefused(
        new LinearSVCModel("linearsvc_1f2e", Vectors.dense(1, 2), 0),
        "stage linearsvc_1f2e",
        "hinge",
        "has a corner",
        "lethe train --loss smoothed-hinge or squared-hinge");
    assertRefused(
        oneVsRest(new LinearSVCModel("svc", Vectors.dense(1, 2), 0)), "stage svc", "hinge");
  }

  @Test
  void of_elasticNet_refused() {
    LogisticRegressionModel logistic = binary("a");
    logistic.set(logistic.elasticNetParam(), 0.5);
    logistic.set("regParam", 0.1);
    assertRefused(
        logistic, "L1 penalty", "elasticNetParam = 0.5", "Allowed is elasticNetParam = 0");
    LinearRegressionModel linear = new LinearRegressionModel("l", Vectors.dense(1, 2), 0, 1);
    linear.set(linear.elasticNetParam(), 0.5);
    linear.set("regParam", 0.1);
    assertRefused(linear, "L1 penalty");
    linear.set("regParam", 0.0);
    assertThat(LinearModel.of(linear, "test").regParam()).isZero();
  }

  @Test
  void of_boundsOnCoefficients_refused() {
    LogisticRegressionModel logistic = binary("a");
    logistic.set(logistic.upperBoundsOnCoefficients(), Matrices.ones(1, 2));
    assertRefused(logistic, "upperBoundsOnCoefficients", "Fit without bounds");
  }

  @ParameterizedTest
  @CsvSource({
    "poisson, identity",
    "poisson, sqrt",
    "gamma, inverse",
    "gamma, ''",
    "gamma, identity",
    "binomial, probit",
    "binomial, cloglog",
    "gaussian, log",
    "gaussian, inverse",
    "tweedie, ''"
  })
  void of_familyAndLinkThatAreNotConvex_refused(String family, String link) {
    assertRefused(
        generalized(family, link, 0, true), "family '" + family + "'", "supported are gaussian");
  }

  @ParameterizedTest
  @CsvSource({"poisson, log, false", "binomial, logit, true", "binomial, '', false"})
  void of_penaltyDividedByWorkingWeights_refused(String family, String link, boolean intercept) {
    assertRefused(
        generalized(family, link, 0.1, intercept),
        "regParam = 0.1",
        "minimises no objective",
        "regParam = 0");
    assertThat(LinearModel.of(generalized(family, link, 0, intercept), "test").regParam()).isZero();
  }

  @Test
  void of_offset_refused() {
    GeneralizedLinearRegressionModel model = generalized("poisson", "log", 0, true);
    model.set(model.offsetCol(), "exposure");
    assertRefused(model, "offsetCol = 'exposure'");
  }

  @Test
  void of_oneVsRestOfUnlikeModels_refused() {
    LogisticRegressionModel other = binary("b");
    other.set("regParam", 0.3);
    assertRefused(oneVsRest(binary("a"), other), "stage ovr", "must be the same for all classes");
    assertRefused(
        oneVsRest(
            new LogisticRegressionModel("m", Matrices.ones(3, 2), Vectors.dense(1, 2, 3), 3, true)),
        "supported are binary classifiers");
  }

  /** The mark is the uid, which copies and saved models keep. */
  @Test
  void of_perturbedUid_isPerturbedAndPenalisesTheIntercept() {
    Model<?> untrained =
        TrainableLoss.LOGISTIC.untrained(
            new TrainableLoss.Params(0.1, true, true, "f", "y", null, true), 2, 2);
    LinearModel model = LinearModel.of(untrained.copy(ParamMap.empty()), "test");
    assertThat(model.isPerturbed()).isTrue();
    assertThat(model.penaltyRule().intercept()).isTrue();
    assertThat(LinearModel.of(model.withParameters(new double[] {1, 2, 3}), "t").isPerturbed())
        .isTrue();
    LinearModel ordinary = LinearModel.of(binary("logreg_lethe_1"), "test");
    assertThat(ordinary.isPerturbed()).isFalse();
    assertThat(ordinary.penaltyRule().intercept()).isFalse();
  }

  @Test
  void of_oneVsRestOfPerturbedModels_refused() {
    assertRefused(
        oneVsRest(binary("logreg_perturbed_1"), binary("logreg_perturbed_2")),
        "loss perturbation",
        "on its own only");
  }

  @Test
  void of_interceptThatTheObjectiveLacks_refused() {
    for (Model<?> model :
        new Model<?>[] {
          binary("a"),
          new LinearRegressionModel("l", Vectors.dense(1, 2), 1, 1),
          new GeneralizedLinearRegressionModel("g", Vectors.dense(1, 2), 1),
          new LinearSVCModel("linearsvc_squared-hinge_1", Vectors.dense(1, 2), 1)
        }) {
      model.set("fitIntercept", false);
      assertRefused(model, "fitIntercept = false");
    }
  }

  @Test
  void of_coefficientThatIsNoNumber_refused() {
    assertRefused(
        new LinearRegressionModel("l", Vectors.dense(1, Double.NaN), 0, 1), "not a finite number");
  }
}
