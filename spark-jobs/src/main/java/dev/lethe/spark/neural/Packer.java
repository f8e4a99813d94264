package dev.lethe.spark.neural;

import java.io.Serializable;
import java.util.Arrays;
import java.util.Iterator;
import java.util.NoSuchElementException;
import org.apache.spark.sql.catalyst.InternalRow;

/** Takes rows, gives blocks. */
abstract class Packer<B> implements Serializable {
  private static final long serialVersionUID = 1L;

  /** Examples of a block at most; of texts about, since a text is not cut. */
  static final int BLOCK_ROWS = 1024;

  /** Of a block at most, unless one example has more. */
  private static final int BLOCK_BYTES = 8 << 20;

  /** Tokens of a block of texts, 2 bytes each, beyond which no text is added. */
  static final int BLOCK_TOKENS = BLOCK_BYTES / 2;

  /** What an array may have. */
  static final int MOST_TOKENS = Integer.MAX_VALUE - 16;

  /** The next block, perhaps an empty one. */
  abstract B pack(Iterator<InternalRow> rows);

  /** All blocks of a partition. */
  final Iterator<B> packed(Iterator<InternalRow> rows) {
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return rows.hasNext();
      }

      @Override
      public B next() {
        if (!hasNext()) {
          throw new NoSuchElementException();
        }
        return pack(rows);
      }
    };
  }

  /**
   * Examples of a block.
   *
   * @param numbers that an example has, 4 bytes each
   */
  static int blockRows(long numbers) {
    return (int) Math.max(1, Math.min(BLOCK_ROWS, BLOCK_BYTES / (Float.BYTES * numbers)));
  }

  /** The array, or a longer one that begins like it, with room for so many. */
  static short[] room(short[] array, int size) {
    return size <= array.length ? array : Arrays.copyOf(array, grown(size, array.length));
  }

  /** The same of other numbers. */
  static float[] room(float[] array, int size) {
    return size <= array.length ? array : Arrays.copyOf(array, grown(size, array.length));
  }

  /** The same of other numbers. */
  static int[] room(int[] array, int size) {
    return size <= array.length ? array : Arrays.copyOf(array, grown(size, array.length));
  }

  private static int grown(int size, int length) {
    return (int) Math.min(MOST_TOKENS, Math.max(size, 2L * length));
  }
}
