package dev.lethe.spark.certificate;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import javax.crypto.Mac;

/**
 * HMAC-SHA256 over a sequence of values, each encoded so that no two sequences share their bytes:
 * numbers big-endian with a fixed width, byte strings after their length as 8 bytes. The sequence
 * starts with the text {@code lethe/<domain>/1}.
 */
public final class KeyedDigest {
  private final Mac mac;
  private final byte[] start;
  // a call of Mac.update costs more than the few bytes of a number
  private final ByteBuffer pending = ByteBuffer.allocate(4096);

  private KeyedDigest(Mac mac, String domain) {
    this.mac = mac;
    this.start = ("lethe/" + domain + "/1").getBytes(StandardCharsets.UTF_8);
    putBytes(start);
  }

  /** An empty sequence of the given domain. */
  public static KeyedDigest of(VaultKey key, String domain) {
    return new KeyedDigest(key.mac(), domain);
  }

  public KeyedDigest putInt(int value) {
    room(Integer.BYTES).putInt(value);
    return this;
  }

  public KeyedDigest putLong(long value) {
    room(Long.BYTES).putLong(value);
    return this;
  }

  public KeyedDigest putBytes(byte[] value) {
    return putBytes(value, 0, value.length);
  }

  KeyedDigest putBytes(byte[] value, int offset, int length) {
    putLong(length);
    if (length <= pending.capacity()) {
      room(length).put(value, offset, length);
    } else {
      flush();
      mac.update(value, offset, length);
    }
    return this;
  }

  private ByteBuffer room(int bytes) {
    if (pending.remaining() < bytes) {
      flush();
    }
    return pending;
  }

  private void flush() {
    mac.update(pending.flip());
    pending.clear();
  }

  /** The digest, 32 bytes; the object then starts the next sequence of its domain. */
  public byte[] finish() {
    flush();
    byte[] digest = mac.doFinal();
    putBytes(start);
    return digest;
  }

  /** {@link #finish} as 64 hexadecimal digits in lower case. */
  public String hex() {
    return HexFormat.of().formatHex(finish());
  }
}
