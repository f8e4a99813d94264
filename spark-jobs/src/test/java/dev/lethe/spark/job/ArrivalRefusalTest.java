package dev.lethe.spark.job;

import static org.apache.spark.sql.functions.expr;
import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.spark.LocalSpark;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Requests and tables that do not fit together are refused, with nothing written or quoted. */
@ExtendWith(LocalSpark.class)
class ArrivalRefusalTest {
  private static final String REMOVE = "changes: [{removeRows: {where: \"user_id = 'u-4711'\"}}]\n";
  private static final String AGE_UP =
      "changes: [{replaceFeatures: {set: {age: \"age + 1\"}, where: \"user_id = '%s'\"}}]\n";

  /**
   * One command that is refused.
   *
   * @param command from a new directory
   * @param message what standard error contains
   */
  private record Case(String name, Function<Path, Invocation> command, String... message) {
    @Override
    public String toString() {
      return name;
    }
  }

  private static final List<Case> CASES = cases();

  static List<Case> refused() {
    return CASES;
  }

  private static List<Case> cases() {
    List<Case> cases = new ArrayList<>();
    requests(cases);
    requestTables(cases);
    snapshots(cases);
    corrections(cases);
    places(cases);
    return cases;
  }

  private static void requests(List<Case> cases) {
    cases.add(
        new Case(
            "a directory without an id",
            dir -> directory(dir, REMOVE, REMOVE).without("--id"),
            "so --id is required"));
    cases.add(
        new Case(
            "an id that is none",
            dir -> directory(dir, REMOVE).with("--id", "a b"),
            "--id: id must be 1 to 128 characters"));
    cases.add(
        new Case(
            "an id for a single request",
            dir -> unlearn(dir, "id: r\n" + REMOVE).with("--id", "other"),
            "--id other: a single request has its own id"));
    cases.add(
        new Case(
            "an empty directory",
            dir -> unlearn(dir, "").with("--request", Places.directory("none")).with("--id", "x"),
            "has no request"));
    cases.add(
        new Case(
            "a directory with another file",
            dir -> {
              Places.write(dir.resolve("in/notes.txt"), "x");
              return directory(dir, REMOVE);
            },
            "'notes.txt' is no request",
            "--request-format"));
    cases.add(
        new Case(
            "a directory in the directory",
            dir -> {
              Places.write(dir.resolve("in/more.yaml/1.yaml"), "id: x\n" + REMOVE);
              return directory(dir, REMOVE);
            },
            "'more.yaml' is no request"));
    cases.add(
        new Case(
            "two requests of one id",
            dir -> {
              Places.write(dir.resolve("in/9.yaml"), "id: r-0\n" + AGE_UP.formatted("u-4712"));
              return directory(dir, REMOVE);
            },
            "0.yaml and",
            "9.yaml have the same id"));
    cases.add(
        new Case(
            "two certificates",
            dir ->
                directory(
                    dir,
                    REMOVE + "certificate: {epsilon: 0.5, delta: 1e-5, rho: 1e-7}\n",
                    REMOVE,
                    REMOVE + "certificate: {epsilon: 0.5, delta: 1e-5, rho: 1e-6}\n"),
            "0.yaml and",
            "2.yaml ask for different certificates"));
    cases.add(
        new Case(
            "two methods",
            dir -> directory(dir, REMOVE, REMOVE + "method: second-order\n"),
            "1.yaml ask for different methods"));
    cases.add(
        new Case(
            "a request that is none",
            dir -> directory(dir, REMOVE, "changes: 7\n"),
            "1.yaml: changes (line 2, column 10)"));
    cases.add(
        new Case(
            "a condition on what an earlier request sets",
            dir ->
                directory(
                    dir,
                    AGE_UP.formatted("u-4712"),
                    "changes: [{removeRows: {where: \"AGE > 60\"}}]\n"),
            "1.yaml: changes[0].removeRows.where: reads column 'AGE'",
            "0.yaml: changes[0].replaceFeatures sets",
            "one after the other"));
    cases.add(
        new Case(
            "a value from what an earlier request sets",
            dir ->
                directory(
                    dir,
                    AGE_UP.formatted("u-4712"),
                    AGE_UP.formatted("u-4713"),
                    AGE_UP.formatted("u-4712")),
            "column 'age': a later request computes with what an earlier one sets",
            "in 1 matched row(s)"));
    cases.add(
        new Case(
            "nothing that changes",
            dir -> unlearn(dir, "id: r\n"),
            "the key 'changes' is missing",
            "--corrections"));
    cases.add(
        new Case(
            "options of no table of requests",
            dir -> unlearn(dir, "id: r\n" + REMOVE).with("--request-option", "a=b"),
            "--request-option: needs --request-format"));
  }

