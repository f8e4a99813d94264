package dev.lethe.spark.operator;

import dev.lethe.core.aggregate.Aggregator;
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
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.objective.ExampleSums;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;

/**
 * Partitions of example blocks on a cluster. A pass is one Spark job; what its tasks need to know
 * travels with them where it is small, else in a broadcast, which is destroyed when the job ends.
 * Partitions are merged in their order, so the same partitioning gives the same bits.
 */
public final class DistributedExamples implements ExampleSums {
  private final JavaSparkContext context;
  private final JavaRDD<ExampleBlock> blocks;
  private final int features;
  private final PassObserver observer;

  /**
   * @param blocks ordered within each partition
   * @param observer words the job descriptions of these passes
   */
  public DistributedExamples(JavaRDD<ExampleBlock> blocks, int features, PassObserver observer) {
    this.context = JavaSparkContext.fromSparkContext(blocks.context());
    this.blocks = blocks;
    this.features = features;
    this.observer = observer;
  }

  /** What a pass makes of its arguments: a new aggregator for each partition. */
  @FunctionalInterface
  interface AggregatorFactory<T, A extends Aggregator<A>> extends Serializable {
    A create(T arguments);

    /** For one partition, where not all are alike. */
    default A create(T arguments, int partition) {
      return create(arguments);
    }
  }

  /** What the statistics need; not a record, see {@link Point}. */
  private static final class Labelled implements Serializable {
    private static final long serialVersionUID = 1L;
    private final LossFunction loss;
    private final int features;

    Labelled(LossFunction loss, int features) {
      this.loss = loss;
      this.features = features;
    }
  }

  /** A point and a direction; not a record, see {@link Point}. */
  private static final class Ray implements Serializable {
    private static final long serialVersionUID = 1L;
    private final Point point;
    private final double[] direction;

    Ray(Point point, double[] direction) {
      this.point = point;
      this.direction = direction;
    }
  }

  /** A point and directions; not a record, see {@link Point}. */
  private static final class Rays implements Serializable {
    private static final long serialVersionUID = 1L;
    private final Point point;
    private final double[][] directions;

    Rays(Point point, double[][] directions) {
      this.point = point;
      this.directions = directions;
    }
  }

  /** A point and the share of rows; not a record, see {@link Point}. */
  private static final class Sampled implements Serializable {
    private static final long serialVersionUID = 1L;
    private final Point point;
    private final double share;

    Sampled(Point point, double share) {
      this.point = point;
      this.share = share;
    }
  }

  @Override
  public int features() {
    return features;
  }

  @Override
  public StatisticsAggregator statistics(LossFunction loss) {
    return pass(
        "counts and moments",
        new Labelled(loss, features),
        labelled -> new StatisticsAggregator(labelled.loss, labelled.features));
  }

  @Override
  public GradientAggregator gradient(Point point) {
    return pass("gradient", point, GradientAggregator::new);
  }

  @Override
  public MeasurementAggregator measure(Point point) {
    return pass("gradient with its rounding bound", point, MeasurementAggregator::new);
  }

  @Override
  public HessianVectorAggregator hessianVector(Point point, double[] direction) {
    return pass(
        "Hessian-vector product",
        new Ray(point, direction),
        ray -> new HessianVectorAggregator(ray.point, ray.direction));
  }

  @Override
  public HessianSketchAggregator hessianSketch(Point point, double[][] directions) {
    return pass(
        "Hessian times a sketch's vectors",
        new Rays(point, directions),
        rays -> new HessianSketchAggregator(rays.point, rays.directions));
  }

  @Override
  public GramAggregator gram(Point point) {
    return pass("Hessian", point, GramAggregator::new);
  }

  @Override
  public MeasuredHessianAggregator measureWithHessian(Point point) {
    return pass(
        "gradient with its rounding bound, and Hessian", point, MeasuredHessianAggregator::new);
  }

  @Override
  public GramAggregator gram(Point point, double share) {
    return pass(
        "Hessian of a sample",
        new Sampled(point, share),
        sampled -> new GramAggregator(sampled.point, sampled.share));
  }

  @Override
  public MarginCurvatureAggregator marginCurvature(Point point) {
    return pass("Hessian of the intercepts", point, MarginCurvatureAggregator::new);
  }

  @Override
  public SeveralSums several(List<SumQuery> queries) {
    return pass("several sums", new ArrayList<>(queries), SeveralSums::of);
  }

  private <T extends Serializable, A extends Aggregator<A>> A pass(
      String what, T arguments, AggregatorFactory<T, A> factory) {
    context.sc().setJobDescription(observer.description() + ": " + what);
    A zero = factory.create(arguments);
    long begin = System.nanoTime();
    Sent<T> sent = Sent.of(context, arguments, zero.bytes());
    try {
      A sum = OrderedAggregation.run(blocks, new PartitionSum<>(sent, factory), zero);
      observer.passed(
          sum instanceof HessianVectorAggregator ? 1 : 0, (System.nanoTime() - begin) / 1e9);
      return sum;
    } finally {
      sent.destroy();
      context.sc().setJobDescription(null);
    }
  }
}
