package dev.lethe.spark.certificate;

import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;

/** The local file system. */
class LocalStorageTest extends StorageContract {
  @Override
  protected Configuration conf() {
    return new Configuration();
  }

  @Override
  protected Path root() {
    return new Path(local.resolve("in/root").toUri());
  }
}
