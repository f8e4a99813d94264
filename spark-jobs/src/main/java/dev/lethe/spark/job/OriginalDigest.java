package dev.lethe.spark.job;

import dev.lethe.spark.certificate.DataDigest;
import dev.lethe.spark.certificate.VaultKey;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The keyed digest of the original examples: taken once, however many releases record it under one
 * key.
 */
final class OriginalDigest {
  private @Nullable String key;
  private @Nullable DataDigest digest;

  DataDigest taken(VaultKey vaultKey, Supplier<DataDigest> digesting) {
    String asked = vaultKey.digest("key", new byte[0]); // equal for equal keys, and tells nothing
    if (digest == null || !asked.equals(key)) {
      digest = digesting.get();
      key = asked;
    }
    return digest;
  }
}
