package dev.lethe.spark.data;

import dev.lethe.spark.WithholdingRows;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.execution.FileSourceScanExec;
import org.apache.spark.sql.execution.SparkPlan;
import org.apache.spark.sql.execution.exchange.Exchange;

/**
 * Places rows in partitions, in an order that does not change when a partition is computed again:
 * that of the files that they are read from, or of their content.
 */
public final class RowPlacement {
  private RowPlacement() {}

  /**
   * @param partitions how many, or 0: as the source has them, but at least the default parallelism
   * @param key of a row's content, which decides its partition where rows move, and its place
   * @param ties decide between rows of one key
   */
  public static Dataset<Row> of(Dataset<Row> rows, int partitions, Column key, Column... ties) {
    int parallelism = rows.sparkSession().sparkContext().defaultParallelism();
    if (partitions > 0) {
      return inPlace(WithholdingRows.of(rows).repartition(partitions, key), key, ties);
    } else if (rows.queryExecution().toRdd().getNumPartitions() < parallelism) {
      return inPlace(WithholdingRows.of(rows).repartition(parallelism, key), key, ties);
    }
    return inPlace(rows, key, ties);
  }

  /** The same in the partitions where the rows are. */
  public static Dataset<Row> inPlace(Dataset<Row> rows, Column key, Column... ties) {
    if (isInFileOrder(rows.queryExecution().executedPlan())) {
      return rows;
    }
    Column[] order = new Column[ties.length + 1];
    order[0] = key;
    System.arraycopy(ties, 0, order, 1, ties.length);
    return rows.sortWithinPartitions(order);
  }

  /** Whether rows go from the scan of files through steps that leave them in their partition. */
  private static boolean isInFileOrder(SparkPlan plan) {
    SparkPlan step = plan;
    while (step.children().size() == 1 && !(step instanceof Exchange)) {
      step = step.children().head();
    }
    return step instanceof FileSourceScanExec;
  }
}
