package dev.lethe.spark.job;

import static org.apache.spark.sql.functions.expr;
import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.spark.LocalSpark;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeoutException;
import org.apache.logging.log4j.Level;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.core.LogEvent;
import org.apache.logging.log4j.core.LoggerContext;
import org.apache.logging.log4j.core.appender.AbstractAppender;
import org.apache.logging.log4j.core.config.LoggerConfig;
import org.apache.logging.log4j.core.config.Property;
import org.apache.spark.SparkContext;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerJobStart;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.slf4j.LoggerFactory;

/**
 * Cells of the table and literals of the request stay where they are: none reaches the console, a
 * log event of Lethe's, the description of a Spark job, a certificate, an evidence or a report,
 * whether the command succeeds or fails. Nor does what a canary looks for.
 */
@ExtendWith(LocalSpark.class)
class SecretsTest {
  /** In cells, in literals, or both. No path and no column contains one. */
  private static final List<String> SECRETS =
      List.of(
          "qcelluser", "Qcellcity", "271828", "qliteral", "314159", "31.4159", "Qmissing", "Qpin");

  private static final String PROBE = "an event of the test";

  private static final ConcurrentLinkedQueue<String> LOGGED = new ConcurrentLinkedQueue<>();
  private static final ConcurrentLinkedQueue<String> DESCRIPTIONS = new ConcurrentLinkedQueue<>();

  private static final AbstractAppender APPENDER =
      new AbstractAppender("secrets", null, null, true, Property.EMPTY_ARRAY) {
        @Override
        public void append(LogEvent event) {
          LOGGED.add(event.getMessage().getFormattedMessage() + " " + event.getThrown());
        }
      };

  private static final SparkListener LISTENER =
      new SparkListener() {
        @Override
        public void onJobStart(SparkListenerJobStart start) {
          Properties properties = start.properties();
          for (String key :
              List.of("spark.job.description", "spark.jobGroup.id", "spark.job.tags")) {
            String value = properties == null ? null : properties.getProperty(key);
            if (value != null) {
              DESCRIPTIONS.add(value);
            }
          }
        }
      };

  /** One run. */
  private record Run(int expected, Outcome outcome) {}

  private static final Map<String, Run> RUNS = new LinkedHashMap<>();
  private static final List<Path> DOCUMENTS = new ArrayList<>();

  @BeforeAll
  static void runEverything() {
    SparkContext spark = LocalSpark.session().sparkContext();
    spark.setLogLevel("OFF"); // the executors' logs quote rows; docs/requests.md says so
    LoggerContext context = (LoggerContext) LogManager.getContext(false);
    LoggerConfig logger = new LoggerConfig("dev.lethe", Level.ALL, true);
    APPENDER.start();
    logger.addAppender(APPENDER, Level.ALL, null);
    context.getConfiguration().addLogger("dev.lethe", logger);
    context.updateLoggers();
    spark.addSparkListener(LISTENER);
    try {
      LoggerFactory.getLogger("dev.lethe.spark.Probe").debug(PROBE);
      trains();
      unlearns();
      applies();
      forgets();
      spark.listenerBus().waitUntilEmpty(10_000);
    } catch (TimeoutException e) {
      throw new IllegalStateException(e);
    } finally {
      spark.removeSparkListener(LISTENER);
      context.getConfiguration().removeLogger("dev.lethe");
      context.updateLoggers();
      spark.setLogLevel("ERROR");
    }
  }

  @AfterAll
  static void stopAppender() {
    APPENDER.stop();
  }

  /** People whose cells are secrets. */
  private static Dataset<Row> people() {
    return People.dataset()
        .withColumn("user_id", expr("concat('qcelluser-', user_id)"))
        .withColumn("city", expr("IF(city = 'Ulm', 'Qcellcity', city)"))
        .withColumn("age", expr("IF(user_id = 'qcelluser-u-4720', 271828.5, age)"));
  }

  private static void trains() {
    Path data = table();
    Path out = Places.unused("model");
    run(
        "train",
        0,
        Invocation.train(data, "label", out)
            .with("--features", "age,hours,city")
            .with("--reg-param", "0.01")
            .with("--test", data));
    model = out;
    run(
        "train, a text where a number should be",
        2,
        Invocation.train(data, "user_id", Places.unused("model")).with("--features", "age"));
    run(
        "train, labels that are no classes",
        2,
        Invocation.train(data, "age", Places.unused("model")).with("--features", "hours"));
    run(
        "train, a test category that is unknown",
        2,
        Invocation.train(data, "label", Places.unused("model"))
            .with("--features", "hours,city")
            .with("--test", strangers()));
  }

