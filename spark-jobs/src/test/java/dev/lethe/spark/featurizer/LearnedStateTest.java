package dev.lethe.spark.featurizer;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.apache.spark.ml.feature.Bucketizer;
import org.apache.spark.ml.feature.IndexToString;
import org.apache.spark.ml.feature.StandardScaler;
import org.apache.spark.ml.feature.StringIndexer;
import org.apache.spark.ml.feature.VectorAssembler;
import org.junit.jupiter.api.Test;

class LearnedStateTest {

  @Test
  void of_pipeline_listsWhatWasFittedAndWhatIsUnknown() {
    var table = SmallTable.dataset(SmallTable.rows(10));
    Featurizer featurizer =
        Featurizer.of(
            SmallTable.fit(
                table,
                "f",
                new OpaqueStage(),
                new StringIndexer().setInputCol("race").setOutputCol("i"),
                new Bucketizer()
                    .setSplits(new double[] {0, 2, 9})
                    .setInputCol("a")
                    .setOutputCol("bin"),
                new VectorAssembler()
                    .setInputCols(new String[] {"i", "bin", "b"})
                    .setOutputCol("x"),
                new StandardScaler().setInputCol("x").setOutputCol("f")));

    List<LearnedState.Stage> learned = LearnedState.of(featurizer.stages()).stages();

    assertThat(learned)
        .extracting(LearnedState.Stage::className)
        .containsExactly(
            OpaqueStage.class.getName(),
            "org.apache.spark.ml.feature.StringIndexerModel",
            "org.apache.spark.ml.feature.Bucketizer",
            "org.apache.spark.ml.feature.StandardScalerModel");
    assertThat(learned.get(0).note()).contains("unknown");
    assertThat(learned.get(1).uid()).isEqualTo(featurizer.stages().get(1).uid());
    assertThat(learned.get(2).note()).contains("QuantileDiscretizer");
  }

  @Test
  void of_labelsOfAnIndexToString_countAndThoseOfItsColumnDoNot() {
    IndexToString labelled = new IndexToString().setLabels(new String[] {"no", "yes"});

    List<LearnedState.Stage> learned =
        LearnedState.of(List.of(new IndexToString(), labelled, labelled)).stages();

    assertThat(learned).extracting(LearnedState.Stage::uid).containsExactly(labelled.uid());
  }
}
