package dev.lethe.spark.removal;

import static dev.lethe.spark.removal.Night.REMOVE;
import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.certificate.Check;
import dev.lethe.spark.certificate.Vault;
import dev.lethe.spark.job.Outcome;
import dev.lethe.spark.job.People;
import dev.lethe.spark.job.Places;
import dev.lethe.spark.ledger.Event;
import dev.lethe.spark.ledger.LedgerState;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** A file system that fails at every write in turn: run again, everything is there, once. */
@ExtendWith(LocalSpark.class)
class FaultTest {
  /** Every write in each way, not every one in one of them: half an hour. */
  private static final boolean LARGE = Boolean.getBoolean("lethe.large");

  /** Of the faults of {@code run}, which make a version each. */
  private static final int STRIDE = LARGE ? 1 : 13;

  @AfterEach
  void repair() {
    FailingFileSystem.failAt(Integer.MAX_VALUE, FailingFileSystem.Failure.BEFORE);
  }

  @Test
  void run_everyWriteFailsOnce_endsAsIfNoneHad() throws Exception {
    FailingFileSystem.register(LocalSpark.session().sparkContext().hadoopConfiguration());
    double[] undisturbed = null;
    int fault = 1;
    for (boolean ended = false; !ended; fault += STRIDE) {
      Night night = night(fault % 2 == 0, "lease: {length: 1s, wait: 20s, single-writer: true}");
      assertThat(night.submit("row", REMOVE).code()).isZero();
      FailingFileSystem.Failure how = failure(fault);
      Disturbed run = disturbed(fault, () -> night.lethe("run"));
      ended = run.ended();
      Outcome disturbed = run.outcome();
      assertThat(disturbed.code())
          .as("write %d %s: %s", write(fault), how, disturbed)
          .isNotEqualTo(4);
      if (ended) {
        assertThat(disturbed.code()).as("%s", disturbed).isZero();
      }
      Outcome repaired = night.lethe("run");
      // a version that may have been seen by half is given up, and made by the run after
      for (int again = 0; repaired.code() == 3 && again < 1; again++) {
        repaired = night.lethe("run");
      }
      assertThat(repaired.code()).as("write %d %s: %s", write(fault), how, repaired).isZero();

      LedgerState state = night.ledger().state();
      assertThat(state.waiting()).isEmpty();
      assertThat(published(night)).as("write %d %s", write(fault), how).isEqualTo(1);
      assertThat(state.current().requests()).containsExactly("row");
      assertThat(checks(night)).allMatch(Check::passed);
      assertThat(left(night)).isEmpty();
      assertThat(reports(night))
          .as("write %d %s", write(fault), how)
          .hasSize(2)
          .allMatch(page -> page.endsWith("</html>\n"));
      double[] theta = night.parameters(state.current().number());
      if (undisturbed == null) {
        undisturbed = theta;
      }
      // the same corrected rows in the same partitions: the same bits
      assertThat(theta).as("write %d %s", write(fault), how).isEqualTo(undisturbed);
    }
    assertThat(write(fault)).isGreaterThan(30);
  }

  @Test
  void submit_everyWriteFailsOnce_isReceivedOnceWhenSubmittedAgain() {
    FailingFileSystem.register(LocalSpark.session().sparkContext().hadoopConfiguration());
    int fault = 1;
    for (boolean ended = false; !ended; fault++) {
      Night night = night();
      FailingFileSystem.Failure how = failure(fault);
      Disturbed submit = disturbed(fault, () -> night.submit("row", REMOVE));
      ended = submit.ended();
      if (ended) {
        assertThat(submit.outcome().code()).as("%s", submit).isZero();
      }
      Outcome repaired = night.submit("row", REMOVE);
      assertThat(repaired.code()).as("write %d %s: %s", write(fault), how, repaired).isZero();

      LedgerState state = night.ledger().state();
      assertThat(state.waiting()).as("write %d %s", write(fault), how).hasSize(1);
      Vault vault =
          Vault.open(
              LocalSpark.session().sparkContext().hadoopConfiguration(),
              night.scheme() + night.vault());
      assertThat(RequestStore.of(vault, state).read(state.waiting().get(0)).id()).isEqualTo("row");
      assertThat(checks(night)).allMatch(Check::passed);
    }
    assertThat(write(fault)).isGreaterThan(5);
  }

