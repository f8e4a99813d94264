package dev.lethe.spark.job;

import static org.apache.spark.sql.functions.expr;
import static org.apache.spark.sql.functions.lit;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.certificate.Check;
import dev.lethe.spark.certificate.ModelDigest;
import dev.lethe.spark.certificate.Reason;
import dev.lethe.spark.job.Releases.Release;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.ml.feature.StringIndexerModel;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** {@code lethe verify} passes what unlearn published and nothing that was changed afterwards. */
@ExtendWith(LocalSpark.class)
class VerifyJobTest {
  private static final int BROKEN = 4;

  private static Path correctedTable;

  /** What the request makes of the people, written by hand. */
  private static synchronized Path correctedTable() {
    if (correctedTable == null) {
      correctedTable = People.write(correctedPeople(), "parquet", "corrected-people");
    }
    return correctedTable;
  }

  private static Dataset<Row> correctedPeople() {
    return People.dataset()
        .where("user_id <> 'u-4711'")
        .withColumn(
            "label",
            expr("CASE WHEN user_id IN ('u-4712', 'u-4713') THEN 1 - label ELSE label END"))
        .withColumn("hours", expr("hours + IF(city = 'Ulm', 1, 0)"))
        .withColumn("weight", expr("weight * IF(city = 'Ulm', 2, 1)"))
        .drop("race");
  }

  @Test
  void run_publicFilesAlone_passes() {
    assertHolds(Releases.certified().verification());
  }

  @Test
  void run_vaultDataAndRequest_passes() {
    assertHolds(Releases.certified().fullVerification());
  }

  @Test
  void run_vaultAndCorrectedData_passes() {
    Release release = Releases.certified();
    assertHolds(
        release
            .verification()
            .with("--vault", release.vault())
            .with("--corrected", correctedTable()));
    assertHolds(
        release
            .verification()
            .with("--vault", release.vault())
            .with("--corrected", correctedTable())
            .with("--request", release.request()));
  }

  @Test
  void run_modelCopiedWithoutHiddenFiles_passes() throws IOException {
    Path copy = Places.copy(Releases.certified().out().resolve("model"), Places.unused("copy"));
    try (Stream<Path> files = Files.walk(copy)) {
      for (Path file : files.filter(f -> f.getFileName().toString().endsWith(".crc")).toList()) {
        Files.delete(file);
      }
    }
    assertHolds(Releases.certified().verification().with("--model", copy));
  }

  @Test
  void run_coefficientChanged_failsOnTheDigest() {
    Release release = Releases.certified();
    Path changed =
        rewritten(
            theta -> {
              theta[0] += 1e-9;
              return theta;
            });

    Outcome outcome = release.verification().with("--model", changed).run();

    assertBroken(outcome, "model digest");
  }

  @Test
  void run_aByteOfAnyFileFlipped_fails() throws IOException {
    Release release = Releases.certified();
    Path copy = Places.copy(release.out().resolve("model"), Places.unused("flipped"));
    int flipped = 0;
    List<Path> files;
    try (Stream<Path> walk = Files.walk(copy)) {
      files = walk.filter(Files::isRegularFile).toList();
    }
    for (Path file : files) {
      byte[] content = Files.readAllBytes(file);
      String name = file.getFileName().toString();
      if (name.startsWith(".") || content.length == 0) {
        continue; // checksum files and empty markers are not part of the digest
      }
      for (int at : new int[] {0, content.length / 2, content.length - 1}) {
        byte[] other = content.clone();
        other[at] ^= 1;
        Files.write(file, other);
        assertBroken(release.verification().with("--model", copy).run(), "model digest");
        flipped++;
      }
      Files.write(file, content);
    }
    assertThat(flipped).isGreaterThan(20);
    assertHolds(release.verification().with("--model", copy));
  }

  private record Tampering(String name, Consumer<ObjectNode> change, String check) {
    @Override
    public String toString() {
      return name;
    }
  }

  static List<Tampering> evidenceTamperings() {
    return List.of(
        new Tampering(
            "a larger rounding bound",
            evidence -> multiply((ObjectNode) evidence.get("measurement"), "roundingBound", 10),
            "gradient norm as recorded"),
        new Tampering(
            "a smaller distance bound",
            evidence -> multiply((ObjectNode) evidence.get("measurement"), "distanceBound", 0.1),
            "distance bound as recorded"),
        new Tampering(
            "another rule",
            evidence -> ((ObjectNode) evidence.get("measurement")).put("distanceRule", "none"),
            "distance bound as recorded"),
        new Tampering(
            "another lambda rule",
            evidence -> ((ObjectNode) evidence.get("objective")).put("lambdaRule", "none"),
            "hyperparameters"),
        new Tampering(
            "another regParam",
            evidence -> multiply((ObjectNode) evidence.get("objective"), "regParam", 2),
            "hyperparameters"),
        new Tampering(
            "other original data",
            evidence ->
                ((ObjectNode) evidence.get("digests").get("data")).put("value", "0".repeat(64)),
            "original data digest"),
        new Tampering(
            "another certificate",
            evidence -> ((ObjectNode) evidence.get("digests")).put("certificate", "0".repeat(64)),
            "evidence is of this certificate"));
  }

