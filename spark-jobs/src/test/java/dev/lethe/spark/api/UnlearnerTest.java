package dev.lethe.spark.api;

import static org.apache.spark.sql.functions.expr;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Check;
import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.certificate.ModelDigest;
import dev.lethe.spark.certificate.Verdict;
import dev.lethe.spark.cli.Lethe;
import dev.lethe.spark.data.TableSource;
import dev.lethe.spark.job.GivenTables;
import dev.lethe.spark.job.RequestSource;
import dev.lethe.spark.job.UnlearnJob;
import dev.lethe.spark.job.UnlearnOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.spark.SparkContext;
import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.evaluation.BinaryClassificationEvaluator;
import org.apache.spark.ml.evaluation.Evaluator;
import org.apache.spark.ml.feature.VectorAssembler;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.ml.tuning.CrossValidatorModel;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

@ExtendWith(LocalSpark.class)
class UnlearnerTest {
  @TempDir Path directory;

  private static final Dataset<Row> MEMBERS = Members.data();

  private String path(String name) {
    return directory.resolve(name).toString();
  }

  private static boolean passed(List<Check> checks) {
    assertThat(checks).allSatisfy(check -> assertThat(check.passed()).as("%s", check).isTrue());
    return !checks.isEmpty();
  }

  // ---- the same as the command line ----

  /** The un-noised parameters of {@code lethe unlearn} on the same rows in files. */
  private double[] byCommandLine(GivenTables tables, String request) throws IOException {
    Files.writeString(directory.resolve("request.yaml"), request);
    return new UnlearnJob(
            new UnlearnOptions(
                path("model"),
                null,
                tables,
                null,
                RequestSource.of(path("request.yaml")),
                path("out"),
                path("vault"),
                null,
                null,
                50,
                1000,
                3),
            LocalSpark.session())
        .run()
        .evidence()
        .unnoisedParameters();
  }

  private TableSource stored(Dataset<Row> rows, String name) {
    rows.write().parquet(path(name));
    return new TableSource("--data", path(name), "parquet", Map.of());
  }

  private Dataset<Row> read(String name) {
    return LocalSpark.session().read().parquet(path(name));
  }

  @Test
  void unlearn_original_sameBitsAsCommandLine() throws IOException {
    Members.model().write().save(path("model"));
    double[] expected =
        byCommandLine(new GivenTables.Original(stored(MEMBERS, "data")), Members.file("same-1"));

    try (UnlearnedModel unlearned =
        new Unlearner()
            .setPartitions(3)
            .unlearn(PipelineModel.load(path("model")), read("data"), Members.request("same-1"))) {
      assertThat(unlearned.evidence().unnoisedParameters()).isEqualTo(expected);
    }
  }

  @Test
  void unlearn_snapshots_sameBitsAsCommandLine() throws IOException {
    Members.model().write().save(path("model"));
    double[] expected =
        byCommandLine(
            new GivenTables.Snapshots(
                stored(MEMBERS, "data"),
                stored(Members.corrected(), "corrected"),
                List.of("member")),
            "{id: same-2, certificate: {epsilon: 0.5, delta: 1e-5, rho: 1e-7}}");

    try (UnlearnedModel unlearned =
        new Unlearner()
            .setPartitions(3)
            .unlearn(
                PipelineModel.load(path("model")),
                TrainingData.snapshots(read("data"), read("corrected"), "member"),
                UnlearnRequest.builder("same-2").certificate(0.5, 1e-5, 1e-7).build())) {
      assertThat(unlearned.evidence().unnoisedParameters()).isEqualTo(expected);
      assertThat(unlearned.evidence().rowChanges()).isEqualTo(new Evidence.RowChanges(0, 1, 8));
    }
  }

