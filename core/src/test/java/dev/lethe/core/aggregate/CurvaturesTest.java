package dev.lethe.core.aggregate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.loss.LogisticLoss;
import dev.lethe.core.loss.LossFunction;
import dev.lethe.core.loss.PoissonLoss;
import dev.lethe.core.model.BlockBuilder;
import dev.lethe.core.model.ExampleBlock;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Products that use what an earlier pass at the same point has left in the block. */
class CurvaturesTest {
  private static final int FEATURES = 300;

  /** Rows of 40 entries, enough that remembering is worth its memory. */
  private static ExampleBlock block() {
    SplittableRandom random = new SplittableRandom(7);
    BlockBuilder builder = new BlockBuilder(FEATURES, 1000, Integer.MAX_VALUE);
    for (int i = 0; i < 77; i++) {
      for (int k = 0; k < 40; k++) {
        builder.add(7 * k + random.nextInt(7), random.nextGaussian());
      }
      builder.endRow(random.nextInt(2), 0.5 + random.nextDouble());
    }
    return builder.build();
  }

  private static double[] vector(int seed) {
    SplittableRandom random = new SplittableRandom(seed);
    double[] v = new double[FEATURES + 1];
    Arrays.setAll(v, j -> random.nextGaussian() / 10);
    return v;
  }

  private static Point point(LossFunction loss, int seed) {
    return new Point(loss, FEATURES, true, vector(seed));
  }

  private static double[] product(ExampleBlock block, Point point) {
    HessianVectorAggregator sums = new HessianVectorAggregator(point, vector(9));
    sums.add(block);
    return sums.product();
  }

  @Test
  void product_afterAnyPassAtThePoint_hasTheSameBits() {
    Point point = point(LogisticLoss.INSTANCE, 1);
    double[] fresh = product(block(), point);

    ExampleBlock block = block();
    assertThat(block.isWorthRemembering()).isTrue();
    new MeasurementAggregator(point).add(block);
    assertThat(block.curvatures(point.key())).hasSize(77);
    assertThat(product(block, point(LogisticLoss.INSTANCE, 1))).isEqualTo(fresh);

    ExampleBlock other = block();
    new GradientAggregator(point).add(other);
    assertThat(other.curvatures(point.key())).hasSize(77);
    assertThat(product(other, point)).isEqualTo(fresh);
    assertThat(product(other, point)).isEqualTo(fresh);
  }

  @Test
  void product_afterPassesAtOtherPointsOrLosses_usesNoneOfThem() {
    ExampleBlock block = block();
    for (Point point :
        new Point[] {
          point(LogisticLoss.INSTANCE, 1),
          point(LogisticLoss.INSTANCE, 2),
          point(PoissonLoss.INSTANCE, 2),
          point(LogisticLoss.INSTANCE, 1)
        }) {
      assertThat(product(block, point)).isEqualTo(product(block(), point));
      assertThat(block.curvatures(point.key())).hasSize(77);
    }
  }

  @Test
  void rows_ofFewEntries_rememberNothing() {
    BlockBuilder builder = new BlockBuilder(FEATURES, 1000, Integer.MAX_VALUE);
    for (int i = 0; i < 50; i++) {
      builder.add(i, 2.5);
      builder.endRow(1, 1);
    }
    ExampleBlock block = builder.build();
    Point point = point(LogisticLoss.INSTANCE, 1);
    new GradientAggregator(point).add(block);
    assertThat(block.curvatures(point.key())).isNull();
  }
}
