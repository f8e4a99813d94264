package dev.lethe.spark.job;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.spark.LocalSpark;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.spark.ml.attribute.AttributeGroup;
import org.apache.spark.ml.attribute.NumericAttribute;
import org.apache.spark.ml.linalg.SQLDataTypes;
import org.apache.spark.ml.linalg.SparseVector;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code lethe apply}: the corrected table, cell by cell. */
@ExtendWith(LocalSpark.class)
class ApplyJobTest {
  private static final String REQUEST =
      """
      id: apply-1
      changes:
        - removeFeatures: [race]
        - replaceFeatures: {set: {hours: "hours + 1", city: "concat('New ', city)"}, where: "age < 30"}
        - replaceFeatures: {set: {weight: "weight / 2"}}
        - relabel: {to: "1 - label", where: "user_id IN ('u-4712', 'u-4713')"}
        - removeRows: {where: "user_id = 'u-4711' OR city = 'Hof'"}
      """;

  @ParameterizedTest
  @ValueSource(strings = {"parquet", "csv", "json"})
  void run_everyKindOfChange_writesTheCorrectedRows(String format) {
    Path data = People.write(People.dataset(), format, "people-" + format);
    Path out = Places.unused("corrected-" + format);

    Outcome outcome = apply(data, format, REQUEST, out).with("--weight", "weight").run();

    assertThat(outcome.code()).as("%s", outcome).isZero();
    List<Row> expected = expected();
    assertThat(outcome.out())
        .contains("240 read, 240 touched, " + (People.COUNT - expected.size()) + " removed")
        .containsPattern("columns dropped +race\n")
        .doesNotContain("not applied");
    StructType schema = without(People.SCHEMA, "race");
    Dataset<Row> written =
        LocalSpark.session()
            .read()
            .format(format)
            .schema(schema)
            .option("header", "true")
            .load(out.toString());
    assertThat(sorted(written.collectAsList())).isEqualTo(sorted(expected));
    assertThat(
            LocalSpark.session()
                .read()
                .format(format)
                .option("header", "true")
                .load(out.toString())
                .columns())
        .containsExactlyInAnyOrder(schema.fieldNames());
  }

  /** The request, applied in plain Java. */
  private static List<Row> expected() {
    List<Row> rows = new ArrayList<>();
    for (Row row : People.rows()) {
      String user = row.getString(0);
      double age = row.getDouble(1);
      String city = row.getString(3);
      if (user.equals("u-4711") || city.equals("Hof")) {
        continue;
      }
      boolean young = age < 30;
      boolean wrong = user.equals("u-4712") || user.equals("u-4713");
      rows.add(
          RowFactory.create(
              user,
              age,
              row.getInt(2) + (young ? 1 : 0),
              young ? "New " + city : city,
              row.getDouble(5) / 2,
              wrong ? 1 - row.getDouble(6) : row.getDouble(6)));
    }
    return rows;
  }

  @Test
  void run_featuresOnly_dropsTheColumnAndTouchesNoRow() {
    Path out = Places.unused("dropped");

    Outcome outcome =
        apply(People.table(), "parquet", "id: r\nchanges: [{removeFeatures: [race, hours]}]\n", out)
            .run();

    assertThat(outcome.code()).as("%s", outcome).isZero();
    assertThat(outcome.out())
        .contains("240 read, 0 touched, 0 removed")
        .containsPattern("columns dropped +race, hours\n");
    Dataset<Row> written = LocalSpark.session().read().parquet(out.toString());
    assertThat(written.schema()).isEqualTo(without(without(People.SCHEMA, "race"), "hours"));
    assertThat(sorted(written.collectAsList()))
        .isEqualTo(sorted(People.dataset().drop("race", "hours").collectAsList()));
  }

  @Test
  void run_slotsOfLibsvm_areZero() {
    Path data = People.write(People.vectorDataset(), "libsvm", "vectors-libsvm");
    Path out = Places.unused("corrected-libsvm");
    int last = People.VECTOR_SIZE - 1;

    Outcome outcome =
        apply(
                data,
                "libsvm",
                "id: r\nchanges: [{removeFeatures: [\"features[2]\", \"features["
                    + last
                    + "]\"]}, {relabel: {to: \"1 - label\", where: \"label = 1\"}}]\n",
                out)
            .with("--option", "numFeatures=" + People.VECTOR_SIZE)
            .run();

    assertThat(outcome.code()).as("%s", outcome).isZero();
    assertThat(outcome.out()).containsPattern("columns dropped +none\n");
    List<Row> written =
        LocalSpark.session()
            .read()
            .format("libsvm")
            .option("numFeatures", String.valueOf(People.VECTOR_SIZE))
            .load(out.toString())
            .collectAsList();
    assertThat(asText(written)).isEqualTo(asText(zeroed(People.vectors(), 2, last)));
    assertThat(written).allMatch(row -> row.getDouble(0) == 0);
  }

