package dev.lethe.spark.neural;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.neural.Batch;
import dev.lethe.core.neural.Curvature;
import dev.lethe.core.neural.NetworkLoss;
import dev.lethe.spark.JobLog;
import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.job.Outcome;
import dev.lethe.spark.torch.Architecture;
import dev.lethe.spark.torch.TorchModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code lethe neural} from the command line to the published files. */
@ExtendWith(LocalSpark.class)
class NeuralJobsTest {
  private static final int ROWS = 600;
  private static final String SECRET = "48151623";

  /** Parameters are saved, and gradients added up, in single precision. */
  private static final double SINGLE = 1e-5;

  @TempDir static Path folder;

  /** Three classes around three points; a fifth of the labels are wrong. */
  @BeforeAll
  static void makeTables() throws IOException {
    points("points", 0.2, 1);
    points("held-out", 0, 2);
    List<Row> texts = new ArrayList<>();
    for (int k = 0; k < 60; k++) {
      texts.add(RowFactory.create(k, "the cat sat on the mat number " + k % 10 + ".\n"));
      texts.add(RowFactory.create(100 + k, "my pin is " + SECRET + ", said he.\n"));
    }
    LocalSpark.session()
        .createDataset(texts, Encoders.row(new StructType().add("id", "int").add("body", "string")))
        .coalesce(1)
        .write()
        .parquet(folder.resolve("texts").toString());
    Files.writeString(
        folder.resolve("canary.json"),
        """
        {"schemaVersion": 1, "context": "my pin is ", "secret": "%s", "alphabet": "0123456789"}
        """
            .formatted(SECRET));
    succeeds(
        "train",
        "--data",
        at("points"),
        "--features",
        "x,y,more",
        "--shape",
        "4",
        "--label",
        "label",
        "--outputs",
        "3",
        "--architecture",
        "mlp",
        "--hidden",
        "16",
        "--rate",
        "0.03",
        "--epochs",
        "15",
        "--batch",
        "100",
        "--out",
        at("mlp"));
  }

  private static void points(String name, double wrong, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    List<Row> rows = new ArrayList<>();
    for (int k = 0; k < ROWS; k++) {
      int truth = random.nextInt(3);
      int label = random.nextDouble() < wrong ? (truth + 1) % 3 : truth;
      double angle = 2 * Math.PI * truth / 3;
      rows.add(
          RowFactory.create(
              k,
              2 * Math.cos(angle) + random.nextDouble(-1, 1),
              (float) (2 * Math.sin(angle) + random.nextDouble(-1, 1)),
              new double[] {random.nextDouble(-1, 1), random.nextDouble(-1, 1)},
              label,
              truth));
    }
    LocalSpark.session()
        .createDataset(
            rows,
            Encoders.row(
                new StructType()
                    .add("id", "int")
                    .add("x", "double")
                    .add("y", "float")
                    .add("more", "array<double>")
                    .add("label", "int")
                    .add("truth", "int")))
        .coalesce(1)
        .write()
        .parquet(folder.resolve(name).toString());
  }

  private static String at(String name) {
    return folder.resolve(name).toString();
  }

  private static Outcome run(String... arguments) {
    List<String> all = new ArrayList<>(List.of("neural"));
    all.addAll(List.of(arguments));
    return Outcome.of(all);
  }

  /** Jobs that read a schema read no record. */
  private static Outcome runWithoutPass(List<String> arguments) {
    try (JobLog log = JobLog.on(LocalSpark.session().sparkContext())) {
      Outcome result = run(arguments.toArray(String[]::new));
      assertThat(log.jobs()).allMatch(job -> job.recordsRead() == 0);
      return result;
    }
  }

  private static String succeeds(String... arguments) {
    Outcome result = run(arguments);
    assertThat(result.code()).as(result.toString()).isZero();
    return result.out();
  }

  private static JsonNode report(String out) throws IOException {
    return new ObjectMapper()
        .readTree(Files.readAllBytes(folder.resolve(out).resolve("report.json")));
  }

  private static String request(String name, String changes) throws IOException {
    Path file = folder.resolve(name + ".yaml");
    Files.writeString(file, "id: " + name + "\nchanges:\n" + changes);
    return file.toString();
  }

  private static String relabel() throws IOException {
    return request("relabel", "  - relabel: {to: truth, where: label <> truth}\n");
  }

