package dev.lethe.spark.ledger;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.ModelDigest;
import dev.lethe.spark.certificate.Storage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.TreeMap;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * The entries of a ledger, each in a file {@code entries/<sequence, 9 digits>.json} that is created
 * once and never changed.
 *
 * <p>Two processes cannot both append: the name of the next entry is taken by one of them. An entry
 * that was changed, left out or put in breaks the digest in the one after it; the last one, which
 * none follows, is compared with a digest that is kept elsewhere ({@code lethe verify --head}).
 */
public final class Chain {
  static final String ENTRIES = "entries";
  static final String SIGNATURES = "signatures";

  private final Storage storage;
  private final Path root;
  private final @Nullable Signing signing;
  private final Clock clock;
  private final String by;
  private final List<Entry> entries = new ArrayList<>();
  private final List<String> digests = new ArrayList<>();

  Chain(Storage storage, Path root, @Nullable Signing signing, Clock clock, String by) {
    this.storage = storage;
    this.root = root;
    this.signing = signing;
    this.clock = clock;
    this.by = by;
  }

  /**
   * Reads the entries that were appended since the last reading.
   *
   * @throws InvalidInputException if one is missing, damaged or not the successor of the one before
   */
  void read() {
    try {
      TreeMap<Long, Path> files = new TreeMap<>();
      for (FileStatus file : storage.list(new Path(root, ENTRIES))) {
        String name = file.getPath().getName();
        if (name.startsWith(".") || name.startsWith("_")) {
          continue; // one that is being written, or was when its writer died
        }
        if (!name.matches("[0-9]{9,18}\\.json")) {
          throw new InvalidInputException(
              "ledger: " + file.getPath() + " is no entry; its name must be NNNNNNNNN.json");
        }
        files.put(Long.parseLong(name.substring(0, name.indexOf('.'))), file.getPath());
      }
      List<Path> fresh = List.copyOf(files.tailMap((long) entries.size(), false).values());
      List<byte[]> contents = storage.readAll(fresh);
      for (int i = 0; i < fresh.size(); i++) {
        add(contents.get(i), fresh.get(i));
      }
      if (!files.isEmpty() && files.lastKey() != entries.size()) {
        throw missing(entries.size() + 1L);
      }
    } catch (IOException e) {
      throw new InvalidInputException("ledger: " + root + " cannot be read", e);
    }
  }

  private void add(byte[] content, Path file) {
    Entry entry = Entry.read(content, file.toString());
    long expected = entries.size() + 1L;
    if (!file(expected).getName().equals(file.getName())) {
      throw missing(expected);
    }
    if (entry.sequence() != expected) {
      throw damaged(file, "its sequence is " + entry.sequence() + ", not " + expected);
    }
    if (!entry.previous().equals(head())) {
      throw damaged(file, "it does not follow the entry before it, whose digest is " + head());
    }
    entries.add(entry);
    digests.add(ModelDigest.sha256(content));
  }

  private static InvalidInputException damaged(Path file, String how) {
    return new InvalidInputException(
        "ledger: " + file + " was tampered with, or the entry before it was: " + how);
  }

  private InvalidInputException missing(long sequence) {
    return new InvalidInputException(
        "ledger: " + file(sequence) + " is missing, although later entries are there");
  }

  /**
   * Appends an entry.
   *
   * @return false if another process has appended one since the last reading
   */
  boolean append(Event event) {
    long sequence = entries.size() + 1L;
    Entry entry = new Entry(Entry.SCHEMA_VERSION, sequence, head(), clock.instant(), by, event);
    byte[] content = entry.toBytes();
    Path file = file(sequence);
    try {
      if (signing != null) {
        // first: an entry without its signature would look forged
        storage.createIfAbsent(signature(ModelDigest.sha256(content)), signing.sign(content));
      }
      if (!storage.takes(file, content)) {
        return false;
      }
    } catch (IOException e) {
      throw new UncheckedIOException("the ledger's entry " + file + " cannot be written", e);
    }
    add(content, file);
    return true;
  }

  /** All entries that have been read. */
  public List<Entry> entries() {
    return List.copyOf(entries);
  }

  /** The digest of the last entry. */
  public String head() {
    return digests.isEmpty() ? Entry.NONE : digests.get(digests.size() - 1);
  }

  /** Whether an entry has this digest. */
  public boolean contains(String digest) {
    return digests.contains(digest);
  }

  /**
   * The bytes of an entry's signature; null if it has none.
   *
   * @throws InvalidInputException if it cannot be read
   */
  public byte @Nullable [] signatureOf(Entry entry) {
    Path file = signature(digests.get((int) entry.sequence() - 1));
    try {
      return storage.exists(file) ? storage.read(file) : null;
    } catch (IOException e) {
      throw new InvalidInputException("ledger: " + file + " cannot be read", e);
    }
  }

  /**
   * The bytes of an entry's file, as they are now.
   *
   * @throws InvalidInputException if it cannot be read
   */
  public byte[] bytesOf(Entry entry) {
    try {
      return storage.read(file(entry.sequence()));
    } catch (IOException e) {
      throw new InvalidInputException("ledger: " + file(entry.sequence()) + " cannot be read", e);
    }
  }

  private Path file(long sequence) {
    return new Path(new Path(root, ENTRIES), String.format(Locale.ROOT, "%09d.json", sequence));
  }

  private Path signature(String digest) {
    return new Path(new Path(root, SIGNATURES), digest + ".sig");
  }
}
