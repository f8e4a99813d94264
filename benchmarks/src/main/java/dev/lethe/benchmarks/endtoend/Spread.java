package dev.lethe.benchmarks.endtoend;

import java.util.Arrays;
import java.util.List;
import java.util.function.ToDoubleFunction;

/** The runs of one piece: median (the mean of the middle two), least, greatest. */
record Spread(double median, double min, double max) {
  static Spread of(List<Double> values) {
    return of(values, Double::doubleValue);
  }

  static <T> Spread of(List<T> runs, ToDoubleFunction<T> piece) {
    double[] sorted = runs.stream().mapToDouble(piece).toArray();
    Arrays.sort(sorted);
    int n = sorted.length;
    return new Spread((sorted[(n - 1) / 2] + sorted[n / 2]) / 2, sorted[0], sorted[n - 1]);
  }

  /** The median of a piece of some runs; of several with the least and the greatest. */
  static <T> String text(List<T> runs, String format, ToDoubleFunction<T> piece) {
    Spread spread = of(runs, piece);
    String median = Report.fixed(format, spread.median());
    return runs.size() == 1
        ? median
        : median
            + " ("
            + Report.fixed(format, spread.min())
            + " to "
            + Report.fixed(format, spread.max())
            + ")";
  }
}
