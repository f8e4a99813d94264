package dev.lethe.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.lethe.spark.certificate.Check;
import dev.lethe.spark.certificate.Verdict;
import dev.lethe.spark.job.GivenTables;
import dev.lethe.spark.job.RequestSource;
import dev.lethe.spark.job.UnlearnJob;
import dev.lethe.spark.job.UnlearnOptions;
import dev.lethe.spark.job.VerifyJob;
import dev.lethe.spark.job.VerifyOptions;
import dev.lethe.spark.ml.LinearModel;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.apache.spark.ml.Estimator;
import org.apache.spark.ml.Model;
import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.classification.LogisticRegression;
import org.apache.spark.ml.classification.OneVsRest;
import org.apache.spark.ml.evaluation.BinaryClassificationEvaluator;
import org.apache.spark.ml.feature.OneHotEncoder;
import org.apache.spark.ml.feature.StringIndexer;
import org.apache.spark.ml.feature.StringIndexerModel;
import org.apache.spark.ml.feature.VectorAssembler;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.ml.regression.LinearRegression;
import org.apache.spark.ml.tuning.CrossValidator;
import org.apache.spark.ml.tuning.CrossValidatorModel;
import org.apache.spark.ml.tuning.ParamGridBuilder;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * {@code featurizer: refit} of models with several margins or a scale, of a tuning's result and of
 * an indexed label: a category and a column vanish, others change places, and unlearned = a
 * pipeline that Spark ML fits from scratch to rows corrected by hand, with {@link Retrainer}'s
 * minimum.
 */
@ExtendWith(LocalSpark.class)
class RefitOfEveryLossTest {
  private static final int ROWS = 240;
  private static final double REG_PARAM = 0.05;
  private static final List<String> CLASSES = List.of("low", "mid", "high");

  /** Between the proven distance, at most 1e-8, and the retrainer's own error. */
  private static final double TOLERANCE = 1e-8 + 1e-10;

  private static final String CERTIFICATE =
      "certificate: {epsilon: 0.1, delta: 1e-4, rho: 1e-8}\nfeaturizer: refit\n";

  private static final StructType SCHEMA =
      new StructType()
          .add("id", "int")
          .add("age", "double")
          .add("hours", "double")
          .add("city", "string")
          .add("race", "string")
          .add("weight", "double")
          .add("sick", "double")
          .add("class", "double")
          .add("answer", "string")
          .add("amount", "double");

  private enum Kind {
    ONE_VS_REST(Retrainer.oneVsRest(Retrainer.LOGISTIC, 3), "class", true, true),
    MULTINOMIAL(Retrainer.multinomial(3), "class", false, true),
    HUBER(Retrainer.huber(1.35), "amount", false, false),
    LOGISTIC(Retrainer.LOGISTIC, "sick", false, true);

    private final Retrainer.Loss loss;
    private final String label;
    private final boolean weighted;
    private final boolean intercept;

    Kind(Retrainer.Loss loss, String label, boolean weighted, boolean intercept) {
      this.loss = loss;
      this.label = label;
      this.weighted = weighted;
      this.intercept = intercept;
    }

    /** Fitted to a tolerance on the value. */
    private Estimator<?> predictor(double tolerance) {
      LogisticRegression logistic =
          new LogisticRegression().setRegParam(REG_PARAM).setTol(tolerance).setMaxIter(1000);
      return switch (this) {
        case ONE_VS_REST ->
            new OneVsRest().setClassifier(logistic).setLabelCol(label).setWeightCol("weight");
        case MULTINOMIAL, LOGISTIC -> logistic.setLabelCol(label);
        case HUBER ->
            new LinearRegression()
                .setLoss("huber")
                .setFitIntercept(false)
                .setRegParam(REG_PARAM)
                .setTol(tolerance)
                .setMaxIter(1000)
                .setLabelCol(label);
      };
    }
  }

