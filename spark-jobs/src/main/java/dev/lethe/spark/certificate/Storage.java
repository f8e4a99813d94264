package dev.lethe.spark.certificate;

import dev.lethe.spark.InvalidInputException;
import java.io.ByteArrayOutputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.EnumSet;
import java.util.Set;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileContext;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocalFileSystem;
import org.apache.hadoop.fs.Options;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.UnsupportedFileSystemException;
import org.apache.hadoop.fs.permission.FsAction;
import org.apache.hadoop.fs.permission.FsPermission;

/**
 * What the documents need from a file system beyond reading: private files, publication without
 * overwriting, and one name for one place.
 *
 * <p>On the local file system it goes to {@code java.nio}: Hadoop's local file system sets the mode
 * of a file after creating it, keeps a world-readable checksum file beside it and moves a directory
 * INTO an existing one.
 */
public abstract sealed class Storage {
  private static final String TEMPORARY = ".tmp";

  final FileSystem fs;

  private Storage(FileSystem fs) {
    this.fs = fs;
  }

  /** The storage that holds {@code path}. */
  public static Storage of(Configuration conf, Path path) throws IOException {
    FileSystem fs = path.getFileSystem(conf);
    if (fs instanceof LocalFileSystem local) {
      // Without checksums: a stale .crc file must not make a changed file unreadable.
      return new Local(local.getRawFileSystem());
    }
    return new Remote(fs, conf);
  }

  /**
   * A path as the user wrote it.
   *
   * @param parameter its name, for messages
   */
  public static Path path(String text, String parameter) {
    try {
      // Twice: normalising "a/." gives "a/", whose slash only the next reading takes away.
      return new Path(new Path(text).toString());
    } catch (IllegalArgumentException e) {
      throw new InvalidInputException(parameter + ": \"" + text + "\" is not a path", e);
    }
  }

  /** With scheme, authority and no symbolic link on the way, as far as the path exists. */
  public abstract Path canonical(Path path) throws IOException;

  /** Creates a directory and its parents; the directory is its owner's alone (mode 0700). */
  abstract void createPrivateDirectory(Path directory) throws IOException;

  /**
   * Creates a file of mode 0600 that appears under its name with all its content.
   *
   * @throws FileAlreadyExistsException if the file exists
   */
  abstract void writePrivate(Path file, byte[] content) throws IOException;

  /**
   * The same, in place of a file that may exist. Readers see the old file or the new one: on the
   * local file system and on HDFS by a rename, on an object store because it shows whole objects
   * only.
   */
  abstract void replacePrivate(Path file, byte[] content) throws IOException;

  /**
   * Overwrites a file with zeros, so that its blocks hold its content no longer; without effect
   * where files cannot be changed in place.
   */
  abstract void overwrite(Path file) throws IOException;

  /** The same with the default mode. */
  abstract void writeWhole(Path file, byte[] content) throws IOException;

  /** Creates a file with the default mode; overwrites nothing. */
  abstract void write(Path file, byte[] content) throws IOException;

  /**
   * Renames a directory.
   *
   * @throws FileAlreadyExistsException if the target exists; nothing is moved then
   */
  abstract void publish(Path directory, Path target) throws IOException;

  /**
   * Creates a file with the default mode, which appears whole under its name or not at all.
   *
   * @return false if the name is taken; of several writers at the same time one gets true
   */
  public abstract boolean createIfAbsent(Path file, byte[] content) throws IOException;

  /** Replaces a file, or creates it: readers see the old content or the new one. */
  public abstract void replace(Path file, byte[] content) throws IOException;

  /** Writes a file of one byte anew, which changes when it was written; or creates it. */
  public abstract void touch(Path file) throws IOException;

  /** When the file was written, milliseconds by the clock of the file system. */
  public long modified(Path file) throws IOException {
    return fs.getFileStatus(file).getModificationTime();
  }

  /** The files and directories of a directory; none if there is no such directory. */
  public FileStatus[] list(Path directory) throws IOException {
    try {
      return fs.listStatus(directory);
    } catch (FileNotFoundException | NoSuchFileException e) {
      return new FileStatus[0];
    }
  }

  /** Whether the permissions give anybody but the owner access; false where there are no modes. */
  abstract boolean openToOthers(Path file) throws IOException;

  /** Whether {@code path} lies somewhere below {@code ancestor}; both canonical. */
  static boolean isBelow(Path path, Path ancestor) {
    for (Path p = path.getParent(); p != null; p = p.getParent()) {
      if (p.equals(ancestor)) {
        return true;
      }
    }
    return false;
  }

  public boolean exists(Path path) throws IOException {
    return fs.exists(path);
  }

