package dev.lethe.spark.removal;

import static dev.lethe.spark.removal.Night.REMOVE;
import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.certificate.AtomicPublication;
import dev.lethe.spark.certificate.Vault;
import dev.lethe.spark.ledger.Event;
import dev.lethe.spark.ledger.Lease;
import dev.lethe.spark.ledger.Ledger;
import dev.lethe.spark.request.RequestReader;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What killed runs have left where versions are: a model, with noise that nobody counts. */
@ExtendWith(LocalSpark.class)
class LeftoversTest {
  /** As a process leaves it that is killed while it writes a version. */
  private static void stage(Path target) {
    AtomicPublication killed = AtomicPublication.begin(new Configuration(), target.toString());
    killed.write("model/metadata/part-0", "m".getBytes(StandardCharsets.UTF_8));
  }

  private static String[] versions(Night night) {
    File directory = night.ledgerPath().resolve("versions").toFile();
    return directory.list();
  }

  @Test
  void run_stagedBefore_isDeletedUnlessAnotherHasTheLease() throws Exception {
    Night night = Night.begin("lease: {length: 60s, wait: 0s}");
    night.submit("row", REMOVE);
    stage(night.version(1));
    Path beside = night.root().resolve("corrected");
    stage(beside);
    try (Lease other = night.ledger().lease(Duration.ofMinutes(1)).orElseThrow()) {
      assertThat(night.lethe("run").code()).isEqualTo(6);
      assertThat(night.lethe("purge").code()).isEqualTo(2);
      assertThat(versions(night)).as("somebody may be writing there").hasSize(1);
      other.requireHeld();
    }
    night.done("run");
    assertThat(versions(night)).containsExactly("000001");
    assertThat(night.root().toFile().list())
        .as("another output's is not the ledger's to delete")
        .anyMatch(name -> name.startsWith(".corrected.staging-"));
  }

  @Test
  void run_nothingWaits_deletesWhatWasStagedAllTheSame() throws Exception {
    Night night = Night.begin("");
    night.submit("row", REMOVE);
    night.done("run");
    stage(night.version(2));

    assertThat(night.done("run").out()).contains("nothing to do");

    assertThat(versions(night)).containsExactly("000001");
  }

  @Test
  void purge_stagedBefore_isDeleted() throws Exception {
    Night night = Night.begin("");
    night.submit("row", REMOVE);
    night.done("run");
    stage(night.version(2));

    night.done("purge");

    assertThat(versions(night)).containsExactly("000001");
    assertThat(night.version(1).resolve("model")).isDirectory();
  }

  @Test
  void run_diedBetweenGivingUpAndDeleting_deletes() throws Exception {
    Night night = Night.begin("");
    night.submit("row", REMOVE);
    night.done("run");
    Files.delete(night.ledgerPath().resolve("entries/000000005.json"));
    Ledger ledger = night.ledger();
    assertThat(ledger.append(new Event.Abandoned(1, Event.Cause.CLAIM_BROKEN, null))).isTrue();
    assertThat(night.version(1)).isDirectory();

    night.done("run");

    assertThat(night.version(1)).doesNotExist();
    assertThat(night.ledger().state().current().number()).isEqualTo(2);
    assertThat(versions(night)).containsExactly("000002");
  }

  @Test
  void purge_checkpointsAndStatesOfAge_areGoneAndYoungOnesStay() throws Exception {
    Night night = Night.begin("retention: {checkpoints: 7d, states: 30d}");
    night.submit("row", REMOVE);
    night.done("run");
    Vault vault = Vault.open(new Configuration(), night.vault().toString());
    vault.writeCheckpoint("given up", new byte[] {1});
    vault.writeState(night.certificate(1).modelDigest(), new byte[] {2});
    Path checkpoint = only(night.vault().resolve("checkpoints"));
    Path state = only(night.vault().resolve("states"));

    night.done("purge");
    assertThat(checkpoint).exists();
    assertThat(state).exists();

    for (Path file : List.of(checkpoint, state)) {
      Files.setLastModifiedTime(file, FileTime.from(Instant.now().minus(Duration.ofDays(8))));
    }
    assertThat(night.done("purge").out()).contains("1 checkpoints", "0 states");
    assertThat(checkpoint).doesNotExist();
    assertThat(state).exists();

    Files.setLastModifiedTime(state, FileTime.from(Instant.now().minus(Duration.ofDays(31))));
    assertThat(night.done("purge").out()).contains("0 checkpoints", "1 states");
    assertThat(state).doesNotExist();
  }

  @Test
  void purge_submissionsThatDied_areDestroyedAfterADay() throws Exception {
    Night night = Night.begin("");
    night.submit("row", REMOVE);
    Vault vault = Vault.open(new Configuration(), night.vault().toString());
    RequestStore store = RequestStore.of(vault, night.ledger().state());
    Path requests = only(night.vault().resolve("requests"));
    Path received = only(requests);
    Path file = night.request("died", REMOVE);
    String text = Files.readString(file);
    store.keep(RequestReader.read("died.yaml", text), "died.yaml", text);
    store.keep(RequestReader.read("half.yaml", text), "half.yaml", text);
    List<Path> dead = files(requests);
    assertThat(dead.remove(received)).isTrue();
    // the second died before its file had its name
    Path begun =
        Files.move(
            dead.get(1),
            dead.get(1)
                .resolveSibling(
                    "." + dead.get(1).getFileName() + "." + UUID.randomUUID() + ".tmp"));
    assertThat(files(night.vault().resolve("keys"))).filteredOn(LeftoversTest::isKey).hasSize(3);

    assertThat(night.done("purge").out()).doesNotContain("whose submission did not end");
    assertThat(files(requests)).contains(received, dead.get(0), begun);

    for (Path one : files(requests)) {
      Files.setLastModifiedTime(one, FileTime.from(Instant.now().minus(Duration.ofHours(25))));
    }
    assertThat(night.done("purge").out()).contains("2 contents whose submission did not end");

    assertThat(files(requests)).containsExactly(received);
    assertThat(files(night.vault().resolve("keys"))).filteredOn(LeftoversTest::isKey).hasSize(1);
    night.done("run");
    assertThat(night.ledger().state().current().requests()).containsExactly("row");
  }

  private static boolean isKey(Path file) {
    return file.toString().endsWith(".key");
  }

  private static List<Path> files(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return new ArrayList<>(files.sorted().toList());
    }
  }

  private static Path only(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.filter(file -> !file.toString().endsWith(".crc")).findFirst().orElseThrow();
    }
  }
}
