package dev.lethe.spark.it;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** What {@code scripts/lethe} and spark-submit exit with, in client mode. */
@ExtendWith(PimaRelease.class)
class ExitCodeIT {
  private final PimaRelease.Shared pima = PimaRelease.get();

  @Test
  void unlearn_missingTable_exits2AndNamesOption() throws Exception {
    Path missing = pima.path("no-such-table.csv");
    Path out = pima.path("bad-input/out");
    Path vault = pima.path("bad-input/vault");

    Submission.Result run =
        pima.spark()
            .lethe(
                "unlearn-bad-input",
                List.of("--master", "local[1]"),
                pima.unlearn(missing, PimaRelease.PARTITIONS, out, vault));

    assertThat(run.exitCode()).as(run.described()).isEqualTo(2);
    assertThat(run.errors()).contains("lethe: --data " + missing);
    assertThat(run.output()).isEmpty();
    assertThat(out.getParent()).as("nothing is written").doesNotExist();
  }

  @Test
  void verify_otherEpsilon_exits4() throws Exception {
    Path certificate = pima.path("tampered-certificate.json");
    ObjectMapper mapper = new ObjectMapper();
    ObjectNode json = (ObjectNode) mapper.readTree(pima.out().resolve("certificate.json").toFile());
    mapper.writeValue(certificate.toFile(), json.put("epsilon", 0.05));

    Submission.Result run =
        pima.spark()
            .lethe(
                "verify-tampered",
                List.of("--master", "local[1]"),
                List.of(
                    "verify",
                    "--certificate",
                    certificate.toString(),
                    "--model",
                    pima.out().resolve("model").toString()));

    assertThat(run.exitCode()).as(run.described()).isEqualTo(4);
    assertThat(run.output()).contains("FAIL", "NO: a claim does not hold");
  }

  @Test
  void unlearn_terminated_exits143AndPublishesNothing(@TempDir Path events) throws Exception {
    Path out = pima.path("terminated/out");
    Path vault = pima.path("terminated/vault");
    EventLog log = new EventLog(events);
    List<String> options = new ArrayList<>(List.of("--master", "local[1]"));
    options.addAll(log.options());
    // As many tasks make the job last.
    Submission running =
        pima.spark()
            .startLethe("unlearn-terminated", options, pima.unlearn(pima.table(), 48, out, vault));
    log.awaitProducts(1, running);
    running.terminate();
    Submission.Result run = running.result();

    // 128 + 15: the signal reached the JVM, not only the shell.
    assertThat(run.exitCode()).as(run.described()).isEqualTo(143);
    assertThat(out).doesNotExist();
    assertThat(evidence(vault)).isEmpty();
  }

  private static List<Path> evidence(Path vault) throws IOException {
    if (!Files.exists(vault)) {
      return List.of();
    }
    try (Stream<Path> files = Files.walk(vault)) {
      return files.filter(file -> file.endsWith("evidence.json")).toList();
    }
  }
}
