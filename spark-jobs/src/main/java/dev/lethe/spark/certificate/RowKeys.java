package dev.lethe.spark.certificate;

import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.util.stream.IntStream;
import javax.crypto.Cipher;

/**
 * Secret elements of the field, one for each part of an example: key i is the last 126 bits of
 * AES-256 of the block that holds the number i. The keys of not too many columns are kept, of more
 * they are made for the entries at hand. Used by one thread.
 */
final class RowKeys {
  static final int SHIFT = 0;
  static final int LABEL = 1;
  static final int WEIGHT = 2;
  static final int FIRST_COLUMN = 3;

  /** Keys that a task keeps: 2 MiB. */
  static final int MOST_KEPT = 1 << 17;

  /** The most terms that are added at once. */
  static final int CHUNK = 256;

  private static final int BLOCK_BYTES = 16;
  private static final long LOW_62 = Long.MAX_VALUE >>> 1;

  private final Cipher cipher;
  private final ByteBuffer numbers = ByteBuffer.allocate(CHUNK * BLOCK_BYTES);
  private final ByteBuffer blocks = ByteBuffer.allocate(CHUNK * BLOCK_BYTES);
  // keys as sums of products take them: all of them, or those of a chunk
  private final long[] keys;
  private final boolean all;
  private final int[] inOrder = IntStream.range(0, CHUNK).toArray();

  RowKeys(VaultKey key, int features) {
    cipher = key.cipher();
    int count = FIRST_COLUMN + features;
    all = count <= MOST_KEPT;
    keys = new long[2 * (all ? count : CHUNK)];
    for (int from = 0; all && from < count; from += CHUNK) {
      int chunk = Math.min(CHUNK, count - from);
      make(IntStream.range(from, from + chunk).toArray(), 0, chunk, from);
    }
  }

  /**
   * Adds keys times values.
   *
   * @param parts the numbers of the keys; as the values in chunks of {@value #CHUNK}
   * @param to behind the last
   */
  void addTerms(int[] parts, long[] values, int from, int to, FieldElement sum) {
    if (!all) {
      make(parts, from, to, 0);
    }
    sum.addProducts(keys, all ? parts : inOrder, values, from, to);
  }

  /** Makes the key of part i the one at {@code offset} + i. */
  private void make(int[] parts, int from, int to, int offset) {
    for (int i = from; i < to; i++) {
      numbers.putLong(i * BLOCK_BYTES + Long.BYTES, parts[i]);
    }
    int bytes = (to - from) * BLOCK_BYTES;
    try {
      cipher.update(numbers.array(), from * BLOCK_BYTES, bytes, blocks.array(), 0);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("the blocks have room", e);
    }
    for (int i = from; i < to; i++) {
      long high = blocks.getLong((i - from) * BLOCK_BYTES) & LOW_62;
      long low = blocks.getLong((i - from) * BLOCK_BYTES + Long.BYTES);
      keys[2 * (offset + i)] = low & Long.MAX_VALUE;
      keys[2 * (offset + i) + 1] = high << 1 | low >>> 63;
    }
  }
}
