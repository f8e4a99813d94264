package dev.lethe.spark.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** libtorch is optional: of all commands, only those about networks miss it. */
@ExtendWith(PimaRelease.class)
class NoLibtorchIT {
  /** Naming jars, even none, keeps {@code scripts/lethe} from adding libtorch's. */
  private static final List<String> WITHOUT =
      List.of("--master", "local[2]", "--conf", "spark.jars=");

  private final PimaRelease.Shared pima = PimaRelease.get();

  @Test
  void verify_withoutLibtorch_succeeds() throws Exception {
    Submission.Result run =
        pima.spark()
            .lethe(
                "verify-no-libtorch", WITHOUT, pima.verify(pima.out().resolve("certificate.json")));

    assertThat(run.exitCode()).as(run.described()).isZero();
    assertThat(run.errors()).doesNotContain("libtorch", "bytedeco");
  }

  @Test
  void neuralEvaluate_withoutLibtorch_exits2AndSaysHowToAddIt() throws Exception {
    Submission.Result run =
        pima.spark()
            .lethe(
                "neural-no-libtorch",
                WITHOUT,
                List.of(
                    "neural",
                    "evaluate",
                    "--model",
                    pima.path("no-network").toString(),
                    "--data",
                    pima.table().toString()));

    assertThat(run.exitCode()).as(run.described()).isEqualTo(2);
    assertThat(run.errors())
        .contains(
            "lethe: libtorch is not on the class path; networks need it.",
            "give its jars to spark-submit by --jars, or use scripts/lethe",
            "docs/neural.md")
        .doesNotContain("NoClassDefFoundError", "\tat ");
    assertThat(run.output()).isEmpty();
  }
}
