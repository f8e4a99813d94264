package dev.lethe.spark.job;

import static org.apache.spark.sql.functions.not;

import dev.lethe.core.aggregate.StatisticsAggregator;
import dev.lethe.core.model.BlockBuilder;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.Statistics;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.DataDigest;
import dev.lethe.spark.certificate.VaultKey;
import dev.lethe.spark.data.ExampleTable;
import dev.lethe.spark.ml.LinearModel;
import dev.lethe.spark.operator.SharedExamples;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.apache.spark.SparkContext;
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
  private final RequestedChange any;
  private final CachedExamples shared;
  private final StatisticsAggregator counted;
  private final List<BitSet> removed = new ArrayList<>();
  private final List<CachedExamples> own = new ArrayList<>();
  private final List<Statistics> statistics = new ArrayList<>();
  private @Nullable Map<String, Long> sharedStorage;

  private SharedRows(
      ModelCorrection correction,
      Progress progress,
      RequestedChange any,
      CachedExamples shared,
      StatisticsAggregator counted) {
    this.correction = correction;
    this.progress = progress;
    this.any = any;
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
      return new SharedRows(correction, progress, any, shared, counted(correction, shared));
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
    removed.add(change.removedSlots());
    if (rows != null) {
      own.add(rows);
    }
  }

  /** Sums over the examples of each request that was added. */
  SharedExamples sums() {
    return new SharedExamples(
        shared.blocks(), own.stream().map(CachedExamples::blocks).toList(), progress);
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

  /** How many rows of a request's are stored how; those that are shared are asked once. */
  Map<String, Long> storage(int request) {
    Map<String, Long> rows = new TreeMap<>(sharedStorage());
    if (!own.isEmpty()) {
      own.get(request).storage().forEach((form, count) -> rows.merge(form, count, Long::sum));
    }
    return rows;
  }

  private synchronized Map<String, Long> sharedStorage() {
    if (sharedStorage == null) {
      sharedStorage = shared.storage();
    }
    return sharedStorage;
  }

  /**
   * The keyed digests of every request's examples and of the original ones, in one pass; the
   * original ones in a pass of their own where an earlier release has removed slots, which the
   * cache has not.
   *
   * @param touched as for {@link #add}
   */
  List<ExampleDigests.Both> digests(@Nullable Dataset<Row> touched, VaultKey key) {
    progress.phase("keyed digests of the data");
    SparkContext context = shared.blocks().context();
    context.setJobDescription(progress.description());
    try {
      return SparkFailures.sanitized(correction.place(), () -> digested(touched, key));
    } finally {
      context.setJobDescription(null);
    }
  }

  private List<ExampleDigests.Both> digested(@Nullable Dataset<Row> touched, VaultKey key) {
    List<JavaRDD<ExampleBlock>> parts = new ArrayList<>(List.of(shared.blocks()));
    List<Integer> owners = new ArrayList<>(List.of(DataDigest.EVERY));
    for (int k = 0; k < own.size(); k++) {
      parts.add(own.get(k).blocks());
      owners.add(k);
    }
    List<BitSet> zero = new ArrayList<>(removed);
    boolean cached = any.removedEarlier().isEmpty();
    if (cached) {
      zero.add(new BitSet());
    }
    if (cached && touched != null) {
      parts.add(packed(any.untouched(touched)));
      owners.add(removed.size());
    }
    int features = correction.model().linear().features();
    List<DataDigest> digests = DataDigest.of(parts, owners, features, zero, key);
    DataDigest original =
        cached
            ? digests.get(removed.size())
            : DataDigest.of(
                packed(Objects.requireNonNull(any.originalAsPublished())), features, key);
    return digests.subList(0, removed.size()).stream()
        .map(corrected -> new ExampleDigests.Both(original, corrected))
        .toList();
  }

  private JavaRDD<ExampleBlock> packed(Dataset<Row> original) {
    return ExampleTable.blocks(
        ExampleTable.examples(original, correction.columns(any)),
        correction.model().linear().features(),
        new BitSet());
  }

  @Override
  public void close() {
    own.forEach(CachedExamples::close);
    shared.close();
  }
}
