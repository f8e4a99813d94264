package dev.lethe.spark.job;

import static org.apache.spark.sql.functions.expr;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.lethe.spark.LocalSpark;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.classification.LinearSVCModel;
import org.apache.spark.ml.classification.LogisticRegression;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.ml.classification.OneVsRestModel;
import org.apache.spark.ml.feature.StringIndexer;
import org.apache.spark.ml.feature.VectorAssembler;
import org.apache.spark.ml.regression.GeneralizedLinearRegression;
import org.apache.spark.ml.regression.GeneralizedLinearRegressionModel;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * {@code lethe train}: what the model learns from, seen by the gradient of Spark ML's objective.
 */
@ExtendWith(LocalSpark.class)
class TrainJobTest {
  private static final double REG_PARAM = 0.01;

  @Test
  void run_columnNamedLikeAnIndexedLabel_learnsTheLabelThatWasNamed() {
    Dataset<Row> table = People.dataset().withColumn("label_index", expr("1 - label"));

    PipelineModel model = train(table, "label", "age,hours");

    assertThat(predictor(model).getLabelCol()).isEqualTo("label");
    assertMinimises(model, table, "label");
  }

  @Test
  void run_textLabelAndTakenNames_learnsTheLabelThatWasNamed() {
    Dataset<Row> table =
        People.dataset()
            .withColumn("answer", expr("IF(label = 1, 'yes', 'no')"))
            .withColumn("answer_index", expr("age / 2"))
            .withColumn("city_onehot", expr("hours * 2"))
            .withColumn("features_lethe", expr("hours + age"));

    PipelineModel model =
        train(table, "answer", "age,city,answer_index,city_onehot,features_lethe");

    assertMinimises(model, table, "double(answer = 'yes')");
  }

  @Test
  void run_categoryNamedLabel_isAFeature() {
    Dataset<Row> table =
        People.dataset()
            .withColumn("answer", expr("IF(label = 1, 'yes', 'no')"))
            .withColumn("label", expr("city"));

    PipelineModel model = train(table, "answer", "age,label");

    assertMinimises(model, table, "double(answer = 'yes')");
  }

  @Test
  void run_pipelineThatIndexesTheLabelUnderAnotherName_learnsTheIndex() {
    Dataset<Row> table =
        People.dataset()
            .withColumn("answer", expr("IF(label = 1, 'yes', 'no')"))
            .withColumn("label_index", expr("1 - label"));
    Path pipeline =
        People.save(
            new Pipeline()
                .setStages(
                    new PipelineStage[] {
                      new Pipeline().setStages(new PipelineStage[] {indexer("target")}), assembler()
                    }),
            "pipeline");

    PipelineModel model = load(fromPipeline(table, "Answer", pipeline, 0));

    assertThat(predictor(model).getLabelCol()).isEqualTo("target");
    assertMinimises(model, table, "double(answer = 'yes')");
  }

  @Test
  void run_pipelineThatIndexesTheLabelTwice_isRefused() {
    Dataset<Row> table = People.dataset().withColumn("answer", expr("IF(label = 1, 'yes', 'no')"));
    Path pipeline =
        People.save(
            new Pipeline()
                .setStages(new PipelineStage[] {indexer("one"), indexer("two"), assembler()}),
            "pipeline");

    fromPipeline(table, "answer", pipeline, 2);
  }

  @Test
  void run_rowsOfWeightZero_changeNothing() {
    Dataset<Row> table = People.dataset();
    Dataset<Row> more =
        table
            .union(table.limit(50).selectExpr(weightless("0D", "1 - label")))
            .union(table.limit(50).selectExpr(weightless("-0D", "label")));

    PipelineModel with = weighted(more);
    PipelineModel without = weighted(table);

    assertThat(predictor(with).coefficients()).isEqualTo(predictor(without).coefficients());
    assertThat(predictor(with).intercept()).isEqualTo(predictor(without).intercept());
    LogisticRegressionModel fitted =
        new LogisticRegression()
            .setWeightCol("weight")
            .setFeaturesCol(predictor(with).getFeaturesCol())
            .setRegParam(REG_PARAM)
            .setTol(1e-12)
            .fit(new PipelineModel("f", Arrays.copyOf(with.stages(), 1)).transform(more));
    for (int j = 0; j < 2; j++) {
      assertThat(predictor(with).coefficients().apply(j))
          .isCloseTo(fitted.coefficients().apply(j), within(1e-7));
    }
    assertThat(predictor(with).intercept()).isCloseTo(fitted.intercept(), within(1e-6));
  }

