package dev.lethe.spark.featurizer;

import static org.assertj.core.api.Assertions.assertThat;

import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.classification.LogisticRegression;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.ml.feature.IndexToString;
import org.apache.spark.ml.feature.StringIndexer;
import org.apache.spark.ml.feature.VectorAssembler;
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
