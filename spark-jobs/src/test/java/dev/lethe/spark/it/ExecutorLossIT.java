package dev.lethe.spark.it;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** An executor that dies while the conjugate gradient runs. */
@ExtendWith(PimaRelease.class)
class ExecutorLossIT {
  /** As many tasks make a pass last tenths of a second: the loss falls between two passes. */
  private static final int PARTITIONS = 48;

  private final PimaRelease.Shared pima = PimaRelease.get();

  @Test
  void unlearn_executorKilledDuringConjugateGradient_sameBits(@TempDir Path events)
      throws Exception {
    Path table = pima.path("large.csv");
    PimaRelease.writeLargeTable(pima.table(), table);

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
}
