package dev.lethe.spark.removal;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.job.Outcome;
import dev.lethe.spark.job.People;
import dev.lethe.spark.job.Places;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The reports of nights: whole, once, where they belong, and gone with what they show. */
@ExtendWith(LocalSpark.class)
class VersionReportsTest {
  private static final String REMOVE =
      "- removeRows: {where: \"user_id = 'u-4711'\"}\n- removeFeatures: [race]";

  private static Night night(String extra) {
    Path root = Places.directory("night");
    return new Night(
        root,
        "path: " + People.table(),
        "reports: {redacted: true, confidential: " + root.resolve("pages") + "}\n" + extra,
        "");
  }

  private static Path confidential(Night night, int version) {
    return night
        .root()
        .resolve(
            "pages/%06d-%s.html".formatted(version, night.certificate(version).certificateId()));
  }

  private static Path redacted(Night night, int version) {
    return night.ledgerPath().resolve("reports/%06d.html".formatted(version));
  }

  @Test
  void run_published_writesReportsThatTheNextWritesAgainIfTheyAreLacking() throws IOException {
    Night night = night("");
    night.submit("row", REMOVE);
    night.done("run");

    String full = Places.read(confidential(night, 1));
    String open = Places.read(redacted(night, 1));
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(confidential(night, 1))))
        .isEqualTo("rw-------");
    assertThat(full)
        .contains(
            "<bdi>race_vector_r0</bdi>", "model before", "rows removed where a condition holds")
        .doesNotContain("u-4711", People.table().toString())
        .endsWith("</html>\n");
    for (double parameter : night.parameters(1)) {
      assertThat(full).doesNotContain(parameter == 0 ? "no such text" : "\"" + parameter + "\"");
    }
    assertThat(open)
        .contains("<bdi>race_vector_r0</bdi>", "Redacted.")
        .doesNotContain("Gradient norm");

    // as a run leaves it that dies before the first report, and in the middle of the second
    Files.delete(redacted(night, 1));
    Files.move(
        confidential(night, 1),
        confidential(night, 1)
            .resolveSibling("." + confidential(night, 1).getFileName() + ".killed.tmp"));
    assertThat(night.done("run").out()).contains("nothing to do").doesNotContain("note");
    assertThat(Places.read(confidential(night, 1))).isEqualTo(full);
    assertThat(Places.read(redacted(night, 1))).isEqualTo(open);
    assertThat(files(night.root().resolve("pages"))).hasSize(1);
  }

  private static List<Path> files(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.toList();
    }
  }

  @Test
  void run_reportCannotBeWritten_publishesAndSaysSo() throws IOException {
    Night night = night("");
    Path pages =
        Files.writeString(night.root().resolve("pages"), "a file where a folder is needed");
    night.submit("row", REMOVE);

    Outcome outcome = night.done("run");

    assertThat(outcome.out())
        .contains("published        version 1")
        .contains("note             version 1 is without a report")
        .contains("reports.confidential ");
    assertThat(night.ledger().state().current().number()).isEqualTo(1);
    Files.delete(pages);
    assertThat(night.done("run").out()).doesNotContain("note");
    assertThat(confidential(night, 1)).exists();
  }

  @Test
  void purge_evidenceAndModel_takeTheirReportsWithThem() {
    Night night = night("retention: {requests: 365d, evidence: 0s, models: 0s}");
    night.submit("row", REMOVE);
    night.done("run");
    Path first = confidential(night, 1);
    night.done("purge");
    assertThat(first).doesNotExist();
    assertThat(redacted(night, 1)).exists();

    night.submit("more", "- removeRows: {where: \"user_id = 'u-4712'\"}");
    assertThat(night.done("run").out()).doesNotContain("note");
    assertThat(first).doesNotExist();
    assertThat(confidential(night, 2)).exists();
    night.done("purge");
    assertThat(redacted(night, 1)).doesNotExist();
    assertThat(redacted(night, 2)).exists();
  }

  @ParameterizedTest
  @ValueSource(strings = {"ledger/pages", "vault", "vault/pages"})
  void run_confidentialReportsInABadPlace_refusedBeforeAnythingIsDecided(String directory) {
    Path root = Places.directory("night");
    Night night =
        new Night(
            root,
            "path: " + People.table(),
            "reports: {confidential: " + root.resolve(directory) + "}",
            "");
    night.submit("row", REMOVE);

    Outcome outcome = night.lethe("run");

    assertThat(outcome.code()).as("%s", outcome).isEqualTo(2);
    assertThat(outcome.err()).contains("reports.confidential ", "is below ");
    assertThat(night.ledger().state().waiting()).hasSize(1);
  }
}
