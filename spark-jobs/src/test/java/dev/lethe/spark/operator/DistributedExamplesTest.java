package dev.lethe.spark.operator;

import static org.assertj.core.api.Assertions.assertThat;

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

  // 16 bytes a coordinate: 36 sums pass the limit of 64 MiB at 120 000 features, and 6 groups of
  // them do so at 700 000.
  @ParameterizedTest
  @CsvSource({"120000, 2", "700000, 3"})
  void merge_sumsTooLargeForTheDriver_goThroughExecutorsAndStayOrdered(
      int features, int stagesAPass) {
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
    Point at = new Point(LogisticLoss.INSTANCE, features, true, new double[features + 1]);
    DistributedExamples distributed = distributed(blocks, features, 36);
    try (JobCounter counter = JobCounter.on(CONTEXT.sc())) {
      double[] gradient = distributed.gradient(at).gradient();
      double[] again = distributed.gradient(at).gradient();
      assertThat(Arrays.equals(gradient, again)).isTrue();
      assertThat(counter.jobs()).isEqualTo(2);
      assertThat(counter.stages()).isEqualTo(2 * stagesAPass); // a merge of groups is one
      double[] expected = new LocalExamples(features, blocks).gradient(at).gradient();
      assertClose(gradient, expected);
    }
  }

  @Test
  void secondOrderUpdate_kIterations_runsExactlyKPlusThreeJobs() {
    DistributedExamples distributed = distributed(blocks(FEATURES, 500, 50, 7), FEATURES, 4);
    Objective objective = objective(distributed);
    double[] start = new double[FEATURES + 1];
    Objective.Measured measuredStart = objective.evaluate(start);
    double[] g = measuredStart.gradient();
    NewtonStep step = new NewtonStep(LinearSolver.CG, 100, (k, r, t) -> {});
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

  @Test
  void passes_afterwards_leaveNoBroadcastBehind() throws InterruptedException {
    DistributedExamples distributed = distributed(blocks(FEATURES, 100, 50, 8), FEATURES, 2);
    distributed.measure(point(FEATURES, 9));
    int before = broadcastBlocks();
    for (int k = 0; k < 5; k++) {
      distributed.measure(point(FEATURES, 9));
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
