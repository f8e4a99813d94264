package dev.lethe.spark.ledger;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.ModelDigest;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The chain and the lease on a real file system. */
class ChainTest {
  private static final ModelDigest DIGEST = new ModelDigest(ModelDigest.OF_FILES, "ab".repeat(32));

  @TempDir Path directory;

  private Ledger open() {
    return Ledger.open(
        new Configuration(), directory.resolve("ledger").toString(), null, Clock.systemUTC());
  }

  @BeforeEach
  void begin() {
    Ledger ledger = open();
    assertThat(
            ledger.append(new Event.Opened(UUID.randomUUID().toString(), "/models/churn", DIGEST)))
        .isTrue();
    for (int i = 0; i < 4; i++) {
      assertThat(ledger.append(received("r-" + i))).isTrue();
    }
  }

  private static Event.Received received(String id) {
    return new Event.Received(List.of(new Event.Submission(id, "0".repeat(64))));
  }

  private Path entry(int sequence) {
    return directory.resolve("ledger/entries/%09d.json".formatted(sequence));
  }

  @Test
  void open_everyByteOfAnEntryChanged_isFound() throws Exception {
    byte[] content = Files.readAllBytes(entry(3));
    for (int i = 0; i < content.length; i++) {
      byte[] changed = content.clone();
      changed[i] ^= 1;
      Files.write(entry(3), changed);
      assertThatThrownBy(this::open).as("byte %d", i).isInstanceOf(InvalidInputException.class);
    }
    Files.write(entry(3), content);
    assertThat(open().chain().entries()).hasSize(5);
  }

  @Test
  void open_entryMissingSwappedOrForeign_isFound() throws Exception {
    byte[] third = Files.readAllBytes(entry(3));
    byte[] fourth = Files.readAllBytes(entry(4));
    Files.delete(entry(3));
    assertThatThrownBy(this::open)
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("000000003.json is missing");
    Files.write(entry(3), fourth);
    Files.write(entry(4), third);
    assertThatThrownBy(this::open).isInstanceOf(InvalidInputException.class);
    Files.write(entry(3), third);
    Files.write(entry(4), fourth);
    Files.writeString(directory.resolve("ledger/entries/notes.txt"), "x");
    assertThatThrownBy(this::open)
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("notes.txt is no entry");
  }

  @Test
  void open_lastEntryTakenAway_headIsAnother() throws Exception {
    String head = open().chain().head();
    Files.delete(entry(5));
    Chain shorter = open().chain();
    assertThat(shorter.contains(head)).isFalse();
  }

  @Test
  void append_otherWasFirst_isRefusedUntilRead() {
    Ledger one = open();
    Ledger other = open();
    assertThat(one.append(received("one"))).isTrue();
    assertThat(other.append(received("other"))).isFalse();
    other.refresh();
    assertThat(other.append(received("other"))).isTrue();
    assertThat(open().chain().entries()).hasSize(7);
  }

  @Test
  void append_manyAtOnce_allAreThereOnce() throws Exception {
    int writers = 4;
    int each = 10;
    ExecutorService threads = Executors.newFixedThreadPool(writers);
    try {
      List<Callable<Integer>> tasks = new ArrayList<>();
      for (int w = 0; w < writers; w++) {
        String name = "w" + w + "-";
        tasks.add(
            () -> {
              Ledger ledger = open();
              for (int i = 0; i < each; i++) {
                while (!ledger.append(received(name + i))) {
                  ledger.refresh();
                }
              }
              return each;
            });
      }
      for (Future<Integer> done : threads.invokeAll(tasks)) {
        assertThat(done.get()).isEqualTo(each);
      }
    } finally {
      threads.shutdownNow();
    }
    assertThat(open().state().requests()).hasSize(4 + writers * each);
  }

  @Test
  void append_breaksARule_nothingIsWritten() {
    Ledger ledger = open();
    assertThatThrownBy(() -> ledger.append(received("r-1")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("request r-1 is there already");
    assertThatThrownBy(() -> ledger.append(new Event.Published(1)))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> ledger.append(new Event.RolledBack(1, null)))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(
            () -> ledger.append(new Event.Opened(UUID.randomUUID().toString(), "m", DIGEST)))
        .isInstanceOf(IllegalArgumentException.class);
    assertThat(open().chain().entries()).hasSize(5);
  }

  @Test
  void lease_ofManyWhoAsk_oneGetsIt() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(8);
    try {
      List<Callable<Optional<Lease>>> tasks =
          IntStream.range(0, 8)
              .<Callable<Optional<Lease>>>mapToObj(i -> () -> open().lease(Duration.ofMinutes(1)))
              .toList();
      int held = 0;
      for (Future<Optional<Lease>> one : threads.invokeAll(tasks)) {
        held += one.get().isPresent() ? 1 : 0;
      }
      assertThat(held).isEqualTo(1);
    } finally {
      threads.shutdownNow();
    }
  }

