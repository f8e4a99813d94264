package dev.lethe.spark.certificate;

import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import dev.lethe.spark.InvalidInputException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.SparkContext;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import scala.Tuple2;
import scala.Tuple3;

/**
 * The keyed digest of a table: it depends on the schema and on the multiset of rows, not on their
 * order, their partitioning, the order of the columns or whether a vector is stored dense or
 * sparse.
 *
 * <p>With h(row) = HMAC-SHA256(k1, canonical bytes of the row), see {@link RowEncoding}:
 *
 * <ol>
 *   <li>the row hashes go into {@value #BUCKETS} buckets by their first 12 bits;
 *   <li>the digest of a bucket is the HMAC under k2 of its number, its row hashes in ascending
 *       order and its size;
 *   <li>the digest of the table is the HMAC under the vault key of the schema, the number of rows
 *       and the number, size and digest of every bucket that is not empty, in ascending order.
 * </ol>
 *
 * k1 and k2 are derived from the vault key, which itself stays on the driver. A sum or exclusive or
 * of the row hashes would be cheaper, and the difference of two digests would be the hash of a
 * deleted row; this one says nothing beyond equality, even to somebody who can have other tables
 * digested.
 *
 * <p>One shuffle of 44 bytes a row; at most {@value #BUCKETS} digests come to the driver.
 *
 * @param value 64 hexadecimal digits in lower case
 * @param rows number of rows
 */
@JsonPropertyOrder({"value", "rows"})
public record DataDigest(String value, long rows) {
  static final int BUCKETS = 4096;

  private static final String DESCRIPTION = "spark.job.description";

  public DataDigest {
    Require.sha256(value, "digest of the data");
    Require.count(rows, "rows of the data");
  }

  /**
   * Digests a table with one Spark action.
   *
   * @throws InvalidInputException if two columns have one name or a type has no canonical form
   */
  public static DataDigest of(Dataset<Row> table, VaultKey key) {
    RowEncoding encoding = RowEncoding.of(table.schema());
    Dataset<Tuple2<Integer, byte[]>> hashes =
        table
            .select(stableColumns(table))
            .mapPartitions(
                new RowHashes(encoding, key.derive("lethe/rows/1")),
                Encoders.tuple(Encoders.INT(), Encoders.BINARY()));
    Dataset<Tuple3<Integer, Long, byte[]>> digests =
        hashes
            .repartition(hashes.col("_1"))
            .sortWithinPartitions("_1", "_2")
            .mapPartitions(
                new BucketDigests(key.derive("lethe/buckets/1")),
                Encoders.tuple(Encoders.INT(), Encoders.LONG(), Encoders.BINARY()));

    List<Tuple3<Integer, Long, byte[]>> buckets;
    SparkContext context = table.sparkSession().sparkContext();
    String description = context.getLocalProperty(DESCRIPTION);
    context.setJobDescription("Lethe: digest of the data");
    try {
      buckets = new ArrayList<>(digests.collectAsList());
    } finally {
      context.setJobDescription(description);
    }
    buckets.sort(Comparator.comparing(Tuple3::_1));

    long rows = 0;
    for (Tuple3<Integer, Long, byte[]> bucket : buckets) {
      rows += bucket._2();
    }
    KeyedDigest digest =
        KeyedDigest.of(key, "data").putString(encoding.description()).putLong(rows);
    for (Tuple3<Integer, Long, byte[]> bucket : buckets) {
      digest.putInt(bucket._1()).putLong(bucket._2()).putBytes(bucket._3());
    }
    return new DataDigest(digest.hex(), rows);
  }

  /**
   * Dates and times as numbers: as objects they would depend on the session (java.sql or java.time,
   * with different calendars before 1582).
   */
  private static Column[] stableColumns(Dataset<Row> table) {
    StructType schema = table.schema();
    Column[] columns = new Column[schema.size()];
    for (int i = 0; i < columns.length; i++) {
      String name = schema.fields()[i].name();
      Column column = table.col("`" + name.replace("`", "``") + "`");
      if (schema.fields()[i].dataType().equals(DataTypes.DateType)) {
        column = functions.unix_date(column).as(name);
      } else if (schema.fields()[i].dataType().equals(DataTypes.TimestampType)) {
        column = functions.unix_micros(column).as(name);
      }
      columns[i] = column;
    }
    return columns;
  }

  private static int bucket(byte[] hash) {
    return (hash[0] & 0xff) << 4 | (hash[1] & 0xff) >>> 4;
  }

  /** Rows to (bucket, hash). A named class: its name, not a field, appears in plans and logs. */
  private static final class RowHashes
      implements MapPartitionsFunction<Row, Tuple2<Integer, byte[]>>, Serializable {
    private static final long serialVersionUID = 1L;
    private final RowEncoding encoding;
    private final VaultKey key;

    RowHashes(RowEncoding encoding, VaultKey key) {
      this.encoding = encoding;
      this.key = key;
    }

    @Override
    public Iterator<Tuple2<Integer, byte[]>> call(Iterator<Row> rows) {
      KeyedDigest digest = KeyedDigest.of(key, "row");
      RowEncoding.Output bytes = new RowEncoding.Output();
      return new Iterator<>() {
        @Override
        public boolean hasNext() {
          return rows.hasNext();
        }

        @Override
        public Tuple2<Integer, byte[]> next() {
          bytes.reset();
          encoding.encode(rows.next(), bytes);
          byte[] hash = digest.putBytes(bytes.array(), 0, bytes.size()).finish();
          return new Tuple2<>(bucket(hash), hash);
        }
      };
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
