package dev.lethe.spark.job;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.expr;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.struct;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.Retrainer;
import dev.lethe.spark.api.UnlearnRequest;
import dev.lethe.spark.api.UnlearnedModel;
import dev.lethe.spark.api.Unlearner;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Damaged and hostile tables: refused with a message that names the table and quotes no cell, and
 * nothing written; or unlearned as retraining from scratch on what Spark reads there, and verified.
 * Never an unexpected failure, and never a certificate that the retraining contradicts.
 */
@ExtendWith(LocalSpark.class)
class HostileTableTest {
  private static final double RHO = 1e-6;
  private static final String REQUEST =
      """
      id: hostile-1
      changes:
        - relabel: {to: "1 - label", where: "user_id IN ('u-4712', 'u-4713')"}
        - removeRows: {where: "user_id = 'u-4711'"}
      certificate: {epsilon: 0.5, delta: 1e-5, rho: %s}
      """
          .formatted(RHO);

  private static final List<String> PERSONAL =
      List.of("u-4711", "u-4712", "u-4713", "Xanadu", "Celle", "47114711");

  private enum Expected {
    REFUSED,
    RIGHT,
    EITHER
  }

  /**
   * @param table makes it in a new place
   * @param options of the command line
   * @param message parts of what is said if it is refused
   */
  private record Case(
      String name,
      Expected expected,
      Function<Path, Path> table,
      List<String> options,
      List<String> message) {
    /** A check again costs as much as the release. */
    boolean verified() {
      return name.startsWith("bit") || name.contains("checksums") || name.startsWith("zero");
    }

    @Override
    public String toString() {
      return name;
    }
  }

  private static Case parquet(
      String name, Expected expected, UnaryOperator<Dataset<Row>> change, String... message) {
    return new Case(
        name,
        expected,
        place -> People.write(change.apply(People.dataset()), "parquet", "people"),
        List.of(),
        List.of(message));
  }

  private static Case column(
      String name, Expected expected, String column, String sql, String... m) {
    return parquet(name, expected, t -> t.withColumn(column, expr(sql)), m);
  }

  private static Case csv(
      String name, Expected expected, UnaryOperator<List<String>> change, String... message) {
    return new Case(
        name,
        expected,
        place ->
            Places.write(place.resolve("people.csv"), String.join("\n", change.apply(lines()))),
        List.of("--format", "csv"),
        List.of(message));
  }

  private static List<String> lines() {
    List<String> lines = new ArrayList<>(List.of(String.join(",", People.SCHEMA.fieldNames())));
    for (Row row : People.rows()) {
      lines.add(row.mkString(","));
    }
    return lines;
  }

  private static UnaryOperator<List<String>> line(int number, UnaryOperator<String> change) {
    return lines -> {
      lines.set(number, change.apply(lines.get(number)));
      return lines;
    };
  }

