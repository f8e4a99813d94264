package dev.lethe.spark.featurizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lethe.spark.InvalidInputException;
import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.classification.ClassificationModel;
import org.apache.spark.ml.classification.LogisticRegression;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.ml.classification.OneVsRestModel;
import org.apache.spark.ml.feature.IndexToString;
import org.apache.spark.ml.feature.StringIndexer;
import org.apache.spark.ml.feature.VectorAssembler;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.ml.tuning.CrossValidatorModel;
import org.apache.spark.sql.types.Metadata;
import org.junit.jupiter.api.Test;

class FeaturizerTest {

  @Test
  void of_pipeline_splitsAtThePredictorAndFindsTheLabel() {
    var table = SmallTable.dataset(SmallTable.rows(40));
    PipelineModel model =
        new Pipeline()
            .setStages(
                new PipelineStage[] {
                  new StringIndexer()
                      .setInputCols(new String[] {"city", "label"})
                      .setOutputCols(new String[] {"cityIdx", "y"}),
                  new VectorAssembler()
                      .setInputCols(new String[] {"a", "cityIdx"})
                      .setOutputCol("f"),
                  new LogisticRegression()
                      .setFeaturesCol("f")
                      .setLabelCol("y")
                      .setWeightCol("weight")
                      .setMaxIter(1),
                  new IndexToString()
                      .setInputCol("prediction")
                      .setOutputCol("said")
                      .setLabels(new String[] {"no", "yes"})
                })
            .fit(table);

    Featurizer featurizer = Featurizer.of(model);

    assertThat(featurizer.stages()).containsExactly(model.stages()[0], model.stages()[1]);
    assertThat(featurizer.predictor()).isSameAs(model.stages()[2]);
    assertThat(featurizer.stagesAfter()).containsExactly(model.stages()[3]);
    assertThat(featurizer.featuresCol()).isEqualTo("f");
    assertThat(featurizer.labelCol()).isEqualTo("y");
    assertThat(featurizer.weightCol()).isEqualTo("weight");
    assertThat(featurizer.numFeatures()).isEqualTo(2);
    assertThat(featurizer.tableLabelColumn()).isEqualTo("label");
    assertThat(featurizer.labelStages()).hasSize(1);
    assertThat(featurizer.labelStages().get(0).uid()).isEqualTo(model.stages()[0].uid());
    // new rows to score have no label
    assertThat(featurizer.transform(table.drop("label")).columns()).contains("f");
  }

  /** Its estimator and binary models are read anew with every model that is loaded. */
  @Test
  void differences_oneVsRest_areThoseOfEstimatorAndBinaryModelsByTheirParams() {
    Featurizer own = Featurizer.of(oneVsRest(0.1, 0.1));
    assertThat(own.differences(Featurizer.of(oneVsRest(0.1, 0.1)))).isEmpty();
    assertThat(own.differences(Featurizer.of(oneVsRest(0.2, 0.1))))
        .containsExactly("OneVsRestModel (ovr).classifier");
    assertThat(own.differences(Featurizer.of(oneVsRest(0.1, 0.2))))
        .containsExactly("OneVsRestModel (ovr).models");
  }

  private static OneVsRestModel oneVsRest(double regParam, double lastRegParam) {
    ClassificationModel<?, ?>[] models = new ClassificationModel<?, ?>[2];
    for (int k = 0; k < models.length; k++) {
      LogisticRegressionModel binary =
          new LogisticRegressionModel("binary" + k, Vectors.dense(k, 1), 0);
      binary.set("regParam", k == 0 ? 0.1 : lastRegParam);
      models[k] = binary;
    }
    OneVsRestModel model = new OneVsRestModel("ovr", Metadata.empty(), models);
    model.set("classifier", new LogisticRegression("estimator").setRegParam(regParam));
    return model;
  }

  /** It would be published with the old parameters, whatever the new predictor has. */
  @Test
  void of_tunedEstimatorThatHoldsAPredictor_isRefused() {
    LogisticRegressionModel predictor = SmallTable.predictor("v", 3);
    CrossValidatorModel tuned = new CrossValidatorModel("cv_1", predictor, new double[] {1});
    Pipeline inner = new Pipeline().setStages(new PipelineStage[] {predictor});
    tuned.set(
        tuned.estimator(),
        new Pipeline().setStages(new PipelineStage[] {new StringIndexer(), inner}));
    assertThatThrownBy(() -> Featurizer.of(new PipelineModel("p", new Transformer[] {tuned})))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("the estimator of CrossValidatorModel (cv_1)")
        .hasMessageContaining("the fitted predictor LogisticRegressionModel (logreg_1)")
        .hasMessageContaining("best model alone");
    tuned.set(tuned.estimator(), new LogisticRegression());
    tuned.set(
        tuned.estimatorParamMaps(),
        new ParamMap[] {new ParamMap().put(inner.stages().w(new PipelineStage[] {predictor}))});
    assertThatThrownBy(() -> Featurizer.of(tuned))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("the fitted predictor LogisticRegressionModel (logreg_1)");
  }

  @Test
  void of_predictorAlone_hasNoStages() {
    LogisticRegressionModel predictor = SmallTable.predictor("v", 3);
    Featurizer featurizer = Featurizer.of(predictor);
    assertThat(featurizer.stages()).isEmpty();
    assertThat(featurizer.labelStages()).isEmpty();
    assertThat(featurizer.tableLabelColumn()).isEqualTo("label");
    assertThat(featurizer.weightCol()).isNull();
    LogisticRegressionModel other = SmallTable.predictor("v", 3);
    assertThat(featurizer.publish(featurizer.stages(), other)).isSameAs(other);
  }
}