  boolean isFile(Path path) throws IOException {
    return fs.exists(path) && fs.getFileStatus(path).isFile();
  }

  public void delete(Path path) throws IOException {
    fs.delete(path, true);
  }

  /**
   * Reads a whole file.
   *
   * @throws FileNotFoundException if it does not exist
   */
  public byte[] read(Path file) throws IOException {
    try (FSDataInputStream in = fs.open(file)) {
      ByteArrayOutputStream content = new ByteArrayOutputStream();
      in.transferTo(content);
      return content.toByteArray();
    }
  }

  /** Its first bytes, {@code length} of them if it has as many. */
  byte[] readStart(Path file, int length) throws IOException {
    try (FSDataInputStream in = fs.open(file)) {
      return in.readNBytes(length);
    }
  }

  private static Path temporary(Path file) {
    return new Path(file.getParent(), temporaryStart(file) + UUID.randomUUID() + TEMPORARY);
  }

  private static String temporaryStart(Path file) {
    return "." + file.getName() + ".";
  }

  /** Deletes what writers of a file have left that were killed. */
  void deleteLeftovers(Path file) throws IOException {
    Path parent = file.getParent();
    if (parent == null) {
      return;
    }
    for (FileStatus one : list(parent)) {
      String name = one.getPath().getName();
      if (name.startsWith(temporaryStart(file)) && name.endsWith(TEMPORARY)) {
        delete(one.getPath());
      }
    }
  }

  private static final class Local extends Storage {
    private static final Set<PosixFilePermission> FILE =
        EnumSet.of(PosixFilePermission.OWNER_READ, PosixFilePermission.OWNER_WRITE);
    private static final Set<PosixFilePermission> DIRECTORY =
        EnumSet.of(
            PosixFilePermission.OWNER_READ,
            PosixFilePermission.OWNER_WRITE,
            PosixFilePermission.OWNER_EXECUTE);

    Local(FileSystem fs) {
      super(fs);
    }

    private java.nio.file.Path nio(Path path) {
      return java.nio.file.Path.of(fs.makeQualified(path).toUri().getPath());
    }

    private static boolean hasModes(java.nio.file.Path path) {
      return path.getFileSystem().supportedFileAttributeViews().contains("posix");
    }

    @Override
    public Path canonical(Path path) throws IOException {
      java.nio.file.Path existing = nio(path).normalize();
      java.nio.file.Path rest = java.nio.file.Path.of("");
      while (!Files.exists(existing, LinkOption.NOFOLLOW_LINKS)) {
        java.nio.file.Path name = existing.getFileName();
        java.nio.file.Path parent = existing.getParent();
        if (name == null || parent == null) {
          break;
        }
        rest = name.resolve(rest);
        existing = parent;
      }
      try {
        return fs.makeQualified(
            new Path(existing.toRealPath().resolve(rest).normalize().toString()));
      } catch (NoSuchFileException e) {
        throw new InvalidInputException(path + ": " + existing + " is a dangling link", e);
      }
    }

    @Override
    void createPrivateDirectory(Path directory) throws IOException {
      java.nio.file.Path path = nio(directory);
      java.nio.file.Path parent = path.getParent();
      if (parent != null) {
        Files.createDirectories(parent);
      }
      if (hasModes(path)) {
        Files.createDirectory(path, PosixFilePermissions.asFileAttribute(DIRECTORY));
        // The umask may have taken bits away.
        Files.setPosixFilePermissions(path, DIRECTORY);
      } else {
        Files.createDirectory(path);
      }
    }

    @Override
    void writePrivate(Path file, byte[] content) throws IOException {
      java.nio.file.Path temporary = nio(temporary(file));
      try {
        createPrivate(temporary, content);
        name(temporary, nio(file));
      } finally {
        Files.deleteIfExists(temporary);
      }
    }

    @Override
    void writeWhole(Path file, byte[] content) throws IOException {
      Path temporary = temporary(file);
      try {
        write(temporary, content);
        name(nio(temporary), nio(file));
      } finally {
        Files.deleteIfExists(nio(temporary));
      }
    }

    /** Gives a file that is written its name, if that is free. */
    private static void name(java.nio.file.Path temporary, java.nio.file.Path target)
        throws IOException {
      try {
        // Unlike a rename, a link fails when the name is taken.
        Files.createLink(target, temporary);
      } catch (FileAlreadyExistsException e) {
        throw e;
      } catch (UnsupportedOperationException | FileSystemException e) {
        if (Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
          throw new FileAlreadyExistsException(target.toString());
        }
        Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
      }
    }