  private static void requestTables(List<Case> cases) {
    StructType schema =
        new StructType().add("id", DataTypes.StringType).add("request", DataTypes.StringType);
    cases.add(
        table(
            "no column of requests",
            new StructType().add("id", DataTypes.StringType),
            "'request'",
            "a"));
    cases.add(
        table(
            "ids that differ",
            schema,
            "request 1: column 'id' is not the id",
            "b",
            "id: a\n" + REMOVE));
    cases.add(table("a NULL request", schema, "column 'request' is NULL", "a", null));
    cases.add(
        table(
            "JSON that is none",
            schema,
            "request 1.json (line 1, column ",
            "a",
            "{\"id\": \"a\", changes: 1}"));
    cases.add(
        table(
            "an order that is none",
            schema.add("sequence", DataTypes.StringType),
            "column 'sequence' gives the order",
            "a",
            "id: a\n" + REMOVE,
            "1"));
    cases.add(table("no request", schema, "has no request"));
  }

  private static Case table(String name, StructType schema, String message, Object... cells) {
    return new Case(
        "a table with " + name,
        dir -> {
          List<Row> rows = cells.length == 0 ? List.of() : List.of(RowFactory.create(cells));
          return unlearn(dir, "")
              .with(
                  "--request",
                  People.write(
                      LocalSpark.session().createDataFrame(rows, schema), "parquet", "requests"))
              .with("--request-format", "parquet")
              .with("--id", "x");
        },
        message);
  }

  private static void places(List<Case> cases) {
    cases.add(
        new Case(
            "a place to publish among the requests",
            dir -> directory(dir, REMOVE).with("--out", dir.resolve("in/out")),
            "out: ",
            "which is read"));
    cases.add(
        new Case(
            "an option for test data alone",
            dir -> unlearn(dir, "id: r\n" + REMOVE).with("--test-option", "header=true"),
            "--test-format and --test-option: need --test"));
  }

  private static void snapshots(List<Case> cases) {
    cases.add(
        new Case(
            "two tables without a key",
            dir -> unlearn(dir, "id: r\n").with("--corrected", People.table()),
            "exactly one of --data and --corrected, not both (unless --key"));
    cases.add(
        new Case(
            "a key for one table",
            dir -> unlearn(dir, "id: r\n" + REMOVE).with("--key", "user_id"),
            "--key",
            "need a table beside --data"));
    cases.add(
        new Case(
            "a key without the original",
            dir ->
                unlearn(dir, "id: r\n")
                    .without("--data")
                    .with("--corrected", People.table())
                    .with("--key", "user_id"),
            "need --data"));
    cases.add(snapshots("nothing that differs", table -> table, "no row differs"));
    cases.add(
        snapshots(
            "a key that is not unique",
            table -> table.unionByName(table.where("user_id = 'u-4711'")),
            "--corrected",
            "the key is not unique (1 values of it)"));
    cases.add(
        snapshots(
            "a key that is NULL",
            table -> table.withColumn("user_id", expr("IF(age > 60, NULL, user_id)")),
            "--corrected",
            "the key is NULL"));
    cases.add(
        snapshots(
            "a table without the key",
            table -> table.drop("user_id"),
            "--key: --corrected",
            "column 'user_id' does not exist"));
    cases.add(
        snapshots(
            "another type",
            table -> table.withColumn("age", expr("CAST(age AS STRING)")),
            "column 'age' has type double in one and string in the other"));
    cases.add(
        snapshots(
            "a new table without a column that the model reads",
            table -> table.drop("age").where("hours > 12"),
            "--corrected",
            "the model reads column 'age', which the table does not have"));
    cases.add(
        new Case(
            "an old table without a column that the model reads",
            dir ->
                unlearn(dir, "id: r\n")
                    .with(
                        "--data",
                        People.write(
                            People.dataset().drop("age").where("hours > 12"), "parquet", "before"))
                    .with("--corrected", People.table())
                    .with("--key", "user_id"),
            "--data",
            "the model reads column 'age', which the table does not have"));
    cases.add(
        new Case(
            "a removed row that is left",
            dir ->
                unlearn(dir, "id: r\n" + REMOVE)
                    .with(
                        "--corrected",
                        People.write(People.dataset().where("age < 60"), "parquet", "after"))
                    .with("--key", "user_id"),
            "1 row(s) of the corrected data still match"));
    cases.add(
        new Case(
            "snapshots and corrected rows",
            dir ->
                unlearn(dir, "id: r\n")
                    .with("--corrected", People.table())
                    .with("--corrections", People.table())
                    .with("--key", "user_id"),
            "--corrected and --corrections exclude each other"));
  }

  private static Case snapshots(
      String name, Function<Dataset<Row>, Dataset<Row>> after, String... message) {
    return new Case(
        "snapshots with " + name,
        dir ->
            unlearn(dir, "id: r\n")
                .with(
                    "--corrected", People.write(after.apply(People.dataset()), "parquet", "after"))
                .with("--key", "user_id"),
        message);
  }

