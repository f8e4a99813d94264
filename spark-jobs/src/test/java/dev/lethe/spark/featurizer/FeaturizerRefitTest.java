package dev.lethe.spark.featurizer;

import static org.apache.spark.ml.functions.array_to_vector;
import static org.apache.spark.sql.functions.array;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.expr;
import static org.apache.spark.sql.functions.lit;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.LocalSpark;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.spark.ml.Estimator;
import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.attribute.NominalAttribute;
import org.apache.spark.ml.classification.LogisticRegression;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.ml.evaluation.BinaryClassificationEvaluator;
import org.apache.spark.ml.feature.Binarizer;
import org.apache.spark.ml.feature.Bucketizer;
import org.apache.spark.ml.feature.ChiSqSelector;
import org.apache.spark.ml.feature.CountVectorizer;
import org.apache.spark.ml.feature.CountVectorizerModel;
import org.apache.spark.ml.feature.ElementwiseProduct;
import org.apache.spark.ml.feature.IDF;
import org.apache.spark.ml.feature.Imputer;
import org.apache.spark.ml.feature.IndexToString;
import org.apache.spark.ml.feature.MaxAbsScaler;
import org.apache.spark.ml.feature.MinMaxScaler;
import org.apache.spark.ml.feature.OneHotEncoder;
import org.apache.spark.ml.feature.OneHotEncoderModel;
import org.apache.spark.ml.feature.PCA;
import org.apache.spark.ml.feature.QuantileDiscretizer;
import org.apache.spark.ml.feature.RFormula;
import org.apache.spark.ml.feature.RobustScaler;
import org.apache.spark.ml.feature.SQLTransformer;
import org.apache.spark.ml.feature.StandardScaler;
import org.apache.spark.ml.feature.StringIndexer;
import org.apache.spark.ml.feature.StringIndexerModel;
import org.apache.spark.ml.feature.Tokenizer;
import org.apache.spark.ml.feature.UnivariateFeatureSelector;
import org.apache.spark.ml.feature.VarianceThresholdSelector;
import org.apache.spark.ml.feature.VectorAssembler;
import org.apache.spark.ml.feature.VectorIndexer;
import org.apache.spark.ml.feature.VectorSizeHint;
import org.apache.spark.ml.feature.VectorSlicer;
import org.apache.spark.ml.feature.Word2Vec;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.ml.param.Param;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.ml.regression.IsotonicRegression;
import org.apache.spark.ml.regression.IsotonicRegressionModel;
import org.apache.spark.ml.tuning.CrossValidatorModel;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.Metadata;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The truth is Spark ML's own {@code Pipeline.fit} of the same estimators to the same rows. */
@ExtendWith(LocalSpark.class)
class FeaturizerRefitTest {
  private static final String PLACE = "request.yaml";
  private static final double[] UNBOUNDED = {Double.NEGATIVE_INFINITY, 2, Double.POSITIVE_INFINITY};

  private static Dataset<Row> rows() {
    return SmallTable.dataset(SmallTable.rows(60));
  }

  /** Without a city, a race and the largest values of b and c. */
  private static Dataset<Row> corrected(Dataset<Row> rows) {
    return rows.where("city <> 'Kiel' AND race <> 'r1' AND b < 3 AND c < 3");
  }

  private static FeaturizerRefit.Fitted refit(Featurizer featurizer, Set<String> removed) {
    return FeaturizerRefit.of(featurizer, removed, PLACE)
        .fit(rows(), corrected(rows()), 2, "--data t");
  }

  private static StringIndexer index(String column, String output) {
    return new StringIndexer().setInputCol(column).setOutputCol(output);
  }

  private static VectorAssembler assemble(String output, String... inputs) {
    return new VectorAssembler().setInputCols(inputs).setOutputCol(output);
  }

