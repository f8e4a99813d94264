package dev.lethe.spark.job;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.neural.NetworkUnlearning;
import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;

class ProgressTest {
  @Test
  void update_round_saysHowManyAreWrongAndHowManyRemembered() {
    StringWriter written = new StringWriter();
    Progress progress = new Progress("test", new PrintWriter(written));

    progress.update(
        new NetworkUnlearning.Round(3, 7, 2, 1, null, 0.5, 20, "CONVERGED", 2, 1, 0.25, 1.5));

    assertThat(written.toString())
        .contains(
            "update: 3 examples wrong, 7 remembered and 2 avoided before it, 20 products, step 0.250 at"
                + " attempt 2, mean loss 1.5000");
  }
}
