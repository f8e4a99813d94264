package dev.lethe.spark.featurizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.lethe.spark.LocalSpark;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.BiFunction;
import java.util.stream.Stream;
import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.feature.Binarizer;
import org.apache.spark.ml.feature.Bucketizer;
import org.apache.spark.ml.feature.ChiSqSelector;
import org.apache.spark.ml.feature.CountVectorizer;
import org.apache.spark.ml.feature.DCT;
import org.apache.spark.ml.feature.ElementwiseProduct;
import org.apache.spark.ml.feature.FeatureHasher;
import org.apache.spark.ml.feature.HashingTF;
import org.apache.spark.ml.feature.IDF;
import org.apache.spark.ml.feature.Imputer;
import org.apache.spark.ml.feature.IndexToString;
import org.apache.spark.ml.feature.Interaction;
import org.apache.spark.ml.feature.MaxAbsScaler;
import org.apache.spark.ml.feature.MinMaxScaler;
import org.apache.spark.ml.feature.NGram;
import org.apache.spark.ml.feature.Normalizer;
import org.apache.spark.ml.feature.OneHotEncoder;
import org.apache.spark.ml.feature.PCA;
import org.apache.spark.ml.feature.PolynomialExpansion;
import org.apache.spark.ml.feature.QuantileDiscretizer;
import org.apache.spark.ml.feature.RegexTokenizer;
import org.apache.spark.ml.feature.RobustScaler;
import org.apache.spark.ml.feature.SQLTransformer;
import org.apache.spark.ml.feature.StandardScaler;
import org.apache.spark.ml.feature.StopWordsRemover;
import org.apache.spark.ml.feature.StringIndexer;
import org.apache.spark.ml.feature.TargetEncoder;
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
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The truth here is what Spark ML itself does: the slots that change when the removed input changes
 * (a union over random changes drawn from the input's own values).
 */
@SuppressWarnings("deprecation") // ChiSqSelector is deprecated, and saved models have it
class FeatureRemovalTest {
  // 8 rounds over 40 rows: an input value that a slot needs turns up with near certainty, and the
  // draws are seeded
  private static final int ROUNDS = 8;
  private static final String PLACE = "changes[0].removeFeatures[0]";

  private static List<Row> rows = List.of();
  private static Dataset<Row> table;

  @BeforeAll
  static void makeTable() {
    // read back from a dataset, so that rows know their schema
    rows = SmallTable.dataset(SmallTable.rows(40)).collectAsList();
    table = SmallTable.dataset(rows);
  }

  private static VectorAssembler assembler(String output, String... inputs) {
    return new VectorAssembler().setInputCols(inputs).setOutputCol(output);
  }

  private static RemovedFeature whole(String column) {
    return RemovedFeature.column(column, PLACE);
  }

  private static FeatureRemoval remove(Featurizer featurizer, RemovedFeature... features) {
    return FeatureRemoval.of(featurizer, table, List.of(features), "label", null);
  }

  private static int removedCount(FeatureRemoval removal) {
    int count = 0;
    for (boolean removed : removal.removedSlots()) {
      count += removed ? 1 : 0;
    }
    return count;
  }

  private static Set<Integer> changed(
      Featurizer featurizer, List<BiFunction<Row, Row, Row>> changes) {
    Set<Integer> slots = new TreeSet<>();
    for (BiFunction<Row, Row, Row> change : changes) {
      slots.addAll(
          SmallTable.changedSlots(
              featurizer.stages(),
              rows,
              SmallTable.SCHEMA,
              featurizer.featuresCol(),
              change,
              ROUNDS));
    }
    return slots;
  }

  static Stream<Arguments> slotStages() {
    double[] scaling = {2, 3, 4, 5, 6, 7};
    return Stream.of(
        Arguments.of(new StandardScaler().setWithMean(true).setInputCol("x").setOutputCol("f")),
        Arguments.of(new StandardScaler().setInputCol("x").setOutputCol("f")),
        Arguments.of(new MinMaxScaler().setInputCol("x").setOutputCol("f")),
        Arguments.of(new MaxAbsScaler().setInputCol("x").setOutputCol("f")),
        Arguments.of(new RobustScaler().setInputCol("x").setOutputCol("f")),
        Arguments.of(
            new ElementwiseProduct()
                .setScalingVec(Vectors.dense(scaling))
                .setInputCol("x")
                .setOutputCol("f")),
        Arguments.of(new Binarizer().setThreshold(2.2).setInputCol("x").setOutputCol("f")),
        Arguments.of(new VectorIndexer().setMaxCategories(3).setInputCol("x").setOutputCol("f")),
        Arguments.of(
            new VectorSlicer()
                .setIndices(new int[] {4, 1})
                .setNames(new String[] {"c", "a"})
                .setInputCol("x")
                .setOutputCol("f")),
        Arguments.of(
            new VarianceThresholdSelector()
                .setVarianceThreshold(0.7)
                .setFeaturesCol("x")
                .setOutputCol("f")),
        Arguments.of(
            new ChiSqSelector()
                .setNumTopFeatures(5)
                .setFeaturesCol("x")
                .setLabelCol("label")
                .setOutputCol("f")),
        Arguments.of(
            new UnivariateFeatureSelector()
                .setFeatureType("continuous")
                .setLabelType("categorical")
                .setSelectionMode("numTopFeatures")
                .setSelectionThreshold(5)
                .setFeaturesCol("x")
                .setLabelCol("label")
                .setOutputCol("f")));
  }

  @ParameterizedTest
  @MethodSource("slotStages")
  void removedSlots_stageActsSlotBySlot_areThoseThatChange(PipelineStage stage) {
    Featurizer featurizer =
        Featurizer.of(SmallTable.fit(table, "f", assembler("x", "a", "b", "c", "v"), stage));

    for (String column : List.of("a", "b", "c")) {
      Set<Integer> truth = changed(featurizer, List.of(SmallTable.column(column)));
      if (truth.isEmpty()) {
        continue; // a selector dropped it; refusing that is another test
      }
      assertThat(SmallTable.removed(remove(featurizer, whole(column)))).isEqualTo(truth);
    }
    int checked = 0;
    for (int j = 0; j < 3; j++) {
      Set<Integer> truth = changed(featurizer, List.of(SmallTable.slot("v", j)));
      if (!truth.isEmpty()) {
        FeatureRemoval slot = remove(featurizer, RemovedFeature.slot("v", j, PLACE));
        assertThat(SmallTable.removed(slot)).isEqualTo(truth);
        assertThat(slot.removedColumns()).isEmpty();
        assertThat(slot.publishedStages()).isEqualTo(featurizer.stages());
        checked++;
      }
    }
    assertThat(checked).isPositive();
  }

  static Stream<Arguments> scalarPipelines() {
    VectorAssembler encoded = assembler("f", "cityVec", "a", "raceVec");
    StringIndexer index =
        new StringIndexer()
            .setInputCols(new String[] {"city", "race"})
            .setOutputCols(new String[] {"cityIdx", "raceIdx"})
            .setHandleInvalid("error");
    String[] indices = {"cityIdx", "raceIdx"};
    String[] vectors = {"cityVec", "raceVec"};
    return Stream.of(
        Arguments.of(
            "one-hot, last dropped",
            "race",
            new PipelineStage[] {
              index, new OneHotEncoder().setInputCols(indices).setOutputCols(vectors), encoded
            },
            2),
        Arguments.of(
            "one-hot, all kept",
            "race",
            new PipelineStage[] {
              index,
              new OneHotEncoder().setDropLast(false).setInputCols(indices).setOutputCols(vectors),
              encoded
            },
            3),
        Arguments.of(
            "single columns",
            "race",
            new PipelineStage[] {
              new StringIndexer().setInputCol("race").setOutputCol("raceIdx"),
              new OneHotEncoder().setInputCol("raceIdx").setOutputCol("raceVec"),
              assembler("f", "raceVec", "a")
            },
            2),
        Arguments.of(
            "index, text and back",
            "race",
            new PipelineStage[] {
              new StringIndexer().setInputCol("race").setOutputCol("i"),
              new IndexToString()
                  .setInputCol("i")
                  .setOutputCol("s")
                  .setLabels(new String[] {"x", "y", "z"}),
              new StringIndexer().setInputCol("s").setOutputCol("j"),
              assembler("f", "i", "b", "j")
            },
            2),
        Arguments.of(
            "buckets",
            "b",
            new PipelineStage[] {
              new Bucketizer()
                  .setInputCols(new String[] {"a", "b"})
                  .setSplitsArray(new double[][] {{0, 2, 9}, {0, 1, 2, 9}})
                  .setOutputCols(new String[] {"aBin", "bBin"}),
              new QuantileDiscretizer().setNumBuckets(2).setInputCol("b").setOutputCol("bHalf"),
              new Binarizer()
                  .setInputCols(new String[] {"b", "a"})
                  .setThresholds(new double[] {2, 2})
                  .setOutputCols(new String[] {"bBig", "aBig"}),
              assembler("f", "aBin", "bBin", "bHalf", "aBig", "bBig")
            },
            3),
        Arguments.of(
            "imputed",
            "b",
            new PipelineStage[] {
              new Imputer()
                  .setInputCols(new String[] {"a", "b"})
                  .setOutputCols(new String[] {"a2", "b2"}),
              assembler("x", "a2", "b2", "v"),
              new VectorSizeHint().setInputCol("v").setSize(3),
              assembler("f", "v", "x")
            },
            1),
        Arguments.of(
            "hashed terms with idf",
            "text",
            new PipelineStage[] {
              new Tokenizer().setInputCol("text").setOutputCol("t"),
              new StopWordsRemover().setInputCol("t").setOutputCol("t2"),
              new NGram().setInputCol("t2").setOutputCol("t3"),
              // 30 bigrams on 4 slots: every slot is hit
              new HashingTF().setNumFeatures(4).setInputCol("t3").setOutputCol("tf"),
              new IDF().setInputCol("tf").setOutputCol("idf"),
              assembler("f", "a", "idf")
            },
            4),
        Arguments.of(
            "counted terms",
            "text",
            new PipelineStage[] {
              new RegexTokenizer().setInputCol("text").setOutputCol("t"),
              new CountVectorizer().setInputCol("t").setOutputCol("cv"),
              new Tokenizer().setInputCol("note").setOutputCol("n"),
              new CountVectorizer().setInputCol("n").setOutputCol("cn"),
              assembler("f", "cn", "cv")
            },
            7),
        Arguments.of(
            "word vectors",
            "text",
            new PipelineStage[] {
              new Tokenizer().setInputCol("text").setOutputCol("t"),
              new Word2Vec()
                  .setVectorSize(5)
                  .setMinCount(1)
                  .setSeed(3)
                  .setInputCol("t")
                  .setOutputCol("w"),
              assembler("f", "w", "a")
            },
            5));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("scalarPipelines")
  void removedSlots_columnByColumn_areThoseThatChange(
      String name, String column, PipelineStage[] stages, int expected) {
    Featurizer featurizer = Featurizer.of(SmallTable.fit(table, "f", stages));

    FeatureRemoval removal = remove(featurizer, whole(column));

    assertThat(removedCount(removal)).isEqualTo(expected);
    assertThat(SmallTable.removed(removal))
        .isEqualTo(changed(featurizer, List.of(SmallTable.column(column))));
    assertThat(removal.removedColumns()).containsExactly(column);
    assertThat(removal.publishedStages()).isEqualTo(featurizer.stages());
  }

  @Test
  void removedSlots_invalidKeptInItsOwnSlot_countsIt() {
    Dataset<Row> few = SmallTable.dataset(rows.subList(0, 10));
    Featurizer featurizer =
        Featurizer.of(
            SmallTable.fit(
                few,
                "f",
                new StringIndexer().setInputCol("race").setOutputCol("i").setHandleInvalid("keep"),
                new OneHotEncoder()
                    .setInputCol("i")
                    .setOutputCol("o")
                    .setDropLast(false)
                    .setHandleInvalid("keep"),
                assembler("f", "a", "o")));
    // StringIndexer says 3 labels and one for the unknown, OneHotEncoder keeps one more
    assertThat(SmallTable.removed(remove(featurizer, whole("race"))))
        .isEqualTo(Set.of(1, 2, 3, 4, 5));
  }

  static Stream<Arguments> mixing() {
    return Stream.of(
        Arguments.of(new Normalizer().setInputCol("x").setOutputCol("m")),
        Arguments.of(new PCA().setK(2).setInputCol("x").setOutputCol("m")),
        Arguments.of(new DCT().setInputCol("x").setOutputCol("m")),
        Arguments.of(new PolynomialExpansion().setDegree(3).setInputCol("x").setOutputCol("m")),
        Arguments.of(new Interaction().setInputCols(new String[] {"x", "b"}).setOutputCol("m")));
  }

  @ParameterizedTest
  @MethodSource("mixing")
  void removedSlots_allInputsOfMixingStageRemoved_areItsOutputs(PipelineStage stage) {
    Featurizer featurizer =
        Featurizer.of(
            SmallTable.fit(table, "f", assembler("x", "a", "b"), stage, assembler("f", "c", "m")));

    FeatureRemoval removal = remove(featurizer, whole("a"), whole("b"));

    assertThat(SmallTable.removed(removal))
        .isEqualTo(changed(featurizer, List.of(SmallTable.column("a"), SmallTable.column("b"))));
  }

  @ParameterizedTest
  @MethodSource("mixing")
  void removedSlots_mixingStageReadsKeptOnly_staysOut(PipelineStage stage) {
    Featurizer featurizer =
        Featurizer.of(
            SmallTable.fit(table, "f", assembler("x", "a", "b"), stage, assembler("f", "m", "c")));

    FeatureRemoval removal = remove(featurizer, whole("c"));

    assertThat(SmallTable.removed(removal))
        .isEqualTo(Set.of(featurizer.numFeatures() - 1))
        .isEqualTo(changed(featurizer, List.of(SmallTable.column("c"))));
  }

  @Test
  void publishedStages_hasherReadsRemovedAndOthers_hashWithoutIt() {
    FeatureHasher hasher =
        new FeatureHasher()
            .setInputCols(new String[] {"a", "race", "city", "c"})
            .setCategoricalCols(new String[] {"c", "race"})
            .setNumFeatures(16)
            .setOutputCol("f");
    Featurizer featurizer = Featurizer.of(SmallTable.fit(table, "f", hasher));

    FeatureRemoval removal = remove(featurizer, whole("race"), whole("c"));

    assertThat(removedCount(removal)).isZero();
    FeatureHasher without =
        new FeatureHasher()
            .setInputCols(new String[] {"a", "city"})
            .setNumFeatures(16)
            .setOutputCol("f");
    assertThat(SmallTable.vectors(removal.publishedStages(), table, "f"))
        .isEqualTo(SmallTable.vectors(List.of(without), table, "f"));
    assertThat(
            SmallTable.changedSlots(
                removal.publishedStages(),
                rows,
                SmallTable.SCHEMA,
                "f",
                SmallTable.column("race"),
                2))
        .isEmpty();
    FeatureHasher published = (FeatureHasher) removal.publishedStages().get(0);
    assertThat(published.uid()).isEqualTo(hasher.uid());
    assertThat(published.getCategoricalCols()).isEmpty();
    assertThat(((FeatureHasher) featurizer.stages().get(0)).getInputCols()).hasSize(4);
  }

  @Test
  void removedSlots_hasherOfNumbers_areThoseNoOtherColumnReaches() {
    Featurizer featurizer =
        Featurizer.of(
            SmallTable.fit(
                table,
                "f",
                new FeatureHasher()
                    .setInputCols(new String[] {"a", "b", "c"})
                    .setNumFeatures(1 << 10)
                    .setOutputCol("h"),
                new Normalizer().setInputCol("h").setOutputCol("f")));

    FeatureRemoval removal = remove(featurizer, whole("b"));

    // before the Normalizer, the slots that change with b
    Set<Integer> ofB =
        SmallTable.changedSlots(
            featurizer.stages().subList(0, 1),
            rows,
            SmallTable.SCHEMA,
            "h",
            SmallTable.column("b"),
            2);
    assertThat(ofB).hasSize(1);
    assertThat(SmallTable.removed(removal)).isEqualTo(ofB);
    int slot = ofB.iterator().next();
    assertThat(SmallTable.vectors(removal.publishedStages(), table, "f"))
        .allSatisfy(vector -> assertThat(vector.apply(slot)).isZero());
  }

  @Test
  void removedSlots_allColumnsOfHasherRemoved_areAllItsSlots() {
    Featurizer featurizer =
        Featurizer.of(
            SmallTable.fit(
                table,
                "f",
                new FeatureHasher()
                    .setInputCols(new String[] {"race", "city"})
                    .setNumFeatures(8)
                    .setOutputCol("h"),
                assembler("f", "h", "a")));

    FeatureRemoval removal = remove(featurizer, whole("race"), whole("city"));

    assertThat(SmallTable.removed(removal)).isEqualTo(Set.of(0, 1, 2, 3, 4, 5, 6, 7));
    assertThat(removal.publishedStages()).isEqualTo(featurizer.stages());
  }

  @Test
  void removedSlots_hasherReadsColumnsOtherStagesMake_dropsTheDerivedColumn() {
    Featurizer featurizer =
        Featurizer.of(
            SmallTable.fit(
                table,
                "f",
                new StringIndexer().setInputCol("race").setOutputCol("i"),
                new FeatureHasher()
                    .setInputCols(new String[] {"i", "city"})
                    .setNumFeatures(32)
                    .setOutputCol("f")));

    FeatureRemoval removal = remove(featurizer, whole("race"));

    assertThat(((FeatureHasher) removal.publishedStages().get(1)).getInputCols())
        .containsExactly("city");
    assertThat(removedCount(removal)).isZero();
  }

  @Test
  void removedSlots_slotsOfMadeVector_byNameAndIndexAndTwice() {
    Featurizer featurizer =
        Featurizer.of(
            SmallTable.fit(
                table,
                "f",
                new StringIndexer().setInputCol("race").setOutputCol("i"),
                new OneHotEncoder().setInputCol("i").setOutputCol("o"),
                assembler("f", "a", "o", "b")));

    assertThat(
            SmallTable.removed(
                remove(
                    featurizer,
                    RemovedFeature.slot("f", "b", PLACE),
                    RemovedFeature.slot("o", 1, PLACE),
                    RemovedFeature.slot("o", 1, "changes[1].removeFeatures[0]"))))
        .isEqualTo(Set.of(2, 3));
    assertThat(SmallTable.removed(remove(featurizer, whole("o")))).isEqualTo(Set.of(1, 2));
    assertThat(SmallTable.removed(remove(featurizer, whole("RACE")))).isEqualTo(Set.of(1, 2));
    assertThat(remove(featurizer, whole("RACE")).removedColumns()).containsExactly("race");
    assertThat(removedCount(remove(featurizer))).isZero();
  }

  @Test
  void removedSlots_unknownStageBeforeTheVector_slotsCanStillBeNamed() {
    Featurizer featurizer =
        Featurizer.of(
            SmallTable.fit(
                table,
                "f",
                new SQLTransformer().setStatement("SELECT *, a * b AS ab FROM __THIS__"),
                new OpaqueStage(),
                assembler("f", "c", "ab", "v")));

    assertThat(
            SmallTable.removed(
                remove(
                    featurizer,
                    RemovedFeature.slot("f", "ab", PLACE),
                    RemovedFeature.slot("f", 4, PLACE))))
        .isEqualTo(Set.of(1, 4));
  }

  @Test
  void publish_nestedPipelines_keepsNestingAndUids() {
    PipelineModel inner =
        new Pipeline()
            .setStages(
                new PipelineStage[] {
                  new FeatureHasher()
                      .setInputCols(new String[] {"race", "city"})
                      .setNumFeatures(8)
                      .setOutputCol("h"),
                  new StandardScaler().setInputCol("h").setOutputCol("s")
                })
            .fit(table);
    PipelineModel model = SmallTable.fit(table, "f", inner, assembler("f", "s", "a"));
    Featurizer featurizer = Featurizer.of(model);
    assertThat(featurizer.stages()).hasSize(3);

    FeatureRemoval removal = remove(featurizer, whole("race"), whole("a"));
    assertThat(SmallTable.removed(removal)).isEqualTo(Set.of(8));
    PipelineModel published =
        (PipelineModel) featurizer.publish(removal.publishedStages(), featurizer.predictor());

    assertThat(published.uid()).isEqualTo(model.uid());
    assertThat(published.stages()).hasSize(3);
    assertThat(published.stages()[0].uid()).isEqualTo(inner.uid());
    assertThat(published.stages()[2]).isSameAs(featurizer.predictor());
    List<String> before = uids(model);
    assertThat(uids(published)).isEqualTo(before);
    assertThat(published.transform(table.drop("race")).select("prediction").count()).isEqualTo(40);
  }

  private static List<String> uids(Transformer stage) {
    List<String> uids = new ArrayList<>(List.of(stage.uid()));
    if (stage instanceof PipelineModel pipeline) {
      Arrays.stream(pipeline.stages()).forEach(child -> uids.addAll(uids(child)));
    }
    return uids;
  }

  @Test
  void removedSlots_adultThroughIndexerAndEncoder_areThoseThatChange() throws Exception {
    Path file = sharedFile("data/adult/adult-train.csv");
    assumeTrue(file != null, "skipped: ../shared/data/adult/adult-train.csv is absent");
    Dataset<Row> adult =
        LocalSpark.session()
            .read()
            .option("header", "true")
            .option("inferSchema", "true")
            .option("ignoreLeadingWhiteSpace", "true")
            .csv(file.toString())
            .limit(2000);
    List<Row> people = adult.collectAsList();
    StructType schema = adult.schema();
    Dataset<Row> small = LocalSpark.session().createDataFrame(people, schema).coalesce(1);
    String[] categorical = {
      "workclass", "education", "marital-status", "occupation", "relationship", "race", "sex"
    };
    String[] index = Arrays.stream(categorical).map(c -> c + "_i").toArray(String[]::new);
    String[] vector = Arrays.stream(categorical).map(c -> c + "_v").toArray(String[]::new);
    List<String> all = new ArrayList<>(List.of("age", "education-num", "hours-per-week"));
    all.addAll(List.of(vector));
    Featurizer featurizer =
        Featurizer.of(
            SmallTable.fit(
                small,
                "features",
                new StringIndexer().setInputCols(categorical).setOutputCols(index),
                new OneHotEncoder().setInputCols(index).setOutputCols(vector),
                assembler("x", all.toArray(new String[0])),
                new StandardScaler().setWithMean(true).setInputCol("x").setOutputCol("features"),
                new StringIndexer().setInputCol("income").setOutputCol("label")));
    assertThat(featurizer.tableLabelColumn()).isEqualTo("income");
    List<String> removed = List.of("race", "marital-status", "relationship");

    FeatureRemoval removal =
        FeatureRemoval.of(
            featurizer,
            small,
            removed.stream().map(FeatureRemovalTest::whole).toList(),
            "income",
            null);

    Set<Integer> truth = new TreeSet<>();
    for (String column : removed) {
      // sorted by rarity, so that 400 rows hold every category
      List<Row> mixed = everyValue(people, column, 400);
      truth.addAll(
          SmallTable.changedSlots(
              featurizer.stages(), mixed, schema, "features", SmallTable.column(column), 3));
    }
    assertThat(SmallTable.removed(removal)).isEqualTo(truth);
    long categories = removed.stream().mapToLong(c -> small.select(c).distinct().count() - 1).sum();
    assertThat(removedCount(removal)).isEqualTo((int) categories);
  }

  private static List<Row> everyValue(List<Row> from, String column, int size) {
    List<Row> firsts = new ArrayList<>();
    Set<Object> seen = new HashSet<>();
    for (Row row : from) {
      if (seen.add(row.getAs(column))) {
        // several of each, so that random draws meet the rare ones
        for (int i = 0; i < 20; i++) {
          firsts.add(row);
        }
      }
    }
    firsts.addAll(from.subList(0, size - firsts.size()));
    return firsts;
  }

  private static Path sharedFile(String name) {
    for (Path at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
      Path file = at.resolve("shared").resolve(name);
      if (Files.exists(file)) {
        return file;
      }
    }
    return null;
  }

  @Test
  void removedSlots_targetEncoder_areThoseThatChange() {
    assumeTrue(
        LocalSpark.session().version().compareTo("4") > 0, "skipped: Spark 3.5 has no encoder");
    // fitted by itself: Pipeline.fit cannot chain this stage, its transformSchema adds no column
    Transformer encoder =
        new TargetEncoder()
            .setLabelCol("label")
            .setInputCols(new String[] {"c"})
            .setOutputCols(new String[] {"ct"})
            .fit(table);
    Transformer[] stages = {encoder, assembler("f", "a", "b", "ct"), SmallTable.predictor("f", 3)};
    Featurizer featurizer = Featurizer.of(new PipelineModel("p", stages));
    assertThat(SmallTable.removed(remove(featurizer, whole("c"))))
        .isEqualTo(Set.of(2))
        .isEqualTo(changed(featurizer, List.of(SmallTable.column("c"))));
  }

  @Test
  void removedSlots_stageReadsFieldOfRemovedStruct_goWithIt() {
    assumeTrue(
        LocalSpark.session().version().compareTo("4") > 0, "skipped: Spark 3.5 reads no fields");
    Dataset<Row> nested =
        table.withColumn("person", functions.struct(functions.col("race"), functions.col("c")));
    Featurizer featurizer =
        Featurizer.of(
            SmallTable.fit(
                nested,
                "f",
                new StringIndexer().setInputCol("person.race").setOutputCol("i"),
                assembler("f", "a", "i")));
    FeatureRemoval removal =
        FeatureRemoval.of(featurizer, nested, List.of(whole("person")), "label", null);
    assertThat(SmallTable.removed(removal)).isEqualTo(Set.of(1));
  }

  @Test
  void transform_runsTheFeaturizerAlone() {
    Featurizer featurizer = Featurizer.of(SmallTable.fit(table, "f", assembler("f", "a", "v")));
    Dataset<Row> out = featurizer.transform(table);
    assertThat(out.columns()).contains("f").doesNotContain("prediction");
    assertThat(((Vector) out.select("f").first().get(0)).size()).isEqualTo(4);
  }
}
