package dev.lethe.spark.removal;

import static dev.lethe.spark.removal.Night.RELABEL;
import static dev.lethe.spark.removal.Night.REMOVE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;
import static org.assertj.core.api.Assertions.within;

import com.codahale.metrics.MetricRegistry;
import dev.lethe.core.certify.Composition;
import dev.lethe.core.certify.GaussianNoise;
import dev.lethe.spark.JobLog;
import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.certificate.Vault;
import dev.lethe.spark.job.Outcome;
import dev.lethe.spark.job.People;
import dev.lethe.spark.job.Places;
import dev.lethe.spark.job.ReleaseKeys;
import dev.lethe.spark.ledger.Event;
import dev.lethe.spark.ledger.Lease;
import dev.lethe.spark.ledger.Ledger;
import dev.lethe.spark.ledger.LedgerState;
import dev.lethe.spark.ledger.Spent;
import dev.lethe.spark.ledger.TrackedRequest.State;
import dev.lethe.spark.ledger.Version;
import dev.lethe.spark.metrics.LetheMetrics;
import dev.lethe.spark.metrics.LethePlugin;
import dev.lethe.spark.request.CertificateTerms;
import dev.lethe.spark.request.RequestReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Stream;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** The ledger from the shell, on real files: nothing lost, nothing twice, nothing half-done. */
@ExtendWith(LocalSpark.class)
class RunJobTest {
  private static final String OLDER =
      "- replaceFeatures: {set: {hours: \"hours + 1\"}, where: \"city = 'Ulm'\"}";

  @Test
  void nights_requestsOfTwo_modelIsRetrainedOnAllCorrections() throws Exception {
    Night night = Night.begin("");
    assertThat(night.submit("row", REMOVE).code()).isZero();
    assertThat(night.submit("label", RELABEL).code()).isZero();
    assertThat(night.submit("nobody", "- removeRows: {where: \"user_id = 'u-0'\"}").code())
        .isZero();
    assertThat(night.ledger().state().waiting()).hasSize(3);

    Outcome first = night.done("run");
    LedgerState state = night.ledger().state();
    assertThat(state.current().number()).isEqualTo(1);
    assertThat(state.current().requests()).containsExactly("row", "label");
    assertThat(states(state)).containsExactly(State.PUBLISHED, State.PUBLISHED, State.REFUSED);
    assertThat(first.out()).contains("refused          nobody: ");
    assertThat(night.parameters(1))
        .satisfies(theta -> near(theta, retrained(night, "once", false)));

    assertThat(night.submit("older", OLDER).code()).isZero();
    assertThat(night.submit("race", "- removeFeatures: [race]").code()).isZero();
    night.done("run");
    state = night.ledger().state();
    assertThat(state.current().number()).isEqualTo(2);
    assertThat(states(state))
        .containsExactly(
            State.SUPERSEDED, State.SUPERSEDED, State.REFUSED, State.PUBLISHED, State.PUBLISHED);
    assertThat(night.certificate(2).zeroCoefficients()).containsExactly(8, 9);

    assertThat(Files.readString(night.ledgerPath().resolve("CURRENT")).strip())
        .isEqualTo("file:" + night.version(2).resolve("model"));
    assertThat(night.done("run").out()).contains("nothing to do");
    assertThat(night.ledger().chain().entries()).hasSize(state.versions().size() + 9);
  }

  private static List<State> states(LedgerState state) {
    return state.requests().stream().map(state::state).toList();
  }

  /**
   * Both are within rho of the minimiser, so within 2 rho of each other; training goes to a
   * gradient of 1e-10, which here is a distance of less than 1e-8.
   */
  private static void near(double[] theta, double[] retrained) {
    double sum = 0;
    for (int j = 0; j < theta.length; j++) {
      sum += Math.pow(theta[j] - retrained[j], 2);
    }
    assertThat(Math.sqrt(sum)).isLessThan(2 * Night.RHO);
  }

