package dev.lethe.core.aggregate;

import dev.lethe.core.model.ExampleBlock;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/** A measurement and the Hessian at its point in one pass: each block is used for both in turn. */
public final class MeasuredHessianAggregator implements Aggregator<MeasuredHessianAggregator> {
  private static final long serialVersionUID = 1L;

  private final MeasurementAggregator measurement;
  private final GramAggregator hessian;

  public MeasuredHessianAggregator(Point point) {
    this(new MeasurementAggregator(point), new GramAggregator(point));
  }

  private MeasuredHessianAggregator(MeasurementAggregator measurement, GramAggregator hessian) {
    this.measurement = measurement;
    this.hessian = hessian;
  }

  @Override
  public void add(ExampleBlock block) {
    measurement.add(block);
    hessian.add(block);
  }

  @Override
  public void merge(MeasuredHessianAggregator other) {
    measurement.merge(other.measurement);
    hessian.merge(other.hessian);
  }

  /** Takes the sums over some of the rows away. */
  public void subtract(MeasuredHessianAggregator other) {
    measurement.subtract(other.measurement);
    hessian.subtract(other.hessian);
  }

  /** Writes the sums with their errors. */
  public void write(DataOutput out) throws IOException {
    measurement.write(out);
    hessian.write(out);
  }

  /** Reads what {@link #write} wrote into this aggregator, which has added up nothing. */
  public void read(DataInput in) throws IOException {
    measurement.read(in);
    hessian.read(in);
  }

  @Override
  public MeasuredHessianAggregator sealed() {
    measurement.sealed();
    hessian.sealed();
    return this;
  }

  @Override
  public MeasuredHessianAggregator slice(int part, int parts) {
    return new MeasuredHessianAggregator(
        measurement.slice(part, parts), hessian.slice(part, parts));
  }

  @Override
  public void place(MeasuredHessianAggregator slice, int part, int parts) {
    measurement.place(slice.measurement, part, parts);
    hessian.place(slice.hessian, part, parts);
  }

  @Override
  public long bytes() {
    return measurement.bytes() + hessian.bytes();
  }

  public MeasurementAggregator measurement() {
    return measurement;
  }

  public GramAggregator hessian() {
    return hessian;
  }
}
