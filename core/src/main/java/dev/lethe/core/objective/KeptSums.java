package dev.lethe.core.objective;

import dev.lethe.core.aggregate.MeasuredHessianAggregator;
import dev.lethe.core.aggregate.Point;
import dev.lethe.core.aggregate.SeveralSums;
import dev.lethe.core.aggregate.StatisticsAggregator;
import dev.lethe.core.aggregate.SumQuery;
import dev.lethe.core.linalg.Binary;
import dev.lethe.core.linalg.SymmetricMatrix;
import dev.lethe.core.model.ColumnStatistics;
import dev.lethe.core.model.Statistics;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.List;

/**
 * All sums over a data set at one point theta_f: statistics, gradient, Hessian, each with its
 * error. They follow the data: where k rows change, what those rows contribute as they were leaves
 * and what they contribute as they are enters, which costs O(k p^2) and reads no other row. What
 * they tell of other points is {@link Objective#extrapolate}.
 *
 * <p>Sums that left stay in the errors: every bound counts the absolute terms of all rows that were
 * ever added.
 */
public final class KeptSums {
  private final Point point;
  private final StatisticsAggregator statistics;
  private final MeasuredHessianAggregator sums;

  /** Twice the diagonal of the Hessians that left: with the rest's, that of all rows ever added. */
  private final double[] cancelled;

  /** Of the rows that left: sum w, sum w^2. */
  private final double[] left = new double[2];

  private KeptSums(Point point, StatisticsAggregator statistics, MeasuredHessianAggregator sums) {
    this.point = point;
    this.statistics = statistics;
    this.sums = sums;
    cancelled = new double[point.size()];
  }

  /** Over all of a data set: one pass. */
  public static KeptSums of(ExampleSums examples, Point point) {
    SeveralSums sums =
        examples.several(List.of(SumQuery.statistics(point), SumQuery.measuredHessian(point)));
    return new KeptSums(
        point, (StatisticsAggregator) sums.sum(0), (MeasuredHessianAggregator) sums.sum(1));
  }

  /** Over no rows. */
  public static KeptSums none(Point point) {
    return of(new LocalExamples(point.layout().features(), List.of()), point);
  }

  /**
   * Lets rows change.
   *
   * @param before the sums over the rows that change, as they were, at the same point
   * @param after over the same rows as they are now
   */
  public void exchange(KeptSums before, KeptSums after) {
    double[] diagonal = before.sums.hessian().matrix().values();
    int p = point.size();
    for (int j = 0; j < p; j++) {
      cancelled[j] += before.cancelled[j] + after.cancelled[j] + 2 * diagonal[j * (p + 1)];
    }
    add(left, weights(before.statistics()));
    add(left, before.left);
    add(left, after.left);
    // what enters first: no count is ever below zero
    statistics.merge(after.statistics);
    statistics.subtract(before.statistics);
    sums.merge(after.sums);
    sums.subtract(before.sums);
  }

  /** theta_f, loss and layout. */
  public Point point() {
    return point;
  }

  /** Counts and moments; min and max may be bounds only. */
  public Statistics statistics() {
    return statistics.statistics();
  }

  /** sum w and sum w^2. */
  private static double[] weights(Statistics s) {
    double total = s.totalWeight();
    return s.rows() == 0
        ? new double[2]
        : new double[] {total, Math.max(0, total * (total - s.unbiasedWeight()))};
  }

  private static void add(double[] sums, double[] more) {
    for (int i = 0; i < sums.length; i++) {
      sums[i] += more[i];
    }
  }

  /**
   * Whether the statistics are still what the errors of penalties take them for. Less weight has
   * left than is left, so that W and sum w^2 are accurate; and of every column, and of the labels,
   * it is known whether it is constant: of one whose values may all be the same by now only the
   * table tells.
   */
  public boolean isAccurate() {
    Statistics s = statistics();
    double[] rest = weights(s);
    return s.rows() > 0
        && left[0] <= rest[0]
        && left[1] <= rest[1]
        && isDecided(s.label())
        && s.columns().stream().allMatch(KeptSums::isDecided);
  }

  private static boolean isDecided(ColumnStatistics column) {
    return column.isConstant() || column.varianceRelativeError() < 0.5;
  }

  MeasuredHessianAggregator sums() {
    return sums;
  }

  /**
   * kappa_H of the matrix of these sums, for the coordinates that are not fixed: entry jk is within
   * kappa_H sqrt(H_jj H_kk).
   */
  double relativeError(SymmetricMatrix matrix, boolean[] fixed) {
    double ratio = 0;
    for (int j = 0; j < cancelled.length; j++) {
      if (!fixed[j] && cancelled[j] > 0) {
        double rest = matrix.get(j, j);
        ratio = rest > 0 ? Math.max(ratio, cancelled[j] / rest) : Double.POSITIVE_INFINITY;
      }
    }
    // 1.01: the diagonals are computed ones
    return sums.hessian().relativeError() * (1 + 1.01 * ratio);
  }

  /** Writes everything but the point. */
  public void write(DataOutput out) throws IOException {
    statistics.write(out);
    sums.write(out);
    Binary.write(out, cancelled);
    Binary.write(out, left);
  }

  /**
   * Reads what {@link #write} wrote of sums at this point.
   *
   * @throws IOException also if they are of another shape
   */
  public static KeptSums read(DataInput in, Point point) throws IOException {
    KeptSums kept =
        new KeptSums(
            point,
            new StatisticsAggregator(point.loss(), point.layout().features()),
            new MeasuredHessianAggregator(point));
    kept.statistics.read(in);
    kept.sums.read(in);
    Binary.read(in, kept.cancelled);
    Binary.read(in, kept.left);
    return kept;
  }
}