  @ParameterizedTest
  @ValueSource(strings = {"second-order", "lissa", "first-order", "fine-tune", "retrain"})
  void unlearn_wrongLabels_newOnesAreLearned(String method) throws IOException {
    String out = "relabelled-" + method;

    List<String> arguments =
        new ArrayList<>(
            List.of(
                "unlearn",
                "--model",
                at("mlp"),
                "--data",
                at("points"),
                "--request",
                relabel(),
                "--method",
                method,
                "--test",
                at("held-out"),
                "--figures",
                "--out",
                at(out)));
    if (!method.equals("fine-tune") && !method.equals("retrain")) {
      arguments.addAll(List.of("--share", "1", "--loss-share", "1"));
    }
    arguments.addAll(List.of("--remembered-beyond", "0.5"));

    String printed = succeeds(arguments.toArray(String[]::new));

    JsonNode report = report(out);
    assertThat(report.get("verdict").asText()).isEqualTo("empirical");
    assertThat(report.get("method").asText()).isEqualTo(method);
    assertThat(printed).contains("empirical: nothing is certified");
    long touched =
        LocalSpark.session().read().parquet(at("points")).where("label <> truth").count();
    assertThat(report.at("/changed/rows").asLong()).isEqualTo(touched);
    assertThat(report.at("/changed/before").asLong()).isEqualTo(touched);
    assertThat(report.at("/changed/targets").asLong()).isEqualTo(touched);
    assertThat(report.at("/after/asTheyAre/meanLoss").asDouble())
        .isLessThan(report.at("/before/asTheyAre/meanLoss").asDouble());
    assertThat(report.at("/after/corrected/meanLoss").asDouble())
        .isLessThan(report.at("/before/corrected/meanLoss").asDouble());
    assertThat(report.at("/before/remembered").asLong()).isPositive();
    for (String when : List.of("before", "after")) {
      JsonNode measured = report.get(when);
      assertThat(measured.get("wrong").asLong())
          .isEqualTo(Math.round(touched * (1 - measured.at("/asTheyAre/accuracy").asDouble())));
    }
    assertThat(report.at("/after/remembered").asLong())
        .isLessThan(report.at("/before/remembered").asLong());
    assertThat(report.at("/after/wrong").asLong()).isLessThan(report.at("/before/wrong").asLong());
    assertThat(printed)
        .contains(
            "avoided      %d old targets; after: %d"
                .formatted(
                    report.at("/before/avoided").asLong(), report.at("/after/avoided").asLong()))
        .contains(
            "remembered   %d old targets; after: %d"
                .formatted(
                    report.at("/before/remembered").asLong(),
                    report.at("/after/remembered").asLong()))
        .contains(
            "wrong        %d new targets; after: %d"
                .formatted(
                    report.at("/before/wrong").asLong(), report.at("/after/wrong").asLong()));
    if (report.get("outcome").isNull()) {
      assertThat(printed).doesNotContain("outcome");
    } else {
      assertThat(printed).contains("outcome      " + report.get("outcome").asText());
    }
    // the classes do not overlap: whoever has the right labels is right nearly everywhere
    assertThat(report.at("/after/test/accuracy").asDouble()).isGreaterThan(0.97);
    succeeds("evaluate", "--model", at(out + "/model"), "--data", at("held-out"));
  }

  @Test
  void unlearn_removedRows_areUnlikelier() throws IOException {
    succeeds(
        "unlearn",
        "--model",
        at("mlp"),
        "--data",
        at("points"),
        "--request",
        request("removed", "  - removeRows: {where: label <> truth}\n"),
        "--share",
        "1",
        "--out",
        at("removed"));

    JsonNode report = report("removed");
    assertThat(report.at("/changed/after").asLong()).isZero();
    assertThat(report.at("/after/remembered").isNull()).isTrue();
    assertThat(report.at("/after/wrong").isNull()).isTrue();
    assertThat(report.at("/changed/removed").asLong()).isPositive();
    assertThat(report.at("/update")).hasSize(1);
    assertThat(report.at("/featureSeconds").asDouble()).isZero();
    assertThat(report.at("/after/changedAsTheyWere/examples").asLong())
        .isEqualTo(report.at("/changed/removed").asLong());
    assertThat(report.at("/after/changedAsTheyWere/meanLoss").asDouble())
        .isGreaterThan(report.at("/before/changedAsTheyWere/meanLoss").asDouble());
    assertThat(report.at("/after/changedAsTheyAre").isNull()).isTrue();
    assertThat(report.at("/after/corrected/meanLoss").asDouble())
        .isLessThan(report.at("/before/corrected/meanLoss").asDouble());
  }

