package dev.lethe.spark.removal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.certificate.Vault;
import dev.lethe.spark.job.Outcome;
import dev.lethe.spark.job.People;
import dev.lethe.spark.job.Places;
import dev.lethe.spark.job.ReleaseKeys;
import dev.lethe.spark.job.UnlearnJob;
import dev.lethe.spark.ledger.Event;
import dev.lethe.spark.ledger.LedgerState;
import dev.lethe.spark.ledger.TrackedRequest;
import dev.lethe.spark.ledger.TrackedRequest.State;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.functions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What a ledger does with requests, tables and remains that are not as they should be. */
@ExtendWith(LocalSpark.class)
class RecoveryTest {
  private static final String REMOVE = "- removeRows: {where: \"user_id = 'u-4711'\"}";
  private static final String RELABEL =
      "- relabel: {to: \"1 - label\", where: \"user_id IN ('u-4712', 'u-4713')\"}";
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
    int runs = 0;
    while (!night.ledger().state().waiting().isEmpty()) {
      Outcome ran = night.lethe("run");
      assertThat(ran.code()).as("%s", ran).isIn(0, 3);
      assertThat(++runs).as("a run per halving of two batches, no more").isLessThanOrEqualTo(7);
    }
    assertThat(state(night, "row")).isIn(State.PUBLISHED, State.SUPERSEDED);
    assertThat(state(night, "label")).isEqualTo(State.PUBLISHED);
    assertThat(state(night, "spoils")).isEqualTo(State.REFUSED);
    assertThat(night.done("history", "--request", "spoils").out())
        .contains(Event.Unfit.CANNOT_BE_CERTIFIED.text(), Event.Cause.UNUSABLE_DATA.text());
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
    Path table = night.root().resolve("corrected");
    night.done("apply", "--out", table.toString());
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
