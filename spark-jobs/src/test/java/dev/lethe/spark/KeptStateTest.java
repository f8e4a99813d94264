package dev.lethe.spark;

import static java.nio.file.StandardOpenOption.APPEND;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lethe.core.linalg.Vectors;
import dev.lethe.spark.api.TrainingData;
import dev.lethe.spark.api.UnlearnRequest;
import dev.lethe.spark.api.UnlearnedModel;
import dev.lethe.spark.api.Unlearner;
import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.certificate.Verdict;
import dev.lethe.spark.data.TableSource;
import dev.lethe.spark.job.GivenTables;
import dev.lethe.spark.job.RequestSource;
import dev.lethe.spark.job.UnlearnJob;
import dev.lethe.spark.job.UnlearnOptions;
import dev.lethe.spark.job.VerifyJob;
import dev.lethe.spark.job.VerifyOptions;
import dev.lethe.spark.ml.TrainableLoss;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.classification.LogisticRegression;
import org.apache.spark.ml.feature.FeatureHasher;
import org.apache.spark.ml.feature.SQLTransformer;
import org.apache.spark.ml.feature.VectorAssembler;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RuntimeConfig;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Requests one after the other on one table, the state of each kept for the next. */
@ExtendWith(LocalSpark.class)
class KeptStateTest {
  private static final int ROWS = 40_000;
  private static final int BUCKETS = 20;

  @TempDir static Path made;
  @TempDir Path directory;
  private Jobs jobs;
  private TableSource table;

  @BeforeAll
  static void train() throws IOException {
    Jobs jobs = new Jobs(made);
    SparkSession spark = LocalSpark.session();
    // columns that are functions of the row's number alone
    Dataset<Row> rows =
        spark
            .range(ROWS)
            .selectExpr(
                "id",
                "cast(id % " + BUCKETS + " as int) as bucket",
                "sin(id * 1.7) as a",
                "cos(id * 0.37) + 0.5 as b",
                "cast(id % 7 = 0 as double) as c",
                "cast(sin(id * 1.7) + sin(id * 12.9) * 2 > 0.3 as double) as label");
    rows.repartition(functions.col("bucket"))
        .write()
        .partitionBy("bucket")
        .parquet(jobs.path("table"));
    age(made.resolve("table"));
    jobs.train(
        jobs.table("table", "parquet"), List.of("a", "b", "c"), 1e-3, true, true, null, "m0");
  }