  private static List<Row> zeroed(List<Row> rows, int... slots) {
    List<Row> zeroed = new ArrayList<>();
    for (Row row : rows) {
      double[] x = row.<Vector>getAs(1).toArray().clone();
      for (int slot : slots) {
        x[slot] = 0;
      }
      zeroed.add(RowFactory.create(0.0, Vectors.dense(x)));
    }
    return zeroed;
  }

  /** Label and dense features, ordered. */
  private static List<String> asText(List<Row> rows) {
    return rows.stream()
        .map(row -> row.getDouble(0) + " " + Vectors.dense(row.<Vector>getAs(1).toArray()))
        .sorted()
        .toList();
  }

  @Test
  void run_namedSlotOfAVectorColumn_isZeroAndTheColumnKeepsItsNames() {
    String[] names = {"age", "sex", "income"};
    AttributeGroup group =
        new AttributeGroup(
            "features",
            Arrays.stream(names)
                .map(name -> NumericAttribute.defaultAttr().withName(name))
                .toArray(NumericAttribute[]::new));
    StructType schema =
        new StructType()
            .add("label", DataTypes.DoubleType)
            .add("features", SQLDataTypes.VectorType(), true, group.toMetadata());
    List<Row> rows =
        List.of(
            RowFactory.create(1.0, Vectors.dense(1, 2, 3)),
            RowFactory.create(0.0, Vectors.sparse(3, new int[] {0, 1}, new double[] {4, 5})),
            RowFactory.create(0.0, null));
    Path data =
        People.write(LocalSpark.session().createDataFrame(rows, schema), "parquet", "named");
    Path out = Places.unused("named-corrected");

    Outcome outcome =
        apply(data, "parquet", "id: r\nchanges: [{removeFeatures: [\"features[sex]\"]}]\n", out)
            .run();

    assertThat(outcome.code()).as("%s", outcome).isZero();
    Dataset<Row> written = LocalSpark.session().read().parquet(out.toString());
    assertThat(AttributeGroup.fromStructField(written.schema().apply("features"))).isEqualTo(group);
    List<Row> corrected = written.collectAsList();
    assertThat(corrected.get(0).<Vector>getAs(1)).isEqualTo(Vectors.dense(1, 0, 3));
    assertThat(corrected.get(1).<Vector>getAs(1))
        .isInstanceOf(SparseVector.class)
        .isEqualTo(Vectors.dense(4, 0, 0));
    assertThat(corrected.get(2).isNullAt(1)).isTrue();
  }

  @Test
  void run_oneOffOption_isUsedForReadingAndWriting() {
    Path data = Places.unused("semicolons");
    People.dataset()
        .coalesce(1)
        .write()
        .option("header", "true")
        .option("sep", ";")
        .csv(data.toString());
    Path out = Places.unused("semicolons-corrected");

    Outcome outcome =
        apply(data, "csv", "id: r\nchanges: [{removeFeatures: [race]}]\n", out)
            .with("--option", "sep=;")
            .run();

    assertThat(outcome.code()).as("%s", outcome).isZero();
    assertThat(
            LocalSpark.session()
                .read()
                .option("header", "true")
                .option("sep", ";")
                .csv(out.toString())
                .columns())
        .containsExactly(without(People.SCHEMA, "race").fieldNames());
  }

  /** What the reader's types would change: zeros, quotes, blanks, and what means nothing. */
  private static final String CELLS =
      """
      id,zip,price,note,city,seen,Ja/Nein
      1,00123,1.50,"He said ""x"", then left",,2024-01-05 10:00:00,TRUE
      2,04567,2.00,""," Ulm ",2024-01-05T10:00:00Z,false
      3,,1e3,NULL,"a\\b",2024-1-5,
      4,00001,007,-,Hof,2024-01-06 11:30:00,true
      5,99999,NaN,"two
      lines",#5,,FALSE
      """;

