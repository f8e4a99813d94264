package dev.lethe.spark.job;

import static org.apache.spark.sql.functions.expr;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.job.Releases.Release;
import java.nio.file.Path;
import java.sql.Timestamp;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Stream;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The same corrections, however they arrive, give the same model: that of their request file. */
@ExtendWith(LocalSpark.class)
class ArrivalTest {
  private static final String CERTIFICATE = "certificate: {epsilon: 0.5, delta: 1e-5, rho: 1e-8}\n";
  private static final String REMOVE_RACE = "  - removeFeatures: [race]\n";
  private static final List<String> ROW_CHANGES =
      List.of(
          "  - replaceFeatures: {set: {hours: \"hours + 1\", weight: \"2 * weight\"},"
              + " where: \"city = 'Ulm'\"}\n",
          "  - relabel: {to: \"1 - label\", where: \"user_id IN ('u-4712', 'u-4713')\"}\n",
          "  - relabel: {to: \"1 - label\", where: \"user_id = 'u-4714'\"}\n");
  private static final String REMOVE_ROW = "  - removeRows: {where: \"user_id = 'u-4711'\"}\n";

  /** The same Newton steps on the same rows; the sums differ in their last bits. */
  private static final double SAME = 1e-10;

  private static final StructType REQUESTS =
      new StructType()
          .add("id", DataTypes.StringType)
          .add("request", DataTypes.StringType)
          .add("sequence", DataTypes.LongType)
          .add("received", DataTypes.TimestampType);

  private static final Map<String, Release> files = new HashMap<>();

  /** What the request makes of the people, written by hand. */
  private static Dataset<Row> corrected() {
    return People.dataset()
        .where("user_id <> 'u-4711'")
        .withColumn(
            "label", expr("IF(user_id IN ('u-4712', 'u-4713', 'u-4714'), 1 - label, label)"))
        .withColumn("hours", expr("hours + IF(city = 'Ulm', 1, 0)"))
        .withColumn("weight", expr("weight * IF(city = 'Ulm', 2, 1)"));
  }

  private static Path correctedTable() {
    return People.write(corrected().repartition(3), "parquet", "after");
  }

  private static String request(String changes, String method) {
    return (changes.isEmpty() ? "" : "changes:\n" + changes)
        + CERTIFICATE
        + "method: "
        + method
        + "\n";
  }

  /**
   * A way for the corrections to arrive.
   *
   * @param given from a directory and the request's first change (or nothing), to the options that
   *     take the place of --request
   */
  private record Arrival(String name, Function<Case, Map<String, Object>> given) {
    @Override
    public String toString() {
      return name;
    }
  }

  /**
   * @param method and the change of features that goes with it
   */
  private record Case(Path place, String features, String method) {
    Path write(String name, String id, String changes) {
      return Places.write(place.resolve(name), "id: " + id + "\n" + request(changes, method));
    }
  }

  private static final List<Arrival> ARRIVALS =
      List.of(
          new Arrival(
              "directory",
              c -> {
                // written in another order than that of their names
                c.write("in/3.yml", "r-3", ROW_CHANGES.get(2) + REMOVE_ROW);
                c.write("in/1.yaml", "r-1", c.features + ROW_CHANGES.get(0));
                c.write("in/2.yaml", "r-2", ROW_CHANGES.get(1));
                c.write("in/4.yaml", "r-2", ROW_CHANGES.get(1)); // delivered twice
                Places.write(c.place.resolve("in/_SUCCESS"), "");
                return Map.of("--request", c.place.resolve("in"), "--id", "all");
              }),
          new Arrival(
              "table",
              c -> {
                List<Row> rows = new ArrayList<>();
                String[] changes = {
                  c.features + ROW_CHANGES.get(0),
                  ROW_CHANGES.get(1),
                  ROW_CHANGES.get(2),
                  REMOVE_ROW
                };
                for (int i = changes.length - 1; i >= 0; i--) {
                  String text = "id: r-" + i + "\n" + request(changes[i], c.method);
                  rows.add(RowFactory.create("r-" + i, text, 7L, new Timestamp(1000L * i)));
                }
                return Map.of(
                    "--request",
                    People.write(
                        LocalSpark.session().createDataFrame(rows, REQUESTS),
                        "parquet",
                        "requests"),
                    "--request-format",
                    "parquet",
                    "--id",
                    "all");
              }),
          new Arrival(
              "snapshots",
              c ->
                  Map.of(
                      "--corrected",
                      correctedTable(),
                      "--key",
                      "USER_ID",
                      "--request",
                      c.write("terms.yaml", "all", c.features))),
          new Arrival(
              "corrections",
              c ->
                  Map.of(
                      "--corrections",
                      People.write(
                          corrected()
                              .where("city = 'Ulm' OR user_id IN ('u-4712', 'u-4713', 'u-4714')")
                              .withColumn("hours", expr("CAST(hours AS SMALLINT)"))
                              .select("label", "hours", "weight", "user_id"),
                          "parquet",
                          "corrected-rows"),
                      "--key",
                      "user_id",
                      "--request",
                      c.write("terms.yaml", "all", c.features + REMOVE_ROW))));

