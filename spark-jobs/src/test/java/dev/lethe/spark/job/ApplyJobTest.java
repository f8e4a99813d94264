package dev.lethe.spark.job;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.spark.LocalSpark;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.apache.spark.ml.attribute.AttributeGroup;
import org.apache.spark.ml.attribute.NumericAttribute;
import org.apache.spark.ml.linalg.SQLDataTypes;
import org.apache.spark.ml.linalg.SparseVector;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
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
        .contains(
            "rows: 240 read, 240 touched, "
                + (People.COUNT - expected.size())
                + " removed; columns dropped: race");
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
        .contains("rows: 240 read, 0 touched, 0 removed; columns dropped: race, hours");
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
    assertThat(outcome.out()).contains("columns dropped: none");
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
            java.util.Arrays.stream(names)
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

  private static Invocation apply(Path data, String format, String request, Path out) {
    return Invocation.apply(
            data, "label", Places.write(Places.unused("request.yaml"), request), out)
        .with("--format", format);
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
