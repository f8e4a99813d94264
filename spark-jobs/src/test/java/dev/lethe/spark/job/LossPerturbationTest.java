package dev.lethe.spark.job;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.ModelDigest;
import dev.lethe.spark.certificate.Reason;
import dev.lethe.spark.certificate.Scope;
import dev.lethe.spark.certificate.Software;
import dev.lethe.spark.job.Releases.Release;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Training with loss perturbation, unlearning, verification, and what is refused. The truth is the
 * gradient of L_b, written here from its formula over the rows.
 */
@ExtendWith(LocalSpark.class)
class LossPerturbationTest {
  private static final double REG_PARAM = 0.01;
  private static final double R = 1e-3;

  /** sqrt(2 ln(1.5 / 1e-4)) 1e-3 / 0.1. */
  private static final double SIGMA = 0.0438538606740258;

  /** Takes out 'hours' and user u-4711, and gives two others the opposite label. */
  private static final String REQUEST =
      """
      id: release-p
      changes:
        - removeFeatures: [hours]
        - relabel: {to: "1 - label", where: "user_id IN ('u-4712', 'u-4713')"}
        - removeRows: {where: "user_id = 'u-4711'"}
      """;

  private static Path vault;
  private static Path model;
  private static Outcome training;
  private static Outcome withTerms;
  private static Outcome refit;
  private static Outcome oneStep;
  private static Outcome otherVault;
  private static Release release;

  @BeforeAll
  static void trainAndUnlearn() {
    vault = Places.unused("vault");
    model = Places.unused("model");
    training = train(model).with("--vault", vault).run();
    assertThat(training.code()).as("%s", training).isZero();
    withTerms =
        unlearn(REQUEST + "certificate: {epsilon: 0.5, delta: 1e-5, rho: 1e-7}\n", vault).run();
    refit = unlearn(REQUEST + "featurizer: refit\n", vault).run();
    oneStep = unlearn(REQUEST + "method: first-order\n", vault).run();
    otherVault = unlearn(REQUEST, Places.unused("other")).run();
    Path request = Places.write(Places.unused("request.yaml"), REQUEST);
    release = new Release(model, People.table(), request, Places.unused("out"), vault);
    Outcome outcome =
        Invocation.unlearn(model, People.table(), request, release.out(), vault).run();
    assertThat(outcome.code()).as("%s", outcome).isZero();
    assertThat(outcome.out())
        .contains("conditional: epsilon 0.1", "guo-2020: assumes a residual independent of b");
  }

  private static Invocation train(Path out) {
    return Invocation.train(People.table(), "label", out)
        .with("--features", "age,hours")
        .with("--weight", "weight")
        .with("--reg-param", REG_PARAM)
        .with("--mechanism", "loss-perturbation")
        .with("--epsilon", 0.1)
        .with("--delta", 1e-4)
        .with("--residual", R)
        .with("--vault", Places.unused("vault"));
  }

  private static Invocation unlearn(String request, Path vault) {
    return Invocation.unlearn(
        model,
        People.table(),
        Places.write(Places.unused("request.yaml"), request),
        Places.unused("out"),
        vault);
  }

  private static void refused(Outcome outcome, String... words) {
    assertThat(outcome.code()).as("%s", outcome).isEqualTo(2);
    assertThat(outcome.err()).contains(words);
  }

  private static Path folder() {
    ModelDigest digest =
        ModelDigest.of(LocalSpark.session().sparkContext().hadoopConfiguration(), model.toString());
    return vault.resolve("perturbation-" + digest.value());
  }

  private static double[] b() {
    JsonNode array = Releases.json(folder().resolve("perturbation.json")).get("b");
    double[] b = new double[array.size()];
    for (int j = 0; j < b.length; j++) {
      b[j] = array.get(j).doubleValue();
    }
    return b;
  }

  private static LogisticRegressionModel predictor(Path model) {
    PipelineModel pipeline = PipelineModel.load(model.toString());
    return (LogisticRegressionModel) pipeline.stages()[pipeline.stages().length - 1];
  }

  private static double[] parameters(Path model) {
    LogisticRegressionModel logistic = predictor(model);
    double[] w = logistic.coefficients().toArray();
    return new double[] {w[0], w[1], logistic.intercept()};
  }

