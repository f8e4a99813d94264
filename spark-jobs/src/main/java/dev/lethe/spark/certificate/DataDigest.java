package dev.lethe.spark.certificate;

import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import dev.lethe.core.model.ExampleBlock;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Objects;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;
import scala.Tuple2;
import scala.Tuple3;

/**
 * The keyed digest of a multiset of examples: it does not depend on their order, their partitions
 * or on whether their blocks are stored dense or sparse.
 *
 * <p>With h(example) = HMAC-SHA256(k1, label, weight, every entry that is not zero with its
 * column):
 *
 * <ol>
 *   <li>the hashes go into {@value #BUCKETS} buckets by their first 12 bits;
 *   <li>the digest of a bucket is the HMAC under k2 of its number, its hashes in ascending order
 *       and its size;
 *   <li>the digest of the data is the HMAC under the vault key of the number of features, the
 *       number of rows and the number, size and digest of every bucket that is not empty, in
 *       ascending order.
 * </ol>
 *
 * k1 and k2 are derived from the vault key, which itself stays on the driver. A sum or exclusive or
 * of the hashes would be cheaper, and the difference of two digests would be the hash of a deleted
 * row; this one says nothing beyond equality, even to somebody who can have other data digested.
 *
 * <p>One pass over the cached blocks and one shuffle of 44 bytes a row; at most {@value #BUCKETS}
 * digests come to the driver.
 *
 * @param value 64 hexadecimal digits in lower case
 * @param rows number of rows
 */
@JsonPropertyOrder({"value", "rows"})
public record DataDigest(String value, long rows) {
  static final int BUCKETS = 4096;

  public DataDigest {
    Require.sha256(value, "digest of the data");
    Require.count(rows, "rows of the data");
  }

  /**
   * Digests examples with one Spark action.
   *
   * @param features d
   */
  public static DataDigest of(
      SparkSession spark, JavaRDD<ExampleBlock> blocks, int features, VaultKey key) {
    Dataset<Tuple2<Integer, byte[]>> hashes =
        spark.createDataset(
            blocks.mapPartitions(new ExampleHashes(key.derive("lethe/rows/1"))).rdd(),
            Encoders.tuple(Encoders.INT(), Encoders.BINARY()));
    List<Tuple3<Integer, Long, byte[]>> buckets =
        new ArrayList<>(
            hashes
                // Not Spark's default of 200 tasks: for a small table they take longer than all
                // passes.
                .repartition(Math.min(blocks.getNumPartitions(), BUCKETS), hashes.col("_1"))
                .sortWithinPartitions("_1", "_2")
                .mapPartitions(
                    new BucketDigests(key.derive("lethe/buckets/1")),
                    Encoders.tuple(Encoders.INT(), Encoders.LONG(), Encoders.BINARY()))
                .collectAsList());
    buckets.sort(Comparator.comparing(Tuple3::_1));
    long rows = 0;
    for (Tuple3<Integer, Long, byte[]> bucket : buckets) {
      rows += bucket._2();
    }
    KeyedDigest digest = KeyedDigest.of(key, "data").putInt(features).putLong(rows);
    for (Tuple3<Integer, Long, byte[]> bucket : buckets) {
      digest.putInt(bucket._1()).putLong(bucket._2()).putBytes(bucket._3());
    }
    return new DataDigest(digest.hex(), rows);
  }

  private static int bucket(byte[] hash) {
    return (hash[0] & 0xff) << 4 | (hash[1] & 0xff) >>> 4;
  }

  /**
   * Examples to (bucket, hash). A named class: its name, not a field, appears in plans and logs.
   */
  private static final class ExampleHashes
      implements FlatMapFunction<Iterator<ExampleBlock>, Tuple2<Integer, byte[]>> {
    private static final long serialVersionUID = 1L;
    private final VaultKey key;

    ExampleHashes(VaultKey key) {
      this.key = key;
    }

    @Override
    public Iterator<Tuple2<Integer, byte[]>> call(Iterator<ExampleBlock> blocks) {
      return new HashIterator(blocks, KeyedDigest.of(key, "row"));
    }
  }

  private static final class HashIterator
      implements Iterator<Tuple2<Integer, byte[]>>, ExampleBlock.EntryConsumer {
    private final Iterator<ExampleBlock> blocks;
    private final KeyedDigest digest;
    private @Nullable ExampleBlock block;
    private int row;

    HashIterator(Iterator<ExampleBlock> blocks, KeyedDigest digest) {
      this.blocks = blocks;
      this.digest = digest;
    }

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
      digest
          .putLong(Double.doubleToLongBits(current.label(row)))
          .putLong(Double.doubleToLongBits(current.weight(row)));
      current.forEachEntry(row, this);
      row++;
      byte[] hash = digest.finish();
      return new Tuple2<>(bucket(hash), hash);
    }

    @Override
    public void accept(int column, double value) {
      if (value != 0) {
        digest.putInt(column).putLong(Double.doubleToLongBits(value));
      }
    }
  }

  /** Sorted (bucket, hash) to one (bucket, size, digest) a bucket, in one stream. */
  private static final class BucketDigests
      implements MapPartitionsFunction<Tuple2<Integer, byte[]>, Tuple3<Integer, Long, byte[]>>,
          Serializable {
    private static final long serialVersionUID = 1L;
    private final VaultKey key;

    BucketDigests(VaultKey key) {
      this.key = key;
    }

    @Override
    public Iterator<Tuple3<Integer, Long, byte[]>> call(Iterator<Tuple2<Integer, byte[]>> hashes) {
      List<Tuple3<Integer, Long, byte[]>> digests = new ArrayList<>();
      KeyedDigest digest = KeyedDigest.of(key, "bucket");
      int bucket = -1;
      long size = 0;
      while (hashes.hasNext()) {
        Tuple2<Integer, byte[]> next = hashes.next();
        if (next._1() != bucket) {
          if (size > 0) {
            digests.add(new Tuple3<>(bucket, size, digest.putLong(size).finish()));
          }
          bucket = next._1();
          size = 0;
          digest.putInt(bucket);
        }
        digest.putBytes(next._2());
        size++;
      }
      if (size > 0) {
        digests.add(new Tuple3<>(bucket, size, digest.putLong(size).finish()));
      }
      return digests.iterator();
    }
  }
}