  /** Proven within rho each, so within the sum of both of one another. */
  @Test
  void unlearn_everyArrival_sameModel() {
    UnlearnRequest request = Members.request("arrival");
    UnlearnRequest rows =
        UnlearnRequest.builder("arrival-2")
            .removeFeatures("city")
            .removeRows("member = 7")
            .certificate(0.5, 1e-5, 1e-7)
            .build();
    Dataset<Row> overwrites =
        Members.corrected()
            .where("member IN (11, 12) OR member BETWEEN 20 AND 25")
            .select("member", "visits", "label");
    Unlearner unlearner = new Unlearner();
    try (UnlearnedModel original = unlearner.unlearn(Members.model(), Members.data(), request);
        UnlearnedModel corrected =
            unlearner.unlearn(
                Members.model(), TrainingData.corrected(Members.corrected()), request);
        UnlearnedModel overwritten =
            unlearner.unlearn(
                Members.model(),
                TrainingData.corrections(Members.data(), overwrites, "member"),
                rows)) {
      double[] theta = original.evidence().unnoisedParameters();
      assertThat(corrected.evidence().unnoisedParameters())
          .usingComparatorWithPrecision(2e-7)
          .containsExactly(theta);
      assertThat(overwritten.evidence().unnoisedParameters())
          .usingComparatorWithPrecision(2e-7)
          .containsExactly(theta);
    }
  }

  @Test
  void unlearn_preconditionerAsked_evidenceNamesTheOneThatWasMade() {
    UnlearnRequest request = Members.request("preconditioned");
    try (UnlearnedModel sample =
            new Unlearner()
                .setSolver("cg")
                .setPreconditioner("sample")
                .unlearn(Members.model(), MEMBERS, request);
        UnlearnedModel jacobi =
            new Unlearner()
                .setSolver("cg")
                .setPreconditioner("jacobi")
                .unlearn(Members.model(), MEMBERS, request)) {
      assertThat(sample.evidence().solver()).isEqualTo("cg, sample");
      assertThat(jacobi.evidence().solver()).isEqualTo("cg");
      assertThat(sample.evidence().totals().hessianVectorProducts())
          .isLessThan(jacobi.evidence().totals().hessianVectorProducts());
      // each is proven to be within rho = 1e-7 of the same minimiser
      assertThat(sample.evidence().unnoisedParameters())
          .containsExactly(jacobi.evidence().unnoisedParameters(), within(2e-7));
    }
  }

  @Test
  void params_defaults_areTheCommandLines() {
    Unlearner unlearner = new Unlearner();

    assertThat(unlearner.getSolver()).isEqualTo("auto");
    assertThat(unlearner.getPreconditioner()).isEqualTo("auto");
    assertThat(unlearner.getMaxSteps()).isEqualTo(50);
    assertThat(unlearner.getMaxCgIterations()).isEqualTo(1000);
    assertThat(unlearner.getPartitions()).isZero();
    assertThat(unlearner.getGradientNorm()).isEqualTo(1e-9);
    assertThat(unlearner.getLabelCol()).isEmpty();
    assertThat(unlearner.explainParams())
        .contains("maxSteps: Newton steps at most", "default: 50", "default: auto");
  }

  @Test
  void copy_setParams_kept() {
    Unlearner unlearner = new Unlearner("u-1").setMaxSteps(7).setLabelCol("label");

    Unlearner copy = unlearner.copy(ParamMap.empty());

    assertThat(copy.uid()).isEqualTo("u-1");
    assertThat(copy.getMaxSteps()).isEqualTo(7);
    assertThat(copy.getLabelCol()).contains("label");
  }

  @Test
  void builder_sameAsFile() {
    UnlearnRequest read = UnlearnRequest.parse(Members.file("r-1"));

    assertThat(Members.request("r-1").request().canonicalBytes())
        .isEqualTo(read.request().canonicalBytes());
    assertThat(read.toString()).isEqualTo("UnlearnRequest[r-1]");
    for (String policy : List.of("frozen", "refit", "forbid")) {
      assertThat(
              Members.changes("r-1")
                  .certificate(0.5, 1e-5, 1e-7)
                  .featurizer(policy)
                  .build()
                  .request()
                  .canonicalBytes())
          .isEqualTo(
              UnlearnRequest.parse(Members.file("r-1") + "featurizer: " + policy + "\n")
                  .request()
                  .canonicalBytes());
    }
  }

  private static Dataset<Row> requests(String... rows) {
    return LocalSpark.session().sql("SELECT * FROM VALUES " + String.join(", ", rows));
  }

