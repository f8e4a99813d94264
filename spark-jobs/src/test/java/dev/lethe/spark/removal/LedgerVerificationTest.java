package dev.lethe.spark.removal;

import static dev.lethe.spark.removal.Night.REMOVE;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.job.Outcome;
import dev.lethe.spark.job.People;
import dev.lethe.spark.job.Places;
import dev.lethe.spark.ledger.Event;
import dev.lethe.spark.ledger.Lease;
import dev.lethe.spark.ledger.Ledger;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** {@code lethe verify --ledger --head}, and a run whose version turns out to be another one. */
@ExtendWith(LocalSpark.class)
class LedgerVerificationTest {
  private static Outcome verify(Night night, String head) {
    List<String> arguments =
        new ArrayList<>(List.of("verify", "--ledger", night.ledgerPath().toString()));
    if (head != null) {
      arguments.addAll(List.of("--head", head));
    }
    return Outcome.of(arguments);
  }

  /** As who notes it down reads it. */
  private static String head(Night night) {
    String line =
        night.done("status").out().lines().filter(one -> one.startsWith("head ")).findFirst().get();
    return line.substring(17, 17 + 64);
  }

  /** What the nightly script makes of it. */
  private static String notedByCron(String checks) throws Exception {
    String script = Files.readString(Path.of("../conf/cron/lethe-nightly"));
    Matcher sed = Pattern.compile("sed -n '([^']*)'").matcher(script);
    assertThat(sed.find()).isTrue();
    Process process = new ProcessBuilder("sed", "-n", sed.group(1)).start();
    try (OutputStream in = process.getOutputStream()) {
      in.write(checks.getBytes(UTF_8));
    }
    return new String(process.getInputStream().readAllBytes(), UTF_8).strip();
  }

  @Test
  void verify_headNotedDown_tellsWhetherTheTailIsThere() throws Exception {
    Night night = Night.begin("");
    night.submit("row", REMOVE);
    String old = head(night);
    night.done("run");
    String last = head(night);
    assertThat(last).isNotEqualTo(old);

    for (String noted : new String[] {null, old, last}) {
      Outcome holds = verify(night, noted);
      assertThat(holds.code()).as("%s: %s", noted, holds).isZero();
    }
    assertThat(notedByCron(verify(night, null).out())).isEqualTo(last);
    Outcome unknown = verify(night, "ab".repeat(32));
    assertThat(unknown.code()).as("%s", unknown).isEqualTo(4);
    assertThat(unknown.out()).contains("chain has the head");

    // the last entry away, and CURRENT as it was before: a ledger that might have been
    Path entry = night.ledgerPath().resolve("entries/000000005.json");
    Files.delete(entry);
    Ledger before = night.ledger();
    try (Lease lease = before.lease(Duration.ofMinutes(1)).orElseThrow()) {
      before.point(lease);
    }
    assertThat(verify(night, null).code()).as("what is left is a chain").isZero();
    assertThat(verify(night, old).code()).isZero();
    assertThat(verify(night, last).code()).as("who noted it down sees it").isEqualTo(4);
  }

  @Test
  void verify_folderInPlaceOfACertificate_isFoundWhateverElseCannotBeRead() throws Exception {
    Night night = Night.begin("");
    night.submit("row", REMOVE);
    night.done("run");
    Path certificate = night.version(1).resolve("certificate.json");
    byte[] document = Files.readAllBytes(certificate);
    Files.delete(certificate);
    Files.createDirectory(certificate);

    Outcome broken = verify(night, null);

    assertThat(broken.code()).as("%s", broken).isEqualTo(4);
    assertThat(broken.out()).containsPattern("FAIL +certificate of version 1 ");
    Files.delete(certificate);
    Files.write(certificate, document);
    assertThat(verify(night, null).code()).isZero();
  }

  @Test
  void run_certificateChangedBeforeItsVerification_isClaimBrokenAndTakenBack() throws Exception {
    Night night = Night.begin("");
    night.submit("row", REMOVE);
    night.done("run");
    // as a process leaves it that dies before it verifies
    Files.delete(night.ledgerPath().resolve("entries/000000005.json"));
    Path certificate = night.version(1).resolve("certificate.json");
    String document = Files.readString(certificate);
    String changed = document.replace("\"epsilon\" : 0.1", "\"epsilon\" : 0.01");
    assertThat(changed).isNotEqualTo(document);
    Files.writeString(certificate, changed);

    Outcome broken = night.lethe("run");

    assertThat(broken.code()).as("%s", broken).isEqualTo(4);
    assertThat(broken.out()).contains("outcome          claim broken", "verification failed");
    assertThat(night.version(1)).doesNotExist();
    assertThat(night.ledger().state().current().number()).isZero();
    assertThat(night.ledger().state().waiting()).hasSize(1);
    double once = night.ledger().state().releases().squaredMu();
    assertThat(once).as("it lay there for all to see, and counts").isPositive();
    assertThat(night.ledger().chain().entries())
        .last()
        .satisfies(entry -> assertThat(entry.event()).isInstanceOf(Event.Abandoned.class));

    night.done("run");
    assertThat(night.ledger().state().current().number()).isEqualTo(2);
    assertThat(night.ledger().state().releases().squaredMu()).isGreaterThan(once);
    Outcome holds = verify(night, null);
    assertThat(holds.code()).as("%s", holds).isZero();
  }

  @Test
  void run_parametersChangedBeforeTheirVerification_isClaimBroken() throws Exception {
    Night night = Night.begin("");
    night.submit("row", REMOVE);
    night.done("run");
    Files.delete(night.ledgerPath().resolve("entries/000000005.json"));
    Path metadata = night.version(1).resolve("model/metadata");
    try (var files = Files.list(metadata)) {
      Path part =
          files.filter(file -> file.getFileName().toString().startsWith("part-")).findFirst().get();
      Files.writeString(part, Files.readString(part) + "\n");
    }

    Outcome broken = night.lethe("run");

    assertThat(broken.code()).as("%s", broken).isEqualTo(4);
    assertThat(night.version(1)).doesNotExist();
  }

  @Test
  void verify_modelInUseHasNoVersionYet_isComparedWithWhatTheLedgerBeganWith() throws Exception {
    Night night = Night.begin("");
    Path model = Places.copy(People.model(), night.root().resolve("model"));
    Path config =
        Places.write(
            night.root().resolve("own.yaml"),
            Places.read(night.config()).replace(People.model().toString(), model.toString()));
    Outcome submitted =
        Outcome.of(
            List.of(
                "submit", "--config", config.toString(), night.request("row", REMOVE).toString()));
    assertThat(submitted.code()).as("%s", submitted).isZero();
    Outcome holds = verify(night, null);
    assertThat(holds.code()).as("%s", holds).isZero();

    try (var files = Files.list(model.resolve("metadata"))) {
      Path part =
          files.filter(file -> file.getFileName().toString().startsWith("part-")).findFirst().get();
      Files.writeString(part, Files.readString(part) + "\n");
    }
    Outcome changed = verify(night, null);
    assertThat(changed.code()).as("%s", changed).isEqualTo(4);
    assertThat(changed.out()).contains("model of version 0");
  }
}
