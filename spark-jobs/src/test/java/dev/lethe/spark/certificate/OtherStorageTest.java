package dev.lethe.spark.certificate;

import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;

/** A file system whose rename overwrites, and that has only the older interface. */
class OtherStorageTest extends StorageContract {
  @Override
  protected Configuration conf() {
    return OtherFileSystem.conf();
  }

  @Override
  protected Path root() {
    return new Path("other://" + local.resolve("in/root"));
  }

  @Override
  protected boolean exclusive() {
    return false;
  }
}