  @Test
  void ofRows_inOrderOfSequence_sameRequest() {
    Dataset<Row> table =
        requests(
                "('b', '{\"id\": \"b\", \"changes\": [{\"removeRows\": {\"where\": \"member = 7\"}}]}', 2)",
                "('c', 'id: c\\nchanges: [removeRows: {where: member = 8}]', 3)",
                "('z', 'id: z\\nchanges: [removeFeatures: [city]]', 1)")
            .toDF("id", "request", "sequence");

    assertThat(UnlearnRequest.ofRows("all", table).request().canonicalBytes())
        .isEqualTo(
            UnlearnRequest.builder("all")
                .removeFeatures("city")
                .removeRows("member = 7")
                .removeRows("member = 8")
                .build()
                .request()
                .canonicalBytes());
  }

  @Test
  void ofRows_badTable_namesColumnAndWhatIsAllowed() {
    Dataset<Row> table = requests("('a', 'id: a', 'x')").toDF("id", "request", "sequence");

    refused(() -> UnlearnRequest.ofRows("r", table.drop("request")), "requests: column 'request'");
    refused(
        () -> UnlearnRequest.ofRows("r", table.selectExpr("1 AS id", "request")),
        "requests: column 'id' must be a string, not int");
    refused(
        () -> UnlearnRequest.ofRows("r", table),
        "requests: column 'sequence' gives the order",
        "not string");
    refused(
        () -> UnlearnRequest.ofRows("r", table.selectExpr("id", "CAST(NULL AS STRING) AS request")),
        "requests: column 'request' is NULL");
    refused(
        () -> UnlearnRequest.ofRows("r", table.where("id = 'b'").drop("sequence")),
        "requests: has no request");
    refused(
        () -> UnlearnRequest.read(LocalSpark.session(), path("none.yaml")),
        "request ",
        "none.yaml");
  }

  @Test
  void read_filesAndMerge_sameRequest() throws IOException {
    SparkSession spark = LocalSpark.session();
    Path requests = Files.createDirectory(directory.resolve("requests"));
    Files.writeString(requests.resolve("a.yaml"), "{id: a, changes: [removeFeatures: [city]]}");
    Files.writeString(
        requests.resolve("b.json"),
        "{\"id\": \"b\", \"changes\": [{\"removeRows\": {\"where\": \"member = 7\"}}]}");
    byte[] expected =
        UnlearnRequest.builder("both")
            .removeFeatures("city")
            .removeRows("member = 7")
            .build()
            .request()
            .canonicalBytes();

    UnlearnRequest a = UnlearnRequest.read(spark, requests.resolve("a.yaml").toString());
    UnlearnRequest b = UnlearnRequest.read(spark, requests.resolve("b.json").toString());

    assertThat(UnlearnRequest.merge("both", a, b).request().canonicalBytes()).isEqualTo(expected);
    assertThat(
            UnlearnRequest.readAll(spark, "both", requests.toString()).request().canonicalBytes())
        .isEqualTo(expected);
  }

  // ---- certificate, evidence, verification ----

  @Test
  void save_certified_verifiesOnTheCommandLine() throws IOException {
    UnlearnRequest request = Members.request("saved");
    Unlearner unlearner = new Unlearner();
    Members.model().write().save(path("model"));
    stored(MEMBERS, "data");
    Files.writeString(directory.resolve("request.yaml"), Members.file("saved"));
    TrainingData data = TrainingData.original(MEMBERS).withTest(MEMBERS);
    Certificate saved;
    try (UnlearnedModel unlearned = unlearner.unlearn(Members.model(), data, request)) {
      assertThat(unlearned.certificate().verdict()).isEqualTo(Verdict.CERTIFIED);
      assertThat(unlearned.model().transform(MEMBERS).columns()).contains("prediction");
      assertThat(passed(unlearner.verify(unlearned, Members.model(), data, request))).isTrue();

      saved = unlearned.save(path("out"), path("vault"));

      assertThat(saved.certificateId()).isEqualTo(unlearned.certificate().certificateId());
      assertThat(saved.modelDigest().algorithm()).isEqualTo(ModelDigest.OF_FILES);
      assertThat(unlearned.evidence().metricsAfter()).isNotNull();
      assertThat(PipelineModel.load(path("out/model")).uid()).isEqualTo(unlearned.model().uid());
    }

    assertThat(passed(unlearner.verifySaved(path("out"), path("vault"), data, request))).isTrue();
    assertThat(passed(unlearner.verifySaved(path("out"), LocalSpark.session()))).isTrue();
    List<Check> withOriginal =
        unlearner.verifySaved(path("out"), path("vault"), path("model"), data, request);
    assertThat(passed(withOriginal)).isTrue();
    assertThat(withOriginal)
        .extracting(Check::name)
        .contains("original model digest", "stages and params are the original's");
    refused(
        () -> unlearner.verifySaved(path("out"), path("vault"), path("none"), data, request),
        "originalModel",
        "does not exist");
    assertThat(
            Certificate.read(
                Files.readAllBytes(directory.resolve("out/certificate.json")), "certificate"))
        .isEqualTo(saved);
    assertThat(
            Lethe.run(
                "verify",
                "--certificate",
                path("out/certificate.json"),
                "--model",
                path("out/model"),
                "--vault",
                path("vault"),
                "--data",
                path("data"),
                "--request",
                path("request.yaml"),
                "--original-model",
                path("model")))
        .isZero();
  }