  static List<Pipeline> pipelines() {
    return Stream.of(
            new PipelineStage[] {
              new StringIndexer()
                  .setInputCols(new String[] {"city", "race"})
                  .setOutputCols(new String[] {"ci", "ri"})
                  .setHandleInvalid("keep"),
              new OneHotEncoder()
                  .setInputCols(new String[] {"ci", "ri"})
                  .setOutputCols(new String[] {"cv", "rv"})
                  .setDropLast(false),
              assemble("f", "a", "cv", "rv")
            },
            new PipelineStage[] {
              index("city", "ci").setStringOrderType("alphabetDesc"), assemble("f", "ci", "b")
            },
            new PipelineStage[] {
              assemble("x", "a", "b"),
              new StandardScaler().setInputCol("x").setOutputCol("f").setWithMean(true)
            },
            new PipelineStage[] {
              assemble("x", "a", "b", "c"),
              new MinMaxScaler().setInputCol("x").setOutputCol("f").setMin(-1).setMax(2)
            },
            new PipelineStage[] {new MaxAbsScaler().setInputCol("v").setOutputCol("f")},
            new PipelineStage[] {
              new RobustScaler()
                  .setInputCol("v")
                  .setOutputCol("f")
                  .setLower(0.1)
                  .setWithCentering(true)
            },
            imputer("mean"),
            imputer("median"),
            imputer("mode"),
            new PipelineStage[] {
              new Tokenizer().setInputCol("text").setOutputCol("words"),
              new CountVectorizer().setInputCol("words").setOutputCol("counts").setMinDF(0.2),
              new IDF().setInputCol("counts").setOutputCol("f").setMinDocFreq(2)
            },
            new PipelineStage[] {
              new Tokenizer().setInputCol("text").setOutputCol("words"),
              new Word2Vec().setInputCol("words").setOutputCol("f").setVectorSize(3).setMinCount(1)
            },
            new PipelineStage[] {
              assemble("x", "a", "b", "c"), new PCA().setInputCol("x").setOutputCol("f").setK(2)
            },
            new PipelineStage[] {
              new VectorIndexer().setInputCol("v").setOutputCol("f").setMaxCategories(2)
            },
            new PipelineStage[] {
              assemble("x", "a", "b", "c"),
              new UnivariateFeatureSelector()
                  .setFeatureType("continuous")
                  .setLabelType("categorical")
                  .setSelectionMode("numTopFeatures")
                  .setSelectionThreshold(2)
                  .setFeaturesCol("x")
                  .setLabelCol("label")
                  .setOutputCol("f")
            },
            new PipelineStage[] {
              new ChiSqSelector().setNumTopFeatures(2).setFeaturesCol("v").setOutputCol("f")
            },
            new PipelineStage[] {
              new VarianceThresholdSelector()
                  .setVarianceThreshold(0.5)
                  .setFeaturesCol("v")
                  .setOutputCol("f")
            })
        .map(stages -> new Pipeline().setStages(stages))
        .toList();
  }

  private static PipelineStage[] imputer(String strategy) {
    return new PipelineStage[] {
      new Imputer()
          .setInputCols(new String[] {"a", "b"})
          .setOutputCols(new String[] {"ia", "ib"})
          .setMissingValue(0.25)
          .setStrategy(strategy),
      assemble("f", "ia", "ib")
    };
  }

