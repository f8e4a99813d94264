package dev.lethe.spark.ledger;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.AtomicPublication;
import dev.lethe.spark.certificate.Storage;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.security.UserGroupInformation;
import org.jspecify.annotations.Nullable;

/**
 * A ledger on any Hadoop file system: its chain, what the entries say, the versions of the model
 * and the file that names the one to use.
 *
 * <pre>
 * LEDGER/entries/000000001.json        the chain
 * LEDGER/signatures/SHA256.sig         of entries, where there is a signing key
 * LEDGER/leases/000000001.json         who may change it
 * LEDGER/versions/000001/model         a published model, and its certificate.json
 * LEDGER/CURRENT                       the path of the model to use, one line
 * </pre>
 */
public final class Ledger {
  static final String VERSIONS = "versions";
  static final String CURRENT = "CURRENT";
  static final String REPORTS = "reports";

  private final Configuration configuration;
  private final Storage storage;
  private final Path root;
  private final Chain chain;
  private final String by;
  private LedgerState state;

  private Ledger(Configuration configuration, Storage storage, Path root, Chain chain, String by) {
    this.configuration = configuration;
    this.storage = storage;
    this.root = root;
    this.chain = chain;
    this.by = by;
    chain.read();
    this.state = LedgerState.of(chain.entries());
  }

  /**
   * Reads a ledger, which need not exist: its first entry creates it.
   *
   * @param signing of entries; null where they are not signed
   * @throws InvalidInputException if it cannot be reached, an entry is missing or damaged, or the
   *     entries contradict each other
   */
  public static Ledger open(
      Configuration configuration, String directory, @Nullable Signing signing, Clock clock) {
    Path given = Storage.path(directory, "ledger");
    try {
      Storage storage = Storage.of(configuration, given);
      Path root = storage.canonical(given);
      String user = UserGroupInformation.getCurrentUser().getShortUserName();
      return new Ledger(
          configuration, storage, root, new Chain(storage, root, signing, clock, user), user);
    } catch (IOException e) {
      throw new InvalidInputException("ledger: " + directory + " cannot be reached", e);
    }
  }

  /** What the entries say. */
  public LedgerState state() {
    return state;
  }

  /** The entries. */
  public Chain chain() {
    return chain;
  }

  /** Reads what others have appended. */
  public void refresh() {
    chain.read();
    state = LedgerState.of(chain.entries());
  }

  /**
   * Appends an event.
   *
   * @return false if another process has appended one since the last reading; {@link #refresh} then
   * @throws IllegalArgumentException if the event breaks the rules
   */
  public boolean append(Event event) {
    LedgerState next = LedgerState.of(chain.entries());
    // asked before it is written: nothing can be taken out of a chain
    next.apply(event, Clock.systemUTC().instant());
    if (!chain.append(event)) {
      return false;
    }
    state = LedgerState.of(chain.entries());
    return true;
  }

  /**
   * Appends an event under the lease, whatever requests others have received meanwhile.
   *
   * @throws IllegalArgumentException if the event breaks the rules
   * @throws LeaseLostException if another process has the lease
   */
  public void append(Event event, Lease lease) {
    lease.requireHeld();
    while (!append(event)) {
      refresh();
      lease.requireHeld();
    }
  }

  /**
   * Takes the lease if nobody has it.
   *
   * @return empty if somebody has
   */
  public Optional<Lease> lease(Duration length) throws IOException {
    return Lease.acquire(storage, root, length, by + " " + process());
  }

  /**
   * Whether of several that append the same entry at the same time one succeeds.
   *
   * @throws InvalidInputException if the ledger cannot be written to
   */
  public boolean admitsManyWriters() {
    try {
      storage.createDirectory(root);
      return storage.createsExclusively(root);
    } catch (IOException e) {
      throw new InvalidInputException("ledger: " + root + " cannot be written to", e);
    }
  }

  /** Who holds the lease, if anybody does. */
  public Optional<Lease.Content> holder() throws IOException {
    return Lease.holder(storage, root);
  }

  private static String process() {
    String host;
    try {
      host = InetAddress.getLocalHost().getHostName();
    } catch (UnknownHostException e) {
      host = "unknown host";
    }
    return ManagementFactory.getRuntimeMXBean().getPid() + "@" + host;
  }

  /** The directory of the ledger. */
  public Path root() {
    return root;
  }

  /** Where a version is published: a model and a certificate. */
  public Path directory(int version) {
    return new Path(new Path(root, VERSIONS), String.format(Locale.ROOT, "%06d", version));
  }

  /** Where a version's model is. */
  public Path model(int version) {
    return version == 0 ? new Path(state.opened().model()) : new Path(directory(version), "model");
  }

  /** Where a version's certificate is. */
  public Path certificate(int version) {
    return new Path(directory(version), "certificate.json");
  }

  /** Where the signature of a version's certificate is, if there is one. */
  public Path signature(int version) {
    return certificate(version).suffix(".sig");
  }

  /** The file that names the model to use. */
  public Path current() {
    return new Path(root, CURRENT);
  }

  /** Where a version's public report is, if there is one. */
  public Path report(int version) {
    return new Path(new Path(root, REPORTS), directory(version).getName() + ".html");
  }

  /**
   * Reads a file of the ledger; empty if it is not there.
   *
   * @throws InvalidInputException if it cannot be read
   */
  public Optional<byte[]> read(Path file) {
    try {
      return storage.exists(file) ? Optional.of(storage.read(file)) : Optional.empty();
    } catch (IOException e) {
      throw new InvalidInputException("ledger: " + file + " cannot be read", e);
    }
  }

  /** Whether a version's directory is there, whole or not. */
  public boolean isThere(int version) throws IOException {
    return storage.exists(directory(version));
  }

  /** Deletes what a version's publication has left. */
  public void delete(int version) throws IOException {
    storage.delete(directory(version));
  }

  /**
   * Deletes what runs have left that were killed: what they had staged, a model that nobody was to
   * see, and versions that were given up and not yet deleted.
   *
   * @param lease which says that no other run is at work
   * @throws InvalidInputException if it cannot be deleted
   */
  public void deleteLeftovers(Lease lease) {
    lease.requireHeld();
    Path versions = new Path(root, VERSIONS);
    try {
      AtomicPublication.deleteLeftovers(storage, versions);
      for (Version version : state.versions()) {
        if (version.phase() == Version.Phase.ABANDONED && isThere(version.number())) {
          delete(version.number());
        }
      }
    } catch (IOException e) {
      throw new InvalidInputException(
          "ledger: "
              + versions
              + ": what a run has left that was killed (.NUMBER.staging-...) holds an unpublished"
              + " model and cannot be deleted; delete it",
          e);
    }
  }

  /** Deletes a version's model; its certificate stays. */
  public void deleteModel(int version) throws IOException {
    storage.delete(model(version));
  }

  /**
   * Makes {@code CURRENT} name the current version's model, if it does not.
   *
   * @throws LeaseLostException if another process may do so now
   */
  public void point(Lease lease) throws IOException {
    lease.requireHeld();
    int named;
    do {
      named = state.current().number();
      Path file = current();
      byte[] line = (model(named) + "\n").getBytes(StandardCharsets.UTF_8);
      if (!storage.exists(file) || !Arrays.equals(storage.read(file), line)) {
        storage.replace(file, line);
        refresh(); // who slept here may have written over what another has published since
      }
    } while (named != state.current().number());
  }

  /** Hadoop's configuration, with which it is read. */
  public Configuration configuration() {
    return configuration;
  }
}