  @Test
  void run_stageThatSkipsTheFirstRow_learnsFromTheOthers() {
    Dataset<Row> table =
        People.dataset()
            .withColumn("age", expr("IF(user_id = 'u-4700', CAST(NULL AS DOUBLE), age)"));
    Path pipeline =
        People.save(
            new Pipeline()
                .setStages(
                    new PipelineStage[] {
                      new VectorAssembler()
                          .setInputCols(new String[] {"age", "hours"})
                          .setOutputCol("features")
                          .setHandleInvalid("skip")
                    }),
            "pipeline");

    PipelineModel model = load(fromPipeline(table, "label", pipeline, 0));

    assertMinimises(model, table.where("age IS NOT NULL"), "label");
  }

  /** Spark ML's default, and the only value that binomial has an objective for. */
  @ParameterizedTest
  @CsvSource({"binomial, binomial, label", "poisson, poisson, hours", "gamma, gamma, age"})
  void run_generalizedLossWithoutRegParam_hasNoPenalty(String loss, String family, String label) {
    Path out = Places.unused("trained");
    String feature = label.equals("age") ? "hours" : "age";
    Outcome outcome =
        Invocation.train(People.table(), label, out)
            .with("--features", feature)
            .with("--loss", loss)
            .run();
    assertThat(outcome.code()).as("%s", outcome).isZero();
    PipelineModel model = load(out);
    GeneralizedLinearRegressionModel trained = (GeneralizedLinearRegressionModel) model.stages()[1];
    GeneralizedLinearRegressionModel fitted =
        new GeneralizedLinearRegression()
            .setFamily(family)
            .setLink(loss.equals("binomial") ? "logit" : "log")
            .setLabelCol(label)
            .setFeaturesCol(trained.getFeaturesCol())
            .setTol(1e-12)
            .fit(
                new PipelineModel("f", Arrays.copyOf(model.stages(), 1))
                    .transform(People.dataset()));
    assertThat(trained.getRegParam()).isZero();
    assertThat(trained.coefficients().apply(0))
        .isCloseTo(fitted.coefficients().apply(0), within(1e-8));
    assertThat(trained.intercept()).isCloseTo(fitted.intercept(), within(1e-6));
  }

  /** The binary models are those of a training on one class against the others. */
  @Test
  void run_oneVsRestOfHinges_isOneModelAClass() {
    Dataset<Row> table = People.dataset().withColumn("third", expr("double(int(hours) % 3)"));
    Path out = Places.unused("trained");
    Outcome outcome =
        Invocation.train(People.write(table, "parquet", "table"), "third", out)
            .with("--features", "age,hours")
            .with("--loss", "one-vs-rest-smoothed-hinge")
            .run();
    assertThat(outcome.code()).as("%s", outcome).isZero();
    OneVsRestModel reduction = (OneVsRestModel) load(out).stages()[1];
    assertThat(reduction.models()).hasSize(3);
    for (int k = 0; k < 3; k++) {
      Path single = Places.unused("binary");
      Dataset<Row> one = table.withColumn("third", expr("double(third = " + k + ")"));
      Outcome alone =
          Invocation.train(People.write(one, "parquet", "table"), "third", single)
              .with("--features", "age,hours")
              .with("--loss", "smoothed-hinge")
              .run();
      assertThat(alone.code()).as("%s", alone).isZero();
      LinearSVCModel expected = (LinearSVCModel) load(single).stages()[1];
      LinearSVCModel binary = (LinearSVCModel) reduction.models()[k];
      // both to a gradient of 1e-9, mean form, under a penalty of 1e-3 times variances above 100
      for (int j = 0; j < 2; j++) {
        assertThat(binary.coefficients().apply(j))
            .isCloseTo(expected.coefficients().apply(j), within(1e-6));
      }
      assertThat(binary.intercept()).isCloseTo(expected.intercept(), within(1e-4));
    }
  }

