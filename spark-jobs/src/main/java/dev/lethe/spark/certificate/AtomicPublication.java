package dev.lethe.spark.certificate;

import dev.lethe.spark.InvalidInputException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.NoSuchFileException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A directory that appears with all its content or not at all.
 *
 * <p>Everything is written below {@link #staging}, in a hidden sibling {@code
 * .<name>.staging-<uuid>} of the target on the same file system, which its owner alone may enter
 * (mode 0700, where there are modes). {@link #commit} renames it to the target, once; {@link
 * #close} without a commit deletes it and the parent directories that were created for it. The
 * target must not exist, neither at the beginning nor at the commit.
 *
 * <p>What is staged has the permissions that umask, default ACL and set-group-id bit of the
 * target's parent give, from its first byte: the closed directory around it keeps others out. So
 * the rename is the only step at which anything becomes readable, and nobody sees half of it.
 * Opening a closed directory before the rename would show the staged model under its staging name,
 * opening it after would leave a published model closed if the process died in between; and Spark's
 * writers delete and make anew the directory that they are given, with permissions of its own.
 *
 * <p>On the local file system and on HDFS the rename is atomic. An object store without directories
 * copies file by file: there the commit can be interrupted, and readers must compare the model with
 * the certificate's digest.
 */
public final class AtomicPublication implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(AtomicPublication.class);
  private static final String STAGING = ".staging-";

  /** Beside what is staged; writers make a directory anew that was deleted, but not this file. */
  private static final String MARK = "begun";

  private final Storage storage;
  private final Path target;
  private final Path closedToOthers;
  private final Path staging;
  private final List<Path> createdParents;
  private boolean closed;

  private AtomicPublication(
      Storage storage, Path target, Path closedToOthers, List<Path> createdParents) {
    this.storage = storage;
    this.target = target;
    this.closedToOthers = closedToOthers;
    // the same hidden name: an older file system's rename may put it into a target that appears
    this.staging = new Path(closedToOthers, closedToOthers.getName());
    this.createdParents = createdParents;
  }

  /**
   * Checks that nothing can stop the publication that is known in advance, without writing.
   *
   * @param sources what is read: the target must not lie in one of them
   * @throws InvalidInputException if the target exists, cannot be reached or lies in a source
   */
  public static void check(Configuration conf, String out, String... sources) {
    Path given = Storage.path(out, "out");
    try {
      Storage storage = Storage.of(conf, given);
      Path target = storage.canonical(given);
      refuseExisting(storage, target);
      for (String text : sources) {
        Path source = Storage.path(text, "path");
        Path place = Storage.of(conf, source).canonical(source);
        if (target.equals(place) || Storage.isBelow(target, place)) {
          throw new InvalidInputException(
              "out: "
                  + target
                  + " is below "
                  + place
                  + ", which is read; name a place apart from the model and the data");
        }
      }
    } catch (IOException e) {
      throw new InvalidInputException("out: " + out + " cannot be reached", e);
    }
  }

  /**
   * Begins a publication: creates the staging directory and the missing parents.
   *
   * @param sources as for {@link #check}
   * @throws InvalidInputException if the target exists, lies in a source or its parent cannot be
   *     written
   */
  public static AtomicPublication begin(Configuration conf, String out, String... sources) {
    check(conf, out, sources);
    Path given = Storage.path(out, "out");
    List<Path> createdParents = new ArrayList<>();
    try {
      Storage storage = Storage.of(conf, given);
      Path target = storage.canonical(given);
      refuseExisting(storage, target);
      Path parent = target.getParent();
      if (parent == null) {
        throw new InvalidInputException("out: " + target + " is the root of a file system");
      }
      for (Path p = parent; p != null && !storage.exists(p); p = p.getParent()) {
        createdParents.add(p);
      }
      Path closedToOthers = new Path(parent, "." + target.getName() + STAGING + UUID.randomUUID());
      AtomicPublication publication =
          new AtomicPublication(storage, target, closedToOthers, createdParents);
      try {
        storage.createPrivateDirectory(closedToOthers);
        storage.write(publication.mark(), new byte[0]);
        storage.createDirectory(publication.staging);
        // Ctrl-C and SIGTERM: Hadoop deletes it when the JVM shuts down.
        storage.fs.deleteOnExit(closedToOthers);
      } catch (IOException e) {
        publication.closeAfter(e);
        throw e;
      }
      return publication;
    } catch (IOException e) {
      throw new InvalidInputException(
          "out: "
              + out
              + " cannot be written; name a new directory in one that exists or can be created",
          e);
    }
  }

  private static void refuseExisting(Storage storage, Path target) throws IOException {
    if (storage.exists(target)) {
      throw exists(target, null);
    }
  }

  private static InvalidInputException exists(Path target, @Nullable Throwable cause) {
    String message = "out: " + target + " already exists; it is never overwritten";
    return cause == null
        ? new InvalidInputException(message)
        : new InvalidInputException(message, cause);
  }

  /** Where everything is to be written. */
  public Path staging() {
    return staging;
  }

  /**
   * A file or directory in the staging directory, to write to.
   *
   * @throws InvalidInputException if that has been deleted meanwhile
   */
  public Path resolve(String name) {
    requireStaged();
    return new Path(staging, name);
  }

  private Path mark() {
    return new Path(closedToOthers, MARK);
  }

  /**
   * Refuses to go on where {@link #deleteLeftovers} took this process for dead: what it writes then
   * is half, and somebody else publishes in its place.
   */
  private void requireStaged() {
    try {
      if (storage.exists(mark())) {
        return;
      }
    } catch (IOException e) {
      throw new UncheckedIOException("cannot look at " + closedToOthers, e);
    }
    throw new InvalidInputException(
        "out: "
            + closedToOthers
            + ", where "
            + target
            + " was being written, has been deleted meanwhile");
  }

  /**
   * Writes a file into the staging directory.
   *
   * @throws InvalidInputException if that has been deleted meanwhile
   */
  public void write(String name, byte[] content) {
    Path file = resolve(name);
    try {
      storage.write(file, content);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot write " + file, e);
    }
  }

  /**
   * Makes the directory appear under its name.
   *
   * @throws InvalidInputException if the target has come into being meanwhile, or the staging
   *     directory has been deleted; what is staged is left to {@link #close}
   */
  public void commit() {
    if (closed) {
      throw new IllegalStateException("the publication of " + target + " has ended");
    }
    requireStaged();
    try {
      storage.publish(staging, target);
    } catch (FileAlreadyExistsException e) {
      throw exists(target, e);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot rename " + staging + " to " + target, e);
    }
    closed = true;
    try {
      storage.delete(closedToOthers);
      storage.fs.cancelDeleteOnExit(closedToOthers);
    } catch (IOException e) {
      // Published is published: what is left is a directory of no content, deleted when the JVM
      // ends.
      LOG.warn("{} could not be deleted ({})", closedToOthers, e.getClass().getSimpleName());
    }
  }

  /**
   * Deletes what publications into a directory have left that were killed. Only for who knows that
   * none goes on there.
   *
   * @param directory that the targets are in; need not exist
   * @return how many staging directories there were
   * @throws IOException if one cannot be deleted
   */
  public static int deleteLeftovers(Storage storage, Path directory) throws IOException {
    int found = 0;
    for (FileStatus one : storage.list(directory)) {
      String name = one.getPath().getName();
      if (name.startsWith(".") && name.contains(STAGING)) {
        storage.delete(one.getPath());
        if (storage.exists(one.getPath())) { // some file systems only say so
          throw new IOException(one.getPath() + " cannot be deleted");
        }
        found++;
      }
    }
    return found;
  }

  /**
   * Whether a commit that failed may nevertheless have put this file into the target.
   *
   * @param name of the file
   * @param content that was staged
   */
  public boolean mayHavePublished(String name, byte[] content) {
    try {
      return Arrays.equals(storage.read(new Path(target, name)), content);
    } catch (FileNotFoundException | NoSuchFileException e) {
      return false;
    } catch (IOException e) {
      return true; // it cannot be told
    }
  }

  /** Whether a commit that failed may nevertheless have put something into the target. */
  public boolean mayHavePublished() {
    try {
      return storage.exists(target);
    } catch (IOException e) {
      return true; // it cannot be told
    }
  }

  /** Deletes what was staged, unless it was committed. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    try {
      storage.delete(closedToOthers);
      storage.fs.cancelDeleteOnExit(closedToOthers);
      for (Path parent : createdParents) {
        if (storage.exists(parent)) {
          FileStatus[] content = storage.fs.listStatus(parent);
          if (content.length > 0) {
            break;
          }
          storage.fs.delete(parent, false);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException("cannot delete " + closedToOthers, e);
    }
  }

  /** Cleaning up must not hide why nothing could be written. */
  private void closeAfter(IOException failure) {
    try {
      close();
    } catch (UncheckedIOException e) {
      failure.addSuppressed(e);
    }
  }
}
