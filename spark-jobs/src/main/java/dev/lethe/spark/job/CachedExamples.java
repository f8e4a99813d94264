package dev.lethe.spark.job;

import dev.lethe.core.loss.LossFunction;
import dev.lethe.core.model.BlockBuilder;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.Statistics;
import dev.lethe.core.objective.ExampleSums;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.data.ExampleTable;
import dev.lethe.spark.operator.DistributedExamples;
import java.util.BitSet;
import java.util.Map;
import java.util.function.Supplier;
import org.apache.spark.SparkContext;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.storage.StorageLevel;
import scala.Tuple2;

/** Examples in the cluster's memory, spilled to disk where they do not fit; closing drops them. */
final class CachedExamples implements AutoCloseable {
  private final JavaRDD<ExampleBlock> blocks;
  private final ExampleSums sums;
  private final Supplier<Map<String, Long>> storage;

  /**
   * Examples that somebody else keeps, so that closing drops nothing.
   *
   * @param blocks not persisted themselves
   * @param storage how many rows are stored how
   */
  CachedExamples(
      JavaRDD<ExampleBlock> blocks, ExampleSums sums, Supplier<Map<String, Long>> storage) {
    this.blocks = blocks;
    this.sums = sums;
    this.storage = storage;
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
    return of(
        featurized, columns, features, removed, partitions, BlockBuilder.MAX_ROWS, progress, place);
  }

  /**
   * The same in blocks of a given size.
   *
   * @param blockRows the most rows of a block
   */
  static CachedExamples of(
      Dataset<Row> featurized,
      ExampleTable.Columns columns,
      int features,
      BitSet removed,
      int partitions,
      int blockRows,
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
                      ExampleTable.examples(featurized, columns),
                      features,
                      removed,
                      partitions,
                      blockRows));
      blocks.persist(StorageLevel.MEMORY_AND_DISK());
      return new CachedExamples(
          blocks, new DistributedExamples(blocks, features, progress), () -> storage(blocks));
    } finally {
      context.setJobDescription(null);
    }
  }

  ExampleSums sums() {
    return sums;
  }

  JavaRDD<ExampleBlock> blocks() {
    return blocks;
  }

  /** How many rows are stored how: one job, which looks at no row. */
  Map<String, Long> storage() {
    return storage.get();
  }

  private static Map<String, Long> storage(JavaRDD<ExampleBlock> blocks) {
    if (blocks.getNumPartitions() == 0) {
      return Map.of(); // no rows, as where requests touch none; Spark cannot reduce nothing
    }
    return blocks
        .mapToPair(block -> new Tuple2<>(block.storage(), (long) block.rows()))
        .reduceByKeyLocally(Long::sum);
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
      ExampleSums sums, LossFunction loss, ExampleTable.Columns columns, String place) {
    Statistics statistics =
        SparkFailures.sanitized(place, () -> sums.statistics(loss).statistics());
    requireLegal(statistics, loss, columns, place);
    return statistics;
  }

  /**
   * @throws InvalidInputException if there are no rows, or a label, weight or feature is illegal
   */
  static void requireLegal(
      Statistics statistics, LossFunction loss, ExampleTable.Columns columns, String place) {
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
  }

  @Override
  public void close() {
    blocks.unpersist(false);
  }
}
