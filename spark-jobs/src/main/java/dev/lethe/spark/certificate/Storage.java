package dev.lethe.spark.certificate;

import dev.lethe.spark.InvalidInputException;
import java.io.ByteArrayOutputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
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
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.CommonPathCapabilities;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FSDataOutputStreamBuilder;
import org.apache.hadoop.fs.FileContext;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocalFileSystem;
import org.apache.hadoop.fs.Options;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.StreamCapabilities;
import org.apache.hadoop.fs.UnsupportedFileSystemException;
import org.apache.hadoop.fs.permission.FsAction;
import org.apache.hadoop.fs.permission.FsPermission;
import org.jspecify.annotations.Nullable;

/**
 * What the documents need from a file system beyond reading: private files, names that are taken
 * once, atomic replacement, publication without overwriting, and one name for one place.
 *
 * <p>On the local file system it goes to {@code java.nio}: Hadoop's local file system sets the mode
 * of a file after creating it, keeps a world-readable checksum file beside it and moves a directory
 * INTO an existing one. Elsewhere:
 *
 * <ul>
 *   <li>HDFS: a file is written under another name and renamed, which the NameNode does in one step
 *       and refuses if the name is taken.
 *   <li>Stores that write an object on condition that there is none (path capability {@value
 *       #CONDITIONAL_CREATE}: S3A of Hadoop 3.4.2 and later): such a write.
 *   <li>All others, S3A of earlier Hadoops among them: a look and then a rename. Of two writers at
 *       the same time, both may believe that they took the name.
 * </ul>
 */
public abstract sealed class Storage {
  /** As Hadoop 3.4.2 names it; earlier ones, which Spark 3.5 brings, have no constant. */
  static final String CONDITIONAL_CREATE = "fs.option.create.conditional.overwrite";

  /** Files that are read at a time: requests under way, not threads at work. */
  private static final int READERS = 16;

  private static final String TEMPORARY = ".tmp";

