package dev.lethe.core.neural;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class TypicalOddsTest {
  /** By probabilities, one after the other. */
  private static double byProbabilities(float[] outputs, int row, int width, int c) {
    double sum = 0;
    for (int k = 0; k < width; k++) {
      sum += Math.exp(outputs[row * width + k]);
    }
    double p = Math.exp(outputs[row * width + c]) / sum;
    return Math.log(p / (1 - p));
  }

  @Test
  void logOdds_anyRow_isThatOfTheProbability() {
    SplittableRandom random = new SplittableRandom(1);
    float[] outputs = new float[20 * 5];
    for (int j = 0; j < outputs.length; j++) {
      outputs[j] = (float) (4 * random.nextGaussian());
    }
    for (int row = 0; row < 20; row++) {
      for (int c = 0; c < 5; c++) {
        // 1 - p loses p's digits where p is near 1: 1e-16 over 1e-6
        assertThat(TypicalOdds.logOdds(outputs, row, 5, c))
            .isCloseTo(byProbabilities(outputs, row, 5, c), within(1e-8));
      }
    }
  }

  @Test
  void logOdds_certainOutputs_doNotSaturate() {
    float[] outputs = {900, 0, -900};
    assertThat(TypicalOdds.logOdds(outputs, 0, 3, 0)).isEqualTo(900);
    assertThat(TypicalOdds.logOdds(outputs, 0, 3, 2)).isEqualTo(-1800);
  }

  @Test
  void logOdds_oneOutput_isItsLogit() {
    float[] outputs = {1.5f, -2};
    assertThat(TypicalOdds.logOdds(outputs, 0, 1, 1)).isEqualTo(1.5);
    assertThat(TypicalOdds.logOdds(outputs, 0, 1, 0)).isEqualTo(-1.5);
    assertThat(TypicalOdds.logOdds(outputs, 1, 1, 0)).isEqualTo(2);
  }

  @Test
  void of_examples_leavesOutThoseOfTheClass() {
    double half = Math.log(2); // two other classes, both 0
    float[] outputs = {1, 0, 0, 3, 0, 0, 99, 0, 0};
    double[] moments = new double[TypicalOdds.moments(3)];
    TypicalOdds.add(outputs, 0, 3, 1, moments);
    TypicalOdds.add(outputs, 1, 3, 2, moments);
    TypicalOdds.add(outputs, 2, 3, 0, moments);
    TypicalOdds typical = TypicalOdds.of(moments);

    assertThat(typical.mean(0)).isCloseTo(2 - half, within(1e-15));
    assertThat(typical.deviation(0)).isCloseTo(1, within(1e-14));
    assertThat(typical.standardized(new float[] {5, 0, 0}, 0, 3, 0)).isCloseTo(3, within(1e-13));
    assertThat(typical.standardized(new float[] {0, 0, 0}, 0, 3, 0)).isCloseTo(-2, within(1e-13));
  }

  /** The log odds of every class are those of {@link TypicalOdds#logOdds}, the largest's too. */
  @Test
  void add_anyRows_addsLogOdds() {
    SplittableRandom random = new SplittableRandom(2);
    int width = 7;
    float[] outputs = new float[50 * width];
    for (int j = 0; j < outputs.length; j++) {
      outputs[j] = (float) (20 * random.nextGaussian());
    }
    double[] all = new double[TypicalOdds.moments(width)];
    double[] first = new double[all.length];
    double[] sums = new double[width];
    for (int row = 0; row < 50; row++) {
      int own = random.nextInt(width);
      TypicalOdds.add(outputs, row, width, own, all);
      if (row < 20) {
        TypicalOdds.add(outputs, row, width, own, first);
      }
      for (int c = 0; c < width; c++) {
        sums[c] += c == own ? 0 : TypicalOdds.logOdds(outputs, row, width, c);
      }
    }
    for (int c = 0; c < width; c++) {
      assertThat(all[3 * c + 1]).isCloseTo(sums[c], within(1e-9));
    }
    double[] last = new double[all.length];
    for (int j = 0; j < all.length; j++) {
      last[j] = all[j] - first[j];
    }
    assertThat(TypicalOdds.ofRest(all, first).mean(3)).isEqualTo(TypicalOdds.of(last).mean(3));
    assertThat(TypicalOdds.ofRest(all, first).mean(3)).isCloseTo(last[10] / last[9], within(1e-12));
  }

  @Test
  void of_noExampleOrNoDifference_hasADeviationToDivideBy() {
    double[] moments = new double[TypicalOdds.moments(2)];
    float[] outputs = {1, -1};
    TypicalOdds.add(outputs, 0, 2, 1, moments);
    TypicalOdds.add(outputs, 0, 2, 1, moments);
    TypicalOdds typical = TypicalOdds.of(moments);
    assertThat(typical.mean(0)).isEqualTo(2);
    assertThat(typical.deviation(0)).isEqualTo(TypicalOdds.LEAST_DEVIATION);
    assertThat(typical.mean(1)).isZero();
    assertThat(typical.deviation(1)).isEqualTo(1);
  }
}