  @ParameterizedTest
  @MethodSource("pipelines")
  void fit_stages_learnWhatPipelineFitLearns(Pipeline pipeline) throws Exception {
    PipelineStage[] stages = pipeline.getStages();
    PipelineModel old = SmallTable.fit(rows(), "f", stages);
    // as it comes from a disk, with nothing but what is saved
    String path = java.nio.file.Files.createTempDirectory("refit").resolve("model").toString();
    old.write().save(path);
    Featurizer featurizer = Featurizer.of(PipelineModel.load(path));

    List<Transformer> refitted = stages(refit(featurizer, Set.of()));

    Dataset<Row> corrected = corrected(rows()).coalesce(1);
    PipelineModel truth = new Pipeline().setStages(stages).fit(corrected);
    assertThat(refitted).hasSize(stages.length);
    for (int i = 0; i < stages.length; i++) {
      Transformer stage = refitted.get(i);
      Transformer expected = truth.stages()[i];
      assertThat(stage.uid()).isEqualTo(expected.uid());
      assertThat(stage).hasSameClassAs(expected);
      for (Param<?> param : expected.params()) {
        assertThat(StageColumns.value(stage, param.name()))
            .as(param.name())
            .isEqualTo(StageColumns.value(expected, param.name()));
      }
    }
    List<Vector> own = SmallTable.vectors(refitted, corrected, "f");
    List<Vector> others = SmallTable.vectors(List.of(truth), corrected, "f");
    for (int i = 0; i < own.size(); i++) {
      // sums over partitions in another order: a few units in the last place, of values up to 10;
      // Word2Vec trains single floats on the sentences in another order
      double tolerance = stages[stages.length - 1] instanceof Word2Vec ? 1 : 1e-12;
      assertThat(own.get(i).size()).isEqualTo(others.get(i).size());
      assertThat(Math.sqrt(Vectors.sqdist(own.get(i), others.get(i)))).isLessThan(tolerance);
    }
  }

  @ParameterizedTest
  @MethodSource("pipelines")
  void disagreements_refittedAndOldStages_noneAndSome(Pipeline pipeline) {
    PipelineStage[] stages = pipeline.getStages();
    PipelineModel old = SmallTable.fit(rows(), "f", stages);
    PipelineModel again = SmallTable.fit(corrected(rows()), "f", stages);
    Dataset<Row> corrected = corrected(rows());

    boolean anyOrder = stages[stages.length - 1] instanceof Word2Vec;
    if (!anyOrder) {
      assertThat(disagreements(again, corrected, 3)).isEmpty();
    }
    Transformer[] mine =
        stages(refit(Featurizer.of(old), Set.of())).toArray(new Transformer[stages.length + 1]);
    mine[stages.length] = old.stages()[stages.length];
    assertThat(disagreements(new PipelineModel("p", mine), corrected, 3)).isEmpty();
    if (!(stages[stages.length - 1] instanceof UnivariateFeatureSelector
        || stages[stages.length - 1] instanceof ChiSqSelector)) {
      assertThat(disagreements(old, other(corrected), 3)).isNotEmpty();
    }
  }

  /** Rows from which every stage learns something else. */
  private static Dataset<Row> other(Dataset<Row> rows) {
    return rows.withColumn("a", expr("4 * a + b"))
        .withColumn("b", expr("if(b < 2, b, 9.0)"))
        .withColumn("v", array_to_vector(array(col("a"), col("b"), lit(5.0))));
  }

  private static List<String> disagreements(
      Transformer model, Dataset<Row> corrected, int partitions) {
    return FeaturizerRefit.of(Featurizer.of(model), Set.of(), PLACE)
        .disagreements(corrected, partitions, "--data t");
  }

  private static List<Transformer> stages(FeaturizerRefit.Fitted fitted) {
    return fitted.stages().stream().flatMap(Optional::stream).toList();
  }

  /** What copies a model's params to an estimator loses none. */
  @Test
  void estimators_shareAllParamsWithTheirModels() throws Exception {
    int fitted = 0;
    for (String name : StageSupport.BY_CLASS.keySet()) {
      StageSupport.Refit refit = StageSupport.BY_CLASS.get(name).refit();
      if (refit != StageSupport.Refit.FITTED && refit != StageSupport.Refit.FITTED_IN_ONE_TASK) {
        continue;
      }
      fitted++;
      Class<?> estimator = Class.forName(name.substring(0, name.length() - "Model".length()));
      Estimator<?> instance =
          (Estimator<?>) estimator.getConstructor(String.class).newInstance("uid_1");
      List<String> methods =
          Arrays.stream(Class.forName(name).getMethods()).map(m -> m.getName()).toList();
      for (Param<?> param : instance.params()) {
        assertThat(methods).as(name).contains(param.name());
      }
    }
    assertThat(fitted).isEqualTo(15);
  }

