package dev.lethe.benchmarks.endtoend;

import java.util.List;

/**
 * Seconds of an unlearning of dense rows on a cluster:
 *
 * <pre>
 *   before + max(readFixed + cells readCell / cores, table / (nodes storage)) + rest
 *     + gradients (passFixed + tasks taskSeconds + bytes / (cores bytesPerSecond)
 *                  + broadcast + sums)
 * </pre>
 *
 * <p>A broadcast of p doubles reaches all nodes in log2(nodes + 1) rounds of the network. Sums of
 * all partitions go to the driver one after the other, or, where they exceed 64 MiB together, first
 * through levels of neighbours on executors, as {@code OrderedAggregation} has them.
 *
 * @param before seconds before reading
 * @param readFixed seconds of the reading job, whatever the rows
 * @param readCell seconds in which one core reads and packs a number
 * @param passFixed seconds of a pass over nothing
 * @param bytesPerSecond of the blocks that one core adds up into a gradient, all cores busy
 * @param taskSeconds of the driver for each task of a pass
 * @param sumSeconds to send and merge one parameter of one partition's sum, without the network
 * @param rest seconds of all other passes, and of the driver
 */
record CostModel(
    double before,
    double readFixed,
    double readCell,
    double passFixed,
    double bytesPerSecond,
    double taskSeconds,
    double sumSeconds,
    double rest) {
  private static final double DRIVER_BYTES = 64 << 20;

  /** Of a partition's sum of gradient, rounding bound and curvature, for each parameter. */
  private static final double SUM_BYTES = 40;

  /**
   * @param network bytes a second into or out of a node
   * @param storage bytes a second of the table that a node gets
   */
  record Cluster(int nodes, int coresPerNode, double network, double storage) {
    /** The machine that the constants were measured on, whose tables are in its memory. */
    static Cluster local(int threads) {
      return new Cluster(1, threads, Double.POSITIVE_INFINITY, Double.POSITIVE_INFINITY);
    }

    double cores() {
      return (double) nodes * coresPerNode;
    }
  }

  /**
   * @param rows n
   * @param columns d, in the table as 8 bytes each
   * @param gradients passes
   */
  record Work(double rows, int columns, int partitions, int gradients) {
    double cells() {
      return rows * columns;
    }

    /** Of the cached blocks: the cells, label and weight. */
    double bytes() {
      return 8 * rows * (columns + 2);
    }

    /** p, with the intercept. */
    int parameters() {
      return columns + 1;
    }
  }

  /**
   * Seconds.
   *
   * @param gradients reading and adding up the blocks
   * @param overhead of these passes: fixed, tasks, broadcasts
   * @param sums of these passes: merging what the partitions found
   */
  record Seconds(
      double before, double reading, double gradients, double overhead, double sums, double rest) {
    double total() {
      return before + reading + gradients + overhead + sums + rest;
    }
  }

  /**
   * The constants that explain what was measured, by least squares of relative errors.
   *
   * @param runs of growing n on one machine, at least two
   * @param small pass over nothing, few parameters, as many tasks as threads
   * @param many the same, more tasks
   * @param large the same, many parameters
   */
  static CostModel fitted(
      List<Growth.Run> runs, PassCost.Cost small, PassCost.Cost many, PassCost.Cost large) {
    double passFixed = small.measurement().median();
    double task =
        Math.max(0, many.measurement().median() - passFixed) / (many.tasks() - small.tasks());
    double sum =
        Math.max(0, large.measurement().median() - passFixed)
            / ((double) large.tasks() * large.parameters());
    double[] reading =
        line(
            runs.stream().mapToDouble(run -> run.cells() / run.threads()).toArray(),
            runs.stream().mapToDouble(run -> run.reading().median()).toArray());
    double perByte =
        throughOrigin(
            runs.stream().mapToDouble(run -> work(run).bytes() / run.threads()).toArray(),
            runs.stream()
                .mapToDouble(run -> Math.max(0, run.gradient().median() - passFixed))
                .toArray());
    return new CostModel(
        runs.stream().mapToDouble(run -> run.beforeReading().median()).max().orElseThrow(),
        reading[0],
        reading[1],
        passFixed - small.tasks() * task,
        1 / perByte,
        task,
        sum,
        runs.stream()
            .mapToDouble(
                run -> run.fromCache().median() - run.gradients() * run.gradient().median())
            .max()
            .orElseThrow());
  }

  static Work work(Growth.Run run) {
    return new Work(run.rows(), run.columns(), run.threads(), run.gradients());
  }

  /** a and b of a + b x = y, neither negative. */
  private static double[] line(double[] x, double[] y) {
    double uu = 0;
    double uv = 0;
    double vv = 0;
    double u = 0;
    double v = 0;
    for (int i = 0; i < x.length; i++) {
      uu += 1 / (y[i] * y[i]);
      uv += x[i] / (y[i] * y[i]);
      vv += x[i] * x[i] / (y[i] * y[i]);
      u += 1 / y[i];
      v += x[i] / y[i];
    }
    double determinant = uu * vv - uv * uv;
    double a = (u * vv - v * uv) / determinant;
    return a >= 0 ? new double[] {a, (v * uu - u * uv) / determinant} : new double[] {0, v / vv};
  }

  /** b of b x = y. */
  private static double throughOrigin(double[] x, double[] y) {
    double v = 0;
    double vv = 0;
    for (int i = 0; i < x.length; i++) {
      if (y[i] > 0) {
        v += x[i] / y[i];
        vv += x[i] * x[i] / (y[i] * y[i]);
      }
    }
    return v / vv;
  }

  Seconds seconds(Work work, Cluster cluster) {
    double broadcast =
        8.0 * work.parameters() / cluster.network * Math.ceil(log2(cluster.nodes + 1));
    return new Seconds(
        before,
        Math.max(
            readFixed + work.cells() * readCell / cluster.cores(),
            8 * work.cells() / (cluster.nodes * cluster.storage)),
        work.gradients * work.bytes() / (cluster.cores() * bytesPerSecond),
        work.gradients * (passFixed + work.partitions * taskSeconds + broadcast),
        work.gradients * sums(work, cluster),
        rest);
  }

  private double sums(Work work, Cluster cluster) {
    double bytes = SUM_BYTES * work.parameters();
    double merge = work.parameters() * sumSeconds;
    double seconds = 0;
    int sums = work.partitions;
    while (sums * bytes > DRIVER_BYTES && sums >= 4) {
      int groupSize = (int) Math.ceil(Math.sqrt(sums));
      int groups = (sums + groupSize - 1) / groupSize;
      seconds +=
          passFixed
              + groups * taskSeconds
              + sums * bytes / (cluster.nodes * cluster.network)
              + Math.ceil(groups / cluster.cores()) * groupSize * merge;
      sums = groups;
    }
    return seconds + sums * (bytes / cluster.network + merge);
  }

  private static double log2(double x) {
    return Math.log(x) / Math.log(2);
  }
}