  private record Person(
      int id,
      double age,
      double hours,
      String city,
      String race,
      double weight,
      int rank,
      double amount) {

    private Person with(double newAge, String newCity, int newRank) {
      return new Person(id, newAge, hours, newCity, race, weight, newRank, amount);
    }

    private Row row() {
      double sick = rank > 0 ? 1 : 0;
      return RowFactory.create(
          id, age, hours, city, race, weight, sick, (double) rank, CLASSES.get(rank), amount);
    }
  }

  @TempDir private static Path directory;
  private static Jobs jobs;

  @BeforeAll
  static void writeTable() {
    jobs = new Jobs(directory);
    table(people()).repartition(3).write().parquet(jobs.path("table"));
  }

  /** From the most frequent city on: Bonn, Hof, Kiel, Ulm, Jena. */
  private static List<Person> people() {
    SplittableRandom random = new SplittableRandom(41);
    List<Person> people = new ArrayList<>();
    for (int i = 0; i < ROWS; i++) {
      int share = i * 7 % 20;
      String city =
          share < 6
              ? "Bonn"
              : share < 11 ? "Hof" : share < 15 ? "Kiel" : share < 18 ? "Ulm" : "Jena";
      double age = 2 + 4 * random.nextDouble();
      double hours = 1.5 * random.nextGaussian();
      double s = 0.6 * (age - 4) - 0.5 * hours + (city.equals("Ulm") ? 0.8 : 0);
      double outcome = s + random.nextGaussian();
      people.add(
          new Person(
              i,
              age,
              hours,
              city,
              "r" + Math.min(random.nextInt(4), 2),
              0.3 + 2 * random.nextDouble(),
              outcome > 1.2 ? 2 : outcome > 0.3 ? 1 : 0,
              3 + s + random.nextGaussian() + (random.nextInt(8) == 0 ? 15 : 0)));
    }
    return people;
  }

  private static final String CHANGES =
      """
      changes:
        - removeFeatures: [race]
        - removeRows: {where: "id < 10 OR city = 'Hof'"}
        - replaceFeatures: {set: {city: "'Jena'"}, where: "city = 'Kiel' AND id % 2 = 0"}
        - replaceFeatures: {set: {age: "age + 1"}, where: "id % 7 = 3"}
      """;

  /** The request's changes, by hand; now Bonn, Jena, Ulm, Kiel. */
  private static List<Person> corrected() {
    return people().stream()
        .filter(p -> p.id >= 10 && !p.city.equals("Hof"))
        .map(
            p ->
                p.with(
                    p.id % 7 == 3 ? p.age + 1 : p.age,
                    p.city.equals("Kiel") && p.id % 2 == 0 ? "Jena" : p.city,
                    p.rank))
        .toList();
  }

  private static Dataset<Row> table(List<Person> people) {
    return LocalSpark.session().createDataFrame(people.stream().map(Person::row).toList(), SCHEMA);
  }

  /** The named categories, age and hours are the features. */
  private static List<PipelineStage> featurizer(String... categories) {
    String[] indices = Stream.of(categories).map(c -> c + "Index").toArray(String[]::new);
    String[] slots = Stream.of(categories).map(c -> c + "Slots").toArray(String[]::new);
    String[] inputs =
        Stream.concat(Stream.of("age", "hours"), Stream.of(slots)).toArray(String[]::new);
    return List.of(
        new StringIndexer().setInputCols(categories).setOutputCols(indices),
        new OneHotEncoder().setInputCols(indices).setOutputCols(slots),
        new VectorAssembler().setInputCols(inputs).setOutputCol("features"));
  }

  private static Pipeline pipeline(List<PipelineStage> featurizer, PipelineStage... others) {
    return new Pipeline()
        .setStages(
            Stream.concat(featurizer.stream(), Stream.of(others)).toArray(PipelineStage[]::new));
  }

