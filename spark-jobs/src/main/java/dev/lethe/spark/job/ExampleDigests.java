package dev.lethe.spark.job;

import dev.lethe.spark.certificate.DataDigest;
import dev.lethe.spark.certificate.VaultKey;
import org.jspecify.annotations.Nullable;

/** Where the keyed digests of a release's examples come from. */
@FunctionalInterface
interface ExampleDigests {
  /**
   * @param original null where the original rows are not there, or not featurised alike
   * @param corrected null where the corrected rows were not read
   */
  record Both(@Nullable DataDigest original, @Nullable DataDigest corrected) {}

  Both under(VaultKey key);
}