  @Test
  void run_csv_untouchedCellsKeepEveryCharacter() {
    String request =
        """
        id: r
        changes:
          - replaceFeatures:
              set: {price: "price + 1", note: "concat(note, ', or not')", zip: "zip - 1"}
              where: "id = 4"
          - replaceFeatures: {set: {city: "NULL"}, where: "id = 2"}
          - replaceFeatures: {set: {seen: "timestamp'2024-02-03 04:05:06'"}, where: "zip IS NULL"}
          - removeRows: {where: "zip = 99999 AND note LIKE 'two%lines'"}
        """;

    String corrected =
        corrected(
            CELLS, request, "id", Map.of("escape", "\"", "multiLine", "true", "comment", "#"));

    assertThat(corrected)
        .isEqualTo(
            CELLS
                .substring(0, CELLS.indexOf("5,99999"))
                .replace(",\" Ulm \",", ",,")
                .replace("1e3,NULL,\"a\\b\",2024-1-5", "1e3,NULL,a\\b,2024-02-03 04:05:06")
                .replace("4,00001,007,-,", "4,0,8.0,\"-, or not\","));
  }

  @Test
  void run_csvWithOptions_untouchedCellsKeepEveryCharacter() {
    String table =
        """
        1;NA;05.01.2024;  x ;0,50
        2;;31.12.2024;"";NA
        3;7;01.02.2024;NA;y
        """;
    String request =
        """
        id: r
        changes:
          - replaceFeatures: {set: {_c2: "date_add(_c2, 1)", _c3: "''"}, where: "_c1 IS NULL AND _c0 = 2"}
          - removeRows: {where: "_c3 IS NULL"}
        """;

    String corrected =
        corrected(
            table,
            request,
            "_c0",
            Map.of("sep", ";", "header", "false", "nullValue", "NA", "dateFormat", "dd.MM.yyyy"));

    assertThat(corrected)
        .isEqualTo(
            """
            1;NA;05.01.2024;  x ;0,50
            2;;01.01.2025;"";NA
            """);
  }

  @Test
  void run_csvSeveralTextsReplaced_areAllGone() {
    String table =
        """
        id,note
        1,"ann, 0123"
        2, bob
        """;
    String request =
        """
        id: r
        changes:
          - replaceText: {column: note, find: ann, with: she}
          - replaceText: {column: note, find: "0123", with: a pin}
        """;

    assertThat(corrected(table, request, "id", Map.of("header", "true")))
        .isEqualTo(
            """
            id,note
            1,"she, a pin"
            2, bob
            """);
  }

  /** Cells of the characters that CSV treats in a way of their own. */
  @ParameterizedTest
  @ValueSource(strings = {"\\", "\""})
  void run_csvOfRandomCells_removesTheRowsThatSparkReadsAndKeepsTheOthersCells(String escape) {
    Map<String, String> options = Map.of("escape", escape, "multiLine", "true", "header", "true");
    String condition = "xxhash64(id, a, b) % 3 = 0";
    Path in = Places.unused("random");
    randomCells()
        .write()
        .options(options)
        .option("ignoreLeadingWhiteSpace", "false")
        .option("ignoreTrailingWhiteSpace", "false")
        .csv(in.toString());
    Path out = Places.unused("random-corrected");

    Invocation command =
        apply(
                in,
                "csv",
                "id: r\nchanges: [{removeRows: {where: \""
                    + condition
                    + "\"}},"
                    + " {replaceFeatures: {set: {b: \"a\"}, where: \"id = 1\"}}]\n",
                out)
            .with("--label", "id");
    options.forEach((key, value) -> command.flag("--option").flag(key + "=" + value));
    Outcome outcome = command.run();

    assertThat(outcome.code()).as("%s", outcome).isZero();
    List<String> kept =
        LocalSpark.session()
            .read()
            .options(options)
            .option("inferSchema", "true")
            .csv(in.toString())
            .where("NOT " + condition)
            .selectExpr("string(id)")
            .as(Encoders.STRING())
            .collectAsList();
    List<Row> expected =
        text(in, options).stream()
            .filter(row -> kept.contains(row.getString(0)))
            .map(
                row ->
                    row.getString(0).equals("1")
                        ? RowFactory.create("1", row.get(1), row.get(1))
                        : row)
            .toList();
    assertThat(kept).hasSizeBetween(200, 400);
    assertThat(text(out, options)).containsExactlyInAnyOrderElementsOf(expected);
  }

