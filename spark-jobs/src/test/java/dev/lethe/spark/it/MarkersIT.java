package dev.lethe.spark.it;

import static java.nio.charset.StandardCharsets.UTF_16LE;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.github.luben.zstd.Zstd;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Words that occur nowhere else are planted in requests and tables, and looked for in everything
 * that the runs wrote.
 */
@ExtendWith(PimaRelease.class)
class MarkersIT {
  // What is planted, by where.
  private static final String CONDITION = "zqcondition71f3";
  private static final String SET = "zqsetvalue8c20";
  private static final String RELABEL = "zqrelabel55e9";
  private static final String FIND = "zqtextfound6b14";
  private static final String WITH = "zqtextwritten2d";
  private static final String COMMENT = "zqcomment903ab";
  private static final String CELL = "zqothercell4e7";
  private static final String UNPARSABLE = "zqunparsable31";
  private static final String COLUMN = "zqnocolumn88d0";
  private static final String VALUE_TYPE = "zqwrongtype5f2";
  private static final String NO_CONDITION = "zqnocondition4";
  private static final String CAST = "zqcastfails19c";
  private static final String CATEGORY = "zqnewcategory7";
  private static final String CORRUPT = "zqcorruptrow63";
  private static final String LABEL = "zqnolabel20f8";

  private static final List<String> ALL =
      List.of(
          CONDITION,
          SET,
          RELABEL,
          FIND,
          WITH,
          COMMENT,
          CELL,
          UNPARSABLE,
          COLUMN,
          VALUE_TYPE,
          NO_CONDITION,
          CAST,
          CATEGORY,
          CORRUPT,
          LABEL);

  /** 256 bits of an AES key. */
  private static final String MASTER_KEY = "5a".repeat(32);

  private static Path given;
  private static Run standard;
  private static Run json;
  private static Run plain;

  /** A run's places. */
  private record Run(String name, Path folder, Submission.Result result, List<String> codes) {
    Path at(String path) {
      return folder.resolve(path);
    }

    /** Everything that the run wrote but what is meant to be confidential. */
    Path[] written() {
      Path workplace = PimaRelease.get().spark().workplace();
      return Stream.of(
              at("tmp"),
              at("local"),
              at("events"),
              at("metrics"),
              at("public"),
              workplace.resolve("logs/" + name + ".out"),
              workplace.resolve("logs/" + name + ".err"),
              workplace.resolve("cluster/work"),
              workplace.resolve("cluster/logs"))
          .filter(Files::exists)
          .toArray(Path[]::new);
    }
  }

  @BeforeAll
  static void run() throws Exception {
    PimaRelease.Shared pima = PimaRelease.get();
    given = Files.createDirectories(pima.path("markers/given"));
    writeTables(pima);
    writeRequests();
    standard = everything("markers-standard", "org/apache/spark/log4j2-defaults.properties", pima);
    json = ledgerEncrypted(pima);
    plain = clusterMode(pima);
  }

  private static void writeTables(PimaRelease.Shared pima) throws IOException {
    List<String> lines = Files.readAllLines(pima.table());
    List<String> table = new ArrayList<>(List.of(lines.get(0) + ",person,note,number,kind"));
    for (int i = 1; i < lines.size(); i++) {
      String person = i % 40 == 0 ? CONDITION : i % 40 == 1 ? RELABEL : "person" + i;
      String note = i % 40 == 2 ? "said " + FIND + " twice" : i % 3 == 0 ? CELL : "none";
      String number = i == 100 ? CAST : String.valueOf(i % 7);
      table.add(
          String.join(",", lines.get(i), person, note, number, i % 2 == 0 ? "walkin" : "referred"));
    }
    Files.write(given.resolve("table.csv"), table);
    List<String> other = new ArrayList<>(table);
    other.set(50, other.get(50).replaceAll("[a-z]+$", CATEGORY));
    Files.write(given.resolve("new-category.csv"), other);
    other = new ArrayList<>(table);
    other.set(60, "1,85,66," + CORRUPT);
    Files.write(given.resolve("corrupt.csv"), other);
  }