  /** A copy of table and model, which a test may change. */
  @BeforeEach
  void copy() throws IOException {
    jobs = new Jobs(directory);
    table = jobs.table("table", "parquet");
    try (Stream<Path> files = Files.walk(made)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        Path copied = directory.resolve(made.relativize(file).toString());
        Files.createDirectories(copied.getParent());
        Files.copy(file, copied, StandardCopyOption.COPY_ATTRIBUTES);
      }
    }
    Files.createDirectory(directory.resolve("requests"));
  }

  /** Lets the files be as old as a table's that nobody is writing. */
  private static void age(Path table) throws IOException {
    try (Stream<Path> files = Files.walk(table)) {
      for (Path file : files.toList()) {
        Files.setLastModifiedTime(
            file, FileTime.fromMillis(Files.getLastModifiedTime(file).toMillis() - 60_000));
      }
    }
  }

  private void request(int number, String changes, double rho) {
    jobs.write(
        "requests/" + number + ".yaml",
        """
        id: r%d
        changes:
        %s
        certificate: {epsilon: 0.5, delta: 1.0e-5, rho: %s}
        """
            .formatted(number, changes.indent(2).stripTrailing(), Double.toString(rho)));
  }

  private static String remove(String where) {
    return "- removeRows: {where: \"" + where + "\"}";
  }

  private UnlearnJob.Result unlearn(String model, String out, boolean state) throws IOException {
    return new UnlearnJob(
            new UnlearnOptions(
                jobs.path(model),
                null,
                new GivenTables.Original(table),
                null,
                requests(out),
                jobs.path(out),
                jobs.path("vault"),
                null,
                null,
                50,
                1000,
                0,
                null,
                state),
            LocalSpark.session())
        .run();
  }

  private RequestSource requests(String id) {
    return new RequestSource(List.of(jobs.path("requests")), null, id);
  }

  private void verify(String out) throws IOException {
    verify(out, 0);
  }

  private void verify(String out, int partitions) throws IOException {
    VerifyJob.Result result =
        new VerifyJob(
                new VerifyOptions(
                    jobs.path(out + "/certificate.json"),
                    jobs.path(out + "/model"),
                    jobs.path("vault"),
                    new GivenTables.Original(table),
                    null,
                    requests(out),
                    null,
                    null,
                    partitions),
                LocalSpark.session())
            .run();
    assertThat(result.checks())
        .allSatisfy(check -> assertThat(check.passed()).as("%s", check).isTrue());
  }

  private List<String> states() throws IOException {
    try (Stream<Path> files = Files.list(directory.resolve("vault/states"))) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  /** Rows that tasks read from files. */
  private static long reading(Work work) throws Exception {
    AtomicLong read = new AtomicLong();
    SparkListener listener =
        new SparkListener() {
          @Override
          public void onTaskEnd(SparkListenerTaskEnd end) {
            read.addAndGet(end.taskMetrics().inputMetrics().recordsRead());
          }
        };
    LocalSpark.session().sparkContext().addSparkListener(listener);
    try {
      work.run();
      LocalSpark.session().sparkContext().listenerBus().waitUntilEmpty();
    } finally {
      LocalSpark.session().sparkContext().removeSparkListener(listener);
    }
    return read.get();
  }

  private interface Work {
    void run() throws IOException;
  }

  @Test
  void unlearn_fewRowsWithKeptState_readsOnlyThem() throws Exception {
    request(1, remove("bucket = 3 and id = 43"), 1e-5);
    UnlearnJob.Result first = unlearn("m0", "m1", true);
    assertThat(first.evidence().measurement().basis()).isEqualTo(Evidence.Measurement.MEASURED);
    assertThat(first.notes()).anyMatch(note -> note.contains("none was kept with this model"));
    List<String> kept = states();
    assertThat(kept).hasSize(1);

    String[] changes = {
      remove("bucket = 5 and id in (45, 85)"),
      "- relabel: {where: \"bucket = 7 and id = 87\", to: \"1 - label\"}",
      "- replaceFeatures: {where: \"bucket = 9 and id = 9\", set: {a: \"0.25\"}}"
    };
    for (int number = 2; number <= 4; number++) {
      request(number, changes[number - 2], 1e-5);
      String before = "m" + (number - 1) + "/model";
      String out = "m" + number;
      UnlearnJob.Result[] results = new UnlearnJob.Result[1];
      long read = reading(() -> results[0] = unlearn(before, out, true));
      UnlearnJob.Result bounded = results[0];

      Evidence evidence = bounded.evidence();
      assertThat(evidence.measurement().basis()).isEqualTo(Evidence.Measurement.BOUNDED);
      assertThat(bounded.certificate().verdict()).isEqualTo(Verdict.CERTIFIED);
      assertThat(evidence.totals().passes()).isZero();
      assertThat(evidence.objective().n()).isEqualTo(ROWS - 3);
      // the partitions of the buckets named, for each of a few jobs; none of the others
      assertThat(read).isLessThan(ROWS / 2);
      // measured, from the same model before, to a distance of 1e-8
      double distance =
          Vectors.distance(
              evidence.unnoisedParameters(),
              exactly(before, "exact" + number + "/m").evidence().unnoisedParameters());
      assertThat(distance).isLessThanOrEqualTo(evidence.measurement().distanceBound() + 1e-8);
      assertThat(distance).isGreaterThan(0);
      verify(out);
      // the state has moved on with the release
      assertThat(states()).hasSize(1).isNotEqualTo(kept);
      kept = states();
    }
  }

  /** The requests so far, without a kept state, to 1e-8. */
  private UnlearnJob.Result exactly(String before, String out) throws IOException {
    for (Path file : files("requests")) {
      Files.writeString(file, Files.readString(file).replace("rho: 1.0E-5", "rho: 1.0E-8"));
    }
    try {
      return unlearn(before, out.replace('/', '-'), false);
    } finally {
      for (Path file : files("requests")) {
        Files.writeString(file, Files.readString(file).replace("rho: 1.0E-8", "rho: 1.0E-5"));
      }
    }
  }

  private List<Path> files(String name) throws IOException {
    try (Stream<Path> files = Files.list(directory.resolve(name))) {
      return files.toList();
    }
  }

  @Test
  void unlearn_stateThatDoesNotSuffice_readsTheRowsAndSaysWhy() throws IOException {
    request(1, remove("bucket = 3 and id = 43"), 1e-8);
    unlearn("m0", "m1", true);

    request(2, remove("bucket = 5"), 1e-8);
    UnlearnJob.Result many = unlearn("m1/model", "m2", true);
    assertThat(many.evidence().measurement().basis()).isEqualTo(Evidence.Measurement.MEASURED);
    assertThat(many.notes()).anyMatch(note -> note.contains("exceeds rho"));
    assertThat(many.certificate().verdict()).isEqualTo(Verdict.CERTIFIED);
    // reading, and from the step of the kept state on at most two evaluations
    assertThat(many.evidence().totals().passes()).isLessThanOrEqualTo(2);
    verify("m2");

    request(3, "- removeFeatures: [c]", 1e-8);
    UnlearnJob.Result feature = unlearn("m2/model", "m3", true);
    assertThat(feature.notes()).anyMatch(note -> note.contains("removes features"));
    assertThat(feature.evidence().totals().passes()).isLessThanOrEqualTo(3);
    assertThat(feature.certificate().verdict()).isEqualTo(Verdict.CERTIFIED);

    Files.delete(directory.resolve("requests/1.yaml"));
    assertThat(unlearn("m3/model", "m4", true).notes())
        .anyMatch(note -> note.contains("does not begin with the changes that are in force"));

    LocalSpark.session()
        .range(1)
        .selectExpr("id", "0.1d as a", "0.2d as b", "0d as c", "1d as label")
        .write()
        .parquet(jobs.path("table/bucket=99"));
    assertThat(unlearn("m4/model", "m5", true).notes())
        .anyMatch(note -> note.contains("files, or what decides how they are read, are not"));
  }

  @Test
  void unlearn_tableReadInAnotherTimeZone_readsTheRows() throws IOException {
    request(1, remove("bucket = 3 and id = 43"), 1e-5);
    unlearn("m0", "m1", true);
    request(2, remove("bucket = 5 and id = 45"), 1e-5);
    RuntimeConfig settings = LocalSpark.session().conf();
    String zone = settings.get("spark.sql.session.timeZone");
    settings.set("spark.sql.session.timeZone", "Pacific/Apia");
    try {
      assertThat(unlearn("m1/model", "m2", true).notes())
          .anyMatch(note -> note.contains("files, or what decides how they are read, are not"));
    } finally {
      settings.set("spark.sql.session.timeZone", zone);
    }
  }

  @Test
  void unlearn_tableWrittenAMomentAgo_keepsNoState() throws IOException {
    try (Stream<Path> files = Files.walk(directory.resolve("table/bucket=4"))) {
      for (Path file : files.toList()) {
        Files.setLastModifiedTime(file, FileTime.fromMillis(System.currentTimeMillis() + 60_000));
      }
    }
    request(1, remove("bucket = 3 and id = 43"), 1e-5);
    assertThat(unlearn("m0", "m1", true).notes())
        .anyMatch(note -> note.contains("written some seconds before the run"));
    assertThat(directory.resolve("vault/states")).doesNotExist();
  }

  /** A state holds what was unlearned since, so it goes with the next release of any kind. */
  @Test
  void unlearn_withoutState_deletesTheModels() throws IOException {
    request(1, remove("bucket = 3 and id = 43"), 1e-5);
    unlearn("m0", "m1", true);
    assertThat(states()).hasSize(1);
    request(2, remove("bucket = 5 and id = 45"), 1e-5);
    unlearn("m1/model", "m2", false);
    assertThat(states()).isEmpty();
  }

  /** Row by row nothing would change for the others: each bucket's mean is among the features. */
  @Test
  void unlearn_stageThatMixesRows_keepsNoState() throws IOException {
    fit(
        "mixed",
        new SQLTransformer()
            .setStatement("SELECT *, avg(a) OVER (PARTITION BY bucket) AS mean FROM __THIS__"),
        new VectorAssembler().setInputCols(new String[] {"a", "mean"}).setOutputCol("features"));
    request(1, remove("bucket = 3 and id = 43"), 1e-5);
    assertThat(unlearn("mixed", "m1", true).notes())
        .anyMatch(note -> note.contains("known to map each row by itself"));
    assertThat(directory.resolve("vault/states")).doesNotExist();
  }

  /** Slots that other columns fill as well stay, with other values in every row. */
  @Test
  void unlearn_columnOfAHasher_readsTheRows() throws IOException {
    LocalSpark.session()
        .read()
        .parquet(jobs.path("table"))
        .selectExpr("*", "string(id % 11) AS u", "string(id % 5) AS v")
        .write()
        .parquet(jobs.path("strings"));
    age(directory.resolve("strings"));
    table = jobs.table("strings", "parquet");
    fit(
        "hashed-strings",
        new FeatureHasher()
            .setNumFeatures(4)
            .setInputCols(new String[] {"u", "v"})
            .setOutputCol("features"));
    request(1, remove("id = 43"), 1e-5);
    unlearn("hashed-strings", "m1", true);
    assertThat(states()).hasSize(1);
    request(2, "- removeFeatures: [v]", 1e-5);
    UnlearnJob.Result result = unlearn("m1/model", "m2", true);
    assertThat(result.evidence().measurement().basis()).isEqualTo(Evidence.Measurement.MEASURED);
    assertThat(result.notes()).anyMatch(note -> note.contains("removes features"));
    verify("m2");
  }

  /** By Spark ML, on the table. */
  private void fit(String out, PipelineStage... featurizer) throws IOException {
    PipelineStage[] stages = Arrays.copyOf(featurizer, featurizer.length + 1);
    stages[featurizer.length] = new LogisticRegression().setRegParam(1e-3).setTol(1e-10);
    new Pipeline()
        .setStages(stages)
        .fit(LocalSpark.session().read().parquet(table.path()))
        .write()
        .save(jobs.path(out));
  }

  @Test
  void unlearner_keepState_followsTheReleaseBefore() throws Exception {
    PipelineModel model = PipelineModel.load(jobs.path("m0"));
    TrainingData data =
        TrainingData.originalTable(LocalSpark.session(), table.path(), "parquet", Map.of());
    Unlearner unlearner = new Unlearner().setKeepState(true);
    UnlearnedModel first = unlearner.unlearn(model, data, first());
    first.close();
    UnlearnRequest.Builder more = builder().removeRows("bucket = 5 and id in (45, 85)");
    UnlearnRequest both = more.build();

    UnlearnedModel[] releases = new UnlearnedModel[2];
    long read =
        reading(
            () -> {
              releases[0] = unlearner.unlearn(first, data, both);
              // what the state is followed with is not the state itself
              releases[1] = unlearner.unlearn(first, data, both);
            });
    assertThat(read).isLessThan(ROWS / 2);
    for (UnlearnedModel release : releases) {
      Evidence evidence = release.evidence();
      assertThat(evidence.measurement().basis()).isEqualTo(Evidence.Measurement.BOUNDED);
      assertThat(release.certificate().verdict()).isEqualTo(Verdict.CERTIFIED);
      // retrained from zero to 1e-10, mean form, which is some 1e-8 of the minimiser
      double[] retrained =
          new Unlearner()
              .setGradientNorm(1e-10)
              .retrain(model, table.read(LocalSpark.session()).where("id not in (43, 45, 85)"))
              .parameters();
      assertThat(Vectors.distance(evidence.unnoisedParameters(), retrained))
          .isLessThanOrEqualTo(evidence.measurement().distanceBound() + 1e-7);
      assertThat(
              unlearner.verify(release, first.model(), data, both).stream()
                  .filter(c -> !c.passed()))
          .isEmpty();
    }

    UnlearnedModel measured = new Unlearner().unlearn(first, data, both);
    assertThat(measured.evidence().measurement().basis()).isEqualTo(Evidence.Measurement.MEASURED);
    UnlearnedModel ofDataset =
        unlearner.unlearn(first, TrainingData.original(table.read(LocalSpark.session())), both);
    assertThat(ofDataset.evidence().measurement().basis()).isEqualTo(Evidence.Measurement.MEASURED);
    assertThat(ofDataset.notes()).anyMatch(note -> note.contains("the table's files"));
    assertThat(ofDataset.notes()).anyMatch(note -> note.contains("no state is kept"));
    // the state goes on into files, and the one before goes
    UnlearnedModel open = unlearner.unlearn(model, data, first());
    open.save(jobs.path("before"), jobs.path("vault"));
    List<String> before = states();
    unlearner.unlearn(open, data, both).save(jobs.path("saved"), jobs.path("vault"));
    assertThat(states()).hasSize(1).isNotEqualTo(before);
    Certificate third =
        unlearner.unlearnSaved(
            jobs.path("saved/model"),
            data,
            more.removeRows("bucket = 7 and id = 87").build(),
            jobs.path("m3"),
            jobs.path("vault"));
    assertThat(states()).hasSize(1);
    Path evidence = directory.resolve("vault").resolve(third.certificateId() + "/evidence.json");
    assertThat(Evidence.read(Files.readAllBytes(evidence), "evidence").measurement().basis())
        .isEqualTo(Evidence.Measurement.BOUNDED);
  }

  private static UnlearnRequest.Builder builder() {
    return UnlearnRequest.builder("r")
        .removeRows("bucket = 3 and id = 43")
        .certificate(0.5, 1e-5, 1e-5);
  }

  private static UnlearnRequest first() {
    return builder().build();
  }

  /** Rows are read as far as the file went when the table was looked up. */
  @Test
  void unlearner_fileGrewSinceTheTableWasOpened_keepsNoState() throws IOException {
    table
        .read(LocalSpark.session())
        .coalesce(1)
        .write()
        .option("header", "true")
        .csv(jobs.path("text"));
    age(directory.resolve("text"));
    TrainingData opened =
        TrainingData.originalTable(LocalSpark.session(), jobs.path("text"), "csv", Map.of());
    for (Path file : files("text")) {
      if (file.toString().endsWith(".csv")) {
        List<String> lines = Files.readAllLines(file);
        Files.write(file, lines.subList(lines.size() - 1, lines.size()), APPEND);
        Files.delete(file.resolveSibling("." + file.getFileName() + ".crc"));
      }
    }
    age(directory.resolve("text"));
    PipelineModel model = PipelineModel.load(jobs.path("m0"));

    UnlearnedModel unlearned = new Unlearner().setKeepState(true).unlearn(model, opened, first());

    assertThat(unlearned.notes()).anyMatch(note -> note.contains("no state is kept"));
  }

  @Test
  void unlearner_cachedTable_keepsNoState() {
    SparkSession spark = LocalSpark.session();
    Dataset<Row> cached = table.read(spark).cache();
    try {
      TrainingData data = TrainingData.originalTable(spark, table.path(), "parquet", Map.of());
      UnlearnedModel unlearned =
          new Unlearner()
              .setKeepState(true)
              .unlearn(PipelineModel.load(jobs.path("m0")), data, first());
      assertThat(unlearned.notes()).anyMatch(note -> note.contains("no state is kept"));
    } finally {
      cached.unpersist(true);
    }
  }

  /** The sums are merged in another order than the state's. */
  @Test
  void verify_boundedSquaredLossInOtherPartitions_holds() throws IOException {
    jobs.train(
        table, List.of("a", "b", "c"), TrainableLoss.SQUARED, 1e-3, true, true, null, "squared");
    request(1, remove("bucket = 3 and id = 43"), 1e-5);
    unlearn("squared", "m1", true);
    request(2, remove("bucket = 5 and id in (45, 85)"), 1e-5);
    UnlearnJob.Result bounded = unlearn("m1/model", "m2", true);
    assertThat(bounded.evidence().measurement().basis()).isEqualTo(Evidence.Measurement.BOUNDED);
    verify("m2", 7);
  }

  @Test
  void unlearn_damagedState_isRefused() throws IOException {
    request(1, remove("bucket = 3 and id = 43"), 1e-5);
    unlearn("m0", "m1", true);
    Path state = directory.resolve("vault/states").resolve(states().get(0));
    byte[] bytes = Files.readAllBytes(state);
    bytes[bytes.length / 2] ^= 1;
    Files.write(state, bytes);

    assertThatThrownBy(() -> unlearn("m1/model", "m2", true))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("is damaged, or was written under another key; delete it");
    assertThat(directory.resolve("m2")).doesNotExist();
  }
}
