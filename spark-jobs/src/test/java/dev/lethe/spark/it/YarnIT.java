package dev.lethe.spark.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.yarn.api.records.ApplicationReport;
import org.apache.hadoop.yarn.api.records.FinalApplicationStatus;
import org.apache.hadoop.yarn.client.api.YarnClient;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/**
 * The jobs on YARN, a ResourceManager and two nodes on loopback, with everything they read and
 * write on HDFS. What they compute is compared with runs elsewhere: on the standalone cluster and
 * in one JVM.
 */
@ExtendWith(PimaRelease.class)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class YarnIT {
  /** As in {@link ExecutorLossIT}. */
  private static final int MANY_PARTITIONS = 48;

  private static final boolean PUBLISHED = SparkUnderTest.VERSION.equals("3.5.6");

  private PimaRelease.Shared pima;
  private LoopbackHadoop hadoop;
  private java.nio.file.Path yarnClient;
  private Submission.Result unlearned;

  @BeforeAll
  void start() throws Exception {
    if (!PUBLISHED) {
      return;
    }
    pima = PimaRelease.get();
    hadoop = LoopbackHadoop.start(pima.spark(), pima.path("yarn"), true);
    yarnClient =
        pima.spark().hadoopJars().resolve("spark-yarn_2.13-" + SparkUnderTest.VERSION + ".jar");
    hadoop.put(pima.model(), "/model");
    hadoop.put(pima.table(), "/table.csv");
    hadoop.put(pima.request(), "/request.yaml");
    unlearned = run("client", "unlearn-yarn-client", unlearn("/table.csv", 4, "/client"));
  }

  @BeforeEach
  void assumeClient() {
    assumeTrue(
        PUBLISHED,
        "Spark's client of YARN is published for Scala 2.13 in 3.5.6 only: run with -Pspark-3.5");
  }

  @AfterAll
  void stop() throws Exception {
    if (hadoop != null) {
      hadoop.close();
    }
  }

  @Test
  void train_clusterMode_savesModel() throws Exception {
    Submission.Result run =
        run(
            "cluster",
            "train-yarn-cluster",
            List.of(
                "train",
                "--data",
                hadoop.url("/table.csv"),
                "--format",
                "csv",
                "--label",
                "Outcome",
                "--reg-param",
                "0.01",
                "--out",
                hadoop.url("/trained")));

    assertThat(run.exitCode()).as(run.described()).isZero();
    assertThat(hadoop.hdfs().exists(new Path("/trained/metadata/part-00000"))).isTrue();
    assertThat(report("train-yarn-cluster").getFinalApplicationStatus())
        .isEqualTo(FinalApplicationStatus.SUCCEEDED);
  }

  @Test
  void unlearn_clientMode_sameBitsAsOnStandalone() throws Exception {
    assertThat(unlearned.exitCode()).as(unlearned.described()).isZero();
    assertReleased("/client");
  }

  @Test
  void unlearn_clusterMode_sameBitsAsOnStandalone() throws Exception {
    Submission.Result run =
        run("cluster", "unlearn-yarn-cluster", unlearn("/table.csv", 4, "/cluster"));

    assertThat(run.exitCode()).as(run.described()).isZero();
    assertReleased("/cluster");
  }

  private void assertReleased(String folder) throws IOException {
    ClusterIT.assertCertified(get(folder + "/out"));
    ClusterIT.assertSameBits(
        EvidenceFile.in(get(folder + "/vault")), EvidenceFile.in(pima.vault()));
    HdfsIT.assertPrivate(hadoop.hdfs(), new Path(folder + "/vault"));
  }

  @Test
  void verify_clientMode_allChecksHold() throws Exception {
    Submission.Result run =
        run(
            "client",
            "verify-yarn-client",
            List.of(
                "verify",
                "--certificate",
                hadoop.url("/client/out/certificate.json"),
                "--model",
                hadoop.url("/client/out/model"),
                "--vault",
                hadoop.url("/client/vault"),
                "--data",
                hadoop.url("/table.csv"),
                "--format",
                "csv",
                "--request",
                hadoop.url("/request.yaml")));

    assertThat(run.exitCode()).as(run.described()).isZero();
    assertThat(run.output()).contains("checks hold; the certificate says certified");
  }

  @Test
  void verify_otherEpsilonInClientMode_exits4() throws Exception {
    ObjectMapper mapper = new ObjectMapper();
    ObjectNode json =
        (ObjectNode) mapper.readTree(get("/client/out").resolve("certificate.json").toFile());
    java.nio.file.Path tampered = pima.path("yarn/tampered.json");
    mapper.writeValue(tampered.toFile(), json.put("epsilon", 0.05));

    Submission.Result run =
        run(
            "client",
            "verify-yarn-tampered",
            List.of(
                "verify",
                "--certificate",
                hadoop.put(tampered, "/tampered.json"),
                "--model",
                hadoop.url("/client/out/model")));

    assertThat(run.exitCode()).as(run.described()).isEqualTo(4);
  }

  @Test
  void apply_clusterMode_writesCorrectedTable() throws Exception {
    Submission.Result run =
        run(
            "cluster",
            "apply-yarn-cluster",
            List.of(
                "apply",
                "--data",
                hadoop.url("/table.csv"),
                "--format",
                "csv",
                "--label",
                "Outcome",
                "--request",
                hadoop.url("/request.yaml"),
                "--out",
                hadoop.url("/applied")));

    assertThat(run.exitCode()).as(run.described()).isZero();
    List<String> lines = new ArrayList<>();
    try (Stream<java.nio.file.Path> parts = Files.list(get("/applied"))) {
      for (java.nio.file.Path part : parts.filter(p -> p.toString().endsWith(".csv")).toList()) {
        lines.addAll(Files.readAllLines(part));
      }
    }
    assertThat(lines)
        .contains("Glucose,BloodPressure,SkinThickness,Insulin,DiabetesPedigreeFunction,Outcome")
        .filteredOn(line -> !line.startsWith("Glucose"))
        .hasSameSizeAs(PimaRelease.rows(pima.table()));
  }

  @Test
  void run_ledgerOnHdfsAndDriverKilled_publishesOnceWhatUnlearnDoes() throws Exception {
    java.nio.file.Path config = pima.path("yarn/lethe.yaml");
    Files.writeString(
        config,
        """
        ledger: %s
        vault: %s
        model: %s
        data: {path: %s, format: csv, partitions: %d}
        certificate: {epsilon: 0.1, delta: 1e-4, rho: 1e-8}
        solver: {method: cg, checkpoint: 0s}
        lease: {length: 2s, wait: 120s}
        """
            .formatted(
                hadoop.url("/nightly/ledger"),
                hadoop.url("/nightly/vault"),
                hadoop.url("/model"),
                hadoop.url("/table.csv"),
                PimaRelease.PARTITIONS));
    String settings = hadoop.put(config, "/lethe.yaml");
    Submission.Result submitted =
        run(
            "client",
            "submit-yarn",
            List.of("submit", "--config", settings, hadoop.url("/request.yaml")));
    assertThat(submitted.exitCode()).as(submitted.described()).isZero();

    List<String> night = List.of("run", "--config", settings);
    Submission killed = start("cluster", "run-yarn-killed", List.of(), night);
    Path refining = new Path("/nightly/vault/checkpoints");
    while (!hadoop.hdfs().exists(refining)) {
      assertThat(killed.isRunning()).as("until its first checkpoint").isTrue();
      Thread.sleep(20);
    }
    assertThat(hadoop.drivers()).hasSize(1).allMatch(ProcessHandle::destroyForcibly);
    Submission.Result dead = killed.result();
    assertThat(dead.exitCode()).as(dead.described()).isEqualTo(1);
    try (FSDataInputStream current = hadoop.hdfs().open(new Path("/nightly/ledger/CURRENT"))) {
      assertThat(current).as("nothing new is published").hasContent(hadoop.url("/model") + "\n");
    }

    Submission.Result again = run("cluster", "run-yarn-again", night);
    assertThat(again.exitCode()).as(again.described()).isZero();
    java.nio.file.Path ledger = get("/nightly/ledger");
    assertThat(Files.readString(ledger.resolve("CURRENT")))
        .isEqualTo(hadoop.url("/nightly/ledger/versions/000001/model") + "\n");
    assertThat(LedgerIT.published(ledger)).isEqualTo(1);
    ClusterIT.assertCertified(ledger.resolve("versions/000001"));
    assertThat(EvidenceFile.in(get("/nightly/vault")).theta())
        .isEqualTo(EvidenceFile.in(pima.vault()).theta());
    Submission.Result verified =
        run(
            "client",
            "verify-yarn-ledger",
            List.of("verify", "--ledger", hadoop.url("/nightly/ledger")));
    assertThat(verified.exitCode()).as(verified.described()).isZero();
  }

  /** YARN's own default is two attempts: the refused request would be read again. */
  @Test
  void unlearn_refusedInClusterMode_exits1AfterOneAttempt() throws Exception {
    Submission.Result run =
        run("cluster", "unlearn-yarn-refused", unlearn("/no-such-table.csv", 4, "/refused"));

    assertThat(run.exitCode()).as(run.described()).isEqualTo(1);
    ApplicationReport report = report("unlearn-yarn-refused");
    assertThat(report.getFinalApplicationStatus()).isEqualTo(FinalApplicationStatus.FAILED);
    // YARN learns of a failure, not of its code.
    assertThat(report.getDiagnostics()).contains("before final status was reported");
    assertThat(report.getCurrentApplicationAttemptId().getAttemptId()).as("attempts").isEqualTo(1);
    assertThat(driverErrors(report)).contains("lethe: --data " + hadoop.url("/no-such-table.csv"));
    assertThat(hadoop.hdfs().exists(new Path("/refused"))).as("nothing is written").isFalse();
  }

  @Test
  void unlearn_executorKilledDuringConjugateGradient_sameBitsAsInOneJvm(
      @TempDir java.nio.file.Path events) throws Exception {
    java.nio.file.Path table = pima.path("yarn/large.csv");
    PimaRelease.writeLargeTable(pima.table(), table);
    java.nio.file.Path vault = pima.path("yarn/local/vault");
    Submission.Result local =
        pima.spark()
            .lethe(
                "unlearn-large-local",
                List.of("--master", "local[2]"),
                pima.unlearn(table, MANY_PARTITIONS, pima.path("yarn/local/out"), vault));
    assertThat(local.exitCode()).as(local.described()).isZero();
    hadoop.put(table, "/large.csv");

    EventLog log = new EventLog(events);
    Submission running =
        start(
            "client",
            "unlearn-yarn-disturbed",
            log.options(),
            unlearn("/large.csv", MANY_PARTITIONS, "/disturbed"));
    log.awaitProducts(2, running);
    ProcessHandle victim = hadoop.executors().get(0);
    assertThat(victim.destroyForcibly()).as("SIGKILL").isTrue();
    Submission.Result disturbed = running.result();

    assertThat(disturbed.exitCode()).as(disturbed.described()).isZero();
    assertThat(log.events())
        .filteredOn(event -> EventLog.is(event, "SparkListenerExecutorRemoved"))
        .extracting((JsonNode event) -> event.path("Removed Reason").asText())
        // 128 + 9: killed.
        .anyMatch(reason -> reason.contains("137"));
    ClusterIT.assertCertified(get("/disturbed/out"));
    ClusterIT.assertSameBits(EvidenceFile.in(get("/disturbed/vault")), EvidenceFile.in(vault));
  }

  /** {@code lethe unlearn} with everything on HDFS. */
  private List<String> unlearn(String table, int partitions, String folder) {
    return List.of(
        "unlearn",
        "--model",
        hadoop.url("/model"),
        "--data",
        hadoop.url(table),
        "--format",
        "csv",
        "--request",
        hadoop.url("/request.yaml"),
        "--solver",
        "cg",
        "--partitions",
        String.valueOf(partitions),
        "--out",
        hadoop.url(folder + "/out"),
        "--vault",
        hadoop.url(folder + "/vault"));
  }

  private Submission.Result run(String deployMode, String name, List<String> arguments)
      throws IOException, InterruptedException {
    return start(deployMode, name, List.of(), arguments).result();
  }

  /** Submits a job, as on any YARN but for the places of Spark's jars. */
  private Submission start(
      String deployMode, String name, List<String> more, List<String> arguments)
      throws IOException {
    List<String> options = new ArrayList<>();
    options.addAll(List.of("--master", "yarn", "--deploy-mode", deployMode, "--name", name));
    options.addAll(List.of("--num-executors", "2", "--executor-cores", "1"));
    options.addAll(List.of("--executor-memory", "512m", "--driver-memory", "768m"));
    options.addAll(List.of("--conf", "spark.yarn.maxAppAttempts=1"));
    for (String role : List.of("driver", "yarn.am")) {
      options.addAll(
          List.of("--conf", "spark." + role + ".extraJavaOptions=" + SparkUnderTest.SHORT_LIVED));
    }
    // In place, on this machine: else 300 MB would be uploaded for every job.
    String jars = "local:" + pima.spark().home().resolve("jars") + "/*,local:" + yarnClient;
    options.addAll(List.of("--conf", "spark.yarn.jars=" + jars));
    options.addAll(more);
    Map<String, String> environment =
        Map.of(
            "HADOOP_CONF_DIR", hadoop.configurationFolder().toString(),
            "SPARK_DIST_CLASSPATH", yarnClient.toString(),
            "SPARK_LOCAL_IP", "127.0.0.1");
    return pima.spark().startLethe(name, environment, options, arguments);
  }

  /** A local copy. */
  private java.nio.file.Path get(String folder) throws IOException {
    java.nio.file.Path copy = pima.path("yarn/copy" + folder);
    return Files.exists(copy) ? copy : hadoop.get(hadoop.url(folder), copy);
  }

  private ApplicationReport report(String name) throws Exception {
    try (YarnClient client = YarnClient.createYarnClient()) {
      client.init(hadoop.configuration());
      client.start();
      return client.getApplications().stream()
          .filter(application -> application.getName().equals(name))
          .findAny()
          .orElseThrow();
    }
  }

  /** Standard error of the first container of an application: in cluster mode the driver's. */
  private String driverErrors(ApplicationReport report) throws IOException {
    String application = report.getApplicationId().toString().replace("application", "container");
    try (Stream<java.nio.file.Path> files = Files.walk(hadoop.containers())) {
      java.nio.file.Path log =
          files
              .filter(file -> file.endsWith("stderr"))
              .filter(file -> file.toString().contains(application + "_01_000001"))
              .findAny()
              .orElseThrow();
      return Files.readString(log);
    }
  }
}