  private static LinearModel predictor(PipelineModel model) {
    Transformer[] stages = model.stages();
    return LinearModel.of((Model<?>) stages[stages.length - 1], "test");
  }

  private static GivenTables original() {
    return new GivenTables.Original(jobs.table("table", "parquet"));
  }

  private static UnlearnJob.Result unlearn(
      GivenTables given, String model, String request, String out) throws IOException {
    return new UnlearnJob(
            new UnlearnOptions(
                jobs.path(model),
                null,
                given,
                null,
                RequestSource.of(jobs.path(request)),
                jobs.path(out),
                jobs.path("vault"),
                null,
                null,
                50,
                1000,
                2),
            LocalSpark.session())
        .run();
  }

  private static void assertVerified(GivenTables given, String model, String request, String out)
      throws IOException {
    VerifyJob.Result result =
        new VerifyJob(
                new VerifyOptions(
                    jobs.path(out + "/certificate.json"),
                    jobs.path(out + "/model"),
                    jobs.path("vault"),
                    given,
                    null,
                    RequestSource.of(jobs.path(request)),
                    jobs.path(model),
                    null,
                    2),
                LocalSpark.session())
            .run();
    assertThat(result.checks()).filteredOn(check -> !check.passed()).isEmpty();
    assertThat(result.checks())
        .extracting(Check::name)
        .contains("featurizer was fitted to the corrected data");
  }

  @ParameterizedTest
  @EnumSource(
      value = Kind.class,
      names = {"ONE_VS_REST", "HUBER"})
  void unlearn_refitToOtherSlots_equalsAPipelineFittedFromScratch(Kind kind) throws IOException {
    PipelineModel old =
        pipeline(featurizer("city", "race"), kind.predictor(1e-3)).fit(table(people()));
    String model = kind + "-model";
    old.write().save(jobs.path(model));
    String request = kind + ".yaml";
    jobs.write(request, "id: " + kind + "\n" + CHANGES + CERTIFICATE);

    UnlearnJob.Result result = unlearn(original(), model, request, kind + "-out");

    PipelineModel published = PipelineModel.load(jobs.path(kind + "-out/model"));
    assertRetrained(kind, REG_PARAM, old, result, published, corrected());
    assertVerified(original(), model, request, kind + "-out");
  }

  @Test
  void unlearn_refitOfATunedPipeline_equalsItsBestPipelineFittedFromScratch() throws IOException {
    LogisticRegression estimator = (LogisticRegression) Kind.LOGISTIC.predictor(1e-3);
    ParamMap[] grid =
        new ParamGridBuilder().addGrid(estimator.regParam(), new double[] {0.02, 20}).build();
    CrossValidatorModel old =
        new CrossValidator()
            .setEstimator(pipeline(featurizer("city", "race"), estimator))
            .setEvaluator(new BinaryClassificationEvaluator().setLabelCol("sick"))
            .setEstimatorParamMaps(grid)
            .setNumFolds(2)
            .setSeed(1)
            .fit(table(people()));
    old.write().save(jobs.path("tuned-model"));
    jobs.write("tuned.yaml", "id: tuned\n" + CHANGES + CERTIFICATE);

    UnlearnJob.Result result = unlearn(original(), "tuned-model", "tuned.yaml", "tuned-out");

    CrossValidatorModel published = CrossValidatorModel.load(jobs.path("tuned-out/model"));
    PipelineModel best = (PipelineModel) published.bestModel();
    PipelineModel oldBest = (PipelineModel) old.bestModel();
    assertRetrained(
        Kind.LOGISTIC, predictor(oldBest).regParam(), oldBest, result, best, corrected());
    assertThat(published.uid()).isEqualTo(old.uid());
    assertThat(published.avgMetrics()).isEmpty();
    assertThat(result.certificate().notCovered())
        .anyMatch(
            line ->
                line.startsWith("hyperparameters chosen by " + CrossValidatorModel.class.getName()))
        .noneMatch(line -> line.contains("featurizer stage"));
    assertVerified(original(), "tuned-model", "tuned.yaml", "tuned-out");
  }