  static List<Case> values() {
    String row = "user_id = 'u-4750'";
    List<Case> cases = new ArrayList<>();
    for (String value : List.of("'NaN'", "'Infinity'", "'-Infinity'")) {
      String bad = "IF(%s, double(%s), %s)";
      cases.add(
          column(
              "feature " + value,
              Expected.REFUSED,
              "age",
              bad.formatted(row, value, "age"),
              "--data"));
      cases.add(
          column(
              "label " + value,
              Expected.REFUSED,
              "label",
              bad.formatted(row, value, "label"),
              "column 'label'",
              "1 of 239"));
      cases.add(
          column(
              "weight " + value,
              Expected.REFUSED,
              "weight",
              bad.formatted(row, value, "weight"),
              "column 'weight'",
              "1 of 239",
              "finite"));
    }
    cases.add(
        column(
            "negative weight",
            Expected.REFUSED,
            "weight",
            "IF(" + row + ", -1.0D, weight)",
            "column 'weight'",
            "1 of 239",
            "at least 0"));
    cases.add(
        column(
            "NULL weight", Expected.REFUSED, "weight", "IF(" + row + ", NULL, weight)", "weight"));
    cases.add(column("zero weights", Expected.RIGHT, "weight", "IF(age > 40, 0.0D, weight)"));
    cases.add(
        column(
            "no weight above 0", Expected.REFUSED, "weight", "0.0D", "--data", "no row is left"));
    cases.add(column("weights that overflow", Expected.REFUSED, "weight", "1.7e308D", "--data"));
    cases.add(column("weights that underflow", Expected.EITHER, "weight", "1e-308D"));
    cases.add(column("constant column", Expected.RIGHT, "hours", "7"));
    cases.add(column("column of NULL", Expected.REFUSED, "age", "CAST(NULL AS DOUBLE)", "--data"));
    cases.add(
        column(
            "label of NULL",
            Expected.REFUSED,
            "label",
            "CAST(NULL AS DOUBLE)",
            "changes[0].relabel.to"));
    cases.add(
        column(
            "label outside the set",
            Expected.REFUSED,
            "label",
            "IF(" + row + ", 2.0D, label)",
            "column 'label'",
            "1 of 239"));
    cases.add(
        column(
            "one class after the correction",
            Expected.REFUSED,
            "label",
            "double(user_id IN ('u-4711', 'u-4712', 'u-4713'))",
            "one class only"));
    cases.add(
        column(
            "values that overflow", Expected.REFUSED, "age", "age * 1e300", "column 'features'"));
    cases.add(column("values that underflow", Expected.EITHER, "age", "age * 1e-310"));
    cases.add(parquet("empty table", Expected.REFUSED, t -> t.limit(0), "matches no row"));
    cases.add(
        parquet(
            "rows that nothing matches",
            Expected.REFUSED,
            t -> t.where("user_id > 'u-4720'"),
            "matches no row"));
    cases.add(
        parquet(
            "three rows", Expected.EITHER, t -> t.where("user_id BETWEEN 'u-4711' AND 'u-4713'")));
    cases.add(parquet("every row twice", Expected.RIGHT, t -> t.union(t)));
    return cases;
  }

  static List<Case> schemas() {
    List<Case> cases = new ArrayList<>();
    for (String column : List.of("age", "weight", "label", "user_id")) {
      cases.add(
          parquet(column + " missing", Expected.REFUSED, t -> t.drop(column), "'" + column + "'"));
      if (column.equals("user_id")) {
        cases.remove(cases.size() - 1);
        cases.add(
            parquet("user_id missing", Expected.REFUSED, t -> t.drop(column), "names a column"));
      }
      cases.add(
          parquet(
              column + " in capitals",
              Expected.RIGHT,
              t -> t.withColumnRenamed(column, column.toUpperCase(java.util.Locale.ROOT))));
    }
    cases.add(column("feature nested", Expected.REFUSED, "age", "named_struct('age', age)", "age"));
    cases.add(column("feature of text", Expected.REFUSED, "age", "concat('Xanadu', age)", "age"));
    cases.add(column("feature of arrays", Expected.REFUSED, "hours", "array(hours)", "hours"));
    cases.add(column("feature of dates", Expected.REFUSED, "age", "DATE '2020-01-01'", "age"));
    cases.add(column("label of text", Expected.REFUSED, "label", "'47114711'", "label"));
    cases.add(column("weight of text", Expected.REFUSED, "weight", "'47114711'", "weight"));
    cases.add(column("weight nested", Expected.REFUSED, "weight", "struct(weight)", "weight"));
    cases.add(column("key of numbers", Expected.EITHER, "user_id", "int(substr(user_id, 3))"));
    cases.add(column("feature of decimals", Expected.RIGHT, "age", "decimal(age)"));
    cases.add(column("label of booleans", Expected.EITHER, "label", "label = 1"));
    cases.add(
        parquet(
            "one more column, nested",
            Expected.RIGHT,
            t -> t.withColumn("more", struct(lit("Xanadu").as("a.b"), col("age")))));
    cases.add(
        new Case(
            "files of two schemas: a feature of text",
            Expected.REFUSED,
            place -> two(place, t -> t.withColumn("hours", expr("concat('Xanadu', hours)"))),
            List.of(),
            List.of()));
    cases.add(
        new Case(
            "files of two schemas: a feature of doubles",
            Expected.EITHER,
            place -> two(place, t -> t.withColumn("hours", expr("double(hours)"))),
            List.of(),
            List.of()));
    cases.add(
        new Case(
            "files of two schemas: a feature missing",
            Expected.REFUSED,
            place -> two(place, t -> t.drop("age")),
            List.of(),
            List.of()));
    cases.add(
        new Case(
            "files of two schemas: one more column",
            Expected.RIGHT,
            place -> two(place, t -> t.withColumn("more", lit(1))),
            List.of(),
            List.of()));
    cases.add(
        new Case(
            "a stray file among them",
            Expected.REFUSED,
            place -> with(place, "notes.txt", "u-4711 lives in Xanadu"),
            List.of(),
            List.of("--data")));
    cases.add(
        new Case(
            "an empty file among them",
            Expected.RIGHT,
            place -> with(place, "part-9.parquet", ""),
            List.of(),
            List.of()));
    cases.add(
        new Case(
            "hidden files among them",
            Expected.RIGHT,
            place -> with(with(place, "_notes", "u-4711"), ".notes", "u-4711"),
            List.of(),
            List.of()));
    cases.add(
        new Case(
            "empty partitions",
            Expected.RIGHT,
            place -> {
              Path path = place.resolve("people");
              People.dataset().repartition(3, col("label")).write().parquet(path.toString());
              People.dataset().limit(0).write().mode("append").parquet(path.toString());
              return path;
            },
            List.of("--partitions", "7"),
            List.of()));
    return cases;
  }