    private static void createPrivate(java.nio.file.Path file, byte[] content) throws IOException {
      boolean modes = hasModes(file);
      FileAttribute<?>[] attributes =
          modes
              ? new FileAttribute<?>[] {PosixFilePermissions.asFileAttribute(FILE)}
              : new FileAttribute<?>[0];
      Files.createFile(file, attributes);
      if (modes) {
        Files.setPosixFilePermissions(file, FILE);
      }
      writeAll(file, content, StandardOpenOption.WRITE);
    }

    @Override
    void replacePrivate(Path file, byte[] content) throws IOException {
      java.nio.file.Path temporary = nio(temporary(file));
      try {
        createPrivate(temporary, content);
        Files.move(temporary, nio(file), StandardCopyOption.ATOMIC_MOVE);
      } finally {
        Files.deleteIfExists(temporary);
      }
    }

    @Override
    void overwrite(Path file) throws IOException {
      java.nio.file.Path path = nio(file);
      writeAll(path, new byte[Math.toIntExact(Files.size(path))], StandardOpenOption.WRITE);
    }

    @Override
    void write(Path file, byte[] content) throws IOException {
      java.nio.file.Path target = nio(file);
      java.nio.file.Path parent = target.getParent();
      if (parent != null) {
        Files.createDirectories(parent);
      }
      writeAll(target, content, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW);
    }

    @Override
    public boolean createIfAbsent(Path file, byte[] content) throws IOException {
      Path temporary = temporary(file);
      try {
        write(temporary, content);
        Files.createLink(nio(file), nio(temporary));
        return true;
      } catch (FileAlreadyExistsException e) {
        return false;
      } finally {
        Files.deleteIfExists(nio(temporary));
      }
    }

    @Override
    public void touch(Path file) throws IOException {
      Files.write(nio(file), new byte[] {'\n'});
    }

    @Override
    public void replace(Path file, byte[] content) throws IOException {
      Path temporary = temporary(file);
      try {
        write(temporary, content);
        Files.move(
            nio(temporary),
            nio(file),
            StandardCopyOption.ATOMIC_MOVE,
            StandardCopyOption.REPLACE_EXISTING);
      } finally {
        Files.deleteIfExists(nio(temporary));
      }
    }

    private static void writeAll(
        java.nio.file.Path file, byte[] content, StandardOpenOption... options) throws IOException {
      try (SeekableByteChannel channel = Files.newByteChannel(file, options)) {
        ByteBuffer buffer = ByteBuffer.wrap(content);
        while (buffer.hasRemaining()) {
          channel.write(buffer);
        }
        if (channel instanceof java.nio.channels.FileChannel onDisk) {
          onDisk.force(true);
        }
      }
    }

    @Override
    void publish(Path directory, Path target) throws IOException {
      java.nio.file.Path to = nio(target);
      if (Files.exists(to, LinkOption.NOFOLLOW_LINKS)) {
        throw new FileAlreadyExistsException(to.toString());
      }
      try {
        // rename(2): never nests, and fails if a directory with content has appeared meanwhile.
        Files.move(nio(directory), to, StandardCopyOption.ATOMIC_MOVE);
      } catch (AtomicMoveNotSupportedException e) {
        throw e;
      } catch (DirectoryNotEmptyException e) {
        throw (FileAlreadyExistsException)
            new FileAlreadyExistsException(to.toString()).initCause(e);
      } catch (FileSystemException e) {
        if (Files.exists(to, LinkOption.NOFOLLOW_LINKS)) {
          throw (FileAlreadyExistsException)
              new FileAlreadyExistsException(to.toString()).initCause(e);
        }
        throw e;
      }
    }

    @Override
    boolean openToOthers(Path file) throws IOException {
      java.nio.file.Path path = nio(file);
      if (!hasModes(path)) {
        return false;
      }
      Set<PosixFilePermission> granted = EnumSet.noneOf(PosixFilePermission.class);
      granted.addAll(Files.getPosixFilePermissions(path));
      granted.removeAll(DIRECTORY);
      return !granted.isEmpty();
    }
  }

  private static final class Remote extends Storage {
    private static final FsPermission FILE = new FsPermission((short) 0600);
    private static final FsPermission DIRECTORY = new FsPermission((short) 0700);
    private static final Set<String> WITH_MODES = Set.of("hdfs", "viewfs");

    private final Configuration conf;

    Remote(FileSystem fs, Configuration conf) {
      super(fs);
      this.conf = conf;
    }

    @Override
    public Path canonical(Path path) {
      return fs.makeQualified(path);
    }