  /** Of a multinomial model: corrected rows empty a category, and change the majority class. */
  @Test
  void unlearn_refitWithCorrectedRowsAndAnIndexedLabel_equalsTheRequestFile() throws IOException {
    LogisticRegression estimator =
        ((LogisticRegression) Kind.MULTINOMIAL.predictor(1e-3)).setLabelCol("y");
    StringIndexer label = new StringIndexer().setInputCol("answer").setOutputCol("y");
    PipelineModel old = pipeline(featurizer("city", "race"), label, estimator).fit(table(people()));
    assertThat(labels(old.stages()[3])).isEqualTo(CLASSES);
    old.write().save(jobs.path("answer-model"));
    String both = "changes:\n  - removeFeatures: [race]\n  - removeRows: {where: \"id < 10\"}\n";
    jobs.write("terms.yaml", "id: answers\n" + both + CERTIFICATE);
    jobs.write(
        "file.yaml",
        "id: answers\n"
            + both
            + """
                - replaceFeatures: {set: {age: "age + 1"}, where: "id % 7 = 3"}
                - replaceFeatures: {set: {city: "'Ulm'"}, where: "city = 'Hof'"}
                - relabel: {to: "'high'", where: "city = 'Hof'"}
              """
            + CERTIFICATE);
    List<Person> corrected =
        people().stream()
            .filter(p -> p.id >= 10)
            .map(
                p ->
                    p.with(
                        p.id % 7 == 3 ? p.age + 1 : p.age,
                        p.city.equals("Hof") ? "Ulm" : p.city,
                        p.city.equals("Hof") ? 2 : p.rank))
            .toList();
    assertThat(labels(label.fit(table(corrected)))).isNotEqualTo(CLASSES);
    // the rows that differ, and some that do not
    table(corrected)
        .where("id % 7 = 3 OR city = 'Ulm'")
        .select("answer", "id", "city", "age")
        .write()
        .parquet(jobs.path("corrections"));
    GivenTables overwritten =
        new GivenTables.Overwritten(
            jobs.table("table", "parquet"), jobs.table("corrections", "parquet"), List.of("id"));

    UnlearnJob.Result rows = unlearn(overwritten, "answer-model", "terms.yaml", "rows-out");
    UnlearnJob.Result file = unlearn(original(), "answer-model", "file.yaml", "file-out");

    // the same Newton steps on the same rows; sums differ in their last bits
    assertThat(rows.evidence().unnoisedParameters())
        .containsExactly(file.evidence().unnoisedParameters(), within(1e-10));
    PipelineModel published = PipelineModel.load(jobs.path("rows-out/model"));
    assertRetrained(Kind.MULTINOMIAL, REG_PARAM, old, rows, published, corrected);
    assertThat(labels(published.stages()[3])).isEqualTo(CLASSES);
    assertThat(rows.certificate().notCovered())
        .filteredOn(line -> line.contains("featurizer stage"))
        .singleElement()
        .satisfies(line -> assertThat(line).contains(label.uid()));
    assertVerified(overwritten, "answer-model", "terms.yaml", "rows-out");
  }

  private static List<String> labels(Transformer indexer) {
    return List.of(((StringIndexerModel) indexer).labelsArray()[0]);
  }

