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

/** An executor that dies, or is slow, while the conjugate gradient runs. */
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
  void unlearn_slowExecutorIsOvertakenByCopies_sameBits(@TempDir Path events) throws Exception {
    EventLog log = new EventLog(events);
    Submission running =
        start(
            "slow",
            log,
            List.of(
                "--conf",
                "spark.speculation=true",
                "--conf",
                "spark.speculation.interval=20ms",
                "--conf",
                "spark.speculation.quantile=0.1",
                "--conf",
                "spark.speculation.multiplier=1.1",
                "--conf",
                "spark.speculation.minTaskRuntime=20ms",
                // tasks, and their copies, go where there is a core, not where their rows are
                "--conf",
                "spark.locality.wait=0s"));
    log.awaitProducts(2, running);
    // it is lost if it stops altogether: so it runs for a tenth of the time
    long slow = pima.cluster().executors().get(0).pid();
    while (running.isRunning() && log.speculativeCopies() == 0) {
      for (int i = 0; i < 10; i++) {
        Submission.signal("STOP", slow);
        Thread.sleep(180);
        Submission.signal("CONT", slow);
        Thread.sleep(20);
      }
    }

    assertSameAsUndisturbed("slow", running.result());
    assertThat(log.speculativeCopies()).as("copies that were faster than their task").isPositive();
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
