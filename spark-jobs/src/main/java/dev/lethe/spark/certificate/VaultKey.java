package dev.lethe.spark.certificate;

import dev.lethe.spark.InvalidInputException;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.util.HexFormat;
import javax.crypto.Cipher;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.apache.hadoop.fs.Path;

/**
 * A 256-bit key of HMAC-SHA256 digests, or of AES. Its value never appears in {@link #toString}.
 */
public final class VaultKey implements Serializable {
  private static final long serialVersionUID = 1L;

  /** Length of a key and of a digest in bytes. */
  static final int BYTES = 32;

  private static final String ALGORITHM = "HmacSHA256";

  private final byte[] secret;

  private VaultKey(byte[] secret) {
    this.secret = secret;
  }

  /**
   * A key of 32 bytes.
   *
   * @throws IllegalArgumentException on any other length
   */
  public static VaultKey of(byte[] secret) {
    Require.that(secret.length == BYTES, "a vault key must have " + BYTES + " bytes");
    return new VaultKey(secret.clone());
  }

  /** A random key. */
  public static VaultKey random() {
    byte[] secret = new byte[BYTES];
    new SecureRandom().nextBytes(secret);
    return new VaultKey(secret);
  }

  /** A key written in 64 hexadecimal digits. */
  public static VaultKey ofHex(String hex) {
    return of(HexFormat.of().parseHex(hex));
  }

  /** The key in 64 hexadecimal digits: confidential. */
  public String toHex() {
    return HexFormat.of().formatHex(secret);
  }

  /** As it is kept in a file. */
  byte[] toText() {
    return (toHex() + "\n").getBytes(StandardCharsets.US_ASCII);
  }

  /**
   * Reads what {@link #toText} wrote.
   *
   * @throws InvalidInputException if it is anything else
   */
  static VaultKey ofText(byte[] text, Path file) {
    try {
      return ofHex(new String(text, StandardCharsets.US_ASCII).strip());
    } catch (IllegalArgumentException e) {
      // Without the cause: its message quotes a digit of the key.
      throw new InvalidInputException(
          "vault: " + file + " is damaged: it must hold 64 hexadecimal digits");
    }
  }

  SecretKeySpec aes() {
    return new SecretKeySpec(secret, "AES");
  }

  Mac mac() {
    try {
      Mac mac = Mac.getInstance(ALGORITHM);
      mac.init(new SecretKeySpec(secret, ALGORITHM));
      return mac;
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every Java platform has " + ALGORITHM, e);
    }
  }

  /** Encrypts single blocks by AES-256 under this key. */
  Cipher cipher() {
    try {
      Cipher cipher = Cipher.getInstance("AES/ECB/NoPadding");
      cipher.init(Cipher.ENCRYPT_MODE, aes());
      return cipher;
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every Java platform has AES", e);
    }
  }

  /**
   * Another key, HMAC-SHA256(this, label), from which this one cannot be found: what leaves the
   * driver is derived.
   */
  VaultKey derive(String label) {
    return new VaultKey(mac().doFinal(label.getBytes(StandardCharsets.UTF_8)));
  }

  /**
   * The keyed digest of one byte sequence, 64 hexadecimal digits.
   *
   * @param domain what the bytes are, for example {@code request}: equal bytes in different domains
   *     have unrelated digests
   */
  public String digest(String domain, byte[] content) {
    return KeyedDigest.of(this, domain).putBytes(content).hex();
  }

  @Override
  public String toString() {
    return "VaultKey[hidden]";
  }
}
