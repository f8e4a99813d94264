package dev.lethe.spark.job;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.lethe.spark.LocalSpark;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.HashSet;
import java.util.Set;
import java.util.function.DoubleConsumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code lethe unlearn --report --redacted-report}. */
@ExtendWith(LocalSpark.class)
class ReleaseReportsTest {
  private static Invocation unlearn(Path place) {
    return Invocation.unlearn(
        People.model(),
        People.table(),
        Places.write(place.resolve("request.yaml"), Releases.REQUEST),
        place.resolve("out"),
        place.resolve("vault"));
  }

  @Test
  void unlearn_reports_writtenByNameAndRedacted() throws IOException {
    Path place = Places.directory("reports");
    Path report = place.resolve("private/report.html");
    Path redacted = place.resolve("out/report.html");

    Outcome outcome =
        unlearn(place)
            .with("--test", People.table())
            .with("--report", report)
            .with("--redacted-report", redacted)
            .run();

    assertThat(outcome.code()).as("%s", outcome).isZero();
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(report)))
        .isEqualTo("rw-------");
    Releases.Release release =
        new Releases.Release(
            People.model(),
            People.table(),
            place.resolve("request.yaml"),
            place.resolve("out"),
            place.resolve("vault"));
    JsonNode evidence = release.evidence();
    String full = Places.read(report);
    String open = Places.read(redacted);
    assertThat(full)
        .contains(
            "<bdi>race_vector_r0</bdi>",
            "<bdi>city_vector_Bonn</bdi>",
            "<bdi>age</bdi>",
            "rows removed where a condition holds")
        .contains(
            "value=\"" + evidence.at("/measurement/gradientNorm").doubleValue() + "\"",
            "value=\"" + evidence.at("/metricsBefore/accuracy").doubleValue() + "\"")
        .doesNotContain("u-4711", People.table().toString());
    assertThat(open)
        .contains("<bdi>race_vector_r0</bdi>", "<bdi>city_vector_Bonn</bdi>", "<bdi>age</bdi>");

    Set<Double> known = new HashSet<>(Set.of(0.0, 1.0));
    numbers(release.certificate(), known::add);
    numbers(
        evidence.at("/unnoisedParameters"),
        value -> {
          assertThat(full).doesNotContain(value == 0 ? "no such text" : "\"" + value + "\"");
        });
    int[] confidential = {0};
    numbers(
        evidence,
        value -> {
          if (!known.contains(value)) {
            confidential[0]++;
            assertThat(open).doesNotContain("\"" + value + "\"");
          }
        });
    assertThat(confidential[0]).isGreaterThan(30);
  }

  private static void numbers(JsonNode node, DoubleConsumer to) {
    if (node.isNumber()) {
      to.accept(node.doubleValue());
    }
    node.forEach(child -> numbers(child, to));
  }

  @ParameterizedTest
  @CsvSource({
    "--report, out/report.html, is below",
    "--report, out, is ",
    "--redacted-report, out/model/report.html, is below",
    "--redacted-report, out/certificate.json, is ",
    "--redacted-report, vault, is ",
    "--report, request.yaml, exists"
  })
  void unlearn_reportInABadPlace_refusedBeforeAnythingIsWritten(
      String option, String file, String message) {
    Path place = Places.directory("reports");

    Outcome outcome = unlearn(place).with(option, place.resolve(file)).run();

    assertThat(outcome.code()).as("%s", outcome).isEqualTo(2);
    assertThat(outcome.err()).contains(option, message);
    assertThat(place.resolve("out")).doesNotExist();
    assertThat(place.resolve("vault")).doesNotExist();
  }

  @Test
  void unlearn_twoReportsInOnePlace_refused() {
    Path place = Places.directory("reports");

    Outcome outcome =
        unlearn(place)
            .with("--report", place.resolve("r.html"))
            .with("--redacted-report", place.resolve("r.html"))
            .run();

    assertThat(outcome.code()).as("%s", outcome).isEqualTo(2);
    assertThat(place.resolve("out")).doesNotExist();
  }

  @Test
  void unlearn_reportThatCannotBeWritten_releaseStands() throws IOException {
    Path place = Places.directory("reports");
    // a file where a folder is needed
    Path file = Files.writeString(place.resolve("file"), "");

    Outcome outcome = unlearn(place).with("--report", file.resolve("report.html")).run();

    assertThat(outcome.code()).as("%s", outcome).isEqualTo(1);
    assertThat(outcome.err()).contains("the release is published, but --report");
    assertThat(place.resolve("out/certificate.json")).exists();
  }

  @Test
  void unlearn_independentWithAReport_refused() {
    Path place = Places.directory("reports");

    Outcome outcome =
        unlearn(place).with("--report", place.resolve("r.html")).flag("--independent").run();

    assertThat(outcome.code()).as("%s", outcome).isEqualTo(2);
    assertThat(outcome.err()).contains("--report").contains("--independent");
  }
}
