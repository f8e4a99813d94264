package dev.lethe.core.aggregate;

import dev.lethe.core.model.ExampleBlock;

/** A measurement and the Hessian at its point in one pass: each block is used for both in turn. */
public final class MeasuredHessianAggregator implements Aggregator<MeasuredHessianAggregator> {
  private static final long serialVersionUID = 1L;

  private final MeasurementAggregator measurement;
  private final GramAggregator hessian;

  public MeasuredHessianAggregator(Point point) {
    measurement = new MeasurementAggregator(point);
    hessian = new GramAggregator(point);
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

  @Override
  public MeasuredHessianAggregator sealed() {
    measurement.sealed();
    hessian.sealed();
    return this;
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