  static Stream<Object[]> arrivals() {
    return Stream.of("refined", "second-order")
        .flatMap(method -> ARRIVALS.stream().map(arrival -> new Object[] {arrival, method}));
  }

  /** The closed forms remove no feature: so they read the touched rows alone. */
  private static String features(String method) {
    return method.equals("refined") ? REMOVE_RACE : "";
  }

  private static Release release(String method) {
    return files.computeIfAbsent(
        method,
        m ->
            Releases.unlearn(
                People.model(),
                People.table(),
                "id: all\n" + request(features(m) + String.join("", ROW_CHANGES) + REMOVE_ROW, m),
                m.equals("refined") ? 0 : 3));
  }

  @ParameterizedTest(name = "{0}, {1}")
  @MethodSource("arrivals")
  void unlearn_howeverCorrectionsArrive_givesTheThetaOfTheRequestFile(
      Arrival arrival, String method) {
    Release file = release(method);
    Case given = new Case(Places.directory("arrival"), features(method), method);
    Map<String, Object> options = arrival.given.apply(given);
    Path out = given.place.resolve("out");
    Path vault = given.place.resolve("vault");
    Invocation unlearn =
        Invocation.unlearn(People.model(), People.table(), given.place, out, vault);
    options.forEach(unlearn::with);

    Outcome outcome = unlearn.run();

    assertThat(outcome.code()).as("%s", outcome).isEqualTo(method.equals("refined") ? 0 : 3);
    Release arrived = new Release(People.model(), People.table(), given.place, out, vault);
    assertThat(arrived.parameters()).containsExactly(file.parameters(), within(SAME));
    assertThat(arrived.certificate().get("requestId").asText()).isEqualTo("all");
    assertThat(arrived.certificate().get("zeroCoefficients"))
        .isEqualTo(file.certificate().get("zeroCoefficients"));
    JsonNode evidence = arrived.evidence();
    UnlearnJobTest.assertValid(evidence, "evidence");
    assertThat(evidence.get("digests").get("correctedData").get("rows").asInt())
        .isEqualTo(People.COUNT - 1);
    Invocation verify =
        arrived.verification().with("--vault", vault).with("--data", People.table());
    options.forEach(
        (option, value) -> {
          if (!option.equals("--id")) {
            verify.with(option, value);
          }
        });
    Outcome verified = verify.run();
    assertThat(verified.code()).as("%s", verified).isZero();
    assertThat(verified.out()).contains("original data digest");
  }

  @Test
  void unlearn_anyRequestFile_equalsRetraining() {
    Path out = Places.unused("retrained");
    Path removal = Places.write(Places.unused("request.yaml"), "id: r\nchanges:\n" + REMOVE_RACE);
    Outcome retrained =
        Invocation.train(correctedTable(), "label", out)
            .with("--like", People.model())
            .with("--request", removal)
            .with("--gradient-norm", 1e-13)
            .run();

    assertThat(retrained.code()).as("%s", retrained).isZero();
    // the distance of either to the minimiser is below 1e-8
    assertThat(release("refined").parameters()).containsExactly(parameters(out), within(2e-8));
  }