  /**
   * grad L_b: sum_i w_i (sigma(s_i) - y_i) x_i + lambda_j theta_j + b_j with lambda_j = W regParam
   * s_j^2, s_j^2 the unbiased weighted variance, and W regParam for the intercept.
   */
  private static double[] gradient(List<Row> rows, double[] theta) {
    double[] b = b();
    double[] g = new double[3];
    double total = 0;
    double squares = 0;
    double[] first = new double[2];
    double[] second = new double[2];
    for (Row row : rows) {
      double w = row.getDouble(5);
      double[] x = {row.getDouble(1), row.getInt(2), 1};
      double s = theta[0] * x[0] + theta[1] * x[1] + theta[2];
      double residual = w * (1 / (1 + Math.exp(-s)) - row.getDouble(6));
      for (int j = 0; j < 3; j++) {
        g[j] += residual * x[j];
      }
      total += w;
      squares += w * w;
      for (int j = 0; j < 2; j++) {
        first[j] += w * x[j];
        second[j] += w * x[j] * x[j];
      }
    }
    for (int j = 0; j < 3; j++) {
      double variance =
          j == 2 ? 1 : (second[j] - first[j] * first[j] / total) / (total - squares / total);
      g[j] += total * REG_PARAM * variance * theta[j] + b[j];
    }
    return g;
  }

  private static double norm(double... g) {
    return Math.sqrt(Stream.of(g).flatMapToDouble(java.util.Arrays::stream).map(v -> v * v).sum());
  }

  /** 1e-9: the solver stops at 1e-9 W; 1e-9 more for the sums here, of about 1e4. */
  @Test
  void train_perturbed_isTheMinimiserOfThePerturbedObjective() {
    assertThat(norm(gradient(People.rows(), parameters(model)))).isLessThan(1e-6);
    assertThat(predictor(model).uid()).startsWith("logreg_perturbed_");
  }

