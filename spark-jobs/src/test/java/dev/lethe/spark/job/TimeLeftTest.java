package dev.lethe.spark.job;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TimeLeftTest {
  private final TimeLeft left = new TimeLeft();

  @Test
  void words_oneStep_areNone() {
    left.measured(0, 1, 1e-8, 10);
    assertThat(left.words(10)).isEmpty();
  }

  @Test
  void words_figureUnknown_areNone() {
    left.measured(0, Double.NaN, 1e-8, 10);
    left.measured(1, 1, 1e-8, 20);
    assertThat(left.words(20)).isEmpty();
  }

  /** 100 times less in 10 s: from 1e-4 to 1e-8 two more such steps. */
  @Test
  void words_twoSteps_goOnAsTheLastOne() {
    left.measured(0, 1e-2, 1e-8, 5);
    left.measured(1, 1e-4, 1e-8, 15);
    assertThat(left.words(15)).isEqualTo(", about 20 s left");
    assertThat(left.words(27)).isEqualTo(", about 8.0 s left");
    assertThat(left.words(36)).as("late: the estimate was wrong").isEmpty();
  }

  @Test
  void words_stepMeasuredAgain_takeItAsOne() {
    left.measured(0, 1e-2, 1e-8, 5);
    left.measured(1, 1e-3, 1e-8, 10);
    left.measured(1, 1e-4, 1e-8, 15);
    assertThat(left.words(15)).isEqualTo(", about 20 s left");
  }

  @Test
  void words_stepWithoutGain_areNone() {
    left.measured(0, 1e-2, 1e-8, 5);
    left.measured(1, 1e-4, 1e-8, 15);
    left.measured(2, 1e-4, 1e-8, 25);
    assertThat(left.words(25)).isEmpty();
  }

  @Test
  void words_targetReached_areNone() {
    left.measured(0, 1e-2, 1e-8, 5);
    left.measured(1, 1e-9, 1e-8, 15);
    assertThat(left.words(15)).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({
    "0.04, about 0.0 s",
    "9.9, about 9.9 s",
    "9.96, about 10 s",
    "119, about 119 s",
    "121, about 2 min",
    "7199, about 120 min",
    "7300, about 2 h"
  })
  void about_seconds_hasTwoDigits(double seconds, String words) {
    assertThat(TimeLeft.about(seconds)).isEqualTo(words);
  }
}
