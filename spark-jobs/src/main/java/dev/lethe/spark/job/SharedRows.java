package dev.lethe.spark.job;

import static org.apache.spark.sql.functions.not;

import dev.lethe.core.aggregate.StatisticsAggregator;
import dev.lethe.core.model.BlockBuilder;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.Statistics;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.data.ExampleTable;
import dev.lethe.spark.ml.LinearModel;
import dev.lethe.spark.operator.SharedExamples;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.jspecify.annotations.Nullable;

/**
 * The corrected examples of several requests about one table: the rows that none of them touches,
 * in one copy for all, and for each request the rows that any of them touches, as that request
 * corrects them. Closing drops them.
 */
final class SharedRows implements AutoCloseable {
  /**
   * Rows of a block: few enough that a block stays in the processor's cache while it is summed for
   * one request after the other.
   */
  private static final int BLOCK_ROWS = 64;

  /**
   * More columns are sparse as a rule, and what a block is multiplied with is what fills caches.
   */
  private static final int MANY_COLUMNS = 4096;

  private final ModelCorrection correction;
  private final Progress progress;
  private final CachedExamples shared;
  private final StatisticsAggregator counted;
  private final List<CachedExamples> own = new ArrayList<>();
  private final List<Statistics> statistics = new ArrayList<>();

  private SharedRows(
      ModelCorrection correction,
      Progress progress,
      CachedExamples shared,
      StatisticsAggregator counted) {
    this.correction = correction;
    this.progress = progress;
    this.shared = shared;
    this.counted = counted;
  }

  /**
   * Reads, caches and counts the rows that no request touches.
   *
   * @param correction any of the requests': model, table and partitions are the same in all
   * @param any its change
   * @param touches what some request touches, or null if none changes rows
   * @throws InvalidInputException if a row cannot be read or featurised
   */
  static SharedRows read(
      ModelCorrection correction,
      RequestedChange any,
      @Nullable Column touches,
      Progress progress) {
    Dataset<Row> all = any.originalTable();
    progress.phase("reading the data");
    CachedExamples shared =
        placed(
            correction,
            any,
            any.untouched(touches == null ? all : all.where(not(touches))),
            any.removedEarlier(),
            correction.partitions(),
            progress);
    try {
      return new SharedRows(correction, progress, shared, counted(correction, shared));
    } catch (RuntimeException e) {
      shared.close();
      throw e;
    }
  }

  private static CachedExamples placed(
      ModelCorrection correction,
      RequestedChange change,
      Dataset<Row> featurized,
      BitSet removed,
      int partitions,
      Progress progress) {
    ExampleTable.Columns columns = correction.columns(change);
    columns.check(featurized, correction.place());
    int features = correction.model().linear().features();
    return CachedExamples.of(
        featurized,
        columns,
        features,
        removed,
        partitions,
        features > MANY_COLUMNS ? BlockBuilder.MAX_ROWS : BLOCK_ROWS,
        progress,
        correction.place());
  }

  private static StatisticsAggregator counted(ModelCorrection correction, CachedExamples examples) {
    return SparkFailures.sanitized(
        correction.place(), () -> examples.sums().statistics(correction.model().linear().loss()));
  }

  /**
   * Adds a request, whose number is that of those before it.
   *
   * @param touched the raw rows that some request touches, or null if none changes rows
   * @param requests about how many there will be
   * @throws InvalidInputException if a row that it changes cannot be featurised, or its corrected
   *     data have an illegal label, weight or feature; it is not added then
   */
  void add(RequestedChange change, @Nullable Dataset<Row> touched, int requests) {
    LinearModel model = correction.model().linear();
    StatisticsAggregator sum = new StatisticsAggregator(model.loss(), model.features());
    sum.merge(counted);
    @Nullable CachedExamples rows = null;
    try {
      if (touched != null) {
        rows =
            placed(
                correction,
                change,
                change.on(touched).corrected(),
                change.removedSlots(),
                Math.max(1, shared.partitions() / requests),
                progress);
        sum.merge(counted(correction, rows));
      }
      Statistics all = sum.statistics();
      CachedExamples.requireLegal(
          all, model.loss(), correction.columns(change), correction.place());
      statistics.add(all.without(change.removedSlots()));
    } catch (RuntimeException e) {
      if (rows != null) {
        rows.close();
      }
      throw e;
    }
    if (rows != null) {
      own.add(rows);
    }
  }

  /** Sums over the examples of each request that was added. */
  SharedExamples sums() {
    return new SharedExamples(
        shared.blocks(), own.stream().map(CachedExamples::blocks).toList(), progress::description);
  }

  /** Counts and moments of a request's examples, zeros in columns that it removes. */
  Statistics statistics(int request) {
    return statistics.get(request);
  }

  /** The blocks of one request; columns that it removes are not 0 in those that are shared. */
  JavaRDD<ExampleBlock> blocks(int request) {
    if (own.isEmpty()) {
      return shared.blocks();
    }
    return JavaSparkContext.fromSparkContext(shared.blocks().context())
        .union(shared.blocks(), own.get(request).blocks());
  }

  @Override
  public void close() {
    own.forEach(CachedExamples::close);
    shared.close();
  }
}
