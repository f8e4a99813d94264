package dev.lethe.spark.removal;

import static dev.lethe.spark.removal.Night.RELABEL;
import static dev.lethe.spark.removal.Night.REMOVE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.certificate.Vault;
import dev.lethe.spark.job.Outcome;
import dev.lethe.spark.job.People;
import dev.lethe.spark.job.Places;
import dev.lethe.spark.job.ReleaseKeys;
import dev.lethe.spark.job.UnlearnJob;
import dev.lethe.spark.ledger.Event;
import dev.lethe.spark.ledger.Ledger;
import dev.lethe.spark.ledger.LedgerState;
import dev.lethe.spark.ledger.Spent;
import dev.lethe.spark.ledger.TrackedRequest;
import dev.lethe.spark.ledger.TrackedRequest.State;
import dev.lethe.spark.request.CertificateTerms;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.functions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What a ledger does with requests, tables and remains that are not as they should be. */
@ExtendWith(LocalSpark.class)
class RecoveryTest {
  private static final String BONUS =
      "- replaceFeatures: {set: {bonus: \"0\"}, where: \"age > 60\"}";

  @Test
  void refusal_publicWords_quoteNothingAndTheVaultExplains() throws Exception {
    Night night = Night.begin("");
    night.submit("bonus", BONUS);
    Outcome ran = night.done("run");
    assertThat(ran.out())
        .contains("refused          bonus: " + Event.Unfit.DOES_NOT_FIT.text())
        .doesNotContain("set.bonus", "age > 60");
    assertThat(night.done("history").out()).doesNotContain("set.bonus");
    assertThat(night.done("status").out()).doesNotContain("set.bonus");
    assertThat(night.done("status", "--reasons").out()).contains("bonus: ", "'bonus'");
  }

  @Test
  void submit_refusedAgain_isDecidedOnOnceMore() throws Exception {
    Night night = Night.begin("");
    night.submit("bonus", BONUS);
    night.done("run");
    Path request = night.request("bonus", BONUS);
    Path table = night.root().resolve("with-bonus");
    People.dataset().withColumn("bonus", functions.lit(7.0)).write().parquet(table.toString());
    Night mended = night.on(table, 0);

    assertThat(mended.done("submit", request.toString()).out()).contains("refused, known before");
    assertThat(mended.ledger().state().waiting()).isEmpty();
    assertThat(mended.done("submit", "--again", request.toString()).out())
        .contains("bonus: received, known before");
    mended.done("run");
    assertThat(state(mended, "bonus")).isEqualTo(State.PUBLISHED);
    // only what was refused comes again
    int entries = mended.ledger().chain().entries().size();
    mended.done("submit", "--again", request.toString());
    assertThat(mended.ledger().chain().entries()).hasSize(entries);
  }

  @Test
  void run_tableIsNotWhatTheModelReads_blamesNoRequest() throws Exception {
    Night night = Night.begin("");
    night.submit("row", REMOVE);
    Path without = night.root().resolve("without-age");
    People.dataset().drop("age").write().parquet(without.toString());
    Outcome lacking = night.on(without, 0).lethe("run");
    assertThat(lacking.code()).as("%s", lacking).isEqualTo(2);
    assertThat(lacking.err()).contains("age");

    Path torn = night.root().resolve("torn");
    People.dataset().coalesce(1).write().parquet(torn.toString());
    tear(torn);
    Outcome unreadable = night.on(torn, 0).lethe("run");
    assertThat(unreadable.code()).as("%s", unreadable).isEqualTo(2);

    assertThat(night.ledger().state().waiting()).hasSize(1);
    night.done("run");
    assertThat(state(night, "row")).isEqualTo(State.PUBLISHED);
  }

