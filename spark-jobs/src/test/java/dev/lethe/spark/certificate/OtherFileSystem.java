package dev.lethe.spark.certificate;

import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.attribute.PosixFilePermissions;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.DelegateToFileSystem;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.permission.FsPermission;

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

  static Configuration conf() {
    Configuration conf = new Configuration();
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
