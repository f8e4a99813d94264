package dev.lethe.spark.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** {@code scripts/lethe demo}, as the documentation promises it. */
@ExtendWith(PimaRelease.class)
class DemoIT {
  private final PimaRelease.Shared pima = PimaRelease.get();

  @Test
  void demo_freshFolder_certifiesAndVerifies() throws Exception {
    Submission.Result demo =
        pima.spark()
            .lethe("demo", List.of(), List.of("demo", "--dir", pima.path("demo").toString()));

    assertThat(demo.exitCode()).as(demo.described()).isZero();
    assertThat(demo.output())
        .containsPattern("verdict +certified: epsilon 0.1, delta 1.0E-4")
        .containsPattern("verified +all \\d+ checks hold; the certificate says certified");
  }
}
