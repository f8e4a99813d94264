package dev.lethe.spark.ledger;

import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import dev.lethe.spark.certificate.JsonDocument;
import dev.lethe.spark.certificate.Require;
import dev.lethe.spark.certificate.Storage;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.security.AccessControlException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The right to change a ledger, which one process has at a time and loses when it dies.
 *
 * <p>The holder is who created the file {@code leases/NNNNNNNNN.json} of the highest number; it
 * touches {@code NNNNNNNNN.alive} every third of the lease's length, and creates {@code
 * NNNNNNNNN.over} when it is done. A lease is over then, or when it has not been touched for its
 * length, by the clock of the file system alone: a file written now is compared with it. The next
 * holder creates the next number, which one of several can. A holder that slept through its own end
 * finds a higher number and stops; would it append before it looks, it and the next one were after
 * the same entry, which one of them gets.
 */
public final class Lease implements AutoCloseable {
  static final String LEASES = "leases";
  private static final String HELD = ".json";
  private static final String ALIVE = ".alive";
  private static final String OVER = ".over";

  private static final String NOW = ".now-";

  /** A file that is compared with a lease, and any file here that is being written. */
  private static final Pattern LEFTOVER =
      Pattern.compile("\\.now-.*|\\.(\\.now-|[0-9]{9,18}\\.).*\\.tmp");

  /** Far longer than a file is compared with a lease, or written. */
  private static final Duration LEFT = Duration.ofDays(1);

  private static final Logger LOG = LoggerFactory.getLogger(Lease.class);

  private final Storage storage;
  private final Path directory;
  private final long number;
  private final Content content;
  private final ScheduledExecutorService renewal;
  private volatile boolean lost;

  /**
   * What a lease says.
   *
   * @param holder a random UUID
   * @param by account, process and host that hold it
   * @param since when it began, by the holder's clock
   * @param seconds its length
   */
  @JsonPropertyOrder({"schemaVersion", "holder", "by", "since", "seconds"})
  public record Content(int schemaVersion, String holder, String by, Instant since, long seconds) {
    static final int SCHEMA_VERSION = 1;

    public Content {
      Require.uuid(holder, "holder");
      Require.text(by, "by");
      Require.present(since, "since");
      Require.that(seconds > 0, "seconds must be at least 1");
    }
  }

  private Lease(Storage storage, Path directory, long number, Content content) {
    this.storage = storage;
    this.directory = directory;
    this.number = number;
    this.content = content;
    this.renewal =
        Executors.newSingleThreadScheduledExecutor(
            task -> {
              Thread thread = new Thread(task, "lethe-lease");
              thread.setDaemon(true);
              return thread;
            });
    long period = Math.max(1, content.seconds() * 1000 / 3);
    renewal.scheduleAtFixedRate(this::renew, period, period, TimeUnit.MILLISECONDS);
  }

  /**
   * Takes the lease if nobody has it.
   *
   * @param root of the ledger
   * @param by names the process
   * @return empty if somebody else has it
   */
  static Optional<Lease> acquire(Storage storage, Path root, Duration length, String by)
      throws IOException {
    Path directory = new Path(root, LEASES);
    TreeMap<Long, FileStatus> leases = leases(storage, directory);
    if (!leases.isEmpty() && !isOver(storage, directory, leases.lastEntry().getValue())) {
      return Optional.empty();
    }
    long next = leases.isEmpty() ? 1 : leases.lastKey() + 1;
    Content content =
        new Content(
            Content.SCHEMA_VERSION,
            UUID.randomUUID().toString(),
            by,
            Instant.now(),
            Math.max(1, length.toSeconds()));
    if (!storage.takes(file(directory, next, HELD), JsonDocument.write(content))) {
      return Optional.empty();
    }
    for (long old : leases.keySet()) { // never the highest, from which the next number follows
      for (String end : List.of(HELD, ALIVE, OVER)) {
        storage.delete(file(directory, old, end));
      }
    }
    deleteLeftovers(storage, directory);
    return Optional.of(new Lease(storage, directory, next, content));
  }

