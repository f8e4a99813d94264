package dev.lethe.spark.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** A ledger in processes of its own: in cluster mode, and with drivers that are killed. */
@ExtendWith(PimaRelease.class)
class LedgerIT {
  private static final List<String> LOCAL = List.of("--master", "local[2]");

  /** A driver is killed at random within this time after a moment; verification takes longer. */
  private static final int LATER_MILLIS = 300;

  private final PimaRelease.Shared pima = PimaRelease.get();

  /** What a run has come to, by what it has written. */
  private enum Moment {
    HAS_THE_LEASE {
      @Override
      List<String> traces(Path root) throws IOException {
        return names(root.resolve("ledger/leases"), "\\d+\\.json");
      }
    },
    HAS_DECIDED {
      @Override
      List<String> traces(Path root) throws IOException {
        return entries(root.resolve("ledger"), "decided");
      }
    },
    HAS_A_CHECKPOINT {
      @Override
      List<String> traces(Path root) throws IOException {
        List<String> written = new ArrayList<>();
        for (String name : names(root.resolve("vault/checkpoints"), ".*\\.checkpoint")) {
          Path file = root.resolve("vault/checkpoints").resolve(name);
          written.add(name + " of " + file.toFile().lastModified());
        }
        return written;
      }
    },
    HAS_STAGED {
      @Override
      List<String> traces(Path root) throws IOException {
        return names(root.resolve("ledger/versions"), "\\.000001\\.staging-.*");
      }
    },
    HAS_APPLIED {
      @Override
      List<String> traces(Path root) throws IOException {
        return entries(root.resolve("ledger"), "applied");
      }
    };

    /** What of it is there; a run adds one. */
    abstract List<String> traces(Path root) throws IOException;
  }

  @Test
  void run_driversKilledAtRandomMoments_isTheUndisturbedOneOnTheCluster() throws Exception {
    Path undisturbed = begin("ledger-cluster");
    Submission.Result ran =
        pima.spark()
            .lethe(
                "ledger-run-cluster",
                List.of("--master", pima.cluster().url(), "--deploy-mode", "cluster"),
                List.of("run", "--config", undisturbed.resolve("lethe.yaml").toString()));
    assertThat(ran.exitCode()).as(ran.described()).isZero();
    assertThat(published(undisturbed.resolve("ledger"))).as(ran.described()).isEqualTo(1);

    Path disturbed = begin("ledger-killed");
    List<String> run = List.of("run", "--config", disturbed.resolve("lethe.yaml").toString());
    Random random = new Random(20261122);
    for (Moment moment : Moment.values()) {
      List<String> before = moment.traces(disturbed);
      Submission running = pima.spark().startLethe("ledger-killed-" + moment, LOCAL, run);
      while (before.containsAll(moment.traces(disturbed))) {
        assertThat(running.isRunning()).as("%s", moment).isTrue();
        Thread.sleep(1);
      }
      Thread.sleep(random.nextInt(LATER_MILLIS));
      assertThat(running.isRunning()).as("%s: is killed", moment).isTrue();
      running.kill();
      assertThat(published(disturbed.resolve("ledger"))).as("%s", moment).isZero();
    }
    Submission.Result last = pima.spark().lethe("ledger-run-local", LOCAL, run);

    assertThat(last.exitCode()).as(last.described()).isZero();
    assertThat(last.output()).contains("was begun by a run before, and is finished");
    assertThat(published(disturbed.resolve("ledger"))).as(last.described()).isEqualTo(1);
    assertThat(disturbed.resolve("ledger/versions").toFile().list())
        .as("nothing that a killed driver has staged is left")
        .containsExactly("000001");
    ClusterIT.assertCertified(disturbed.resolve("ledger/versions/000001"));
    assertThat(EvidenceFile.in(disturbed.resolve("vault")).theta())
        .isEqualTo(EvidenceFile.in(undisturbed.resolve("vault")).theta());
    assertThat(
            Files.exists(disturbed.resolve("vault/checkpoints"))
                ? List.of(disturbed.resolve("vault/checkpoints").toFile().list())
                : List.of())
        .isEmpty();
    Submission.Result verified =
        pima.spark()
            .lethe(
                "ledger-verify",
                LOCAL,
                List.of("verify", "--ledger", disturbed.resolve("ledger").toString()));
    assertThat(verified.exitCode()).as(verified.described()).isZero();
  }