  private static void writeRequests() throws IOException {
    request(
        "good",
        "removeRows: {where: \"person = '" + CONDITION + "'\"}",
        "replaceFeatures: {set: {note: \"'"
            + SET
            + "'\"}, where: \"note = '"
            + CELL
            + "' and Age > 60\"}",
        "relabel: {to: \"case when person = '"
            + RELABEL
            + "' then 1 else 0 end\", where: \"person = '"
            + RELABEL
            + "'\"}",
        "replaceText: {column: note, find: " + FIND + ", with: " + WITH + "}");
    request("second", "removeRows: {where: \"person = '" + RELABEL + "'\"}");
    request("unparsable", "removeRows: {where: \"person === '" + UNPARSABLE + "' AND AND\"}");
    request("column", "removeRows: {where: \"" + COLUMN + " = 1\"}");
    request("type", "replaceFeatures: {set: {BMI: \"'" + VALUE_TYPE + "'\"}}");
    request("no-condition", "removeRows: {where: \"concat(person, '" + NO_CONDITION + "')\"}");
    request("cast", "removeRows: {where: \"cast(number as int) = 3\"}");
    request("label", "relabel: {to: \"concat('" + LABEL + "', person)\", where: \"Age > 60\"}");
    request("features", "removeFeatures: [BMI]");
    // so many that Spark gives up compiling the filter, and says which it is
    request(
        "many",
        IntStream.range(0, 700)
            .filter(i -> i % 40 > 1)
            .mapToObj(
                i ->
                    "removeRows: {where: \"person IN ('person%d', '%s-%d', '%s-%d')\"}"
                        .formatted(i, CONDITION, i, COMMENT, i))
            .toArray(String[]::new));
    Files.writeString(
        given.resolve("broken.yaml"), "id: broken\nchanges: [{removeRows: {where: " + UNPARSABLE);
  }

  private static void request(String id, String... changes) throws IOException {
    Files.writeString(
        given.resolve(id + ".yaml"),
        "# "
            + COMMENT
            + "\nid: "
            + id
            + "\nchanges:\n"
            + Arrays.stream(changes)
                .map(change -> "  - " + change + "\n")
                .reduce("", String::concat)
            + "certificate: {epsilon: 0.1, delta: 1e-4, rho: 1e-8}\n");
  }

  private static String given(String name) {
    return given.resolve(name).toString();
  }

  /** The commands with and without a ledger, with Spark's own logging on the cluster. */
  private static Run everything(String name, String logging, PimaRelease.Shared pima)
      throws Exception {
    Path folder = Files.createDirectories(pima.path("markers/" + name));
    Commands commands = new Commands();
    commands.expect(0, "parquet", given("table.csv"), given("table.parquet"));
    ledger(commands, folder, given("table.parquet"), "parquet");
    String features = "Glucose,BMI,Age,kind";
    String model = folder.resolve("public/trained").toString();
    commands.expect(
        0,
        "train",
        "--data",
        given("table.csv"),
        "--format",
        "csv",
        "--label",
        "Outcome",
        "--features",
        features,
        "--out",
        model,
        "--reg-param",
        "0.01");
    commands.expect(
        2,
        "train",
        "--data",
        given("corrupt.csv"),
        "--format",
        "csv",
        "--label",
        "Outcome",
        "--option",
        "mode=FAILFAST",
        "--features",
        features,
        "--out",
        model + "-corrupt");
    unlearn(commands, folder, "good", 0, model, "table.csv", "good.yaml");
    unlearn(commands, folder, "refit", 0, model, "table.csv", refitting(folder, "good").toString());
    for (String failing :
        List.of("unparsable", "column", "type", "no-condition", "cast", "label", "broken")) {
      unlearn(commands, folder, failing, 2, model, "table.csv", failing + ".yaml");
      commands.expect(
          2,
          "apply",
          "--data",
          given("table.csv"),
          "--format",
          "csv",
          "--label",
          "Outcome",
          "--request",
          given(failing + ".yaml"),
          "--out",
          folder.resolve("public/applied-" + failing).toString());
    }
    unlearn(commands, folder, "category", 2, model, "new-category.csv", "features.yaml");
    unlearn(
        commands,
        folder,
        "corrupt",
        2,
        model,
        "corrupt.csv",
        "features.yaml",
        "--option",
        "mode=FAILFAST");
    // With rows that move to other partitions before they are read.
    unlearn(
        commands,
        folder,
        "category-moved",
        2,
        model,
        "new-category.csv",
        "features.yaml",
        "--partitions",
        "3");
    verify(commands, folder, 0, "table.csv");
    verify(commands, folder, 2, "new-category.csv");
    commands.expect(
        0,
        "apply",
        "--data",
        given("table.csv"),
        "--format",
        "csv",
        "--label",
        "Outcome",
        "--request",
        given("good.yaml"),
        "--out",
        folder.resolve("confidential/applied").toString());
    commands.expect(
        0,
        "apply",
        "--data",
        given("table.parquet"),
        "--label",
        "Outcome",
        "--request",
        given("many.yaml"),
        "--out",
        folder.resolve("confidential/applied-many").toString());
    commands.expect(
        2,
        "apply",
        "--data",
        given("corrupt.csv"),
        "--format",
        "csv",
        "--label",
        "Outcome",
        "--option",
        "mode=FAILFAST",
        "--request",
        given("good.yaml"),
        "--out",
        folder.resolve("public/applied-corrupt").toString());
    return run(pima, name, folder, commands, pima.onCluster(), logging, false);
  }

