package dev.lethe.benchmarks.endtoend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** That the runner compares what it says it compares; no time is looked at. */
class EndToEndTest {
  @TempDir private static Path directory;

  @Test
  void parse_unknownCaseOrValue_isRefusedByName() {
    assertThatThrownBy(() -> EndToEnd.cases(Options.parse("--only", "dense,dens")))
        .hasMessageContaining("'dens'");
    assertThatThrownBy(() -> EndToEnd.cases(Options.parse("--only", "adult")))
        .hasMessageContaining("--data");
    assertThatThrownBy(() -> Options.parse("--scale", "0")).hasMessageContaining("--scale");
    assertThatThrownBy(() -> Options.parse("--runs", "0")).hasMessageContaining("--runs");
    assertThatThrownBy(() -> Options.parse("--runs", "two")).hasMessageContaining("'two'");
    assertThatThrownBy(() -> Options.parse("--seed")).hasMessageContaining("--seed");
  }

  @Test
  void run_tinyScale_comparesEqualMinimaAndWritesBothFiles() throws Exception {
    Options given = Options.parse("--scale", "0.0005", "--runs", "1", "--warm-ups", "0", "--dirty");
    Options options =
        new Options(
            given.cases(),
            given.scale(),
            given.runs(),
            given.warmUps(),
            given.seed(),
            given.data(),
            directory.resolve("work").toString(),
            directory.resolve("out").toString(),
            "0123456789",
            given.dirty(),
            1 << 24);
    SparkSession spark =
        SparkSession.builder()
            .master("local[2]")
            .config("spark.ui.enabled", "false")
            .config("spark.sql.shuffle.partitions", "2")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.sql.warehouse.dir", directory.resolve("warehouse").toUri().toString())
            .getOrCreate();
    Report report;
    try {
      spark.sparkContext().setLogLevel("ERROR");
      report =
          EndToEnd.run(
              options,
              List.of(
                  new DenseCase(1000, 20, given.seed()), new SparseCase(1000, 500, given.seed())),
              spark);
    } finally {
      spark.stop();
    }

    assertThat(report.cases()).extracting(Result::caseName).containsExactly("dense", "sparse");
    for (Result result : report.cases()) {
      Result.Unlearned unlearned = result.unlearned();
      assertThat(unlearned.verdict()).isEqualTo("CERTIFIED");
      assertThat(result.rows()).isEqualTo(1000);
      // strong convexity: both are within (norm / least curvature) of one minimiser; the curvature
      // is at least regParam times the least variance (0.09 of the dense columns), or times 1
      double curvature = result.regParam() * (result.standardization() ? 0.08 : 1);
      assertThat(result.parameterDistance())
          .isLessThan((unlearned.gradientNorm() + result.retrained().gradientNorm()) / curvature);
      assertThat(unlearned.gradientNorm()).isLessThan(unlearned.gradientNormBefore() / 1e3);
      // the jobs that were timed are the passes of the evidence
      assertThat(unlearned.jobs().stream().mapToInt(Result.Jobs::count).sum())
          .isEqualTo((int) unlearned.passes());
      assertThat(unlearned.blockBytes()).isPositive();
      assertThat(unlearned.fromParquet().median())
          .isGreaterThan(unlearned.fromCache().median())
          .isGreaterThan(unlearned.reading().median());
    }
    JsonNode json = new ObjectMapper().readTree(directory.resolve("out/bench.json").toFile());
    assertThat(json.path("commit").asText()).isEqualTo("0123456789");
    assertThat(json.path("dirty").asBoolean()).isTrue();
    assertThat(json.path("seed").asLong()).isEqualTo(Options.SEED);
    assertThat(json.path("machine").path("readBandwidth").path("median").asDouble()).isPositive();
    assertThat(json.path("cases")).hasSize(2);
    assertThat(Files.readString(directory.resolve("out/bench.md")))
        .contains("with uncommitted changes", "ratio (a)", "| dense 1000 x 20 |");
  }
}