  /** The model fitted anew on rows that plain Spark SQL has corrected. */
  private static double[] retrained(Night night, String name, boolean older) {
    Dataset<Row> corrected =
        People.dataset()
            .where("user_id <> 'u-4711'")
            .selectExpr(
                "user_id",
                "age",
                older ? "CASE WHEN city = 'Ulm' THEN hours + 1 ELSE hours END AS hours" : "hours",
                "city",
                "race",
                "weight",
                "CASE WHEN user_id IN ('u-4712', 'u-4713') THEN 1 - label ELSE label END AS label");
    Path table = night.root().resolve(name + "-table");
    corrected.write().parquet(table.toString());
    Path out = night.root().resolve(name + "-model");
    Outcome trained =
        Outcome.of(
            List.of(
                "train",
                "--like",
                People.model().toString(),
                "--data",
                table.toString(),
                "--out",
                out.toString(),
                "--gradient-norm",
                "1e-10"));
    assertThat(trained.code()).as("%s", trained).isZero();
    PipelineModel model = PipelineModel.load(out.toString());
    LogisticRegressionModel predictor =
        (LogisticRegressionModel) model.stages()[model.stages().length - 1];
    double[] theta = java.util.Arrays.copyOf(predictor.coefficients().toArray(), People.SLOTS + 1);
    theta[People.SLOTS] = predictor.intercept();
    return theta;
  }

  @Test
  void nights_laterRequestReadsWhatAnEarlierSet_seesItsValue() throws Exception {
    Night night = Night.begin("");
    night.submit("first", RELABEL);
    night.done("run");
    // only these two labels were turned: nobody else matches both conditions
    night.submit(
        "second",
        "- removeRows: {where: \"user_id IN ('u-4712', 'u-4713') AND label = "
            + (int) (1 - label("u-4712"))
            + "\"}");
    night.done("run");
    assertThat(night.ledger().state().current().number()).isEqualTo(2);
  }

  private static double label(String id) {
    return People.dataset().where("user_id = '" + id + "'").select("label").first().getDouble(0);
  }

  @Test
  void run_someOfManyDoNotFit_areFoundInFewPasses() {
    Night night = Night.begin("");
    int many = 60;
    List<String> files = new ArrayList<>();
    for (int i = 0; i < many; i++) {
      String person =
          switch (i) {
            case 5 -> "nobody-1";
            case 41 -> "nobody-2";
            default -> "u-" + (4700 + i);
          };
      String change =
          switch (i) {
            case 9 -> "- relabel: {to: \"1 - label\", where: \"user_id = '" + person + "'\"}";
            // reads what number 9 sets
            case 50 -> "- removeRows: {where: \"user_id = '" + person + "' AND label IN (0, 1)\"}";
            default -> "- removeRows: {where: \"user_id = '" + person + "'\"}";
          };
      files.add(night.request("m-%02d".formatted(i), change).toString());
    }
    night.done("submit", files.toArray(String[]::new));

    long passes;
    try (JobLog log = JobLog.on(LocalSpark.session().sparkContext())) {
      night.done("run");
      passes =
          log.jobs().stream()
              .filter(job -> job.description().contains("inspect the rows of the request"))
              .count();
    }

    LedgerState state = night.ledger().state();
    assertThat(state.waiting()).hasSize(many - 50);
    assertThat(state.version(1).requests())
        .hasSize(48)
        .doesNotContain("m-05", "m-41")
        .contains("m-00", "m-49");
    assertThat(List.of("m-05", "m-41"))
        .allSatisfy(
            id ->
                assertThat(state.state(state.request(id).orElseThrow())).isEqualTo(State.REFUSED));
    assertThat(passes)
        .as("passes over the table, where each by itself would take sixty")
        .isBetween(5L, many / 2L);
    night.done("run");
    assertThat(night.ledger().state().waiting()).isEmpty();
  }