  @Test
  void verify_otherModelOrData_fails() {
    UnlearnRequest request = Members.request("other");
    Unlearner unlearner = new Unlearner();
    TrainingData data = TrainingData.original(MEMBERS);
    try (UnlearnedModel unlearned = unlearner.unlearn(Members.model(), data, request)) {
      Certificate certificate = unlearned.certificate();
      assertThat(passed(unlearner.verify(unlearned.model(), certificate, LocalSpark.session())))
          .isTrue();

      assertThat(unlearner.verify(Members.model(), certificate, LocalSpark.session()))
          .anySatisfy(
              check -> {
                assertThat(check.name()).isEqualTo("model digest");
                assertThat(check.passed()).isFalse();
              });
      TrainingData others = TrainingData.original(MEMBERS.where("member <> 200"));
      assertThat(unlearner.verify(unlearned, Members.model(), others, request))
          .anySatisfy(
              check -> {
                assertThat(check.name()).isEqualTo("corrected data digest");
                assertThat(check.passed()).isFalse();
              });
    }
  }

  @Test
  void certificate_inMemory_isNoFile() {
    try (UnlearnedModel unlearned =
        new Unlearner().unlearn(Members.model(), MEMBERS, Members.changes("plain").build())) {
      Certificate certificate = unlearned.certificate();

      assertThat(certificate.verdict()).isEqualTo(Verdict.NOT_CERTIFIED);
      assertThatThrownBy(() -> Certificate.read(certificate.toJson(), "c.json"))
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining("c.json: modelDigest.algorithm is sha-256-parameters");
    }
  }

  @Test
  void unlearn_againWithCertificate_whatLeftStaysAway() {
    Unlearner unlearner = new Unlearner();
    UnlearnRequest second =
        UnlearnRequest.builder("second")
            .removeRows("member = 8")
            .certificate(0.5, 1e-5, 1e-7)
            .build();
    TrainingData data = TrainingData.original(Members.corrected());
    try (UnlearnedModel first =
            unlearner.unlearn(Members.model(), MEMBERS, Members.request("first"));
        UnlearnedModel again =
            unlearner.unlearn(first.model(), first.certificate(), data, second)) {
      for (int slot : Members.CITY) {
        assertThat(again.parameters()[slot]).isZero();
      }
      assertThat(again.certificate().zeroCoefficients()).containsExactly(2, 3);
      assertThatThrownBy(
              () -> unlearner.unlearn(Members.model(), first.certificate(), data, second))
          .hasMessage(
              "modelCertificate %s: is not of this model"
                  .formatted(first.certificate().certificateId()));

      JointGuarantee both = JointGuarantee.of(first.certificate(), again.certificate());
      assertThat(both.epsilon()).isBetween(0.5, 1.0);
      assertThat(both.delta()).isEqualTo(1e-5);
      // the first alone has what it claims, but for the rounding of sigma to the safe side
      assertThat(JointGuarantee.atDelta(1e-5, first.certificate()).epsilon())
          .isCloseTo(0.5, within(1e-3));
      assertThatThrownBy(() -> JointGuarantee.of(first.certificate(), first.certificate()))
          .hasMessageContaining("is given twice");
    }
  }

