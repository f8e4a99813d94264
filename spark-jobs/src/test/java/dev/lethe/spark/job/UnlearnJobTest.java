package dev.lethe.spark.job;

import static org.apache.spark.sql.functions.expr;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.networknt.schema.JsonSchemaFactory;
import com.networknt.schema.SpecVersion;
import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.job.Releases.Release;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.ml.feature.FeatureHasher;
import org.apache.spark.ml.feature.StandardScaler;
import org.apache.spark.ml.feature.StringIndexer;
import org.apache.spark.ml.feature.VectorAssembler;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.ml.param.Param;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code lethe unlearn} from the command line to the published files. */
@ExtendWith(LocalSpark.class)
class UnlearnJobTest {
  private static final String CERTIFICATE = "certificate: {epsilon: 0.5, delta: 1e-5, rho: 1e-7}\n";

  private static Path answers;

  /**
   * One pipeline.
   *
   * @param model saved
   * @param data the original table
   * @param corrected what the request makes of the table, written by hand
   * @param removed slots that leave the model
   * @param label the column that the predictor reads as its label
   */
  private record Model(
      String name,
      Path model,
      Path data,
      String format,
      String request,
      UnaryOperator<Dataset<Row>> corrected,
      List<Integer> removed,
      String label,
      String weight) {
    @Override
    public String toString() {
      return name;
    }

    Dataset<Row> table() {
      return LocalSpark.session()
          .read()
          .format(format)
          .option("numFeatures", String.valueOf(People.VECTOR_SIZE))
          .load(data.toString());
    }
  }

  static List<Model> models() {
    return List.of(
        new Model(
            "indexers, encoders and an assembler, with weights, fitted by Spark ML",
            People.model(),
            People.table(),
            "parquet",
            Releases.REQUEST,
            table ->
                table
                    .where("user_id <> 'u-4711'")
                    .withColumn(
                        "label",
                        expr(
                            "CASE WHEN user_id IN ('u-4712', 'u-4713') THEN 1 - label ELSE label"
                                + " END"))
                    .withColumn("hours", expr("hours + IF(city = 'Ulm', 1, 0)"))
                    .withColumn("weight", expr("weight * IF(city = 'Ulm', 2, 1)")),
            People.RACE_SLOTS,
            "label",
            "weight"),
        new Model(
            "a scaler that centres",
            fitted(
                predictor("scaled", 3, "label"),
                new VectorAssembler()
                    .setInputCols(new String[] {"age", "hours", "weight"})
                    .setOutputCol("assembled"),
                new StandardScaler()
                    .setWithMean(true)
                    .setInputCol("assembled")
                    .setOutputCol("scaled")),
            People.table(),
            "parquet",
            "id: r-2\nchanges: [{removeFeatures: [hours]}, {removeRows: {where: \"age > 66\"}}]\n"
                + CERTIFICATE,
            table -> table.where("age <= 66"),
            List.of(1),
            "label",
            null),
        new Model(
            "a hasher whose slots are shared",
            fitted(
                predictor("hashed", 16, "label"),
                new FeatureHasher()
                    .setNumFeatures(16)
                    .setInputCols(new String[] {"age", "hours", "city", "race"})
                    .setOutputCol("hashed")),
            People.table(),
            "parquet",
            "id: r-3\nchanges: [{removeFeatures: [race]}]\n" + CERTIFICATE,
            table -> table,
            List.of(),
            "label",
            null),
        new Model(
            "an indexer of the label",
            fitted(
                predictor("features", 2, "label_index"),
                new StringIndexer()
                    .setStringOrderType("alphabetAsc")
                    .setInputCol("answer")
                    .setOutputCol("label_index"),
                new VectorAssembler()
                    .setInputCols(new String[] {"age", "hours"})
                    .setOutputCol("features")),
            answers(),
            "parquet",
            "id: r-4\nchanges: [{relabel: {to: \"'yes'\", where: \"user_id < 'u-4720'\"}}]\n"
                + CERTIFICATE,
            table -> table.withColumn("answer", expr("IF(user_id < 'u-4720', 'yes', answer)")),
            List.of(),
            "label_index",
            null),
        new Model(
            "a predictor alone on a vector column",
            People.vectorModel(),
            People.vectorTable(),
            "parquet",
            "id: r-5\nchanges: [{removeFeatures: [\"features[3]\", \"features[7]\"]}]\n"
                + CERTIFICATE,
            table -> table,
            List.of(3, 7),
            "label",
            null),
        new Model(
            "LIBSVM, no intercept, no standardization",
            unadorned(),
            People.write(People.vectorDataset(), "libsvm", "vectors-libsvm"),
            "libsvm",
            "id: r-6\nchanges: [{removeFeatures: [\"features[0]\"]}]\n" + CERTIFICATE,
            table -> table,
            List.of(0),
            "label",
            null));
  }