  /** Deletes what processes have left that were killed while they asked for a lease. */
  private static void deleteLeftovers(Storage storage, Path directory) throws IOException {
    FileStatus[] files = storage.list(directory);
    // the newest is the lease that was taken just now: the clock of the file system
    long now = Arrays.stream(files).mapToLong(FileStatus::getModificationTime).max().orElseThrow();
    for (FileStatus file : files) {
      if (LEFTOVER.matcher(file.getPath().getName()).matches()
          && now - file.getModificationTime() > LEFT.toMillis()) {
        storage.delete(file.getPath());
      }
    }
  }

  /** Who has the lease; empty if nobody has. Who may not write sees a dead holder, too. */
  static Optional<Content> holder(Storage storage, Path root) throws IOException {
    Path directory = new Path(root, LEASES);
    TreeMap<Long, FileStatus> leases = leases(storage, directory);
    if (leases.isEmpty()) {
      return Optional.empty();
    }
    try {
      if (isOver(storage, directory, leases.lastEntry().getValue())) {
        return Optional.empty();
      }
    } catch (AccessControlException | AccessDeniedException e) {
      LOG.info("whether the lease is over cannot be told without writing to {}", directory);
    }
    try {
      return Optional.of(read(storage, leases.lastEntry().getValue().getPath()));
    } catch (FileNotFoundException e) {
      return holder(storage, root); // another process has taken the next one just now
    }
  }

  private static TreeMap<Long, FileStatus> leases(Storage storage, Path directory)
      throws IOException {
    TreeMap<Long, FileStatus> leases = new TreeMap<>();
    for (FileStatus file : storage.list(directory)) {
      if (file.getPath().getName().matches("[0-9]{9,18}\\.json")) {
        leases.put(number(file), file);
      }
    }
    return leases;
  }

  private static long number(FileStatus file) {
    String name = file.getPath().getName();
    return Long.parseLong(name.substring(0, name.indexOf('.')));
  }

  private static boolean isOver(Storage storage, Path directory, FileStatus file)
      throws IOException {
    long number = number(file);
    if (storage.exists(file(directory, number, OVER))) {
      return true;
    }
    Content content;
    try {
      content = read(storage, file.getPath());
    } catch (FileNotFoundException e) {
      return false; // another process has taken the next one just now, and deleted this
    }
    Path probe = new Path(directory, NOW + UUID.randomUUID());
    try {
      storage.createIfAbsent(probe, new byte[] {'\n'});
      long now = storage.modified(probe);
      Path alive = file(directory, number, ALIVE);
      long last = storage.modified(storage.exists(alive) ? alive : file.getPath());
      return now - last > content.seconds() * 1000;
    } catch (FileNotFoundException e) {
      return false; // the same
    } finally {
      storage.delete(probe);
    }
  }

  private static Content read(Storage storage, Path file) throws IOException {
    return JsonDocument.read(
        storage.read(file), Content.class, Content.SCHEMA_VERSION, null, file.toString());
  }

  private static Path file(Path directory, long number, String end) {
    return new Path(directory, String.format(Locale.ROOT, "%09d", number) + end);
  }

  private void renew() {
    try {
      if (!isHeld()) {
        lost = true;
        renewal.shutdown();
        return;
      }
      storage.touch(file(directory, number, ALIVE));
    } catch (IOException | RuntimeException e) {
      LOG.warn("the lease of the ledger could not be renewed ({})", e.getClass().getSimpleName());
    }
  }

  private boolean isHeld() throws IOException {
    TreeMap<Long, FileStatus> leases = leases(storage, directory);
    return !leases.isEmpty() && leases.lastKey() == number;
  }

  /**
   * Asks the file system whether the lease is still this process's.
   *
   * @throws LeaseLostException if it is not
   */
  public void requireHeld() {
    try {
      if (lost || !isHeld()) {
        throw new LeaseLostException();
      }
    } catch (IOException e) {
      throw new LeaseLostException(e);
    }
  }

  /** Renews it no more, as a process that hangs. For tests. */
  void sleep() {
    renewal.shutdownNow();
  }

  /** Gives the lease back. */
  @Override
  public void close() throws IOException {
    renewal.shutdownNow();
    try {
      renewal.awaitTermination(10, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    if (!lost && isHeld()) {
      storage.touch(file(directory, number, OVER));
    }
  }
}
