package dev.lethe.core.objective;

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
import java.util.List;

/**
 * A data set that can be summed over: on one machine or on a cluster. Each call is one pass over
 * the data and returns the merged aggregator.
 */
public interface ExampleSums {
  /** d. */
  int features();

  /** Whether a pass serves others, too: then its arithmetic counts, and hardly its start. */
  default boolean sharesPasses() {
    return false;
  }

  /** Counts and moments. */
  StatisticsAggregator statistics(LossFunction loss);

  /** Value and gradient. */
  GradientAggregator gradient(Point point);

  /** Value, gradient, rounding bound, curvature moments. */
  MeasurementAggregator measure(Point point);

  /** The Hessian's product with a direction. */
  HessianVectorAggregator hessianVector(Point point, double[] direction);

  /** The Hessian's products with several directions. */
  HessianSketchAggregator hessianSketch(Point point, double[][] directions);

  /** The Hessian. */
  GramAggregator gram(Point point);

  /** {@link #measure} and {@link #gram} at once. */
  MeasuredHessianAggregator measureWithHessian(Point point);

  /** The Hessian of a sample of the rows. */
  GramAggregator gram(Point point, double share);

  /** The Hessian's rows of the intercepts. */
  MarginCurvatureAggregator marginCurvature(Point point);

  /** Several sums at once, in the order of the queries. */
  SeveralSums several(List<SumQuery> queries);
}
