package dev.lethe.spark.job;

import dev.lethe.core.loss.LossFunction;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.Statistics;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.data.ExampleTable;
import dev.lethe.spark.operator.DistributedExamples;
import java.util.BitSet;
import org.apache.spark.SparkContext;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.storage.StorageLevel;

/** Examples in the cluster's memory, spilled to disk where they do not fit; closing drops them. */
final class CachedExamples implements AutoCloseable {
  private final JavaRDD<ExampleBlock> blocks;
  private final DistributedExamples sums;

  private CachedExamples(JavaRDD<ExampleBlock> blocks, DistributedExamples sums) {
    this.blocks = blocks;
    this.sums = sums;
  }

  /**
   * Where rows move to other partitions, Spark's adaptive planning reads them now; else nothing is
   * read before the first pass.
   *
   * @param featurized rows with the given columns
   * @param features d
   * @param removed slots that are set to zero
   * @param partitions 0 for the source's own
   * @param place names the data, for messages
   * @throws InvalidInputException if a row cannot be read or featurised
   */
  static CachedExamples of(
      Dataset<Row> featurized,
      ExampleTable.Columns columns,
      int features,
      BitSet removed,
      int partitions,
      Progress progress,
      String place) {
    SparkContext context = featurized.sparkSession().sparkContext();
    context.setJobDescription(progress.description() + ": placing rows");
    try {
      JavaRDD<ExampleBlock> blocks =
          SparkFailures.sanitized(
              place,
              () ->
                  ExampleTable.orderedBlocks(
                      ExampleTable.examples(featurized, columns), features, removed, partitions));
      blocks.persist(StorageLevel.MEMORY_AND_DISK());
      return new CachedExamples(
          blocks, new DistributedExamples(blocks, features, progress::description));
    } finally {
      context.setJobDescription(null);
    }
  }

  DistributedExamples sums() {
    return sums;
  }

  JavaRDD<ExampleBlock> blocks() {
    return blocks;
  }

  int partitions() {
    return blocks.getNumPartitions();
  }

  /**
   * The first pass: reads, caches, counts.
   *
   * @param place names the data, for messages
   * @throws InvalidInputException if there are no rows, or a label, weight or feature is illegal
   */
  Statistics statistics(LossFunction loss, ExampleTable.Columns columns, String place) {
    return statistics(sums, loss, columns, place);
  }

  /** The same of examples that may not be cached: one pass that counts. */
  static Statistics statistics(
      DistributedExamples sums, LossFunction loss, ExampleTable.Columns columns, String place) {
    Statistics statistics =
        SparkFailures.sanitized(place, () -> sums.statistics(loss).statistics());
    if (statistics.rows() == 0) {
      throw new InvalidInputException(place + ": no row is left to learn from");
    }
    Statistics.Invalid invalid = statistics.invalid();
    if (invalid.labels() > 0) {
      throw new InvalidInputException(
          String.format(
              "%s: column '%s': %d of %d labels are not %s",
              place, columns.label(), invalid.labels(), statistics.rows(), loss.labelDomain()));
    }
    if (invalid.weights() > 0) {
      throw new InvalidInputException(
          String.format(
              "%s: column '%s': %d of %d weights are not finite and at least 0",
              place, columns.weight(), invalid.weights(), statistics.rows()));
    }
    if (invalid.values() > 0) {
      throw new InvalidInputException(
          String.format(
              "%s: column '%s': %d entries are NaN or infinite, the first in slot %d; allowed are"
                  + " finite numbers",
              place, columns.features(), invalid.values(), invalid.firstColumn()));
    }
    return statistics;
  }

  @Override
  public void close() {
    blocks.unpersist(false);
  }
}