  private static Path model;
  private static Path table;
  private static Path strangers;

  private static Path table() {
    if (table == null) {
      table = People.write(people(), "parquet", "secret-people");
    }
    return table;
  }

  /** One lives where nobody else does. */
  private static Path strangers() {
    if (strangers == null) {
      strangers =
          People.write(
              people().withColumn("city", expr("IF(age > 60, 'Qmissing', city)")),
              "parquet",
              "strangers");
    }
    return strangers;
  }

  private static final String CERTIFICATE = "certificate: {epsilon: 0.5, delta: 1e-5, rho: 1e-5}\n";

  private static void unlearns() {
    Path place = Places.directory("secret-release");
    Path request =
        Places.write(
            place.resolve("request.yaml"),
            "id: r-1\nchanges:\n"
                + "  - removeRows: {where: \"user_id IN ('qcelluser-u-4711', 'qliteral')\"}\n"
                + "  - replaceFeatures: {set: {age: \"31.4159\", city: \"'Qcellcity'\"}, where:"
                + " \"user_id = 'qcelluser-u-4712'\"}\n"
                + "  - relabel: {to: \"if(user_id = 'qliteral', 0, 1 - label)\", where: \"age >"
                + " 271828 OR age > 314159\"}\n"
                + CERTIFICATE);
    Path out = place.resolve("out");
    Path vault = place.resolve("vault");
    run("unlearn", 0, Invocation.unlearn(model, table(), request, out, vault));
    DOCUMENTS.add(out.resolve("certificate.json"));
    DOCUMENTS.add(
        vault
            .resolve(Releases.json(out.resolve("certificate.json")).get("certificateId").asText())
            .resolve("evidence.json"));
    run(
        "verify",
        0,
        Invocation.verify(out)
            .with("--vault", vault)
            .with("--data", table())
            .with("--request", request));
    run(
        "verify against other data",
        4,
        Invocation.verify(out)
            .with("--vault", vault)
            .with("--data", withoutOne())
            .with("--request", request));
    run(
        "verify against data that cannot be featurised",
        2,
        Invocation.verify(out)
            .with("--vault", vault)
            .with("--data", strangers())
            .with("--request", request));
    String first = "id: r-2\nchanges:\n  - ";
    for (String change :
        List.of(
            "removeRows: {where: \"user_id = 'qliteral'\"}",
            "removeRows: {where: \"user = 'qliteral'\"}",
            "removeRows: {where: \"qliteral = 'qcelluser'\"}",
            "removeRows: {where: \"user_id = 'qliteral\"}",
            "removeRows: {where: \"int(user_id) = 314159\"}",
            "removeRows: {\"user_id = 'qliteral'\": 1}",
            "removeRows: {where: \"rand() < 0.314159\"}",
            "replaceFeatures: {set: {city: \"'qliteral'\"}, where: \"age > 60\"}",
            "replaceFeatures: {set: {hours: \"'qliteral'\"}, where: \"age > 60\"}",
            "replaceFeatures: {set: {hours: \"314159.5\"}, where: \"age > 60\"}",
            "replaceFeatures: {set: {hours: \"user_id\"}, where: \"age > 60\"}",
            "relabel: {to: \"314159\", where: \"age > 60\"}",
            "relabel: {to: \"'qliteral'\", where: \"age > 60\"}")) {
      run("unlearn, " + change, 2, refused(first + change + "\n" + CERTIFICATE, table()));
    }
    run(
        "unlearn, an unknown category",
        2,
        refused(first + "removeRows: {where: \"age > 60\"}\n" + CERTIFICATE, strangers())
            .with("--data", strangersLeft()));
    run(
        "unlearn, a broken file",
        2,
        refused("id: r\nchanges: [{removeRows: {where: 'qliteral'", table()));
  }

  private static Path withoutOne() {
    return People.write(
        people().where("user_id <> 'qcelluser-u-4730'"), "parquet", "secret-people");
  }

  private static Path strangersLeft() {
    return People.write(
        people().withColumn("city", expr("IF(age < 30, 'Qmissing', city)")),
        "parquet",
        "strangers");
  }

  private static Invocation refused(String request, Path data) {
    Path place = Places.directory("refused");
    return Invocation.unlearn(
        model,
        data,
        Places.write(place.resolve("request.yaml"), request),
        place.resolve("out"),
        place.resolve("vault"));
  }

