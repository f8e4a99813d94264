package dev.lethe.spark.neural;

import static org.apache.spark.sql.functions.xxhash64;

import dev.lethe.core.neural.NetworkBlock;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.TableColumns;
import dev.lethe.spark.WithholdingRows;
import dev.lethe.spark.data.RowPlacement;
import dev.lethe.spark.job.SparkFailures;
import dev.lethe.spark.request.Change;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/** Rows on their way into blocks. */
final class NetworkTable {
  private NetworkTable() {}

  /** Rows of the columns that a network reads, and who packs them. */
  record Read<B>(Dataset<Row> rows, Packer<B> packer) {
    private JavaRDD<B> packed(Dataset<Row> placed) {
      return WithholdingRows.rdd(placed).mapPartitions(packer::packed);
    }
  }

  /**
   * Packs a table; where rows move to other partitions, they are read now.
   *
   * @param partitions 0 for the source's own, at least the default parallelism
   * @param place names the table, for messages
   * @throws InvalidInputException if a column is missing or of the wrong type
   */
  static JavaRDD<NetworkBlock> blocks(
      NetworkDescription network, Dataset<Row> table, int partitions, String place) {
    Read<NetworkBlock> read = read(network, table, place);
    Dataset<Row> rows = read.rows();
    return SparkFailures.sanitized(
        place, () -> read.packed(RowPlacement.of(rows, partitions, key(rows))));
  }

  /**
   * Checks that a network can read a table; reads no row.
   *
   * @throws InvalidInputException if a column is missing or of the wrong type
   */
  static void check(NetworkDescription network, Dataset<Row> table, String place) {
    read(network, table, place);
  }

  private static Read<NetworkBlock> read(
      NetworkDescription network, Dataset<Row> table, String place) {
    return network.input().isText()
        ? TextRows.of(network.input(), table, place)
        : ValueRows.of(network, table, place);
  }

  /** Of a row's content: rows of one content are no different. */
  private static Column key(Dataset<Row> rows) {
    return xxhash64(Arrays.stream(rows.columns()).map(TableColumns::column).toArray(Column[]::new));
  }

  /**
   * Which examples of rows that change: all that do, or only those whose target does, none of a
   * removed row.
   */
  enum Side {
    BEFORE,
    AFTER,
    TARGET_BEFORE,
    TARGET_AFTER
  }

  /**
   * Packs rows that change, all sides in one pass: of a text the windows that contain or predict a
   * character of a {@link TextChange}, and those characters; of numbers the rows that differ, and
   * those whose label does.
   *
   * @param changes of the request
   * @param pairs structs {@code before} and {@code after} of the table's columns, {@code after}
   *     NULL where the row is removed
   * @return blocks by {@link Side}, perhaps empty ones
   */
  static JavaRDD<NetworkBlock[]> changed(
      NetworkDescription network, List<Change> changes, Dataset<Row> pairs, String place) {
    Read<NetworkBlock[]> read =
        network.input().isText()
            ? TextRows.changed(network.input(), changes, pairs)
            : ValueRows.changed(network, pairs, place);
    Dataset<Row> rows = read.rows();
    return SparkFailures.sanitized(place, () -> read.packed(RowPlacement.inPlace(rows, key(rows))));
  }
}
