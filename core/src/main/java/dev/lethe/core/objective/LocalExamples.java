package dev.lethe.core.objective;

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
import java.util.List;

/** Blocks in this JVM's memory, summed in their order. */
public final class LocalExamples implements ExampleSums {
  private final int features;
  private final List<? extends ExampleBlock> blocks;

  public LocalExamples(int features, List<? extends ExampleBlock> blocks) {
    for (ExampleBlock block : blocks) {
      if (block.features() != features) {
        throw new IllegalArgumentException(
            "a block has " + block.features() + " features, not " + features);
      }
    }
    this.features = features;
    this.blocks = List.copyOf(blocks);
  }

  @Override
  public int features() {
    return features;
  }

  @Override
  public StatisticsAggregator statistics(LossFunction loss) {
    return sum(new StatisticsAggregator(loss, features));
  }

  @Override
  public GradientAggregator gradient(Point point) {
    return sum(new GradientAggregator(point));
  }

  @Override
  public MeasurementAggregator measure(Point point) {
    return sum(new MeasurementAggregator(point));
  }

  @Override
  public HessianVectorAggregator hessianVector(Point point, double[] direction) {
    return sum(new HessianVectorAggregator(point, direction));
  }

  @Override
  public HessianSketchAggregator hessianSketch(Point point, double[][] directions) {
    return sum(new HessianSketchAggregator(point, directions));
  }

  @Override
  public GramAggregator gram(Point point) {
    return sum(new GramAggregator(point));
  }

  @Override
  public MeasuredHessianAggregator measureWithHessian(Point point) {
    return sum(new MeasuredHessianAggregator(point));
  }

  @Override
  public GramAggregator gram(Point point, double share) {
    return sum(new GramAggregator(point, share));
  }

  @Override
  public MarginCurvatureAggregator marginCurvature(Point point) {
    return sum(new MarginCurvatureAggregator(point));
  }

  @Override
  public SeveralSums several(List<SumQuery> queries) {
    return sum(SeveralSums.of(queries));
  }

  private <A extends Aggregator<A>> A sum(A aggregator) {
    for (ExampleBlock block : blocks) {
      aggregator.add(block);
    }
    return aggregator.sealed();
  }
}