  @Test
  void submit_sameIdAgain_isKnownOrRefused() {
    Night night = Night.begin("");
    night.submit("row", REMOVE);
    int entries = night.ledger().chain().entries().size();
    assertThat(night.submit("row", REMOVE + " # a comment\n").out()).contains("known before");
    Outcome other = night.submit("row", RELABEL);
    assertThat(other.code()).isEqualTo(2);
    assertThat(other.err()).contains("row", "another content").doesNotContain("u-4712");
    assertThat(night.ledger().chain().entries()).hasSize(entries);
  }

  @Test
  void run_budgetSpent_refusesOrRaisesSigma() {
    Night strict = Night.begin("budget: {epsilon: 0.1000001, delta: 1e-6}");
    strict.submit("row", REMOVE);
    strict.done("run");
    strict.submit("label", RELABEL);
    Outcome refused = strict.lethe("run");
    assertThat(refused.code()).as("%s", refused).isEqualTo(3);
    assertThat(refused.out()).contains("would exceed the budget");
    assertThat(strict.ledger().state().waiting()).hasSize(1);
    assertThat(gauge("pendingRequests")).isEqualTo(1);
    assertThat(gauge("oldestPendingSeconds")).isBetween(0.0, 600.0);
    // a release of sigma for epsilon 0.1 was made, sigma rounded up
    assertThat(gauge("epsilonLeft")).isCloseTo(1e-7, within(1e-8));

    Night raising =
        new Night(
            strict.root(),
            strict.data(),
            "budget: {epsilon: 0.12, delta: 1e-6, on-limit: raise-sigma}",
            "");
    raising.done("run");
    double sigma = raising.certificate(2).sigma();
    assertThat(sigma).isGreaterThan(raising.certificate(1).sigma());
    Composition both =
        Composition.NONE
            .and(Night.RHO, new GaussianNoise(raising.certificate(1).sigma()), 11)
            .and(Night.RHO, new GaussianNoise(sigma), 11);
    // as much as the limit allows, and no more
    assertThat(both.epsilon(1e-6)).isLessThanOrEqualTo(0.12).isCloseTo(0.12, within(1e-6));
    assertThat(gauge("pendingRequests")).isZero();
    assertThat(gauge("oldestPendingSeconds")).isZero();
    assertThat(gauge("epsilonLeft")).isBetween(0.0, 1e-6);
  }

  /** As Spark's metrics system sees it. */
  private static double gauge(String name) {
    MetricRegistry registry = new MetricRegistry();
    LethePlugin.register(LetheMetrics.get(), registry, false);
    return ((Number) registry.getGauges().get(name).getValue()).doubleValue();
  }

  @Test
  void rollback_olderVersion_isRefusedUnlessForced() {
    Night night = Night.begin("");
    night.submit("row", REMOVE);
    night.done("run");
    Outcome refused = night.lethe("rollback", "--to", "0");
    assertThat(refused.code()).isEqualTo(2);
    assertThat(refused.err()).contains("holds what 1 request(s) have unlearned since (row)");
    assertThat(night.ledger().state().current().number()).isEqualTo(1);

    night.done("rollback", "--to", "0", "--force", "version 1 scores wrongly");
    Ledger forced = night.ledger();
    assertThat(forced.state().current().number()).isZero();
    assertThat(forced.state().isForced()).isTrue();
    assertThat(night.done("history").out()).contains("by force: version 1 scores wrongly");
    night.done("rollback", "--to", "1");
    assertThat(night.ledger().state().isForced()).isFalse();
  }

  @Test
  void purge_whatIsDue_isGoneAndTheChainHolds() {
    Night night = Night.begin("retention: {requests: 0s, evidence: 0s, models: 0s}");
    night.submit("row", REMOVE);
    night.done("run");
    Outcome kept = night.done("purge");
    assertThat(kept.out()).contains("purged           evidence 1").contains("1 requests");
    night.submit("label", RELABEL);
    night.done("run");
    assertThat(night.version(1).resolve("model")).exists();
    night.done("purge");
    assertThat(night.version(1).resolve("model")).doesNotExist();
    assertThat(night.version(1).resolve("certificate.json")).exists();
    assertThat(night.ledger().state().hasModel(1)).isFalse();
    assertThat(night.lethe("rollback", "--to", "1", "--force", "x").code()).isEqualTo(2);
    Outcome blank = night.lethe("rollback", "--to", "0", "--force", " ");
    assertThat(blank.code()).isEqualTo(2);
    assertThat(blank.err()).contains("--force: blank");
  }