  /** The release, and the point that its update started from, against rows corrected by hand. */
  private static void assertRetrained(
      Kind kind,
      double regParam,
      PipelineModel old,
      UnlearnJob.Result result,
      PipelineModel published,
      List<Person> people) {
    Estimator<?> estimator = kind.predictor(1e-13);
    if (estimator instanceof LogisticRegression logistic) {
      logistic.setRegParam(regParam);
    }
    Dataset<Row> corrected = table(people);
    PipelineModel fresh = pipeline(featurizer("city"), estimator).fit(corrected.coalesce(1));
    double[][] x = features(fresh, corrected);
    double[] y =
        corrected.select(kind.label).collectAsList().stream()
            .mapToDouble(row -> row.getDouble(0))
            .toArray();
    double[] w = people.stream().mapToDouble(p -> kind.weighted ? p.weight : 1).toArray();
    double[] lambda = new double[x[0].length];
    for (int j = 0; j < lambda.length; j++) {
      int column = j;
      double s =
          Retrainer.deviation(Arrays.stream(x).mapToDouble(row -> row[column]).toArray(), w, true);
      lambda[j] = regParam * s * s;
    }
    Retrainer retrainer =
        new Retrainer(kind.loss, x, y, w, lambda, kind.intercept, new boolean[lambda.length]);
    double[] minimum = retrainer.minimum();

    assertThat(result.certificate().verdict()).isEqualTo(Verdict.CERTIFIED);
    assertThat(lambda.length).isEqualTo(5).isLessThan(predictor(old).features());
    assertThat(MeanFormLogistic.distance(result.evidence().unnoisedParameters(), minimum))
        .isLessThan(TOLERANCE);
    // where the value no longer falls: about the root of its rounding, times the outliers' size
    assertThat(retrainer.gradientNorm(predictor(fresh).parameters())).isLessThan(3e-5);
    double[] start = moved(kind, predictor(old).parameters(), names(old), names(fresh));
    double total = Arrays.stream(w).sum();
    assertThat(result.evidence().steps().get(0).residualNorm())
        .isCloseTo(total * retrainer.gradientNorm(start), within(1e-9 * total));

    assertThat(predictor(published).parameters()).isEqualTo(result.published());
    Dataset<Row> scored = corrected.drop("race");
    assertThat(features(published, scored)).isEqualTo(x);
    assertThat(predictions(published, scored))
        // noise of about 1e-6, and what Spark ML's own fit is away from the minimum
        .containsExactly(predictions(fresh, scored), within(1e-3));
  }

  private static double[][] features(PipelineModel model, Dataset<Row> rows) {
    return model.transform(rows).select("features").collectAsList().stream()
        .map(row -> row.<Vector>getAs(0).toArray())
        .toArray(double[][]::new);
  }

  private static double[] predictions(PipelineModel model, Dataset<Row> rows) {
    return model.transform(rows).select("prediction").collectAsList().stream()
        .mapToDouble(row -> row.getDouble(0))
        .toArray();
  }

  /** What the slots mean; the least frequent category has none. */
  private static List<String> names(PipelineModel model) {
    List<String> names = new ArrayList<>(List.of("age", "hours"));
    for (String[] labels : ((StringIndexerModel) model.stages()[0]).labelsArray()) {
      names.addAll(List.of(labels).subList(0, labels.length - 1));
    }
    return names;
  }

  /** The old parameters at the new slots of the same names, 0 at others. */
  private static double[] moved(Kind kind, double[] theta, List<String> from, List<String> to) {
    int intercepts = kind.intercept ? 1 : 0;
    int margins = kind.loss.margins();
    int oldStride = from.size() + intercepts;
    int stride = to.size() + intercepts;
    double[] moved = new double[margins * stride + kind.loss.scalars()];
    for (int k = 0; k < margins; k++) {
      for (int j = 0; j < to.size(); j++) {
        int i = from.indexOf(to.get(j));
        moved[k * stride + j] = i < 0 ? 0 : theta[k * oldStride + i];
      }
    }
    for (int k = 0; k < margins && kind.intercept; k++) {
      moved[k * stride + to.size()] = theta[k * oldStride + from.size()];
    }
    for (int i = 0; i < kind.loss.scalars(); i++) {
      moved[margins * stride + i] = theta[margins * oldStride + i];
    }
    return moved;
  }
}