  private static void corrections(List<Case> cases) {
    cases.add(corrections("no row", "user_id, age", "false", "has no row"));
    cases.add(corrections("nothing but the key", "user_id", "true", "nothing to overwrite"));
    cases.add(
        corrections(
            "a key that the table lacks",
            "concat(user_id, IF(age > 60, 'x', '')) AS user_id, age",
            "age > 50",
            "the key matches no row of --data"));
    cases.add(
        corrections(
            "a key that is not unique",
            "IF(age > 60, 'u-4711', user_id) AS user_id, age",
            "age > 50",
            "the key is not unique"));
    cases.add(
        corrections(
            "a key that is NULL",
            "IF(age > 60, NULL, user_id) AS user_id, age",
            "age > 50",
            "the key is NULL"));
    cases.add(
        corrections(
            "another column",
            "user_id, age AS years",
            "age > 50",
            "column 'years' is not a column of --data"));
    cases.add(
        corrections(
            "a wider type",
            "user_id, CAST(hours AS BIGINT) AS hours",
            "age > 50",
            "column 'hours' has type bigint, the table's is int"));
    cases.add(
        corrections(
            "an unknown label",
            "user_id, label + 1 AS label",
            "label = 1",
            "column 'label': the new label is NULL or not an integer from 0 to 1 in "));
    cases.add(
        corrections(
            "a label that is NULL",
            "user_id, CAST(NULL AS DOUBLE) AS label",
            "age > 60",
            "column 'label': the new label is NULL or not an integer from 0 to 1 in "));
    for (String weight : List.of("0D", "-1D", "CAST('NaN' AS DOUBLE)", "CAST(NULL AS DOUBLE)")) {
      cases.add(
          new Case(
              "corrected rows with weight " + weight,
              dir ->
                  unlearn(dir, "id: r\n")
                      .with("--model", People.model())
                      .with("--corrections", rows("user_id, " + weight + " AS weight", "age > 60"))
                      .with("--key", "user_id"),
              "--corrections",
              "column 'weight': the new weight is not greater than 0 and finite in "));
    }
    cases.add(
        new Case(
            "corrected rows of a key that the table has twice",
            dir ->
                unlearn(dir, "id: r\n")
                    .with(
                        "--corrections",
                        rows("city, max(age) AS age", "city = 'Ulm' GROUP BY city"))
                    .with("--key", "city"),
            "--data",
            "the key of a corrected row is not unique (1 values of it)"));
  }

  private static Case corrections(String name, String columns, String where, String message) {
    return new Case(
        "corrected rows with " + name,
        dir ->
            unlearn(dir, "id: r\n")
                .with("--corrections", rows(columns, where))
                .with("--key", "user_id"),
        "--corrections",
        message);
  }

  private static Path rows(String columns, String where) {
    People.dataset().createOrReplaceTempView("people");
    return People.write(
        LocalSpark.session().sql("SELECT " + columns + " FROM people WHERE " + where),
        "parquet",
        "rows");
  }

  private static Invocation unlearn(Path dir, String request) {
    return Invocation.unlearn(
        People.smallModel(),
        People.table(),
        Places.write(dir.resolve("request.yaml"), request),
        dir.resolve("out"),
        dir.resolve("vault"));
  }

  /** Unlearning with a directory of requests, named in order. */
  private static Invocation directory(Path dir, String... requests) {
    for (int i = 0; i < requests.length; i++) {
      Places.write(dir.resolve("in/" + i + ".yaml"), "id: r-" + i + "\n" + requests[i]);
    }
    return unlearn(dir, "").with("--request", dir.resolve("in")).with("--id", "all");
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("refused")
  void unlearn_thatDoesNotFit_isRefusedWithNothingWritten(Case given) {
    Path dir = Places.directory("refused");

    Outcome outcome = given.command.apply(dir).run();

    assertThat(outcome.code()).as("%s", outcome).isEqualTo(2);
    assertThat(outcome.err()).contains(given.message).doesNotContain("u-47");
    assertThat(dir.resolve("out")).doesNotExist();
    assertThat(dir.resolve("vault")).doesNotExist();
  }

  /** Many requests that each change a label of their own are no problem of plans and stacks. */
  @Test
  void unlearn_manyRequests_areMerged() {
    Path dir = Places.directory("many");
    String[] requests = new String[People.COUNT];
    for (int i = 0; i < requests.length; i++) {
      requests[i] =
          "changes: [{relabel: {to: \"1 - label\", where: \"user_id = 'u-%d'\"}}]\n"
              .formatted(4700 + i);
    }

    Outcome outcome = directory(dir, requests).flag("--figures").run();

    assertThat(outcome.code()).as("%s", outcome).isZero();
  }
}