  @Test
  void purge_submissionDiedADayAgo_destroysWhatItKept() throws Exception {
    Night night = Night.begin("");
    night.submit("row", REMOVE);
    LedgerState state = night.ledger().state();
    Path contents = night.vault().resolve("requests").resolve(state.opened().ledger());
    Path received = only(contents);
    Vault vault =
        Vault.open(
            LocalSpark.session().sparkContext().hadoopConfiguration(), night.vault().toString());
    for (String id : List.of("died", "row")) { // of the second another content was received
      String text = Places.read(night.request(id, RELABEL));
      RequestStore.of(vault, state).keep(RequestReader.read("r.yaml", text), "r.yaml", text);
    }
    assertThat(night.done("purge").out()).as("they may be on their way").isEmpty();

    try (Stream<Path> files = Files.list(contents)) {
      for (Path file : files.toList()) {
        Files.setLastModifiedTime(file, FileTime.from(Instant.now().minus(Duration.ofDays(2))));
      }
    }
    assertThat(night.done("purge").out()).contains("destroyed        2 contents");
    assertThat(only(contents)).isEqualTo(received);
    night.done("run");
    assertThat(night.submit("died", RELABEL).code()).as("the id is free").isZero();
  }

  @Test
  void purge_diedLongAgo_destroysWhatItLeft() throws Exception {
    Night night = Night.begin("retention: {requests: 0s, evidence: 0s}");
    night.submit("nobody", "- removeRows: {where: \"user_id = 'u-0'\"}");
    night.submit("row", REMOVE);
    night.done("run");
    Path vault = night.vault();
    Path copy = night.root().resolve("copy");
    copy(vault, copy);
    night.done("purge");
    String evidence = night.certificate(1).certificateId();
    assertThat(vault.resolve(evidence)).doesNotExist();
    assertThat(sealed(vault)).as("the other is still needed").hasSize(1);
    copy(copy, vault);
    assertThat(vault.resolve(evidence)).exists();
    assertThat(sealed(vault)).hasSize(2);

    Place place =
        new Place(
            Settings.read(Files.readAllBytes(night.config()), "lethe.yaml"),
            ReleaseKeys.NONE,
            LocalSpark.session());
    new PurgeJob(place, null, Clock.offset(Clock.systemUTC(), Duration.ofDays(30))).run();

    assertThat(vault.resolve(evidence)).doesNotExist();
    assertThat(sealed(vault)).hasSize(1);
    assertThat(night.ledger().state().request("nobody").orElseThrow().purged()).isTrue();
  }

  private static List<Path> sealed(Path vault) throws IOException {
    try (Stream<Path> files = Files.walk(vault.resolve("requests"))) {
      return files.filter(file -> file.toString().endsWith(".sealed")).toList();
    }
  }

  private static void copy(Path from, Path to) throws IOException {
    try (Stream<Path> files = Files.walk(from)) {
      for (Path file : files.toList()) {
        Path target = to.resolve(from.relativize(file).toString());
        if (Files.isDirectory(file)) {
          Files.createDirectories(target);
        } else {
          Files.copy(file, target, StandardCopyOption.REPLACE_EXISTING);
        }
      }
    }
  }

