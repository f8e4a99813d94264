package dev.lethe.core.linalg;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Arrays as big-endian bytes behind their length, in chunks that need little memory. */
public final class Binary {
  private static final int CHUNK = 8192;

  private Binary() {}

  /** Writes length and values. */
  public static void write(DataOutput out, double[] values) throws IOException {
    out.writeInt(values.length);
    ByteBuffer buffer = ByteBuffer.allocate(CHUNK * Double.BYTES);
    for (int first = 0; first < values.length; first += CHUNK) {
      int count = Math.min(CHUNK, values.length - first);
      buffer.asDoubleBuffer().put(values, first, count);
      out.write(buffer.array(), 0, count * Double.BYTES);
    }
  }

  /**
   * Fills an array with what was written of one of the same length.
   *
   * @throws IOException also if the length is another
   */
  public static void read(DataInput in, double[] values) throws IOException {
    int length = in.readInt();
    if (length != values.length) {
      throw new IOException(length + " numbers where " + values.length + " are expected");
    }
    byte[] bytes = new byte[CHUNK * Double.BYTES];
    for (int first = 0; first < length; first += CHUNK) {
      int count = Math.min(CHUNK, length - first);
      in.readFully(bytes, 0, count * Double.BYTES);
      ByteBuffer.wrap(bytes).asDoubleBuffer().get(values, first, count);
    }
  }

  /** Writes length and values. */
  public static void write(DataOutput out, long[] values) throws IOException {
    out.writeInt(values.length);
    for (long value : values) {
      out.writeLong(value);
    }
  }

  /** As {@link #read(DataInput, double[])}. */
  public static void read(DataInput in, long[] values) throws IOException {
    int length = in.readInt();
    if (length != values.length) {
      throw new IOException(length + " numbers where " + values.length + " are expected");
    }
    for (int i = 0; i < length; i++) {
      values[i] = in.readLong();
    }
  }
}