  /** Without the certificate the feature would come back, as nothing in the model says it left. */
  @Test
  void retrain_againWithCertificate_whatLeftStaysAway() {
    Unlearner unlearner = new Unlearner().setGradientNorm(1e-11);
    UnlearnRequest first = Members.request("first");
    UnlearnRequest second = UnlearnRequest.builder("second").removeRows("member = 8").build();
    Dataset<Row> without = Members.corrected().drop("city");
    TrainingData data = TrainingData.original(without);
    double[] expected =
        unlearner.retrain(Members.model(), TrainingData.original(MEMBERS), first).parameters();
    try (UnlearnedModel release = unlearner.unlearn(Members.model(), MEMBERS, first)) {
      Transformer model = release.model();
      Certificate certificate = release.certificate();

      RetrainedModel again = unlearner.retrain(model, certificate, Members.corrected());
      RetrainedModel corrected = unlearner.retrain(model, certificate, data, second);
      CorrectedData rows = unlearner.correctedData(model, certificate, data, second);

      // the same objective: gradients of 1e-11 at a curvature above 1e-4
      assertThat(again.parameters()).containsExactly(expected, within(2e-7));
      for (int slot : Members.CITY) {
        assertThat(again.parameters()[slot]).isZero();
        assertThat(corrected.parameters()[slot]).isZero();
      }
      assertThat(corrected.rows()).isEqualTo(298);
      assertThat(rows.rows().count()).isEqualTo(298);
      assertThat(unlearner.retrain(model, Members.corrected()).parameters()[Members.CITY[0]])
          .isNotZero();
      refused(() -> unlearner.retrain(model, data, second), "data", "city");
      refused(() -> unlearner.correctedData(model, data, second), "data", "city");
      Transformer other = Members.model();
      refused(() -> unlearner.retrain(other, certificate, MEMBERS), "modelCertificate");
      refused(() -> unlearner.retrain(other, certificate, data, second), "modelCertificate");
      refused(() -> unlearner.correctedData(other, certificate, data, second), "modelCertificate");
    }
  }

  /** Hands its input on; cannot be saved. */
  private static final class Unsaved extends Transformer {
    private static final long serialVersionUID = 1L;

    @Override
    public String uid() {
      return "unsaved";
    }

    @Override
    public Dataset<Row> transform(Dataset<?> dataset) {
      return dataset.toDF();
    }

    @Override
    public StructType transformSchema(StructType schema) {
      return schema;
    }

    @Override
    public Transformer copy(ParamMap extra) {
      return this;
    }
  }

  /** Cannot be saved, either. */
  private static final class UnsavedEvaluator extends Evaluator {
    private static final long serialVersionUID = 1L;

    @Override
    public String uid() {
      return "unsaved-evaluator";
    }

    @Override
    public double evaluate(Dataset<?> dataset) {
      return 1;
    }

    @Override
    public Evaluator copy(ParamMap extra) {
      return this;
    }
  }

  @Test
  void save_stageThatCannotBeSaved_refusedAndNothingWritten() {
    PipelineModel model =
        new PipelineModel("p", new Transformer[] {Members.model(), new Unsaved()});
    UnlearnRequest request = UnlearnRequest.builder("unsaved").removeRows("member = 7").build();
    try (UnlearnedModel unlearned = new Unlearner().unlearn(model, MEMBERS, request)) {
      assertThat(unlearned.model().transform(MEMBERS).columns()).contains("prediction");
      refused(
          () -> unlearned.save(path("out"), path("vault")),
          Unsaved.class.getName() + " cannot be saved by Spark ML");
    }
    assertThat(directory).isEmptyDirectory();
  }

  @Test
  void unlearn_tuningThatCannotBeSaved_isRefusedBeforeARowIsRead() {
    Pipeline estimator =
        new Pipeline().setStages(new PipelineStage[] {new Unsaved(), new LinearEstimator()});
    CrossValidatorModel tuned = new CrossValidatorModel("cv-1", Members.model(), new double[0]);
    tuned.set(tuned.estimator(), estimator);
    tuned.set(tuned.evaluator(), new BinaryClassificationEvaluator());
    tuned.set(tuned.estimatorParamMaps(), new ParamMap[] {ParamMap.empty()});
    Dataset<Row> unreadable = MEMBERS.withColumn("age", expr("CAST(raise_error('x') AS DOUBLE)"));

    refused(
        () -> new Unlearner().unlearn(tuned, unreadable, Members.request("tuned")),
        "model: a tuning must be such that it can be saved",
        "best model alone",
        Unsaved.class.getName() + " cannot be saved by Spark ML");

    tuned.set(tuned.estimator(), new LinearEstimator());
    tuned.set(tuned.evaluator(), new UnsavedEvaluator());
    refused(
        () -> new Unlearner().unlearn(tuned, unreadable, Members.request("tuned")),
        "CrossValidatorModel cv-1 cannot be saved by Spark ML",
        "evaluator");
  }

