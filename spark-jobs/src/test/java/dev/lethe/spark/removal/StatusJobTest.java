package dev.lethe.spark.removal;

import static dev.lethe.spark.removal.Night.RELABEL;
import static dev.lethe.spark.removal.Night.REMOVE;
import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.certify.Composition;
import dev.lethe.core.certify.GaussianNoise;
import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.certificate.ModelDigest;
import dev.lethe.spark.job.Outcome;
import dev.lethe.spark.job.People;
import dev.lethe.spark.ledger.Lease;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** The words of {@code lethe status}, at every turn of a ledger. */
@ExtendWith(LocalSpark.class)
class StatusJobTest {
  private static Map<String, String> status(Night night) {
    Map<String, String> fields = new LinkedHashMap<>();
    night
        .done("status")
        .out()
        .lines()
        .forEach(line -> fields.put(line.substring(0, 16).strip(), line.substring(17)));
    return fields;
  }

  @Test
  void status_noLedgerYet_isRefused() {
    Outcome none = Night.begin("").lethe("status");
    assertThat(none.code()).as("%s", none).isEqualTo(2);
    assertThat(none.err()).contains("there is none yet");
  }

  @Test
  void status_fromSubmissionToRollback_saysWhatTheLedgerIsIn() throws Exception {
    Night night = Night.begin("budget: {epsilon: 0.5, delta: 1e-6}");
    night.submit("row", REMOVE);
    night.submit("nobody", "- removeRows: {where: \"user_id = 'u-0'\"}");
    assertThat(status(night))
        .containsEntry("ledger", "file:" + night.ledgerPath())
        .containsEntry("current", "version 0, " + People.model())
        .containsEntry("in use since", "opened at " + at(night, 1))
        .containsEntry("versions", "0")
        .containsEntry("requests", "2 received")
        .containsEntry("waiting", "2: row, nobody")
        .containsEntry("oldest waiting", "since " + at(night, 2))
        .containsEntry("releases", "all together mu 0.000")
        .containsEntry("budget", "epsilon 0.000 of 0.5 spent at delta 1.0E-6")
        .containsEntry("lease", "free")
        .containsEntry("head", head(night, 3))
        .doesNotContainKey("unfinished");
    try (Lease lease = night.ledger().lease(Duration.ofMinutes(1)).orElseThrow()) {
      assertThat(status(night).get("lease"))
          .matches("held by \\S+ " + ProcessHandle.current().pid() + "@\\S+ since \\S+Z");
      lease.requireHeld();
    }

    night.done("run");
    GaussianNoise noise = new GaussianNoise(night.certificate(1).sigma());
    Composition once = Composition.NONE.and(Night.RHO, noise, People.SLOTS + 1);
    assertThat(status(night))
        .containsEntry("current", "version 1, file:" + night.version(1).resolve("model"))
        .containsEntry("in use since", "published at " + at(night, 6))
        .containsEntry("versions", "1")
        .containsEntry("requests", "1 refused, 1 published")
        .containsEntry("waiting", "none")
        .containsEntry("oldest waiting", "none, all are answered")
        .containsEntry("releases", String.format(Locale.ROOT, "all together mu %.4g", once.mu()))
        .containsEntry("budget", "epsilon 0.1000 of 0.5 spent at delta 1.0E-6")
        .containsEntry("head", head(night, 6));

    night.submit("label", RELABEL);
    night.done("run");
    assertThat(status(night)).containsEntry("requests", "1 refused, 1 published, 1 superseded");
    night.done("rollback", "--to", "1", "--force", "version 2 scores wrongly");
    assertThat(status(night))
        .containsEntry(
            "current",
            "version 1, rolled back by force: holds what was unlearned, file:"
                + night.version(1).resolve("model"))
        .containsEntry("in use since", "rolled back at " + at(night, 11));
  }

  @Test
  void status_runHasDied_saysWhatIsToBeFinished() throws Exception {
    Night night = Night.begin("");
    night.submit("row", REMOVE);
    night.done("run");
    Path entries = night.ledgerPath().resolve("entries");
    Files.delete(entries.resolve("000000005.json"));
    assertThat(status(night))
        .containsEntry("unfinished", "version 1, applied; lethe run finishes it")
        .containsEntry("current", "version 0, " + People.model())
        .containsEntry("oldest waiting", "since " + at(night, 2))
        .containsEntry("requests", "1 applied");
    Files.delete(entries.resolve("000000004.json"));
    assertThat(status(night))
        .containsEntry("unfinished", "version 1, decided; lethe run finishes it")
        .containsEntry("requests", "1 admitted");
    night.done("run");
    assertThat(status(night)).doesNotContainKey("unfinished");
  }

  /** Of an entry. */
  private static Instant at(Night night, int entry) {
    return night.ledger().chain().entries().get(entry - 1).at();
  }

  /** Of the file itself. */
  private static String head(Night night, int entry) throws Exception {
    byte[] last =
        Files.readAllBytes(night.ledgerPath().resolve("entries/%09d.json".formatted(entry)));
    return ModelDigest.sha256(last) + ", entry " + entry;
  }
}