  @Test
  void purge_everyWriteFailsOnce_isDestroyedAndRecordedOnceWhenRunAgain() throws Exception {
    FailingFileSystem.register(LocalSpark.session().sparkContext().hadoopConfiguration());
    int fault = 1;
    for (boolean ended = false; !ended; fault++) {
      Night night = night("lease: {length: 1s, single-writer: true}\nretention: {requests: 0s}");
      FailingFileSystem.Failure how = failure(fault);
      night.submit("nobody", "- removeRows: {where: \"user_id = 'u-0'\"}");
      night.done("run");
      ended = disturbed(fault, () -> night.lethe("purge")).ended();
      TimeUnit.MILLISECONDS.sleep(1200); // the lease of the one that failed may have to end
      Outcome repaired = night.lethe("purge");
      assertThat(repaired.code()).as("write %d %s: %s", write(fault), how, repaired).isZero();

      assertThat(night.ledger().state().request("nobody").orElseThrow().purged()).isTrue();
      assertThat(
              night.ledger().chain().entries().stream()
                  .filter(entry -> entry.event() instanceof Event.Purged))
          .as("write %d %s", write(fault), how)
          .hasSize(1);
      try (Stream<Path> files = Files.walk(night.vault().resolve("requests"))) {
        assertThat(files.filter(Files::isRegularFile))
            .as("write %d %s", write(fault), how)
            .isEmpty();
      }
      assertThat(checks(night)).allMatch(Check::passed);
    }
    assertThat(write(fault)).isGreaterThan(5);
  }

  @Test
  void rollback_everyWriteFailsOnce_isDoneWhenRunAgain() throws Exception {
    FailingFileSystem.register(LocalSpark.session().sparkContext().hadoopConfiguration());
    Night night = night("lease: {length: 1s, single-writer: true}");
    night.submit("row", REMOVE);
    night.done("run");
    int fault = 1;
    for (boolean ended = false; !ended; fault++) {
      // back and forth
      int target = 1 - night.ledger().state().current().number();
      FailingFileSystem.Failure how = failure(fault);
      ended = disturbed(fault, () -> rollback(night, target)).ended();
      TimeUnit.MILLISECONDS.sleep(1200); // the lease of the one that failed may have to end
      Outcome repaired = rollback(night, target);

      assertThat(repaired.code()).as("write %d %s: %s", write(fault), how, repaired).isZero();
      assertThat(night.ledger().state().current().number()).isEqualTo(target);
      assertThat(checks(night))
          .filteredOn(check -> !check.passed())
          .as("write %d %s", write(fault), how)
          .extracting(Check::name)
          .isEqualTo(
              target == 1 ? List.of() : List.of("no version in use holds what was unlearned"));
    }
    assertThat(write(fault)).isGreaterThan(5);
  }

  private static Outcome rollback(Night night, int version) {
    return version == 0
        ? night.lethe("rollback", "--to", "0", "--force", "a test")
        : night.lethe("rollback", "--to", "1");
  }

