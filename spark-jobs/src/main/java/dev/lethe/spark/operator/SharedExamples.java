package dev.lethe.spark.operator;

import dev.lethe.core.aggregate.Aggregator;
import dev.lethe.core.aggregate.Point;
import dev.lethe.core.aggregate.SeveralSums;
import dev.lethe.core.aggregate.SumQuery;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.objective.Lockstep;
import dev.lethe.spark.operator.DistributedExamples.AggregatorFactory;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SortedMap;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;

/**
 * The examples of several members: rows that are the same for all, and rows that each has as its
 * own. A pass is one Spark job that computes the sums of all members which ask, each over the
 * shared rows and its own; merged as in {@link DistributedExamples}.
 *
 * <p>Sums that together exceed {@value #PASS_BYTES} bytes are computed in several passes.
 */
public final class SharedExamples implements Lockstep.Passes {
  private static final long PASS_BYTES = 64L << 20;
  private static final int SHARED = -1;
  private static final int ALL = -2;

  private final JavaSparkContext context;
  private final JavaRDD<ExampleBlock> blocks;
  // of each partition: the member whose own it is, or SHARED
  private final int[] owners;
  private final PassObserver observer;

  /**
   * @param shared rows of all members; ordered within each partition, small enough for the
   *     processor's cache
   * @param own rows of each member, or none at all
   * @param observer words the job descriptions of these passes
   */
  public SharedExamples(
      JavaRDD<ExampleBlock> shared, List<JavaRDD<ExampleBlock>> own, PassObserver observer) {
    context = JavaSparkContext.fromSparkContext(shared.context());
    JavaRDD<ExampleBlock> all = shared;
    List<Integer> owners = new ArrayList<>();
    for (int i = 0; i < shared.getNumPartitions(); i++) {
      owners.add(SHARED);
    }
    for (int k = 0; k < own.size(); k++) {
      for (int i = 0; i < own.get(k).getNumPartitions(); i++) {
        owners.add(k);
      }
    }
    if (!own.isEmpty()) {
      List<JavaRDD<ExampleBlock>> parts = new ArrayList<>(own);
      parts.add(0, shared);
      all = context.union(parts.<JavaRDD<ExampleBlock>>toArray(JavaRDD[]::new));
    }
    this.blocks = all;
    this.owners = owners.stream().mapToInt(Integer::intValue).toArray();
    this.observer = observer;
  }

  /** What a pass computes; not a record, see {@link Point}. */
  private static final class Round implements Serializable {
    private static final long serialVersionUID = 1L;
    private final ArrayList<SumQuery> queries;
    // of each partition: the sum that it belongs to, ALL, or -1 for none
    private final int[] sums;

    Round(ArrayList<SumQuery> queries, int[] sums) {
      this.queries = queries;
      this.sums = sums;
    }
  }

  /** Named: cleaning closures costs time. */
  private static final class SumsOfPartition implements AggregatorFactory<Round, SeveralSums> {
    private static final long serialVersionUID = 1L;

    @Override
    public SeveralSums create(Round round) {
      return SeveralSums.of(round.queries);
    }

    @Override
    public SeveralSums create(Round round, int partition) {
      int sum = round.sums[partition];
      return sum == ALL ? create(round) : SeveralSums.of(round.queries, sum);
    }
  }

  @Override
  public List<Aggregator<?>> sums(SortedMap<Integer, SumQuery> queries) {
    List<Aggregator<?>> sums = new ArrayList<>();
    List<Integer> asking = new ArrayList<>();
    ArrayList<SumQuery> asked = new ArrayList<>();
    long bytes = 0;
    for (var query : queries.entrySet()) {
      long size = query.getValue().bytes();
      if (bytes + size > PASS_BYTES && !asked.isEmpty()) {
        pass(asking, asked, sums);
        asking.clear();
        asked = new ArrayList<>();
        bytes = 0;
      }
      asking.add(query.getKey());
      asked.add(query.getValue());
      bytes += size;
    }
    pass(asking, asked, sums);
    return sums;
  }

  private void pass(List<Integer> asking, ArrayList<SumQuery> asked, List<Aggregator<?>> sums) {
    int[] sumOf = Arrays.stream(owners).map(k -> k == SHARED ? ALL : asking.indexOf(k)).toArray();
    SeveralSums parts = pass(asked.size() + " sums", new Round(asked, sumOf));
    for (int i = 0; i < asked.size(); i++) {
      sums.add(parts.sum(i));
    }
  }

  private SeveralSums pass(String what, Round round) {
    context.sc().setJobDescription(observer.description() + ": " + what);
    SumsOfPartition factory = new SumsOfPartition();
    long begin = System.nanoTime();
    SeveralSums zero = factory.create(round);
    Sent<Round> sent = Sent.of(context, round, zero.bytes());
    try {
      SeveralSums sums = OrderedAggregation.run(blocks, new PartitionSum<>(sent, factory), zero);
      int products = (int) round.queries.stream().filter(SumQuery::isHessianVector).count();
      observer.passed(products, (System.nanoTime() - begin) / 1e9);
      return sums;
    } finally {
      sent.destroy();
      context.sc().setJobDescription(null);
    }
  }
}
