package dev.lethe.core.aggregate;

import java.io.Serializable;

/**
 * A sum that somebody wants over all examples: which one, and where.
 *
 * <p>Not a record: Kryo, which a cluster may have set, cannot read records.
 */
public final class SumQuery implements Serializable {
  private static final long serialVersionUID = 1L;
  private static final double[][] NO_DIRECTION = {};

  /** Which sum. */
  private enum Kind {
    STATISTICS,
    GRADIENT,
    MEASUREMENT,
    HESSIAN_VECTOR,
    HESSIAN_SKETCH,
    GRAM,
    MEASURED_HESSIAN,
    MARGIN_CURVATURE
  }

  private final Kind kind;
  private final Point point;
  private final double[][] directions;
  private final double share;

  private SumQuery(Kind kind, Point point, double[][] directions, double share) {
    this.kind = kind;
    this.point = point;
    this.directions = directions;
    this.share = share;
  }

  private static SumQuery of(Kind kind, Point point) {
    return new SumQuery(kind, point, NO_DIRECTION, 1);
  }

  /** For a {@link StatisticsAggregator}: of the point, loss and features alone count. */
  public static SumQuery statistics(Point point) {
    return of(Kind.STATISTICS, point);
  }

  /** For a {@link GradientAggregator}. */
  public static SumQuery gradient(Point point) {
    return of(Kind.GRADIENT, point);
  }

  /** For a {@link MeasurementAggregator}. */
  public static SumQuery measurement(Point point) {
    return of(Kind.MEASUREMENT, point);
  }

  /** For a {@link HessianVectorAggregator}. */
  public static SumQuery hessianVector(Point point, double[] direction) {
    return new SumQuery(Kind.HESSIAN_VECTOR, point, new double[][] {direction}, 1);
  }

  /** Whether it is a product of the Hessian and one vector. */
  public boolean isHessianVector() {
    return kind == Kind.HESSIAN_VECTOR;
  }

  /** For a {@link HessianSketchAggregator}. */
  public static SumQuery hessianSketch(Point point, double[][] directions) {
    return new SumQuery(Kind.HESSIAN_SKETCH, point, directions, 1);
  }

  /**
   * For a {@link GramAggregator}.
   *
   * @param share of the rows, in (0, 1]
   */
  public static SumQuery gram(Point point, double share) {
    return new SumQuery(Kind.GRAM, point, NO_DIRECTION, share);
  }

  /** For a {@link MeasuredHessianAggregator}. */
  public static SumQuery measuredHessian(Point point) {
    return of(Kind.MEASURED_HESSIAN, point);
  }

  /** For a {@link MarginCurvatureAggregator}. */
  public static SumQuery marginCurvature(Point point) {
    return of(Kind.MARGIN_CURVATURE, point);
  }

  /** About how many bytes the serialized sum takes, as {@link Aggregator#bytes}. */
  public long bytes() {
    long p = point.size();
    return switch (kind) {
      case GRAM, MEASURED_HESSIAN -> 8 * p * (p + 1) + 40 * p + 1024;
      case MARGIN_CURVATURE -> 8 * p * (point.layout().margins() + 1L) + 1024;
      case HESSIAN_SKETCH -> 16 * p * directions.length + 1024;
      default -> 56 * p + 1024;
    };
  }

  /** The empty sum. */
  public Aggregator<?> zero() {
    return switch (kind) {
      case STATISTICS -> new StatisticsAggregator(point.loss(), point.layout().features());
      case GRADIENT -> new GradientAggregator(point);
      case MEASUREMENT -> new MeasurementAggregator(point);
      case HESSIAN_VECTOR -> new HessianVectorAggregator(point, directions[0]);
      case HESSIAN_SKETCH -> new HessianSketchAggregator(point, directions);
      case GRAM -> new GramAggregator(point, share);
      case MEASURED_HESSIAN -> new MeasuredHessianAggregator(point);
      case MARGIN_CURVATURE -> new MarginCurvatureAggregator(point);
    };
  }
}