  @Test
  void fit_otherOrderAndPartitions_breaksTiesAlike() {
    List<Row> rows = new ArrayList<>(SmallTable.rows(40));
    PipelineStage[] stages = {
      new Tokenizer().setInputCol("text").setOutputCol("words"),
      // so few that a tie is cut through, were it broken by chance
      new CountVectorizer().setInputCol("words").setOutputCol("f").setVocabSize(4)
    };
    Dataset<Row> table = SmallTable.dataset(rows).withColumn("text", sameWords("text"));
    Featurizer featurizer = Featurizer.of(SmallTable.fit(table, "f", stages));
    String[] expected = {"ate", "figs", "fox", "red"};
    for (int seed = 1; seed <= 3; seed++) {
      Collections.shuffle(rows, new Random(seed));
      Dataset<Row> shuffled =
          LocalSpark.session()
              .createDataFrame(rows, SmallTable.SCHEMA)
              .repartition(seed)
              .withColumn("text", sameWords("text"));
      FeaturizerRefit.Fitted fitted =
          FeaturizerRefit.of(featurizer, Set.of(), PLACE).fit(table, shuffled, seed, "t");
      assertThat(((CountVectorizerModel) stages(fitted).get(1)).vocabulary())
          .containsExactly(expected);
    }
  }

  /** The same words in every row: all tie. */
  private static Column sameWords(String column) {
    return org.apache
        .spark
        .sql
        .functions
        .when(col(column).isNotNull(), "six red figs today fox ate")
        .otherwise("");
  }

  @Test
  void fit_vanishedCategories_slotsAreMatchedByName() {
    Featurizer featurizer =
        Featurizer.of(
            SmallTable.fit(
                rows(),
                "f",
                index("city", "ci").setStringOrderType("alphabetAsc"),
                new OneHotEncoder()
                    .setInputCols(new String[] {"ci"})
                    .setOutputCols(new String[] {"cv"})
                    .setDropLast(false),
                assemble("x", "a", "cv", "v"),
                new StandardScaler().setInputCol("x").setOutputCol("f")));

    FeaturizerRefit.Fitted fitted = refit(featurizer, Set.of());

    // a, Bonn, Jena, Kiel, Ulm, v_0, v_1, v_2, and Kiel is gone
    assertThat(fitted.oldSlots()).containsExactly(0, 1, 2, 4, 5, 6, 7);
  }

  @Test
  void fit_otherOrderOfTerms_slotsAreMatchedByTerm() {
    Dataset<Row> old = rows().withColumn("text", lit("fox fox red today"));
    Dataset<Row> now = rows().withColumn("text", lit("red red red six fox fox"));
    Featurizer featurizer =
        Featurizer.of(
            SmallTable.fit(
                old,
                "f",
                new Tokenizer().setInputCol("text").setOutputCol("words"),
                new CountVectorizer().setInputCol("words").setOutputCol("counts"),
                new IDF().setInputCol("counts").setOutputCol("i"),
                assemble("f", "i", "a")));

    FeaturizerRefit.Fitted fitted =
        FeaturizerRefit.of(featurizer, Set.of(), PLACE).fit(old, now, 2, "t");

    String[] vocabulary = ((CountVectorizerModel) featurizer.stages().get(1)).vocabulary();
    List<String> terms = List.of(vocabulary);
    // now red, fox, six; then a
    assertThat(fitted.oldSlots())
        .containsExactly(terms.indexOf("red"), terms.indexOf("fox"), -1, 3);
  }

