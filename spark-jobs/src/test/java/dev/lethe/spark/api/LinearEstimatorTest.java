package dev.lethe.spark.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.certificate.Verdict;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.classification.LinearSVCModel;
import org.apache.spark.ml.classification.LogisticRegression;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.ml.evaluation.BinaryClassificationEvaluator;
import org.apache.spark.ml.feature.StringIndexer;
import org.apache.spark.ml.feature.VectorAssembler;
import org.apache.spark.ml.tuning.CrossValidator;
import org.apache.spark.ml.tuning.CrossValidatorModel;
import org.apache.spark.ml.tuning.ParamGridBuilder;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Training in code, against first-order conditions written out here and Spark ML's own fits. */
@ExtendWith(LocalSpark.class)
class LinearEstimatorTest {
  private static final double LAMBDA = 0.05;

  @TempDir Path directory;

  private static VectorAssembler assembler() {
    return new VectorAssembler()
        .setInputCols(new String[] {"age", "visits"})
        .setOutputCol("features");
  }

  private static Dataset<Row> featurized() {
    return assembler().transform(Members.data());
  }

  private static LinearEstimator hinge() {
    return new LinearEstimator().setLoss("smoothed-hinge").setRegParam(LAMBDA);
  }

  /** l(z) = (3/2 - z)^2 / 2 between 1/2 and 3/2, 0 above, 1 - z below. */
  private static double slope(double z) {
    return z >= 1.5 ? 0 : z <= 0.5 ? -1 : z - 1.5;
  }

  @Test
  void fit_smoothedHinge_meetsTheFirstOrderConditions() {
    LinearSVCModel model = (LinearSVCModel) hinge().fit(featurized());

    double[] theta = model.coefficients().toArray();
    List<Row> rows = Members.data().select("age", "visits", "label").collectAsList();
    double[] mean = new double[2];
    double[] square = new double[2];
    double[] gradient = new double[3];
    for (Row row : rows) {
      double sign = 2 * row.getDouble(2) - 1;
      double margin = theta[0] * row.getDouble(0) + theta[1] * row.getDouble(1) + model.intercept();
      double slope = sign * slope(sign * margin) / rows.size();
      for (int j = 0; j < 2; j++) {
        mean[j] += row.getDouble(j) / rows.size();
        square[j] += row.getDouble(j) * row.getDouble(j);
        gradient[j] += slope * row.getDouble(j);
      }
      gradient[2] += slope;
    }
    for (int j = 0; j < 2; j++) {
      double variance = (square[j] - rows.size() * mean[j] * mean[j]) / (rows.size() - 1);
      gradient[j] += LAMBDA * variance * theta[j];
    }
    // 1e-9 in the 2-norm, and what 300 terms of size 80 round off
    assertThat(gradient).containsExactly(new double[3], within(1e-8));
    assertThat(Math.abs(theta[0])).isGreaterThan(1e-3);
  }

  @Test
  void fit_inAPipeline_isSavedLoadedAndUnlearned() throws Exception {
    PipelineModel fitted =
        new Pipeline().setStages(new PipelineStage[] {assembler(), hinge()}).fit(Members.data());
    String path = directory.resolve("model").toString();
    fitted.write().save(path);
    PipelineModel loaded = PipelineModel.load(path);

    UnlearnRequest request =
        UnlearnRequest.builder("svm-1")
            .removeRows("member = 7")
            .certificate(0.5, 1e-5, 1e-6)
            .build();
    try (UnlearnedModel unlearned = new Unlearner().unlearn(loaded, Members.data(), request)) {
      assertThat(unlearned.certificate().verdict()).isEqualTo(Verdict.CERTIFIED);
      assertThat(((PipelineModel) unlearned.model()).stages()[1])
          .isInstanceOf(LinearSVCModel.class);
    }
  }

  private static void assertSame(LinearEstimator loaded, LinearEstimator saved) {
    assertThat(loaded.uid()).isEqualTo(saved.uid());
    assertThat(loaded.explainParams()).isEqualTo(saved.explainParams());
  }

