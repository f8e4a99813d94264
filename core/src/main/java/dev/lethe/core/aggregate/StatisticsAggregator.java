package dev.lethe.core.aggregate;

import dev.lethe.core.linalg.CompensatedVector;
import dev.lethe.core.linalg.Rounding;
import dev.lethe.core.loss.LossFunction;
import dev.lethe.core.model.ColumnStatistics;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.Statistics;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Counts, weights and per-column moments of a data set in one pass, and whether its values are
 * legal.
 *
 * <p>The label counts as one more column here, column d. The moments sum_i w_i x_ij and sum_i w_i
 * x_ij^2 are kept with their rounding errors (about twice the precision of a double), so that the
 * variance survives columns whose mean is much larger than their deviation.
 */
public final class StatisticsAggregator implements Aggregator<StatisticsAggregator> {
  private static final long serialVersionUID = 1L;

  private final transient LossFunction loss;
  private final int features;
  private final CompensatedVector first;
  private final CompensatedVector second;
  private final CompensatedVector weight = new CompensatedVector(1);
  private final CompensatedVector squaredWeight = new CompensatedVector(1);
  private final long[] classes;
  private final double[] min;
  private final double[] max;
  private final long[] nonzeros;
  private long rows;
  private long checksum;
  private long badLabels;
  private long badWeights;
  private long badValues;
  private int badColumn = -1;

  public StatisticsAggregator(LossFunction loss, int features) {
    this.loss = loss;
    this.features = features;
    int columns = features + 1;
    first = new CompensatedVector(columns);
    second = new CompensatedVector(columns);
    classes = new long[loss.classes()];
    min = new double[columns];
    max = new double[columns];
    Arrays.fill(min, Double.POSITIVE_INFINITY);
    Arrays.fill(max, Double.NEGATIVE_INFINITY);
    nonzeros = new long[columns];
  }

  @Override
  public void add(ExampleBlock block) {
    rows += block.rows();
    checksum += block.checksum();
    RowSums row = new RowSums();
    for (int i = 0; i < block.rows(); i++) {
      double w = block.weight(i);
      double y = block.label(i);
      if (!(w > 0 && Double.isFinite(w))) {
        badWeights++;
        continue;
      }
      if (!loss.acceptsLabel(y)) {
        badLabels++;
        continue;
      }
      weight.add(0, w);
      squaredWeight.addProduct(0, 1, w, w);
      row.weight = w;
      block.forEachEntry(i, row);
      row.accept(features, y);
      if (classes.length > 0) {
        classes[(int) y]++;
      }
      first.endRow(false);
      second.endRow(false);
    }
  }

  /** Adds the entries of the row of weight {@code weight}; one object a block. */
  private final class RowSums implements ExampleBlock.EntryConsumer {
    private double weight;

    @Override
    public void accept(int column, double x) {
      if (x == 0) {
        return;
      }
      nonzeros[column]++;
      if (!Double.isFinite(x)) {
        badValues++;
        badColumn = badColumn < 0 ? column : Math.min(badColumn, column);
        return;
      }
      first.addProduct(column, 1, weight, x);
      second.addProduct(column, weight, x, x);
      min[column] = Math.min(min[column], x);
      max[column] = Math.max(max[column], x);
    }
  }

  @Override
  public void merge(StatisticsAggregator other) {
    first.merge(other.first);
    second.merge(other.second);
    weight.merge(other.weight);
    squaredWeight.merge(other.squaredWeight);
    for (int j = 0; j <= features; j++) {
      min[j] = Math.min(min[j], other.min[j]);
      max[j] = Math.max(max[j], other.max[j]);
      nonzeros[j] += other.nonzeros[j];
    }
    Arrays.setAll(classes, k -> classes[k] + other.classes[k]);
    rows += other.rows;
    checksum += other.checksum;
    badLabels += other.badLabels;
    badWeights += other.badWeights;
    badValues += other.badValues;
    if (other.badColumn >= 0) {
      badColumn = badColumn < 0 ? other.badColumn : Math.min(badColumn, other.badColumn);
    }
  }

  @Override
  public StatisticsAggregator sealed() {
    first.sealed();
    second.sealed();
    weight.sealed();
    squaredWeight.sealed();
    return this;
  }

  @Override
  public long bytes() {
    return 56L * features + 8L * classes.length + 1024;
  }

  /**
   * The statistics; columns with x = 0 in some row have 0 within [min, max]. Rows with an invalid
   * label or weight, and values that are not finite, count as invalid and enter nothing else.
   */
  public Statistics statistics() {
    double total = weight.sum(0) + weight.error(0);
    double denominator = total - (squaredWeight.sum(0) + squaredWeight.error(0)) / total;
    List<ColumnStatistics> columns = new ArrayList<>(features + 1);
    for (int j = 0; j <= features; j++) {
      columns.add(column(j, total, denominator));
    }
    return new Statistics(
        rows,
        checksum,
        total,
        denominator,
        columns.subList(0, features),
        columns.get(features),
        classes.clone(),
        new Statistics.Invalid(badLabels, badWeights, badValues, badColumn));
  }

  private ColumnStatistics column(int j, double total, double denominator) {
    long usable = rows - badLabels - badWeights;
    double minimum = min[j];
    double maximum = max[j];
    if (nonzeros[j] < usable || minimum > maximum) {
      minimum = Math.min(0, minimum);
      maximum = Math.max(0, maximum);
    }
    double b = first.sum(j);
    double bLow = first.error(j);
    double secondMoment = second.sum(j) + second.error(j);
    double variance = 0;
    double error = 0;
    if (minimum != maximum && !(denominator > 0)) {
      error =
          Double.POSITIVE_INFINITY; // two different values: it is positive, but lost to rounding
    } else if (minimum != maximum) {
      // sum w x^2 - (sum w x)^2 / W in double-double arithmetic
      double wHigh = weight.sum(0);
      double q = b / wHigh;
      double qLow = (Math.fma(-q, wHigh, b) - q * weight.error(0) + bLow) / wHigh;
      double product = b * q;
      double productLow = Math.fma(b, q, -product) + b * qLow + bLow * q;
      double centred = (second.sum(j) - product) + (second.error(j) - productLow);
      variance = Math.max(0, centred) / denominator;
      // The moments' errors and the division's are relative to the second moment; W - sum w^2 / W
      // cancels where one weight dominates; products of tiny values underflow.
      double depth = (first.depth() + 4) * Rounding.UNIT;
      double underflow = 16.0 * usable * Double.MIN_VALUE * (1 + Math.max(-minimum, maximum));
      error =
          centred > 0
              ? 8 * Rounding.UNIT * (1 + total / denominator)
                  + 64 * depth * depth * (secondMoment / centred)
                  + underflow / centred
              : Double.POSITIVE_INFINITY;
    }
    return new ColumnStatistics(minimum, maximum, b + bLow, secondMoment, variance, error);
  }
}