  /** Leaves the footer, so that the schema can be read, and overwrites the pages. */
  private static void tear(Path table) throws IOException {
    Path file;
    try (var files = Files.list(table)) {
      file = files.filter(one -> one.toString().endsWith(".parquet")).findFirst().orElseThrow();
    }
    byte[] content = Files.readAllBytes(file);
    Arrays.fill(content, 4, content.length / 3, (byte) 0x5a);
    Files.write(file, content);
    Files.deleteIfExists(table.resolve("." + file.getFileName() + ".crc"));
  }

  @Test
  void run_termsThatNoNoiseMeets_refusesThatRequestAlone() {
    Night night = Night.begin("");
    night.submit("row", REMOVE);
    Path greedy = night.request("greedy", RELABEL);
    write(greedy, "certificate: {epsilon: 0.1, delta: 1e-6, rho: 1e-22}\n");
    night.done("submit", greedy.toString());
    Outcome ran = night.done("run");
    assertThat(ran.out()).contains("refused          greedy: " + Event.Unfit.TERMS.text());
    assertThat(night.ledger().state().current().requests()).containsExactly("row");
  }

  private static void write(Path file, String more) {
    try {
      Files.writeString(file, Files.readString(file) + more);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void run_oneRequestSpoilsEveryBatch_isFoundByHalvesAndRefused() {
    Night night = Night.begin("");
    night.submit("row", REMOVE);
    night.submit("spoils", "- removeRows: {where: \"label = 1\"}"); // one class is left
    night.submit("label", RELABEL);
    Outcome first = night.lethe("run");
    // all three, the first two, the first
    assertThat(first.code()).as("%s", first).isZero();
    assertThat(night.ledger().state().current().requests()).containsExactly("row");
    Outcome second = night.lethe("run");
    // both, the first of them, the other
    assertThat(second.code()).as("%s", second).isZero();
    assertThat(night.ledger().state().waiting()).isEmpty();
    assertThat(state(night, "row")).isEqualTo(State.SUPERSEDED);
    assertThat(state(night, "label")).isEqualTo(State.PUBLISHED);
    assertThat(state(night, "spoils")).isEqualTo(State.REFUSED);
    assertThat(night.done("history", "--request", "spoils").out())
        .contains(Event.Unfit.CANNOT_BE_APPLIED.text(), Event.Cause.UNUSABLE_DATA.text());
    assertThat(night.done("status", "--reasons").out()).contains("one class");
    // four attempts failed, and were seen by nobody
    assertThat(night.ledger().state().releases().squaredMu())
        .isCloseTo(2 * mu(night), within(1e-9));
  }

  /** The square of what one release of these nights tells. */
  private static double mu(Night night) {
    double mu = Night.RHO / night.certificate(night.ledger().state().current().number()).sigma();
    return mu * mu;
  }

  @Test
  void run_halfOfAFailedBatchIsRefused_theOthersAreAnswered() throws Exception {
    Night night = Night.begin("");
    night.submit("row", REMOVE);
    night.submit("label", RELABEL);
    Ledger ledger = night.ledger();
    String id = UUID.randomUUID().toString();
    CertificateTerms terms = new CertificateTerms(0.1, 1e-6, Night.RHO);
    ledger.append(
        new Event.Decided(
            1, 0, id, terms, Spent.planned(terms, 11), List.of("row", "label"), List.of()));
    ledger.append(new Event.Abandoned(1, Event.Cause.UNUSABLE_DATA, null));
    assertThat(ledger.state().failed()).containsExactly("row", "label");
    Path table = night.root().resolve("without-the-row");
    People.dataset().where("user_id <> 'u-4711'").write().parquet(table.toString());

    Night later = night.on(table, 0); // upstream removed the row, so that the request finds none
    later.done("run");
    later.done("run");
    assertThat(state(later, "row")).isEqualTo(State.REFUSED);
    assertThat(state(later, "label")).isEqualTo(State.PUBLISHED);
  }

  @Test
  void run_configurationIsWrong_blamesNoRequest() {
    Night night = Night.begin("test: {path: /nowhere/at-all}");
    night.submit("row", REMOVE);
    Outcome wrong = night.lethe("run");
    assertThat(wrong.code()).as("%s", wrong).isEqualTo(2);
    assertThat(wrong.err()).contains("/nowhere/at-all");
    assertThat(night.ledger().state().waiting()).hasSize(1);
    assertThat(night.ledger().state().versions()).hasSize(1);
  }

  @Test
  void run_contentOfOneIsDamaged_othersAreAnswered() throws Exception {
    Night night = Night.begin("");
    night.submit("damaged", RELABEL);
    Path contents =
        night.vault().resolve("requests").resolve(night.ledger().state().opened().ledger());
    try (Stream<Path> files = Files.list(contents)) {
      for (Path file : files.filter(one -> one.toString().endsWith(".sealed")).toList()) {
        byte[] content = Files.readAllBytes(file);
        content[content.length - 1] ^= 1;
        Files.write(file, content);
      }
    }
    Outcome alone = night.lethe("run");
    assertThat(alone.code()).as("it may be another vault: %s", alone).isEqualTo(2);

    night.submit("row", REMOVE);
    night.done("run");
    assertThat(state(night, "row")).isEqualTo(State.PUBLISHED);
    assertThat(state(night, "damaged")).isEqualTo(State.REFUSED);
  }

  @Test
  void run_modelOfTheBaseWasChanged_isRefused() throws Exception {
    Night night = Night.begin("");
    night.submit("race", "- removeFeatures: [race]");
    night.done("run");
    Path metadata;
    try (Stream<Path> files = Files.list(night.version(1).resolve("model/metadata"))) {
      metadata =
          files
              .filter(file -> file.getFileName().toString().startsWith("part-"))
              .findFirst()
              .orElseThrow();
    }
    String before = Files.readString(metadata);
    Files.writeString(metadata, before + " ");
    Files.deleteIfExists(metadata.resolveSibling("." + metadata.getFileName() + ".crc"));
    night.submit("row", REMOVE);
    Outcome refused = night.lethe("run");
    assertThat(refused.code()).as("%s", refused).isEqualTo(2);
    assertThat(refused.err()).contains("the files are not those of version 1");
    Files.writeString(metadata, before);
    night.done("run");
    assertThat(night.certificate(2).zeroCoefficients()).containsExactly(8, 9);
  }

  /** As where the earlier release's certificate could not be found. */
  @Test
  void verify_removedEarlierWasNotKnown_isFoundByTheCertificateOfTheOriginal() throws Exception {
    Night night = Night.begin("");
    night.submit("race", "- removeFeatures: [race]");
    night.done("run");
    Path released = night.version(1).resolve("model");
    Path alone = night.root().resolve("alone/model");
    try (Stream<Path> files = Files.walk(released)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        Path copy = alone.resolve(released.relativize(file).toString());
        Files.createDirectories(copy.getParent());
        Files.copy(file, copy);
      }
    }
    Path request = night.request("row", REMOVE);
    write(request, "certificate: {epsilon: 0.1, delta: 1e-6, rho: 1e-8}\n");
    Path out = night.root().resolve("out");
    List<String> given =
        List.of("--data", People.table().toString(), "--request", request.toString());
    List<String> unlearn =
        new ArrayList<>(List.of("unlearn", "--model", alone.toString(), "--out", out.toString()));
    unlearn.addAll(List.of("--vault", night.root().resolve("vault-of-it").toString()));
    unlearn.addAll(given);
    Outcome unlearned = Outcome.of(unlearn);
    assertThat(unlearned.code()).as("%s", unlearned).isZero();

    List<String> verify =
        new ArrayList<>(List.of("verify", "--certificate", out + "/certificate.json"));
    verify.addAll(List.of("--model", out + "/model"));
    verify.addAll(List.of("--vault", night.root().resolve("vault-of-it").toString()));
    verify.addAll(List.of("--original-model", released.toString()));
    verify.addAll(given);
    Outcome verified = Outcome.of(verify);

    assertThat(verified.code()).as("%s", verified).isEqualTo(4);
    assertThat(verified.out()).containsPattern("FAIL +removed features have left the model");
  }

  @Test
  void purge_tableLacksWhatTheConfigurationSays_destroysNothing() {
    Night night = Night.begin("retention: {requests: 0s}");
    night.submit("row", REMOVE);
    night.done("run");
    Outcome wrong = night.on(People.table(), 1).lethe("purge");
    assertThat(wrong.code()).as("%s", wrong).isEqualTo(2);
    assertThat(wrong.err()).contains("still match");
    assertThat(night.ledger().state().request("row").orElseThrow().purged()).isFalse();
  }

  @Test
  void takeBackEvidence_ofAnotherProcess_stays() throws Exception {
    Night night = Night.begin("");
    night.submit("row", REMOVE);
    night.done("run");
    Vault vault =
        Vault.open(
            LocalSpark.session().sparkContext().hadoopConfiguration(), night.vault().toString());
    Evidence evidence = vault.readEvidence(night.certificate(1).certificateId());
    Path file = night.vault().resolve(evidence.certificateId()).resolve("evidence.json");
    String written = Files.readString(file);
    // the same release by a process that took another time
    Files.writeString(file, written.replaceFirst("\\n", "\n\n"));
    vault.takeBackEvidence(evidence);
    assertThat(file).exists();
    Files.writeString(file, written);
    vault.takeBackEvidence(evidence);
    assertThat(file).doesNotExist();
  }

  @Test
  void run_abandonedVersionLeftFiles_areDeleted() throws Exception {
    Night night = Night.begin("");
    night.submit("row", REMOVE);
    night.done("run");
    Path entries = night.ledgerPath().resolve("entries");
    Files.delete(entries.resolve("000000005.json"));
    Files.delete(entries.resolve("000000004.json"));
    byte[] certificate = Files.readAllBytes(night.version(1).resolve("certificate.json"));
    Files.delete(night.version(1).resolve("certificate.json"));
    assertThat(night.lethe("run").code()).isEqualTo(3);
    // as a run leaves it that dies between the entry and the deletion
    Files.createDirectories(night.version(1).resolve("model"));
    Files.write(night.version(1).resolve("certificate.json"), certificate);

    night.done("run");
    assertThat(night.version(1)).doesNotExist();
    assertThat(night.ledger().state().current().number()).isEqualTo(2);
  }

  @Test
  void runCertified_leaseIsLost_publishesNothing() {
    Night night = Night.begin("");
    night.submit("row", REMOVE);
    Place place =
        new Place(
            Settings.read(Places.read(night.config()).getBytes(), "lethe.yaml"),
            new ReleaseKeys(null, null),
            LocalSpark.session());
    LedgerState state = place.ledger().state();
    TrackedRequest request = state.request("row").orElseThrow();
    UnlearnJob job =
        new UnlearnJob(
            place.options(place.ledger(), 0, 1, place.settings().data().given()),
            place.keys(),
            place.spark());
    assertThatThrownBy(
            () ->
                job.runCertified(
                    Batch.merged(
                        1,
                        List.of(RequestStore.of(place.vault(), state).read(request).request()),
                        place.settings().certificate()),
                    "version 1",
                    UUID.randomUUID().toString(),
                    () -> {
                      throw new IllegalStateException("the lease is lost");
                    }))
        .hasMessage("the lease is lost");
    assertThat(night.version(1)).doesNotExist();
    night.done("run");
    assertThat(state(night, "row")).isEqualTo(State.PUBLISHED);
  }

  @Test
  void correctedThrough_laterRequestSetsWhatAnEarlierConditionReads_isNoComplaint()
      throws Exception {
    Night night = Night.begin("");
    night.submit("old", "- removeRows: {where: \"age >= 60\"}");
    night.done("run");
    night.submit("aged", "- replaceFeatures: {set: {age: \"61\"}, where: \"user_id = 'u-4701'\"}");
    night.done("run");
    Path table = night.applied("corrected");
    Night moved = night.on(table, 2);
    moved.submit("label", RELABEL);
    moved.done("run");
    assertThat(moved.ledger().state().current().number()).isEqualTo(3);
    // a table without the corrections is one
    Outcome raw = night.on(People.table(), 1).lethe("run");
    assertThat(raw.code()).isZero(); // nothing waits, so that no table is read
    night.submit("row", REMOVE);
    assertThat(night.on(People.table(), 1).lethe("run").err()).contains("still match");
  }

  @Test
  void correctedThrough_tableLacksAValueThatWasSet_isRefusedUntilALaterRequestSetsIt()
      throws Exception {
    Night night = Night.begin("");
    night.submit("first", "- relabel: {to: \"0\", where: \"user_id IN ('u-4712', 'u-4713')\"}");
    night.done("run");
    Path table = night.applied("corrected");
    Night wrong = night.on(People.table(), 1);
    wrong.submit("row", REMOVE);
    Outcome refused = wrong.lethe("run");
    assertThat(refused.code()).as("%s", refused).isEqualTo(2);
    assertThat(refused.err()).contains("have another value than is set here");
    night.on(table, 1).done("run");

    night.submit("second", "- relabel: {to: \"1\", where: \"user_id = 'u-4712'\"}");
    night.done("run");
    Night moved = night.on(night.applied("later"), 3);
    moved.submit("race", "- removeFeatures: [race]");
    moved.done("run");
  }

  @Test
  void apply_versionIsBeingMade_isRefused() throws Exception {
    Night night = Night.begin("");
    night.submit("row", REMOVE);
    night.done("run");
    Files.delete(night.ledgerPath().resolve("entries/000000005.json"));
    Outcome applied = night.lethe("apply", "--out", night.root().resolve("corrected").toString());
    assertThat(applied.code()).as("%s", applied).isEqualTo(2);
    assertThat(applied.err()).contains("version 1 is not finished");
  }

  @Test
  void purge_keyIsGoneWithoutAnEntry_countsAsPurged() {
    Night night = Night.begin("retention: {requests: 0s}");
    night.submit("bonus", BONUS);
    night.done("run");
    LedgerState state = night.ledger().state();
    Configuration configuration = LocalSpark.session().sparkContext().hadoopConfiguration();
    Vault vault = Vault.open(configuration, night.vault().toString());
    // as a purge leaves it that dies before it records what it did
    RequestStore.of(vault, state).destroy(state.request("bonus").orElseThrow());

    assertThat(night.submit("bonus", REMOVE).out()).contains("purged: not compared");
    assertThat(night.done("status", "--reasons").out()).contains("bonus: purged, or not kept");
    assertThat(night.done("purge").out()).contains("purged           request bonus");
    assertThat(night.ledger().state().request("bonus").orElseThrow().purged()).isTrue();
  }

  @Test
  void commands_ledgerIsNotThere_sayThatThereIsNone() {
    Night night = Night.begin("");
    for (List<String> command :
        List.of(
            List.of("purge"),
            List.of("rollback", "--to", "0"),
            List.of("status"),
            List.of("apply", "--out", night.root().resolve("out").toString()))) {
      Outcome outcome =
          night.lethe(command.get(0), command.subList(1, command.size()).toArray(String[]::new));
      assertThat(outcome.code()).as("%s", outcome).isEqualTo(2);
      assertThat(outcome.err()).contains("there is none yet");
      assertThat(night.ledgerPath()).doesNotExist();
    }
  }

  private static State state(Night night, String id) {
    LedgerState state = night.ledger().state();
    return state.state(state.request(id).orElseThrow());
  }
}
