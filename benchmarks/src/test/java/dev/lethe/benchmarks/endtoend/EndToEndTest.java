package dev.lethe.benchmarks.endtoend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.zip.GZIPOutputStream;
import org.apache.spark.api.java.JavaSparkContext;
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
    assertThatThrownBy(() -> EndToEnd.cases(Options.parse("--only", "enron", "--data", "/none")))
        .hasMessageContaining("enron-test.libsvm.gz");
    assertThatThrownBy(() -> EndToEnd.cases(Options.parse("--only", "flights", "--work", "/none")))
        .hasMessageContaining("scripts/flights");
    assertThatThrownBy(() -> Study.chosen(Options.parse("--only", "pass,model,growth")))
        .hasMessageContaining("model needs growth and pass");
    assertThatThrownBy(() -> Study.chosen(Options.parse("--only", "growth", "--largest", "2e5")))
        .hasMessageContaining("'2e5'");
    assertThatThrownBy(() -> Study.chosen(Options.parse("--only", "growth", "--largest", "200000")))
        .hasMessageContaining("--largest");
    assertThatThrownBy(() -> Options.parse("--scale", "0")).hasMessageContaining("--scale");
    assertThatThrownBy(() -> Options.parse("--runs", "0")).hasMessageContaining("--runs");
    assertThatThrownBy(() -> Options.parse("--runs", "two")).hasMessageContaining("'two'");
    assertThatThrownBy(() -> Options.parse("--seed")).hasMessageContaining("--seed");
  }

  private static Options options() {
    Options given = Options.parse("--scale", "0.0005", "--runs", "1", "--warm-ups", "0", "--dirty");
    return new Options(
        given.words(),
        given.scale(),
        given.largest(),
        given.runs(),
        given.warmUps(),
        given.seed(),
        given.data(),
        directory.resolve("work").toString(),
        directory.resolve("out").toString(),
        "0123456789",
        given.dirty(),
        1 << 24);
  }

  private static Sessions sessions() {
    return new Sessions(
        () ->
            SparkSession.builder()
                .master("local[2]")
                .config("spark.ui.enabled", "false")
                .config("spark.log.level", "ERROR")
                .config("spark.sql.shuffle.partitions", "2")
                .config("spark.driver.host", "127.0.0.1")
                .config("spark.driver.bindAddress", "127.0.0.1")
                .config(
                    "spark.sql.warehouse.dir", directory.resolve("warehouse").toUri().toString()));
  }

  /** A thousand flights before June, 300 in June; one from an airport that no earlier one left. */
  private static Case flights(SparkSession spark, long seed) {
    String file = directory.resolve("flights.parquet").toString();
    spark
        .sql(
            "select timestamp_ntz'2001-01-01 00:00:00'"
                + " + make_dt_interval(int(id * 150 div 1000 + if(id < 1000, 0, 1)), int(id % 24)) as"
                + " date, id % 37 + if(id % 24 > 16, 10, -10) as delay,"
                + " if(id = 1200, 'XXX', concat('A', id % 7)) as origin,"
                + " concat('A', id % 5) as destination from range(0, 1300)")
        .write()
        .parquet(file);
    return new FlightsCase(file, 1, seed);
  }

  @Test
  void run_tinyScale_comparesEqualMinimaAndWritesBothFiles() throws Exception {
    Options options = options();
    Report report;
    try (Sessions sessions = sessions()) {
      report =
          EndToEnd.run(
              options,
              List.of(
                  new DenseCase(1000, 20, options.seed()),
                  new SparseCase(1000, 500, options.seed()),
                  flights(sessions.session(), options.seed())),
              List.of(),
              sessions);
    }

    assertThat(report.cases())
        .extracting(Result::caseName)
        .containsExactly("dense", "sparse", "flights");
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
    assertThat(json.path("cases")).hasSize(3);
    assertThat(Files.readString(directory.resolve("out/bench.md")))
        .contains("with uncommitted changes", "ratio (a)", "| dense 1000 x 20 |");
  }

  @Test
  void memory_roomForHalfOfTheBlocks_spillsAndChangesNoBit() throws Exception {
    Memory memory;
    try (Sessions sessions = sessions()) {
      memory = Memory.measure(new DenseCase(60_000, 50, Options.SEED), options(), sessions);
    }

    long blocks = 60_000 * 52 * 8;
    assertThat(memory.enough().memoryBytes()).isGreaterThan(blocks);
    assertThat(memory.enough().diskBytes()).isZero();
    assertThat(memory.half().memoryBytes()).isLessThanOrEqualTo(memory.half().storageBytes());
    assertThat(memory.half().storageBytes()).isLessThan(blocks);
    assertThat(memory.half().diskBytes()).isGreaterThan(blocks / 4);
    assertThat(memory.identical()).isTrue();
    assertThat(memory.enough().peakHeap() - memory.enough().restingHeap()).isGreaterThan(blocks);
    assertThat(memory.markdown()).contains("the same to the last bit");
  }

  @Test
  void state_requestsOfAThousandRows_goWithoutTheTable() throws Exception {
    StateCost state;
    try (Sessions sessions = sessions()) {
      state =
          StateCost.measure(options(), sessions, List.of(new DenseCase(150_000, 4, Options.SEED)));
    }

    StateCost.Run run = state.runs().get(0);
    assertThat(run.bounded()).isEqualTo(run.releases()).isPositive();
    assertThat(run.passes()).isZero();
    assertThat(run.bound()).isBetween(1e-9, 1e-3);
    // the curvature of the mean is at most (1 + 4 second moments of about 1) / 4
    assertThat(run.gradientNorm()).isLessThan(2 * run.bound());
    assertThat(run.retrainedNorm()).isPositive();
    assertThat(run.inMemory().median()).isPositive();
    assertThat(state.markdown()).contains("| 150000 x 4 |");
  }

  @Test
  void growth_twoSizes_measuresWhatItSays() {
    Growth growth;
    try (Sessions sessions = sessions()) {
      growth =
          Growth.measure(
              options(), sessions, new long[] {1000, 3000}, new int[] {20}, new int[] {3});
      assertThat(sessions.threads()).isEqualTo(2);
    }

    assertThat(growth.rows()).extracting(Growth.Run::rows).containsExactly(1000L, 3000L);
    assertThat(growth.columns()).extracting(Growth.Run::columns).containsExactly(20);
    assertThat(growth.partitions()).extracting(Growth.Run::partitions).containsExactly(3);
    assertThat(growth.cores().one().threads()).isEqualTo(1);
    assertThat(growth.cores().all().threads()).isEqualTo(2);
    for (Growth.Run run : growth.rows()) {
      // cells, label, weight, and what Spark adds to count objects
      assertThat((double) run.blockBytes()).isBetween(8.0 * run.rows() * 52, 9.0 * run.rows() * 52);
      assertThat(run.fromParquet().median())
          .isGreaterThan(run.reading().median() + run.fromCache().median() - 1e-3);
    }
  }

  @Test
  void cost_ofAPassOverNothing_isMeasuredBesideAnEmptyJob() {
    PassCost.Cost cost;
    try (Sessions sessions = sessions()) {
      cost =
          PassCost.cost(
              JavaSparkContext.fromSparkContext(sessions.session().sparkContext()), 100, 3, 1, 3);
    }

    assertThat(cost.tasks()).isEqualTo(3);
    assertThat(cost.empty().min()).isPositive();
    assertThat(new PassCost("pass", List.of(cost)).markdown()).contains("| 100 | 3 |");
  }

  /** One round of a few products each. */
  private static List<Networks.Update> hasty(List<Networks.Update> updates) {
    return updates.stream()
        .map(
            u ->
                new Networks.Update(
                    u.method(), u.layers(), u.corrected(), u.share(), 1, 5, u.tolerance()))
        .toList();
  }

  /** Paragraphs of words of three letters. */
  private static String book() {
    SplittableRandom random = new SplittableRandom(1);
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < 60; i++) {
      for (int k = 0; k < 5; k++) {
        text.append(List.of("The", "cat", "sat", "mat").get(random.nextInt(4))).append(' ');
      }
      text.append("\n\n");
    }
    return text.toString();
  }

  @Test
  void memorisation_tinyNetwork_comparesFiveMethodsOnOneNetwork() throws Exception {
    Memorisation.Config config = new Memorisation.Config("tiny", 8, 4, 8, 1, 1, 64, 0.01, 0, 1);
    Memorisation study;
    try (Sessions sessions = sessions()) {
      study =
          Memorisation.measure(
              book(), config, hasty(Memorisation.updates()), options(), sessions, "memorisation");
    }
    assertThat(study.trials())
        .extracting(Memorisation.Trial::method)
        .containsExactly("second-order", "lissa", "first-order", "fine-tune", "retrain");
    assertThat(study.trials())
        .allSatisfy(
            trial -> {
              assertThat(trial.report().before())
                  .isEqualTo(study.trials().get(0).report().before());
              assertThat(trial.report().changed().rows()).isEqualTo(20);
              assertThat(trial.report().changed().targets()).isEqualTo(20 * 10);
            });
    assertThat(study.markdown()).contains("| second-order |", "| retrain |", "--layers fc");
  }

  @Test
  void poisoning_fewImages_poisonsTheShareAndComparesWithOneRetraining() throws Exception {
    SplittableRandom random = new SplittableRandom(2);
    byte[][] pixels = new byte[300][28 * 28];
    byte[] labels = new byte[300];
    for (int i = 0; i < labels.length; i++) {
      random.nextBytes(pixels[i]);
      labels[i] = (byte) random.nextInt(10);
    }
    Poisoning study;
    try (Sessions sessions = sessions()) {
      study =
          Poisoning.measure(
              "noise",
              new Poisoning.Images(pixels, labels),
              200,
              100,
              1,
              new double[] {0.1, 0.2},
              hasty(Poisoning.updates()),
              options(),
              sessions);
    }
    assertThat(study.trials())
        .extracting(Poisoning.Trial::method)
        .containsExactly(
            "retrain",
            "second-order",
            "lissa",
            "first-order",
            "fine-tune",
            "second-order",
            "lissa",
            "first-order",
            "fine-tune");
    assertThat(study.trials())
        .allSatisfy(
            trial ->
                assertThat(trial.report().changed().targets())
                    .isEqualTo(Math.round(200 * trial.share())));
    Poisoning.Trial retrained = study.trials().get(0);
    assertThat(study.trials()).allMatch(trial -> trial.clean() == retrained.after());
    // the published networks, read again and counted class by class
    for (Poisoning.Trial trial : study.trials()) {
      Poisoning.Confusion confusion =
          study.confusions().stream()
              .filter(c -> c.share() == trial.share() && c.network().equals(trial.method()))
              .findFirst()
              .orElseThrow();
      long right = 0;
      for (int c = 0; c < 10; c++) {
        right += confusion.counts()[c][c];
      }
      assertThat(trial.after()).isEqualTo(right / 100.0);
    }
    assertThat(study.confusions())
        .allSatisfy(
            confusion ->
                assertThat(Arrays.stream(confusion.counts()).flatMapToLong(Arrays::stream).sum())
                    .isEqualTo(100));
    assertThat(study.markdown()).contains("| 10.0 % | second-order, ", "| 20.0 % | fine-tune |");
  }

  @Test
  void images_idxFilesPlainOrZipped_areRead() throws Exception {
    ByteBuffer images = ByteBuffer.allocate(16 + 6).putInt(2051).putInt(2).putInt(1).putInt(3);
    images.put(new byte[] {1, 2, 3, 4, 5, 6});
    ByteBuffer labels = ByteBuffer.allocate(8 + 2).putInt(2049).putInt(2).put(new byte[] {7, 9});
    Path folder = Files.createDirectories(directory.resolve("idx"));
    Files.write(folder.resolve("train-images-idx3-ubyte"), images.array());
    try (OutputStream out =
        new GZIPOutputStream(Files.newOutputStream(folder.resolve("train-labels-idx1-ubyte.gz")))) {
      out.write(labels.array());
    }
    Poisoning.Images read = Poisoning.Images.read(folder);
    assertThat(read.pixels()).isDeepEqualTo(new byte[][] {{1, 2, 3}, {4, 5, 6}});
    assertThat(read.labels()).containsExactly(7, 9);
    assertThatThrownBy(
            () -> Study.measure("poisoning", Options.parse("--work", "/none"), null, null))
        .hasMessageContaining("scripts/network-data");
    assertThatThrownBy(
            () -> Study.measure("memorisation", Options.parse("--work", "/none"), null, null))
        .hasMessageContaining("scripts/network-data");
  }
}
