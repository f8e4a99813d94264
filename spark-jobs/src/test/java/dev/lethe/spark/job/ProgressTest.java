package dev.lethe.spark.job;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.neural.NetworkUnlearning;
import dev.lethe.core.unlearn.UnlearningResult;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.OptionalDouble;
import org.junit.jupiter.api.Test;

class ProgressTest {
  private final StringWriter written = new StringWriter();
  private double now = 10;

  private Progress progress(boolean figures) {
    return new Progress("Lethe unlearn r", new PrintWriter(written), figures, null, () -> now);
  }

  private static UnlearningResult.Step step(int step, double gradientNorm, double distance) {
    return new UnlearningResult.Step(
        step,
        gradientNorm,
        Double.isNaN(distance) ? OptionalDouble.empty() : OptionalDouble.of(distance),
        4,
        5,
        0.07);
  }

  @Test
  void update_round_saysHowManyAreWrongAndHowManyRemembered() {
    progress(false)
        .update(
            new NetworkUnlearning.Round(3, 7, 2, 1, null, 0.5, 20, "CONVERGED", 2, 1, 0.25, 1.5));

    assertThat(written.toString())
        .contains(
            "update: 3 examples wrong, 7 remembered and 2 avoided before it, 20 products, step 0.250 at"
                + " attempt 2, mean loss 1.5000");
  }

  @Test
  void description_noFigures_hasStepAndPassesOnly() {
    Progress progress = progress(false);
    progress.phase("step 0");
    assertThat(progress.description()).isEqualTo("Lethe unlearn r, step 0");
    progress.passed(0, 0.1);
    progress.step(step(0, 38_840, Double.NaN), 1e-8);
    progress.iteration(3, 0.0123, 0.001);
    progress.passed(1, 0.1);

    assertThat(progress.description()).isEqualTo("Lethe unlearn r, step 1, 2 passes");
  }

  @Test
  void description_figures_hasWhatTheLastStepReached() {
    Progress progress = progress(true);
    progress.phase("step 0");
    progress.step(step(6, 1.744, 3.255e-2), 1e-8);

    assertThat(progress.description())
        .isEqualTo("Lethe unlearn r, step 7: gradient norm 1.7e+00, distance 3.3e-02 of 1.0e-08");

    now += 5;
    progress.iteration(2, 0.0123, 0.001);
    assertThat(progress.description())
        .endsWith(", conjugate gradient 2, residual 1.23e-02, target 1.00e-03");
    progress.step(step(7, 7.5e-4, 1.39e-5), 1e-8);
    assertThat(progress.description())
        .isEqualTo(
            "Lethe unlearn r, step 8: gradient norm 7.5e-04, distance 1.4e-05 of 1.0e-08"
                + ", about 5.0 s left");
  }

  @Test
  void description_distanceNeverProven_hasNoTimeLeft() {
    Progress progress = progress(true);
    progress.phase("step 0");
    progress.step(step(0, 1e4, Double.NaN), 1e-8);
    progress.step(step(1, 1e2, Double.NaN), 1e-8);

    assertThat(progress.description())
        .isEqualTo(
            "Lethe unlearn r, step 2: gradient norm 1.0e+02, distance not proven, target 1.0e-08");
    assertThat(written.toString()).doesNotContain("left");
  }

  @Test
  void training_twoSteps_saysWhatIsLeft() {
    Progress progress = progress(true);
    progress.training(0, 1, 1e-6);
    now += 5;
    progress.training(1, 1e-2, 1e-6);

    assertThat(progress.description())
        .isEqualTo("Lethe unlearn r, step 2: gradient norm 1.0e-02 of 1.0e-06, about 10 s left");
  }

  @Test
  void phase_afterASteps_forgetsItsFigures() {
    Progress progress = progress(true);
    progress.step(step(5, 17.4, 3.2e-1), 1e-8);
    now += 5;
    progress.step(step(6, 1.744, 3.255e-2), 1e-8);
    assertThat(progress.description()).endsWith(", about 35 s left");
    progress.phase("publishing");

    assertThat(progress.description()).isEqualTo("Lethe unlearn r, publishing");
  }
}
