package dev.lethe.spark.job;

import dev.lethe.spark.certificate.SigningKey;
import dev.lethe.spark.certificate.VaultEncryption;
import org.jspecify.annotations.Nullable;

/**
 * The keys that a release is made with.
 *
 * @param vault the vault's master key, or null for a vault in plain text
 * @param signing signs the certificate; null for none
 */
public record ReleaseKeys(@Nullable VaultEncryption vault, @Nullable SigningKey signing) {
  /** Nothing is encrypted, nothing signed. */
  public static final ReleaseKeys NONE = new ReleaseKeys(null, null);
}
