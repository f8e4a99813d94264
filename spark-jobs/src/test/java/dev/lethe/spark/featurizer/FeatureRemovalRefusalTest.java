package dev.lethe.spark.featurizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lethe.spark.InvalidInputException;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.apache.spark.ml.Estimator;
import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.classification.LogisticRegression;
import org.apache.spark.ml.evaluation.BinaryClassificationEvaluator;
import org.apache.spark.ml.feature.Binarizer;
import org.apache.spark.ml.feature.DCT;
import org.apache.spark.ml.feature.Interaction;
import org.apache.spark.ml.feature.Normalizer;
import org.apache.spark.ml.feature.OneHotEncoder;
import org.apache.spark.ml.feature.PCA;
import org.apache.spark.ml.feature.PolynomialExpansion;
import org.apache.spark.ml.feature.RFormula;
import org.apache.spark.ml.feature.SQLTransformer;
import org.apache.spark.ml.feature.StandardScaler;
import org.apache.spark.ml.feature.StringIndexer;
import org.apache.spark.ml.feature.VectorAssembler;
import org.apache.spark.ml.feature.VectorSlicer;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.ml.tuning.CrossValidator;
import org.apache.spark.ml.tuning.CrossValidatorModel;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class FeatureRemovalRefusalTest {
  private static final String PLACE = "changes[2].removeFeatures[1]";

  private static Dataset<Row> table;
  private static Featurizer plain;

  @BeforeAll
  static void makeTable() {
    table = SmallTable.dataset(SmallTable.rows(40)).cache();
    plain =
        Featurizer.of(
            SmallTable.fit(
                table,
                "f",
                new StringIndexer().setInputCol("race").setOutputCol("i"),
                new OneHotEncoder().setInputCol("i").setOutputCol("o"),
                assembler("f", "a", "o", "v")));
  }

  private static VectorAssembler assembler(String output, String... inputs) {
    return new VectorAssembler().setInputCols(inputs).setOutputCol(output);
  }

  private static void assertRefused(
      Featurizer featurizer, RemovedFeature feature, String... messageParts) {
    assertRefused(featurizer, List.of(feature), messageParts);
  }

  private static void assertRefused(
      Featurizer featurizer, List<RemovedFeature> features, String... messageParts) {
    var thrown =
        assertThatThrownBy(() -> FeatureRemoval.of(featurizer, table, features, "label", "weight"))
            .isInstanceOf(InvalidInputException.class);
    for (String part : messageParts) {
      thrown.hasMessageContaining(part);
    }
  }

  private static RemovedFeature whole(String column) {
    return RemovedFeature.column(column, PLACE);
  }

  static Stream<Arguments> mixing() {
    return Stream.of(
        Arguments.of("Normalizer", new Normalizer().setInputCol("x").setOutputCol("f")),
        Arguments.of("PCAModel", new PCA().setK(2).setInputCol("x").setOutputCol("f")),
        Arguments.of("DCT", new DCT().setInputCol("x").setOutputCol("f")),
        Arguments.of(
            "PolynomialExpansion", new PolynomialExpansion().setInputCol("x").setOutputCol("f")),
        Arguments.of(
            "Interaction",
            new Interaction().setInputCols(new String[] {"x", "c"}).setOutputCol("f")));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("mixing")
  void of_stageMixesWithKept_isRefusedByName(String name, PipelineStage stage) {
    Featurizer featurizer =
        Featurizer.of(SmallTable.fit(table, "f", assembler("x", "a", "b"), stage));
    String uid = featurizer.stages().get(1).uid();
    assertRefused(featurizer, whole("a"), PLACE, "'a'", name + " (" + uid + ")", "retrain");
    assertRefused(featurizer, RemovedFeature.slot("x", 1, PLACE), "'x[1]'", name, "retrain");
  }

  static Stream<Arguments> unseen() {
    return Stream.of(
        Arguments.of(
            "SQLTransformer",
            new PipelineStage[] {
              new SQLTransformer().setStatement("SELECT *, a + b AS ab FROM __THIS__"),
              assembler("f", "ab", "c")
            }),
        // the statement does not name the column, and is refused all the same
        Arguments.of(
            "SQLTransformer",
            new PipelineStage[] {
              assembler("f", "a", "c"), new SQLTransformer().setStatement("SELECT * FROM __THIS__")
            }),
        Arguments.of(
            "OpaqueStage", new PipelineStage[] {new OpaqueStage(), assembler("f", "a", "c")}),
        Arguments.of(
            "RFormulaModel",
            new PipelineStage[] {
              new RFormula().setFormula("label ~ a + c").setFeaturesCol("f").setLabelCol("y")
            }));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("unseen")
  void of_stageCannotBeSeenInto_isRefusedByName(String name, PipelineStage[] stages) {
    assertRefused(
        Featurizer.of(SmallTable.fit(table, "f", stages)),
        whole("a"),
        PLACE,
        "'a'",
        name,
        "cannot be seen",
        "by index or name");
  }

  @Test
  void of_unknownColumn_isRefusedWithTheKnown() {
    assertRefused(plain, whole("rice"), PLACE, "'rice'", "a, b, c, city, race");
    assertRefused(plain, RemovedFeature.slot("vv", 0, PLACE), PLACE, "'vv'");
  }

  @Test
  void of_columnThatNoSlotStemsFrom_isRefused() {
    assertRefused(plain, whole("city"), PLACE, "does not use column 'city'");
    assertRefused(plain, List.of(whole("race"), whole("b")), "does not use column 'b'");
  }

  @Test
  void of_columnThatASlicerDropped_isRefused() {
    Featurizer featurizer =
        Featurizer.of(
            SmallTable.fit(
                table,
                "f",
                assembler("x", "a", "b", "c"),
                new VectorSlicer()
                    .setIndices(new int[] {0, 2})
                    .setInputCol("x")
                    .setOutputCol("f")));
    assertRefused(featurizer, whole("b"), "does not use column 'b'");
    assertRefused(featurizer, RemovedFeature.slot("x", 1, PLACE), "does not use slot 'x[1]'");
  }

  @Test
  void of_slotOutOfRange_isRefusedWithTheRange() {
    assertRefused(plain, RemovedFeature.slot("f", 6, PLACE), PLACE, "slot 6", "0 to 5");
    assertRefused(plain, RemovedFeature.slot("f", -1, PLACE), "slot -1", "0 to 5");
    assertRefused(plain, RemovedFeature.slot("v", 3, PLACE), "slot 3", "0 to 2");
  }

  @Test
  void of_unknownSlotName_isRefusedWithoutListingCategories() {
    assertRefused(plain, RemovedFeature.slot("f", "age", PLACE), PLACE, "'age'", "6 named slots");
    String[] many = new String[12];
    Arrays.fill(many, "a");
    Featurizer featurizer = Featurizer.of(SmallTable.fit(table, "f", assembler("f", many)));
    assertRefused(featurizer, RemovedFeature.slot("f", "z", PLACE), "12 named slots");
    assertRefused(featurizer, RemovedFeature.slot("f", "a", PLACE), "several slots named 'a'");
  }

  @Test
  void of_slotNameOfColumnWithoutAttributes_isRefused() {
    assertRefused(
        plain, RemovedFeature.slot("v", "height", PLACE), "have no names", "by index, 0 to 2");
  }

  @Test
  void of_slotOfScalar_isRefused() {
    assertRefused(plain, RemovedFeature.slot("race", "r1", PLACE), PLACE, "'race'", "string");
    assertRefused(plain, RemovedFeature.slot("i", 0, PLACE), "'i' has no slots", "double");
  }

  @Test
  void of_scalarThatAStageMakes_isRefusedWithItsInput() {
    assertRefused(plain, whole("i"), "'i'", "StringIndexerModel", "[race]");
  }

  @Test
  void of_allFeatures_isRefused() {
    assertRefused(plain, List.of(whole("a"), whole("race"), whole("v")), "every one of the 6");
    assertRefused(plain, whole("f"), "every one of the 6");
  }

  @Test
  void of_labelOrWeight_isRefused() {
    assertRefused(plain, whole("Label"), PLACE, "is the label column");
    assertRefused(plain, whole("weight"), PLACE, "is the weight column");
  }

  @Test
  void of_columnThatTheLabelStemsFrom_isRefused() {
    Featurizer indexed =
        Featurizer.of(
            new Pipeline()
                .setStages(
                    new PipelineStage[] {
                      new StringIndexer().setInputCol("race").setOutputCol("i"),
                      new Binarizer().setThreshold(0.5).setInputCol("i").setOutputCol("y"),
                      assembler("f", "a", "b"),
                      new LogisticRegression().setFeaturesCol("f").setLabelCol("y").setMaxIter(1)
                    })
                .fit(table));
    assertRefused(indexed, whole("race"), PLACE, "label column 'y'", "'race'");
    assertThatThrownBy(indexed::tableLabelColumn)
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("Binarizer");
  }

  @Test
  void of_tableOfAnotherWidth_isRefusedWithBothNumbers() {
    Transformer[] stages = plain.stages().toArray(new Transformer[4]);
    stages[3] = SmallTable.predictor("f", 9);
    assertRefused(
        Featurizer.of(new PipelineModel("p", stages)), whole("race"), "has 6 slots", "fitted on 9");
  }

  @Test
  void of_predictorReadsNoSuchVector_isRefused() {
    Transformer[] stages = plain.stages().toArray(new Transformer[4]);
    stages[3] = SmallTable.predictor("features", 6);
    assertRefused(Featurizer.of(new PipelineModel("p", stages)), whole("race"), "'features'");
  }

  @Test
  void of_tableLacksAColumnThatAStageReads_isRefusedWithTheStage() {
    assertThatThrownBy(
            () -> FeatureRemoval.of(plain, table.drop("a"), List.of(whole("race")), null, null))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("VectorAssembler")
        .hasMessageContaining("[a, o, v]");
  }

  @Test
  void of_emptyTableWithVectorOfUnknownSize_isRefused() {
    Featurizer featurizer =
        Featurizer.of(
            SmallTable.fit(table, "f", new StandardScaler().setInputCol("v").setOutputCol("f")));
    assertThatThrownBy(
            () ->
                FeatureRemoval.of(
                    featurizer,
                    table.limit(0),
                    List.of(RemovedFeature.slot("v", 0, PLACE)),
                    null,
                    null))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("'v'")
        .hasMessageContaining("no row");
  }

  @Test
  void featurizerOf_notExactlyOnePredictor_isRefusedWithWhatWasFound() {
    Transformer assembler = plain.stages().get(2);
    Transformer one = SmallTable.predictor("f", 6);
    assertThatThrownBy(() -> Featurizer.of(new PipelineModel("p", new Transformer[] {assembler})))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("found none")
        .hasMessageContaining("VectorAssembler (" + assembler.uid() + ")");
    assertThatThrownBy(() -> Featurizer.of(new PipelineModel("p", new Transformer[] {one, one})))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("found 2")
        .hasMessageContaining("LogisticRegressionModel");
  }

  @Test
  void featurizerOf_crossValidatorModel_isItsBestModels() {
    Estimator<?> estimator = new LogisticRegression().setFeaturesCol("v").setMaxIter(1);
    Transformer tuned =
        new CrossValidator()
            .setEstimator(estimator)
            .setEvaluator(new BinaryClassificationEvaluator())
            .setEstimatorParamMaps(new ParamMap[] {ParamMap.empty()})
            .setNumFolds(2)
            .fit(table);
    Featurizer featurizer = Featurizer.of(tuned);
    assertThat(featurizer.predictor()).isSameAs(((CrossValidatorModel) tuned).bestModel());
    assertThat(featurizer.tuning())
        .containsExactly(CrossValidatorModel.class.getName() + " " + tuned.uid());
  }
}
