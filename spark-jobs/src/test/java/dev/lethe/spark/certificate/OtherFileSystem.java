package dev.lethe.spark.certificate;

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.CommonPathCapabilities;
import org.apache.hadoop.fs.DelegateToFileSystem;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FSDataOutputStreamBuilder;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.util.Progressable;

/**
 * A Hadoop file system that is not the local one: the code for HDFS and the like runs on it. Its
 * rename moves into an existing directory, as Hadoop's do.
 */
public class OtherFileSystem extends RawLocalFileSystem {
  private static final URI NAME = URI.create("other:///");

  /** When true, somebody else publishes the target just before a directory is renamed to it. */
  static volatile boolean raced;

  /** When true, no directory can be deleted. */
  public static volatile boolean undeletable;

  /** When true, a rename fails after everything is in place, as that of a store that copies. */
  public static volatile boolean failsAfterRename;

  @Override
  public boolean delete(Path path, boolean recursive) throws IOException {
    if (undeletable && recursive) {
      throw new IOException("read-only");
    }
    return super.delete(path, recursive);
  }

  @Override
  public URI getUri() {
    return NAME;
  }

  @Override
  public String getScheme() {
    return "other";
  }

  @Override
  public boolean rename(Path source, Path target) throws IOException {
    if (raced) {
      File other = pathToFile(target);
      Files.createDirectories(other.toPath());
      Files.writeString(other.toPath().resolve("theirs"), "x");
    }
    boolean renamed = super.rename(source, target);
    if (failsAfterRename && pathToFile(target).isDirectory()) {
      throw new IOException("the source cannot be deleted");
    }
    return renamed;
  }

  /** The same under the name of a file system that has modes. */
  public static final class Hdfs extends OtherFileSystem {
    @Override
    public URI getUri() {
      return URI.create("hdfs:///");
    }

    @Override
    public String getScheme() {
      return "hdfs";
    }

    /** Without the local one's, which reads the mode of file:/ paths alone. */
    @Override
    public FileStatus getFileStatus(Path path) throws IOException {
      FileStatus status = super.getFileStatus(path);
      String mode =
          PosixFilePermissions.toString(Files.getPosixFilePermissions(pathToFile(path).toPath()));
      return new FileStatus(
          status.getLen(),
          status.isDirectory(),
          1,
          status.getBlockSize(),
          status.getModificationTime(),
          0,
          FsPermission.valueOf("-" + mode),
          "",
          "",
          status.getPath());
    }
  }

  /**
   * Like S3A: an object appears when it is complete, on condition that there is none if that is
   * asked for, and nothing can be renamed.
   */
  public static final class Store extends OtherFileSystem {
    @Override
    public URI getUri() {
      return URI.create("store:///");
    }

    @Override
    public String getScheme() {
      return "store";
    }

    @Override
    public boolean hasPathCapability(Path path, String capability) throws IOException {
      return capability.equals(Storage.CONDITIONAL_CREATE)
          || capability.equals(CommonPathCapabilities.ABORTABLE_STREAM)
          || super.hasPathCapability(path, capability);
    }

    @Override
    public FSDataOutputStream create(
        Path path,
        boolean overwrite,
        int bufferSize,
        short replication,
        long blockSize,
        Progressable progress)
        throws IOException {
      return upload(path, true);
    }

    @Override
    public FSDataOutputStream create(
        Path path,
        FsPermission permission,
        boolean overwrite,
        int bufferSize,
        short replication,
        long blockSize,
        Progressable progress)
        throws IOException {
      return upload(path, true);
    }

    @Override
    @SuppressWarnings("rawtypes") // as declared by Hadoop
    public FSDataOutputStreamBuilder createFile(Path path) {
      return new Upload(this, path);
    }

    @Override
    public boolean rename(Path source, Path target) throws IOException {
      throw new IOException("a store has no rename");
    }

    private FSDataOutputStream upload(Path path, boolean overwrite) throws IOException {
      java.nio.file.Path object = pathToFile(path).toPath();
      return new FSDataOutputStream(
          new ByteArrayOutputStream() {
            @Override
            public void close() throws IOException {
              java.nio.file.Path folder = object.getParent();
              Files.createDirectories(folder);
              java.nio.file.Path part = folder.resolve("." + UUID.randomUUID());
              Files.write(part, toByteArray());
              if (overwrite) {
                Files.move(part, object, StandardCopyOption.ATOMIC_MOVE);
                return;
              }
              try {
                Files.createLink(object, part);
              } catch (java.nio.file.FileAlreadyExistsException e) {
                throw new IOException("412", e);
              } finally {
                Files.delete(part);
              }
            }
          },
          null);
    }

    private static final class Upload
        extends FSDataOutputStreamBuilder<FSDataOutputStream, Upload> {
      private final Store store;

      Upload(Store store, Path path) {
        super(store, path);
        this.store = store;
      }

      @Override
      public Upload getThisBuilder() {
        return this;
      }

      @Override
      public FSDataOutputStream build() throws IOException {
        return store.upload(getPath(), !getMandatoryKeys().contains(Storage.CONDITIONAL_CREATE));
      }
    }
  }

  static Configuration conf() {
    Configuration conf = new Configuration();
    conf.setClass("fs.store.impl", Store.class, org.apache.hadoop.fs.FileSystem.class);
    conf.setClass("fs.other.impl", OtherFileSystem.class, org.apache.hadoop.fs.FileSystem.class);
    conf.setClass("fs.hdfs.impl", Hdfs.class, org.apache.hadoop.fs.FileSystem.class);
    return conf;
  }

  /** With the newer interface (FileContext) as HDFS has it. */
  static Configuration confWithContext() {
    Configuration conf = conf();
    conf.setClass(
        "fs.AbstractFileSystem.other.impl",
        Context.class,
        org.apache.hadoop.fs.AbstractFileSystem.class);
    return conf;
  }

  /** Made by Hadoop, by reflection. */
  public static final class Context extends DelegateToFileSystem {
    public Context(URI uri, Configuration conf) throws IOException, URISyntaxException {
      super(uri, new OtherFileSystem(), conf, "other", false);
    }
  }
}
