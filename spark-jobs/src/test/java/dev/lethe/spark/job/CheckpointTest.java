package dev.lethe.spark.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lethe.core.solver.NewtonState;
import dev.lethe.core.solver.Preconditioning;
import dev.lethe.spark.InvalidInputException;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a checkpoint's bytes hold. */
class CheckpointTest {
  private static final String OF = "a".repeat(64);
  private static final double[] POINT = {1.5, -0.0, Double.MIN_VALUE};
  private static final double[] ZEROS = new double[3];

  private static NewtonState state() {
    double[] other = {3, 2, 0x1.fffffffffffffp-3};
    return new NewtonState(
        7,
        POINT,
        5,
        other,
        0.25,
        Double.NaN,
        new NewtonState.Factor(
            new NewtonState.Origin(other, ZEROS),
            false,
            List.of(
                new NewtonState.Pair(new double[] {1, 2, 3}, new double[] {4, 5, 6}),
                new NewtonState.Pair(POINT, ZEROS))),
        11,
        new NewtonState.Made(
            new NewtonState.Origin(POINT.clone(), new double[] {7, 8, 9}),
            other,
            Preconditioning.NYSTROM));
  }

  @Test
  void read_written_hasEveryBit() {
    Checkpoint checkpoint = Checkpoint.read(new Checkpoint(OF, state()).toBytes());
    NewtonState read = checkpoint.state();
    NewtonState state = state();

    assertThat(checkpoint.of()).isEqualTo(OF);
    // arrays compare doubles by their bits
    assertThat(read.points().toArray(double[][]::new))
        .isDeepEqualTo(state.points().toArray(double[][]::new));
    assertThat(read.directions().toArray(double[][]::new))
        .isDeepEqualTo(state.directions().toArray(double[][]::new));
    assertThat(new double[] {read.firstNorm(), read.fall()})
        .isEqualTo(new double[] {state.firstNorm(), state.fall()});
    assertThat(List.of(read.step(), read.measuredStep(), read.products()))
        .containsExactly(7, 5, 11);
    assertThat(read.factor().exact()).isFalse();
    assertThat(read.factor().pairs()).hasSize(2);
    assertThat(read.preconditioner().kind()).isEqualTo(Preconditioning.NYSTROM);
    assertThat(Double.doubleToRawLongBits(read.point()[1])).isEqualTo(1L << 63);
  }

  @Test
  void read_anyByteChangedOrMissing_isRefused() {
    byte[] bytes = new Checkpoint(OF, state()).toBytes();
    for (int i = 0; i < bytes.length; i++) {
      byte[] damaged = bytes.clone();
      damaged[i] ^= 1 << (i % 8);
      assertThatThrownBy(() -> Checkpoint.read(damaged))
          .isInstanceOf(InvalidInputException.class)
          .hasMessage("the checkpoint is damaged");
      byte[] half = Arrays.copyOf(bytes, i);
      assertThatThrownBy(() -> Checkpoint.read(half)).isInstanceOf(InvalidInputException.class);
    }
  }

  /** Vectors that are equal, or zero, are not written again: -0 is another than 0. */
  @Test
  void toBytes_vectorsThatRepeat_areWrittenOnce() {
    double[] large = new double[10_000];
    Arrays.setAll(large, j -> j + 0.5);
    NewtonState state =
        new NewtonState(
            2,
            large,
            2,
            large.clone(),
            1,
            1,
            null,
            0,
            new NewtonState.Made(
                new NewtonState.Origin(large.clone(), new double[10_000]),
                large,
                Preconditioning.SAMPLE));

    assertThat(new Checkpoint(OF, state).toBytes()).hasSizeLessThan(80_000 + 300);
  }

  @Test
  void toString_says_nothing() {
    assertThat(new Checkpoint(OF, state()).toString() + state()).doesNotContain("1.5", "aaa");
  }
}