  private static Path refitting(Path folder, String id) throws IOException {
    return Files.writeString(
        given.resolve(id + "-refit.yaml"),
        Files.readString(given.resolve(id + ".yaml")) + "featurizer: refit\n");
  }

  /** Of the release of {@code good.yaml}, on a table. */
  private static void verify(Commands commands, Path folder, int code, String table) {
    commands.expect(
        code,
        "verify",
        "--certificate",
        folder.resolve("public/good/certificate.json").toString(),
        "--model",
        folder.resolve("public/good/model").toString(),
        "--vault",
        folder.resolve("confidential/vault-good").toString(),
        "--data",
        given(table),
        "--format",
        "csv",
        "--request",
        given("good.yaml"));
  }

  private static void unlearn(
      Commands commands,
      Path folder,
      String name,
      int code,
      String model,
      String table,
      String request,
      String... more) {
    List<String> words =
        new ArrayList<>(
            List.of(
                "unlearn",
                "--model",
                model,
                "--data",
                given(table),
                "--format",
                "csv",
                "--request",
                given.resolve(request).toString(),
                "--out",
                folder.resolve("public/" + name).toString(),
                "--vault",
                folder.resolve("confidential/vault-" + name).toString(),
                "--report",
                folder.resolve("confidential/" + name + ".html").toString(),
                "--redacted-report",
                folder.resolve("public/" + name + ".html").toString(),
                "--test",
                given("table.csv")));
    words.addAll(List.of(more));
    commands.expect(code, words.toArray(String[]::new));
  }

  /** The commands of a ledger. */
  private static void ledger(Commands commands, Path folder, String table, String format)
      throws IOException {
    Files.createDirectories(folder.resolve("public"));
    Path config = folder.resolve("lethe.yaml");
    Files.writeString(
        config,
        """
        ledger: %s
        vault: %s
        model: %s
        data: {path: %s, format: %s}
        test: {path: %s, format: %s}
        certificate: {epsilon: 0.1, delta: 1e-4, rho: 1e-8}
        retention: {requests: 0s, evidence: 0s, models: 0s}
        reports: {confidential: %s, redacted: true}
        """
            .formatted(
                folder.resolve("public/ledger"),
                folder.resolve("confidential/vault"),
                PimaRelease.get().model(),
                table,
                format,
                table,
                format,
                folder.resolve("reports")));
    String[] with = {"--config", config.toString()};
    commands.expect(0, with, "submit", given("good.yaml"));
    for (String failing : List.of("column", "type", "no-condition", "cast", "label")) {
      commands.expect(0, with, "submit", given(failing + ".yaml"));
    }
    commands.expect(2, with, "submit", given("broken.yaml"));
    commands.expect(0, with, "submit", given("unparsable.yaml"));
    commands.expect(0, with, "run");
    commands.expect(0, with, "submit", given("second.yaml"));
    commands.expect(0, with, "run");
    commands.expect(0, with, "status");
    commands.expect(0, with, "history");
    commands.expect(0, with, "ledger", "--table", folder.resolve("public/table").toString());
    commands.expect(0, with, "apply", "--out", folder.resolve("confidential/corrected").toString());
    commands.expect(0, with, "rollback", "--to", "1", "--force", "a test");
    commands.expect(0, with, "purge");
    // It says that the ledger was rolled back by force.
    commands.expect(4, "verify", "--ledger", folder.resolve("public/ledger").toString());
  }