  private static void multiply(ObjectNode node, String field, double factor) {
    node.put(field, node.get(field).doubleValue() * factor);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("evidenceTamperings")
  void run_evidenceChanged_fails(Tampering tampering) {
    Outcome outcome =
        Releases.certified()
            .fullVerification()
            .with("--vault", vaultWith(tampering.change()))
            .run();

    assertBroken(outcome, tampering.check());
    assertThat(outcome.out().lines().filter(line -> line.contains("FAIL"))).hasSize(1);
  }

  @Test
  void run_originalModel_passes() {
    Release release = Releases.certified();
    assertHolds(release.fullVerification().with("--original-model", release.model()));
    assertHolds(
        release
            .verification()
            .with("--vault", release.vault())
            .with("--corrected", correctedTable())
            .with("--request", release.request())
            .with("--original-model", release.model()));
  }

  /** The same pipeline, but its encoder keeps the last category and its threshold is another. */
  @Test
  void run_anotherOriginalModel_failsOnDigestStagesAndData() {
    Release release = Releases.certified();
    PipelineModel pipeline = PipelineModel.load(release.model().toString());
    Transformer[] stages = pipeline.stages();
    LogisticRegressionModel predictor = (LogisticRegressionModel) stages[stages.length - 1];
    predictor.setThreshold(0.7);
    StringIndexerModel indexer = (StringIndexerModel) stages[0];
    String[][] labels = indexer.labelsArray();
    String first = labels[0][0];
    labels[0][0] = labels[0][1];
    labels[0][1] = first;
    StringIndexerModel swapped = new StringIndexerModel(indexer.uid(), labels);
    indexer.copyValues(swapped, ParamMap.empty());
    stages[0] = swapped;

    Outcome outcome =
        release
            .fullVerification()
            .with(
                "--original-model",
                People.save(new PipelineModel(pipeline.uid(), stages), "another"))
            .flag("--figures")
            .run();

    assertBroken(
        outcome,
        "original model digest",
        "stages and params are the original's",
        "corrected data digest");
    assertThat(outcome.out()).contains(predictor.uid() + ").threshold");
  }

  @Test
  void run_correctedDataThatStillHasARemovedRow_fails() {
    Release release = Releases.certified();
    Path table =
        People.write(
            correctedPeople()
                .union(correctedPeople().limit(1).withColumn("user_id", lit("u-4711"))),
            "parquet",
            "with-the-row");

    assertBroken(
        release
            .verification()
            .with("--vault", release.vault())
            .with("--corrected", table)
            .with("--request", release.request())
            .run(),
        "no removed row is left",
        "corrected data digest");
  }

  static List<Tampering> publicTamperings() {
    String rules = "sigma and grid step follow from the terms";
    return List.of(
        scaled("epsilon", 0.5, rules),
        scaled("epsilon", 1.01, rules),
        scaled("epsilon", 1e6, rules),
        scaled("delta", 0.5, rules),
        scaled("delta", 2, rules),
        scaled("delta", 1e-9, rules),
        scaled("rho", 0.5, rules),
        scaled("rho", 1.01, rules),
        scaled("sigma", 0.99, rules),
        scaled("sigma", 1.01, rules),
        scaled("gridStep", 0.5, rules),
        scaled("gridStep", 2, rules),
        new Tampering(
            "a slot more",
            certificate ->
                certificate.set(
                    "zeroCoefficients", new ObjectMapper().valueToTree(List.of(0, 8, 9))),
            "removed coefficients are 0"),
        new Tampering(
            "a learned stage less",
            certificate -> ((ArrayNode) certificate.get("notCovered")).remove(0),
            "covers and notCovered are the model's"),
        new Tampering(
            "a parameter more",
            certificate -> certificate.put("parameters", 12),
            "number of parameters"));
  }

  private static Tampering scaled(String field, double factor, String check) {
    return new Tampering(
        field + " times " + factor,
        certificate -> certificate.put(field, certificate.get(field).doubleValue() * factor),
        check);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("publicTamperings")
  void run_certificateChanged_failsOnPublicFilesAlone(Tampering tampering) {
    Release release = Releases.certified();
    Path certificate = certificate(tampering.change());

    assertBroken(
        release.verification().with("--certificate", certificate).run(), tampering.check());
  }

  static List<Tampering> confidentialTamperings() {
    return List.of(
        new Tampering(
            "a slot less",
            certificate ->
                certificate.set("zeroCoefficients", new ObjectMapper().valueToTree(List.of(8))),
            "removed features have left the model"),
        new Tampering(
            "another request's id",
            certificate -> certificate.put("requestId", "release-2"),
            "evidence is of this certificate"),
        new Tampering(
            "another method",
            certificate -> certificate.put("method", "second-order"),
            "evidence is of this certificate"),
        new Tampering(
            "no claim at all",
            certificate -> {
              certificate.put("verdict", "not-certified");
              certificate.put("reason", "distance-not-proven");
              certificate.put("mechanism", "none");
              for (String figure : List.of("epsilon", "delta", "rho", "sigma", "gridStep")) {
                certificate.putNull(figure);
              }
              certificate.set("covers", new ObjectMapper().createArrayNode());
              certificate.put("guarantee", "None: " + Reason.DISTANCE_NOT_PROVEN.text() + ".");
            },
            "no noise"));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("confidentialTamperings")
  void run_certificateChanged_failsAgainstTheEvidence(Tampering tampering) {
    Release release = Releases.certified();
    Path certificate = certificate(tampering.change());

    assertBroken(
        release.fullVerification().with("--certificate", certificate).run(), tampering.check());
  }

  @Test
  void run_unnoisedParametersMovedAway_failsOnTheNoise() {
    Release release = Releases.certified();
    double sigma = release.certificate().get("sigma").doubleValue();
    Path vault =
        vaultWith(
            evidence -> {
              ArrayNode theta = (ArrayNode) evidence.get("unnoisedParameters");
              // 20 sigma: the largest of ten normals is beyond it once in 1e87 runs
              theta.set(1, theta.numberNode(theta.get(1).doubleValue() + 20 * sigma));
            });

    assertBroken(
        release.fullVerification().with("--vault", vault).run(),
        "noise is N(0, sigma^2 I)",
        "gradient norm as recorded");
  }

  @Test
  void run_unnoisedParametersMovedToThePublishedOnes_failsOnTheNoise() {
    Release release = Releases.certified();
    double[] published = parameters(predictor(release.out().resolve("model")));
    Path vault =
        vaultWith(
            evidence ->
                evidence.set("unnoisedParameters", new ObjectMapper().valueToTree(published)));

    assertBroken(
        release.fullVerification().with("--vault", vault).run(),
        "noise is N(0, sigma^2 I)",
        "gradient norm as recorded");
  }

  @Test
  void run_noiseLeftOut_failsOnTheNoise() {
    Release release = Releases.certified();
    double step = release.certificate().get("gridStep").doubleValue();
    double[] unnoised = release.parameters();
    Path model = rewritten(theta -> Arrays.stream(unnoised).map(x -> onGrid(x, step)).toArray());
    Path certificate = certificate(json -> json.set("modelDigest", digest(model)));

    Outcome outcome =
        release.fullVerification().with("--model", model).with("--certificate", certificate).run();

    assertBroken(outcome, "noise is N(0, sigma^2 I)", "evidence is of this certificate");
    assertThat(outcome.out().lines().filter(line -> line.contains("FAIL"))).hasSize(2);
  }

  @Test
  void run_coefficientAndDigestChanged_failsOnTheNoise() {
    Release release = Releases.certified();
    double sigma = release.certificate().get("sigma").doubleValue();
    double step = release.certificate().get("gridStep").doubleValue();
    Path model =
        rewritten(
            theta -> {
              theta[2] = onGrid(theta[2] + 20 * sigma, step);
              return theta;
            });
    Path certificate = certificate(json -> json.set("modelDigest", digest(model)));

    assertBroken(
        release.fullVerification().with("--model", model).with("--certificate", certificate).run(),
        "noise is N(0, sigma^2 I)");
  }

  @Test
  void run_anotherRequest_failsOnItsDigest() {
    Release release = Releases.certified();
    // the same rows, another condition
    Path request =
        Places.write(
            Places.unused("request.yaml"),
            Releases.REQUEST.replace("user_id = 'u-4711'", "user_id IN ('u-4711')"));

    assertBroken(release.fullVerification().with("--request", request).run(), "request digest");
  }

  @Test
  void run_anotherRow_failsOnTheDataDigest() {
    Release release = Releases.certified();

    assertBroken(
        release.fullVerification().with("--data", People.tableWith("age", 44.5)).run(),
        "corrected data digest");
  }

  @Test
  void run_correctedDataWithoutTheCorrection_failsOnTheDataDigest() {
    Release release = Releases.certified();

    assertBroken(
        release
            .verification()
            .with("--vault", release.vault())
            .with("--corrected", People.table())
            .run(),
        "corrected data digest",
        "objective");
  }

  @Test
  void run_anotherVaultKey_failsOnEveryKeyedDigest() throws IOException {
    Release release = Releases.certified();
    Path vault = Places.copy(release.vault(), Places.unused("vault"));
    Files.writeString(vault.resolve("digest.key"), "0".repeat(64) + "\n");

    assertBroken(
        release.fullVerification().with("--vault", vault).run(),
        "request digest",
        "corrected data digest");
  }

  private static void assertHolds(Invocation verification) {
    Outcome outcome = verification.run();
    assertThat(outcome.code()).as("%s", outcome).isZero();
    assertThat(outcome.out()).contains("checks hold").doesNotContain("FAIL");
    assertThat(outcome.err()).isEmpty();
  }

  private static void assertBroken(Outcome outcome, String... checks) {
    assertThat(outcome.code()).as("%s", outcome).isEqualTo(BROKEN);
    for (String check : checks) {
      assertThat(outcome.out().lines())
          .anyMatch(line -> line.contains("FAIL") && line.contains(check));
    }
    assertThat(outcome.out()).contains("NO: a claim does not hold");
  }

  private static double onGrid(double x, double step) {
    return Math.rint(x / step) * step;
  }

  /** The published model with other parameters, saved by Spark ML. */
  private static Path rewritten(UnaryOperator<double[]> change) {
    Path published = Releases.certified().out().resolve("model");
    PipelineModel pipeline = PipelineModel.load(published.toString());
    Transformer[] stages = pipeline.stages();
    LogisticRegressionModel predictor = predictor(published);
    double[] theta = change.apply(parameters(predictor));
    int d = theta.length - 1;
    LogisticRegressionModel changed =
        new LogisticRegressionModel(
            predictor.uid(), Vectors.dense(Arrays.copyOf(theta, d)), theta[d]);
    predictor.copyValues(changed, ParamMap.empty());
    stages[stages.length - 1] = changed;
    return People.save(new PipelineModel(pipeline.uid(), stages), "rewritten");
  }

  private static LogisticRegressionModel predictor(Path model) {
    Transformer[] stages = PipelineModel.load(model.toString()).stages();
    return (LogisticRegressionModel) stages[stages.length - 1];
  }

  private static double[] parameters(LogisticRegressionModel predictor) {
    double[] coefficients = predictor.coefficients().toArray();
    double[] theta = Arrays.copyOf(coefficients, coefficients.length + 1);
    theta[coefficients.length] = predictor.intercept();
    return theta;
  }

  private static ObjectNode digest(Path model) {
    return new ObjectMapper()
        .valueToTree(
            ModelDigest.of(
                LocalSpark.session().sparkContext().hadoopConfiguration(), model.toString()));
  }

  /** A copy of the certificate with a change. */
  private static Path certificate(Consumer<ObjectNode> change) {
    ObjectNode certificate = (ObjectNode) Releases.certified().certificate();
    change.accept(certificate);
    return Places.write(Places.unused("certificate.json"), certificate.toString());
  }

  /** A copy of the vault with a change in the evidence. */
  private static Path vaultWith(Consumer<ObjectNode> change) {
    Release release = Releases.certified();
    ObjectNode evidence = (ObjectNode) release.evidence();
    change.accept(evidence);
    Path copy = Places.copy(release.vault(), Places.unused("vault"));
    try {
      Files.writeString(
          copy.resolve(release.vault().relativize(release.evidenceFile())), evidence.toString());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return copy;
  }

  @Test
  void isOfOtherData_somethingElseFailsToo_isABrokenClaim() {
    Check digest = new Check(Recomputation.CORRECTED_DATA, false, "");
    Check distance = new Check("distance to the minimiser", false, "");
    Check removed = new Check("removed coefficients are 0", false, "");
    Check noise = new Check("noise is N(0, sigma^2 I)", false, "");

    assertThat(new VerifyJob.Result(List.of(digest, distance), "certified").isOfOtherData())
        .isTrue();
    for (Check other : List.of(removed, noise)) {
      assertThat(new VerifyJob.Result(List.of(digest, other), "certified").isOfOtherData())
          .isFalse();
    }
    assertThat(new VerifyJob.Result(List.of(distance), "certified").isOfOtherData()).isFalse();
  }
}