  private static Path only(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.reduce((one, other) -> fail(other + " is there, too")).orElseThrow();
    }
  }

  @Test
  void night_signedAndEncrypted_holdsAndHidesUntilItIsTamperedWith() throws Exception {
    KeyPair pair = KeyPairGenerator.getInstance("Ed25519").generateKeyPair();
    Path root = Places.directory("keys");
    Path secret = Places.write(root.resolve("key.pem"), pem("PRIVATE KEY", pair.getPrivate()));
    Path known = Places.write(root.resolve("public.pem"), pem("PUBLIC KEY", pair.getPublic()));
    Night night = Night.begin("signing: {key: " + secret + "}");
    Map<String, String> keys = Map.of("LETHE_VAULT_KEY", "5a".repeat(32));
    Path request = night.request("row", REMOVE);
    assertThat(night.with(keys, "submit", request.toString()).code()).isZero();
    assertThat(night.lethe("run").err()).contains("is encrypted: set LETHE_VAULT_KEY");
    Outcome ran = night.with(keys, "run");
    assertThat(ran.code()).as("%s", ran).isZero();

    List<String> verify =
        List.of(
            "verify", "--ledger", night.ledgerPath().toString(), "--public-key", known.toString());
    Outcome holds = Outcome.of(verify);
    assertThat(holds.code()).as("%s", holds).isZero();
    assertThat(holds.out()).contains("signatures of the entries", "signature of version 1");
    // what was deleted, and what the evidence is made of, are nowhere to be read
    for (Path place : List.of(night.ledgerPath(), night.vault())) {
      try (Stream<Path> files = Files.walk(place)) {
        for (Path file : files.filter(Files::isRegularFile).toList()) {
          assertThat(new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1))
              .as("%s", file)
              .doesNotContain("u-4711", "user_id = ", "unnoisedParameters");
        }
      }
    }
    // begun by somebody who can write, and has no key
    Night unsigned = new Night(night.root(), night.data(), "", "");
    Ledger forged = unsigned.ledger();
    assertThat(night.with(keys, "submit", night.request("label", RELABEL).toString()).code())
        .isZero();
    forged.refresh();
    CertificateTerms weak = new CertificateTerms(0.9, 1e-6, Night.RHO);
    forged.append(
        new Event.Decided(
            2,
            1,
            UUID.randomUUID().toString(),
            weak,
            Spent.planned(weak, 11),
            List.of("label"),
            List.of()));
    Outcome begun = night.with(keys, "run");
    assertThat(begun.code()).as("%s", begun).isEqualTo(2);
    assertThat(begun.err()).contains("is not signed by the key of signing");
    assertThat(night.version(2)).doesNotExist();
    Files.delete(
        night.ledgerPath().resolve("entries/%09d.json".formatted(forged.chain().entries().size())));

    Path entry = night.ledgerPath().resolve("entries/000000002.json");
    byte[] content = Files.readAllBytes(entry);
    Files.write(entry, new String(content).replace("\"row\"", "\"raw\"").getBytes());
    assertThat(Outcome.of(verify).code()).isEqualTo(4);
    Files.write(entry, content);
    Path certificate = night.version(1).resolve("certificate.json");
    String document = Files.readString(certificate);
    Files.writeString(certificate, document.replace("\"epsilon\" : 0.1", "\"epsilon\" : 0.01"));
    assertThat(Outcome.of(verify).code()).isEqualTo(4);
    Files.writeString(certificate, document);
    try (Stream<Path> signatures = Files.list(night.ledgerPath().resolve("signatures"))) {
      Files.delete(signatures.findFirst().orElseThrow());
    }
    assertThat(Outcome.of(verify).code()).isEqualTo(4);
  }

  private static String pem(String kind, java.security.Key key) {
    return "-----BEGIN "
        + kind
        + "-----\n"
        + Base64.getMimeEncoder().encodeToString(key.getEncoded())
        + "\n-----END "
        + kind
        + "-----\n";
  }

  @Test
  void apply_ofLedger_tableTakesThePlaceAndContentsCanGo() throws Exception {
    Night night = Night.begin("retention: {requests: 0s}");
    night.submit("row", REMOVE);
    night.submit("race", "- removeFeatures: [race]");
    night.done("run");
    Path table = night.root().resolve("corrected");
    Outcome applied = night.done("apply", "--out", table.toString());
    assertThat(applied.out()).contains("corrected-through 1", "dropped columns  race");
    Dataset<Row> corrected = LocalSpark.session().read().parquet(table.toString());
    assertThat(corrected.columns()).doesNotContain("race");
    assertThat(corrected.count()).isEqualTo(People.COUNT - 1);
    assertThat(corrected.where("user_id = 'u-4711'").count()).isZero();

    Night moved = night.on(table, 1);
    moved.submit("label", RELABEL);
    moved.done("run");
    assertThat(moved.ledger().state().current().number()).isEqualTo(2);
    assertThat(moved.certificate(2).zeroCoefficients()).containsExactly(8, 9);
    assertThat(moved.done("purge").out())
        .contains("purged           request row", "purged           request race")
        .doesNotContain("request label");
    Path contents =
        night.vault().resolve("requests").resolve(night.ledger().state().opened().ledger());
    assertThat(only(contents).getFileName().toString()).startsWith("label.");
    assertThat(night.submit("row", RELABEL).out()).contains("row: ", "purged: not compared");
    Outcome back = night.lethe("run");
    assertThat(back.code()).isZero(); // nothing waits, so that no table is read
    night.submit("older", OLDER);
    assertThat(night.lethe("run").err()).contains("data.corrected-through: 0", "are purged");
  }

  @Test
  void run_leaseIsHeld_leavesWithoutATrace() throws Exception {
    Night night = Night.begin("lease: {length: 60s, wait: 0s}");
    night.submit("row", REMOVE);
    Ledger ledger = night.ledger();
    int entries = ledger.chain().entries().size();
    try (Lease other = ledger.lease(Duration.ofMinutes(1)).orElseThrow()) {
      Outcome held = night.lethe("run");
      assertThat(held.code()).as("%s", held).isEqualTo(6);
      assertThat(night.ledger().chain().entries()).hasSize(entries);
      other.requireHeld();
    }
    night.done("run");
  }

  @Test
  void run_versionLiesInItsPlaceWithoutAnEntry_isTakenOnce() throws Exception {
    Night night = Night.begin("");
    night.submit("row", REMOVE);
    night.done("run");
    // as a process leaves it that dies after the rename: the last two entries were not written
    Path entries = night.ledgerPath().resolve("entries");
    Files.delete(entries.resolve("000000005.json"));
    Files.delete(entries.resolve("000000004.json"));
    byte[] model = Files.readAllBytes(night.version(1).resolve("certificate.json"));
    night.done("run");
    assertThat(night.ledger().state().current().phase()).isEqualTo(Version.Phase.PUBLISHED);
    assertThat(night.ledger().state().current().number()).isEqualTo(1);
    assertThat(Files.readAllBytes(night.version(1).resolve("certificate.json"))).isEqualTo(model);
  }

  @Test
  void run_versionIsHalf_isAbandonedCountedAndMadeAnew() throws Exception {
    Night night = Night.begin("");
    night.submit("row", REMOVE);
    night.done("run");
    Path entries = night.ledgerPath().resolve("entries");
    Files.delete(entries.resolve("000000005.json"));
    Files.delete(entries.resolve("000000004.json"));
    Files.delete(night.version(1).resolve("certificate.json"));
    Outcome interrupted = night.lethe("run");
    assertThat(interrupted.code()).as("%s", interrupted).isEqualTo(3);
    double once = night.ledger().state().releases().squaredMu();
    assertThat(once).isPositive();
    night.done("run");
    LedgerState state = night.ledger().state();
    assertThat(state.current().number()).isEqualTo(2);
    assertThat(state.releases().squaredMu()).isCloseTo(2 * once, within(1e-12));
    assertThat(
            night.ledger().chain().entries().stream()
                .filter(entry -> entry.event() instanceof Event.Published))
        .hasSize(1);
  }
}
