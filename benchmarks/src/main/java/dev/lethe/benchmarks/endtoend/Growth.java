package dev.lethe.benchmarks.endtoend;

import dev.lethe.core.aggregate.Point;
import dev.lethe.core.loss.LogisticLoss;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.spark.api.Unlearner;
import dev.lethe.spark.data.ExampleTable;
import dev.lethe.spark.operator.DistributedExamples;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.storage.StorageLevel;

/**
 * How the seconds of an unlearning grow, in rows, columns, partitions and threads, on tables of
 * {@link DenseCase}. The model before is that of the smallest number of rows in all of them.
 *
 * @param rows of growing n
 * @param columns of growing d
 * @param partitions of growing number of partitions, to which the rows are moved
 * @param inRows exponents of n
 * @param inColumns exponents of d
 * @param cores one thread beside those of the session
 */
record Growth(
    String study,
    List<Run> rows,
    List<Run> columns,
    List<Run> partitions,
    Exponents inRows,
    Exponents inColumns,
    Cores cores)
    implements Study {
  private static final long[] ROWS = {100_000, 300_000, 1_000_000, 3_000_000, 10_000_000};
  private static final int[] COLUMNS = {25, 50, 100, 200, 400};
  private static final int[] PARTITIONS = {2, 4, 8, 16, 32, 64};
  private static final int D = 50;
  private static final int WARM_UPS = 3;
  private static final int PASSES = 11;

  /**
   * Unlearnings of one table; seconds.
   *
   * @param rows n
   * @param columns d, of the model before
   * @param partitions asked for, 0 for the table's own
   * @param fromParquet from the table's path to the certified model in memory
   * @param fromCache of that, what came after reading
   * @param gradient one pass over the cached blocks, with its rounding bound, measured by itself
   * @param gradients how many passes of the unlearning evaluated a gradient and no Hessian
   * @param passes of the unlearning
   */
  record Run(
      long rows,
      int columns,
      int partitions,
      int threads,
      Spread fromParquet,
      Spread beforeReading,
      Spread reading,
      Spread fromCache,
      Spread gradient,
      int gradients,
      int passes,
      long blockBytes) {
    /** Numbers that are stored. */
    double cells() {
      return (double) rows * columns;
    }
  }

  /**
   * Of time as a power of a size.
   *
   * @param all by least squares of the logarithms over all sizes
   * @param last between the two largest, where what does not grow matters least
   */
  record Exponent(double all, double last) {
    static Exponent of(List<Run> runs, ToDoubleFunction<Run> size, ToDoubleFunction<Run> seconds) {
      double[] x = runs.stream().mapToDouble(run -> Math.log(size.applyAsDouble(run))).toArray();
      double[] y = runs.stream().mapToDouble(run -> Math.log(seconds.applyAsDouble(run))).toArray();
      return new Exponent(slope(x, y, 0), slope(x, y, Math.max(0, x.length - 2)));
    }

    private static double slope(double[] x, double[] y, int from) {
      double meanX = IntStream.range(from, x.length).mapToDouble(i -> x[i]).average().orElseThrow();
      double meanY = IntStream.range(from, y.length).mapToDouble(i -> y[i]).average().orElseThrow();
      double xy = 0;
      double xx = 0;
      for (int i = from; i < x.length; i++) {
        xy += (x[i] - meanX) * (y[i] - meanY);
        xx += (x[i] - meanX) * (x[i] - meanX);
      }
      return xy / xx;
    }
  }

  /** Of the parts of an unlearning. */
  record Exponents(Exponent fromParquet, Exponent reading, Exponent fromCache, Exponent gradient) {
    static Exponents of(List<Run> runs, ToDoubleFunction<Run> size) {
      return new Exponents(
          Exponent.of(runs, size, run -> run.fromParquet.median()),
          Exponent.of(runs, size, run -> run.reading.median()),
          Exponent.of(runs, size, run -> run.fromCache.median()),
          Exponent.of(runs, size, run -> run.gradient.median()));
    }
  }

  /**
   * One thread beside several. Efficiency is the speedup over that of the read bandwidth, which is
   * all that a pass that waits for memory can gain.
   *
   * @param bandwidthOfOne bytes a second, of a plain sum on one thread
   * @param bandwidth on all threads
   */
  record Cores(
      Run one,
      Run all,
      Spread bandwidthOfOne,
      Spread bandwidth,
      double speedupFromParquet,
      double speedupFromCache,
      double speedupGradient,
      double efficiencyFromParquet,
      double efficiencyFromCache,
      double efficiencyGradient) {
    static Cores of(Run one, Run all, Spread bandwidthOfOne, Spread bandwidth) {
      double gained = bandwidth.median() / bandwidthOfOne.median();
      double parquet = one.fromParquet.median() / all.fromParquet.median();
      double cache = one.fromCache.median() / all.fromCache.median();
      double gradient = one.gradient.median() / all.gradient.median();
      return new Cores(
          one,
          all,
          bandwidthOfOne,
          bandwidth,
          parquet,
          cache,
          gradient,
          parquet / gained,
          cache / gained,
          gradient / gained);
    }
  }

  /** Of the growing tables: n. */
  static long[] sizes(Options options) {
    return LongStream.of(ROWS)
        .map(n -> Math.max(1000, Math.round(n * options.scale())))
        .filter(n -> n <= options.largest())
        .distinct()
        .toArray();
  }

  static Growth measure(Options options, Sessions sessions) {
    return measure(options, sessions, sizes(options), COLUMNS, PARTITIONS);
  }

  /**
   * @param sizes n, two at least, ascending
   */
  static Growth measure(
      Options options, Sessions sessions, long[] sizes, int[] widths, int[] splits) {
    int threads = sessions.threads();
    Measurement usual = new Measurement(options, sessions.session(), sizes[0]);
    List<Run> rows = LongStream.of(sizes).mapToObj(n -> usual.run(n, D, 0)).toList();
    long some = sizes[Math.min(1, sizes.length - 1)];
    List<Run> columns = IntStream.of(widths).mapToObj(d -> usual.run(some, d, 0)).toList();
    long more = sizes[Math.min(2, sizes.length - 1)];
    List<Run> partitions = IntStream.of(splits).mapToObj(k -> usual.run(more, D, k)).toList();
    Run all = usual.run(more, D, 0);
    Spread bandwidth = Machine.bandwidth(options.probeBytes(), threads);
    Run one = new Measurement(options, sessions.on(1), sizes[0]).run(more, D, 0);
    Spread bandwidthOfOne = Machine.bandwidth(options.probeBytes(), 1);
    sessions.on(threads);
    return new Growth(
        "growth",
        rows,
        columns,
        partitions,
        Exponents.of(rows, Run::rows),
        Exponents.of(columns, Run::columns),
        Cores.of(one, all, bandwidthOfOne, bandwidth));
  }

  /** Unlearnings in one session. */
  private record Measurement(Options options, SparkSession spark, long modelRows) {
    Run run(long n, int d, int partitions) {
      Tables tables = new Tables(spark, options.work());
      DenseCase of = new DenseCase(n, d, options.seed());
      DenseCase small = new DenseCase(modelRows, d, options.seed());
      PipelineModel model = tables.model(small);
      for (int i = 0; i < options.warmUps(); i++) {
        once(small, model, tables.train(small), partitions);
      }
      String train = tables.train(of);
      List<Unlearning> all = new ArrayList<>();
      for (int i = 0; i < options.runs(); i++) {
        all.add(once(of, model, train, partitions));
      }
      Run run =
          new Run(
              n,
              d,
              partitions,
              spark.sparkContext().defaultParallelism(),
              Spread.of(all, Unlearning::seconds),
              Spread.of(all, Unlearning::beforeReading),
              Spread.of(all, Unlearning::reading),
              Spread.of(all, Unlearning::fromCache),
              Spread.of(gradients(of, model, train, partitions)),
              all.get(0).gradients(),
              all.get(0).passes(),
              all.get(0).blockBytes());
      System.err.printf(
          Locale.ROOT,
          "bench: growth: %d x %d, %d partitions, %d threads: %.3f s%n",
          n,
          d,
          partitions,
          run.threads,
          run.fromParquet.median());
      return run;
    }

    /** Seconds of single passes over blocks as an unlearning caches them. */
    private List<Double> gradients(
        DenseCase of, PipelineModel model, String train, int partitions) {
      int d = of.columns();
      Dataset<Row> rows = model.stages()[0].transform(spark.read().parquet(train));
      JavaRDD<ExampleBlock> blocks =
          ExampleTable.orderedBlocks(
                  ExampleTable.examples(
                      rows, new ExampleTable.Columns(Case.FEATURES, Case.LABEL, null)),
                  d,
                  new BitSet(),
                  partitions)
              .persist(StorageLevel.MEMORY_AND_DISK());
      DistributedExamples examples = new DistributedExamples(blocks, d, () -> "bench");
      Point point =
          new Point(
              LogisticLoss.INSTANCE,
              d,
              true,
              new SplittableRandom(options.seed()).doubles(d + 1, -0.1, 0.1).toArray());
      List<Double> seconds = new ArrayList<>();
      for (int i = -WARM_UPS; i < PASSES; i++) {
        long begin = System.nanoTime();
        examples.measure(point);
        if (i >= 0) {
          seconds.add((System.nanoTime() - begin) / 1e9);
        }
      }
      blocks.unpersist(true);
      return seconds;
    }

    private Unlearning once(DenseCase of, PipelineModel model, String train, int partitions) {
      return Unlearning.run(
          spark, new Unlearner().setPartitions(partitions), of, model, train, unlearned -> {});
    }
  }

  @Override
  public String markdown() {
    return "Growth of an unlearning, seconds.\n\n"
        + "| rows x columns | partitions | threads | from Parquet | reading | from cached blocks |"
        + " one gradient | passes | blocks, MB |\n|---|---|---|---|---|---|---|---|---|\n"
        + lines(rows)
        + lines(columns)
        + lines(partitions)
        + lines(List.of(cores.one, cores.all))
        + "\n| exponent over all sizes; between the last two | from Parquet | reading |"
        + " from cached blocks | one gradient |\n|---|---|---|---|---|\n"
        + line("n", inRows)
        + line("d", inColumns)
        + "\n| "
        + cores.all.threads
        + " threads over 1 | from Parquet | from cached blocks | one gradient | read bandwidth |\n"
        + "|---|---|---|---|---|\n"
        + "| speedup | %s | %s | %s | %s |\n"
            .formatted(
                Report.fixed("%.2f", cores.speedupFromParquet),
                Report.fixed("%.2f", cores.speedupFromCache),
                Report.fixed("%.2f", cores.speedupGradient),
                Report.fixed("%.2f", cores.bandwidth.median() / cores.bandwidthOfOne.median()))
        + "| of that of the bandwidth | %s | %s | %s | |\n"
            .formatted(
                Report.fixed("%.2f", cores.efficiencyFromParquet),
                Report.fixed("%.2f", cores.efficiencyFromCache),
                Report.fixed("%.2f", cores.efficiencyGradient));
  }

  private static String lines(List<Run> runs) {
    StringBuilder lines = new StringBuilder();
    for (Run run : runs) {
      lines.append(
          "| %d x %d | %s | %d | %s | %s | %s | %s | %d | %s |\n"
              .formatted(
                  run.rows,
                  run.columns,
                  run.partitions == 0 ? "the table's" : run.partitions,
                  run.threads,
                  Report.text(run.fromParquet),
                  Report.text(run.reading),
                  Report.text(run.fromCache),
                  Report.text(run.gradient),
                  run.passes,
                  Report.fixed("%.0f", run.blockBytes / 1e6)));
    }
    return lines.toString();
  }

  private static String line(String size, Exponents of) {
    return "| %s | %s | %s | %s | %s |\n"
        .formatted(
            size, text(of.fromParquet), text(of.reading), text(of.fromCache), text(of.gradient));
  }

  private static String text(Exponent exponent) {
    return Report.fixed("%.2f", exponent.all) + "; " + Report.fixed("%.2f", exponent.last);
  }
}
