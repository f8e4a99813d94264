package dev.lethe.spark.it;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** An executor that dies while the conjugate gradient runs. */
@ExtendWith(PimaRelease.class)
class ExecutorLossIT {
  private static final long SEED = 20260521;
  private static final int ROWS = 100_000;

  /** As many tasks make a pass last tenths of a second: the loss falls between two passes. */
  private static final int PARTITIONS = 48;

  private final PimaRelease.Shared pima = PimaRelease.get();

  @Test
  void unlearn_executorKilledDuringConjugateGradient_sameBits(@TempDir Path events)
      throws Exception {
    Path table = pima.path("large.csv");
    writeLargeTable(table);

    Path vault = pima.path("undisturbed/vault");
    Submission.Result undisturbed =
        pima.spark()
            .lethe(
                "unlearn-undisturbed",
                pima.onCluster(),
                pima.unlearn(table, PARTITIONS, pima.path("undisturbed/out"), vault));
    assertThat(undisturbed.exitCode()).as(undisturbed.described()).isZero();

    EventLog log = new EventLog(events);
    List<String> options = new ArrayList<>(pima.onCluster());
    options.addAll(log.options());
    Path disturbedVault = pima.path("disturbed/vault");
    Submission running =
        pima.spark()
            .startLethe(
                "unlearn-disturbed",
                options,
                pima.unlearn(table, PARTITIONS, pima.path("disturbed/out"), disturbedVault));
    log.awaitProducts(2, running);
    ProcessHandle victim = pima.cluster().executors().get(0);
    assertThat(victim.destroyForcibly()).as("SIGKILL").isTrue();
    Submission.Result disturbed = running.result();

    assertThat(disturbed.exitCode()).as(disturbed.described()).isZero();
    assertLostBetweenProducts(log.events());
    ClusterIT.assertCertified(pima.path("disturbed/out"));
    ClusterIT.assertSameBits(EvidenceFile.in(disturbedVault), EvidenceFile.in(vault));
  }

  /** The driver learned of the loss after one Hessian-vector product began and before another. */
  private static void assertLostBetweenProducts(List<JsonNode> events) {
    int first = -1;
    int lost = -1;
    int last = -1;
    for (int k = 0; k < events.size(); k++) {
      if (EventLog.isProduct(events.get(k))) {
        first = first < 0 ? k : first;
        last = k;
      } else if (EventLog.is(events.get(k), "SparkListenerExecutorRemoved") && lost < 0) {
        lost = k;
        // 128 + 9: killed.
        assertThat(events.get(k).path("Removed Reason").asText()).contains("137");
      }
    }
    assertThat(lost).as("ExecutorRemoved in the event log").isGreaterThan(first).isLessThan(last);
  }

  /** Rows drawn from the table with replacement, every number scaled by 0.9 to 1.1. */
  private void writeLargeTable(Path file) throws IOException {
    List<double[]> rows = PimaRelease.rows(pima.table());
    String header = Files.readAllLines(pima.table()).get(0);
    Random random = new Random(SEED);
    try (BufferedWriter writer = Files.newBufferedWriter(file)) {
      writer.write(header + "\n");
      for (int i = 0; i < ROWS; i++) {
        double[] row = rows.get(random.nextInt(rows.size()));
        for (int j = 0; j < row.length - 1; j++) {
          double scaled = row[j] * (0.9 + 0.2 * random.nextDouble());
          writer.write(String.format(Locale.ROOT, "%.4f,", scaled));
        }
        writer.write((int) row[row.length - 1] + "\n");
      }
    }
  }
}
