package dev.lethe.spark.job;

import dev.lethe.spark.certificate.VaultKey;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** The digests of several releases that share rows: taken once, for all of them, under one key. */
final class SharedDigests {
  private final Function<VaultKey, List<ExampleDigests.Both>> digesting;
  private @Nullable String key;
  private List<ExampleDigests.Both> digests = List.of();

  /**
   * @param digesting makes those of all releases, in their order
   */
  SharedDigests(Function<VaultKey, List<ExampleDigests.Both>> digesting) {
    this.digesting = digesting;
  }

  /** Those of one release. */
  ExampleDigests of(int release) {
    return vaultKey -> taken(vaultKey).get(release);
  }

  private synchronized List<ExampleDigests.Both> taken(VaultKey vaultKey) {
    String asked = vaultKey.digest("key", new byte[0]); // equal for equal keys, and tells nothing
    if (!asked.equals(key)) {
      digests = digesting.apply(vaultKey);
      key = asked;
    }
    return digests;
  }
}
