package dev.lethe.spark;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Check;
import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.certificate.Scope;
import dev.lethe.spark.certificate.Verdict;
import dev.lethe.spark.data.TableSource;
import dev.lethe.spark.job.GivenTables;
import dev.lethe.spark.job.RequestSource;
import dev.lethe.spark.job.TrainJob;
import dev.lethe.spark.job.UnlearnJob;
import dev.lethe.spark.job.VerifyJob;
import dev.lethe.spark.job.VerifyOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.attribute.NominalAttribute;
import org.apache.spark.ml.classification.LogisticRegression;
import org.apache.spark.ml.feature.CountVectorizer;
import org.apache.spark.ml.feature.IDF;
import org.apache.spark.ml.feature.Imputer;
import org.apache.spark.ml.feature.MinMaxScaler;
import org.apache.spark.ml.feature.OneHotEncoder;
import org.apache.spark.ml.feature.StandardScaler;
import org.apache.spark.ml.feature.StringIndexer;
import org.apache.spark.ml.feature.VectorAssembler;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.Metadata;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

/**
 * {@code featurizer: refit}: unlearned = a pipeline that Spark ML fits from scratch to rows that
 * were corrected by hand, with its objective minimised by {@link MeanFormLogistic}.
 */
@ExtendWith(LocalSpark.class)
class RefitEqualsRetrainedTest {
  private static final int ROWS = 240;

  private static final StructType SCHEMA =
      new StructType()
          .add("id", DataTypes.IntegerType)
          .add("age", DataTypes.DoubleType)
          .add("income", DataTypes.DoubleType)
          .add("city", DataTypes.StringType)
          .add("race", DataTypes.StringType)
          .add("kind", DataTypes.DoubleType)
          .add("words", DataTypes.createArrayType(DataTypes.StringType))
          .add("answer", DataTypes.StringType)
          .add("label", DataTypes.DoubleType);

  private static final Metadata FOUR_KINDS =
      NominalAttribute.defaultAttr()
          .withName("kind")
          .withValues(new String[] {"a", "b", "c", "d"})
          .toMetadata();

  private static final String CHANGES =
      """
        - removeRows: {where: "id < 10 OR city = 'Hof'"}
        - replaceFeatures: {set: {income: "income / 2", age: "age + 1"}, where: "id % 7 = 3 AND NOT isnan(income)"}
      """;

  /**
   * A pipeline and a request.
   *
   * @param retrained the stages of the pipeline that is fitted from scratch
   * @param label the predictor's label column
   * @param verified whether the release is verified and {@code train --like} follows the request,
   *     too; FeaturizerRefitTest shows for every stage what verify makes of it
   */
  record Case(
      String name,
      List<PipelineStage> stages,
      List<PipelineStage> retrained,
      String removeFeatures,
      String label,
      boolean verified) {
    static Case of(String name, PipelineStage... stages) {
      return new Case(name, List.of(stages), List.of(stages), "", "label", false);
    }

    Case withVerification() {
      return new Case(name, stages, retrained, removeFeatures, label, true);
    }

    @Override
    public String toString() {
      return name;
    }
  }

  static final List<Case> cases =
      List.of(
          Case.of(
                  "category that vanishes, others in another order",
                  new StringIndexer().setInputCol("city").setOutputCol("ci"),
                  new OneHotEncoder()
                      .setInputCols(new String[] {"ci", "kind"})
                      .setOutputCols(new String[] {"cv", "kv"}),
                  assemble("features", "age", "cv", "kv"))
              .withVerification(),
          Case.of(
              "StandardScaler",
              assemble("raw", "age", "id"),
              new StandardScaler().setInputCol("raw").setOutputCol("features").setWithMean(true)),
          Case.of(
              "Imputer",
              new Imputer()
                  .setInputCols(new String[] {"income"})
                  .setOutputCols(new String[] {"known"}),
              assemble("features", "age", "known")),
          Case.of(
              "Imputer, median",
              new Imputer()
                  .setInputCols(new String[] {"income"})
                  .setOutputCols(new String[] {"known"})
                  .setStrategy("median"),
              assemble("features", "age", "known")),
          Case.of(
              "MinMaxScaler",
              assemble("raw", "age", "id"),
              new MinMaxScaler().setInputCol("raw").setOutputCol("features")),
          Case.of(
              "CountVectorizer and IDF",
              new CountVectorizer().setInputCol("words").setOutputCol("counts").setMinDF(2),
              new IDF().setInputCol("counts").setOutputCol("weights"),
              assemble("features", "weights", "age")),
          removedColumns());

  private static VectorAssembler assemble(String output, String... inputs) {
    return new VectorAssembler().setInputCols(inputs).setOutputCol(output);
  }

