package dev.lethe.spark.job;

import dev.lethe.spark.certificate.PublicSigningKey;
import dev.lethe.spark.certificate.VaultEncryption;
import org.jspecify.annotations.Nullable;

/**
 * The keys that a release is checked with.
 *
 * @param vault the vault's master key, or null for a vault in plain text
 * @param signer whose signature the certificate must have; null if that is not checked
 */
public record VerificationKeys(@Nullable VaultEncryption vault, @Nullable PublicSigningKey signer) {
  /** A vault in plain text, and no signature. */
  public static final VerificationKeys NONE = new VerificationKeys(null, null);
}
