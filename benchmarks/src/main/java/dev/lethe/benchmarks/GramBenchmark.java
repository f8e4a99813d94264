package dev.lethe.benchmarks;

import dev.lethe.core.aggregate.GramAggregator;
import dev.lethe.core.aggregate.Point;
import dev.lethe.core.loss.LogisticLoss;
import dev.lethe.core.model.ExampleBlock;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/**
 * The Gram matrix of dense blocks (logistic loss, with intercept), on one thread, beside the same
 * products a scalar at a time.
 *
 * <p>The counter {@code flops} is a rate per second: n p (p + 1) products and additions of the
 * lower triangle.
 *
 * <p>java -jar benchmarks/target/lethe-benchmarks-*-jmh.jar GramBenchmark -f1 -wi 2 -i 3
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
public class GramBenchmark {
  private static final long SEED = 20260401;
  private static final int ENTRIES = 1_600_000;

  /** p, the intercept included. */
  @Param({"101", "401"})
  public int size;

  @Param({"DOUBLE", "FLOAT", "SHORT", "BYTE"})
  public Numbers numbers;

  private List<ExampleBlock> blocks;
  private Point point;
  private long rows;

  /** What one call computed; JMH reports rates per second. */
  @State(Scope.Thread)
  @AuxCounters(AuxCounters.Type.OPERATIONS)
  public static class Work {
    public long flops;
  }

  @Setup
  public void generate() {
    int features = size - 1;
    rows = ENTRIES / features;
    SplittableRandom random = new SplittableRandom(SEED);
    blocks = SyntheticBlocks.of(features, features, rows, numbers, random);
    double[] theta = random.doubles(size, -1, 1).toArray();
    point = new Point(LogisticLoss.INSTANCE, features, true, theta);
  }

  @Benchmark
  public double[] gram(Work work) {
    GramAggregator sums = new GramAggregator(point);
    blocks.forEach(sums::add);
    work.flops += rows * size * (size + 1);
    return sums.matrix().values();
  }

  /** Row by row, product by product: what blocking and vectors are measured against. */
  @Benchmark
  public double[][] scalar(Work work) {
    double[][] sums = new double[size][size];
    for (ExampleBlock whole : blocks) {
      for (ExampleBlock block : whole.wide()) {
        addScalars(block, sums);
      }
    }
    work.flops += rows * size * (size + 1);
    return sums;
  }

  private void addScalars(ExampleBlock block, double[][] sums) {
    for (int i = 0; i < block.rows(); i++) {
      double s = block.dot(i, point.theta(), 0) + point.theta()[size - 1];
      double a = block.weight(i) * LogisticLoss.INSTANCE.secondDerivative(s, block.label(i));
      block.addScaledOuterProduct(i, a, sums, 0, 0);
      block.addScaledRowPlainly(i, a, sums[size - 1], 0);
      sums[size - 1][size - 1] += a;
    }
  }
}
