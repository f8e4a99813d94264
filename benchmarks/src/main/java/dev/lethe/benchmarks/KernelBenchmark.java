package dev.lethe.benchmarks;

import dev.lethe.core.aggregate.GradientAggregator;
import dev.lethe.core.aggregate.HessianVectorAggregator;
import dev.lethe.core.aggregate.MeasurementAggregator;
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
 * One pass of each kernel over blocks in memory, by how these are stored, beside a plain sum over
 * as many bytes.
 *
 * <p>The counters {@code bytes}, {@code rows} and {@code entries} are rates per second, of all
 * threads together. Bytes are those of the blocks ({@link ExampleBlock#bytes}), counted once a pass
 * although a kernel touches a row several times: after the first it is in cache. The kernel's rate
 * over that of {@link #bandwidth} says how far it is from being bound by memory. {@link
 * KernelReport} prints that and the time of an entry.
 *
 * <p>java -jar benchmarks/target/lethe-benchmarks-*-jmh.jar KernelBenchmark -f1 -wi 2 -i 3, with
 * {@code -jvmArgsAppend --add-modules=jdk.incubator.vector} for the Vector API as under Spark 4.1
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
public class KernelBenchmark {
  private static final long SEED = 20260401;
  private static final int ENTRIES = 12_000_000;
  private static final int SPARSE_ENTRIES_PER_ROW = 50;
  private static final int DENSE_FEATURES = 100;

  @Param({"dense", "sparse"})
  public String layout;

  @Param({"DOUBLE", "FLOAT", "SHORT", "BYTE", "ONE"})
  public Numbers numbers;

  /** Up to 65536 a sparse block keeps columns in 16 bits, unless its values are doubles. */
  @Param("100000")
  public int sparseFeatures;

  private List<ExampleBlock> blocks;
  private Point point;
  private double[] direction;
  private double[] words;
  private long bytes;
  private long rows;
  private long entries;

  /** What one call went through; JMH reports rates per second. */
  @State(Scope.Thread)
  @AuxCounters(AuxCounters.Type.OPERATIONS)
  public static class Volume {
    public long bytes;
    public long rows;
    public long entries;
  }

  @Setup
  public void generate() {
    boolean dense = layout.equals("dense");
    int features = dense ? DENSE_FEATURES : sparseFeatures;
    int perRow = dense ? DENSE_FEATURES : SPARSE_ENTRIES_PER_ROW;
    rows = ENTRIES / perRow;
    entries = rows * perRow;
    SplittableRandom random = new SplittableRandom(SEED);
    blocks = SyntheticBlocks.of(features, perRow, rows, numbers, random);
    bytes = blocks.stream().mapToLong(ExampleBlock::bytes).sum();
    words = random.doubles(bytes / 8).toArray();
    double[] theta = random.doubles(features + 1L, -1, 1).toArray();
    direction = random.doubles(features + 1L, -1, 1).toArray();
    point = new Point(LogisticLoss.INSTANCE, features, true, theta);
  }

  @Benchmark
  public double[] gradient(Volume volume) {
    GradientAggregator sums = new GradientAggregator(point);
    blocks.forEach(sums::add);
    count(volume);
    return sums.gradient();
  }

  @Benchmark
  public double[] measure(Volume volume) {
    MeasurementAggregator sums = new MeasurementAggregator(point);
    blocks.forEach(sums::add);
    count(volume);
    return sums.gradientError();
  }

  @Benchmark
  public double[] hessianVector(Volume volume) {
    HessianVectorAggregator sums = new HessianVectorAggregator(point, direction);
    blocks.forEach(sums::add);
    count(volume);
    return sums.product();
  }

  /** Reads as many bytes in order and adds them up in eight chains: memory is the only limit. */
  @Benchmark
  public double bandwidth(Volume volume) {
    double s0 = 0;
    double s1 = 0;
    double s2 = 0;
    double s3 = 0;
    double s4 = 0;
    double s5 = 0;
    double s6 = 0;
    double s7 = 0;
    for (int j = 0; j + 7 < words.length; j += 8) {
      s0 += words[j];
      s1 += words[j + 1];
      s2 += words[j + 2];
      s3 += words[j + 3];
      s4 += words[j + 4];
      s5 += words[j + 5];
      s6 += words[j + 6];
      s7 += words[j + 7];
    }
    count(volume);
    return ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7));
  }

  private void count(Volume volume) {
    volume.bytes += bytes;
    volume.rows += rows;
    volume.entries += entries;
  }
}
