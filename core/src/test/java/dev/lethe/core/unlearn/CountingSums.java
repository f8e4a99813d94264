package dev.lethe.core.unlearn;

import dev.lethe.core.aggregate.GradientAggregator;
import dev.lethe.core.aggregate.GramAggregator;
import dev.lethe.core.aggregate.HessianSketchAggregator;
import dev.lethe.core.aggregate.HessianVectorAggregator;
import dev.lethe.core.aggregate.MarginCurvatureAggregator;
import dev.lethe.core.aggregate.MeasuredHessianAggregator;
import dev.lethe.core.aggregate.MeasurementAggregator;
import dev.lethe.core.aggregate.Point;
import dev.lethe.core.aggregate.SeveralSums;
import dev.lethe.core.aggregate.StatisticsAggregator;
import dev.lethe.core.aggregate.SumQuery;
import dev.lethe.core.loss.LossFunction;
import dev.lethe.core.objective.ExampleSums;
import java.util.List;

/** Counts the passes for a Hessian and for measurements. */
final class CountingSums implements ExampleSums {
  private final ExampleSums sums;
  int grams;
  int gradients;
  int measurements;
  int both;
  int samples;
  int marginCurvatures;

  CountingSums(ExampleSums sums) {
    this.sums = sums;
  }

  @Override
  public int features() {
    return sums.features();
  }

  @Override
  public StatisticsAggregator statistics(LossFunction loss) {
    return sums.statistics(loss);
  }

  @Override
  public GradientAggregator gradient(Point point) {
    gradients++;
    return sums.gradient(point);
  }

  @Override
  public MeasurementAggregator measure(Point point) {
    measurements++;
    return sums.measure(point);
  }

  @Override
  public HessianVectorAggregator hessianVector(Point point, double[] direction) {
    return sums.hessianVector(point, direction);
  }

  @Override
  public HessianSketchAggregator hessianSketch(Point point, double[][] directions) {
    return sums.hessianSketch(point, directions);
  }

  @Override
  public GramAggregator gram(Point point) {
    grams++;
    return sums.gram(point);
  }

  @Override
  public MeasuredHessianAggregator measureWithHessian(Point point) {
    both++;
    return sums.measureWithHessian(point);
  }

  @Override
  public GramAggregator gram(Point point, double share) {
    samples++;
    return sums.gram(point, share);
  }

  @Override
  public MarginCurvatureAggregator marginCurvature(Point point) {
    marginCurvatures++;
    return sums.marginCurvature(point);
  }

  @Override
  public SeveralSums several(List<SumQuery> queries) {
    return sums.several(queries);
  }
}
