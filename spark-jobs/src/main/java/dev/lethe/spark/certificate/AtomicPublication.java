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

/**
 * A directory that appears with all its content or not at all.
 *
 * <p>Everything is written below {@link #staging}, a hidden sibling {@code .<name>.staging-<uuid>}
 * of the target on the same file system. {@link #commit} renames it to the target, once; {@link
 * #close} without a commit deletes it and the parent directories that were created for it. The
 * target must not exist, neither at the beginning nor at the commit.
 *
 * <p>On the local file system and on HDFS the rename is atomic. An object store without directories
 * copies file by file: there the commit can be interrupted, and readers must compare the model with
 * the certificate's digest.
 */
public final class AtomicPublication implements AutoCloseable {
  private final Storage storage;
  private final Path target;
  private final Path staging;
  private final List<Path> createdParents;
  private boolean closed;

  private AtomicPublication(Storage storage, Path target, Path staging, List<Path> createdParents) {
    this.storage = storage;
    this.target = target;
    this.staging = staging;
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
      Path staging = new Path(parent, "." + target.getName() + ".staging-" + UUID.randomUUID());
      AtomicPublication publication =
          new AtomicPublication(storage, target, staging, createdParents);
      if (!storage.fs.mkdirs(staging)) {
        publication.close();
        throw new InvalidInputException("out: the directory " + parent + " cannot be written");
      }
      // Ctrl-C and SIGTERM: Hadoop deletes it when the JVM shuts down.
      storage.fs.deleteOnExit(staging);
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

  /** A file or directory in the staging directory. */
  public Path resolve(String name) {
    return new Path(staging, name);
  }

  /** Writes a file into the staging directory. */
  public void write(String name, byte[] content) {
    try {
      storage.write(resolve(name), content);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot write " + resolve(name), e);
    }
  }

  /**
   * Makes the directory appear under its name.
   *
   * @throws InvalidInputException if the target has come into being meanwhile; the staging
   *     directory is left to {@link #close}
   */
  public void commit() {
    if (closed) {
      throw new IllegalStateException("the publication of " + target + " has ended");
    }
    try {
      storage.publish(staging, target);
      closed = true;
      storage.fs.cancelDeleteOnExit(staging);
    } catch (FileAlreadyExistsException e) {
      throw exists(target, e);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot rename " + staging + " to " + target, e);
    }
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
      storage.delete(staging);
      storage.fs.cancelDeleteOnExit(staging);
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
      throw new UncheckedIOException("cannot delete " + staging, e);
    }
  }
}