  private static Run ledgerEncrypted(PimaRelease.Shared pima) throws Exception {
    String name = "markers-json";
    Path folder = Files.createDirectories(pima.path("markers/" + name));
    Commands commands = new Commands();
    ledger(commands, folder, given("table.csv"), "csv");
    return run(
        pima,
        name,
        folder,
        commands,
        List.of("--master", "local[2]"),
        SparkUnderTest.conf("log4j2-json.properties").toString(),
        true);
  }

  /** One command that fails, in cluster mode: the driver's output is in a worker's folder. */
  private static Run clusterMode(PimaRelease.Shared pima) throws Exception {
    String name = "markers-plain";
    Path folder = Files.createDirectories(pima.path("markers/" + name));
    Commands commands = new Commands();
    unlearn(commands, folder, "cast", 2, pima.model().toString(), "table.csv", "cast.yaml");
    List<String> options =
        new ArrayList<>(List.of("--master", pima.cluster().url(), "--deploy-mode", "cluster"));
    options.addAll(watched(folder, false));
    Set<Path> before = drivers(pima);
    Submission.Result result =
        pima.spark()
            .startLethe(name, Map.of("LETHE_VAULT_KEY", MASTER_KEY), options, commands.words.get(0))
            .result();
    // The submission ends with 0 whatever became of the driver; without one there is nothing to
    // search.
    Set<Path> driver = drivers(pima);
    driver.removeAll(before);
    assertThat(driver).as(result.described()).hasSize(1);
    assertThat(driver.iterator().next().resolve("stderr"))
        .content()
        .as("the driver refused the request")
        .containsPattern("(?m)^lethe: ")
        .doesNotContain("unexpected failure");
    return new Run(name, folder, result, List.of());
  }

  /** The folders of drivers that the cluster's workers were given. */
  private static Set<Path> drivers(PimaRelease.Shared pima) throws IOException {
    try (Stream<Path> found = Files.walk(pima.spark().workplace().resolve("cluster/work"), 2)) {
      return found
          .filter(path -> path.getFileName().toString().startsWith("driver-"))
          .collect(Collectors.toCollection(TreeSet::new));
    }
  }

  /** Event log, metrics and folders of temporary files. */
  private static List<String> watched(Path folder, boolean compressed) throws IOException {
    for (String each : List.of("events", "metrics", "tmp", "local")) {
      Files.createDirectories(folder.resolve(each));
    }
    List<String> options = new ArrayList<>();
    for (String setting :
        List.of(
            "spark.eventLog.enabled=true",
            "spark.eventLog.dir=" + folder.resolve("events").toUri(),
            "spark.eventLog.compress=" + compressed,
            "spark.eventLog.compression.codec=zstd",
            "spark.eventLog.rolling.enabled=false",
            "spark.local.dir=" + folder.resolve("local"),
            "spark.plugins=dev.lethe.spark.metrics.LethePlugin",
            "spark.sql.ansi.enabled=true",
            "spark.sql.shuffle.partitions=2",
            "spark.task.maxFailures=1",
            "spark.metrics.conf.*.sink.csv.class=org.apache.spark.metrics.sink.CsvSink",
            "spark.metrics.conf.*.sink.csv.period=1",
            "spark.metrics.conf.*.sink.csv.directory=" + folder.resolve("metrics"))) {
      options.addAll(List.of("--conf", setting));
    }
    return options;
  }

  private static Run run(
      PimaRelease.Shared pima,
      String name,
      Path folder,
      Commands commands,
      List<String> master,
      String logging,
      boolean encrypted)
      throws Exception {
    List<String> options = new ArrayList<>(master);
    options.addAll(watched(folder, encrypted));
    String java =
        "-Dlog4j2.configurationFile=" + logging + " -Djava.io.tmpdir=" + folder.resolve("tmp");
    options.addAll(
        List.of(
            "--driver-java-options", java, "--conf", "spark.executor.extraJavaOptions=" + java));
    options.addAll(List.of("--conf", "spark.ui.enabled=false"));
    Path codes = folder.resolve("codes");
    Path file = folder.resolve("commands");
    Files.write(file, commands.words.stream().map(words -> String.join("\t", words)).toList());
    Submission.Result result =
        pima.spark()
            .submitBesideLethe(
                name,
                encrypted ? Map.of("LETHE_VAULT_KEY", MASTER_KEY) : Map.of(),
                options,
                MarkersJob.class,
                List.of(file.toString(), codes.toString()));
    assertThat(result.exitCode()).as(result.described()).isZero();
    List<String> lines = Files.readAllLines(codes);
    List<String> wrong = new ArrayList<>();
    for (int i = 0; i < lines.size(); i++) {
      if (!lines.get(i).equals(String.valueOf(commands.codes.get(i)))) {
        wrong.add(lines.get(i) + ", not " + commands.codes.get(i) + ": " + commands.words.get(i));
      }
    }
    assertThat(wrong).as(name).isEmpty();
    return new Run(name, folder, result, lines);
  }

