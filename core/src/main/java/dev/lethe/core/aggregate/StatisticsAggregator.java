package dev.lethe.core.aggregate;

import dev.lethe.core.linalg.Binary;
import dev.lethe.core.linalg.CompensatedVector;
import dev.lethe.core.linalg.PlainVector;
import dev.lethe.core.linalg.Rounding;
import dev.lethe.core.loss.LossFunction;
import dev.lethe.core.model.ColumnStatistics;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.Statistics;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
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
  private final CompensatedVector weight;
  private final CompensatedVector squaredWeight;
  private final long[] classes;
  private final PlainVector min;
  private final PlainVector max;
  private final PlainVector nonzeros;

  /** sum w x^2 of the rows that were taken away, twice: it stays in the errors. */
  private final PlainVector cancelled;

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
    weight = new CompensatedVector(1);
    squaredWeight = new CompensatedVector(1);
    classes = new long[loss.classes()];
    min = new PlainVector(columns, Double.POSITIVE_INFINITY);
    max = new PlainVector(columns, Double.NEGATIVE_INFINITY);
    nonzeros = new PlainVector(columns, 0);
    cancelled = new PlainVector(columns, 0);
  }

  /** One of several ranges of another's columns. */
  private StatisticsAggregator(StatisticsAggregator of, int part, int parts) {
    loss = of.loss;
    features = of.features;
    first = of.first.slice(part, parts);
    second = of.second.slice(part, parts);
    weight = of.weight.slice(0, 1);
    squaredWeight = of.squaredWeight.slice(0, 1);
    classes = of.classes.clone();
    min = of.min.slice(part, parts);
    max = of.max.slice(part, parts);
    nonzeros = of.nonzeros.slice(part, parts);
    cancelled = of.cancelled.slice(part, parts);
    takeCounts(of);
  }

  private void takeCounts(StatisticsAggregator of) {
    rows = of.rows;
    checksum = of.checksum;
    badLabels = of.badLabels;
    badWeights = of.badWeights;
    badValues = of.badValues;
    badColumn = of.badColumn;
  }

  @Override
  public void add(ExampleBlock block) {
    rows += block.rows();
    checksum += block.checksum();
    block.wide().forEach(this::addRows);
  }

  private void addRows(ExampleBlock block) {
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

  /** Adds the entries of the row of weight {@code weight}; one object a block or a part of it. */
  private final class RowSums implements ExampleBlock.EntryConsumer {
    private final double[] least = min.values();
    private final double[] greatest = max.values();
    private final double[] counts = nonzeros.values();
    private double weight;

    @Override
    public void accept(int column, double x) {
      if (x == 0) {
        return;
      }
      counts[column]++;
      if (!Double.isFinite(x)) {
        badValues++;
        badColumn = badColumn < 0 ? column : Math.min(badColumn, column);
        return;
      }
      first.addProduct(column, 1, weight, x);
      second.addProduct(column, weight, x, x);
      least[column] = Math.min(least[column], x);
      greatest[column] = Math.max(greatest[column], x);
    }
  }

  @Override
  public void merge(StatisticsAggregator other) {
    first.merge(other.first);
    second.merge(other.second);
    weight.merge(other.weight);
    squaredWeight.merge(other.squaredWeight);
    min.merge(other.min, Math::min);
    max.merge(other.max, Math::max);
    nonzeros.merge(other.nonzeros, Double::sum);
    cancelled.merge(other.cancelled, Double::sum);
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

  /**
   * Takes some of the rows away. min and max stay as they were, bounds of what is left, but for a
   * column that has no entry left; whether another column is constant now its variance tells, as
   * far as its error allows.
   */
  public void subtract(StatisticsAggregator other) {
    first.subtract(other.first);
    second.subtract(other.second);
    weight.subtract(other.weight);
    squaredWeight.subtract(other.squaredWeight);
    nonzeros.merge(other.nonzeros, (all, left) -> all - left);
    cancelled.merge(other.cancelled, Double::sum);
    double[] gone = cancelled.values();
    double[] counts = nonzeros.values();
    for (int j = 0; j <= features; j++) {
      gone[j] += 2 * (other.second.sum(j) + other.second.error(j));
      if (counts[j] == 0) {
        min.values()[j] = Double.POSITIVE_INFINITY;
        max.values()[j] = Double.NEGATIVE_INFINITY;
      }
    }
    Arrays.setAll(classes, k -> classes[k] - other.classes[k]);
    rows -= other.rows;
    checksum -= other.checksum;
    badLabels -= other.badLabels;
    badWeights -= other.badWeights;
    badValues -= other.badValues;
  }

  /** Writes the sums with their errors. */
  public void write(DataOutput out) throws IOException {
    for (CompensatedVector sums : List.of(first, second, weight, squaredWeight)) {
      sums.write(out);
    }
    Binary.write(out, classes);
    Binary.write(out, min.values());
    Binary.write(out, max.values());
    Binary.write(out, nonzeros.values());
    Binary.write(out, cancelled.values());
    Binary.write(out, new long[] {rows, checksum, badLabels, badWeights, badValues, badColumn});
  }

  /** Reads what {@link #write} wrote into this aggregator, which has added up nothing. */
  public void read(DataInput in) throws IOException {
    for (CompensatedVector sums : List.of(first, second, weight, squaredWeight)) {
      sums.read(in);
    }
    Binary.read(in, classes);
    Binary.read(in, min.values());
    Binary.read(in, max.values());
    Binary.read(in, nonzeros.values());
    Binary.read(in, cancelled.values());
    long[] counts = new long[6];
    Binary.read(in, counts);
    rows = counts[0];
    checksum = counts[1];
    badLabels = counts[2];
    badWeights = counts[3];
    badValues = counts[4];
    badColumn = (int) counts[5];
  }

  @Override
  public StatisticsAggregator sealed() {
    first.sealed();
    second.sealed();
    weight.sealed();
    squaredWeight.sealed();
    min.sealed();
    max.sealed();
    nonzeros.sealed();
    cancelled.sealed();
    return this;
  }

  @Override
  public StatisticsAggregator slice(int part, int parts) {
    return new StatisticsAggregator(this, part, parts).sealed();
  }

  @Override
  public void place(StatisticsAggregator slice, int part, int parts) {
    first.place(slice.first, part, parts);
    second.place(slice.second, part, parts);
    weight.place(slice.weight, 0, 1);
    squaredWeight.place(slice.squaredWeight, 0, 1);
    System.arraycopy(slice.classes, 0, classes, 0, classes.length);
    min.place(slice.min, part, parts);
    max.place(slice.max, part, parts);
    nonzeros.place(slice.nonzeros, part, parts);
    cancelled.place(slice.cancelled, part, parts);
    takeCounts(slice);
  }

  @Override
  public long bytes() {
    return 72L * features + 8L * classes.length + 1024;
  }

  /**
   * The statistics; columns with x = 0 in some row have 0 within [min, max]. Rows with an invalid
   * label or weight, and values that are not finite, count as invalid and enter nothing else.
   */
  public Statistics statistics() {
    double total = weight.sum(0) + weight.error(0);
    double denominator = total - (squaredWeight.sum(0) + squaredWeight.error(0)) / total;
    List<ColumnStatistics> columns = new ArrayList<>(features + 1);
    double entries = 0;
    for (int j = 0; j <= features; j++) {
      columns.add(column(j, total, denominator));
      entries += j < features ? nonzeros.values()[j] : 0;
    }
    return new Statistics(
        rows,
        checksum,
        total,
        denominator,
        columns.subList(0, features),
        columns.get(features),
        classes.clone(),
        new Statistics.Invalid(badLabels, badWeights, badValues, badColumn),
        (long) entries);
  }

  private ColumnStatistics column(int j, double total, double denominator) {
    long usable = rows - badLabels - badWeights;
    double count = nonzeros.values()[j];
    if (count == 0) {
      return ColumnStatistics.ZERO;
    }
    double minimum = min.values()[j];
    double maximum = max.values()[j];
    if (count < usable || minimum > maximum) {
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
                  + 64 * depth * depth * ((secondMoment + cancelled.values()[j]) / centred)
                  + underflow / centred
              : Double.POSITIVE_INFINITY;
    }
    return new ColumnStatistics(minimum, maximum, b + bLow, secondMoment, variance, error);
  }
}
