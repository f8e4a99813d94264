package dev.lethe.spark.removal;

import static dev.lethe.spark.removal.Night.RELABEL;
import static dev.lethe.spark.removal.Night.REMOVE;
import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.job.Outcome;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** {@code lethe purge --request}: not before the table has it, and then for good. */
@ExtendWith(LocalSpark.class)
class PurgeRequestTest {
  /** Files of a request in the vault: its content, and the key of that. */
  private static List<String> kept(Night night, String id) throws IOException {
    try (Stream<Path> files = Files.walk(night.vault())) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.matches("(request-)?" + id + "\\.[0-9a-f]{16}\\.(sealed|key)"))
          .toList();
    }
  }

  @Test
  void purge_tableDoesNotHaveItYet_isRefusedThenDestroysIt() throws Exception {
    Night night = Night.begin("");
    night.submit("row", REMOVE);
    night.submit("label", RELABEL);
    Outcome waiting = night.lethe("purge", "--request", "row");
    assertThat(waiting.code()).as("%s", waiting).isEqualTo(2);
    night.done("run");
    assertThat(kept(night, "row")).hasSize(2);

    Outcome needed = night.lethe("purge", "--request", "row");
    assertThat(needed.code()).as("%s", needed).isEqualTo(2);
    assertThat(needed.err()).contains("--request row", "data.corrected-through");
    assertThat(kept(night, "row")).hasSize(2);

    Night moved = night.on(night.applied("corrected"), 1);
    assertThat(moved.done("purge", "--request", "row").out())
        .isEqualToIgnoringNewLines("purged           request row (by hand)");

    assertThat(kept(night, "row")).isEmpty();
    assertThat(kept(night, "label")).as("the other stays").hasSize(2);
    try (Stream<Path> files = Files.walk(night.vault())) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        assertThat(new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1))
            .as("%s", file)
            .doesNotContain("u-4711");
      }
    }
    Outcome verified = Outcome.of(List.of("verify", "--ledger", night.ledgerPath().toString()));
    assertThat(verified.code()).as("%s", verified).isZero();
    assertThat(moved.done("history", "--request", "row").out())
        .contains("purged request row (by hand)");

    Outcome again = moved.lethe("purge", "--request", "row");
    assertThat(again.code()).as("%s", again).isEqualTo(2);
    assertThat(again.err()).contains("is purged already");
    Outcome unknown = moved.lethe("purge", "--request", "nobody");
    assertThat(unknown.code()).as("%s", unknown).isEqualTo(2);
    assertThat(unknown.err()).contains("the ledger does not have it");
    // nothing needs it: the next night works
    moved.submit("next", "- removeRows: {where: \"user_id = 'u-4714'\"}");
    moved.done("run");
    assertThat(night.ledger().state().current().number()).isEqualTo(2);
  }
}
