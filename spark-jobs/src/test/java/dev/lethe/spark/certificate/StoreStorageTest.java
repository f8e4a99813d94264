package dev.lethe.spark.certificate;

import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;

/** A store without a rename that writes on condition, as S3A does. */
class StoreStorageTest extends StorageContract {
  @Override
  protected Configuration conf() {
    return OtherFileSystem.conf();
  }

  @Override
  protected Path root() {
    return new Path("store://" + local.resolve("in/root"));
  }
}
