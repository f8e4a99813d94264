package dev.lethe.spark.operator;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.aggregate.GradientAggregator;
import dev.lethe.core.aggregate.MeasurementAggregator;
import dev.lethe.core.aggregate.Point;
import dev.lethe.core.aggregate.StatisticsAggregator;
import dev.lethe.core.linalg.SymmetricMatrix;
import dev.lethe.core.loss.LogisticLoss;
import dev.lethe.core.loss.MultinomialLogisticLoss;
import dev.lethe.core.model.BlockBuilder;
import dev.lethe.core.model.ColumnStatistics;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.ParameterLayout;
import dev.lethe.core.objective.ExampleSums;
import dev.lethe.core.objective.LocalExamples;
import dev.lethe.core.objective.Objective;
import dev.lethe.core.objective.Penalty;
import dev.lethe.core.solver.LinearSolver;
import dev.lethe.core.solver.NewtonStep;
import dev.lethe.core.solver.Preconditioning;
import dev.lethe.core.unlearn.SecondOrderUpdate;
import dev.lethe.core.unlearn.Unlearning;
import dev.lethe.core.unlearn.UnlearningResult;
import dev.lethe.spark.JobCounter;
import dev.lethe.spark.LocalSpark;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.apache.spark.SparkEnv;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.storage.BlockId;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import scala.runtime.AbstractFunction1;

class DistributedExamplesTest {
  private static final int FEATURES = 7;
  private static final JavaSparkContext CONTEXT =
      JavaSparkContext.fromSparkContext(LocalSpark.session().sparkContext());

  private static List<ExampleBlock> blocks(int features, int rows, int rowsPerBlock, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    List<ExampleBlock> blocks = new ArrayList<>();
    BlockBuilder builder = new BlockBuilder(features, rowsPerBlock, Integer.MAX_VALUE);
    for (int i = 0; i < rows; i++) {
      double density = i % 3 == 0 ? 0.9 : 0.2;
      for (int j = 0; j < features; j++) {
        if (random.nextDouble() < density) {
          builder.add(j, random.nextDouble() * 4 - 1);
        }
      }
      builder.endRow(random.nextInt(2), 0.5 + random.nextDouble());
      if (builder.isFull()) {
        blocks.add(builder.build());
      }
    }
    if (!builder.isEmpty()) {
      blocks.add(builder.build());
    }
    return blocks;
  }

  private static DistributedExamples distributed(
      List<ExampleBlock> blocks, int features, int partitions) {
    JavaRDD<ExampleBlock> rdd = CONTEXT.parallelize(blocks, partitions).cache();
    return new DistributedExamples(rdd, features, () -> "test");
  }

  private static Point point(int features, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    return new Point(
        LogisticLoss.INSTANCE, features, true, random.doubles(features + 1, -1, 1).toArray());
  }

  private static Objective objective(ExampleSums sums) {
    double[] lambda = new double[FEATURES + 1];
    Arrays.fill(lambda, 0.7);
    return new Objective(
        sums,
        sums.statistics(LogisticLoss.INSTANCE).statistics(),
        LogisticLoss.INSTANCE,
        new ParameterLayout(FEATURES, true, 1, 0),
        new Penalty(lambda, new double[FEATURES + 1]),
        new double[FEATURES + 1],
        new boolean[FEATURES + 1],
        -1);
  }