  private static Dataset<Row> randomCells() {
    Random random = new Random(20261121);
    String characters = "a0. ,;\"\\\n#'-é";
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < 400; i++) {
      Object[] cells = {i, null, null};
      for (int k = 1; k < cells.length; k++) {
        StringBuilder cell = new StringBuilder();
        for (int length = random.nextInt(5); length > 0; length--) {
          cell.append(characters.charAt(random.nextInt(characters.length())));
        }
        cells[k] = random.nextInt(8) == 0 ? null : cell.toString();
      }
      rows.add(RowFactory.create(cells));
    }
    return LocalSpark.session()
        .createDataFrame(
            rows,
            new StructType()
                .add("id", DataTypes.IntegerType)
                .add("a", DataTypes.StringType)
                .add("b", DataTypes.StringType));
  }

  /** Every cell as text, an empty one and an empty text apart. */
  private static List<Row> text(Path table, Map<String, String> options) {
    return LocalSpark.session()
        .read()
        .options(options)
        .option("nullValue", "no text")
        .csv(table.toString())
        .collectAsList();
  }

  /** The corrected file, its rows as lines. */
  private static String corrected(
      String table, String request, String label, Map<String, String> options) {
    Path out = Places.unused("corrected");
    Invocation command =
        Invocation.apply(
                Places.write(Places.unused("table.csv"), table),
                label,
                Places.write(Places.unused("request.yaml"), request),
                out)
            .with("--format", "csv");
    options.forEach((key, value) -> command.flag("--option").flag(key + "=" + value));
    Outcome outcome = command.run();
    assertThat(outcome.code()).as("%s", outcome).isZero();
    try (Stream<Path> files = Files.list(out)) {
      return files
          .filter(file -> file.getFileName().toString().startsWith("part-"))
          .sorted()
          .map(Places::read)
          .collect(Collectors.joining());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void run_model_checksLabelsAndNamesWhatOnlyTheModelHas() {
    Path out = Places.unused("corrected");
    String request =
        "id: r\nchanges: [{removeFeatures: [race, \"features[3]\"]},"
            + " {relabel: {to: \"1 - label\", where: \"user_id = 'u-4712'\"}}]\n";

    Outcome outcome =
        apply(
                People.write(People.dataset().drop("race"), "parquet", "no-race"),
                "parquet",
                request,
                out)
            .without("--label")
            .with("--model", People.model())
            .run();

    assertThat(outcome.code()).as("%s", outcome).isZero();
    assertThat(outcome.out())
        .contains("240 read, 1 touched, 0 removed")
        .containsPattern("columns dropped +none\n")
        .containsPattern("not applied +race: the table has no such column")
        .containsPattern("not applied +features\\[3\\]: the table has no such column");
    assertThat(LocalSpark.session().read().parquet(out.toString()).schema())
        .isEqualTo(without(People.SCHEMA, "race"));
  }

  /** What unlearn refuses to learn from is not written for the next training either. */
  @ParameterizedTest
  @CsvSource({
    "label, 2D, the new label is NULL or not an integer from 0 to 1",
    "label, CAST(NULL AS DOUBLE), the new label is NULL or not",
    "weight, -1D, the new weight is not greater than 0 and finite"
  })
  void run_correctedRowsWithIllegalValues_isRefused(String column, String value, String message) {
    Path out = Places.unused("corrected");
    Path rows =
        People.write(
            People.dataset()
                .where("user_id = 'u-4712'")
                .selectExpr("user_id", value + " AS " + column),
            "parquet",
            "rows");

    Outcome outcome =
        apply(People.table(), "parquet", "id: r\n", out)
            .without("--label")
            .with("--model", People.model())
            .with("--corrections", rows)
            .with("--key", "user_id")
            .run();

    assertThat(outcome.code()).as("%s", outcome).isEqualTo(2);
    assertThat(outcome.err())
        .contains("--corrections", "column '" + column + "'", message)
        .doesNotContain("u-47");
    assertThat(out).doesNotExist();
  }

  @Test
  void run_featuresThatTheTableLacks_areNamed() {
    Path out = Places.unused("corrected");

    Outcome outcome =
        apply(
                People.table(),
                "parquet",
                "id: r\nchanges: [{removeFeatures: [religion, hours, \"features[race_r1]\"]}]\n",
                out)
            .run();

    assertThat(outcome.code()).as("%s", outcome).isZero();
    assertThat(outcome.out())
        .containsPattern("columns dropped +hours\n")
        .containsPattern("not applied +religion: ")
        .containsPattern("not applied +features\\[race_r1\\]: ");
  }

  private static Invocation apply(Path data, String format, String request, Path out) {
    return Invocation.apply(
            data, "label", Places.write(Places.unused("request.yaml"), request), out)
        .with("--format", format)
        .flag("--figures");
  }

  private static StructType without(StructType schema, String column) {
    StructType rest = new StructType();
    for (var field : schema.fields()) {
      if (!field.name().equals(column)) {
        rest = rest.add(field);
      }
    }
    return rest;
  }

  private static List<Row> sorted(List<Row> rows) {
    return rows.stream().sorted(Comparator.comparing(row -> row.getString(0))).toList();
  }
}
