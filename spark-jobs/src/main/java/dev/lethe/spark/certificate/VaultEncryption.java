package dev.lethe.spark.certificate;

import dev.lethe.spark.InvalidInputException;
import java.security.KeyStore;
import java.util.regex.Pattern;
import org.apache.hadoop.conf.Configuration;
import org.jspecify.annotations.Nullable;

/**
 * A {@link Vault}'s master key: with it every file of the vault is encrypted, and none is read that
 * is not. Its value never appears in {@link #toString}.
 */
public final class VaultEncryption {
  /** The environment variable that the password of a keystore comes from. */
  public static final String PASSWORD_VARIABLE = "LETHE_VAULT_PASSWORD";

  /** The environment variable that holds a key itself. */
  public static final String KEY_VARIABLE = "LETHE_VAULT_KEY";

  private static final Pattern HEX = Pattern.compile("[0-9a-fA-F]{64}");

  private final FileCipher cipher;

  private VaultEncryption(VaultKey key) {
    cipher = new FileCipher(key, FileCipher.Kind.VAULT);
  }

  /**
   * A key of 64 hexadecimal digits.
   *
   * @param name where it comes from, for messages
   * @throws InvalidInputException if it is anything else
   */
  public static VaultEncryption ofHex(String hex, String name) {
    String digits = hex.strip();
    if (!HEX.matcher(digits).matches()) {
      throw new InvalidInputException(
          name
              + ": must be 64 hexadecimal digits (openssl rand -hex 32), has "
              + digits.length()
              + " characters"
              + (digits.length() == 64 ? " and not all are digits" : ""));
    }
    return new VaultEncryption(VaultKey.ofHex(digits));
  }

  /**
   * A key of a PKCS#12 keystore, as {@code keytool -genseckey -keyalg AES -keysize 256 -storetype
   * PKCS12} writes it. Warns if others can read it.
   *
   * @param alias its name, or null where there is one secret key
   * @throws InvalidInputException if it cannot be read, has no such key, or one that is not of 256
   *     bits
   */
  public static VaultEncryption ofKeystore(
      Configuration conf, String file, @Nullable String alias, char[] password) {
    KeyFile read = KeyFile.readSecret(conf, "vault keystore", file);
    byte[] key =
        read.keystoreKey(alias, password, KeyStore.SecretKeyEntry.class, PASSWORD_VARIABLE)
            .getEncoded();
    if (key.length != VaultKey.BYTES) {
      throw read.invalid(
          "holds a key of " + 8 * key.length + " bits", "of a key of " + 8 * VaultKey.BYTES);
    }
    return new VaultEncryption(VaultKey.of(key));
  }

  /** Names the key and tells nothing of it; 32 hexadecimal digits. */
  public String keyId() {
    return cipher.keyId();
  }

  FileCipher cipher() {
    return cipher;
  }

  @Override
  public String toString() {
    return "VaultEncryption[" + keyId() + "]";
  }
}
