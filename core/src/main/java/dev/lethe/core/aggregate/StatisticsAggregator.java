package dev.lethe.core.aggregate;

import dev.lethe.core.linalg.CompensatedVector;
import dev.lethe.core.linalg.Rounding;
import dev.lethe.core.loss.LossFunction;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.Statistics;
import java.util.Arrays;

/**
 * Counts, weights and per-column moments of a data set in one pass, and whether its values are
 * legal.
 *
 * <p>The moments sum_i w_i x_ij and sum_i w_i x_ij^2 are kept with their rounding errors (about
 * twice the precision of a double), so that the variance survives columns whose mean is much larger
 * than their deviation.
 */
public final class StatisticsAggregator implements Aggregator<StatisticsAggregator> {
  private static final long serialVersionUID = 1L;

  private final transient LossFunction loss;
  private final int features;
  private final CompensatedVector first;
  private final CompensatedVector second;
  private final CompensatedVector weight = new CompensatedVector(1);
  private final CompensatedVector squaredWeight = new CompensatedVector(1);
  private final CompensatedVector labelWeight = new CompensatedVector(1);
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
    first = new CompensatedVector(features);
    second = new CompensatedVector(features);
    min = new double[features];
    max = new double[features];
    Arrays.fill(min, Double.POSITIVE_INFINITY);
    Arrays.fill(max, Double.NEGATIVE_INFINITY);
    nonzeros = new long[features];
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
      labelWeight.addProduct(0, 1, w, y);
      row.weight = w;
      block.forEachEntry(i, row);
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
    labelWeight.merge(other.labelWeight);
    for (int j = 0; j < features; j++) {
      min[j] = Math.min(min[j], other.min[j]);
      max[j] = Math.max(max[j], other.max[j]);
      nonzeros[j] += other.nonzeros[j];
    }
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
    labelWeight.sealed();
    return this;
  }

  @Override
  public long bytes() {
    return 56L * features + 1024;
  }

  /**
   * The statistics; columns with x = 0 in some row have 0 within [min, max]. Rows with an invalid
   * label or weight, and values that are not finite, count as invalid and enter nothing else.
   */
  public Statistics statistics() {
    double wHigh = weight.sum(0);
    double wLow = weight.error(0);
    double total = wHigh + wLow;
    double denominator = total - (squaredWeight.sum(0) + squaredWeight.error(0)) / total;
    double depth = (first.depth() + 4) * Rounding.UNIT;
    long usable = rows - badLabels - badWeights;
    double[] variance = new double[features];
    double[] varianceError = new double[features];
    double[] secondMoment = new double[features];
    double[] minimum = min.clone();
    double[] maximum = max.clone();
    for (int j = 0; j < features; j++) {
      if (nonzeros[j] < usable || minimum[j] > maximum[j]) {
        minimum[j] = Math.min(0, minimum[j]);
        maximum[j] = Math.max(0, maximum[j]);
      }
      secondMoment[j] = second.sum(j) + second.error(j);
      if (minimum[j] == maximum[j]) {
        continue;
      }
      if (!(denominator > 0)) { // two different values: it is positive, but lost to rounding
        varianceError[j] = Double.POSITIVE_INFINITY;
        continue;
      }
      // sum w x^2 - (sum w x)^2 / W in double-double arithmetic
      double b = first.sum(j);
      double bLow = first.error(j);
      double q = b / wHigh;
      double qLow = (Math.fma(-q, wHigh, b) - q * wLow + bLow) / wHigh;
      double product = b * q;
      double productLow = Math.fma(b, q, -product) + b * qLow + bLow * q;
      double centred = (second.sum(j) - product) + (second.error(j) - productLow);
      variance[j] = Math.max(0, centred) / denominator;
      // The moments' errors and the division's are relative to the second moment; W - sum w^2 / W
      // cancels where one weight dominates; products of tiny values underflow.
      double largest = Math.max(-minimum[j], maximum[j]);
      double underflow = 16.0 * usable * Double.MIN_VALUE * (1 + largest);
      varianceError[j] =
          centred > 0
              ? 8 * Rounding.UNIT * (1 + total / denominator)
                  + 64 * depth * depth * (secondMoment[j] / centred)
                  + underflow / centred
              : Double.POSITIVE_INFINITY;
    }
    return new Statistics(
        rows,
        checksum,
        total,
        labelWeight.sum(0) + labelWeight.error(0),
        variance,
        varianceError,
        secondMoment,
        minimum,
        maximum,
        new Statistics.Invalid(badLabels, badWeights, badValues, badColumn));
  }
}