  @Test
  void lease_holderIsAlive_isKeptBeyondItsLength() throws Exception {
    try (Lease lease = open().lease(Duration.ofSeconds(1)).orElseThrow()) {
      Thread.sleep(2500);
      assertThat(open().lease(Duration.ofSeconds(1))).isEmpty();
      lease.requireHeld();
    }
    assertThat(open().lease(Duration.ofSeconds(1))).isPresent();
  }

  @Test
  void lease_filesOfKilledProcesses_areDeletedWhenTheyAreOld() throws Exception {
    Path leases = Files.createDirectories(directory.resolve("ledger/leases"));
    FileTime old = FileTime.from(Instant.now().minus(Duration.ofDays(2)));
    String temporary = "." + UUID.randomUUID() + ".tmp";
    List<Path> left =
        List.of(
            leases.resolve(".now-" + UUID.randomUUID()),
            leases.resolve("..now-" + UUID.randomUUID() + temporary),
            leases.resolve(".000000007.json" + temporary));
    for (Path file : left) {
      Files.setLastModifiedTime(Files.createFile(file), old);
    }
    Path inUse = Files.createFile(leases.resolve(".now-" + UUID.randomUUID()));
    Path notOurs = Files.createFile(leases.resolve(".nfs0001"));
    Files.setLastModifiedTime(notOurs, old);

    try (Lease lease = open().lease(Duration.ofMinutes(1)).orElseThrow()) {
      assertThat(left).noneMatch(Files::exists);
      assertThat(inUse).exists();
      assertThat(notOurs).exists();
      lease.requireHeld();
    }
  }

  /** A file system on which another process deletes a file that was there just now. */
  public static final class Vanishing extends RawLocalFileSystem {
    static final AtomicInteger LOOKS = new AtomicInteger();

    @Override
    public URI getUri() {
      return URI.create("vanishing:///");
    }

    @Override
    public FileStatus getFileStatus(org.apache.hadoop.fs.Path path) throws IOException {
      if (path.getName().endsWith(".alive") && LOOKS.incrementAndGet() > 1) {
        throw new FileNotFoundException(path.toString());
      }
      return super.getFileStatus(path);
    }
  }

  @Test
  void lease_holderWasDeadAndAnotherTookIt_isNotFreeAndNoFailure() throws Exception {
    Lease first = open().lease(Duration.ofSeconds(1)).orElseThrow();
    Thread.sleep(1000); // touched at least once
    first.sleep();
    Thread.sleep(2500);
    Configuration conf = new Configuration();
    conf.setClass("fs.vanishing.impl", Vanishing.class, FileSystem.class);
    Ledger late =
        Ledger.open(conf, "vanishing://" + directory.resolve("ledger"), null, Clock.systemUTC());
    Vanishing.LOOKS.set(0);

    assertThat(late.lease(Duration.ofSeconds(1))).isEmpty();
    assertThat(Vanishing.LOOKS).hasValue(2);
    Vanishing.LOOKS.set(0);
    assertThat(late.holder()).isPresent();
    try (Stream<Path> files = Files.list(directory.resolve("ledger/leases"))) {
      assertThat(files.map(file -> file.getFileName().toString()))
          .as("no trace of having asked")
          .noneMatch(name -> name.startsWith("."));
    }
  }

  @Test
  void lease_holderIsDead_isTakenAndTheOldOneStops() throws Exception {
    Lease first = open().lease(Duration.ofSeconds(1)).orElseThrow();
    first.sleep(); // as a process that hangs
    Thread.sleep(2500);
    try (Lease second = open().lease(Duration.ofSeconds(1)).orElseThrow()) {
      assertThatThrownBy(first::requireHeld).isInstanceOf(LeaseLostException.class);
      first.close();
      second.requireHeld();
    }
  }
}