  /** Fitted featurizers of the people under a predictor that has learned nothing. */
  private static Path fitted(LogisticRegressionModel predictor, PipelineStage... featurizers) {
    Dataset<Row> rows = LocalSpark.session().read().parquet(answers().toString());
    Transformer[] stages = new Pipeline().setStages(featurizers).fit(rows).stages();
    Transformer[] all = Arrays.copyOf(stages, stages.length + 1);
    all[stages.length] = predictor;
    return People.save(new PipelineModel("pipeline_given", all), "model");
  }

  private static LogisticRegressionModel predictor(String features, int slots, String label) {
    LogisticRegressionModel predictor = People.predictor(slots);
    predictor.setFeaturesCol(features);
    predictor.set(predictor.labelCol(), label);
    predictor.set(predictor.threshold(), 0.4);
    return predictor;
  }

  private static Path unadorned() {
    LogisticRegressionModel predictor = People.predictor(People.VECTOR_SIZE);
    predictor.set(predictor.fitIntercept(), false);
    predictor.set(predictor.standardization(), false);
    return People.save(predictor, "unadorned");
  }

  private static synchronized Path answers() {
    if (answers == null) {
      answers =
          People.write(
              People.dataset().withColumn("answer", expr("IF(label = 1, 'yes', 'no')")),
              "parquet",
              "answers");
    }
    return answers;
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("models")
  void run_everyKindOfModel_isCertifiedAtTheMinimiserOfTheCorrectedData(Model given) {
    Path place = Places.directory("unlearned");
    Release release =
        new Release(
            given.model(),
            given.data(),
            Places.write(place.resolve("request.yaml"), given.request()),
            place.resolve("out"),
            place.resolve("vault"));
    Invocation command =
        Invocation.unlearn(
                given.model(), given.data(), release.request(), release.out(), release.vault())
            .with("--format", given.format());
    if (given.format().equals("libsvm")) {
      command.with("--option", "numFeatures=" + People.VECTOR_SIZE);
    }

    Outcome outcome = command.run();

    assertThat(outcome.code()).as("%s", outcome).isZero();
    JsonNode certificate = release.certificate();
    JsonNode evidence = release.evidence();
    assertValid(certificate, "certificate");
    assertValid(evidence, "evidence");
    assertThat(certificate.get("verdict").asText()).isEqualTo("certified");
    assertThat(integers(certificate.get("zeroCoefficients"))).isEqualTo(given.removed());
    assertThat(evidence.get("measurement").get("distanceBound").doubleValue())
        .isLessThanOrEqualTo(1e-7);

    Transformer published = load(release.out().resolve("model"));
    Transformer original = load(given.model());
    assertSameButForParameters(published, original);
    LogisticRegressionModel predictor = predictor(published);
    double[] theta = parameters(predictor);
    for (int slot : given.removed()) {
      assertThat(Double.doubleToRawLongBits(theta[slot])).as("slot %d", slot).isZero();
    }
    // the noise: sigma = 7e-7, so 6 sigma on the largest of a dozen parameters
    double sigma = certificate.get("sigma").doubleValue();
    double[] unnoised = release.parameters();
    assertThat(theta).isNotEqualTo(unnoised);
    for (int j = 0; j < theta.length; j++) {
      assertThat(theta[j]).isCloseTo(unnoised[j], within(6.5 * sigma));
    }

    Dataset<Row> featurized = featurize(published, given.corrected().apply(given.table()));
    assertAtMinimum(given, featurized, unnoised, predictor);
    assertScores(published, given, theta);
  }

  /** The gradient in plain Java: g is at most the norm of the Hessian, below 1e3, times 1e-7. */
  private static void assertAtMinimum(
      Model given, Dataset<Row> featurized, double[] theta, LogisticRegressionModel predictor) {
    People.Examples examples =
        People.Examples.of(featurized, predictor.getFeaturesCol(), given.label(), given.weight());
    examples.features().forEach(x -> given.removed().forEach(j -> x[j] = 0));
    MlObjective objective =
        new MlObjective(
            examples.features(),
            examples.labels(),
            examples.weights(),
            predictor.getRegParam(),
            predictor.getStandardization(),
            predictor.getFitIntercept());
    assertThat(objective.gradientNorm(theta, given.removed())).isLessThan(1e-4);
    // the start was not there already
    double[] start = parameters(predictor(load(given.model())));
    given.removed().forEach(j -> start[j] = 0);
    assertThat(objective.gradientNorm(start, given.removed())).isGreaterThan(1e-4);
  }

  /**
   * An unmodified Spark job scores with the published parameters, whatever the removed slots are.
   */
  private static void assertScores(Transformer published, Model given, double[] theta) {
    LogisticRegressionModel predictor = predictor(published);
    List<Row> scored = published.transform(given.table()).limit(20).collectAsList();
    assertThat(scored).hasSize(20);
    for (Row row : scored) {
      double[] x = row.<Vector>getAs(predictor.getFeaturesCol()).toArray();
      double margin = predictor.getFitIntercept() ? theta[x.length] : 0;
      for (int j = 0; j < x.length; j++) {
        margin += given.removed().contains(j) ? 0 : theta[j] * x[j];
      }
      double probability = 1 / (1 + Math.exp(-margin));
      assertThat(row.<Vector>getAs("probability").apply(1))
          .isCloseTo(probability, within(1e-12)); // two orders of summation
      assertThat(row.<Double>getAs("prediction"))
          .isEqualTo(probability > predictor.getThreshold() ? 1 : 0);
    }
  }

  private static Dataset<Row> featurize(Transformer model, Dataset<Row> table) {
    if (!(model instanceof PipelineModel pipeline)) {
      return table;
    }
    Transformer[] stages = pipeline.stages();
    return new PipelineModel("featurizer", Arrays.copyOf(stages, stages.length - 1))
        .transform(table);
  }

  private static Transformer load(Path model) {
    return LocalSpark.session()
            .read()
            .text(model.resolve("metadata").toString())
            .first()
            .getString(0)
            .contains("org.apache.spark.ml.PipelineModel")
        ? PipelineModel.load(model.toString())
        : LogisticRegressionModel.load(model.toString());
  }

  private static LogisticRegressionModel predictor(Transformer model) {
    return model instanceof PipelineModel pipeline
        ? (LogisticRegressionModel) pipeline.stages()[pipeline.stages().length - 1]
        : (LogisticRegressionModel) model;
  }

  private static double[] parameters(LogisticRegressionModel predictor) {
    double[] coefficients = predictor.coefficients().toArray();
    if (!predictor.getFitIntercept()) {
      return coefficients.clone();
    }
    double[] theta = Arrays.copyOf(coefficients, coefficients.length + 1);
    theta[coefficients.length] = predictor.intercept();
    return theta;
  }

  private static void assertSameButForParameters(Transformer published, Transformer original) {
    List<Transformer> are = stages(published);
    List<Transformer> were = stages(original);
    assertThat(are).hasSameSizeAs(were);
    for (int i = 0; i < are.size(); i++) {
      assertThat(are.get(i).getClass()).isEqualTo(were.get(i).getClass());
      assertThat(are.get(i).uid()).isEqualTo(were.get(i).uid());
      Map<String, String> params = params(were.get(i));
      if (are.get(i) instanceof FeatureHasher) {
        params.put("inputCols", "[\"age\",\"hours\",\"city\"]"); // it no longer reads the race
      }
      assertThat(params(are.get(i))).isEqualTo(params);
    }
  }

  /** Params that are set, in the words of a saved model. */
  private static Map<String, String> params(Transformer stage) {
    Map<String, String> params = new TreeMap<>();
    for (Param<?> param : stage.params()) {
      if (stage.isSet(param)) {
        params.put(param.name(), encoded(stage, param));
      }
    }
    return params;
  }

  private static <T> String encoded(Transformer stage, Param<T> param) {
    return param.jsonEncode(stage.getOrDefault(param));
  }

  private static List<Transformer> stages(Transformer model) {
    List<Transformer> stages = new ArrayList<>(List.of(model));
    if (model instanceof PipelineModel pipeline) {
      stages.addAll(Arrays.asList(pipeline.stages()));
    }
    return stages;
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("oneStepMethods")
  void run_oneStepMethod_publishesWithoutNoiseAndClaimsNothing(String method) {
    Release release =
        Releases.unlearn(
            People.model(), People.table(), Releases.REQUEST + "method: " + method + "\n", 3);

    JsonNode certificate = release.certificate();
    assertValid(certificate, "certificate");
    assertValid(release.evidence(), "evidence");
    assertThat(certificate.get("verdict").asText()).isEqualTo("not-certified");
    assertThat(certificate.get("reason").asText()).isEqualTo("method-without-target");
    assertThat(certificate.get("epsilon").isNull()).isTrue();
    assertThat(certificate.get("sigma").isNull()).isTrue();
    assertThat(publishedParameters(release)).isEqualTo(release.parameters());
    for (int slot : People.RACE_SLOTS) {
      assertThat(release.parameters()[slot]).isZero();
    }
    assertThat(release.verification().run().code()).isZero();
  }

  static Stream<String> oneStepMethods() {
    return Stream.of("first-order", "first-order\ntau: 1e-6", "second-order");
  }

  @Test
  void run_noCertificateAsked_publishesWithoutNoiseAndSucceeds() {
    Release release =
        Releases.unlearn(
            People.smallModel(),
            People.table(),
            "id: r-1\nchanges: [{removeRows: {where: \"user_id = 'u-4711'\"}}]\n",
            0);

    JsonNode certificate = release.certificate();
    assertValid(certificate, "certificate");
    assertValid(release.evidence(), "evidence");
    assertThat(certificate.get("verdict").asText()).isEqualTo("not-certified");
    assertThat(certificate.get("reason").asText()).isEqualTo("certificate-not-requested");
    assertThat(publishedParameters(release)).isEqualTo(release.parameters());
    assertThat(release.evidence().get("measurement").get("rho").isNull()).isTrue();
  }

  @Test
  void run_oneStepAllowed_saysThatTheDistanceIsNotProven() {
    Path place = Places.directory("one-step");
    Path request = Places.write(place.resolve("request.yaml"), Releases.REQUEST);
    Outcome outcome =
        Invocation.unlearn(
                People.model(),
                People.table(),
                request,
                place.resolve("out"),
                place.resolve("vault"))
            .with("--max-steps", 1)
            .run();

    assertThat(outcome.code()).as("%s", outcome).isEqualTo(3);
    Release release =
        new Release(
            People.model(), People.table(), request, place.resolve("out"), place.resolve("vault"));
    JsonNode certificate = release.certificate();
    assertThat(certificate.get("verdict").asText()).isEqualTo("not-certified");
    assertThat(certificate.get("reason").asText()).isEqualTo("distance-not-proven");
    assertThat(outcome.out()).contains("not-certified", "was not proven to be at most rho");
    assertThat(publishedParameters(release)).isEqualTo(release.parameters());
    assertThat(release.evidence().get("steps")).hasSize(2);
  }

  @Test
  void run_correctedTableOfApply_givesTheSameParametersAndDigest() {
    Release release = Releases.certified();
    Path table = Places.unused("corrected");
    Outcome applied =
        Invocation.apply(release.data(), "label", release.request(), table)
            .with("--weight", "weight")
            .run();
    assertThat(applied.code()).as("%s", applied).isZero();
    assertThat(LocalSpark.session().read().parquet(table.toString()).columns())
        .doesNotContain("race");
    Path out = Places.unused("out");

    Outcome outcome =
        Invocation.unlearn(release.model(), table, release.request(), out, release.vault())
            .without("--data")
            .with("--corrected", table)
            .run();

    assertThat(outcome.code()).as("%s", outcome).isZero();
    Release second = new Release(release.model(), table, release.request(), out, release.vault());
    assertValid(second.evidence(), "evidence");
    assertThat(second.evidence().get("digests").get("correctedData"))
        .isEqualTo(release.evidence().get("digests").get("correctedData"));
    assertThat(second.evidence().get("digests").get("data").isNull()).isTrue();
    assertThat(second.certificate().get("zeroCoefficients"))
        .isEqualTo(release.certificate().get("zeroCoefficients"));
    // the same Newton steps from the same start; the sums differ in their last bits
    assertThat(second.parameters()).containsExactly(release.parameters(), within(1e-9));
  }

  /** Nobody keeps the key beside the model's data: conditions on it are passed over, and named. */
  @Test
  void run_correctedTableLacksColumnsOfTheRequest_passesOverItsConditions() {
    Release release = Releases.certified();
    Path place = Places.directory("gone");
    Path table =
        People.write(
            LocalSpark.session()
                .read()
                .parquet(release.data().toString())
                .where("user_id <> 'u-4711'")
                .withColumn("label", expr("IF(user_id IN ('u-4712', 'u-4713'), 1 - label, label)"))
                .withColumn("hours", expr("hours + IF(city = 'Ulm', 1, 0)"))
                .withColumn("weight", expr("weight * IF(city = 'Ulm', 2, 1)"))
                .drop("race", "user_id"),
            "parquet",
            "without-key");

    Outcome outcome =
        Invocation.unlearn(
                release.model(),
                table,
                release.request(),
                place.resolve("out"),
                place.resolve("vault"))
            .without("--data")
            .with("--corrected", table)
            .run();

    assertThat(outcome.code()).as("%s", outcome).isZero();
    assertThat(outcome.out()).contains("changes[3].removeRows.where was not checked");
    Release second =
        new Release(
            release.model(),
            table,
            release.request(),
            place.resolve("out"),
            place.resolve("vault"));
    // the same Newton steps from the same start; the sums differ in their last bits
    assertThat(second.parameters()).containsExactly(release.parameters(), within(1e-9));
  }

  /**
   * The next night's request says nothing of the race, and the table may or may not have it: what
   * the first release removed stays removed, in the model and in the truth that it is compared to.
   */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void run_modelOfAnEarlierRelease_keepsItsFeaturesRemoved(boolean tableHasTheColumn)
      throws IOException {
    Release first = Releases.certified();
    Dataset<Row> night =
        People.dataset()
            .where("user_id <> 'u-4711'")
            .withColumn("label", expr("IF(user_id IN ('u-4712', 'u-4713'), 1 - label, label)"))
            .withColumn("hours", expr("hours + IF(city = 'Ulm', 1, 0)"))
            .withColumn("weight", expr("weight * IF(city = 'Ulm', 2, 1)"));
    // a category that the indexer would refuse, were the race still a feature
    Dataset<Row> unheardOf = night.withColumn("race", expr("IF(age < 30, 'unheard of', race)"));
    Path table =
        People.write(tableHasTheColumn ? unheardOf : night.drop("race"), "parquet", "next-night");
    String request =
        "id: r-8\nchanges: [{removeRows: {where: \"user_id = 'u-4800'\"}}]\n" + CERTIFICATE;

    Release second = Releases.unlearn(first.out().resolve("model"), table, request, 0);

    assertValid(second.evidence(), "evidence");
    assertThat(integers(second.certificate().get("zeroCoefficients"))).isEqualTo(People.RACE_SLOTS);
    assertThat(integers(second.evidence().get("removedEarlier"))).isEqualTo(People.RACE_SLOTS);
    double[] theta = second.parameters();
    Dataset<Row> featurized = featurize(load(second.model()), night.where("user_id <> 'u-4800'"));
    People.Examples examples = People.Examples.of(featurized, "features", "label", "weight");
    examples.features().forEach(x -> People.RACE_SLOTS.forEach(j -> x[j] = 0));
    MlObjective objective =
        new MlObjective(
            examples.features(), examples.labels(), examples.weights(), 0.01, true, true);
    // the norm of the Hessian, below 1e3, times rho
    assertThat(objective.gradientNorm(theta, People.RACE_SLOTS)).isLessThan(1e-4);
    People.RACE_SLOTS.forEach(j -> assertThat(theta[j]).isZero());
    Outcome verified = second.fullVerification().run();
    assertThat(verified.code()).as("%s", verified).isZero();
    Outcome against = second.fullVerification().with("--original-model", second.model()).run();
    assertThat(against.code()).as("%s", against).isZero();

    Path out = Places.unused("retrained");
    Outcome retrained =
        Invocation.train(table, "label", out)
            .without("--label")
            .with("--like", second.model())
            .with("--request", second.request())
            .with("--gradient-norm", "1e-12")
            .run();
    assertThat(retrained.code()).as("%s", retrained).isZero();
    assertThat(parameters(predictor(load(out)))).containsExactly(theta, within(1e-7));
  }

  /** The closed forms read the touched rows apart: they too may lack what left earlier. */
  @Test
  void run_oneStepFromAnEarlierRelease_doesNotNeedTheColumn() {
    Release first = Releases.certified();
    Path table = People.write(People.dataset().drop("race"), "parquet", "one-step-without-race");
    String request =
        "id: r-10\nmethod: second-order\n"
            + "changes: [{removeRows: {where: \"user_id = 'u-4800'\"}}]\n";

    Release second = Releases.unlearn(first.out().resolve("model"), table, request, 0);

    assertThat(integers(second.certificate().get("zeroCoefficients"))).isEqualTo(People.RACE_SLOTS);
    assertThat(second.evidence().get("objective").get("n").asInt()).isEqualTo(People.COUNT - 1);
  }

  /** A copy of the model alone tells nothing of the release; the certificate can be named. */
  @Test
  void run_modelApartFromItsCertificate_needsItByName() {
    Release first = Releases.certified();
    Path model = Places.copy(first.out().resolve("model"), Places.unused("copied-model"));
    Path place = Places.directory("apart");
    Path request =
        Places.write(
            place.resolve("request.yaml"),
            "id: r-9\nchanges: [{removeRows: {where: \"user_id = 'u-4800'\"}}]\n" + CERTIFICATE);
    Invocation command =
        Invocation.unlearn(
            model, People.table(), request, place.resolve("out"), place.resolve("vault"));

    Outcome foreign = command.with("--model-certificate", request).run();
    Outcome named =
        command.with("--model-certificate", first.out().resolve("certificate.json")).run();

    assertThat(foreign.code()).as("%s", foreign).isEqualTo(2);
    assertThat(named.code()).as("%s", named).isZero();
    assertThat(
            integers(Releases.json(place.resolve("out/certificate.json")).get("zeroCoefficients")))
        .isEqualTo(People.RACE_SLOTS);
  }

  /**
   * An indexer skips rows whose race it does not know. Once the race is removed it decides nothing:
   * the model is that of all rows, from the original table as from the corrected one.
   */
  @Test
  void run_removedColumnHasRowsThatItsIndexerSkips_learnsFromThemToo() {
    Path model =
        fitted(
            predictor("features", 3, "label"),
            new StringIndexer()
                .setStringOrderType("alphabetAsc")
                .setHandleInvalid("skip")
                .setInputCol("race")
                .setOutputCol("race_index"),
            new VectorAssembler()
                .setInputCols(new String[] {"age", "hours", "race_index"})
                .setOutputCol("features"));
    Dataset<Row> unknown =
        People.dataset().withColumn("race", expr("IF(age < 30, 'unheard of', race)"));
    Path table = People.write(unknown, "parquet", "unknown-race");
    String request = "id: r-7\nchanges: [{removeFeatures: [race]}]\n" + CERTIFICATE;

    Release fromOriginal = Releases.unlearn(model, table, request, 0);
    Path place = Places.directory("from-corrected");
    Path corrected = People.write(unknown.drop("race"), "parquet", "no-race");
    Outcome outcome =
        Invocation.unlearn(
                model,
                corrected,
                fromOriginal.request(),
                place.resolve("out"),
                place.resolve("vault"))
            .without("--data")
            .with("--corrected", corrected)
            .run();

    assertThat(outcome.code()).as("%s", outcome).isZero();
    Release fromCorrected =
        new Release(
            model, corrected, fromOriginal.request(), place.resolve("out"), place.resolve("vault"));
    assertThat(fromOriginal.evidence().get("objective").get("n").asInt()).isEqualTo(People.COUNT);
    assertThat(fromOriginal.evidence().get("digests").get("data").get("rows").asLong())
        .isEqualTo(unknown.where("age >= 30").count());
    assertThat(fromCorrected.parameters()).containsExactly(fromOriginal.parameters(), within(1e-9));
    Outcome verified = fromOriginal.fullVerification().with("--original-model", model).run();
    assertThat(verified.code()).as("%s", verified).isZero();
  }

  @Test
  void train_likeTheModelOnCorrectedData_isWithinRhoOfTheUnlearnedParameters() {
    Release release = Releases.certified();
    Path out = Places.unused("retrained");

    Outcome outcome =
        Invocation.train(release.data(), "label", out)
            .without("--label")
            .with("--like", release.model())
            .with("--request", release.request())
            .with("--evidence", release.evidenceFile())
            .with("--gradient-norm", "1e-12")
            .flag("--figures")
            .run();

    assertThat(outcome.code()).as("%s", outcome).isZero();
    Matcher distance =
        Pattern.compile("distance\\s+(\\S+) to the un-noised parameters").matcher(outcome.out());
    assertThat(distance.find()).as("%s", outcome).isTrue();
    assertThat(Double.parseDouble(distance.group(1))).isLessThan(1e-7);
    double[] retrained = parameters(predictor(load(out)));
    for (int slot : People.RACE_SLOTS) {
      assertThat(retrained[slot]).isZero();
    }
    assertThat(retrained).containsExactly(release.parameters(), within(1e-7));
  }

  @Test
  void run_testData_putsMetricsBeforeAndAfterIntoTheEvidence() {
    Path place = Places.directory("tested");
    Path request = Places.write(place.resolve("request.yaml"), Releases.REQUEST);
    Outcome outcome =
        Invocation.unlearn(
                People.model(),
                People.table(),
                request,
                place.resolve("out"),
                place.resolve("vault"))
            .with("--test", People.table())
            .flag("--figures")
            .run();
    assertThat(outcome.code()).as("%s", outcome).isZero();
    Release release =
        new Release(
            People.model(), People.table(), request, place.resolve("out"), place.resolve("vault"));
    assertValid(release.evidence(), "evidence");

    Dataset<Row> before = load(People.model()).transform(People.dataset());
    Dataset<Row> after = load(release.out().resolve("model")).transform(People.dataset());

    assertThat(release.evidence().get("metricsBefore").get("accuracy").doubleValue())
        .isCloseTo(accuracy(before), within(1e-12));
    assertThat(release.evidence().get("metricsAfter").get("accuracy").doubleValue())
        .isCloseTo(accuracy(after), within(1e-12));
    assertThat(release.evidence().get("metricsBefore").get("meanLoss").doubleValue())
        .isCloseTo(logLoss(before), within(1e-9)); // Spark sums in another order
    assertThat(release.evidence().get("metricsBefore").get("n").intValue()).isEqualTo(People.COUNT);
    assertThat(outcome.out()).contains("test before", "test after");
  }

  private static double accuracy(Dataset<Row> scored) {
    return scored.where("prediction = label").count() / (double) scored.count();
  }

  private static double logLoss(Dataset<Row> scored) {
    return scored.collectAsList().stream()
        .mapToDouble(
            row -> {
              int label = (int) (double) row.<Double>getAs("label");
              return -Math.log(row.<Vector>getAs("probability").apply(label));
            })
        .average()
        .orElseThrow();
  }

  private static double[] publishedParameters(Release release) {
    return parameters(predictor(load(release.out().resolve("model"))));
  }

  private static List<Integer> integers(JsonNode array) {
    return IntStream.range(0, array.size()).mapToObj(i -> array.get(i).intValue()).toList();
  }

  static void assertValid(JsonNode document, String name) {
    try (InputStream in =
        UnlearnJobTest.class.getResourceAsStream("/dev/lethe/schema/" + name + ".schema.json")) {
      assertThat(
              JsonSchemaFactory.getInstance(SpecVersion.VersionFlag.V202012)
                  .getSchema(in)
                  .validate(document)
                  .stream()
                  .map(Object::toString)
                  .collect(Collectors.joining("\n")))
          .isEmpty();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }
}