  static List<Case> texts() {
    List<Case> cases = new ArrayList<>();
    cases.add(csv("CSV", Expected.RIGHT, l -> l));
    cases.add(csv("CSV with a BOM", Expected.EITHER, line(0, l -> "\uFEFF" + l), "column"));
    cases.add(csv("CSV with CR LF", Expected.RIGHT, l -> l.stream().map(s -> s + "\r").toList()));
    cases.add(csv("a row cut off", Expected.REFUSED, line(50, l -> "u-4749,30"), "--data"));
    cases.add(csv("a row that goes on", Expected.EITHER, line(50, l -> l + ",Xanadu,1"), "--data"));
    cases.add(
        csv("an unquoted comma", Expected.REFUSED, line(50, l -> l.replace(",r", ",Xanadu,r"))));
    cases.add(csv("an open quote", Expected.EITHER, line(50, l -> "\"Xanadu" + l), "--data"));
    cases.add(csv("a NUL", Expected.EITHER, line(50, l -> l.replace(",r", "\0,r")), "--data"));
    cases.add(csv("a NUL in a number", Expected.EITHER, line(50, l -> l.replaceFirst(",", ",\0"))));
    cases.add(csv("empty lines", Expected.RIGHT, line(50, l -> "\n\n" + l)));
    cases.add(csv("text for a number", Expected.REFUSED, line(50, l -> "u-1,Xanadu,3,a,b,1,1")));
    cases.add(csv("a number too large", Expected.REFUSED, line(50, l -> "u-1,1e999,3,a,b,1,1")));
    cases.add(
        csv("a header twice", Expected.REFUSED, line(0, l -> l.replace("city", "age")), "age"));
    cases.add(
        csv("another header", Expected.REFUSED, line(0, l -> l.replace("age", "years")), "age"));
    cases.add(
        csv(
            "another delimiter",
            Expected.REFUSED,
            l -> l.stream().map(s -> s.replace(',', ';')).toList(),
            "label"));
    cases.add(csv("a header alone", Expected.REFUSED, l -> l.subList(0, 1)));
    cases.add(csv("nothing", Expected.REFUSED, l -> List.of("")));
    return cases;
  }

