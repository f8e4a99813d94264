package dev.lethe.spark.request;

import static org.apache.spark.sql.functions.lit;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.LocalSpark;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.ml.linalg.SQLDataTypes;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerJobStart;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.Metadata;
import org.apache.spark.sql.types.MetadataBuilder;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

@ExtendWith(LocalSpark.class)
class CorrectionsTest {
  private static final Metadata NOTE = new MetadataBuilder().putString("note", "kept").build();

  private static final StructType SCHEMA =
      new StructType(
          new StructField[] {
            new StructField("id", DataTypes.IntegerType, false, Metadata.empty()),
            new StructField("age", DataTypes.IntegerType, true, NOTE),
            new StructField("name", DataTypes.StringType, true, Metadata.empty()),
            new StructField("score", DataTypes.DoubleType, true, Metadata.empty()),
            new StructField("odd.name", DataTypes.StringType, true, Metadata.empty()),
            new StructField("v", SQLDataTypes.VectorType(), true, Metadata.empty()),
            new StructField("w", DataTypes.DoubleType, true, Metadata.empty()),
            new StructField("label", DataTypes.IntegerType, true, Metadata.empty()),
          });

  private static final List<Row> ROWS =
      List.of(
          row(0, 10, "ann", 0.5, 0),
          row(1, 20, "bob", 1.5, 1),
          row(2, null, "cy", 2.5, 0),
          row(3, 40, null, 3.5, 1),
          row(4, 50, "eve", null, 1));

  private static Row row(int id, Integer age, String name, Double score, int label) {
    return RowFactory.create(id, age, name, score, "o" + id, Vectors.dense(id, 1), 1.0 + id, label);
  }

  private static Dataset<Row> table(SparkSession spark) {
    return spark.createDataFrame(ROWS, SCHEMA).repartition(2);
  }

  private static Dataset<Row> table() {
    return table(LocalSpark.session());
  }

  private static Corrections corrections(SparkSession spark, String changes) {
    return Corrections.of(
        spark,
        RequestReader.read("r.yaml", "{id: t, changes: [" + changes + "]}"),
        SCHEMA,
        "label",
        "w",
        "r.yaml");
  }

  private static Corrections corrections(String changes) {
    return corrections(LocalSpark.session(), changes);
  }

  /** Rows by id. */
  private static Map<Integer, Row> collect(Dataset<Row> rows) {
    return rows.collectAsList().stream().collect(Collectors.toMap(r -> r.getInt(0), r -> r));
  }

  private static SparkSession session(boolean ansi) {
    SparkSession spark = LocalSpark.session().newSession();
    spark.conf().set("spark.sql.ansi.enabled", Boolean.toString(ansi));
    // Spark 3.5 takes the ANSI mode of functions.expr from the active session.
    SparkSession.setActiveSession(spark);
    return spark;
  }

  @AfterEach
  void restoreActiveSession() {
    SparkSession.setActiveSession(LocalSpark.session());
  }

  @Test
  void corrected_overlappingChanges_allSeeTheOriginalRowAndTheLastWins() {
    Corrections corrections =
        corrections(
            """
            {replaceFeatures: {set: {age: "age + 1", score: "age"}, where: "age >= 20"}},
            {replaceFeatures: {set: {age: "age + 100"}, where: "age >= 40"}},
            {replaceFeatures: {set: {name: "concat(name, age)"}, where: "id = 1"}},
            {removeRows: {where: "age = 50"}},
            {relabel: {to: "1 - label", where: "age = 40 OR age = 41 OR age = 140"}},
            {replaceFeatures: {set: {name: "'x'"}, where: "age = 50"}}
            """);
    Map<Integer, Row> rows = collect(corrections.corrected(table()));
    assertThat(rows.keySet()).containsExactlyInAnyOrder(0, 1, 2, 3);
    assertThat(rows.get(0)).isEqualTo(ROWS.get(0));
    assertThat(rows.get(1))
        .isEqualTo(RowFactory.create(1, 21, "bob20", 20.0, "o1", Vectors.dense(1, 1), 2.0, 1));
    assertThat(rows.get(2)).isEqualTo(ROWS.get(2));
    assertThat(rows.get(3))
        .isEqualTo(RowFactory.create(3, 140, null, 40.0, "o3", Vectors.dense(3, 1), 4.0, 0));
  }