  /** b is of the size of sigma: beyond 8 sigma with probability below 1e-14. */
  @Test
  void train_perturbed_keepsBInTheVaultAlone() throws IOException {
    double[] b = b();
    assertThat(b).hasSize(3);
    for (double value : b) {
      assertThat(Math.abs(value)).isBetween(SIGMA * 1e-9, SIGMA * 8);
      for (Path root : List.of(model, release.out())) {
        try (Stream<Path> files = Files.walk(root)) {
          for (Path file : files.filter(Files::isRegularFile).toList()) {
            assertThat(new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1))
                .doesNotContain(Double.toString(value));
          }
        }
      }
      assertThat(training.out() + training.err()).doesNotContain(Double.toString(value));
      assertThat(Places.read(release.evidenceFile())).doesNotContain(Double.toString(value));
    }
  }

  @Test
  void unlearn_perturbed_residualOnTheCorrectedDataIsAtMostR() {
    List<Row> corrected = new ArrayList<>();
    for (Row row : People.rows()) {
      String user = row.getString(0);
      if (!user.equals("u-4711")) {
        boolean flipped = user.equals("u-4712") || user.equals("u-4713");
        corrected.add(
            org.apache.spark.sql.RowFactory.create(
                user,
                row.getDouble(1),
                row.getInt(2),
                row.getString(3),
                row.getString(4),
                row.getDouble(5),
                flipped ? 1 - row.getDouble(6) : row.getDouble(6)));
      }
    }
    double[] theta = parameters(release.out().resolve("model"));
    double[] g = gradient(corrected, theta);

    assertThat(theta[1]).isZero();
    assertThat(theta).containsExactly(release.parameters());
    double residual = norm(g[0], g[2]); // b_1 left with the feature
    assertThat(residual).isLessThanOrEqualTo(R);
    JsonNode measurement = release.evidence().get("measurement");
    assertThat(Math.abs(residual - measurement.get("gradientNorm").doubleValue())).isLessThan(1e-9);
    double[] old = parameters(model);
    assertThat(norm(gradient(corrected, new double[] {old[0], 0, old[2]}))).isGreaterThan(1);
  }

  @Test
  void unlearn_perturbed_certificateStatesTheClaimAndItsAssumption() {
    JsonNode certificate = release.certificate();
    assertThat(certificate.get("mechanism").textValue()).isEqualTo("loss-perturbation");
    assertThat(certificate.get("verdict").textValue()).isEqualTo("conditional");
    assertThat(certificate.get("assumption").textValue())
        .isEqualTo("guo-2020: assumes a residual independent of b");
    assertThat(certificate.get("epsilon").doubleValue()).isEqualTo(0.1);
    assertThat(certificate.get("delta").doubleValue()).isEqualTo(1e-4);
    assertThat(certificate.get("residual").doubleValue()).isEqualTo(R);
    assertThat(certificate.get("sigma").doubleValue())
        .isBetween(SIGMA * (1 - 1e-12), SIGMA * (1 + 1e-12));
    assertThat(certificate.get("rho").isNull()).isTrue();
    assertThat(Places.read(folder().resolve("release")).strip())
        .isEqualTo(certificate.get("certificateId").textValue());
  }

  @Test
  void verify_publicFiles_checksTheFigures() {
    Outcome outcome = release.verification().run();
    assertThat(outcome.code()).as("%s", outcome).isZero();
    assertThat(outcome.out()).contains("r <= sigma epsilon / c", "says conditional");
  }

  @Test
  void verify_vaultDataAndRequest_recomputesTheResidualWithB() {
    Outcome outcome =
        release.fullVerification().with("--original-model", model).flag("--figures").run();
    assertThat(outcome.code()).as("%s", outcome).isZero();
    assertThat(outcome.out())
        .contains("residual is at most r", "b is N(0, sigma^2 I)", "b was used for this release")
        .doesNotContain("FAIL", Double.toString(b()[0]));
  }

  private record Tampering(String name, Consumer<ObjectNode> change, String check) {
    @Override
    public String toString() {
      return name;
    }
  }

  static List<Tampering> tamperings() {
    List<Tampering> tamperings = new ArrayList<>();
    for (String field : List.of("epsilon", "delta", "residual", "sigma")) {
      for (double factor : new double[] {0.5, 1.5}) {
        tamperings.add(
            new Tampering(
                field + " times " + factor,
                d -> d.put(field, factor * d.get(field).doubleValue()),
                "sigma follows from epsilon, delta and r"));
      }
    }
    tamperings.add(
        new Tampering(
            "epsilon above 1",
            d -> {
              d.put("epsilon", 2.0);
              d.put("sigma", d.get("sigma").doubleValue() / 20);
            },
            "epsilon <= 1 and r"));
    tamperings.add(
        new Tampering(
            "smaller sigma",
            d -> d.put("sigma", 0.99 * d.get("sigma").doubleValue()),
            "epsilon <= 1 and r"));
    return tamperings;
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("tamperings")
  void verify_certificateChanged_failsOnPublicFilesAlone(Tampering tampering) throws IOException {
    ObjectNode certificate = (ObjectNode) release.certificate();
    tampering.change().accept(certificate);
    Path file =
        Places.write(
            Places.unused("certificate.json"), new ObjectMapper().writeValueAsString(certificate));

    Outcome outcome = release.verification().with("--certificate", file).run();

    assertThat(outcome.code()).as("%s", outcome).isEqualTo(4);
    assertThat(outcome.out().lines())
        .anyMatch(line -> line.contains("FAIL") && line.contains(tampering.check()));
  }

  /** A perturbed model under a certificate that does not say so. */
  @Test
  void verify_otherMechanismThanTheModels_fails() {
    ModelDigest digest =
        ModelDigest.of(LocalSpark.session().sparkContext().hadoopConfiguration(), model.toString());
    Certificate certificate =
        Certificate.notCertified(
            Certificate.newId(),
            "r",
            Instant.now(),
            Reason.DISTANCE_NOT_PROVEN,
            Scope.frozenFeaturizer("refined", List.of(), List.of(), 3),
            digest,
            Software.running("0.1.0", "4.1.0"));
    Path file =
        Places.write(
            Places.unused("c.json"), new String(certificate.toJson(), StandardCharsets.UTF_8));
    Outcome outcome =
        release.verification().with("--model", model).with("--certificate", file).run();
    assertThat(outcome.code()).as("%s", outcome).isEqualTo(4);
    assertThat(outcome.out().lines())
        .anyMatch(line -> line.contains("FAIL") && line.contains("mechanism is the model's"));
  }

  @Test
  void compose_perturbed_isRefusedByName() {
    Path certificate = release.out().resolve("certificate.json");
    refused(
        Outcome.of(List.of("compose", certificate.toString())),
        certificate + ": is a release under loss perturbation",
        "share b never compose");
  }

  @Test
  void unlearn_secondReleaseUnderB_isRefusedByTheNameOfTheFirst() {
    refused(
        unlearn(REQUEST, vault).run(),
        release.certificate().get("certificateId").textValue(),
        "share b never compose",
        "Train again");
  }

  @Test
  void unlearn_withoutTheSecret_isRefused() {
    refused(otherVault, "has no perturbation for the model", "secret term b");
  }

  /** Its digest is another: b is used up. */
  @Test
  void unlearn_aRelease_isRefused() {
    refused(
        Invocation.unlearn(
                release.out().resolve("model"),
                People.table(),
                release.request(),
                Places.unused("out"),
                vault)
            .run(),
        "has no perturbation for the model",
        "it is itself a release");
  }

  @Test
  void unlearn_outputNoiseAskedFor_isRefused() {
    refused(withTerms, "certificate: the model was trained with loss perturbation", "leave out");
  }

  /** A refit has other slots than those that b was drawn for. */
  @Test
  void unlearn_refitAskedFor_isRefused() {
    refused(refit, "featurizer: refit", "allowed for such a model are frozen and forbid");
  }

  /** And b was not used up: the release of this test came after it. */
  @Test
  void unlearn_oneStepAboveR_publishesNothing() {
    refused(oneStep, "not brought to r = 0.001", "b is not used up", "use method: refined");
  }

  @Test
  void train_likeAPerturbedModel_isRefused() {
    refused(
        new Words("train")
            .run("--data", People.table(), "--like", model, "--out", Places.unused("out")),
        "was trained with loss perturbation",
        "draws its own b");
  }

  private record Words(String command) {
    Outcome run(Object... arguments) {
      List<String> words = new ArrayList<>(List.of(command));
      Stream.of(arguments).map(Object::toString).forEach(words::add);
      return Outcome.of(words);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "--epsilon, 1.01, --epsilon = 1.01",
    "--epsilon, 0, --epsilon = 0.0",
    "--delta, 0, --delta = 0.0",
    "--delta, 1, --delta = 1.0",
    "--residual, 0, --residual = 0.0",
    "--residual, -1, --residual = -1.0",
    "--reg-param, 0, --reg-param 0.0",
    "--mechanism, gaussian, allowed is loss-perturbation",
    "--loss, multinomial, --loss multinomial",
    "--loss, squared-hinge, offered for logistic only",
    "--loss, poisson, --loss poisson"
  })
  void train_valueOutOfRange_isRefusedBeforeAnythingIsRead(
      String option, String value, String message) {
    Path out = Places.unused("out");
    refused(train(out).with(option, value).run(), message);
    assertThat(out).doesNotExist();
  }

  @ParameterizedTest
  @CsvSource({"--epsilon", "--delta", "--residual", "--vault", "--mechanism"})
  void train_optionMissing_isRefused(String option) {
    refused(
        train(Places.unused("out")).without(option).run(), "--mechanism loss-perturbation", "need");
  }

  @Test
  void train_vaultBelowOut_isRefused() {
    Path out = Places.unused("out");
    refused(train(out).with("--vault", out.resolve("vault")).run(), "vault", "is below");
    assertThat(out).doesNotExist();
  }

  @Test
  void train_mechanismWithLike_isRefused() {
    refused(
        new Words("train")
            .run(
                "--data",
                People.table(),
                "--like",
                model,
                "--out",
                Places.unused("out"),
                "--mechanism",
                "loss-perturbation",
                "--epsilon",
                1,
                "--delta",
                0.1,
                "--residual",
                1,
                "--vault",
                Places.unused("vault")),
        "--mechanism and --like exclude each other");
  }
}
