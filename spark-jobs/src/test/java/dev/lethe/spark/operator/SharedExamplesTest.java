package dev.lethe.spark.operator;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.aggregate.Aggregator;
import dev.lethe.core.aggregate.GramAggregator;
import dev.lethe.core.aggregate.HessianVectorAggregator;
import dev.lethe.core.aggregate.MeasurementAggregator;
import dev.lethe.core.aggregate.Point;
import dev.lethe.core.aggregate.SumQuery;
import dev.lethe.core.loss.LogisticLoss;
import dev.lethe.core.model.BlockBuilder;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.spark.JobCounter;
import dev.lethe.spark.LocalSpark;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.junit.jupiter.api.Test;

class SharedExamplesTest {
  private static final int FEATURES = 5;
  private static final JavaSparkContext CONTEXT =
      JavaSparkContext.fromSparkContext(LocalSpark.session().sparkContext());

  private static JavaRDD<ExampleBlock> blocks(int features, int rows, int partitions, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    List<ExampleBlock> blocks = new ArrayList<>();
    BlockBuilder builder = BlockBuilder.of(features, 8);
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < features; j++) {
        builder.add(j, random.nextDouble() * 4 - 1);
      }
      builder.endRow(random.nextInt(2), 0.5 + random.nextDouble());
      if (builder.isFull()) {
        blocks.add(builder.build());
      }
    }
    if (!builder.isEmpty()) {
      blocks.add(builder.build());
    }
    return CONTEXT.parallelize(blocks, partitions).cache();
  }

  private static Point point(int features, long seed) {
    return new Point(
        LogisticLoss.INSTANCE,
        features,
        true,
        new SplittableRandom(seed).doubles(features + 1, -1, 1).toArray());
  }

  /** Each member's sums are those of the shared rows and its own, merged in this order. */
  @Test
  void sums_ofMembersWithRowsOfTheirOwn_haveTheBitsOfEachAloneInOneJob() {
    JavaRDD<ExampleBlock> shared = blocks(FEATURES, 200, 3, 1);
    List<JavaRDD<ExampleBlock>> own =
        List.of(blocks(FEATURES, 20, 1, 2), blocks(FEATURES, 30, 2, 3), blocks(FEATURES, 9, 1, 4));
    SharedExamples examples = new SharedExamples(shared, own, () -> "test");
    double[] direction = point(FEATURES, 5).theta();
    TreeMap<Integer, SumQuery> queries = new TreeMap<>();
    // member 1 has ended
    queries.put(0, SumQuery.measurement(point(FEATURES, 6)));
    queries.put(2, SumQuery.hessianVector(point(FEATURES, 7), direction));

    List<Aggregator<?>> sums;
    try (JobCounter jobs = JobCounter.on(CONTEXT.sc())) {
      sums = examples.sums(queries);
      assertThat(jobs.jobs()).isEqualTo(1);
    }

    DistributedExamples first =
        new DistributedExamples(CONTEXT.union(shared, own.get(0)), FEATURES, () -> "test");
    DistributedExamples third =
        new DistributedExamples(CONTEXT.union(shared, own.get(2)), FEATURES, () -> "test");
    MeasurementAggregator measured = (MeasurementAggregator) sums.get(0);
    MeasurementAggregator expected = first.measure(point(FEATURES, 6));
    assertThat(measured.rows()).isEqualTo(220);
    assertThat(measured.gradient()).isEqualTo(expected.gradient());
    assertThat(measured.gradientError()).isEqualTo(expected.gradientError());
    assertThat(measured.checksum()).isEqualTo(expected.checksum());
    assertThat(((HessianVectorAggregator) sums.get(1)).product())
        .isEqualTo(third.hessianVector(point(FEATURES, 7), direction).product());
  }

  @Test
  void sums_ofMembersWithSharedRowsOnly_areThoseOfTheRows() {
    JavaRDD<ExampleBlock> shared = blocks(FEATURES, 100, 2, 9);
    SharedExamples examples = new SharedExamples(shared, List.of(), () -> "test");
    TreeMap<Integer, SumQuery> queries = new TreeMap<>();
    queries.put(0, SumQuery.measurement(point(FEATURES, 1)));
    queries.put(1, SumQuery.measurement(point(FEATURES, 2)));

    List<Aggregator<?>> sums = examples.sums(queries);

    DistributedExamples alone = new DistributedExamples(shared, FEATURES, () -> "test");
    for (int k = 0; k < 2; k++) {
      assertThat(((MeasurementAggregator) sums.get(k)).gradient())
          .isEqualTo(alone.measure(point(FEATURES, k + 1)).gradient());
    }
  }

  /** Three Hessians of 1600 columns are 20 MB each: three together, and the fourth after them. */
  @Test
  void sums_ofMoreBytesThanAPassMayBring_takeSeveralPasses() {
    int features = 1600;
    JavaRDD<ExampleBlock> shared = blocks(features, 4, 1, 10);
    SharedExamples examples = new SharedExamples(shared, List.of(), () -> "test");
    TreeMap<Integer, SumQuery> queries = new TreeMap<>();
    for (int k = 0; k < 4; k++) {
      queries.put(k, SumQuery.gram(point(features, k), 1));
    }

    List<Aggregator<?>> sums;
    try (JobCounter jobs = JobCounter.on(CONTEXT.sc())) {
      sums = examples.sums(queries);
      assertThat(jobs.jobs()).isEqualTo(2);
    }

    assertThat(sums).hasSize(4);
    assertThat(((GramAggregator) sums.get(3)).matrix().values())
        .isEqualTo(
            new DistributedExamples(shared, features, () -> "test")
                .gram(point(features, 3))
                .matrix()
                .values());
  }
}