  private static Case removedColumns() {
    StringIndexer label = new StringIndexer().setInputCol("answer").setOutputCol("y");
    return new Case(
        "removed columns, narrower, and an indexed label whose majority changes",
        List.of(
            label,
            new StringIndexer()
                .setInputCols(new String[] {"race", "city"})
                .setOutputCols(new String[] {"ri", "ci"}),
            new OneHotEncoder()
                .setInputCols(new String[] {"ri", "ci"})
                .setOutputCols(new String[] {"rv", "cv"}),
            new CountVectorizer().setInputCol("words").setOutputCol("counts"),
            assemble("raw", "counts", "age", "rv", "cv"),
            new StandardScaler().setInputCol("raw").setOutputCol("features")),
        List.of(
            label,
            new StringIndexer()
                .setInputCols(new String[] {"city"})
                .setOutputCols(new String[] {"ci"}),
            new OneHotEncoder()
                .setInputCols(new String[] {"ci"})
                .setOutputCols(new String[] {"cv"}),
            assemble("raw", "age", "cv"),
            new StandardScaler().setInputCol("raw").setOutputCol("features")),
        "  - removeFeatures: [race, words]\n",
        "y",
        true);
  }

  @TempDir private Path directory;

  private static List<Row> rows() {
    Random random = new Random(20260311);
    String[] cities = {"Bonn", "Kiel", "Ulm", "Jena"};
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < ROWS; i++) {
      // no two terms are equally frequent, so that their order is one and the same
      List<String> words = new ArrayList<>(List.of("the"));
      for (int k = 2; k < 8; k++) {
        if (i % k == 0) {
          words.add("w" + k);
        }
      }
      if (i == 3) {
        words.add("only");
        words.add("only");
      }
      double age = 18 + random.nextInt(50);
      int city = random.nextInt(4);
      double score = 0.05 * (age - 43) + 0.5 * (city - 1) + (i % 2 == 0 ? 0.7 : -0.3);
      double label = random.nextDouble() < 1 / (1 + Math.exp(-score)) ? 1.0 : 0.0;
      rows.add(
          RowFactory.create(
              i,
              age,
              i % 5 == 0 ? Double.NaN : 10.0 * random.nextInt(90),
              i < 30 && i % 2 == 0 ? "Hof" : cities[city],
              "r" + random.nextInt(3),
              i < 10 ? 3.0 : i % 3,
              words,
              label == 1 ? "yes" : "no",
              label));
    }
    return rows;
  }

  /** The request's changes, by hand. */
  private static List<Row> corrected() {
    return rows().stream()
        .filter(row -> row.getInt(0) >= 10 && !row.getString(3).equals("Hof"))
        .map(
            row -> {
              boolean changed = row.getInt(0) % 7 == 3 && !Double.isNaN(row.getDouble(2));
              return RowFactory.create(
                  row.get(0),
                  changed ? row.getDouble(1) + 1 : row.getDouble(1),
                  changed ? row.getDouble(2) / 2 : row.getDouble(2),
                  row.get(3),
                  row.get(4),
                  row.get(5),
                  row.get(6),
                  row.get(7),
                  row.get(8));
            })
        .toList();
  }

  private static Dataset<Row> table(List<Row> rows) {
    return LocalSpark.session().createDataFrame(rows, SCHEMA);
  }

  @ParameterizedTest
  @FieldSource("cases")
  void unlearn_refit_equalsAPipelineFittedFromScratch(Case test) throws IOException {
    Jobs jobs = new Jobs(directory);
    // the file knows of a fourth kind, which only removed rows had; the truth is fitted without
    table(rows())
        .withMetadata("kind", FOUR_KINDS)
        .repartition(3)
        .write()
        .parquet(jobs.path("table"));
    PipelineStage[] all =
        Stream.concat(
                test.stages().stream(),
                Stream.of(new LogisticRegression().setRegParam(0.02).setLabelCol(test.label())))
            .toArray(PipelineStage[]::new);
    PipelineModel old = new Pipeline().setStages(all).fit(table(rows()));
    old.write().save(jobs.path("model"));
    jobs.write(
        "request.yaml",
        "id: refit-1\nchanges:\n"
            + CHANGES
            + test.removeFeatures()
            + "certificate: {epsilon: 1e-3, delta: 1e-8, rho: 1e-9}\nfeaturizer: refit\n");
    TableSource source = jobs.table("table", "parquet");

    UnlearnJob.Result result = jobs.unlearn(source, false, "model", "request.yaml", "out", null, 0);

    // the truth: rows corrected by hand, a pipeline fitted from scratch, a dense Newton method
    Dataset<Row> corrected = table(corrected());
    PipelineModel featurizer =
        new Pipeline()
            .setStages(test.retrained().toArray(PipelineStage[]::new))
            .fit(corrected.coalesce(1));
    List<Row> examples = sorted(featurizer.transform(corrected));
    double[][] x = new double[examples.size()][];
    double[] y = new double[x.length];
    double[] w = new double[x.length];
    Arrays.fill(w, 1);
    for (int i = 0; i < x.length; i++) {
      x[i] = examples.get(i).<Vector>getAs("features").toArray();
      // the label's order is the old one
      y[i] = test.label().equals("y") ? oldClass(old, examples.get(i)) : label(examples.get(i));
    }
    MeanFormLogistic truth =
        new MeanFormLogistic(
            x, y, w, 0.02, MeanFormLogistic.Deviation.UNBIASED, true, new BitSet());
    MeanFormLogistic.Minimum minimum = truth.minimum();
    Evidence evidence = result.evidence();
    Certificate certificate = result.certificate();
    assertThat(certificate.verdict()).isEqualTo(Verdict.CERTIFIED);
    assertThat(evidence.unnoisedParameters()).hasSize(x[0].length + 1);
    assertThat(MeanFormLogistic.distance(evidence.unnoisedParameters(), minimum.theta()))
        .isLessThan(1e-8);
    assertThat(evidence.digests().data()).isNull();
    assertThat(certificate.zeroCoefficients()).isEmpty();
    assertThat(certificate.covers()).contains(Scope.REFITTED);
    assertThat(certificate.notCovered())
        .filteredOn(text -> text.contains("featurizer stage"))
        .hasSize(test.label().equals("y") ? 1 : 0);

    // the published pipeline maps rows as that pipeline does; a scaler's sums are in another order
    PipelineModel published = PipelineModel.load(jobs.path("out/model"));
    assertThat(published.stages()).hasSize(test.retrained().size() + 1);
    List<Row> mapped = sorted(published.transform(corrected));
    for (int i = 0; i < x.length; i++) {
      assertThat(mapped.get(i).<Vector>getAs("features").toArray())
          .containsExactly(x[i], org.assertj.core.data.Offset.offset(1e-12));
    }
    for (PipelineStage stage : test.stages()) {
      if (!test.removeFeatures().isEmpty() && stage instanceof CountVectorizer) {
        assertThat(published.stages()).noneMatch(s -> s.uid().equals(stage.uid()));
      } else {
        assertThat(published.stages()).anyMatch(s -> s.uid().equals(stage.uid()));
      }
    }

    if (!test.verified()) {
      return;
    }
    assertHolds(verifyWithOriginal(jobs, source, "model"));

    TrainJob.Result retrained =
        jobs.retrain(source, "model", "request.yaml", "retrained", 1e-11, 2);
    assertThat(MeanFormLogistic.distance(retrained.parameters(), minimum.theta())).isLessThan(1e-8);
    if (!test.removeFeatures().isEmpty()) {
      corrected.drop("race", "words").write().parquet(jobs.path("corrected"));
      assertCorrectedTableGivesTheSame(jobs, minimum.theta());
      assertNextReleaseHolds(jobs);
    }
  }

  /** The corrected table lacks the removed columns. */
  private static void assertCorrectedTableGivesTheSame(Jobs jobs, double[] expected)
      throws IOException {
    TableSource source = jobs.table("corrected", "parquet");
    UnlearnJob.Result result =
        jobs.unlearn(source, true, "model", "request.yaml", "out-corrected", null, 2);
    assertThat(MeanFormLogistic.distance(result.evidence().unnoisedParameters(), expected))
        .isLessThan(1e-8);
    assertHolds(jobs.verify(source, true, "request.yaml", "out-corrected", 1));
  }

  /** A release is the start of the next request. */
  private static void assertNextReleaseHolds(Jobs jobs) throws IOException {
    jobs.write(
        "next.yaml",
        "id: refit-2\nchanges:\n  - removeRows: {where: \"id = 11\"}\n"
            + "certificate: {epsilon: 1e-3, delta: 1e-8, rho: 1e-9}\nfeaturizer: refit\n");
    TableSource source = jobs.table("corrected", "parquet");
    UnlearnJob.Result next = jobs.unlearn(source, false, "out/model", "next.yaml", "out2", null, 2);
    assertThat(next.certificate().verdict()).isEqualTo(Verdict.CERTIFIED);
    assertHolds(jobs.verify(source, false, "next.yaml", "out2", 3));
  }

  private static double label(Row row) {
    return row.<Double>getAs("label");
  }

  private static double oldClass(PipelineModel old, Row row) {
    org.apache.spark.ml.feature.StringIndexerModel indexer =
        (org.apache.spark.ml.feature.StringIndexerModel) old.stages()[0];
    return List.of(indexer.labelsArray()[0]).indexOf(row.<String>getAs("answer"));
  }

  private static List<Row> sorted(Dataset<Row> rows) {
    return rows.collectAsList().stream()
        .sorted(Comparator.comparingInt(row -> row.<Integer>getAs("id")))
        .toList();
  }

  private static void assertHolds(VerifyJob.Result result) {
    assertThat(result.checks()).allMatch(Check::passed);
    assertThat(result.checks())
        .extracting(Check::name)
        .contains("featurizer was fitted to the corrected data");
  }

  private static VerifyJob.Result verifyWithOriginal(Jobs jobs, TableSource source, String original)
      throws IOException {
    return new VerifyJob(
            new VerifyOptions(
                jobs.path("out/certificate.json"),
                jobs.path("out/model"),
                jobs.path("vault"),
                new GivenTables.Original(source),
                null,
                RequestSource.of(jobs.path("request.yaml")),
                jobs.path(original),
                null,
                1),
            LocalSpark.session())
        .run();
  }
}
