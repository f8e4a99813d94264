package dev.lethe.spark.certificate;

import dev.lethe.spark.InvalidInputException;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.HexFormat;
import javax.crypto.AEADBadTagException;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;

/**
 * Whole files under AES-256-GCM. A file is
 *
 * <pre>{@code magic (8) | version 1 (1) | key id (16) | nonce (12) | ciphertext | tag (16)}</pre>
 *
 * with the file's path inside the vault as associated data, so that a file is read where it was
 * written and nowhere else. The nonce is random: NIST SP 800-38D, 8.3, allows 2^32 files under one
 * key.
 */
final class FileCipher {
  /** Whose key it is. */
  enum Kind {
    /** The vault's master key. */
    VAULT("LETHEVLT"),
    /** A data key, which can be destroyed. */
    SEALED("LETHESLD");

    private final byte[] magic;

    Kind(String magic) {
      this.magic = magic.getBytes(StandardCharsets.US_ASCII);
    }
  }

  private static final int MAGIC = 8;
  private static final byte VERSION = 1;
  private static final int ID = 16;
  private static final int NONCE = 12;
  private static final int TAG = 16;

  /** Bytes before the nonce. */
  static final int HEADER = MAGIC + 1 + ID;

  private final VaultKey key;
  private final byte[] header;

  FileCipher(VaultKey key, Kind kind) {
    this.key = key;
    header = Arrays.copyOf(kind.magic, HEADER);
    header[MAGIC] = VERSION;
    byte[] id = KeyedDigest.of(key, "key-id").finish();
    System.arraycopy(id, 0, header, MAGIC + 1, ID);
  }

  /** Whether a file begins as those that are encrypted by keys of this kind do. */
  static boolean isEncrypted(byte[] start, Kind kind) {
    return start.length >= MAGIC && Arrays.equals(start, 0, MAGIC, kind.magic, 0, MAGIC);
  }

  /** Names the key and tells nothing of it: HMAC-SHA256 under it, 32 hexadecimal digits. */
  String keyId() {
    return HexFormat.of().formatHex(header, MAGIC + 1, HEADER);
  }

  byte[] encrypt(String path, byte[] content) {
    byte[] file =
        Arrays.copyOf(header, Math.addExact(HEADER + NONCE, Math.addExact(content.length, TAG)));
    byte[] nonce = new byte[NONCE];
    new SecureRandom().nextBytes(nonce);
    System.arraycopy(nonce, 0, file, HEADER, NONCE);
    try {
      cipher(Cipher.ENCRYPT_MODE, nonce, path)
          .doFinal(content, 0, content.length, file, HEADER + NONCE);
      return file;
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("AES-GCM cannot encrypt", e);
    }
  }

  /**
   * The content of a file.
   *
   * @param path where it is, inside the vault
   * @param place names the file, for messages
   * @throws InvalidInputException if it was encrypted under another key or for another path, or
   *     changed
   */
  byte[] decrypt(String path, byte[] file, String place) {
    if (file.length < HEADER + NONCE + TAG
        || !Arrays.equals(file, 0, MAGIC + 1, header, 0, MAGIC + 1)) {
      throw new InvalidInputException(
          "vault: " + place + " is damaged, or not encrypted as version " + VERSION + " does it");
    }
    requireKey(file, place);
    byte[] nonce = Arrays.copyOfRange(file, HEADER, HEADER + NONCE);
    try {
      return cipher(Cipher.DECRYPT_MODE, nonce, path)
          .doFinal(file, HEADER + NONCE, file.length - HEADER - NONCE);
    } catch (AEADBadTagException e) {
      throw new InvalidInputException(
          "vault: " + place + " is damaged, or was written for another place in the vault", e);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("AES-GCM cannot decrypt", e);
    }
  }

  /**
   * Refuses a file under another key.
   *
   * @param start of the file, at least its header
   * @throws InvalidInputException if it names another
   */
  void requireKey(byte[] start, String place) {
    if (!Arrays.equals(start, MAGIC + 1, HEADER, header, MAGIC + 1, HEADER)) {
      throw new InvalidInputException(
          "vault: "
              + place
              + " is encrypted under the key "
              + HexFormat.of().formatHex(start, MAGIC + 1, HEADER)
              + ", not under the one that was given, "
              + keyId());
    }
  }

  private Cipher cipher(int mode, byte[] nonce, String path) throws GeneralSecurityException {
    Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
    cipher.init(mode, key.aes(), new GCMParameterSpec(8 * TAG, nonce));
    cipher.updateAAD(path.getBytes(StandardCharsets.UTF_8));
    return cipher;
  }
}