  private static void applies() {
    Path request =
        Places.write(
            Places.unused("request.yaml"),
            "id: r-3\nchanges: [{removeRows: {where: \"user_id = 'qcelluser-u-4711'\"}}]\n");
    run("apply", 0, Invocation.apply(table(), "label", request, Places.unused("table")));
    Path failing =
        Places.write(
            Places.unused("request.yaml"),
            "id: r-4\nchanges: [{replaceFeatures: {set: {hours: \"user_id || 'qliteral'\"}}}]\n");
    run(
        "apply, a value that does not convert",
        2,
        Invocation.apply(table(), "label", failing, Places.unused("table")));
  }

  /** A network that reads texts. */
  private static void forgets() {
    Path place = Places.directory("secret-network");
    String texts = place.resolve("texts").toString();
    LocalSpark.session()
        .range(40)
        .selectExpr("concat('my pin is Qpin, said number ', id % 7) AS body")
        .write()
        .parquet(texts);
    String network = place.resolve("network").toString();
    neural(
        "train",
        0,
        List.of("--data", texts, "--text", "body", "--architecture", "lstm", "--out", network),
        List.of("--window", "6", "--embedding", "4", "--hidden", "6", "--epochs", "1"));
    List<String> options =
        List.of("--model", network, "--data", texts, "--share", "1", "--loss-increase", "1000");
    String canary =
        "{\"schemaVersion\": 1, \"context\": \"pin is \", \"secret\": \"Qpin\", \"alphabet\": %s}";
    String replaced = "replaceText: {column: body, find: 'Qpin', with: 'none'";
    String known = "\"Qpin\"";
    neural("unlearn", 0, options, forgets(place, "out", replaced + "}", canary, known));
    DOCUMENTS.add(place.resolve("out").resolve("report.json"));
    for (String alphabet :
        List.of("\"Qpi\"", "\"QpinX\"", "Qpin", "{\"Qpin\": 1}", known + ", Qpin")) {
      neural(
          "unlearn, canary of " + alphabet,
          2,
          options,
          forgets(place, "never", replaced + "}", canary, alphabet));
    }
    for (String rest :
        List.of(
            "",
            ", \"is Qpin\": 1}",
            "}\n  - removeRows: {where: \"body = 'Qpin\"}",
            "}\n  - removeRows: {where: \"Qpin = 'x'\"}")) {
      neural(
          "unlearn, replaceText" + rest,
          2,
          options,
          forgets(place, "never", replaced + rest, canary, known));
    }
  }

  private static List<String> forgets(
      Path place, String out, String change, String canary, String alphabet) {
    Path request =
        Places.write(Places.unused("request.yaml"), "id: r-5\nchanges:\n  - " + change + "\n");
    Path looksFor = Places.write(Places.unused("canary.json"), canary.formatted(alphabet));
    return List.of(
        "--request", request.toString(),
        "--canary", looksFor.toString(),
        "--out", place.resolve(out).toString());
  }

  private static void neural(
      String command, int expected, List<String> options, List<String> others) {
    List<String> arguments = new ArrayList<>(List.of("neural", command.split(",")[0]));
    arguments.addAll(options);
    arguments.addAll(others);
    RUNS.put("neural " + command, new Run(expected, Outcome.of(arguments)));
  }

  private static void run(String name, int expected, Invocation command) {
    RUNS.put(name, new Run(expected, command.run()));
  }

  @Test
  void run_everyCommand_endsAsExpected() {
    assertThat(RUNS).hasSizeGreaterThan(20);
    RUNS.forEach(
        (name, run) ->
            assertThat(run.outcome().code())
                .as("%s: %s", name, run.outcome())
                .isEqualTo(run.expected()));
  }

  @Test
  void run_everyCommand_keepsSecretsFromTheConsole() {
    RUNS.forEach(
        (name, run) -> {
          assertThat(run.outcome().out()).as(name).doesNotContain(SECRETS);
          assertThat(run.outcome().err()).as(name).doesNotContain(SECRETS);
        });
  }

  @Test
  void run_everyCommand_keepsSecretsFromLethesLog() {
    assertThat(LOGGED).anyMatch(event -> event.startsWith(PROBE)); // the appender works
    assertThat(LOGGED).allSatisfy(event -> assertThat(event).doesNotContain(SECRETS));
  }

  @Test
  void run_everyCommand_keepsSecretsFromJobDescriptions() {
    assertThat(DESCRIPTIONS).hasSizeGreaterThan(50);
    assertThat(DESCRIPTIONS)
        .allSatisfy(description -> assertThat(description).doesNotContain(SECRETS));
  }

  @Test
  void run_unlearn_keepsSecretsFromCertificateEvidenceAndReport() {
    assertThat(DOCUMENTS).hasSize(3);
    for (Path document : DOCUMENTS) {
      assertThat(Places.read(document)).isNotEmpty().doesNotContain(SECRETS);
    }
  }
}