  /**
   * Rows of the new table alone: by refinement, and by a step of second order from a minimiser,
   * where the gradient difference is all of the gradient that the corrected table alone gives.
   */
  @ParameterizedTest
  @ValueSource(strings = {"refined", "second-order"})
  void unlearn_snapshotsWithAddedRows_givesTheThetaOfTheNewTable(String method) {
    Path place = Places.directory("added");
    Path minimiser = place.resolve("minimiser");
    Outcome trained =
        Invocation.train(People.table(), "label", minimiser)
            .with("--like", People.model())
            .with("--gradient-norm", 1e-13)
            .run();
    assertThat(trained.code()).as("%s", trained).isZero();
    Dataset<Row> added =
        People.dataset().limit(5).withColumn("user_id", expr("concat('new-', user_id)"));
    Path after = People.write(corrected().unionByName(added), "parquet", "with-added");
    Path terms = new Case(place, "", method).write("terms.yaml", "more-rows", "");
    int code = method.equals("refined") ? 0 : 3;

    Path vault = place.resolve("vault");
    Outcome snapshots =
        Invocation.unlearn(minimiser, People.table(), terms, place.resolve("joined"), vault)
            .with("--corrected", after)
            .with("--key", "user_id,city")
            .flag("--figures")
            .run();
    Outcome alone =
        Invocation.unlearn(minimiser, after, terms, place.resolve("alone"), vault)
            .without("--data")
            .with("--corrected", after)
            .flag("--figures")
            .run();

    assertThat(snapshots.code()).as("%s", snapshots).isEqualTo(code);
    assertThat(alone.code()).as("%s", alone).isEqualTo(code);
    Release one = new Release(minimiser, after, terms, place.resolve("joined"), vault);
    Release other = new Release(minimiser, after, terms, place.resolve("alone"), vault);
    // the minimiser's own gradient is below 1e-13 of the mean form
    assertThat(one.parameters()).containsExactly(other.parameters(), within(SAME));
    long changed =
        People.rows().stream()
            .filter(row -> !row.getString(0).equals("u-4711"))
            .filter(row -> row.getString(3).equals("Ulm") || row.getString(0).matches("u-471[234]"))
            .count();
    JsonNode changes = one.evidence().get("rowChanges");
    assertThat(changes.get("added").asInt()).isEqualTo(5);
    assertThat(changes.get("removed").asInt()).isEqualTo(1);
    assertThat(changes.get("changed").asLong()).isEqualTo(changed);
    assertThat(snapshots.out()).contains("5 added, 1 removed, " + changed + " changed");
    assertThat(alone.out()).doesNotContain(" added");
    assertThat(other.evidence().get("rowChanges").isNull()).isTrue();
  }

  /** Snapshots that do not differ, and a feature that leaves. */
  @Test
  void unlearn_snapshotsAlikeAndAFeature_givesTheThetaOfTheRequestFile() {
    Path place = Places.directory("alike");
    Path terms = new Case(place, "", "refined").write("terms.yaml", "all", REMOVE_RACE);
    Path vault = place.resolve("vault");

    Outcome outcome =
        Invocation.unlearn(People.model(), People.table(), terms, place.resolve("out"), vault)
            .with("--corrected", People.table())
            .with("--key", "user_id")
            .run();

    assertThat(outcome.code()).as("%s", outcome).isZero();
    Release alike = new Release(People.model(), People.table(), terms, place.resolve("out"), vault);
    Release file =
        Releases.unlearn(
            People.model(), People.table(), "id: all\n" + request(REMOVE_RACE, "refined"), 0);
    assertThat(alike.parameters()).containsExactly(file.parameters(), within(SAME));
    assertThat(alike.evidence().get("rowChanges").toString())
        .isEqualTo("{\"added\":0,\"removed\":0,\"changed\":0}");
  }