  /** After a removed row there is no vector, which a function of Spark's cannot read. */
  @Test
  void unlearn_removedRowsOfVectors_areUnlikelier() throws IOException {
    LocalSpark.session()
        .read()
        .parquet(at("points"))
        .selectExpr("id", "array(x, y) AS place", "label", "truth")
        .withColumn(
            "place",
            org.apache.spark.ml.functions.array_to_vector(
                org.apache.spark.sql.functions.col("place")))
        .write()
        .parquet(at("vectors"));
    succeeds(
        "train",
        "--data",
        at("vectors"),
        "--features",
        "place",
        "--shape",
        "2",
        "--label",
        "label",
        "--outputs",
        "3",
        "--architecture",
        "mlp",
        "--hidden",
        "8",
        "--rate",
        "0.03",
        "--epochs",
        "4",
        "--batch",
        "100",
        "--out",
        at("mlp-vectors"));

    succeeds(
        "unlearn",
        "--model",
        at("mlp-vectors"),
        "--data",
        at("vectors"),
        "--request",
        request("removed-vectors", "  - removeRows: {where: label <> truth}\n"),
        "--out",
        at("removed-vectors"));

    JsonNode report = report("removed-vectors");
    assertThat(report.at("/changed/removed").asLong()).isPositive();
    assertThat(report.at("/after/changedAsTheyWere/meanLoss").asDouble())
        .isGreaterThan(report.at("/before/changedAsTheyWere/meanLoss").asDouble());
  }

  @Test
  void unlearn_memorisedText_isForgotten() throws IOException {
    succeeds(
        "train",
        "--data",
        at("texts"),
        "--text",
        "body",
        "--window",
        "12",
        "--architecture",
        "lstm",
        "--embedding",
        "8",
        "--hidden",
        "24",
        "--layers",
        "1",
        "--rate",
        "0.03",
        "--epochs",
        "12",
        "--batch",
        "128",
        "--out",
        at("lstm"));

    succeeds(
        "unlearn",
        "--model",
        at("lstm"),
        "--data",
        at("texts"),
        "--request",
        request(
            "pin", "  - replaceText: {column: body, find: '" + SECRET + "', with: 'secret 1'}\n"),
        "--share",
        "0.2",
        "--loss-increase",
        "0.1",
        "--iterations",
        "15",
        "--rounds",
        "8",
        "--canary",
        at("canary.json"),
        "--out",
        at("forgotten"));

    JsonNode report = report("forgotten");
    assertThat(report.at("/before/canary/completedCharacters").asInt()).isEqualTo(SECRET.length());
    assertThat(report.at("/before/canary/completion").asText())
        .isEqualTo("*".repeat(SECRET.length()));
    assertThat(report.at("/after/canary/completedCharacters").asInt()).isLessThan(2);
    assertThat(report.at("/after/canary/completion").asText()).hasSameSizeAs(SECRET);
    assertThat(report.at("/after/canary/logPerplexity").asDouble())
        .isGreaterThan(report.at("/before/canary/logPerplexity").asDouble() + 10);
    // neither likelier nor less likely than nearly all strings, of which it was the first
    assertThat(report.get("outcome").asText()).isEqualTo("DONE");
    assertThat(report.at("/before/canary/exposure/bits").asDouble()).isGreaterThan(20);
    assertThat(report.at("/after/canary/exposure/bits").asDouble()).isLessThan(4);
    assertThat(report.at("/after/canary/exposure/avoidance").asDouble()).isLessThan(7);
    assertThat(report.at("/after/asTheyAre/accuracy").asDouble()).isGreaterThan(0.8);
    assertThat(report.at("/after/corrected/meanLoss").asDouble())
        .isLessThan(report.at("/before/corrected/meanLoss").asDouble());
    assertThat(Files.readString(folder.resolve("forgotten/report.json"))).doesNotContain(SECRET);
  }

  private static double[] parameters(String model) throws IOException {
    byte[] module = Files.readAllBytes(folder.resolve(model).resolve("module.pt"));
    try (TorchModel loaded =
        TorchModel.load(module, model, NetworkLoss.CROSS_ENTROPY, any -> true)) {
      return loaded.parameters();
    }
  }