  private static final int UUID_LENGTH = 36;

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
   * Creates a file, and its parents, with the default modes: it appears under its name with all its
   * content, on disk, or not at all.
   *
   * <p>Where {@link #createsExclusively}, exactly one of all writers in all processes gets true. A
   * store that repeats a request whose answer was lost may say false to the writer whose file is
   * there; an exception says nothing. A process that is killed may leave a file of another name,
   * {@code .NAME.UUID.tmp}.
   *
   * @return false if the name is taken; nothing is changed then
   */
  public abstract boolean createIfAbsent(Path file, byte[] content) throws IOException;

  /**
   * The same for content that no other writer writes: true also where a store repeated a request
   * whose answer was lost, and found what it had just written itself.
   */
  public boolean takes(Path file, byte[] content) throws IOException {
    return createIfAbsent(file, content) || Arrays.equals(read(file), content);
  }

  /**
   * Whether of several that create the same file in this directory at the same time one succeeds;
   * where not, only one may write at a time.
   *
   * @param directory exists
   */
  public abstract boolean createsExclusively(Path directory) throws IOException;

  /**
   * Creates a file with the default modes, or gives one another content: readers see the old or the
   * new one, whole, on the local file system, HDFS and stores whose objects appear when they are
   * complete; elsewhere, for a moment, there may be none.
   */
  public abstract void replace(Path file, byte[] content) throws IOException;

  /**
   * The same as {@link #writePrivate}, in place of a file that may exist; readers as of {@link
   * #replace}.
   */
  abstract void replacePrivate(Path file, byte[] content) throws IOException;

  /**
   * Overwrites a file with zeros, so that its blocks hold its content no longer; without effect
   * where files cannot be changed in place.
   */
  abstract void overwrite(Path file) throws IOException;

  /** Writes a file of one byte anew, which changes when it was written; or creates it. */
  public abstract void touch(Path file) throws IOException;

  /** Creates a directory and its parents with the default modes, if there is none. */
  public void createDirectory(Path directory) throws IOException {
    if (!fs.mkdirs(directory)) {
      throw new IOException("cannot create the directory " + directory);
    }
  }

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

  /** Creates a file with the default mode; overwrites nothing. */
  abstract void write(Path file, byte[] content) throws IOException;

  /**
   * Renames a directory.
   *
   * @throws FileAlreadyExistsException if the target exists; nothing is moved then
   */
  abstract void publish(Path directory, Path target) throws IOException;

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

  /** Reads files, in their order; many at a time, for object stores take their time for each. */
  public List<byte[]> readAll(List<Path> files) throws IOException {
    if (files.isEmpty()) {
      return List.of();
    }
    ExecutorService readers = Executors.newFixedThreadPool(Math.min(files.size(), READERS));
    try {
      List<Future<byte[]>> reading =
          files.stream().map(file -> readers.submit(() -> read(file))).toList();
      List<byte[]> contents = new ArrayList<>(files.size());
      for (Future<byte[]> content : reading) {
        contents.add(content.get());
      }
      return contents;
    } catch (ExecutionException e) {
      throw new IOException(e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException();
    } finally {
      readers.shutdownNow();
    }
  }

  /** Its first bytes, {@code length} of them if it has as many. */
  byte[] readStart(Path file, int length) throws IOException {
    try (FSDataInputStream in = fs.open(file)) {
      return in.readNBytes(length);
    }
  }

  private static Path temporary(Path file) {
    return new Path(file.getParent(), temporaryName(file.getName()));
  }

  /** Of a file that is to become one of another name, or of none. */
  static String temporaryName(String name) {
    return temporaryStart(name) + UUID.randomUUID() + TEMPORARY;
  }

  private static String temporaryStart(String name) {
    return "." + name + ".";
  }

  /** The name of the file that a temporary one was to become; another file's own name. */
  static String finalName(String name) {
    int end = name.length() - TEMPORARY.length() - UUID_LENGTH - 1;
    return name.startsWith(".") && name.endsWith(TEMPORARY) && end > 1
        ? name.substring(1, end)
        : name;
  }

  /** Deletes what writers of a file have left that were killed. */
  void deleteLeftovers(Path file) throws IOException {
    Path parent = file.getParent();
    if (parent == null) {
      return;
    }
    for (FileStatus one : list(parent)) {
      String name = one.getPath().getName();
      if (name.startsWith(temporaryStart(file.getName())) && name.endsWith(TEMPORARY)) {
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
    private static final Links LINKS = new Links(Files::createLink);

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
        // The umask may have taken bits away; setting them would take set-group-id away.
        if (!Files.getPosixFilePermissions(path).equals(DIRECTORY)) {
          Files.setPosixFilePermissions(path, DIRECTORY);
        }
      } else {
        Files.createDirectory(path);
      }
    }

    @Override
    void writePrivate(Path file, byte[] content) throws IOException {
      java.nio.file.Path target = nio(file);
      java.nio.file.Path temporary = nio(temporary(file));
      try {
        createPrivate(temporary, content);
        if (!LINKS.take(temporary, target)) {
          throw new FileAlreadyExistsException(target.toString());
        }
      } finally {
        Files.deleteIfExists(temporary);
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
    public void touch(Path file) throws IOException {
      Files.write(nio(file), new byte[] {'\n'});
    }

    @Override
    public boolean createIfAbsent(Path file, byte[] content) throws IOException {
      java.nio.file.Path target = nio(file);
      if (Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
        return false;
      }
      createParents(target);
      java.nio.file.Path temporary = nio(temporary(file));
      try {
        writeAll(temporary, content, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW);
        if (!LINKS.take(temporary, target)) {
          return false;
        }
      } finally {
        Files.deleteIfExists(temporary);
      }
      forceNames(target);
      return true;
    }

    @Override
    public boolean createsExclusively(Path directory) throws IOException {
      return LINKS.areMadeIn(nio(directory));
    }

    @Override
    public void replace(Path file, byte[] content) throws IOException {
      java.nio.file.Path target = nio(file);
      createParents(target);
      java.nio.file.Path temporary = nio(temporary(file));
      try {
        writeAll(temporary, content, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW);
        Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
      } finally {
        Files.deleteIfExists(temporary);
      }
      forceNames(target);
    }

    private static void createParents(java.nio.file.Path file) throws IOException {
      java.nio.file.Path parent = file.getParent();
      if (parent != null) {
        Files.createDirectories(parent);
      }
    }

    /** Without it a power failure may lose the name of a file whose content is on disk. */
    private static void forceNames(java.nio.file.Path file) throws IOException {
      java.nio.file.Path parent = file.getParent();
      if (parent != null && hasModes(file)) {
        try (FileChannel directory = FileChannel.open(parent, StandardOpenOption.READ)) {
          directory.force(true);
        }
      }
    }

    @Override
    void write(Path file, byte[] content) throws IOException {
      java.nio.file.Path target = nio(file);
      createParents(target);
      writeAll(target, content, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW);
    }

    private static void writeAll(
        java.nio.file.Path file, byte[] content, StandardOpenOption... options) throws IOException {
      try (SeekableByteChannel channel = Files.newByteChannel(file, options)) {
        ByteBuffer buffer = ByteBuffer.wrap(content);
        while (buffer.hasRemaining()) {
          channel.write(buffer);
        }
        if (channel instanceof FileChannel onDisk) {
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
    private @Nullable FileContext context;

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
      if (!create(file, content, FILE)) {
        throw new FileAlreadyExistsException(file.toString());
      }
    }

    @Override
    public boolean createIfAbsent(Path file, byte[] content) throws IOException {
      return create(file, content, null);
    }

    @Override
    public boolean createsExclusively(Path directory) throws IOException {
      return createsOnCondition(directory) || isHdfs(directory);
    }

    @Override
    public void replace(Path file, byte[] content) throws IOException {
      replace(file, content, null);
    }

    @Override
    void replacePrivate(Path file, byte[] content) throws IOException {
      replace(file, content, FILE);
    }

    private void replace(Path file, byte[] content, @Nullable FsPermission mode)
        throws IOException {
      if (appearsOnClose(file)) {
        writeOrAbort(fs.create(file, true), content);
        return;
      }
      Path temporary = temporary(file);
      try {
        writeTemporary(temporary, content, mode);
        if (isHdfs(file.getParent())) {
          context().rename(temporary, file, Options.Rename.OVERWRITE);
        } else if (!fs.rename(temporary, file)) {
          fs.delete(file, false);
          if (!fs.rename(temporary, file)) {
            throw new IOException("cannot rename " + temporary + " to " + file);
          }
        }
      } finally {
        fs.delete(temporary, false);
      }
    }

    @Override
    void overwrite(Path file) {
      // HDFS appends only, object stores replace.
    }

    @Override
    public void touch(Path file) throws IOException {
      try (FSDataOutputStream out = fs.create(file, true)) {
        out.write('\n');
      }
    }

    /**
     * Creates a file with all its content.
     *
     * @param mode null for the default one
     * @return false if there is one
     */
    private boolean create(Path file, byte[] content, @Nullable FsPermission mode)
        throws IOException {
      if (fs.exists(file)) {
        return false;
      }
      if (createsOnCondition(file)) {
        return createOnCondition(file, content);
      }
      Path temporary = temporary(file);
      try {
        writeTemporary(temporary, content, mode);
        return renameIfAbsent(temporary, file);
      } finally {
        fs.delete(temporary, false);
      }
    }

    private boolean createOnCondition(Path file, byte[] content) throws IOException {
      try {
        FSDataOutputStreamBuilder<?, ?> builder = fs.createFile(file);
        writeOrAbort(
            builder.create().overwrite(true).recursive().must(CONDITIONAL_CREATE, true).build(),
            content);
      } catch (IOException e) {
        // Stores differ in how they report that the condition does not hold.
        if (fs.exists(file)) {
          return false;
        }
        throw e;
      }
      return true;
    }

    private void writeTemporary(Path temporary, byte[] content, @Nullable FsPermission mode)
        throws IOException {
      try (FSDataOutputStream out =
          mode == null
              ? fs.create(temporary, false)
              : fs.create(
                  temporary,
                  mode,
                  false,
                  4096,
                  fs.getDefaultReplication(temporary),
                  fs.getDefaultBlockSize(temporary),
                  null)) {
        if (mode != null) {
          fs.setPermission(temporary, mode);
        }
        out.write(content);
        if (out.hasCapability(StreamCapabilities.HSYNC)) {
          out.hsync();
        }
      }
    }

    private boolean renameIfAbsent(Path source, Path target) throws IOException {
      try {
        context().rename(source, target, Options.Rename.NONE);
        return true;
      } catch (org.apache.hadoop.fs.FileAlreadyExistsException e) {
        return false;
      } catch (UnsupportedFileSystemException e) {
        if (fs.exists(target)) {
          return false;
        }
        if (fs.rename(source, target)) {
          return true;
        }
        if (fs.exists(target)) {
          return false;
        }
        throw new IOException("cannot rename " + source + " to " + target, e);
      }
    }

    /** Of a store whose objects appear on closing: a part must not. */
    private static void writeOrAbort(FSDataOutputStream out, byte[] content) throws IOException {
      try {
        out.write(content);
      } catch (IOException e) {
        out.abort();
        throw e;
      }
      out.close();
    }

    /** What can be taken back while it is written has not appeared yet. */
    private boolean appearsOnClose(Path path) throws IOException {
      return fs.hasPathCapability(path, CommonPathCapabilities.ABORTABLE_STREAM);
    }

    private boolean createsOnCondition(Path path) throws IOException {
      return appearsOnClose(path) && fs.hasPathCapability(path, CONDITIONAL_CREATE);
    }

    /** Also below the mount table of viewfs. */
    private boolean isHdfs(Path directory) throws IOException {
      return "hdfs".equals(fs.resolvePath(directory).toUri().getScheme());
    }

    /** The newer interface, whose rename can refuse to overwrite; one for all, each is a client. */
    private synchronized FileContext context() throws UnsupportedFileSystemException {
      if (context == null) {
        context = FileContext.getFileContext(fs.getUri(), conf);
      }
      return context;
    }

    @Override
    void write(Path file, byte[] content) throws IOException {
      try (FSDataOutputStream out = fs.create(file, false)) {
        out.write(content);
      }
    }

    @Override
    void publish(Path directory, Path target) throws IOException {
      try {
        context().rename(directory, target, Options.Rename.NONE);
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