  // Both sums are within their own proven bound of the exact sum, so within twice the bound of each
  // other.
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 8, 40})
  void everyPass_anyPartitioning_equalsOneMachineToRounding(int partitions) {
    List<ExampleBlock> blocks = blocks(FEATURES, 1000, 25, 1);
    LocalExamples local = new LocalExamples(FEATURES, blocks);
    DistributedExamples distributed = distributed(blocks, FEATURES, partitions);
    Point at = point(FEATURES, 2);

    MeasurementAggregator expected = local.measure(at);
    MeasurementAggregator actual = distributed.measure(at);
    double[] error = expected.gradientError();
    for (int j = 0; j <= FEATURES; j++) {
      assertThat(actual.gradient()[j] - expected.gradient()[j])
          .isBetween(-2 * error[j], 2 * error[j]);
      assertThat(distributed.gradient(at).gradient()[j]).isEqualTo(actual.gradient()[j]);
    }
    double[] v = point(FEATURES, 3).theta();
    assertClose(distributed.hessianVector(at, v).product(), local.hessianVector(at, v).product());
    SymmetricMatrix gram = distributed.gram(at).matrix();
    assertClose(gram.values(), local.gram(at).matrix().values());
    Point classes =
        new Point(
            new MultinomialLogisticLoss(3),
            FEATURES,
            true,
            new SplittableRandom(9).doubles(3L * (FEATURES + 1), -1, 1).toArray());
    assertClose(distributed.marginCurvature(classes).sums(), local.marginCurvature(classes).sums());
    assertClose(
        variances(distributed.statistics(LogisticLoss.INSTANCE)),
        variances(local.statistics(LogisticLoss.INSTANCE)));
  }

  private static double[] variances(StatisticsAggregator sums) {
    return sums.statistics().columns().stream().mapToDouble(ColumnStatistics::variance).toArray();
  }

  // 1000 terms of size at most 10 in double arithmetic: 1e-11 is a hundred times the rounding.
  private static void assertClose(double[] actual, double[] expected) {
    for (int j = 0; j < expected.length; j++) {
      assertThat(Math.abs(actual[j] - expected[j])).isLessThan(1e-11);
    }
  }

  @Test
  void everyPass_sameParticularPartitioning_isBitIdenticalFromRunToRun() {
    List<ExampleBlock> blocks = blocks(FEATURES, 2000, 10, 4);
    Point at = point(FEATURES, 5);
    double[] first = distributed(blocks, FEATURES, 16).measure(at).gradient();
    for (int run = 0; run < 20; run++) {
      double[] again = distributed(blocks, FEATURES, 16).measure(at).gradient();
      assertThat(Arrays.equals(again, first)).isTrue();
    }
  }

  /** Blocks of two rows, each with one entry in each fifth of the columns. */
  private static List<ExampleBlock> scattered(int features) {
    List<ExampleBlock> blocks = new ArrayList<>();
    SplittableRandom random = new SplittableRandom(6);
    BlockBuilder builder = new BlockBuilder(features, 2, 1000);
    for (int i = 0; i < 72; i++) {
      for (int k = 0; k < 5; k++) {
        builder.add(k * (features / 5) + random.nextInt(features / 5), random.nextDouble());
      }
      builder.endRow(i % 2, 1);
      if (builder.isFull()) {
        blocks.add(builder.build());
      }
    }
    return blocks;
  }

  // 16 bytes a coordinate: 36 sums pass the limit of 64 MiB at 120 000 features.
  @ParameterizedTest
  @ValueSource(ints = {120_000, 700_000})
  void merge_sumsTooLargeForTheDriver_goThroughExecutorsAndStayOrdered(int features) {
    List<ExampleBlock> blocks = scattered(features);
    Point at = new Point(LogisticLoss.INSTANCE, features, true, new double[features + 1]);
    DistributedExamples distributed = distributed(blocks, features, 36);
    try (JobCounter counter = JobCounter.on(CONTEXT.sc())) {
      double[] gradient = distributed.gradient(at).gradient();
      double[] again = distributed.gradient(at).gradient();
      assertThat(Arrays.equals(gradient, again)).isTrue();
      assertThat(counter.jobs()).isEqualTo(2);
      assertThat(counter.stages()).isEqualTo(2 * 2); // the second merges slices
      GradientAggregator expected = new GradientAggregator(at);
      for (int k = 0; k < 36; k++) {
        GradientAggregator part = new GradientAggregator(at);
        part.add(blocks.get(k));
        expected.merge(part);
      }
      assertThat(Arrays.equals(gradient, expected.gradient())).isTrue();
    }
  }

  // 36 blocks of 10 entries: 360 columns are active. Dense sums are 36 times 16 bytes a feature, 40
  // in a measurement: 115 MB and 288 MB at 200 000, 12 MB and 29 MB at 20 000. Left are 60 bytes
  // for an active column of a partition, 4 KB for the metrics and class names of a task, of which 2
  // more merge slices, and 1 KB for the class names of a slice: at most 2 MB of 56 bytes a feature.
  @ParameterizedTest
  @CsvSource({"20000, 36, 0", "200000, 38, 6", "2000000, 38, 56"})
  void pass_fewActiveColumns_sendsTheDriverThoseOnly(int features, int tasks, int slices) {
    List<ExampleBlock> blocks = scattered(features);
    Point at = new Point(LogisticLoss.INSTANCE, features, true, new double[features + 1]);
    DistributedExamples distributed = distributed(blocks, features, 36);
    double[] v = new double[features + 1];
    Arrays.fill(v, 1);
    long bound = 60L * 11 * 36 + 4096L * tasks + 1024L * slices;
    for (Runnable pass :
        List.<Runnable>of(
            () -> distributed.statistics(LogisticLoss.INSTANCE),
            () -> distributed.measure(at),
            () -> distributed.hessianVector(at, v))) {
      try (JobCounter counter = JobCounter.on(CONTEXT.sc())) {
        pass.run();
        assertThat(counter.jobs()).isEqualTo(1);
        assertThat(counter.resultBytes()).isBetween(1L, bound);
      }
    }
  }

  @Test
  void secondOrderUpdate_kIterations_runsExactlyKPlusThreeJobs() {
    DistributedExamples distributed = distributed(blocks(FEATURES, 500, 50, 7), FEATURES, 4);
    Objective objective = objective(distributed);
    double[] start = new double[FEATURES + 1];
    Objective.Measured measuredStart = objective.evaluate(start);
    double[] g = measuredStart.gradient();
    NewtonStep step = new NewtonStep(LinearSolver.CG, Preconditioning.JACOBI, 100, (k, r, t) -> {});
    SecondOrderUpdate update = new SecondOrderUpdate(step, 1e-10);
    int iterations = update.apply(objective, measuredStart, g).solve().cgIterations();
    try (JobCounter counter = JobCounter.on(CONTEXT.sc())) {
      UnlearningResult result =
          new Unlearning(objective, 1e-6, s -> {}).secondOrder(start, measured -> g, update);
      int products = result.steps().get(1).products();
      // two measurements (start, end), one job a Hessian-vector product; k iterations are k + 1
      // products, the last one checks the true residual
      assertThat(iterations).isGreaterThan(1);
      assertThat(products).isEqualTo(iterations + 1);
      assertThat(counter.jobs()).isEqualTo(products + 2);
      assertThat(counter.tasks()).isEqualTo((products + 2) * 4);
    }
  }

  // Spark broadcasts the code of the tasks; a point of 20 000 parameters is too large to go with
  // it.
  @ParameterizedTest
  @CsvSource({"7, 1", "20000, 2"})
  void pass_point_isBroadcastOnlyWhereItIsLarge(int features, int broadcasts) {
    DistributedExamples distributed = distributed(blocks(features, 20, 5, 8), features, 2);
    Point at = point(features, 9);
    distributed.measure(at);
    long before = CONTEXT.broadcast(0).id();
    distributed.measure(at);
    assertThat(CONTEXT.broadcast(0).id() - before - 1).isEqualTo(broadcasts);
  }

  @ParameterizedTest
  @ValueSource(ints = {FEATURES, 20_000})
  void passes_afterwards_leaveNoBroadcastBehind(int features) throws InterruptedException {
    DistributedExamples distributed = distributed(blocks(features, 20, 5, 8), features, 2);
    distributed.measure(point(features, 9));
    int before = broadcastBlocks();
    for (int k = 0; k < 5; k++) {
      distributed.measure(point(features, 9));
    }
    // destroy() returns before the blocks are gone; Spark's own task binaries go with the collector
    for (int k = 0; k < 100 && broadcastBlocks() > before; k++) {
      System.gc();
      Thread.sleep(100);
    }
    assertThat(broadcastBlocks()).isLessThanOrEqualTo(before);
  }

  private static int broadcastBlocks() {
    return SparkEnv.get()
        .blockManager()
        .master()
        .getMatchingBlockIds(new IsBroadcast(), true)
        .size();
  }

  private static final class IsBroadcast extends AbstractFunction1<BlockId, Object>
      implements Serializable {
    @Override
    public Object apply(BlockId id) {
      return id.isBroadcast();
    }
  }
}
