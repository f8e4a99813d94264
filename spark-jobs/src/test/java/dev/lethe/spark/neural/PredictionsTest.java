package dev.lethe.spark.neural;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.neural.Batch;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PredictionsTest {
  private static Batch ofClasses(long... classes) {
    return Batch.ofValues(new int[] {1}, new float[classes.length], classes);
  }

  /** Outputs 1, 2, 3, 4, 5: below each class stand 0, 1, 2, 3 and 4 of 4 others. */
  @ParameterizedTest
  @CsvSource({
    "0, true, true, true, true, true",
    "0.25, false, true, true, true, true",
    "0.26, false, false, true, true, true",
    "0.5, false, false, true, true, true",
    "0.75, false, false, false, true, true",
    "0.76, false, false, false, false, true",
    "1, false, false, false, false, true",
  })
  void areAbove_fiveClasses_countsTheSmallerOnes(
      double quantile, boolean a, boolean b, boolean c, boolean d, boolean e) {
    float[] outputs = new float[25];
    for (int i = 0; i < 5; i++) {
      System.arraycopy(new float[] {1, 2, 3, 4, 5}, 0, outputs, 5 * i, 5);
    }
    assertThat(Predictions.areAbove(outputs, ofClasses(0, 1, 2, 3, 4), quantile))
        .containsExactly(a, b, c, d, e);
  }

  /** Of 30 different outputs: at most (1 - quantile) 29 others may stand above. */
  @Test
  void areAbove_anyOutputs_isAPlaceInTheirOrder() {
    SplittableRandom random = new SplittableRandom(1);
    int rows = 200;
    int width = 30;
    float[] outputs = new float[rows * width];
    for (int k = 0; k < outputs.length; k++) {
      outputs[k] = (float) random.nextDouble(-3, 3);
    }
    long[] classes = random.longs(rows, 0, width).toArray();
    for (double quantile : new double[] {0.1, 0.25, 0.9, 1}) {
      boolean[] expected = new boolean[rows];
      for (int i = 0; i < rows; i++) {
        float[] sorted = Arrays.copyOfRange(outputs, i * width, (i + 1) * width);
        float own = sorted[(int) classes[i]];
        Arrays.sort(sorted);
        expected[i] = Arrays.binarySearch(sorted, own) >= Math.ceil(quantile * (width - 1));
      }
      assertThat(expected).contains(true).contains(false);
      assertThat(Predictions.areAbove(outputs, ofClasses(classes), quantile)).isEqualTo(expected);
    }
    assertThat(Predictions.areAbove(outputs, ofClasses(classes), 1))
        .isEqualTo(Predictions.areRight(outputs, ofClasses(classes)));
  }

  /** Equal outputs are not smaller: nobody who guesses by the outputs names that class first. */
  @Test
  void areAbove_equalOutputs_areNotSmaller() {
    float[] outputs = {2, 2, 1, 2, 2, 1, 2, 2, 1};
    assertThat(Predictions.areAbove(outputs, ofClasses(0, 1, 2), 0.5))
        .containsExactly(true, true, false);
    assertThat(Predictions.areAbove(outputs, ofClasses(0, 1, 2), 1))
        .containsExactly(false, false, false);
  }

  /** What is not a number is above nothing. */
  @Test
  void areAbove_notANumber_isNotAbove() {
    float[] outputs = {Float.NaN, Float.NaN, 1, Float.NaN};
    assertThat(Predictions.areAbove(outputs, ofClasses(0, 0), 1)).containsExactly(false, false);
  }

  /** One output says yes where it is positive, whatever the quantile. */
  @Test
  void areAbove_oneOutput_isItsSign() {
    float[] outputs = {0.1f, 0.1f, -0.1f, -0.1f, 0};
    for (double quantile : new double[] {0.25, 1}) {
      assertThat(Predictions.areAbove(outputs, ofClasses(1, 0, 1, 0, 0), quantile))
          .containsExactly(true, false, false, true, true);
    }
  }

  @Test
  void areAbove_targetsThatAreNumbers_noneIs() {
    Batch batch = Batch.ofTargets(2, new int[] {1}, new float[2], new float[6]);
    assertThat(Predictions.areAbove(new float[] {1, 2, 3, 4, 5, 6}, batch, 0.25))
        .containsExactly(false, false);
  }
}