  @Test
  void fit_removedColumns_leaveEveryStage() {
    Featurizer featurizer =
        Featurizer.of(
            SmallTable.fit(
                rows(),
                "f",
                new StringIndexer()
                    .setInputCols(new String[] {"race", "city"})
                    .setOutputCols(new String[] {"ri", "ci"}),
                new OneHotEncoder()
                    .setInputCols(new String[] {"ri", "ci"})
                    .setOutputCols(new String[] {"rv", "cv"}),
                new Bucketizer("bucketizer_1")
                    .setInputCols(new String[] {"a", "b"})
                    .setOutputCols(new String[] {"ab", "bb"})
                    .setSplitsArray(new double[][] {{0, 2, 9}, {0, 1, 2, 9}}),
                new Tokenizer().setInputCol("note").setOutputCol("words"),
                new CountVectorizer().setInputCol("words").setOutputCol("counts"),
                assemble("f", "rv", "ab", "counts", "bb", "cv")));

    FeaturizerRefit.Fitted fitted = refit(featurizer, Set.of("race", "note", "A"));

    assertThat(fitted.stages().get(3)).isEmpty();
    assertThat(fitted.stages().get(4)).isEmpty();
    assertThat(StageColumns.inputs(stages(fitted).get(0))).containsExactly("city");
    assertThat(StageColumns.outputs(stages(fitted).get(1))).containsExactly("cv");
    Bucketizer buckets = (Bucketizer) stages(fitted).get(2);
    assertThat(buckets.getSplitsArray()).isDeepEqualTo(new double[][] {{0, 1, 2, 9}});
    assertThat(StageColumns.inputs(stages(fitted).get(3))).containsExactly("bb", "cv");
    assertThat(corrected(rows()).drop("race", "note", "a"))
        .satisfies(
            table -> assertThat(SmallTable.vectors(stages(fitted), table, "f")).isNotEmpty());
  }

