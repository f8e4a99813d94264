package dev.lethe.spark.certificate;

import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import dev.lethe.core.model.ExampleBlock;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Objects;
import org.apache.spark.Partitioner;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.api.java.function.PairFlatMapFunction;
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
 * <p>One pass over the cached blocks and one shuffle of 32 bytes a row; a task then holds the
 * hashes of a bucket. At most {@value #BUCKETS} digests come to the driver.
 *
 * @param value 64 hexadecimal digits in lower case
 * @param rows number of rows
 */
@JsonPropertyOrder({"value", "rows"})
public record DataDigest(String value, long rows) {
  static final int BUCKETS = 4096;
  private static final int HASH_BYTES = 32;

  public DataDigest {
    Require.sha256(value, "digest of the data");
    Require.count(rows, "rows of the data");
  }

  /**
   * Digests examples with one Spark action.
   *
   * @param features d
   */
  public static DataDigest of(JavaRDD<ExampleBlock> blocks, int features, VaultKey key) {
    return of(blocks, features, new BitSet(), key);
  }

  /**
   * The same of examples with zeros in some columns, whatever the blocks have there.
   *
   * @param removed the columns
   */
  public static DataDigest of(
      JavaRDD<ExampleBlock> blocks, int features, BitSet removed, VaultKey key) {
    int tasks = Math.min(blocks.getNumPartitions(), BUCKETS);
    List<Tuple3<Integer, Long, byte[]>> buckets =
        new ArrayList<>(
            blocks
                .mapPartitionsToPair(new ExampleHashes(key.derive("lethe/rows/1"), removed))
                .repartitionAndSortWithinPartitions(new BucketRanges(tasks))
                .mapPartitions(new BucketDigests(key.derive("lethe/buckets/1")))
                .collect());
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

  /** Neighbouring buckets go to one task. */
  private static final class BucketRanges extends Partitioner {
    private static final long serialVersionUID = 1L;
    private final int tasks;

    BucketRanges(int tasks) {
      this.tasks = tasks;
    }

    @Override
    public int numPartitions() {
      return tasks;
    }

    @Override
    public int getPartition(Object bucket) {
      return (int) bucket * tasks / BUCKETS;
    }
  }

  /**
   * Examples to (bucket, hashes one behind the other). A named class: its name, not a field,
   * appears in plans and logs.
   */
  private static final class ExampleHashes
      implements PairFlatMapFunction<Iterator<ExampleBlock>, Integer, byte[]> {
    private static final long serialVersionUID = 1L;
    private final VaultKey key;
    private final BitSet removed;

    ExampleHashes(VaultKey key, BitSet removed) {
      this.key = key;
      this.removed = removed;
    }

    @Override
    public Iterator<Tuple2<Integer, byte[]>> call(Iterator<ExampleBlock> blocks) {
      return new HashRuns(blocks, KeyedDigest.of(key, "row"), removed);
    }
  }

  /**
   * Hashes in runs: a record a row would take longer to move than the row to hash. All runs
   * together take 16 MiB.
   */
  private static final class HashRuns
      implements Iterator<Tuple2<Integer, byte[]>>, ExampleBlock.EntryConsumer {
    private static final int LONGEST = 128 * HASH_BYTES;

    private final Iterator<ExampleBlock> blocks;
    private final KeyedDigest digest;
    private final BitSet removed;
    private final byte[][] runs = new byte[BUCKETS][0];
    private final int[] lengths = new int[BUCKETS];
    private int drained;
    private @Nullable ExampleBlock block;
    private int row;
    private @Nullable Tuple2<Integer, byte[]> next;

    HashRuns(Iterator<ExampleBlock> blocks, KeyedDigest digest, BitSet removed) {
      this.blocks = blocks;
      this.digest = digest;
      this.removed = removed;
    }

    @Override
    public boolean hasNext() {
      while (next == null && hasRow()) {
        next = addRow();
      }
      while (next == null && drained < runs.length) {
        int length = lengths[drained];
        next = length == 0 ? null : new Tuple2<>(drained, Arrays.copyOf(runs[drained], length));
        drained++;
      }
      return next != null;
    }

    @Override
    public Tuple2<Integer, byte[]> next() {
      if (!hasNext()) {
        throw new NoSuchElementException();
      }
      Tuple2<Integer, byte[]> run = Objects.requireNonNull(next);
      next = null;
      return run;
    }

    private boolean hasRow() {
      while (block == null || row == block.rows()) {
        if (!blocks.hasNext()) {
          return false;
        }
        block = blocks.next();
        row = 0;
      }
      return true;
    }

    /** The run that is full with the row, if one is. */
    private @Nullable Tuple2<Integer, byte[]> addRow() {
      ExampleBlock current = Objects.requireNonNull(block);
      digest
          .putLong(Double.doubleToLongBits(current.label(row)))
          .putLong(Double.doubleToLongBits(current.weight(row)));
      current.forEachEntry(row, this);
      row++;
      byte[] hash = digest.finish();
      int bucket = bucket(hash);
      if (runs[bucket].length == 0) {
        runs[bucket] = new byte[LONGEST];
      }
      System.arraycopy(hash, 0, runs[bucket], lengths[bucket], HASH_BYTES);
      lengths[bucket] += HASH_BYTES;
      if (lengths[bucket] < LONGEST) {
        return null;
      }
      Tuple2<Integer, byte[]> full = new Tuple2<>(bucket, runs[bucket]);
      runs[bucket] = new byte[0];
      lengths[bucket] = 0;
      return full;
    }

    @Override
    public void accept(int column, double value) {
      if (value != 0 && !removed.get(column)) {
        digest.putInt(column).putLong(Double.doubleToLongBits(value));
      }
    }
  }

  /** Runs sorted by bucket to one (bucket, size, digest) a bucket; one bucket at a time. */
  private static final class BucketDigests
      implements FlatMapFunction<Iterator<Tuple2<Integer, byte[]>>, Tuple3<Integer, Long, byte[]>> {
    private static final long serialVersionUID = 1L;
    private final VaultKey key;

    BucketDigests(VaultKey key) {
      this.key = key;
    }

    @Override
    public Iterator<Tuple3<Integer, Long, byte[]>> call(Iterator<Tuple2<Integer, byte[]>> runs) {
      List<Tuple3<Integer, Long, byte[]>> digests = new ArrayList<>();
      KeyedDigest digest = KeyedDigest.of(key, "bucket");
      List<byte[]> hashes = new ArrayList<>();
      int bucket = -1;
      while (runs.hasNext()) {
        Tuple2<Integer, byte[]> run = runs.next();
        if (run._1() != bucket && !hashes.isEmpty()) {
          digests.add(digest(bucket, hashes, digest));
          hashes.clear();
        }
        bucket = run._1();
        for (int at = 0; at < run._2().length; at += HASH_BYTES) {
          hashes.add(Arrays.copyOfRange(run._2(), at, at + HASH_BYTES));
        }
      }
      if (!hashes.isEmpty()) {
        digests.add(digest(bucket, hashes, digest));
      }
      return digests.iterator();
    }

    private static Tuple3<Integer, Long, byte[]> digest(
        int bucket, List<byte[]> hashes, KeyedDigest digest) {
      hashes.sort(Arrays::compareUnsigned);
      digest.putInt(bucket);
      hashes.forEach(digest::putBytes);
      long size = hashes.size();
      return new Tuple3<>(bucket, size, digest.putLong(size).finish());
    }
  }
}