    @Override
    void createPrivateDirectory(Path directory) throws IOException {
      if (fs.exists(directory)) {
        throw new FileAlreadyExistsException(directory.toString());
      }
      Path parent = directory.getParent();
      if (parent != null) {
        fs.mkdirs(parent);
      }
      if (!fs.mkdirs(directory, DIRECTORY)) {
        throw new IOException("cannot create the directory " + directory);
      }
      // The client's umask may have taken bits away.
      fs.setPermission(directory, DIRECTORY);
    }

    @Override
    void writePrivate(Path file, byte[] content) throws IOException {
      Path temporary = temporary(file);
      try {
        createPrivate(temporary, content, false);
        name(temporary, file);
      } finally {
        fs.delete(temporary, false);
      }
    }

    @Override
    void writeWhole(Path file, byte[] content) throws IOException {
      Path temporary = temporary(file);
      try {
        write(temporary, content);
        name(temporary, file);
      } finally {
        fs.delete(temporary, false);
      }
    }

    private void name(Path temporary, Path file) throws IOException {
      if (fs.exists(file) || !fs.rename(temporary, file)) {
        if (fs.exists(file)) {
          throw new FileAlreadyExistsException(file.toString());
        }
        throw new IOException("cannot rename " + temporary + " to " + file);
      }
    }

    private void createPrivate(Path file, byte[] content, boolean overwrite) throws IOException {
      try (FSDataOutputStream out =
          fs.create(
              file,
              FILE,
              overwrite,
              4096,
              fs.getDefaultReplication(file),
              fs.getDefaultBlockSize(file),
              null)) {
        fs.setPermission(file, FILE);
        out.write(content);
      }
    }

    @Override
    void replacePrivate(Path file, byte[] content) throws IOException {
      if (!WITH_MODES.contains(fs.getUri().getScheme())) {
        createPrivate(file, content, true);
        return;
      }
      Path temporary = temporary(file);
      try {
        createPrivate(temporary, content, false);
        FileContext.getFileContext(fs.getUri(), conf)
            .rename(temporary, file, Options.Rename.OVERWRITE);
      } finally {
        fs.delete(temporary, false);
      }
    }

    @Override
    void overwrite(Path file) {
      // HDFS appends only, object stores replace.
    }

    @Override
    void write(Path file, byte[] content) throws IOException {
      try (FSDataOutputStream out = fs.create(file, false)) {
        out.write(content);
      }
    }

    @Override
    public boolean createIfAbsent(Path file, byte[] content) throws IOException {
      Path temporary = temporary(file);
      try {
        write(temporary, content);
        FileContext.getFileContext(fs.getUri(), conf).rename(temporary, file, Options.Rename.NONE);
        return true;
      } catch (org.apache.hadoop.fs.FileAlreadyExistsException e) {
        return false;
      } finally {
        fs.delete(temporary, false);
      }
    }

    @Override
    public void touch(Path file) throws IOException {
      try (FSDataOutputStream out = fs.create(file, true)) {
        out.write('\n');
      }
    }

    @Override
    public void replace(Path file, byte[] content) throws IOException {
      Path temporary = temporary(file);
      try {
        write(temporary, content);
        FileContext.getFileContext(fs.getUri(), conf)
            .rename(temporary, file, Options.Rename.OVERWRITE);
      } finally {
        fs.delete(temporary, false);
      }
    }

    @Override
    void publish(Path directory, Path target) throws IOException {
      try {
        FileContext.getFileContext(fs.getUri(), conf)
            .rename(directory, target, Options.Rename.NONE);
        return;
      } catch (org.apache.hadoop.fs.FileAlreadyExistsException e) {
        throw (FileAlreadyExistsException)
            new FileAlreadyExistsException(target.toString()).initCause(e);
      } catch (UnsupportedFileSystemException e) {
        // This file system has only the older interface, whose rename moves into a directory.
        if (fs.exists(target)) {
          throw (FileAlreadyExistsException)
              new FileAlreadyExistsException(target.toString()).initCause(e);
        }
      }
      boolean renamed = fs.rename(directory, target);
      Path nested = new Path(target, directory.getName());
      if (renamed && fs.exists(nested)) {
        fs.delete(nested, true);
        throw new FileAlreadyExistsException(target.toString());
      }
      if (!renamed) {
        if (fs.exists(target)) {
          throw new FileAlreadyExistsException(target.toString());
        }
        throw new IOException("cannot rename " + directory + " to " + target);
      }
    }

    @Override
    boolean openToOthers(Path file) throws IOException {
      // Object stores report modes that they do not have.
      if (!WITH_MODES.contains(fs.getUri().getScheme())) {
        return false;
      }
      FsPermission granted = fs.getFileStatus(file).getPermission();
      return granted.getGroupAction() != FsAction.NONE || granted.getOtherAction() != FsAction.NONE;
    }
  }
}