  /** Columns of the table with the names that a join by key would give its own. */
  @Test
  void apply_tableWithColumnsNamedLikeTheJoins_writesThem() {
    Path place = Places.directory("names");
    Dataset<Row> people =
        People.dataset()
            .withColumn("corrected", expr("age"))
            .withColumn("corrected_Key0", expr("hours"))
            .withColumn("correctedKey0", expr("hours"));
    Path table = People.write(people, "parquet", "table");
    Path corrections =
        People.write(
            People.dataset().where("user_id = 'u-4711'").selectExpr("user_id", "age + 1 AS age"),
            "parquet",
            "rows");
    Path out = place.resolve("out");

    Outcome outcome =
        Invocation.apply(
                table, "label", Places.write(place.resolve("request.yaml"), "id: r\n"), out)
            .with("--corrections", corrections)
            .with("--key", "user_id")
            .run();

    assertThat(outcome.code()).as("%s", outcome).isZero();
    Dataset<Row> expected = people.withColumn("age", expr("IF(user_id = 'u-4711', age + 1, age)"));
    Dataset<Row> written = LocalSpark.session().read().parquet(out.toString());
    assertThat(written.columns()).containsExactly(people.columns());
    assertThat(written.exceptAll(expected).count()).isZero();
    assertThat(written.count()).isEqualTo(People.COUNT);
  }

  /** What the model does not read makes no row a changed one, and one of the tables may lack it. */
  @Test
  void unlearn_snapshotsThatDifferElsewhere_countsWhatTheModelReads() {
    Path place = Places.directory("elsewhere");
    Path after =
        People.write(
            People.dataset()
                .drop("race")
                .withColumn("city", expr("upper(city)"))
                .withColumn("updated_at", expr("current_timestamp()"))
                .withColumn("age", expr("IF(user_id = 'u-4800', age + 1, age)")),
            "parquet",
            "elsewhere");
    Path terms = new Case(place, "", "refined").write("terms.yaml", "elsewhere", "");
    Path vault = place.resolve("vault");

    Outcome outcome =
        Invocation.unlearn(People.smallModel(), People.table(), terms, place.resolve("out"), vault)
            .with("--corrected", after)
            .with("--key", "user_id")
            .run();

    assertThat(outcome.code()).as("%s", outcome).isZero();
    Release release = new Release(People.smallModel(), after, terms, place.resolve("out"), vault);
    assertThat(release.evidence().get("rowChanges").toString())
        .isEqualTo("{\"added\":0,\"removed\":0,\"changed\":1}");
  }

  /** The request sees the original rows, and corrected rows overwrite what it sets. */
  @Test
  void apply_requestAndCorrectedRows_writesBoth() {
    Path place = Places.directory("apply");
    Path request =
        Places.write(
            place.resolve("request.yaml"),
            "id: r\nchanges:\n"
                + REMOVE_ROW
                + "  - replaceFeatures: {set: {hours: \"hours + 100\"}, where: \"age > 60\"}\n");
    Dataset<Row> rows =
        People.dataset()
            .where("city = 'Ulm'")
            .selectExpr("user_id", "hours - 1 AS hours", "CAST(NULL AS STRING) AS race");
    Path corrections = People.write(rows, "parquet", "rows");
    Dataset<Row> expected =
        People.dataset()
            .where("user_id <> 'u-4711'")
            .withColumn(
                "hours", expr("IF(city = 'Ulm', hours - 1, IF(age > 60, hours + 100, hours))"))
            .withColumn("race", expr("IF(city = 'Ulm', NULL, race)"));
    for (String format : List.of("parquet", "csv")) {
      Path out = place.resolve("out-" + format);
      Outcome outcome =
          Invocation.apply(People.write(People.dataset(), format, "people"), "label", request, out)
              .with("--format", format)
              .with("--corrections", corrections)
              .with("--second-format", "parquet")
              .with("--key", "user_id")
              .flag("--figures")
              .run();

      assertThat(outcome.code()).as("%s", outcome).isZero();
      assertThat(outcome.out()).contains(rows.count() + " overwritten");
      List<Row> written =
          LocalSpark.session()
              .read()
              .format(format)
              .option("header", "true")
              .schema(People.SCHEMA)
              .load(out.toString())
              .orderBy("user_id")
              .collectAsList();
      assertThat(written).isEqualTo(expected.orderBy("user_id").collectAsList());
    }
  }

  private static double[] parameters(Path model) {
    LogisticRegressionModel predictor =
        (LogisticRegressionModel) PipelineModel.load(model.toString()).stages()[3];
    double[] coefficients = predictor.coefficients().toArray();
    double[] theta = Arrays.copyOf(coefficients, coefficients.length + 1);
    theta[coefficients.length] = predictor.intercept();
    return theta;
  }
}
