package dev.lethe.spark.removal;

import java.io.FileNotFoundException;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.EnumSet;
import java.util.function.BiConsumer;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.CreateFlag;
import org.apache.hadoop.fs.DelegateToFileSystem;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.util.Progressable;

/**
 * A file system that fails at one of its writes, and at all that follow, as for a process that dies
 * there. What happens in staging directories counts as one write: nobody reads there.
 */
public final class FailingFileSystem extends RawLocalFileSystem {
  private static final URI NAME = URI.create("failing:///");

  /** What becomes of the write that fails. */
  enum Failure {
    /** Nothing happens: the disk is full, the rename is refused. */
    BEFORE,
    /** Half of a file is left. */
    HALF,
    /** It happens, and nobody is told. */
    AFTER
  }

  private static int writes;
  private static boolean staged;
  private static int failsAt = Integer.MAX_VALUE;
  private static Failure failure = Failure.BEFORE;

  /** Who looks just before a directory is renamed; by default nobody. */
  static volatile BiConsumer<Path, Path> observer = (source, target) -> {};

  /** Who looks just before a file is read; by default nobody. */
  static volatile Reader reader = file -> {};

  /** May let the reading fail. */
  interface Reader {
    void open(Path file) throws IOException;
  }

  static synchronized void failAt(int write, Failure how) {
    writes = 0;
    staged = false;
    failsAt = write;
    failure = how;
  }

  /** How many writes there were since {@link #failAt}. */
  static synchronized int writes() {
    return writes;
  }

  static void register(Configuration configuration) {
    configuration.setClass(
        "fs.failing.impl", FailingFileSystem.class, org.apache.hadoop.fs.FileSystem.class);
    configuration.setBoolean("fs.failing.impl.disable.cache", true);
    configuration.setClass(
        "fs.AbstractFileSystem.failing.impl",
        Context.class,
        org.apache.hadoop.fs.AbstractFileSystem.class);
  }

  /** For the newer interface. */
  public static final class Context extends DelegateToFileSystem {
    public Context(URI uri, Configuration conf) throws IOException, URISyntaxException {
      super(uri, new FailingFileSystem(), conf, "failing", false);
    }
  }

  @Override
  public FSDataInputStream open(Path file, int bufferSize) throws IOException {
    reader.open(file);
    return super.open(file, bufferSize);
  }

  @Override
  public URI getUri() {
    return NAME;
  }

  @Override
  public String getScheme() {
    return "failing";
  }

  /** Counts a write; what becomes of it, or null where it succeeds. */
  private static synchronized Failure count(Path path) throws IOException {
    if (path.toString().contains(".staging-") && staged) {
      if (writes >= failsAt) {
        throw new IOException("no space left on device");
      }
      return null;
    }
    staged |= path.toString().contains(".staging-");
    writes++;
    if (writes > failsAt) {
      throw new IOException("no space left on device");
    }
    return writes == failsAt ? failure : null;
  }

  private interface Write<T> {
    T run() throws IOException;
  }

  private static <T> T write(Path path, Write<T> write) throws IOException {
    Failure how = count(path);
    if (how == null) {
      return write.run();
    }
    if (how == Failure.AFTER) {
      write.run();
    }
    throw new IOException("no space left on device");
  }

  private FSDataOutputStream opened(Path path, Write<FSDataOutputStream> write) throws IOException {
    Failure how = count(path);
    if (how == Failure.BEFORE) {
      throw new IOException("no space left on device");
    }
    FSDataOutputStream out = write.run();
    if (how == null) {
      return out;
    }
    return new FSDataOutputStream(new Half(out, how == Failure.HALF), null);
  }

  /** Keeps half of what is written, or all of it, and fails when it is closed. */
  private static final class Half extends FilterOutputStream {
    private final boolean half;

    Half(OutputStream out, boolean half) {
      super(out);
      this.half = half;
    }

    @Override
    public void write(byte[] content, int offset, int length) throws IOException {
      out.write(content, offset, half ? length / 2 : length);
    }

    @Override
    public void close() throws IOException {
      super.close();
      throw new IOException("no space left on device");
    }
  }

  @Override
  public FSDataOutputStream create(
      Path path,
      boolean overwrite,
      int buffer,
      short replication,
      long block,
      Progressable progress)
      throws IOException {
    return opened(path, () -> super.create(path, overwrite, buffer, replication, block, progress));
  }

  @Override
  public FSDataOutputStream create(
      Path path,
      FsPermission permission,
      boolean overwrite,
      int buffer,
      short replication,
      long block,
      Progressable progress)
      throws IOException {
    return opened(
        path,
        () -> super.create(path, permission, overwrite, buffer, replication, block, progress));
  }

  @Override
  public FSDataOutputStream createNonRecursive(
      Path path,
      FsPermission permission,
      EnumSet<CreateFlag> flags,
      int buffer,
      short replication,
      long block,
      Progressable progress)
      throws IOException {
    return opened(
        path,
        () ->
            super.createNonRecursive(
                path, permission, flags, buffer, replication, block, progress));
  }

  @Override
  public boolean rename(Path source, Path target) throws IOException {
    if (pathToFile(source).isDirectory()) {
      observer.accept(source, target);
    }
    // the rename that publishes is no staging
    return write(target, () -> super.rename(source, target));
  }

  @Override
  public boolean delete(Path path, boolean recursive) throws IOException {
    return write(path, () -> super.delete(path, recursive));
  }

  @Override
  public boolean mkdirs(Path path, FsPermission permission) throws IOException {
    if (exists(path)) {
      return true;
    }
    return write(path, () -> super.mkdirs(path, permission));
  }

  @Override
  public FileStatus getFileStatus(Path path) throws IOException {
    FileStatus status = super.getFileStatus(path);
    if (status == null) {
      throw new FileNotFoundException(path.toString());
    }
    return status;
  }
}
