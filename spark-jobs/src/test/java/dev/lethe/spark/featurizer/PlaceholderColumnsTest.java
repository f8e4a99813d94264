package dev.lethe.spark.featurizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lethe.spark.InvalidInputException;
import java.util.List;
import java.util.stream.Stream;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.feature.Bucketizer;
import org.apache.spark.ml.feature.CountVectorizer;
import org.apache.spark.ml.feature.FeatureHasher;
import org.apache.spark.ml.feature.HashingTF;
import org.apache.spark.ml.feature.Imputer;
import org.apache.spark.ml.feature.MinHashLSH;
import org.apache.spark.ml.feature.OneHotEncoder;
import org.apache.spark.ml.feature.StandardScaler;
import org.apache.spark.ml.feature.StringIndexer;
import org.apache.spark.ml.feature.Tokenizer;
import org.apache.spark.ml.feature.VectorAssembler;
import org.apache.spark.ml.feature.VectorIndexer;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class PlaceholderColumnsTest {
  private static Dataset<Row> table;

  @BeforeAll
  static void makeTable() {
    table =
        SmallTable.dataset(SmallTable.rows(40))
            .withColumn("tokens", functions.split(functions.col("text"), " "))
            .cache();
  }

  private static VectorAssembler assembler(String... inputs) {
    return new VectorAssembler().setInputCols(inputs).setOutputCol("f");
  }

  static Stream<Arguments> readers() {
    return Stream.of(
        Arguments.of(
            "label",
            "race",
            new PipelineStage[] {
              new StringIndexer().setInputCol("race").setOutputCol("i").setHandleInvalid("skip"),
              new OneHotEncoder().setInputCol("i").setOutputCol("o"),
              assembler("a", "o")
            }),
        Arguments.of(
            "label that is a whole number",
            "c",
            new PipelineStage[] {
              new StringIndexer().setInputCol("c").setOutputCol("i"), assembler("a", "i", "c")
            }),
        Arguments.of(
            "label that is a fraction",
            "b",
            new PipelineStage[] {
              new StringIndexer().setInputCol("b").setOutputCol("i"), assembler("a", "i", "b")
            }),
        Arguments.of(
            "label and text",
            "race",
            new PipelineStage[] {
              new StringIndexer().setInputCol("race").setOutputCol("i"),
              new Tokenizer().setInputCol("race").setOutputCol("t"),
              new HashingTF().setNumFeatures(4).setInputCol("t").setOutputCol("h"),
              assembler("a", "i", "h")
            }),
        Arguments.of(
            "unknown labels kept",
            "race",
            new PipelineStage[] {
              new StringIndexer().setInputCol("race").setOutputCol("i").setHandleInvalid("keep"),
              assembler("a", "i")
            }),
        Arguments.of(
            "buckets above 0",
            "c",
            new PipelineStage[] {
              new Bucketizer()
                  .setSplits(new double[] {1, 2, 4})
                  .setInputCol("c")
                  .setOutputCol("bin"),
              new OneHotEncoder().setInputCol("c").setOutputCol("o"),
              assembler("a", "bin", "o")
            }),
        Arguments.of(
            "imputed",
            "b",
            new PipelineStage[] {
              new Imputer().setInputCol("b").setOutputCol("b2"), assembler("a", "b2")
            }),
        Arguments.of(
            "text",
            "text",
            new PipelineStage[] {
              new Tokenizer().setInputCol("text").setOutputCol("t"),
              new HashingTF().setNumFeatures(4).setInputCol("t").setOutputCol("h"),
              assembler("a", "h")
            }),
        Arguments.of(
            "tokens",
            "tokens",
            new PipelineStage[] {
              new CountVectorizer().setInputCol("tokens").setOutputCol("h"), assembler("a", "h")
            }),
        Arguments.of(
            "vector",
            "v",
            new PipelineStage[] {
              new StandardScaler().setInputCol("v").setOutputCol("s"), assembler("a", "s", "v")
            }),
        Arguments.of(
            "vector with categories",
            "v",
            new PipelineStage[] {
              new VectorIndexer().setMaxCategories(4).setInputCol("v").setOutputCol("s"),
              assembler("a", "s")
            }),
        Arguments.of(
            "hashed",
            "race",
            new PipelineStage[] {
              new FeatureHasher()
                  .setInputCols(new String[] {"race", "city"})
                  .setNumFeatures(8)
                  .setOutputCol("h"),
              assembler("a", "h")
            }));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("readers")
  void fill_missingColumn_keepsAllRowsAndAllKeptSlots(
      String name, String column, PipelineStage[] stages) {
    Featurizer featurizer = Featurizer.of(SmallTable.fit(table, "f", stages));
    List<RemovedFeature> features = List.of(RemovedFeature.column(column, "changes[0]"));
    FeatureRemoval whole = FeatureRemoval.of(featurizer, table, features, "label", null);

    Dataset<Row> filled =
        PlaceholderColumns.fill(table.drop(column), featurizer.stages(), List.of(column));
    FeatureRemoval lacking = FeatureRemoval.of(featurizer, filled, features, "label", null);

    assertThat(lacking.removedSlots()).isEqualTo(whole.removedSlots());
    List<Vector> expected = SmallTable.vectors(whole.publishedStages(), table, "f");
    List<Vector> actual = SmallTable.vectors(lacking.publishedStages(), filled, "f");
    assertThat(actual).hasSize(40);
    boolean[] removed = whole.removedSlots();
    for (int i = 0; i < 40; i++) {
      for (int j = 0; j < removed.length; j++) {
        if (!removed[j]) {
          assertThat(actual.get(i).apply(j)).isEqualTo(expected.get(i).apply(j));
        }
      }
    }
  }

  @Test
  void fill_columnPresent_staysAsItIs() {
    Featurizer featurizer = Featurizer.of(SmallTable.fit(table, "f", assembler("a", "b")));
    assertThat(PlaceholderColumns.fill(table, featurizer.stages(), List.of("A"))).isSameAs(table);
  }

  private static void assertRefused(
      Dataset<Row> rows, List<Transformer> stages, String column, String... parts) {
    var thrown =
        assertThatThrownBy(() -> PlaceholderColumns.fill(rows, stages, List.of(column)))
            .isInstanceOf(InvalidInputException.class)
            .hasMessageContaining("'" + column + "'");
    for (String part : parts) {
      thrown.hasMessageContaining(part);
    }
  }

  @Test
  void fill_noStageReadsIt_isRefused() {
    Featurizer featurizer = Featurizer.of(SmallTable.fit(table, "f", assembler("a", "b")));
    assertRefused(table, featurizer.stages(), "rice", "no featurizer stage reads it");
  }

  @Test
  void fill_stageThatCannotBeSeenInto_isRefused() {
    assertRefused(table.drop("a"), List.of(new OpaqueStage()), "a", "OpaqueStage", "keep");
  }

  @Test
  void fill_noValueSuitsAll_isRefused() {
    Featurizer buckets =
        Featurizer.of(
            SmallTable.fit(
                table,
                "f",
                new Bucketizer()
                    .setSplits(new double[] {0.5, 2, 9})
                    .setInputCol("b")
                    .setOutputCol("low"),
                assembler("low", "a")));
    Transformer above =
        new Bucketizer().setSplits(new double[] {10, 20, 30}).setInputCol("b").setOutputCol("x");
    assertRefused(
        table.drop("b"),
        List.of(buckets.stages().get(0), above),
        "b",
        "no value suits",
        "Bucketizer (" + above.uid() + ")");
    Transformer tokenizer = new Tokenizer().setInputCol("b").setOutputCol("t");
    Transformer hashing = new HashingTF().setInputCol("b").setOutputCol("t2");
    assertRefused(table.drop("b"), List.of(tokenizer, hashing), "b", "different types");
    Transformer lsh = new MinHashLSH().setInputCol("v").setOutputCol("m").fit(table);
    assertRefused(table.drop("v"), List.of(lsh), "v", "MinHashLSHModel");
  }
}
