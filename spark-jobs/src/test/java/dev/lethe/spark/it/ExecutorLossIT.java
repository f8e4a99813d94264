package dev.lethe.spark.it;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** An executor that dies, or hangs, while the conjugate gradient runs. */
@ExtendWith(PimaRelease.class)
class ExecutorLossIT {
  /** As many tasks make a pass last tenths of a second: the loss falls between two passes. */
  private static final int PARTITIONS = 48;

  private final PimaRelease.Shared pima = PimaRelease.get();

  private Path table;
  private Path vault;

  @BeforeEach
  void undisturbed() throws Exception {
    table = pima.path("large.csv");
    vault = pima.path("undisturbed/vault");
    if (Files.exists(vault)) {
      return; // made for the other test
    }
    PimaRelease.writeLargeTable(pima.table(), table);
    Submission.Result undisturbed =
        pima.spark()
            .lethe(
                "unlearn-undisturbed",
                pima.onCluster(),
                pima.unlearn(table, PARTITIONS, pima.path("undisturbed/out"), vault));
    assertThat(undisturbed.exitCode()).as(undisturbed.described()).isZero();
  }

  @Test
  void unlearn_executorKilledDuringConjugateGradient_sameBits(@TempDir Path events)
      throws Exception {
    EventLog log = new EventLog(events);
    Submission running = start("killed", log, List.of());
    log.awaitProducts(2, running);
    ProcessHandle victim = pima.cluster().executors().get(0);
    assertThat(victim.destroyForcibly()).as("SIGKILL").isTrue();

    assertSameAsUndisturbed("killed", running.result());
    assertLostBetweenProducts(log.events());
  }

  @Test
  @EnabledOnOs(OS.LINUX) // where loopback has a second address, without which no copy is started
  void unlearn_executorHangsAndIsOvertakenByCopies_sameBits(@TempDir Path events) throws Exception {
    EventLog log = new EventLog(events);
    Submission running =
        start(
            "hung",
            log,
            List.of(
                "--conf",
                "spark.speculation=true",
                "--conf",
                "spark.speculation.quantile=0.25",
                "--conf",
                "spark.speculation.minTaskRuntime=500ms",
                // a copy gives up soon on the blocks of the executor that hangs, and makes its own
                "--conf",
                "spark.shuffle.io.connectionTimeout=2s",
                "--conf",
                "spark.shuffle.io.maxRetries=0"));
    log.awaitProducts(2, running);
    long victim = pima.cluster().executors().get(0).pid();
    signal("STOP", victim);
    try {
      log.awaitSpeculativeCopy(running);
    } finally {
      signal("CONT", victim); // its own result comes late, and must not count twice
    }

    assertSameAsUndisturbed("hung", running.result());
  }

  private static void signal(String name, long pid) throws Exception {
    assertThat(new ProcessBuilder("kill", "-" + name, String.valueOf(pid)).start().waitFor())
        .as("SIG%s", name)
        .isZero();
  }

  private Submission start(String name, EventLog log, List<String> more) throws Exception {
    List<String> options = new ArrayList<>(pima.onCluster());
    options.addAll(log.options());
    options.addAll(more);
    return pima.spark()
        .startLethe(
            "unlearn-" + name,
            options,
            pima.unlearn(table, PARTITIONS, pima.path(name + "/out"), pima.path(name + "/vault")));
  }

  private void assertSameAsUndisturbed(String name, Submission.Result result) throws Exception {
    assertThat(result.exitCode()).as(result.described()).isZero();
    ClusterIT.assertCertified(pima.path(name + "/out"));
    ClusterIT.assertSameBits(EvidenceFile.in(pima.path(name + "/vault")), EvidenceFile.in(vault));
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