  @Test
  void save_aloneAndInAPipeline_isLoadedWithItsParams() throws Exception {
    LinearEstimator svm =
        hinge()
            .setStandardization(false)
            .setFitIntercept(false)
            .setFeaturesCol("x")
            .setLabelCol("y")
            .setWeightCol("w")
            .setSolver("cg")
            .setMaxSteps(7)
            .setMaxCgIterations(8)
            .setPartitions(9)
            .setGradientNorm(1e-5);
    svm.save(directory.resolve("alone").toString());
    assertSame(LinearEstimator.load(directory.resolve("alone").toString()), svm);

    LinearEstimator stage = hinge();
    Pipeline pipeline = new Pipeline().setStages(new PipelineStage[] {assembler(), stage});
    pipeline.save(directory.resolve("pipeline").toString());
    Pipeline loaded = Pipeline.load(directory.resolve("pipeline").toString());

    assertSame((LinearEstimator) loaded.getStages()[1], stage);
    // equal data in equal partitions
    assertThat(coefficients(loaded.fit(Members.data())))
        .containsExactly(coefficients(pipeline.fit(Members.data())));
  }

  private static double[] coefficients(PipelineModel fitted) {
    return ((LinearSVCModel) fitted.stages()[1]).coefficients().toArray();
  }

  @Test
  void crossValidator_overIt_isUnlearnedSavedAndLoaded() throws Exception {
    LinearEstimator estimator = new LinearEstimator();
    CrossValidatorModel tuned =
        new CrossValidator()
            .setEstimator(new Pipeline().setStages(new PipelineStage[] {assembler(), estimator}))
            .setEvaluator(new BinaryClassificationEvaluator())
            .setEstimatorParamMaps(
                new ParamGridBuilder()
                    .addGrid(estimator.regParam(), new double[] {LAMBDA, 100})
                    .build())
            .setNumFolds(2)
            .setSeed(1)
            .fit(Members.data());
    Dataset<Row> left = Members.data().where("member <> 7");
    UnlearnRequest request =
        UnlearnRequest.builder("tuned-1")
            .removeRows("member = 7")
            .certificate(0.5, 1e-5, 1e-6)
            .build();
    String out = directory.resolve("out").toString();
    Unlearner unlearner = new Unlearner();

    try (UnlearnedModel unlearned = unlearner.unlearn(tuned, Members.data(), request)) {
      LogisticRegressionModel best = last(tuned);
      LogisticRegressionModel retrained =
          (LogisticRegressionModel)
              new LinearEstimator()
                  .setRegParam(best.getRegParam())
                  .fit(assembler().transform(left));
      // rho, and what a gradient of 1e-9 leaves where the curvature is above 1e-3
      assertThat(Arrays.copyOf(unlearned.evidence().unnoisedParameters(), 2))
          .containsExactly(retrained.coefficients().toArray(), within(3e-6));
      unlearned.save(out, directory.resolve("vault").toString());
    }

    CrossValidatorModel loaded = CrossValidatorModel.load(out + "/model");
    assertSame((LinearEstimator) ((Pipeline) loaded.getEstimator()).getStages()[1], estimator);
    assertThat(loaded.getEstimatorParamMaps()).hasSize(2);
    assertThat(last(loaded).getRegParam()).isEqualTo(last(tuned).getRegParam());
    assertThat(unlearner.verifySaved(out, LocalSpark.session()))
        .isNotEmpty()
        .allSatisfy(check -> assertThat(check.passed()).as("%s", check).isTrue());
  }

  private static LogisticRegressionModel last(CrossValidatorModel tuned) {
    return (LogisticRegressionModel) ((PipelineModel) tuned.bestModel()).stages()[1];
  }

  @Test
  void fit_multinomial_isTheMinimiserThatSparkMlApproaches() {
    Dataset<Row> rows =
        featurized().selectExpr("features", "double(pmod(hash(member, 9), 3)) AS label");
    LogisticRegressionModel spark =
        new LogisticRegression().setRegParam(LAMBDA).setTol(1e-14).setMaxIter(1000).fit(rows);

    LogisticRegressionModel ours =
        (LogisticRegressionModel)
            new LinearEstimator().setLoss("multinomial").setRegParam(LAMBDA).fit(rows);

    // Spark ML stops where the objective improves by less than 1e-14 of itself: 1e-7 in theta
    assertThat(ours.coefficientMatrix().toArray())
        .containsExactly(spark.coefficientMatrix().toArray(), within(1e-6));
    assertThat(ours.interceptVector().toArray())
        .containsExactly(spark.interceptVector().toArray(), within(1e-5));
  }

