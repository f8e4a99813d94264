package dev.lethe.benchmarks.endtoend;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * The cost model with the constants that were measured, beside what was measured, and carried to
 * clusters.
 *
 * @param fittedRows the largest table that constants were taken from
 */
record Projection(
    String study, CostModel model, long fittedRows, List<Check> checks, List<Projected> projected)
    implements Study {
  private static final int COLUMNS = 50;
  private static final int CORES = 16;
  private static final double NETWORK = 1.25e9;
  private static final double STORAGE = 5e8;
  private static final double PARTITION_BYTES = 128 << 20;

  /** Seconds from Parquet that were measured, and that the model tells. */
  record Check(long rows, int columns, int threads, double measured, double predicted) {}

  record Projected(
      CostModel.Work work, CostModel.Cluster cluster, CostModel.Seconds seconds, double total) {}

  /** Constants from all sizes but the largest, which is predicted. */
  static Projection of(Growth growth, PassCost passes) {
    List<Growth.Run> runs = growth.rows();
    List<Growth.Run> smaller = runs.subList(0, Math.max(2, runs.size() - 1));
    List<PassCost.Cost> costs = passes.costs();
    CostModel model =
        CostModel.fitted(
            smaller, costs.get(0), costs.get(costs.size() - 1), costs.get(costs.size() - 2));
    List<Check> checks = new ArrayList<>();
    runs.forEach(run -> checks.add(check(model, run)));
    checks.add(check(model, growth.cores().one()));
    int gradients =
        Stream.of(growth.rows(), growth.columns())
            .flatMap(List::stream)
            .mapToInt(Growth.Run::gradients)
            .max()
            .orElseThrow();
    List<Projected> projected = new ArrayList<>();
    for (int nodes : new int[] {1, 10, 100}) {
      projected.add(
          projected(
              model,
              1e8 * nodes,
              gradients,
              new CostModel.Cluster(nodes, CORES, NETWORK, STORAGE)));
    }
    return new Projection(
        "model",
        model,
        smaller.get(smaller.size() - 1).rows(),
        List.copyOf(checks),
        List.copyOf(projected));
  }

  private static Check check(CostModel model, Growth.Run run) {
    return new Check(
        run.rows(),
        run.columns(),
        run.threads(),
        run.fromParquet().median(),
        model.seconds(CostModel.work(run), CostModel.Cluster.local(run.threads())).total());
  }

  private static Projected projected(
      CostModel model, double rows, int gradients, CostModel.Cluster cluster) {
    CostModel.Work unsplit = new CostModel.Work(rows, COLUMNS, 1, gradients);
    int partitions = (int) Math.max(cluster.cores(), Math.ceil(unsplit.bytes() / PARTITION_BYTES));
    CostModel.Work work = new CostModel.Work(rows, COLUMNS, partitions, gradients);
    CostModel.Seconds seconds = model.seconds(work, cluster);
    return new Projected(work, cluster, seconds, seconds.total());
  }

  @Override
  public String markdown() {
    StringBuilder text = new StringBuilder();
    text.append("Cost model, constants from tables of at most ").append(fittedRows);
    text.append(" rows.\n\n| constant | measured |\n|---|---|\n");
    text.append(constant("before reading, s", "%.3f", model.before()));
    text.append(constant("reading, fixed, s", "%.3f", model.readFixed()));
    text.append(constant("reading a number, core, ns", "%.2f", 1e9 * model.readCell()));
    text.append(constant("a pass, fixed, ms", "%.2f", 1e3 * model.passFixed()));
    text.append(constant("a task of a pass, driver, ms", "%.3f", 1e3 * model.taskSeconds()));
    text.append(constant("a gradient, core, GB/s", "%.2f", model.bytesPerSecond() / 1e9));
    text.append(constant("a parameter of a partition's sum, ns", "%.2f", 1e9 * model.sumSeconds()));
    text.append(constant("other passes and driver, s", "%.3f", model.rest()));
    text.append("\n| rows x columns | threads | measured, s | model, s | ratio |\n");
    text.append("|---|---|---|---|---|\n");
    for (Check check : checks) {
      text.append(
          "| %d x %d | %d | %s | %s | %s |\n"
              .formatted(
                  check.rows,
                  check.columns,
                  check.threads,
                  Report.fixed("%.2f", check.measured),
                  Report.fixed("%.2f", check.predicted),
                  Report.fixed("%.2f", check.predicted / check.measured)));
    }
    text.append("\n| rows x columns, nodes x cores | blocks a node, GB | total, s | reading |");
    text.append(" gradients | their overhead | their sums | the rest |\n");
    text.append("|---|---|---|---|---|---|---|---|\n");
    for (Projected one : projected) {
      CostModel.Seconds seconds = one.seconds;
      text.append(
          "| %s x %d, %d x %d | %s | %s | %s | %d: %s | %s | %s | %s |\n"
              .formatted(
                  Report.scientific(one.work.rows()),
                  one.work.columns(),
                  one.cluster.nodes(),
                  one.cluster.coresPerNode(),
                  Report.fixed("%.0f", one.work.bytes() / one.cluster.nodes() / 1e9),
                  Report.fixed("%.1f", one.total),
                  Report.fixed("%.1f", seconds.reading()),
                  one.work.gradients(),
                  Report.fixed("%.1f", seconds.gradients()),
                  Report.fixed("%.1f", seconds.overhead()),
                  Report.fixed("%.1f", seconds.sums()),
                  Report.fixed("%.1f", seconds.before() + seconds.rest())));
    }
    return text.toString();
  }

  private static String constant(String name, String format, double value) {
    return "| " + name + " | " + Report.fixed(format, value) + " |\n";
  }
}