  @Test
  void apply_everyWriteFailsOnce_isWholeOrNotThere() throws Exception {
    FailingFileSystem.register(LocalSpark.session().sparkContext().hadoopConfiguration());
    Night night = night("lease: {length: 1s, single-writer: true}");
    night.submit("row", REMOVE);
    night.done("run");
    long rows = LocalSpark.session().read().parquet(People.table().toString()).count() - 1;
    int fault = 1;
    for (boolean ended = false; !ended; fault++) {
      Path out = night.root().resolve("corrected-" + fault);
      FailingFileSystem.Failure how = failure(fault);
      ended = disturbed(fault, () -> night.lethe("apply", "--out", "failing:" + out)).ended();
      TimeUnit.MILLISECONDS.sleep(1200); // as above
      if (!Files.exists(out)) {
        Outcome repaired = night.lethe("apply", "--out", "failing:" + out);
        assertThat(repaired.code()).as("write %d %s: %s", write(fault), how, repaired).isZero();
      }

      assertThat(LocalSpark.session().read().parquet(out.toString()).count())
          .as("write %d %s", write(fault), how)
          .isEqualTo(rows);
      assertThat(checks(night)).allMatch(Check::passed);
    }
    assertThat(write(fault)).isGreaterThan(5);
  }

  /**
   * What a command made of a write that failed.
   *
   * @param ended whether it made fewer writes, so that none failed
   */
  private record Disturbed(Outcome outcome, boolean ended) {}

  private static Disturbed disturbed(int fault, Supplier<Outcome> command) {
    FailingFileSystem.failAt(write(fault), failure(fault));
    Outcome outcome = command.get();
    boolean ended = FailingFileSystem.writes() < write(fault);
    FailingFileSystem.failAt(Integer.MAX_VALUE, failure(fault));
    return new Disturbed(outcome, ended);
  }

  /** The write that fails. */
  private static int write(int fault) {
    return LARGE ? (fault - 1) / FailingFileSystem.Failure.values().length + 1 : fault;
  }

  private static FailingFileSystem.Failure failure(int fault) {
    return FailingFileSystem.Failure.values()[fault % FailingFileSystem.Failure.values().length];
  }

  @Test
  void submit_twoCouldWriteTheSameEntry_isRefusedBeforeAnythingIsWritten() {
    FailingFileSystem.register(LocalSpark.session().sparkContext().hadoopConfiguration());
    Night night = night("lease: {length: 1s}");

    Outcome refused = night.submit("row", REMOVE);

    assertThat(refused.code()).as("%s", refused).isEqualTo(2);
    assertThat(refused.err()).contains("cannot create a file exclusively", "lease.single-writer");
    assertThat(night.ledger().chain().entries()).isEmpty();
  }

  private static Night night() {
    return night("lease: {length: 1s, wait: 20s, single-writer: true}");
  }

  private static Night night(String lease) {
    return night(false, lease);
  }

  /**
   * @param verify whether a version is verified against its evidence before it is published
   */
  private static Night night(boolean verify, String more) {
    Path root = Places.directory("fault");
    return new Night(
        root,
        "path: " + People.table(),
        "verify: %s\nreports: {redacted: true, confidential: 'failing:%s'}\n%s"
            .formatted(verify, root.resolve("reports"), more),
        "failing:");
  }

  private static long published(Night night) {
    return night.ledger().chain().entries().stream()
        .filter(entry -> entry.event() instanceof Event.Published)
        .count();
  }

  private static List<Check> checks(Night night) {
    Configuration configuration = LocalSpark.session().sparkContext().hadoopConfiguration();
    return new LedgerVerification(configuration, night.scheme() + night.ledgerPath(), null, null)
        .run();
  }

  /** All files where reports are, hidden ones too. */
  private static List<String> reports(Night night) throws Exception {
    List<String> pages = new ArrayList<>();
    for (Path directory :
        List.of(night.root().resolve("reports"), night.ledgerPath().resolve("reports"))) {
      try (Stream<Path> files = Files.list(directory)) {
        files.forEach(file -> pages.add(Places.read(file)));
      }
    }
    return pages;
  }

  /** Evidence of no version. */
  private static List<String> left(Night night) throws Exception {
    List<String> known =
        night.ledger().state().versions().stream()
            .map(version -> String.valueOf(version.certificateId()))
            .toList();
    try (Stream<Path> files = Files.list(night.vault())) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.matches("[0-9a-f-]{36}") && !known.contains(name))
          .toList();
    }
  }
}
