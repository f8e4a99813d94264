package dev.lethe.spark.certificate;

import dev.lethe.core.model.ExampleBlock;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Objects;
import javax.crypto.Mac;
import org.apache.spark.HashPartitioner;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.api.java.function.PairFlatMapFunction;
import org.jspecify.annotations.Nullable;
import scala.Tuple2;

/**
 * A keyed digest of examples that does not depend on their order, their partitions or on how their
 * blocks are stored.
 *
 * <p>Each example (label, weight, entries that are not zero) is hashed by HMAC-SHA-256. The hashes
 * are put into {@value #BUCKETS} buckets by their first bits, sorted within each bucket, and hashed
 * again under the key; the digest is the HMAC over the buckets' counts and hashes in order. A sum
 * or XOR of the row hashes would not do: the difference of two such digests is the deleted row's
 * hash.
 *
 * <p>One pass and one shuffle of 32 bytes a row; an executor sorts one bucket at a time.
 */
public final class ExampleDigest {
  /** A fixed number, so that the digest does not depend on the cluster: the first 12 bits. */
  static final int BUCKETS = 4096;

  private static final int HASH_BYTES = 32;

  private ExampleDigest() {}

  /** The digest of all examples in {@code blocks}. */
  public static DataDigest of(JavaRDD<ExampleBlock> blocks, VaultKey key) {
    int partitions = Math.max(1, Math.min(BUCKETS, blocks.getNumPartitions()));
    List<Tuple2<Integer, Bucket>> buckets =
        new ArrayList<>(
            blocks
                .mapPartitionsToPair(new HashExamples(key))
                .partitionBy(new HashPartitioner(partitions))
                .mapPartitions(new DigestBuckets(key))
                .collect()); // at most BUCKETS small results
    buckets.sort((a, b) -> Integer.compare(a._1(), b._1()));
    Mac mac = key.mac();
    long rows = 0;
    for (Tuple2<Integer, Bucket> bucket : buckets) {
      mac.update(ByteBuffer.allocate(12).putInt(bucket._1()).putLong(bucket._2().rows).array());
      mac.update(bucket._2().digest);
      rows += bucket._2().rows;
    }
    return new DataDigest(HexFormat.of().formatHex(mac.doFinal()), rows);
  }

  /** A plain class: Kryo cannot read records. */
  private static final class Bucket implements java.io.Serializable {
    private static final long serialVersionUID = 1L;
    private final byte[] digest;
    private final long rows;

    Bucket(byte[] digest, long rows) {
      this.digest = digest;
      this.rows = rows;
    }
  }

  /** Hashes examples into (bucket, hash). */
  private static final class HashExamples
      implements PairFlatMapFunction<Iterator<ExampleBlock>, Integer, byte[]> {
    private static final long serialVersionUID = 1L;
    private final VaultKey key;

    HashExamples(VaultKey key) {
      this.key = key;
    }

    @Override
    public Iterator<Tuple2<Integer, byte[]>> call(Iterator<ExampleBlock> blocks) {
      Mac mac = key.mac();
      return new Iterator<>() {
        private @Nullable ExampleBlock block;
        private int row;
        private ByteBuffer buffer = ByteBuffer.allocate(1024);

        @Override
        public boolean hasNext() {
          while (block == null || row == block.rows()) {
            if (!blocks.hasNext()) {
              return false;
            }
            block = blocks.next();
            row = 0;
          }
          return true;
        }

        @Override
        public Tuple2<Integer, byte[]> next() {
          if (!hasNext()) {
            throw new NoSuchElementException();
          }
          ExampleBlock current = Objects.requireNonNull(block);
          int needed = 16 + 12 * current.entries(row);
          if (buffer.capacity() < needed) {
            buffer = ByteBuffer.allocate(2 * needed);
          }
          buffer.clear();
          buffer.putDouble(current.label(row)).putDouble(current.weight(row));
          current.forEachEntry(
              row,
              (column, value) -> {
                if (value != 0) {
                  buffer.putInt(column).putDouble(value);
                }
              });
          mac.update(buffer.flip());
          byte[] hash = mac.doFinal();
          row++;
          return new Tuple2<>(((hash[0] & 0xff) << 4) | ((hash[1] & 0xff) >>> 4), hash);
        }
      };
    }
  }

  /** Sorts and hashes the buckets of a partition. */
  private static final class DigestBuckets
      implements FlatMapFunction<Iterator<Tuple2<Integer, byte[]>>, Tuple2<Integer, Bucket>> {
    private static final long serialVersionUID = 1L;
    private final VaultKey key;

    DigestBuckets(VaultKey key) {
      this.key = key;
    }

    @Override
    public Iterator<Tuple2<Integer, Bucket>> call(Iterator<Tuple2<Integer, byte[]>> hashes) {
      Hashes[] byBucket = new Hashes[BUCKETS];
      while (hashes.hasNext()) {
        Tuple2<Integer, byte[]> hash = hashes.next();
        int bucket = hash._1();
        if (byBucket[bucket] == null) {
          byBucket[bucket] = new Hashes();
        }
        byBucket[bucket].add(hash._2());
      }
      List<Tuple2<Integer, Bucket>> digests = new ArrayList<>();
      Mac mac = key.mac();
      for (int bucket = 0; bucket < BUCKETS; bucket++) {
        if (byBucket[bucket] != null) {
          digests.add(new Tuple2<>(bucket, byBucket[bucket].digest(mac)));
          byBucket[bucket] = null;
        }
      }
      return digests.iterator();
    }
  }

  /** A growing list of hashes in one array. */
  private static final class Hashes {
    private byte[] bytes = new byte[16 * HASH_BYTES];
    private int count;

    void add(byte[] hash) {
      if ((count + 1) * HASH_BYTES > bytes.length) {
        bytes = Arrays.copyOf(bytes, 2 * bytes.length);
      }
      System.arraycopy(hash, 0, bytes, count++ * HASH_BYTES, HASH_BYTES);
    }

    Bucket digest(Mac mac) {
      byte[][] sorted = new byte[count][];
      for (int k = 0; k < count; k++) {
        sorted[k] = Arrays.copyOfRange(bytes, k * HASH_BYTES, (k + 1) * HASH_BYTES);
      }
      Arrays.sort(sorted, Arrays::compareUnsigned);
      for (byte[] hash : sorted) {
        mac.update(hash);
      }
      return new Bucket(mac.doFinal(), count);
    }
  }
}