  @Test
  void fit_indexerOfLabelAndFeature_keepsTheLabelsOrder() {
    Dataset<Row> table = rows().withColumn("answer", expr("if(c = 3, 'no', 'yes')"));
    PipelineModel model =
        SmallTable.fit(
            table,
            "f",
            new StringIndexer()
                .setInputCols(new String[] {"city", "answer"})
                .setOutputCols(new String[] {"ci", "y"}),
            assemble("f", "ci", "a"));
    ((LogisticRegressionModel) model.stages()[2])
        .set(((LogisticRegressionModel) model.stages()[2]).labelCol(), "y");
    Featurizer featurizer = Featurizer.of(model);
    String[] order = ((StringIndexerModel) featurizer.stages().get(0)).labelsArray()[1];
    assertThat(order).containsExactly("yes", "no");
    Dataset<Row> flipped = table.where("city <> 'Kiel' AND (c = 3 OR label = 1 AND a < 1)");
    assertThat(flipped.where("c = 3").count() * 2).isGreaterThan(flipped.count());

    FeaturizerRefit.Fitted fitted =
        FeaturizerRefit.of(featurizer, Set.of(), PLACE).fit(table, flipped, 2, "t");

    StringIndexerModel indexer = (StringIndexerModel) stages(fitted).get(0);
    assertThat(indexer.labelsArray()[1]).containsExactly(order);
    assertThat(indexer.labelsArray()[0]).doesNotContain("Kiel");
    assertThat(FeaturizerRefit.kept(featurizer).stages()).hasSize(1);

    FeaturizerRefit refit = FeaturizerRefit.of(featurizer, Set.of(), PLACE);
    assertThatThrownBy(() -> refit.fit(table, table.where("c < 3"), 2, "--data t"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("column 'answer': the corrected rows have 1 of the 2 labels")
        .hasMessageContaining("no others")
        .hasMessageNotContaining("yes");
    Dataset<Row> third = table.withColumn("answer", expr("if(a < 1, 'secret', answer)"));
    assertThatThrownBy(() -> refit.fit(table, third, 2, "--data t"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("2 of the 2 labels")
        .hasMessageContaining("and others")
        .hasMessageNotContaining("secret");
  }

  @Test
  void of_stagesThatCannotBeFittedAgain_areRefusedByName() {
    assertRefused(
        "Bucketizer (quantileDiscretizer_",
        "numBuckets and relativeError",
        new QuantileDiscretizer().setInputCol("a").setOutputCol("q").setNumBuckets(3),
        assemble("f", "q", "b"));
    assertRefused(
        "Bucketizer (mine)",
        "numBuckets and relativeError",
        new Bucketizer("mine").setInputCol("a").setOutputCol("q").setSplits(UNBOUNDED),
        assemble("f", "q", "b"));
    // as PySpark names those that its QuantileDiscretizer makes, too
    assertRefused(
        "Bucketizer (Bucketizer_4f2a9c1b7d3e)",
        "numBuckets and relativeError",
        new Bucketizer("Bucketizer_4f2a9c1b7d3e")
            .setInputCol("a")
            .setOutputCol("q")
            .setSplits(UNBOUNDED),
        assemble("f", "q", "b"));
    assertRefused(
        "RFormulaModel",
        "cannot be fitted again",
        new RFormula().setFormula("label ~ a + city").setFeaturesCol("f"));
    assertRefused(
        OpaqueStage.class.getSimpleName(),
        "cannot be fitted again",
        new OpaqueStage(),
        assemble("f", "a", "b"));
  }

  /** Spark's own QuantileDiscretizer never bounds its splits, so bounded ones are not its. */
  @Test
  void of_bucketizersWithGivenSplits_areKeptAndNamed() {
    Bucketizer quantiles =
        new QuantileDiscretizer()
            .setInputCols(new String[] {"a", "c", "label"})
            .setOutputCols(new String[] {"qa", "qc", "ql"})
            .setNumBuckets(3)
            .fit(rows());
    for (double[] splits : quantiles.getSplitsArray()) {
      assertThat(splits).startsWith(Double.NEGATIVE_INFINITY).endsWith(Double.POSITIVE_INFINITY);
    }
    List<Bucketizer> given =
        List.of(
            new Bucketizer("bucketizer_4f2a").setSplits(UNBOUNDED),
            new Bucketizer("Bucketizer_4f2a9c1b7d3e").setSplits(new double[] {0, 2, 9}),
            new Bucketizer("mine").setSplits(new double[] {Double.NEGATIVE_INFINITY, 2, 9}));
    for (Bucketizer buckets : given) {
      Featurizer featurizer =
          Featurizer.of(
              SmallTable.fit(
                  rows(),
                  "f",
                  buckets.setInputCol("a").setOutputCol("q"),
                  assemble("f", "q", "b")));
      assertThat(refit(featurizer, Set.of()).stages().get(0)).contains(featurizer.stages().get(0));
      assertThat(FeaturizerRefit.kept(featurizer).names())
          .containsExactly(Bucketizer.class.getName() + " " + buckets.uid());
    }
  }

  @Test
  void of_learnedStagesBehindThePredictor_areRefused() {
    IsotonicRegressionModel calibration =
        new IsotonicRegression().setFeaturesCol("a").setPredictionCol("calibrated").fit(rows());
    Transformer scaler = new StandardScaler().setInputCol("v").setOutputCol("scaled").fit(rows());
    assertRefused(behind(calibration), "IsotonicRegressionModel", "it stands behind the predictor");
    assertRefused(behind(scaler), "StandardScalerModel", "it stands behind the predictor");
    assertRefused(behind(new OpaqueStage()), "OpaqueStage", "it stands behind the predictor");
    assertRefused(
        behind(bucketizer("quantileDiscretizer_1").setSplits(UNBOUNDED)),
        "Bucketizer (quantileDiscretizer_1)",
        "learned, or may have learned");
    assertRefused(
        behind(new VectorSlicer().setInputCol("f").setOutputCol("s").setIndices(new int[] {0})),
        "VectorSlicer",
        "count the slots of a column that a refit makes anew");
    Featurizer reader = behind(new Binarizer().setInputCol("b").setOutputCol("high"));
    assertThatThrownBy(() -> FeaturizerRefit.of(reader, Set.of("B"), PLACE))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("stage Binarizer")
        .hasMessageContaining("reads a column that the request removes");
  }

  @Test
  void of_stagesBehindThePredictorThatLearnedNothing_areKeptAndNamedIfTheyHoldState() {
    IndexToString labels =
        new IndexToString()
            .setInputCol("prediction")
            .setOutputCol("said")
            .setLabels(new String[] {"no", "yes"});
    Bucketizer buckets = bucketizer("bucketizer_1").setSplits(UNBOUNDED);
    Featurizer featurizer =
        behind(
            labels,
            buckets,
            new Binarizer().setInputCol("label").setOutputCol("high"),
            new VectorSlicer()
                .setInputCol("probability")
                .setOutputCol("s")
                .setIndices(new int[] {1}));

    assertThat(refit(featurizer, Set.of()).oldSlots()).containsExactly(0, 1);
    assertThat(FeaturizerRefit.kept(featurizer).names())
        .containsExactly(
            IndexToString.class.getName() + " " + labels.uid(),
            Bucketizer.class.getName() + " " + buckets.uid());
  }

  private static Bucketizer bucketizer(String uid) {
    return new Bucketizer(uid).setInputCol("prediction").setOutputCol("grade");
  }

  private static Featurizer behind(Transformer... after) {
    PipelineModel model = SmallTable.fit(rows(), "f", assemble("f", "a", "b"));
    return Featurizer.of(
        new PipelineModel(
            "p",
            Stream.of(model.stages(), after).flatMap(Arrays::stream).toArray(Transformer[]::new)));
  }

  @Test
  void of_tunedEstimatorThatHoldsAFittedStage_isRefused() throws Exception {
    VectorAssembler assembler = assemble("x", "a", "b");
    StandardScaler scaler = new StandardScaler().setInputCol("x").setOutputCol("f");
    Transformer fitted = scaler.fit(assembler.transform(rows()));
    Featurizer holding = tuned(assembler, fitted);
    assertThat(LearnedState.of(holding.allStages()).names())
        .containsExactly(fitted.getClass().getName() + " " + fitted.uid());
    assertRefused(
        holding, "StandardScalerModel", "it is a fitted stage in the estimator of a tuning");

    Featurizer unfitted = tuned(assembler, scaler);
    assertThat(refit(unfitted, Set.of()).oldSlots()).containsExactly(0, 1);
    assertThat(FeaturizerRefit.kept(unfitted).names()).isEmpty();
  }

  /** A CrossValidatorModel as it comes from a disk. */
  private static Featurizer tuned(PipelineStage... stages) throws Exception {
    PipelineModel best = SmallTable.fit(rows(), "f", stages);
    Pipeline estimator =
        new Pipeline()
            .setStages(
                Stream.concat(
                        Arrays.stream(stages),
                        Stream.of(new LogisticRegression().setFeaturesCol("f")))
                    .toArray(PipelineStage[]::new));
    CrossValidatorModel model = new CrossValidatorModel("cv_1", best, new double[] {0.5});
    model.set(model.estimator(), estimator);
    model.set(model.estimatorParamMaps(), new ParamMap[] {ParamMap.empty()});
    model.set(model.evaluator(), new BinaryClassificationEvaluator());
    String path = java.nio.file.Files.createTempDirectory("tuned").resolve("model").toString();
    model.write().save(path);
    return Featurizer.of(CrossValidatorModel.load(path));
  }

  /** A OneHotEncoder takes the number of categories from its column's attributes if it has any. */
  @Test
  void fit_attributesOfTheTable_areNotBelieved() {
    Dataset<Row> table = rows().withColumn("kind", expr("double(c)"));
    Metadata four =
        NominalAttribute.defaultAttr()
            .withName("kind")
            .withValues(new String[] {"w", "x", "y", "gone"})
            .toMetadata();
    Dataset<Row> described = table.withMetadata("kind", four);
    OneHotEncoder encoder =
        new OneHotEncoder()
            .setInputCols(new String[] {"kind"})
            .setOutputCols(new String[] {"kv"})
            .setDropLast(false);
    VectorAssembler assembler = assemble("f", "kv", "a");
    PipelineStage[] renamed = {
      new SQLTransformer().setStatement("SELECT *, kind AS other FROM __THIS__"),
      encoder.copy(ParamMap.empty()).setInputCols(new String[] {"other"}),
      assembler
    };
    for (PipelineStage[] stages : List.of(new PipelineStage[] {encoder, assembler}, renamed)) {
      Featurizer featurizer = Featurizer.of(SmallTable.fit(described, "f", stages));
      Dataset<Row> corrected = described.where("c < 3");
      PipelineModel truth = SmallTable.fit(table.where("c < 3"), "f", stages);

      FeaturizerRefit.Fitted fitted =
          FeaturizerRefit.of(featurizer, Set.of(), PLACE).fit(described, corrected, 2, "t");

      assertThat(sizes(featurizer.stages())).containsExactly(4);
      assertThat(sizes(stages(fitted)))
          .containsExactly(3)
          .isEqualTo(sizes(List.of(truth.stages())));
      assertThat(fitted.oldSlots()).containsExactly(0, 1, 2, 4);
      Dataset<Row> seen = FeaturizerRefit.withoutCategories(featurizer, corrected);
      assertThat(SmallTable.vectors(stages(fitted), seen, "f"))
          .isEqualTo(SmallTable.vectors(List.of(truth), table.where("c < 3"), "f"));
      // Spark ML's check, because of which the rows have to be seen so
      assertThatThrownBy(() -> SmallTable.vectors(stages(fitted), corrected, "f"))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("metadata specifying 4 values");
    }
  }

  private static int[] sizes(List<Transformer> stages) {
    return stages.stream()
        .filter(OneHotEncoderModel.class::isInstance)
        .flatMapToInt(stage -> Arrays.stream(((OneHotEncoderModel) stage).categorySizes()))
        .toArray();
  }

  private static void assertRefused(String stage, String reason, PipelineStage... stages) {
    assertRefused(Featurizer.of(SmallTable.fit(rows(), "f", stages)), stage, reason);
  }

  private static void assertRefused(Featurizer featurizer, String stage, String reason) {
    assertThatThrownBy(() -> FeaturizerRefit.of(featurizer, Set.of(), PLACE))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageStartingWith("request.yaml: featurizer: refit: stage " + stage)
        .hasMessageContaining(reason)
        .hasMessageContaining("use featurizer: frozen");
  }

  @Test
  void fit_stagesThatCountSlots_areRefusedIfTheSlotsChange() {
    List<PipelineStage> counting =
        List.of(
            new VectorSlicer().setInputCol("x").setOutputCol("f").setIndices(new int[] {0, 2}),
            new ElementwiseProduct()
                .setInputCol("x")
                .setOutputCol("f")
                .setScalingVec(Vectors.dense(1, 2, 3, 4)));
    for (PipelineStage stage : counting) {
      PipelineStage[] stages = {
        index("city", "ci"),
        new OneHotEncoder().setInputCols(new String[] {"ci"}).setOutputCols(new String[] {"cv"}),
        assemble("x", "cv", "a"),
        stage
      };
      Featurizer featurizer = Featurizer.of(SmallTable.fit(rows(), "f", stages));
      assertThatThrownBy(() -> refit(featurizer, Set.of()))
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining("count the slots of column 'x', which are others after the refit");
      FeaturizerRefit.Fitted same =
          FeaturizerRefit.of(featurizer, Set.of(), PLACE).fit(rows(), rows(), 2, "t");
      assertThat(same.oldSlots()).doesNotContain(-1);
    }
    Featurizer hinted =
        Featurizer.of(
            SmallTable.fit(
                rows(),
                "v",
                new VectorSizeHint().setInputCol("v").setSize(3).setHandleInvalid("error")));
    assertThat(refit(hinted, Set.of()).oldSlots()).containsExactly(0, 1, 2);
  }
}