  @Test
  void run_labelAlone_isRefused() {
    Path out = Places.unused("trained");
    Path table = People.write(People.dataset().select("label", "weight"), "parquet", "table");

    Outcome outcome =
        Invocation.train(table, "label", out)
            .with("--weight", "weight")
            .with("--reg-param", REG_PARAM)
            .run();

    assertThat(outcome.code()).as("%s", outcome).isEqualTo(2);
    assertThat(outcome.err())
        .contains("--data " + table, "has no feature column", "there are label, weight");
    assertThat(out).doesNotExist();
  }

  private static String[] weightless(String weight, String label) {
    return new String[] {
      "user_id", "1e9 * age", "-7 * hours", "city", "race", weight, label + " AS label"
    };
  }

  /** Two partitions, so that rows are spread by their content. */
  private static PipelineModel weighted(Dataset<Row> table) {
    Path out = Places.unused("weighted");
    Outcome outcome =
        Invocation.train(People.write(table, "parquet", "table"), "label", out)
            .with("--features", "age,hours")
            .with("--reg-param", REG_PARAM)
            .with("--weight", "weight")
            .with("--partitions", 2)
            .run();
    assertThat(outcome.code()).as("%s", outcome).isZero();
    return load(out);
  }

  private static PipelineStage indexer(String output) {
    return new StringIndexer()
        .setStringOrderType("alphabetAsc")
        .setInputCols(new String[] {"city", "answer"})
        .setOutputCols(new String[] {"city_" + output, output});
  }

  private static PipelineStage assembler() {
    return new VectorAssembler()
        .setInputCols(new String[] {"age", "hours"})
        .setOutputCol("features");
  }

  private static Path fromPipeline(
      Dataset<Row> table, String label, Path pipeline, int expectedCode) {
    Path out = Places.unused("trained");
    Outcome outcome =
        Invocation.train(People.write(table, "parquet", "table"), label, out)
            .with("--pipeline", pipeline)
            .with("--reg-param", REG_PARAM)
            .run();
    assertThat(outcome.code()).as("%s", outcome).isEqualTo(expectedCode);
    if (expectedCode == 2) {
      assertThat(outcome.err()).contains("--pipeline", "'answer'", "one, two");
    }
    return out;
  }

  private static PipelineModel train(Dataset<Row> table, String label, String features) {
    Path out = Places.unused("trained");
    Outcome outcome =
        Invocation.train(People.write(table, "parquet", "table"), label, out)
            .with("--features", features)
            .with("--reg-param", REG_PARAM)
            .run();
    assertThat(outcome.code()).as("%s", outcome).isZero();
    return load(out);
  }

  private static PipelineModel load(Path model) {
    return PipelineModel.load(model.toString());
  }

  private static LogisticRegressionModel predictor(PipelineModel model) {
    return (LogisticRegressionModel) model.stages()[model.stages().length - 1];
  }

  private static void assertMinimises(PipelineModel model, Dataset<Row> table, String label) {
    LogisticRegressionModel predictor = predictor(model);
    Dataset<Row> featurized = model.transform(table).withColumn("truth", expr(label));
    People.Examples examples =
        People.Examples.of(featurized, predictor.getFeaturesCol(), "truth", null);
    double[] coefficients = predictor.coefficients().toArray();
    double[] theta = Arrays.copyOf(coefficients, coefficients.length + 1);
    theta[coefficients.length] = predictor.intercept();
    MlObjective objective =
        new MlObjective(
            examples.features(), examples.labels(), examples.weights(), REG_PARAM, true, true);
    assertThat(objective.gradientNorm(theta, List.of())).isLessThan(1e-8);
  }
}
