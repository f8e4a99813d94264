package dev.lethe.core.aggregate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.testing.LossCase;
import dev.lethe.core.testing.LossProblem;
import dev.lethe.core.testing.Problem.Kind;
import dev.lethe.core.testing.Problem.Layout;
import dev.lethe.core.testing.Serialized;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

/** Parts merged range by range, as on a cluster where sums are too large for the driver. */
class SliceTest {
  private static final int PARTITIONS = 3;

  private final LossProblem problem =
      LossProblem.random(LossCase.THREE_CLASSES, Kind.SPARSE, 90, 6, true, 5);
  private final List<ExampleBlock> blocks = problem.blocks(Layout.ALTERNATING, 10);

  private <A extends Aggregator<A>> List<A> parts(Supplier<A> zero) {
    List<A> parts = new ArrayList<>();
    for (int k = 0; k < PARTITIONS; k++) {
      A part = zero.get();
      for (int b = k * 3; b < k * 3 + 3; b++) {
        part.add(blocks.get(b));
      }
      parts.add(part);
    }
    return parts;
  }

  /** The merged results must be the same to the bit. */
  private <A extends Aggregator<A>> void assertSlicesMergeAlike(
      Supplier<A> zero, Function<A, List<Object>> results) {
    List<A> whole = parts(zero);
    A expected = whole.get(0);
    expected.merge(whole.get(1));
    expected.merge(whole.get(2));
    for (int slices : new int[] {1, 2, 7, 500}) {
      List<A> parts = parts(zero);
      A joined = zero.get();
      for (int k = 0; k < slices; k++) {
        A slice = Serialized.copy(parts.get(0).slice(k, slices));
        slice.merge(Serialized.copy(parts.get(1).slice(k, slices)));
        slice.merge(Serialized.copy(parts.get(2).slice(k, slices)));
        joined.place(Serialized.copy(slice.sealed()), k, slices);
      }
      assertThat(results.apply(joined)).as("%s slices", slices).isEqualTo(results.apply(expected));
    }
  }

  private static List<Double> list(double[] numbers) {
    List<Double> list = new ArrayList<>();
    for (double x : numbers) {
      list.add(x);
    }
    return list;
  }

  @Test
  void gradient_sliceBySlice_hasTheSameBits() {
    assertSlicesMergeAlike(
        () -> new GradientAggregator(problem.point()),
        sums -> List.of(list(sums.gradient()), sums.value()));
  }

  @Test
  void hessianVector_sliceBySlice_hasTheSameBits() {
    assertSlicesMergeAlike(
        () -> new HessianVectorAggregator(problem.point(), problem.theta()),
        sums -> List.of(list(sums.product())));
  }

  @Test
  void sketch_sliceBySlice_hasTheSameBits() {
    double[][] directions = {problem.theta(), new double[problem.size()], problem.theta()};
    assertSlicesMergeAlike(
        () -> new HessianSketchAggregator(problem.point(), directions),
        sums ->
            List.of(list(sums.products()[0]), list(sums.products()[1]), list(sums.products()[2])));
  }

  @Test
  void measurement_sliceBySlice_hasTheSameBitsAndErrors() {
    assertSlicesMergeAlike(
        () -> new MeasurementAggregator(problem.point()), SliceTest::measurement);
  }

  private static List<Object> measurement(MeasurementAggregator sums) {
    return List.of(
        list(sums.gradient()),
        list(sums.gradientError()),
        list(sums.curvature()),
        list(sums.curvatureMoment()),
        sums.curvatureRelativeError(),
        sums.value(),
        sums.rows(),
        sums.checksum());
  }

  private static List<Object> hessian(GramAggregator sums) {
    return List.of(
        list(sums.matrix().values()),
        sums.relativeError(),
        sums.rows(),
        sums.sampledRows(),
        sums.checksum());
  }

  @Test
  void hessian_sliceBySlice_hasTheSameBits() {
    assertSlicesMergeAlike(() -> new GramAggregator(problem.point()), SliceTest::hessian);
    assertSlicesMergeAlike(() -> new GramAggregator(problem.point(), 0.5), SliceTest::hessian);
    boolean[] held = new boolean[problem.point().size()];
    Arrays.fill(held, 1, held.length / 2, true);
    assertSlicesMergeAlike(
        () -> new GramAggregator(problem.point().holding(held)), SliceTest::hessian);
    assertSlicesMergeAlike(
        () -> new MeasuredHessianAggregator(problem.point()),
        sums -> List.of(measurement(sums.measurement()), hessian(sums.hessian())));
  }

  @Test
  void marginCurvature_sliceBySlice_hasTheSameBits() {
    assertSlicesMergeAlike(
        () -> new MarginCurvatureAggregator(problem.point()),
        sums -> List.of(list(sums.sums()), sums.relativeError(), sums.rows(), sums.checksum()));
  }

  @Test
  void statistics_sliceBySlice_areTheSame() {
    assertSlicesMergeAlike(
        () -> new StatisticsAggregator(problem.loss().loss(), problem.layout().features()),
        sums ->
            List.of(
                sums.statistics().columns(),
                sums.statistics().label(),
                sums.statistics().rows(),
                sums.statistics().checksum(),
                sums.statistics().totalWeight(),
                sums.statistics().unbiasedWeight(),
                sums.statistics().invalid(),
                list(Arrays.stream(sums.statistics().classes()).asDoubleStream().toArray())));
  }
}