  @Test
  void fit_otherColumnsAndParams_usesThem() {
    Dataset<Row> rows =
        featurized()
            .selectExpr("features AS x", "label AS y", "double(1 + pmod(hash(member), 3)) AS w");
    LogisticRegression spark =
        new LogisticRegression()
            .setFeaturesCol("x")
            .setLabelCol("y")
            .setWeightCol("w")
            .setRegParam(LAMBDA)
            .setStandardization(false)
            .setFitIntercept(false)
            .setTol(1e-14);

    LogisticRegressionModel ours =
        (LogisticRegressionModel)
            new LinearEstimator("mine")
                .setFeaturesCol("x")
                .setLabelCol("y")
                .setWeightCol("w")
                .setRegParam(LAMBDA)
                .setStandardization(false)
                .setFitIntercept(false)
                .setSolver("cg")
                .fit(rows);

    assertThat(ours.coefficients().toArray())
        .containsExactly(spark.fit(rows).coefficients().toArray(), within(1e-6));
    assertThat(ours.intercept()).isZero();
    assertThat(ours.getFeaturesCol()).isEqualTo("x");
    assertThat(ours.getWeightCol()).isEqualTo("w");
  }

  @Test
  void fit_tooFewSteps_saysWhatWasReached() {
    assertThatThrownBy(() -> hinge().setMaxSteps(1).fit(featurized()))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("gradientNorm 1.0E-9 was not reached")
        .hasMessageContaining("after 1 steps");
  }

  @Test
  void set_valueNotAllowed_isRefused() {
    assertThatThrownBy(() -> new LinearEstimator().setLoss("hinge"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("loss hinge is not allowed")
        .hasMessageContaining("smoothed-hinge");
    assertThatThrownBy(() -> new LinearEstimator().setRegParam(-1))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("regParam -1.0 is not allowed");
    assertThatThrownBy(() -> new LinearEstimator().setRegParam(Double.POSITIVE_INFINITY))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("regParam Infinity is not allowed")
        .hasMessageContaining("finite and >= 0");
    assertThatThrownBy(() -> new LinearEstimator().setGradientNorm(Double.POSITIVE_INFINITY))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("gradientNorm Infinity is not allowed")
        .hasMessageContaining("finite and > 0");
  }

  @Test
  void fit_columnOfAnotherType_isRefused() {
    LinearEstimator multinomial = new LinearEstimator().setLoss("multinomial");
    Dataset<Row> named = featurized().selectExpr("*", "concat('secret-', member) AS name");

    assertThatThrownBy(() -> hinge().setFeaturesCol("age").fit(featurized()))
        .isInstanceOf(InvalidInputException.class)
        .hasMessage("data: column 'age' must be a vector of features, not double");
    assertThatThrownBy(() -> multinomial.setLabelCol("name").fit(named))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("data: the label column 'name' must be numeric, not string");
    assertThatThrownBy(() -> hinge().setWeightCol("name").fit(named))
        .isInstanceOf(InvalidInputException.class)
        .hasMessage("data: the weight column 'name' must be numeric, not string");
  }

  /** Stages are lazy: what the estimator reads first is where theirs fail. */
  @Test
  void fit_stageBeforeFails_quotesNoCell() {
    Dataset<Row> data = Members.data();
    Dataset<Row> indexed =
        new StringIndexer()
            .setInputCol("city")
            .setOutputCol("index")
            .fit(data.where("city <> 'Ulm'"))
            .transform(data);
    Dataset<Row> features =
        new VectorAssembler()
            .setInputCols(new String[] {"age", "index"})
            .setOutputCol("features")
            .transform(indexed.where("city = 'Ulm'"));
    Dataset<Row> labels = assembler().transform(indexed);

    assertThatThrownBy(() -> hinge().fit(features))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("data: a row could not be read or featurised")
        .hasMessageNotContaining("Ulm");
    assertThatThrownBy(
            () -> new LinearEstimator().setLoss("multinomial").setLabelCol("index").fit(labels))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("data: a row could not be read or featurised")
        .hasMessageNotContaining("Ulm");
  }

  @Test
  void fit_columnMissingOrLabelsIllegal_isRefused() {
    assertThatThrownBy(() -> hinge().setLabelCol("left").fit(featurized()))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("labelCol")
        .hasMessageContaining("'left'");
    assertThatThrownBy(() -> hinge().fit(featurized().selectExpr("features", "age AS label")))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("label");
    assertThatThrownBy(() -> hinge().fit(featurized().where("age < 0")))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("no row to learn from");
  }
}