  private static final class Commands {
    private final List<List<String>> words = new ArrayList<>();
    private final List<Integer> codes = new ArrayList<>();

    void expect(int code, String... command) {
      words.add(List.of(command));
      codes.add(code);
    }

    void expect(int code, String[] with, String command, String... more) {
      List<String> all = new ArrayList<>(List.of(command));
      all.addAll(List.of(with));
      all.addAll(List.of(more));
      expect(code, all.toArray(String[]::new));
    }
  }

  @Test
  void search_plantedForms_areFound() throws IOException {
    Path folder = Files.createDirectories(PimaRelease.get().path("markers/planted"));
    byte[] word = ("x" + CELL + "y").getBytes(UTF_8);
    Files.write(
        folder.resolve("utf8"), ("<" + CELL.toUpperCase(Locale.ROOT) + ">").getBytes(UTF_8));
    Files.write(folder.resolve("utf16"), CELL.getBytes(UTF_16LE));
    Files.writeString(folder.resolve("hex"), HexFormat.of().withUpperCase().formatHex(word));
    for (int before = 0; before < 3; before++) {
      byte[] text = ("-".repeat(before) + CELL + "--").getBytes(UTF_8);
      Files.writeString(
          folder.resolve("base64-" + before), Base64.getEncoder().encodeToString(text));
    }
    ByteArrayOutputStream gzip = new ByteArrayOutputStream();
    try (OutputStream out = new GZIPOutputStream(gzip)) {
      out.write(word);
    }
    Files.write(folder.resolve("gzip"), gzip.toByteArray());
    Files.write(folder.resolve("zstd"), Zstd.compress(word));
    Files.write(folder.resolve(CELL), new byte[1]);
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.toList()) {
        assertThat(new MarkerSearch(ALL).in(file)).as(file.toString()).isNotEmpty();
        assertThat(new MarkerSearch(List.of(FIND)).in(file)).as(file.toString()).isEmpty();
      }
    }
  }

  @Test
  void search_inputs_findsEveryMarkerWhereItWasPlanted() throws IOException {
    Set<String> words = new TreeSet<>();
    for (String found : new MarkerSearch(ALL).in(given)) {
      words.add(found.substring(0, found.indexOf(' ')));
    }
    assertThat(words).isEqualTo(new TreeSet<>(ALL));
    assertThat(new MarkerSearch(List.of(CELL)).in(given.resolve("table.parquet")))
        .anyMatch(found -> found.endsWith("(rows)"));
  }

  @Test
  void written_standardLogging_holdsNoMarker() throws IOException {
    assertClean(standard);
    assertThat(standard.result().errors()).as("Spark's own logging").contains(" INFO ");
  }

  @Test
  void written_jsonLogging_holdsNoMarker() throws IOException {
    assertClean(json);
  }

  @Test
  void written_clusterMode_holdsNoMarker() throws IOException {
    assertClean(plain);
  }

  @Test
  void vault_encrypted_holdsNoMarker() throws IOException {
    MarkerSearch search = new MarkerSearch(ALL);
    assertThat(search.in(json.at("confidential/vault"))).isEmpty();
    assertThat(search.files()).isPositive();
  }

  private static void assertClean(Run run) throws IOException {
    List<String> words = new ArrayList<>(ALL);
    words.add(MASTER_KEY);
    MarkerSearch search = new MarkerSearch(words);
    Set<String> found = search.in(run.written());
    assertThat(search.files()).isPositive();
    assertThat(found).as(run.name()).isEmpty();
  }
}