  @Test
  void corrected_swap_usesOriginalValues() {
    Corrections corrections =
        corrections(
            "{replaceFeatures: {set: {name: '`odd.name`', '`odd.name`': name}, where: 'id < 2'}}");
    Map<Integer, Row> rows = collect(corrections.corrected(table()));
    assertThat(rows.get(0).getString(2)).isEqualTo("o0");
    assertThat(rows.get(0).getString(4)).isEqualTo("ann");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        // two secrets of one row
        "{replaceText: {column: name, find: ann, with: she}},"
            + " {replaceText: {column: NAME, find: '01', with: a pin}}"
            + "|she: a pin, she|a pin|b",
        "{replaceText: {column: name, find: '01', with: ''}},"
            + " {replaceText: {column: name, find: ann, with: b}}"
            + "|b: , b|''|b",
        // each in what the ones before it made, in the rows that had it
        "{replaceText: {column: name, find: '01', with: b}},"
            + " {replaceText: {column: name, find: b, with: c}}"
            + "|ann: b, ann|b|c",
        "{replaceText: {column: name, find: ann, with: '01'}},"
            + " {replaceText: {column: name, find: '01', with: c}}"
            + "|c: c, c|c|b",
        "{replaceFeatures: {set: {name: \"concat(name, '!')\"}, where: id <> 1}},"
            + " {replaceText: {column: name, find: ann, with: she}},"
            + " {replaceText: {column: name, find: '01', with: a pin}}"
            + "|she: a pin, she!|a pin|b!",
        // a whole value is the last
        "{replaceText: {column: name, find: ann, with: she}},"
            + " {replaceFeatures: {set: {name: \"'x'\"}, where: id = 0}},"
            + " {replaceText: {column: name, find: '01', with: a pin}}"
            + "|x|a pin|b",
        "{replaceText: {column: name, find: ann, with: she}},"
            + " {replaceText: {column: name, find: '01', with: a pin}},"
            + " {replaceFeatures: {set: {name: upper(name)}, where: id = 0}}"
            + "|ANN: 01, ANN|a pin|b",
      })
  void corrected_severalTextsReplaced_eachInWhatTheOnesBeforeItMade(
      String changes, String first, String second, String third) {
    Corrections corrections = corrections(changes);
    Dataset<Row> table =
        LocalSpark.session()
            .createDataFrame(
                List.of(
                    row(0, 10, "ann: 01, ann", 0.5, 0),
                    row(1, 20, "01", 1.5, 1),
                    row(2, 30, "b", 1.5, 1),
                    row(3, 40, null, 2.5, 0)),
                SCHEMA);

    corrections.inspect(table, LabelDomain.any());
    Map<Integer, String> names =
        corrections.corrected(table).collectAsList().stream()
            .collect(Collectors.toMap(r -> r.getInt(0), r -> "" + r.get(2)));
    assertThat(names).isEqualTo(Map.of(0, first, 1, second, 2, third, 3, "null"));
    corrections
        .touchedPairs(table)
        .selectExpr("after.id", "after.name")
        .collectAsList()
        .forEach(row -> assertThat("" + row.get(1)).isEqualTo(names.get(row.getInt(0))));
  }

  @Test
  void of_mergedRequestsThatReplaceTextsOfOneColumn_isRefused() {
    List<MergedRequest.Named> two =
        Stream.of("ann", "bob")
            .map(
                name ->
                    new MergedRequest.Named(
                        name + ".yaml",
                        RequestReader.read(
                            name + ".yaml",
                            "{id: "
                                + name
                                + ", changes: [{replaceText: {column: name, find: "
                                + name
                                + ", with: x}}]}")))
            .toList();
    Request merged = MergedRequest.of("inbox", "merged", two);
    assertThatThrownBy(
            () -> Corrections.of(LocalSpark.session(), merged, SCHEMA, "label", "w", "inbox"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("reads column 'name', which ");
  }

  @Test
  void corrected_manyTextsReplaced_areAllReplaced() {
    String changes =
        IntStream.range(0, 60)
            .mapToObj(k -> "{replaceText: {column: name, find: '<" + k + ">', with: '" + k + "'}}")
            .collect(Collectors.joining(", "));
    String text = IntStream.range(0, 60).mapToObj(k -> "<" + k + ">").collect(Collectors.joining());
    // behind a shuffle: what is local, Spark does not compile
    Dataset<Row> table =
        LocalSpark.session()
            .createDataFrame(List.of(row(0, 10, text, 0.5, 0)), SCHEMA)
            .repartition(1);

    assertThat(corrections(changes).corrected(table).first().getString(2))
        .isEqualTo(IntStream.range(0, 60).mapToObj(String::valueOf).collect(Collectors.joining()));
  }

  @Test
  void corrected_schema_keepsNamesTypesOrderAndMetadata() {
    StructType schema =
        corrections("{replaceFeatures: {set: {age: '0', '`odd.name`': \"'x'\"}}}")
            .corrected(table())
            .schema();
    assertThat(schema.fieldNames()).containsExactly(SCHEMA.fieldNames());
    for (int i = 0; i < SCHEMA.size(); i++) {
      assertThat(schema.fields()[i].dataType()).isEqualTo(SCHEMA.fields()[i].dataType());
      assertThat(schema.fields()[i].metadata()).isEqualTo(SCHEMA.fields()[i].metadata());
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void corrected_valuesOfAnotherType_areCastToTheColumnsType(boolean ansi) {
    SparkSession spark = session(ansi);
    Corrections corrections =
        corrections(
            spark,
            """
            {replaceFeatures: {set: {age: "' 7 '", score: "'1e1'", name: "12", w: "3"}, where: "id = 0"}},
            {replaceFeatures: {set: {age: "2.0", score: "NULL", name: "null"}, where: "id = 1"}},
            {relabel: {to: "'1'", where: "id = 0"}}
            """);
    corrections.inspect(table(spark), LabelDomain.classes(2));
    Map<Integer, Row> rows = collect(corrections.corrected(table(spark)));
    assertThat(rows.get(0))
        .isEqualTo(RowFactory.create(0, 7, "12", 10.0, "o0", Vectors.dense(0, 1), 3.0, 1));
    assertThat(rows.get(1))
        .isEqualTo(RowFactory.create(1, 2, null, null, "o1", Vectors.dense(1, 1), 2.0, 1));
  }

  @Test
  void corrected_expressionWithTrailingComment_isHarmless() {
    Corrections corrections =
        corrections("{replaceFeatures: {set: {age: \"'7' -- seven\"}, where: 'id = 0 -- zero'}}");
    assertThat(collect(corrections.corrected(table())).get(0).getInt(1)).isEqualTo(7);
  }

  @Test
  void touched_mixedRequest_areTheMatchedRowsBeforeAndAfter() {
    Corrections corrections =
        corrections(
            """
            {replaceFeatures: {set: {age: "0"}, where: "age < 15"}},
            {removeRows: {where: "name = 'bob'"}}
            """);
    assertThat(collect(corrections.touchedOriginal(table())))
        .isEqualTo(Map.of(0, ROWS.get(0), 1, ROWS.get(1)));
    assertThat(collect(corrections.touchedCorrected(table())))
        .isEqualTo(Map.of(0, row(0, 0, "ann", 0.5, 0)));
    assertThat(corrections.hasRowChanges()).isTrue();
    assertThat(corrections.touchesAllRows()).isFalse();
    assertThat(corrections.removedFeatures()).isEmpty();
  }

  @Test
  void touched_changeWithoutWhere_isEveryRow() {
    Corrections corrections = corrections("{replaceFeatures: {set: {age: '1'}}}");
    assertThat(corrections.touchesAllRows()).isTrue();
    assertThat(corrections.touchedOriginal(table()).count()).isEqualTo(5);
    assertThat(corrections.inspect(table(), LabelDomain.any()))
        .isEqualTo(new Impact(5, 0, List.of(new Impact.Matched("changes[0].replaceFeatures", 5))));
  }

  @Test
  void removeFeatures_only_changesNoRow() {
    Corrections corrections =
        corrections("{removeFeatures: [AGE, 'v[1]']}, {removeFeatures: [age, 'features[race]']}");
    assertThat(corrections.removedFeatures())
        .containsExactly(
            FeatureRef.ofColumn("age"),
            new FeatureRef("v", 1, null),
            new FeatureRef("features", null, "race"));
    assertThat(corrections.hasRowChanges()).isFalse();
    assertThat(corrections.touchedOriginal(table()).count()).isZero();
    assertThat(collect(corrections.corrected(table()))).hasSize(5);
    assertThat(jobs(() -> corrections.inspect(table(), LabelDomain.any()))).isEmpty();
  }

  @Test
  void inspect_mixedRequest_countsInOneJobWithoutExpressionsInItsDescription() {
    Corrections corrections =
        corrections(
            """
            {removeFeatures: [name]},
            {relabel: {to: "1 - label", where: "id IN (0, 1)"}},
            {removeRows: {where: "id IN (1, 2)"}},
            {removeRows: {where: "age = 50"}},
            {replaceFeatures: {set: {score: "0"}, where: "id <> 3"}}
            """);
    // Without the shuffle that repartition adds: only the job of inspect is counted.
    Dataset<Row> table = LocalSpark.session().createDataFrame(ROWS, SCHEMA);
    List<Impact> impact = new ArrayList<>();
    List<String> events = jobs(() -> impact.add(corrections.inspect(table, LabelDomain.any())));
    assertThat(events).containsExactly("lethe: inspect the rows of the request");
    assertThat(impact)
        .containsExactly(
            new Impact(
                4,
                3,
                List.of(
                    new Impact.Matched("changes[1].relabel", 2),
                    new Impact.Matched("changes[2].removeRows", 2),
                    new Impact.Matched("changes[3].removeRows", 1),
                    new Impact.Matched("changes[4].replaceFeatures", 4))));
  }

  /** Descriptions of the jobs that {@code action} runs. */
  private static List<String> jobs(Runnable action) {
    ConcurrentLinkedQueue<String> events = new ConcurrentLinkedQueue<>();
    SparkListener listener =
        new SparkListener() {
          @Override
          public void onJobStart(SparkListenerJobStart job) {
            events.add(String.valueOf(job.properties().getProperty("spark.job.description")));
          }
        };
    SparkSession spark = LocalSpark.session();
    spark.sparkContext().addSparkListener(listener);
    try {
      action.run();
      // The events arrive in order: once this job's have come, so have the action's.
      spark.sparkContext().setJobDescription("end");
      new JavaSparkContext(spark.sparkContext()).parallelize(List.of(1)).count();
      long deadline = System.nanoTime() + 20_000_000_000L;
      while (!events.contains("end") && System.nanoTime() < deadline) {
        Thread.onSpinWait();
      }
      return events.stream().filter(e -> !e.equals("end")).toList();
    } finally {
      spark.sparkContext().setJobDescription(null);
      spark.sparkContext().removeSparkListener(listener);
    }
  }

  @Test
  void touchedOriginal_parquet_pushesThePredicateDown(@TempDir Path folder) {
    SparkSession spark = LocalSpark.session();
    String path = folder.resolve("t").toUri().toString();
    spark.createDataFrame(ROWS, SCHEMA).drop("v").write().parquet(path);
    Dataset<Row> stored = spark.read().parquet(path);
    Corrections corrections =
        Corrections.of(
            spark,
            RequestReader.read(
                "r.yaml",
                "{id: t, changes: [{removeRows: {where: \"name = 'bob'\"}},"
                    + " {relabel: {to: '0', where: 'age > 30'}}]}"),
            stored.schema(),
            "label",
            null,
            "r.yaml");
    for (Dataset<Row> touched :
        List.of(corrections.touchedOriginal(stored), corrections.touchedCorrected(stored))) {
      assertThat(touched.queryExecution().executedPlan().toString())
          .containsPattern(
              "PushedFilters: \\[.*Or\\(EqualTo\\(name,bob\\),GreaterThan\\(age,30\\)\\)");
    }
    assertThat(corrections.inspect(stored, LabelDomain.any()).touchedRows()).isEqualTo(3);
    assertThat(collect(corrections.touchedOriginal(stored)).keySet())
        .containsExactlyInAnyOrder(1, 3, 4);
  }

  /** A row in Java, and the same conditions and values as SQL and as Java. */
  private record Person(int id, Integer age, String name, int label) {}

  private record Condition(String sql, Predicate<Person> java) {}

  private record NewAge(String sql, Function<Person, Integer> java) {}

  private static final List<Condition> CONDITIONS =
      List.of(
          new Condition("age < 30", p -> p.age() != null && p.age() < 30),
          new Condition("NOT (age < 30)", p -> p.age() != null && p.age() >= 30),
          new Condition(
              "name = 'a' OR age > 50",
              p -> "a".equals(p.name()) || p.age() != null && p.age() > 50),
          new Condition("name IS NULL", p -> p.name() == null),
          new Condition("id % 3 = 0 AND label = 1", p -> p.id() % 3 == 0 && p.label() == 1),
          new Condition("age <=> NULL", p -> p.age() == null));

  private static final List<NewAge> AGES =
      List.of(
          new NewAge("coalesce(age, 0) + 1", p -> (p.age() == null ? 0 : p.age()) + 1),
          new NewAge("'5'", p -> 5),
          new NewAge("NULL", p -> null),
          new NewAge("label * 1000", p -> p.label() * 1000));

  @Test
  void corrected_randomRequests_equalARowByRowComputation() {
    SparkSession spark = LocalSpark.session();
    Random random = new Random(20260117);
    List<Person> people =
        IntStream.range(0, 60)
            .mapToObj(
                i ->
                    new Person(
                        i,
                        random.nextInt(5) == 0 ? null : random.nextInt(80),
                        random.nextInt(4) == 0
                            ? null
                            : String.valueOf((char) ('a' + random.nextInt(3))),
                        random.nextInt(2)))
            .toList();
    StructType schema =
        new StructType()
            .add("id", "int")
            .add("age", "int")
            .add("name", "string")
            .add("label", "int");
    Dataset<Row> table =
        spark.createDataFrame(
            people.stream()
                .map(p -> RowFactory.create(p.id(), p.age(), p.name(), p.label()))
                .toList(),
            schema);
    for (int trial = 0; trial < 15; trial++) {
      List<Change> changes = new ArrayList<>();
      Map<Integer, List<Object>> expected = new LinkedHashMap<>();
      people.forEach(
          p -> expected.put(p.id(), Arrays.asList(p.id(), p.age(), p.name(), p.label())));
      List<Integer> removed = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        Condition c = CONDITIONS.get(random.nextInt(CONDITIONS.size()));
        List<Person> matched = people.stream().filter(c.java()).toList();
        switch (random.nextInt(3)) {
          case 0 -> {
            NewAge age = AGES.get(random.nextInt(AGES.size()));
            changes.add(new Change.ReplaceFeatures(Map.of("age", age.sql()), c.sql()));
            matched.forEach(p -> expected.get(p.id()).set(1, age.java().apply(p)));
          }
          case 1 -> {
            changes.add(new Change.Relabel("1 - label", c.sql()));
            matched.forEach(p -> expected.get(p.id()).set(3, 1 - p.label()));
          }
          default -> {
            changes.add(new Change.RemoveRows(c.sql()));
            matched.forEach(p -> removed.add(p.id()));
          }
        }
      }
      removed.forEach(expected::remove);
      Corrections corrections =
          Corrections.of(
              spark,
              new Request("t", changes, null, Method.REFINED, null),
              schema,
              "label",
              null,
              "r.yaml");
      List<List<Object>> actual =
          corrections.corrected(table).collectAsList().stream()
              .map(r -> Arrays.asList(r.get(0), r.get(1), r.get(2), r.get(3)))
              .toList();
      assertThat(actual).as("%s", changes).containsExactlyInAnyOrderElementsOf(expected.values());
    }
  }

  record Bad(String changes, String place, String complaint) {
    @Override
    public String toString() {
      return changes;
    }
  }

  static List<Bad> badRequests() {
    return List.of(
        new Bad(
            "{removeRows: {where: 's3cret = 1'}}",
            "changes[0].removeRows.where",
            "there are id, age, name, score, odd.name, v, w, label"),
        new Bad(
            "{removeRows: {where: 'id'}}",
            "changes[0].removeRows.where",
            "must be a condition (boolean), not int"),
        new Bad(
            "{removeRows: {where: \"'true'\"}}",
            "changes[0].removeRows.where",
            "must be a condition"),
        new Bad(
            "{removeRows: {where: 'NULL'}}", "changes[0].removeRows.where", "must be a condition"),
        new Bad(
            "{removeRows: {where: 'rand() < 4711'}}",
            "changes[0].removeRows.where",
            "not deterministic"),
        new Bad(
            "{removeRows: {where: 'odd.name = 1'}}",
            "changes[0].removeRows.where",
            "data do not have"),
        new Bad(
            "{removeFeatures: [age]}, {removeRows: {where: \"name >< 's3cret'\"}}",
            "changes[1].removeRows.where",
            "not a Spark SQL expression"),
        new Bad(
            "{relabel: {to: 's3cret', where: 'id = 1'}}",
            "changes[0].relabel.to",
            "data do not have"),
        new Bad(
            "{relabel: {to: '1', where: 's3cret'}}",
            "changes[0].relabel.where",
            "data do not have"),
        new Bad(
            "{relabel: {to: 'NULL', where: 'id = 1'}}",
            "changes[0].relabel.to",
            "must not be NULL"),
        new Bad(
            "{relabel: {to: 'array(4711)', where: 'id = 1'}}",
            "changes[0].relabel.to",
            "cannot be resolved"),
        new Bad(
            "{replaceFeatures: {set: {agee: '4711'}}}",
            "changes[0].replaceFeatures.set",
            "key 'agee' is not a top-level column of the data; there are id"),
        new Bad(
            "{replaceFeatures: {set: {label: '4711'}}}",
            "changes[0].replaceFeatures.set.label",
            "changed by relabel"),
        new Bad(
            "{replaceFeatures: {set: {LABEL: '4711'}}}",
            "changes[0].replaceFeatures.set.label",
            "changed by relabel"),
        new Bad(
            "{replaceFeatures: {set: {age: '1', AGE: '2'}}}",
            "changes[0].replaceFeatures.set.age",
            "set twice"),
        new Bad(
            "{removeFeatures: [age]}, {replaceFeatures: {set: {Age: '4711'}}}",
            "changes[1].replaceFeatures.set.age",
            "removes by removeFeatures"),
        new Bad(
            "{replaceFeatures: {set: {v: '4711'}}}",
            "changes[0].replaceFeatures.set.v",
            "yields int; the column is vector"),
        new Bad(
            "{replaceFeatures: {set: {v: \"named_struct('type', 1Y, 'size', 4711, 'indices', array(1), 'values', array(1D))\"}}}",
            "changes[0].replaceFeatures.set.v",
            "the column is vector"),
        new Bad(
            "{replaceFeatures: {set: {age: 'array(4711)'}}}",
            "changes[0].replaceFeatures.set.age",
            "cannot be resolved"),
        new Bad(
            "{replaceFeatures: {set: {age: 'max(age)'}}}",
            "changes[0].replaceFeatures.set.age",
            "aggregate"),
        new Bad(
            "{replaceFeatures: {set: {id: 'NULL'}}}",
            "changes[0].replaceFeatures.set.id",
            "does not allow NULL"),
        new Bad(
            "{removeFeatures: [agee]}",
            "changes[0].removeFeatures[0]",
            "key 'agee' is not a top-level column"),
        new Bad(
            "{removeFeatures: [name, label]}",
            "changes[0].removeFeatures[1]",
            "is the label column"),
        new Bad("{removeFeatures: [w]}", "changes[0].removeFeatures[0]", "is the weight column"),
        new Bad(
            "{removeFeatures: ['age[0]']}",
            "changes[0].removeFeatures[0]",
            "only a vector column has slots"));
  }

  @ParameterizedTest
  @MethodSource("badRequests")
  void of_badRequest_isRefusedWithThePlaceAndWithoutTheExpression(Bad bad) {
    assertThatThrownBy(() -> corrections(bad.changes()))
        .isInstanceOf(InvalidInputException.class)
        .hasNoCause()
        .hasMessageStartingWith("r.yaml: " + bad.place() + ": ")
        .hasMessageContaining(bad.complaint())
        .message()
        .doesNotContain("s3cret", "4711");
  }

  @Test
  void of_unknownLabelOrWeight_isRefused() {
    Request request = RequestReader.read("r", "{id: t, changes: [{removeFeatures: [age]}]}");
    SparkSession spark = LocalSpark.session();
    assertThatThrownBy(() -> Corrections.of(spark, request, SCHEMA, "y", null, "r"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("label column 'y' is not in the data; there are id, age");
    assertThatThrownBy(() -> Corrections.of(spark, request, SCHEMA, "label", "ww", "r"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("weight column 'ww' is not in the data");
  }

  static List<Bad> badValues() {
    return List.of(
        new Bad(
            "{removeRows: {where: \"name = 's3cret'\"}}",
            "changes[0].removeRows.where",
            "matches no row"),
        new Bad(
            "{removeRows: {where: 'id = 1'}}, {relabel: {to: '0', where: 'age > 4711'}}",
            "changes[1].relabel.where",
            "matches no row"),
        new Bad(
            "{removeRows: {where: 'age = NULL'}}",
            "changes[0].removeRows.where",
            "NULL counts as no match"),
        new Bad(
            "{relabel: {to: '4711', where: 'id = 1'}}",
            "changes[0].relabel.to",
            "not an integer from 0 to 1"),
        new Bad(
            "{relabel: {to: '-1', where: 'id = 1'}}",
            "changes[0].relabel.to",
            "not an integer from 0 to 1"),
        new Bad(
            "{relabel: {to: 'name', where: 'id = 1'}}",
            "changes[0].relabel.to",
            "does not convert to int in 1 matched row(s)"),
        new Bad(
            "{relabel: {to: \"double('NaN')\", where: 'id = 1'}}",
            "changes[0].relabel.to",
            "does not convert to int"),
        new Bad(
            "{relabel: {to: '0.5', where: 'id = 1'}}", "changes[0].relabel.to", "not an integer"),
        new Bad(
            "{relabel: {to: '0.5D', where: 'id = 1'}}", "changes[0].relabel.to", "not an integer"),
        new Bad(
            "{relabel: {to: 'nullif(1, label)', where: 'id < 2'}}",
            "changes[0].relabel.to",
            "is NULL in 1 matched row(s)"),
        new Bad(
            "{replaceFeatures: {set: {age: name}, where: 'id = 0'}}",
            "changes[0].replaceFeatures.set.age",
            "does not convert to int"),
        new Bad(
            "{replaceFeatures: {set: {age: '47110000000'}, where: 'id = 0'}}",
            "changes[0].replaceFeatures.set.age",
            "does not convert to int"),
        new Bad(
            "{replaceFeatures: {set: {age: 'age / 3'}, where: 'id = 0'}}",
            "changes[0].replaceFeatures.set.age",
            "not an integer"),
        new Bad(
            "{replaceFeatures: {set: {age: 'nullif(age, 10)'}}}",
            "changes[0].replaceFeatures.set.age",
            "is NULL in 1 matched row(s)"),
        new Bad(
            "{replaceFeatures: {set: {score: \"double('NaN')\"}}}",
            "changes[0].replaceFeatures.set.score",
            "NaN or infinite in 5 matched"),
        new Bad(
            "{replaceFeatures: {set: {score: \"double('-Infinity')\"}, where: 'id=1'}}",
            "changes[0].replaceFeatures.set.score",
            "NaN or infinite"),
        new Bad(
            "{replaceFeatures: {set: {w: '0'}, where: 'id = 0'}}",
            "changes[0].replaceFeatures.set.w",
            "weight is not greater than 0"),
        new Bad(
            "{replaceFeatures: {set: {w: '-4711'}, where: 'id = 0'}}",
            "changes[0].replaceFeatures.set.w",
            "weight is not greater than 0"),
        new Bad(
            "{replaceFeatures: {set: {w: 'NULL'}, where: 'id = 0'}}",
            "changes[0].replaceFeatures.set.w",
            "weight is NULL"),
        new Bad(
            "{replaceFeatures: {set: {w: score}, where: 'id = 4'}}",
            "changes[0].replaceFeatures.set.w",
            "is NULL"));
  }

  @ParameterizedTest
  @MethodSource("badValues")
  void inspect_badValue_isRefusedInBothAnsiModesWithoutTheValue(Bad bad) {
    for (boolean ansi : new boolean[] {true, false}) {
      SparkSession spark = session(ansi);
      Corrections corrections = corrections(spark, bad.changes());
      assertThatThrownBy(() -> corrections.inspect(table(spark), LabelDomain.classes(2)))
          .isInstanceOf(InvalidInputException.class)
          .hasNoCause()
          .hasMessageStartingWith("r.yaml: " + bad.place() + ": ")
          .hasMessageContaining(bad.complaint())
          .message()
          .doesNotContain("s3cret", "4711", "'ann", "bob");
    }
  }

  @Test
  void inspect_expressionFailsOnARow_isRefusedWithThePlaceAndWithoutTheValue() {
    SparkSession spark = session(true);
    Map<String, String> failing =
        Map.of(
            "{removeRows: {where: 'id = 1'}}, {removeRows: {where: 'int(name) = 1'}}",
            "changes[1].removeRows.where: cannot be evaluated on some row of the data (CAST_INVALID_INPUT",
            "{removeRows: {where: 'id = 1'}}, {replaceFeatures: {set: {age: '1 / label'}, where: 'id = 0'}}",
            "changes[1].replaceFeatures.set.age: cannot be evaluated on some row of the data (DIVIDE_BY_ZERO");
    failing.forEach(
        (changes, message) ->
            assertThatThrownBy(
                    () -> corrections(spark, changes).inspect(table(spark), LabelDomain.any()))
                .isInstanceOf(InvalidInputException.class)
                .hasNoCause()
                .hasMessageContaining(message)
                .message()
                .doesNotContain("'ann", "bob"));
  }

  @Test
  void inspect_valueThatWouldFailOnUnmatchedRows_isNotEvaluatedThere() {
    SparkSession spark = session(true);
    Corrections corrections =
        corrections(spark, "{replaceFeatures: {set: {age: '10 / label'}, where: 'label = 1'}}");
    assertThat(corrections.inspect(table(spark), LabelDomain.any()).touchedRows()).isEqualTo(3);
    assertThat(collect(corrections.corrected(table(spark))).get(1).getInt(1)).isEqualTo(10);
  }

  @Test
  void inspect_nullOverNull_isNoFault() {
    assertThat(
            corrections("{replaceFeatures: {set: {age: 'age + 0'}}}")
                .inspect(table(), LabelDomain.any())
                .touchedRows())
        .isEqualTo(5);
  }

  @Test
  void inspect_indexedLabels_areComparedAsStrings() {
    StructType schema = new StructType().add("x", "int").add("y", "string");
    SparkSession spark = LocalSpark.session();
    Dataset<Row> table =
        spark.createDataFrame(
            List.of(RowFactory.create(1, "<=50K"), RowFactory.create(2, ">50K")), schema);
    Function<String, Corrections> to =
        sql ->
            Corrections.of(
                spark,
                new Request(
                    "t", List.of(new Change.Relabel(sql, "x = 1")), null, Method.REFINED, null),
                schema,
                "y",
                null,
                "r.yaml");
    LabelDomain domain = LabelDomain.indexed(List.of("<=50K", ">50K"));
    assertThat(to.apply("'>50K'").inspect(table, domain).touchedRows()).isEqualTo(1);
    assertThatThrownBy(() -> to.apply("'>60K'").inspect(table, domain))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("changes[0].relabel.to: the new label is not one of the labels");
    assertThatThrownBy(() -> to.apply("'1.5'").inspect(table, LabelDomain.classes(3)))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("not an integer from 0 to 2");
  }

  @Test
  void inspect_floatOverflow_isRefused() {
    StructType schema = new StructType().add("x", "float").add("y", "int");
    SparkSession spark = LocalSpark.session();
    Dataset<Row> table = spark.createDataFrame(List.of(RowFactory.create(1f, 1)), schema);
    Corrections corrections =
        Corrections.of(
            spark,
            new Request(
                "t",
                List.of(new Change.ReplaceFeatures(Map.of("x", "1e300D"), null)),
                null,
                Method.REFINED,
                null),
            schema,
            "y",
            null,
            "r.yaml");
    assertThatThrownBy(() -> corrections.inspect(table, LabelDomain.any()))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("NaN or infinite");
  }

  @Test
  void requireCorrected_removedRowsStillThere_isRefused() {
    Corrections corrections =
        corrections("{removeRows: {where: 'id = 1'}}, {removeRows: {where: 'AGE = 50'}}");
    assertThat(corrections.requireCorrected(corrections.corrected(table()))).isEmpty();
    assertThatThrownBy(() -> corrections.requireCorrected(table().filter("id <> 1")))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageStartingWith(
            "r.yaml: changes[1].removeRows.where: 1 row(s) of the corrected data still match");
  }

  @Test
  void checkCorrected_removedRowsStillThere_countsThem() {
    Corrections corrections =
        corrections("{removeRows: {where: 'id = 1'}}, {removeRows: {where: 'AGE = 50'}}");
    assertThat(corrections.checkCorrected(table().filter("id <> 1")).left())
        .containsExactly(new Impact.Matched("changes[1].removeRows.where", 1));
  }

  @Test
  void checkCorrected_conditionThatFailsOnARow_isRefused() {
    Corrections corrections = corrections("{removeRows: {where: 'CAST(name AS INT) = 7'}}");
    assertThatThrownBy(() -> corrections.checkCorrected(table()))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("cannot be evaluated")
        .hasMessageNotContaining("bob");
  }

  @Test
  void requireCorrected_columnMissingOrSetByTheRequest_isReportedAsUnchecked() {
    Corrections corrections =
        corrections(
            """
            {removeRows: {where: "name = 'bob'"}},
            {removeRows: {where: "age = 50"}},
            {replaceFeatures: {set: {age: "50"}, where: "id = 0"}}
            """);
    assertThat(corrections.requireCorrected(corrections.corrected(table()).drop("name")))
        .containsExactly("changes[0].removeRows.where", "changes[1].removeRows.where");
    assertThat(corrections.requireCorrected(corrections.corrected(table())))
        .containsExactly("changes[1].removeRows.where");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{replaceFeatures: {set: {age: '50'}, where: 'id = 0'}}",
        "{replaceFeatures: {set: {AGE: 'NULL'}, where: 'id IN (0, 1)'}}",
        "{replaceFeatures: {set: {name: \"'none'\"}}}",
        "{relabel: {to: '7', where: \"name = 'bob'\"}}",
        // the later one counts, and a computed value may be any
        "{replaceFeatures: {set: {age: '50'}, where: 'id < 2'}},"
            + " {replaceFeatures: {set: {age: '51'}, where: 'id = 1'}},"
            + " {replaceFeatures: {set: {age: 'age + 1'}, where: 'id = 2'}}"
      })
  void requireCorrected_constantThatIsNotInTheTable_isRefused(String changes) {
    Corrections corrections = corrections(changes);
    assertThat(corrections.requireCorrected(corrections.corrected(table()))).isEmpty();
    assertThatThrownBy(() -> corrections.requireCorrected(table()))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageStartingWith("r.yaml: changes[0].")
        .hasMessageContaining("row(s) of the corrected data have another value than is set here");
  }

  @Test
  void checkCorrected_constantsOfSeveralChanges_countsTheRowsOfOthers() {
    Corrections corrections =
        corrections(
            "{replaceFeatures: {set: {age: '50', name: \"'x'\"}, where: 'id < 2'}},"
                + " {relabel: {to: '9', where: 'id = 1'}}");
    Dataset<Row> half = corrections.corrected(table()).withColumn("age", lit(50));
    assertThat(corrections.checkCorrected(half).different()).isEmpty();
    assertThat(corrections.checkCorrected(half.withColumn("name", lit("y"))).different())
        .containsExactly(new Impact.Matched("changes[0].replaceFeatures.set.name", 2));
    assertThat(corrections.checkCorrected(half.drop("name", "label")).different()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{replaceFeatures: {set: {age: 'age + 1'}, where: 'id = 0'}}",
        "{replaceFeatures: {set: {age: '50'}, where: 'age > 0'}}",
        "{replaceFeatures: {set: {age: '50'}, where: 'id = 0'}},"
            + " {replaceFeatures: {set: {age: '51'}, where: 'age > 0'}}"
      })
  void checkCorrected_valueOrConditionOnWhatChanges_isNotChecked(String changes) {
    assertThat(corrections(changes).checkCorrected(table()).different()).isEmpty();
  }

  @Test
  void corrected_tableWithOtherColumns_isRefused() {
    Corrections corrections = corrections("{removeRows: {where: 'id = 1'}}");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> corrections.corrected(table().drop("name")))
        .withMessageContaining("not those of the corrections");
  }

  /** Spark walks through expressions and plans by recursion: they must not be as deep as long. */
  @Test
  void manyChanges_ofEveryKind_areAppliedByEveryMethod() {
    int each = 250;
    SparkSession spark = LocalSpark.session();
    Dataset<Row> table =
        spark
            .range(4 * each)
            .selectExpr(
                "CAST(id AS INT) AS id",
                "CAST(id % 90 AS INT) AS age",
                "concat('a', id, 'b') AS name",
                "CAST(id % 2 AS INT) AS label");
    List<Change> changes = new ArrayList<>();
    for (int i = 0; i < each; i++) {
      changes.add(new Change.RemoveRows("id = " + 4 * i));
      changes.add(new Change.ReplaceFeatures(Map.of("age", "" + i), "id = " + (4 * i + 1)));
      changes.add(new Change.Relabel("1 - label", "id = " + (4 * i + 2)));
      changes.add(new Change.ReplaceText("name", (4 * i + 3) + "b", i + "c"));
    }
    Corrections corrections =
        Corrections.of(
            spark,
            new Request("t", changes, null, Method.REFINED, null),
            table.schema(),
            "label",
            null,
            "r.yaml");

    Impact impact = corrections.inspect(table, LabelDomain.classes(2));
    Map<Integer, Row> corrected = collect(corrections.corrected(table));

    assertThat(impact.changes()).hasSize(4 * each);
    assertThat(impact.touchedRows()).isEqualTo(4 * each);
    assertThat(impact.removedRows()).isEqualTo(each);
    assertThat(corrected).hasSize(3 * each);
    for (int i = 0; i < each; i++) {
      assertThat(corrected).doesNotContainKey(4 * i);
      assertThat(corrected.get(4 * i + 1).getInt(1)).isEqualTo(i);
      assertThat(corrected.get(4 * i + 2).getInt(3)).isEqualTo(1);
    }
    corrected.forEach(
        (id, row) -> {
          String before = "a" + id + "b";
          String name = before;
          for (int i = 0; i < each; i++) {
            String find = (4 * i + 3) + "b";
            name = before.contains(find) ? name.replace(find, i + "c") : name;
          }
          assertThat(row.getString(2)).isEqualTo(name);
        });
    assertThat(corrections.touchedPairs(table).collectAsList()).hasSize(4 * each);
    Corrections.Corrected holds = corrections.checkCorrected(corrections.corrected(table));
    assertThat(holds.left()).isEmpty();
    assertThat(holds.different()).isEmpty();
    Corrections.Corrected lacks = corrections.checkCorrected(table);
    assertThat(lacks.left()).hasSize(each);
    long ages = IntStream.range(0, each).filter(i -> (4 * i + 1) % 90 != i).count();
    assertThat(lacks.different())
        .containsExactly(new Impact.Matched("changes[1].replaceFeatures.set.age", ages));
    assertThat(Corrections.touchedRows(table, List.of(corrections, corrections)))
        .containsOnly(4 * each);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{removeRows: {where: 'age = 50'}} | {replaceFeatures: {set: {age: '7'}, where: 'id = 0'}}",
        "{replaceFeatures: {set: {age: '7'}}} | {relabel: {to: '9', where: \"name = 'bob'\"}}",
        "{replaceFeatures: {set: {age: '7'}}} | {replaceFeatures: {set: {AGE: 'id'}}}",
        "{replaceText: {column: name, find: b, with: x}} | {replaceFeatures: {set: {name: \"'q'\"}}}",
      })
  void then_readsNothingThatIsSet_sameTableInOneStep(String first, String second) {
    Corrections earlier = corrections(first);
    Corrections later = corrections(second);
    assertThat(collect(earlier.then(later).orElseThrow().corrected(table())))
        .isEqualTo(collect(later.corrected(earlier.corrected(table()))));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{replaceFeatures: {set: {age: '7'}, where: 'id = 0'}} | {removeRows: {where: 'AGE = 50'}}",
        "{replaceFeatures: {set: {age: '7'}}} | {replaceFeatures: {set: {score: 'age'}}}",
        "{relabel: {to: '9', where: 'id = 0'}} | {relabel: {to: 'label + 1', where: 'id = 1'}}",
        "{replaceFeatures: {set: {name: \"'q'\"}}} | {replaceText: {column: name, find: b, with: x}}",
      })
  void then_readsWhatIsSet_needsAStepOfItsOwn(String first, String second) {
    assertThat(corrections(first).then(corrections(second))).isEmpty();
  }

  @Test
  void corrected_severalOfWhichSomeBuildOnOthers_sameAsOneAfterTheOther() {
    List<Corrections> several =
        Stream.of(
                "{replaceFeatures: {set: {age: '7'}, where: 'id < 2'}}",
                "{replaceFeatures: {set: {score: 'age'}, where: 'age = 7'}}",
                "{replaceFeatures: {set: {name: \"'x'\"}, where: 'id = 3'}}",
                "{relabel: {to: '9', where: 'score = 7'}}, {removeRows: {where: 'id = 4'}}",
                "{removeRows: {where: \"name = 'x'\"}}",
                "{replaceText: {column: name, find: b, with: v}}",
                "{replaceText: {column: name, find: v, with: w}}")
            .map(CorrectionsTest::corrections)
            .toList();
    Dataset<Row> expected = table();
    for (Corrections one : several) {
      expected = one.corrected(expected);
    }
    Map<Integer, Row> corrected = collect(Corrections.corrected(table(), several));
    assertThat(corrected).isEqualTo(collect(expected)).containsOnlyKeys(0, 1, 2);
    assertThat(corrected.get(1).getString(2)).isEqualTo("wow");
    assertThat(corrected.get(1).getInt(7)).isEqualTo(9);
    assertThat(Corrections.requireCorrected(several, Corrections.corrected(table(), several)))
        .as("conditions that cannot be checked")
        .containsExactly("changes[0].removeRows.where");
  }

  @Test
  void requireCorrected_severalSetTheSameColumn_eachIsLookedFor() {
    Corrections first = corrections("{relabel: {to: '9', where: 'id IN (0, 1)'}}");
    Corrections second = corrections("{relabel: {to: '8', where: 'id IN (1, 2)'}}");
    List<Corrections> both = List.of(first, second);
    Dataset<Row> corrected = Corrections.corrected(table(), both);
    assertThat(Corrections.requireCorrected(both, corrected)).isEmpty();
    for (Corrections one : both) {
      Dataset<Row> half = one.corrected(table());
      assertThatThrownBy(() -> Corrections.requireCorrected(both, half))
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining("changes[0].relabel.to")
          .hasMessageContaining("have another value");
    }
  }

  @Test
  void requireCorrected_textThatAFileOfTextCannotHold_isTakenForTheSame(@TempDir Path folder) {
    Corrections corrections =
        corrections(
            "{replaceFeatures: {set: {name: \"''\"}, where: 'id = 0'}},"
                + " {replaceFeatures: {set: {name: \"' x '\"}, where: 'id = 1'}}");
    String path = folder.resolve("csv").toString();
    corrections
        .corrected(table())
        .drop("v")
        .write()
        .option("header", true)
        .option("ignoreLeadingWhiteSpace", false)
        .csv(path);
    Dataset<Row> read =
        LocalSpark.session().read().option("header", true).option("inferSchema", true).csv(path);
    assertThat(corrections.requireCorrected(read)).isEmpty();
  }
}