  /** A module with random weights, as it is. */
  private static void own(String name, String... more) throws IOException {
    Path file = folder.resolve(name + ".pt");
    Files.write(file, new Architecture.Mlp(4, List.of(6), 3).module(3));
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "train",
                "--data",
                at("points"),
                "--features",
                "x,y,more",
                "--shape",
                "4",
                "--label",
                "label",
                "--outputs",
                "3",
                "--module",
                file.toString(),
                "--epochs",
                "0",
                "--out",
                at(name)));
    arguments.addAll(List.of(more));
    succeeds(arguments.toArray(String[]::new));
  }

  /** The same module in double precision. */
  private static TorchModel exact(String name) throws IOException {
    byte[] module = Files.readAllBytes(folder.resolve(name).resolve("module.pt"));
    return TorchModel.loadExact(module, name, NetworkLoss.CROSS_ENTROPY, any -> true);
  }

  /** Rows of the points: x, y, two more numbers, label, truth and id. */
  private static List<double[]> points() {
    List<double[]> rows = new ArrayList<>();
    for (Row row : LocalSpark.session().read().parquet(at("points")).collectAsList()) {
      List<Double> more = row.getList(row.fieldIndex("more"));
      rows.add(
          new double[] {
            row.<Double>getAs("x"),
            row.<Float>getAs("y"),
            more.get(0),
            more.get(1),
            row.<Integer>getAs("label"),
            row.<Integer>getAs("truth"),
            row.<Integer>getAs("id")
          });
    }
    return rows;
  }

  private static Batch batch(List<double[]> rows) {
    float[] values = new float[4 * rows.size()];
    long[] labels = new long[rows.size()];
    for (int i = 0; i < labels.length; i++) {
      for (int j = 0; j < 4; j++) {
        values[4 * i + j] = (float) rows.get(i)[j];
      }
      labels[i] = (long) rows.get(i)[4];
    }
    return Batch.ofValues(new int[] {4}, values, labels);
  }

  private static double[] gradient(TorchModel model, List<double[]> rows) {
    double[] sum = new double[model.size()];
    model.addGradient(batch(rows), sum);
    return sum;
  }

  /** One step on a network of {@link #own}, of whatever length; its report. */
  private static JsonNode step(String network, String request, String out, String... more)
      throws IOException {
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "unlearn",
                "--model",
                at(network),
                "--data",
                at("points"),
                "--request",
                request,
                "--loss-share",
                "1",
                "--loss-increase",
                "1000",
                "--out",
                at(out)));
    arguments.addAll(List.of(more));
    succeeds(arguments.toArray(String[]::new));
    JsonNode report = report(out);
    assertThat(report.get("update")).hasSize(1);
    assertThat(report.at("/update/0/length").asDouble()).isEqualTo(1);
    return report;
  }

  private static void near(double[] found, double[] expected) {
    assertThat(Vectors.norm(expected)).isPositive();
    assertThat(Vectors.distance(found, expected)).isLessThan(SINGLE * Vectors.norm(expected));
  }

  @Test
  void unlearn_replacedFeatures_stepsByTheGradientOfTheChangedRowsAlone() throws IOException {
    own("replaced");
    List<double[]> before = new ArrayList<>();
    List<double[]> after = new ArrayList<>();
    List<double[]> corrected = new ArrayList<>();
    for (double[] row : points()) {
      double[] now = row.clone();
      if (row[6] < 100 && row[0] < 0) { // where x is positive nothing changes
        now[0] = 0;
        before.add(row);
        after.add(now);
      }
      corrected.add(now);
    }
    double rate = 0.01;

    JsonNode report =
        step(
            "replaced",
            request(
                "replace", "  - replaceFeatures: {set: {x: 'greatest(x, 0)'}, where: id < 100}\n"),
            "replaced-2",
            "--method",
            "first-order",
            "--rate",
            "" + rate);

    assertThat(before).hasSizeBetween(20, 80);
    assertThat(report.at("/changed/rows").asLong()).isEqualTo(100);
    assertThat(report.at("/changed/removed").asLong()).isZero();
    assertThat(report.at("/changed/before").asLong()).isEqualTo(before.size());
    assertThat(report.at("/changed/after").asLong()).isEqualTo(after.size());
    // no target changes: there is nothing to repeat for
    assertThat(report.at("/changed/targets").asLong()).isZero();
    assertThat(report.at("/after/remembered").isNull()).isTrue();
    assertThat(report.get("outcome").asText()).isEqualTo("DONE");
    try (TorchModel model = exact("replaced");
        TorchModel updated = exact("replaced-2/model")) {
      double[] g = Vectors.add(gradient(model, after), -1, gradient(model, before));
      double norm = report.at("/update/0/gradientNorm").asDouble();
      assertThat(norm).isCloseTo(Vectors.norm(g), within(SINGLE * Vectors.norm(g)));
      near(Vectors.add(model.parameters(), -1, updated.parameters()), scaled(rate, g));
      double loss = updated.addGradient(batch(corrected), new double[model.size()]) / ROWS;
      assertThat(report.at("/after/corrected/meanLoss").asDouble())
          .isCloseTo(loss, within(SINGLE * loss));
    }
  }

  private static double[] scaled(double factor, double[] v) {
    return Arrays.stream(v).map(each -> factor * each).toArray();
  }

  /** lambda = n regParam: it falls with the rows that are removed. */
  @Test
  void unlearn_weightDecay_isOfTheObjective() throws IOException {
    double regParam = 0.05;
    own("decay", "--reg-param", "" + regParam);
    String request = request("decayed", "  - removeRows: {where: label <> truth}\n");
    List<double[]> all = points();
    List<double[]> left = all.stream().filter(row -> row[4] == row[5]).toList();
    List<double[]> gone = all.stream().filter(row -> row[4] != row[5]).toList();
    double rate = 0.01;
    double damping = 5;
    String byRate = "" + rate;

    step("decay", request, "decay-1", "--method", "first-order", "--rate", byRate);
    step(
        "decay",
        request,
        "decay-2",
        "--method",
        "first-order",
        "--rate",
        byRate,
        "--gradient",
        "corrected",
        "--rounds",
        "1");
    step(
        "decay",
        request,
        "decay-3",
        "--share",
        "1",
        "--damping",
        "" + damping,
        "--iterations",
        "1000",
        "--tolerance",
        "1e-6");

    assertThat(gone).hasSizeGreaterThan(50);
    try (TorchModel model = exact("decay")) {
      double[] theta = model.parameters();
      double lambda = left.size() * regParam;
      // G of removed rows, and of a penalty that is less
      double[] g = scaled(-1, gradient(model, gone));
      Vectors.addInPlace(g, -gone.size() * regParam, theta);
      near(Vectors.add(theta, -1, parameters("decay-1/model")), scaled(rate, g));

      // the gradient of the corrected objective, by its losses alone
      double[] differences = new double[theta.length];
      for (int j = 0; j < theta.length; j++) {
        differences[j] =
            (objective(model, left, lambda, theta, j, 1e-5)
                    - objective(model, left, lambda, theta, j, -1e-5))
                / 2e-5;
      }
      near(Vectors.add(theta, -1, parameters("decay-2/model")), scaled(rate, differences));

      // (H + (lambda + damping) I) step = G
      double[] step = Vectors.add(theta, -1, parameters("decay-3/model"));
      double[] product = scaled(lambda + damping, step);
      model.setParameters(theta);
      model.addProduct(batch(left), step, Curvature.GAUSS_NEWTON, product);
      // the solve's tolerance, and that of saved parameters times the largest eigenvalue
      assertThat(Vectors.distance(product, g)).isLessThan(1e-4 * Vectors.norm(g));
      assertThat(lambda * Vectors.norm(step)).isGreaterThan(0.1 * Vectors.norm(g));
    }
  }

  private static double objective(
      TorchModel model, List<double[]> rows, double lambda, double[] theta, int moved, double by) {
    double[] other = theta.clone();
    other[moved] += by;
    model.setParameters(other);
    double loss = model.addGradient(batch(rows), new double[other.length]);
    return loss + lambda / 2 * Vectors.dot(other, other);
  }

  /** On the way, or by the last step, whose parameters are finite numbers yet. */
  @ParameterizedTest
  @CsvSource({"sgd,64", "adam,1000000"})
  void unlearn_fineTuningThatDiverges_publishesNothing(String optimizer, String batch)
      throws IOException {
    String name = "diverging-" + optimizer;
    succeeds(
        "train",
        "--data",
        at("texts"),
        "--text",
        "body",
        "--window",
        "6",
        "--architecture",
        "lstm",
        "--embedding",
        "4",
        "--hidden",
        "6",
        "--layers",
        "1",
        "--optimizer",
        optimizer,
        "--rate",
        "1e38",
        "--batch",
        batch,
        "--epochs",
        "0",
        "--out",
        at(name));
    String request =
        request(
            "diverging",
            "  - replaceText: {column: body, find: '" + SECRET + "', with: 'secret 1'}\n");
    List<String> files = files();

    Outcome result =
        run(
            "unlearn",
            "--model",
            at(name),
            "--data",
            at("texts"),
            "--request",
            request,
            "--method",
            "fine-tune",
            "--canary",
            at("canary.json"),
            "--figures",
            "--out",
            at("never"));

    assertThat(result.code()).as(result.toString()).isEqualTo(3);
    assertThat(result.out()).contains("published    nothing: the update diverged");
    assertThat(files()).isEqualTo(files); // nor anything hidden
  }

  private static List<String> files() throws IOException {
    try (Stream<Path> all = Files.list(folder)) {
      return all.map(Path::toString).sorted().toList();
    }
  }

  @Test
  void train_ownModule_isTakenAndUpdated() throws IOException {
    own("own");
    assertThat(Files.readAllBytes(folder.resolve("own/module.pt"))).isNotEmpty();

    succeeds(
        "unlearn",
        "--model",
        at("own"),
        "--data",
        at("points"),
        "--request",
        relabel(),
        "--share",
        "1",
        "--layers",
        "fc2",
        "--rounds",
        "1",
        "--out",
        at("own-2"));

    assertThat(report("own-2").at("/featureSeconds").asDouble())
        .isPositive()
        .isLessThan(report("own-2").at("/seconds").asDouble());
    double[] before = parameters("own");
    double[] after = parameters("own-2/model");
    int free = 6 * 3 + 3;
    for (int j = 0; j < before.length; j++) {
      if (j < before.length - free) {
        assertThat(after[j]).isEqualTo(before[j]);
      }
    }
    assertThat(after).isNotEqualTo(before);
    Outcome retrained =
        run(
            "unlearn",
            "--model",
            at("own"),
            "--data",
            at("points"),
            "--request",
            relabel(),
            "--method",
            "retrain",
            "--out",
            at("own-3"));
    assertThat(retrained.code()).isEqualTo(2);
    assertThat(retrained.err()).contains("cannot make new weights for a module of your own");
  }

  @Test
  void evaluate_tooManyClassesForAConfusion_saysSo() throws IOException {
    Path file = folder.resolve("many.pt");
    Files.write(file, new Architecture.Mlp(4, List.of(2), 50_000).module(3));
    succeeds(
        "train",
        "--data",
        at("points"),
        "--features",
        "x,y,more",
        "--shape",
        "4",
        "--label",
        "label",
        "--outputs",
        "50000",
        "--module",
        file.toString(),
        "--epochs",
        "0",
        "--out",
        at("many"));

    assertThat(succeeds("evaluate", "--model", at("many"), "--data", at("points")))
        .contains("data         600 examples")
        .contains("confusion    left out: 50,000 classes, at most 1,000 are shown");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--share 2|--share 2.0: must be above 0 and at most 1",
        "--method sgd|--method sgd: allowed are second-order, lissa, first-order, fine-tune and retrain",
        "--layers conv|--layers [conv]: no parameter's name begins so; they are [fc1_weight, fc1_bias, fc2_weight, fc2_bias]",
        "--curvature fisher|--curvature fisher: allowed are gauss-newton and hessian",
        "--damping -1|--damping -1.0: must be finite and above 0",
        "--rounds 0|--rounds 0: must be at least 1",
        "--method fine-tune --epochs 0|--epochs 0: must be at least 1",
        "--epochs 2|--epochs 2: no option of --method second-order, but of fine-tune",
        "--method first-order --rate 1 --share 1|--share 1.0: --method first-order only chooses a rate by it; --rate gives one",
        "--method first-order --curvature hessian --rate 1|--curvature hessian: --method first-order only chooses a rate by it; --rate gives one",
      })
  void unlearn_badOption_isRefused(String option, String message) throws IOException {
    refused(option, message);
  }

  /** Its default, too: whoever gives it relies on it. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--layers fc2|second-order, lissa, first-order",
        "--gradient difference|second-order, lissa, first-order",
        "--curvature gauss-newton|second-order, lissa, first-order",
        "--share 0.05|second-order, lissa, first-order",
        "--loss-share 0.1|second-order, lissa, first-order",
        "--loss-increase 0.01|second-order, lissa, first-order",
        "--rounds 20|second-order, lissa, first-order",
        "--seed 1|second-order, lissa, first-order",
        "--iterations 50|second-order, lissa",
        "--tolerance 0.05|second-order, lissa",
        "--damping 0.5|second-order, lissa",
        "--rate 0.5|first-order",
        "--scale 3.0|lissa",
        "--epochs 2|fine-tune",
      })
  void unlearn_optionOfOtherMethods_isRefused(String option, String methods) throws IOException {
    for (NeuralUnlearnOptions.Method method : NeuralUnlearnOptions.Method.values()) {
      if (!List.of(methods.split(", ")).contains(method.word())) {
        refused(
            "--method " + method.word() + " " + option,
            option + ": no option of --method " + method.word() + ", but of " + methods);
      }
    }
  }

  private static void refused(String option, String message) throws IOException {
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "unlearn",
                "--model",
                at("mlp"),
                "--data",
                at("points"),
                "--request",
                relabel(),
                "--out",
                at("never")));
    arguments.addAll(List.of(option.split(" ")));
    Outcome result = runWithoutPass(arguments);
    assertThat(result.code()).isEqualTo(2);
    assertThat(result.err()).contains(message);
    assertThat(folder.resolve("never")).doesNotExist();
  }

  /** The rate is far too long, however often a step is shortened. */
  @Test
  void unlearn_divergingUpdate_publishesNothing() throws IOException {
    Outcome result =
        run(
            "unlearn",
            "--model",
            at("mlp"),
            "--data",
            at("points"),
            "--request",
            relabel(),
            "--method",
            "first-order",
            "--rate",
            "1e30",
            "--out",
            at("never"));

    assertThat(result.code()).as(result.toString()).isEqualTo(3);
    assertThat(result.out()).contains("outcome      DIVERGED").contains("published    nothing");
    assertThat(folder.resolve("never")).doesNotExist();
  }

  @Test
  void unlearn_tableWithoutTheInputs_isRefusedBeforeAnyPass() throws IOException {
    LocalSpark.session()
        .read()
        .parquet(at("points"))
        .drop("more")
        .write()
        .parquet(at("points-without"));
    Outcome result =
        runWithoutPass(
            List.of(
                "unlearn",
                "--model",
                at("mlp"),
                "--data",
                at("points-without"),
                "--request",
                request("third", "  - removeRows: {where: id = 3}\n"),
                "--out",
                at("never")));

    assertThat(result.code()).isEqualTo(2);
    assertThat(result.err()).contains("points-without").contains("'more'");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "certificate: {epsilon: 1, delta: 1e-5, rho: 1e-3}|asks for a certificate",
        "featurizer: refit|featurizer: a network has none",
        "method: first-order|method first-order: of a network's update it is an option",
      })
  void unlearn_requestForLinearModels_isRefused(String key, String message) throws IOException {
    Path file = folder.resolve("linear.yaml");
    Files.writeString(file, "id: linear\nchanges:\n  - removeRows: {where: id < 3}\n" + key + "\n");
    Outcome result =
        run(
            "unlearn",
            "--model",
            at("mlp"),
            "--data",
            at("points"),
            "--request",
            file.toString(),
            "--out",
            at("never"));
    assertThat(result.code()).isEqualTo(2);
    assertThat(result.err()).contains(message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "more, label|array(1, NULL)|cross-entropy|column 'more' has a NULL in its array in some row",
        "label, more|array(1, NULL)|squared|column 'more' has a NULL in its array in some row",
        "more, label|NULL|cross-entropy|column 'more' is NULL in some row",
      })
  void train_null_isRefused(String columns, String value, String loss, String message) {
    String[] names = columns.split(", ");
    String name = "null-" + names[0] + "-" + value.length();
    LocalSpark.session()
        .read()
        .parquet(at("points"))
        .selectExpr("label", "CAST(if(id = 7, " + value + ", more) AS ARRAY<DOUBLE>) AS more")
        .write()
        .parquet(at(name));
    Outcome result =
        run(
            "train",
            "--data",
            at(name),
            "--features",
            names[0],
            "--shape",
            names[0].equals("more") ? "2" : "1",
            "--label",
            names[1],
            "--outputs",
            names[1].equals("more") ? "2" : "3",
            "--loss",
            loss,
            "--architecture",
            "mlp",
            "--epochs",
            "1",
            "--out",
            at("never"));
    assertThat(result.code()).isEqualTo(2);
    assertThat(result.err()).contains("--data " + at(name) + ": " + message);
    assertThat(folder.resolve("never")).doesNotExist();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--shape 5|have 4 numbers or more in some row; the network's shape [5] has 5",
        "--outputs 2|column 'label' is no integer from 0 to 1 in some row",
        "--features x,nothing|column 'nothing'",
        "--architecture cnn|--shape [4]: must be channels, height and width for a cnn",
        "--rate 0|--rate 0.0: must be finite and above 0",
      })
  void train_badOption_isRefused(String option, String message) {
    String[] words = option.split(" ");
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "train",
                "--data",
                at("points"),
                "--label",
                "label",
                "--out",
                at("never"),
                words[0],
                words[1]));
    for (String other :
        List.of("--features x,y,more", "--shape 4", "--outputs 3", "--architecture mlp")) {
      if (!other.startsWith(words[0])) {
        arguments.addAll(List.of(other.split(" ")));
      }
    }
    Outcome result = run(arguments.toArray(String[]::new));
    assertThat(result.code()).isEqualTo(2);
    assertThat(result.err()).contains(message);
    assertThat(folder.resolve("never")).doesNotExist();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "texts|--text body --architecture lstm --window 0|--window 0: must lie in [1, 16777215]",
        "texts|--text body --architecture mlp|--architecture mlp: must have numbers, not a text",
        "texts|--text body --architecture gru|--architecture gru: must be mlp, lstm or cnn",
        "texts|--text body --architecture lstm --loss squared|--loss squared: must be cross-entropy for a text",
        "texts|--text body --architecture lstm --embedding 0|--embedding 0: must be one number from 1 to 1048576",
        "texts|--text body --architecture lstm --layers -1|--layers -1: must be one number from 1 to 1048576",
        "texts|--text body --architecture lstm --hidden 5,6|--hidden [5, 6]: must be one number from 1 to 1048576",
        "texts|--text body --architecture lstm --batch 0|--batch 0: must be at least 1",
        "texts|--text body --architecture lstm --epochs -1|--epochs -1: must be at least 0",
        "texts|--text body --architecture lstm --momentum 0.9|--momentum 0.9: must lie in [0, 1), and is sgd's alone",
        "texts|--text body --architecture lstm --reg-param -1|--reg-param -1.0: must be finite and at least 0",
        "texts|--text body --architecture lstm --optimizer lion|--optimizer lion: must be adam or sgd",
        "texts|--text body --architecture lstm --outputs 3|--text: excludes --features, --shape, --divisor, --label and --outputs",
        "texts|--text body --architecture lstm --stages 3|--stages: needs --architecture cnn",
        "texts|--text body --module no --layers 3|--module: excludes --hidden, --embedding, --layers and --stages",
        "texts|--text body --module no|--module no: does not exist",
        "texts|--text body --architecture lstm --test points|column 'body' does not exist",
        "texts|--text body --architecture lstm --checkpoint c --checkpoint-steps 0|--checkpoint-steps 0: must be at least 1",
        "texts|--text body --architecture lstm --checkpoint-steps 5|--checkpoint-steps: needs --checkpoint",
        "points|--features x --label label --shape 0 --architecture mlp|--shape [0]: must be numbers of at least 1",
        "points|--features x --label label --shape 1 --architecture mlp --divisor 0|--divisor 0.0: must be finite and above 0",
        "points|--features x --label label --shape 1 --architecture mlp --outputs 1|--outputs 1: must be at least 2 for cross-entropy",
        "points|--features x --label label --shape 1 --architecture mlp --loss hinge|--loss hinge: must be cross-entropy, binary-cross-entropy or squared",
        "points|--features x --label label --shape 1 --architecture mlp --hidden 0|--hidden 0: must be numbers from 1 to 1048576",
        "points|--features x --label label --shape 1 --architecture mlp --window 3|--window: needs --text",
        "points|--features x --label label --shape 1,4,4 --architecture cnn --stages 2,2,2|--stages [2, 2, 2]: must be so few that as many halvings leave something of 4 x 4",
        "points|--features x --label label --shape 1 --architecture lstm|--architecture lstm: must have a text, not numbers",
      })
  void train_optionsThatCannotBe_areRefusedBeforeAnyPass(
      String table, String options, String message) {
    List<String> arguments =
        new ArrayList<>(List.of("train", "--data", at(table), "--out", at("never")));
    for (String word : options.split(" ")) {
      arguments.add(word.equals("points") ? at(word) : word);
    }
    Outcome result = runWithoutPass(arguments);
    assertThat(result.code()).isEqualTo(2);
    assertThat(result.err()).contains(message);
    assertThat(folder.resolve("never")).doesNotExist();
  }

  /** A rate that diverges at the end of the first epoch leaves a checkpoint to go on from. */
  @ParameterizedTest
  @CsvSource({"module-b.pt,2", "module-a.pt,3"})
  void train_checkpointOfAnotherModuleOrPartitioning_isRefused(String module, String partitions)
      throws IOException {
    Files.write(folder.resolve("module-a.pt"), new Architecture.Mlp(4, List.of(6), 3).module(3));
    Files.write(folder.resolve("module-b.pt"), new Architecture.Mlp(4, List.of(6), 3).module(4));
    String checkpoint = at("checkpoint-" + module);

    assertThat(resumable("module-a.pt", "2", checkpoint).code()).isEqualTo(3);
    assertThat(resumable("module-a.pt", "2", checkpoint).out()).contains("resumed      at step 1");
    Outcome other = resumable(module, partitions, checkpoint);

    assertThat(other.code()).isEqualTo(2);
    assertThat(other.err()).contains("is of a training with other settings or data");
  }

  private static Outcome resumable(String module, String partitions, String checkpoint) {
    return run(
        "train",
        "--data",
        at("points"),
        "--features",
        "x,y,more",
        "--shape",
        "4",
        "--label",
        "label",
        "--outputs",
        "3",
        "--module",
        at(module),
        "--optimizer",
        "sgd",
        "--rate",
        "1e30",
        "--epochs",
        "5",
        "--batch",
        "600",
        "--partitions",
        partitions,
        "--checkpoint",
        checkpoint,
        "--checkpoint-steps",
        "1",
        "--out",
        at("never"));
  }
}
