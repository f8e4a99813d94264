package dev.lethe.core.aggregate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.testing.Problem;
import dev.lethe.core.testing.Problem.Kind;
import dev.lethe.core.testing.Problem.Layout;
import dev.lethe.core.testing.Serialized;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class SeveralSumsTest {
  private static final Problem PROBLEM = Problem.random(Kind.GAUSSIAN, 300, 7, true, 20261121);
  private static final List<ExampleBlock> BLOCKS = PROBLEM.blocks(Layout.ALTERNATING, 50);

  private static Point point(long seed) {
    return PROBLEM.at(new SplittableRandom(seed).doubles(PROBLEM.size(), -1, 1).toArray());
  }

  private static <A extends Aggregator<A>> A alone(A sum, List<ExampleBlock> blocks) {
    blocks.forEach(sum::add);
    return sum;
  }

  @Test
  void add_sumsOfEveryKind_haveTheBitsThatEachHasAlone() {
    double[] direction = point(1).theta();
    List<SumQuery> queries =
        List.of(
            SumQuery.gradient(point(2)),
            SumQuery.measurement(point(3)),
            SumQuery.measurement(point(4)),
            SumQuery.hessianVector(point(5), direction),
            SumQuery.gram(point(6), 1),
            SumQuery.gram(point(6), 0.4),
            SumQuery.measuredHessian(point(7)));
    SeveralSums several = SeveralSums.of(queries);

    BLOCKS.forEach(several::add);

    assertThat(((GradientAggregator) several.sum(0)).gradient())
        .isEqualTo(alone(new GradientAggregator(point(2)), BLOCKS).gradient());
    for (int k : new int[] {1, 2}) {
      MeasurementAggregator one = alone(new MeasurementAggregator(point(2 + k)), BLOCKS);
      MeasurementAggregator shared = (MeasurementAggregator) several.sum(k);
      assertThat(shared.gradient()).isEqualTo(one.gradient());
      assertThat(shared.gradientError()).isEqualTo(one.gradientError());
      assertThat(shared.checksum()).isEqualTo(one.checksum());
    }
    assertThat(((HessianVectorAggregator) several.sum(3)).product())
        .isEqualTo(alone(new HessianVectorAggregator(point(5), direction), BLOCKS).product());
    assertThat(((GramAggregator) several.sum(4)).matrix().values())
        .isEqualTo(alone(new GramAggregator(point(6)), BLOCKS).matrix().values());
    GramAggregator sample = alone(new GramAggregator(point(6), 0.4), BLOCKS);
    assertThat(((GramAggregator) several.sum(5)).sampledRows()).isEqualTo(sample.sampledRows());
    assertThat(((MeasuredHessianAggregator) several.sum(6)).measurement().value())
        .isEqualTo(alone(new MeasurementAggregator(point(7)), BLOCKS).value());
  }

  /** Parts as they come from three tasks: rows of all, rows of sum 1, rows of nobody. */
  @Test
  void merge_partsOfOneSum_countForThatSumAlone() {
    List<SumQuery> queries =
        List.of(SumQuery.measurement(point(1)), SumQuery.measurement(point(2)));
    SeveralSums total = SeveralSums.of(queries);
    SeveralSums all = SeveralSums.of(queries);
    SeveralSums second = SeveralSums.of(queries, 1);
    SeveralSums nobody = SeveralSums.of(queries, -1);
    List<ExampleBlock> shared = BLOCKS.subList(0, 3);
    List<ExampleBlock> own = BLOCKS.subList(3, 5);
    shared.forEach(all::add);
    own.forEach(second::add);
    BLOCKS.forEach(nobody::add);

    for (SeveralSums part : List.of(all, second, nobody)) {
      total.merge(Serialized.copy(part.sealed()));
    }

    MeasurementAggregator expected = new MeasurementAggregator(point(2));
    expected.merge(alone(new MeasurementAggregator(point(2)), shared).sealed());
    expected.merge(alone(new MeasurementAggregator(point(2)), own).sealed());
    MeasurementAggregator sum = (MeasurementAggregator) total.sum(1);
    assertThat(sum.gradient()).isEqualTo(expected.gradient());
    assertThat(sum.gradientError()).isEqualTo(expected.gradientError());
    assertThat(((MeasurementAggregator) total.sum(0)).rows()).isEqualTo(150);
    assertThat(sum.rows()).isEqualTo(250);
  }

  /** The estimate that passes are divided by. */
  @Test
  void bytes_ofEveryKind_isAboutWhatIsSerialized() {
    for (SumQuery query :
        List.of(
            SumQuery.gradient(point(1)),
            SumQuery.measurement(point(1)),
            SumQuery.gram(point(1), 1),
            SumQuery.measuredHessian(point(1)),
            SumQuery.hessianVector(point(1), point(2).theta()))) {
      SeveralSums sums = SeveralSums.of(List.of(query));
      BLOCKS.forEach(sums::add);
      long sent = Serialized.bytes(sums.sealed()).length;
      // class descriptors, which a stream has once, are up to 1.5 kB
      assertThat(query.bytes()).isBetween(sent - 1536, 2 * sent + 1024);
    }
  }
}
