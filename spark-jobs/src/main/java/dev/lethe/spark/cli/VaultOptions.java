package dev.lethe.spark.cli;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.VaultEncryption;
import org.apache.hadoop.conf.Configuration;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** The vault's master key. */
final class VaultOptions {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec mixee;

  @Option(
      names = "--vault-keystore",
      paramLabel = "FILE",
      description =
          "PKCS#12 keystore with the AES key of 256 bits that the vault is encrypted under; its"
              + " password in the environment variable "
              + VaultEncryption.PASSWORD_VARIABLE
              + ". Instead of it, "
              + VaultEncryption.KEY_VARIABLE
              + " can hold the key as 64 hexadecimal digits (default: the vault is not encrypted)")
  private @Nullable String keystore;

  @Option(
      names = "--vault-alias",
      paramLabel = "ALIAS",
      description = "Which of the keystore's keys; required where it has several")
  private @Nullable String alias;

  boolean isKeystore() {
    return keystore != null;
  }

  /** The key of the environment or of the keystore; null if there is neither. */
  @Nullable VaultEncryption encryption(Configuration configuration) {
    String key = Lethe.environment(mixee).get(VaultEncryption.KEY_VARIABLE);
    if (alias != null && keystore == null) {
      throw new InvalidInputException("--vault-alias: needs --vault-keystore");
    }
    if (key != null && keystore != null) {
      throw new InvalidInputException(
          "--vault-keystore: "
              + VaultEncryption.KEY_VARIABLE
              + " is set, too; a vault has one master key");
    }
    if (key != null) {
      return VaultEncryption.ofHex(key, VaultEncryption.KEY_VARIABLE);
    }
    return keystore == null
        ? null
        : VaultEncryption.ofKeystore(
            configuration,
            keystore,
            alias,
            Lethe.password(mixee, "--vault-keystore", VaultEncryption.PASSWORD_VARIABLE));
  }
}