  /** Half of the people in one file, the others in another; Spark takes the columns of either. */
  private static Path two(Path place, UnaryOperator<Dataset<Row>> change) {
    Path path = place.resolve("people");
    Dataset<Row> people = People.dataset();
    people.where("age < 40").coalesce(1).write().parquet(path.toString());
    change
        .apply(people.where("age >= 40"))
        .coalesce(1)
        .write()
        .mode("append")
        .parquet(path.toString());
    return path;
  }

  private static Path with(Path place, String name, String content) {
    Path path = place.resolve("people");
    if (!Files.exists(path)) {
      Places.copy(People.table(), path);
    }
    Places.write(path.resolve(name), content);
    return path;
  }

  // ---- damaged files ----

  private static byte[] sound;

  /** One Parquet file without compression, so that a bit of a value is a bit of the file. */
  private static synchronized byte[] sound() {
    if (sound == null) {
      Path path = Places.unused("plain");
      People.dataset()
          .coalesce(1)
          .write()
          .option("compression", "none")
          .option("parquet.enable.dictionary", "false")
          .parquet(path.toString());
      try (Stream<Path> files = Files.list(path)) {
        sound =
            Files.readAllBytes(
                files.filter(f -> f.toString().endsWith(".parquet")).findFirst().orElseThrow());
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
    return sound.clone();
  }

  private static int footer(byte[] file) {
    int length = ByteBuffer.wrap(file, file.length - 8, 4).order(ByteOrder.LITTLE_ENDIAN).getInt();
    return file.length - 8 - length;
  }

  private static Path file(Path place, byte[] content) {
    try {
      return Files.write(place.resolve("people.parquet"), content);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The place of a person's age in the file. */
  private static int age(byte[] file, int person) {
    byte[] ages = new byte[24];
    ByteBuffer buffer = ByteBuffer.wrap(ages).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < 3; i++) {
      buffer.putDouble(People.rows().get(person + i).getDouble(1));
    }
    for (int at = 0; at + ages.length <= file.length; at++) {
      if (Arrays.equals(file, at, at + ages.length, ages, 0, ages.length)) {
        return at;
      }
    }
    throw new IllegalStateException("the ages are not in the file as they are");
  }

  static List<Case> damages() {
    List<Case> cases = new ArrayList<>();
    byte[] file = sound();
    int footer = footer(file);
    cases.add(
        new Case("undamaged", Expected.RIGHT, place -> file(place, sound()), List.of(), List.of()));
    for (int length :
        new int[] {0, 3, 4, 12, footer / 2, footer, file.length - 9, file.length - 1}) {
      cases.add(
          new Case(
              "cut off after " + length,
              Expected.REFUSED,
              place -> file(place, Arrays.copyOf(sound(), length)),
              List.of(),
              List.of("--data")));
    }
    cases.add(
        new Case(
            "a bit of an age",
            Expected.REFUSED,
            place -> file(place, aged()),
            List.of(),
            List.of("--data", "a damaged file")));
    cases.add(
        new Case(
            "a bit of an age, checksums ignored",
            Expected.RIGHT,
            place -> file(place, aged()),
            List.of("--option", "parquet.page.verify-checksum.enabled=false"),
            List.of()));
    Random random = new Random(20261122);
    for (int n = 0; n < 10; n++) {
      cases.add(flipped("bit of the pages", random, 4, footer));
    }
    for (int n = 0; n < 12; n++) {
      cases.add(flipped("bit of the footer", random, footer, file.length));
    }
    return cases;
  }

  private static Case flipped(String name, Random random, int from, int to) {
    int at = from + random.nextInt(to - from);
    int bit = random.nextInt(8);
    return new Case(
        name + " " + at + "." + bit,
        Expected.EITHER,
        place -> {
          byte[] bytes = sound();
          bytes[at] ^= (byte) (1 << bit);
          return file(place, bytes);
        },
        List.of(),
        List.of());
  }

  /** Someone is older by a bit: the value stays one that a model can learn from. */
  private static byte[] aged() {
    byte[] bytes = sound();
    bytes[age(bytes, 100) + 6] ^= 1;
    return bytes;
  }

  @BeforeAll
  static void silenceSpark() {
    LocalSpark.session().sparkContext().setLogLevel("OFF");
  }

  @AfterAll
  static void letSparkSpeak() {
    LocalSpark.session().sparkContext().setLogLevel("ERROR");
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource({"values", "schemas", "texts", "damages"})
  void unlearn_hostileTable_isRefusedOrRetrained(Case c) {
    Path place = Places.directory("hostile");
    Path table = c.table().apply(place);
    Path out = place.resolve("out");
    Path vault = place.resolve("vault");
    Path request = Places.write(place.resolve("request.yaml"), REQUEST);
    Invocation command = Invocation.unlearn(People.smallModel(), table, request, out, vault);
    Invocation verification =
        Invocation.verify(out)
            .with("--vault", vault)
            .with("--data", table)
            .with("--request", request);
    for (int i = 0; i < c.options().size(); i += 2) {
      command.with(c.options().get(i), c.options().get(i + 1));
      verification.with(c.options().get(i), c.options().get(i + 1));
    }

    Outcome outcome = command.run();

    assertThat(outcome.err()).doesNotContain(PERSONAL).doesNotContain("\tat ");
    if (c.expected() == Expected.RIGHT) {
      assertThat(outcome.code()).as("%s", outcome).isZero();
    }
    if (outcome.code() == 3 && c.expected() == Expected.EITHER) {
      assertThat(Releases.json(out.resolve("certificate.json")).get("verdict").asText())
          .isEqualTo("not-certified");
      return;
    }
    if (outcome.code() != 0) {
      assertThat(outcome.code()).as("%s", outcome).isIn(2, c.expected() == Expected.EITHER ? 5 : 2);
      c.message().forEach(part -> assertThat(outcome.err()).contains(part));
      assertThat(outcome.out()).isEmpty();
      assertThat(out).doesNotExist();
      assertThat(vault).doesNotExist();
      return;
    }
    assertThat(c.expected()).as("%s", outcome).isNotEqualTo(Expected.REFUSED);
    double[] retrained = retrained(read(table, c.options()));
    double[] unlearned =
        new Releases.Release(People.smallModel(), table, request, out, vault).parameters();
    assertThat(distance(unlearned, retrained)).as("%s", outcome).isLessThanOrEqualTo(RHO);
    if (c.verified()) {
      Outcome verified = verification.run();
      assertThat(verified.code()).as("%s", verified).isZero();
    }
  }

  private static Dataset<Row> read(Path table, List<String> options) {
    return options.contains("csv")
        ? LocalSpark.session()
            .read()
            .option("header", "true")
            .option("inferSchema", "true")
            .csv(table.toString())
        : LocalSpark.session().read().parquet(table.toString());
  }

  /** By none of Lethe's code, of the rows as Spark reads them. */
  private static double[] retrained(Dataset<Row> table) {
    List<double[]> x = new ArrayList<>();
    List<Double> y = new ArrayList<>();
    List<Double> w = new ArrayList<>();
    for (Row row :
        table
            .selectExpr(
                "string(user_id)",
                "double(age)",
                "double(hours)",
                "double(weight)",
                "double(label)")
            .collectAsList()) {
      String user = row.getString(0);
      if (!"u-4711".equals(user) && row.getDouble(3) != 0) {
        x.add(new double[] {row.getDouble(1), row.getDouble(2)});
        w.add(row.getDouble(3));
        boolean relabelled = "u-4712".equals(user) || "u-4713".equals(user);
        y.add(relabelled ? 1 - row.getDouble(4) : row.getDouble(4));
      }
    }
    double[][] rows = x.toArray(double[][]::new);
    double[] weights = w.stream().mapToDouble(Double::doubleValue).toArray();
    double[] lambda = new double[2];
    boolean[] constant = new boolean[2];
    for (int j = 0; j < 2; j++) {
      int k = j;
      double[] column = x.stream().mapToDouble(v -> v[k]).toArray();
      lambda[j] = 0.01 * Math.pow(Retrainer.deviation(column, weights, true), 2);
      constant[j] = Arrays.stream(column).distinct().count() == 1;
    }
    return new Retrainer(
            Retrainer.LOGISTIC,
            rows,
            y.stream().mapToDouble(Double::doubleValue).toArray(),
            weights,
            lambda,
            true,
            constant)
        .minimum();
  }

  private static double distance(double[] a, double[] b) {
    double sum = 0;
    for (int j = 0; j < a.length; j++) {
      sum += (a[j] - b[j]) * (a[j] - b[j]);
    }
    return Math.sqrt(sum);
  }

  @Test
  void verify_tableDamagedSince_failsOrRefuses() {
    Path place = Places.directory("hostile");
    Path table = file(place, sound());
    Path request = Places.write(place.resolve("request.yaml"), REQUEST);
    Path out = place.resolve("out");
    Path vault = place.resolve("vault");
    assertThat(Invocation.unlearn(People.smallModel(), table, request, out, vault).run().code())
        .isZero();
    Invocation verification =
        Invocation.verify(out)
            .with("--vault", vault)
            .with("--data", table)
            .with("--request", request);
    assertThat(verification.run().code()).isZero();

    file(place, aged());

    assertThat(verification.run().code()).isEqualTo(2);
    Outcome ignoring =
        verification.with("--option", "parquet.page.verify-checksum.enabled=false").run();
    assertThat(ignoring.code()).isEqualTo(4);
    assertThat(ignoring.out()).contains("corrected data digest");
  }

  @Test
  void unlearn_keyThatOccursTwice_isRefused() {
    Path place = Places.directory("hostile");
    Path twice =
        People.write(People.dataset().union(People.dataset().limit(1)), "parquet", "twice");
    Path request =
        Places.write(
            place.resolve("request.yaml"),
            "id: r-1\ncertificate: {epsilon: 0.5, delta: 1e-5, rho: 1e-6}\n");
    Outcome outcome =
        Invocation.unlearn(
                People.smallModel(), twice, request, place.resolve("out"), place.resolve("vault"))
            .with("--corrected", People.table())
            .with("--key", "user_id")
            .run();
    assertThat(outcome.code()).as("%s", outcome).isEqualTo(2);
    assertThat(outcome.err()).contains("--data").doesNotContain("u-4700");
    assertThat(place.resolve("out")).doesNotExist();
  }

  /** The cached blocks are lost and the file has changed: the digest would be of other rows. */
  @Test
  void evidence_fileChangedAfterTheLastPass_isRefused() {
    // two files, two partitions: rows that stay where they are have no copy in a shuffle
    Path table = Places.directory("hostile");
    Places.copy(file(table, sound()), table.resolve("more.parquet"));
    Dataset<Row> rows = LocalSpark.session().read().parquet(table.toString());
    try (UnlearnedModel unlearned =
        new Unlearner()
            .unlearn(
                PipelineModel.load(People.smallModel().toString()),
                rows,
                UnlearnRequest.builder("r-1")
                    .removeRows("user_id = 'u-4711'")
                    .certificate(0.5, 1e-5, RHO)
                    .build())) {
      JavaSparkContext.fromSparkContext(rows.sparkSession().sparkContext())
          .getPersistentRDDs()
          .values()
          .forEach(cached -> cached.unpersist(true));
      file(table, aged());

      assertThatThrownBy(unlearned::evidence)
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining("the data changed while it was read")
          .message()
          .doesNotContain(PERSONAL);
    }
  }

  @Test
  void sound_file_hasItsPagesInTheClear() {
    assertThat(new String(sound(), StandardCharsets.ISO_8859_1))
        .startsWith("PAR1")
        .contains("u-4711");
    assertThat(age(sound(), 100)).isPositive();
  }
}
