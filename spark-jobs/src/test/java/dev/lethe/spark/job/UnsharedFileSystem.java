package dev.lethe.spark.job;

import java.io.File;
import java.net.URI;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.spark.TaskContext;

/**
 * The local disks of a cluster that shares none: what a task writes is not where the driver looks.
 */
public final class UnsharedFileSystem extends RawLocalFileSystem {
  static final String SCHEME = "unshared";

  private static final File EXECUTOR = Places.directory("executor").toFile();

  @Override
  public File pathToFile(Path path) {
    File file = super.pathToFile(path);
    return TaskContext.get() == null ? file : new File(EXECUTOR, file.getPath());
  }

  @Override
  public URI getUri() {
    return URI.create(SCHEME + ":///");
  }

  @Override
  public String getScheme() {
    return SCHEME;
  }
}