  @Test
  void close_thenEvidence_refused() {
    UnlearnedModel unlearned =
        new Unlearner().unlearn(Members.model(), MEMBERS, Members.request("closed"));

    unlearned.close();

    assertThat(unlearned.certificate().verdict()).isEqualTo(Verdict.CERTIFIED);
    assertThatThrownBy(unlearned::evidence).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> unlearned.save(path("out"), path("vault")))
        .isInstanceOf(IllegalStateException.class);
    assertThat(directory.resolve("out")).doesNotExist();
  }

  @Test
  void save_vaultBelowPath_refused() {
    try (UnlearnedModel unlearned =
        new Unlearner().unlearn(Members.model(), MEMBERS, Members.request("below"))) {
      refused(() -> unlearned.save(path("out"), path("out/vault")), "vault: ", "is below");
    }
    assertThat(directory.resolve("out")).doesNotExist();
  }

  // ---- retraining, corrected data ----

  @Test
  void retrain_correctedData_whatUnlearningReaches() {
    UnlearnRequest request = Members.request("retrained");
    Unlearner unlearner = new Unlearner().setGradientNorm(1e-11);

    RetrainedModel retrained =
        unlearner.retrain(Members.model(), TrainingData.original(MEMBERS), request);

    assertThat(retrained.gradientNorm()).isLessThanOrEqualTo(1e-11);
    assertThat(retrained.rows()).isEqualTo(299);
    assertThat(retrained.model()).isPresent();
    try (UnlearnedModel unlearned = unlearner.unlearn(Members.model(), MEMBERS, request)) {
      double[] theta = unlearned.evidence().unnoisedParameters();
      // rho, and what a gradient of 1e-11 leaves at a curvature above 1e-4
      assertThat(
              Math.sqrt(
                  IntStream.range(0, theta.length)
                      .mapToDouble(j -> Math.pow(theta[j] - retrained.parameters()[j], 2))
                      .sum()))
          .isLessThanOrEqualTo(2e-7);
    }
  }

  @Test
  void retrain_tooFewSteps_noModel() {
    RetrainedModel retrained = new Unlearner().setMaxSteps(1).retrain(Members.model(), MEMBERS);

    assertThat(retrained.model()).isEmpty();
    assertThat(retrained.gradientNorm()).isGreaterThan(1e-9);
  }

  @Test
  void correctedData_everyChange_asAsked() {
    TrainingData data = TrainingData.original(MEMBERS);

    CorrectedData corrected =
        new Unlearner().correctedData(Members.model(), data, Members.request("rows"));

    assertThat(corrected.droppedColumns()).containsExactly("city");
    assertThat(corrected.removedRows()).isEqualTo(1);
    assertThat(corrected.touchedRows()).isEqualTo(9);
    List<Row> expected = new ArrayList<>(Members.corrected().drop("city").collectAsList());
    assertThat(corrected.rows().collectAsList()).containsExactlyInAnyOrderElementsOf(expected);
    assertThat(
            new Unlearner()
                .setLabelCol("label")
                .correctedData(data, Members.request("rows"))
                .rows()
                .count())
        .isEqualTo(299);
  }

  // ---- refusals ----

  private static void refused(ThrowingCallable call, String... parts) {
    assertThatThrownBy(call)
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContainingAll(parts)
        .hasMessageNotContaining("--");
  }

  @Test
  void setters_outOfRange_nameParamAndRange() {
    Unlearner unlearner = new Unlearner();

    refused(() -> unlearner.setSolver("lu"), "solver lu", "cg or cholesky");
    refused(() -> unlearner.setPreconditioner("ilu"), "preconditioner ilu", "nystrom or sample");
    refused(() -> unlearner.setMaxSteps(0), "maxSteps 0", ">= 1");
    refused(() -> unlearner.setMaxCgIterations(-1), "maxCgIterations -1", ">= 1");
    refused(() -> unlearner.setPartitions(-1), "partitions -1", ">= 0");
    refused(() -> unlearner.setGradientNorm(0), "gradientNorm 0.0", "> 0");
    refused(
        () -> unlearner.setGradientNorm(Double.POSITIVE_INFINITY),
        "gradientNorm Infinity",
        "finite and > 0");
  }

  @Test
  void builder_badValues_nameMethod() {
    UnlearnRequest.Builder builder = UnlearnRequest.builder("bad");

    refused(() -> builder.removeFeatures("a[b"), "removeFeatures: a feature is written");
    refused(() -> builder.removeRows(" "), "removeRows: where must not be blank");
    refused(() -> builder.certificate(0, 1e-5, 1e-6), "certificate: epsilon", "not 0.0");
    refused(() -> builder.method("third-order"), "method: must be refined");
    refused(() -> builder.featurizer("thawed"), "featurizer: must be frozen, refit or forbid");
    refused(
        () -> UnlearnRequest.builder("bad").method("first-order").featurizer("refit").build(),
        "request: refit is only for method refined");
    refused(() -> UnlearnRequest.builder("bad").tau(1).build(), "request: tau is only");
    refused(() -> UnlearnRequest.builder("a b").build(), "request: id must be");
    refused(() -> UnlearnRequest.merge("none"), "requests: none");
    refused(() -> JointGuarantee.of(), "certificates: none");
  }

  @Test
  void unlearn_badArguments_named() {
    Unlearner unlearner = new Unlearner();
    UnlearnRequest request = Members.request("bad");
    Transformer model = Members.model();
    UnlearnRequest empty = UnlearnRequest.builder("empty").build();

    refused(
        () -> new Unlearner().setLabelCol("leaves").unlearn(model, MEMBERS, request),
        "label column 'leaves' is not in the data",
        "age");
    refused(
        () -> unlearner.unlearn(new VectorAssembler("va-1"), MEMBERS, request), "model", "va-1");
    refused(
        () -> unlearner.unlearn(model, MEMBERS.drop("age"), request),
        "data: the model reads column 'age', which the table does not have");
    refused(() -> TrainingData.snapshots(MEMBERS, MEMBERS), "key: no column");
    refused(
        () -> unlearner.unlearn(model, TrainingData.snapshots(MEMBERS, MEMBERS, "person"), request),
        "key: data",
        "'person'");
    refused(() -> unlearner.unlearn(model, MEMBERS, empty), "request empty", "corrections");
    refused(
        () -> unlearner.correctedData(TrainingData.original(MEMBERS), request), "labelCol: must");
    refused(
        () -> unlearner.correctedData(model, TrainingData.corrected(Members.corrected()), request),
        "data: the corrected rows are given already");
  }

  @Test
  void session_jobDescription_isTheCallersAgain() {
    SparkContext context = LocalSpark.session().sparkContext();
    context.setJobDescription("nightly");
    try {
      new Unlearner().retrain(Members.model(), MEMBERS);
      assertThat(context.getLocalProperty("spark.job.description")).isEqualTo("nightly");

      refused(() -> new Unlearner().retrain(Members.model(), MEMBERS.where("age < 0")), "data");
      assertThat(context.getLocalProperty("spark.job.description")).isEqualTo("nightly");

      UnlearnedModel unlearned =
          new Unlearner().unlearn(Members.model(), MEMBERS, Members.request("described"));
      unlearned.evidence();
      unlearned.close();
      assertThat(context.getLocalProperty("spark.job.description")).isEqualTo("nightly");
    } finally {
      context.setJobDescription(null);
    }
  }

  @Test
  void session_settings_keptOrRefused() {
    SparkSession spark = LocalSpark.session();
    String coalesce = "spark.sql.adaptive.coalescePartitions.enabled";
    String hugeMethod = "spark.sql.codegen.hugeMethodLimit";
    String before = spark.conf().get(coalesce);
    String limit = spark.conf().get(hugeMethod);
    new Unlearner().retrain(Members.model(), MEMBERS);
    assertThat(spark.conf().get(coalesce)).isEqualTo(before);
    assertThat(spark.conf().get(hugeMethod)).isEqualTo(limit);

    spark.conf().set("spark.sql.caseSensitive", "true");
    try {
      refused(
          () -> new Unlearner().retrain(Members.model(), MEMBERS),
          "spark.sql.caseSensitive is true; it must be false");
    } finally {
      spark.conf().unset("spark.sql.caseSensitive");
    }
  }
}