  /**
   * A driver that sleeps while it makes the version, and wakes when the next one, which took it for
   * dead, makes the same one.
   */
  @Test
  void run_driverSleepsBeyondItsLease_oneOfTheTwoPublishes() throws Exception {
    Path root = begin("ledger-slept");
    Path ledger = root.resolve("ledger");
    List<String> run = List.of("run", "--config", root.resolve("lethe.yaml").toString());
    Submission first = pima.spark().startLethe("ledger-sleeper", LOCAL, run);
    String slept = awaitStaged(ledger, first, "");
    first.sleep();
    Submission second = pima.spark().startLethe("ledger-next", LOCAL, run);
    try {
      awaitStaged(ledger, second, slept);
    } finally {
      first.wake();
    }
    Submission.Result next = second.result();
    Submission.Result sleeper = first.result();

    assertThat(sleeper.exitCode()).as(sleeper.described()).isIn(2, 6);
    assertThat(next.exitCode()).as(next.described()).isIn(0, 3);
    Submission.Result last = pima.spark().lethe("ledger-after", LOCAL, run);
    assertThat(last.exitCode()).as(last.described()).isZero();
    assertThat(published(ledger)).as(last.described()).isEqualTo(1);
    Submission.Result verified =
        pima.spark()
            .lethe("ledger-slept-verify", LOCAL, List.of("verify", "--ledger", ledger.toString()));
    assertThat(verified.exitCode()).as(verified.described()).isZero();
    assertThat(ledger.resolve("versions").toFile().list())
        .as("the one that is published: no other model was ever moved there")
        .hasSize(1);
  }

  /** Waits until a driver stages a version; the name of the directory. */
  private static String awaitStaged(Path ledger, Submission driver, String other)
      throws InterruptedException {
    while (driver.isRunning()) {
      String[] names = ledger.resolve("versions").toFile().list();
      for (String name : names == null ? new String[0] : names) {
        if (name.startsWith(".000001.staging-") && !name.equals(other)) {
          return name;
        }
      }
      Thread.sleep(5);
    }
    throw new AssertionError("the driver ended before it staged anything");
  }

  /** A ledger that has received the request. */
  private Path begin(String name) throws Exception {
    Path root = Files.createDirectories(pima.path(name));
    Path config = root.resolve("lethe.yaml");
    Files.writeString(
        config,
        """
        ledger: %s
        vault: %s
        model: %s
        data: {path: %s, format: csv, partitions: %d}
        certificate: {epsilon: 0.1, delta: 1e-4, rho: 1e-8}
        solver: {method: cg, checkpoint: 0s}
        lease: {length: 2s, wait: 120s}
        """
            .formatted(
                root.resolve("ledger"),
                root.resolve("vault"),
                pima.model(),
                pima.table(),
                PimaRelease.PARTITIONS));
    Submission.Result submitted =
        pima.spark()
            .lethe(
                name + "-submit",
                LOCAL,
                List.of("submit", "--config", config.toString(), pima.request().toString()));
    assertThat(submitted.exitCode()).as(submitted.described()).isZero();
    return root;
  }

  /** How many versions a ledger says were published. */
  static long published(Path ledger) throws IOException {
    return entries(ledger, "published").size();
  }

  /** The entries of a type. */
  private static List<String> entries(Path ledger, String type) throws IOException {
    List<String> found = new ArrayList<>();
    for (String name : names(ledger.resolve("entries"), "\\d+\\.json")) {
      String entry = Files.readString(ledger.resolve("entries").resolve(name));
      if (entry.contains("\"type\":\"" + type + "\"")) {
        found.add(name);
      }
    }
    return found;
  }

  private static List<String> names(Path directory, String pattern) {
    String[] names = directory.toFile().list();
    return names == null
        ? List.of()
        : Stream.of(names).filter(name -> name.matches(pattern)).toList();
  }
}
