package dev.lethe.spark.job;

import static org.apache.spark.sql.functions.col;
import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.spark.LocalSpark;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.classification.DecisionTreeClassifier;
import org.apache.spark.ml.classification.LinearSVCModel;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.ml.feature.Normalizer;
import org.apache.spark.ml.feature.PCA;
import org.apache.spark.ml.feature.VectorAssembler;
import org.apache.spark.ml.linalg.Matrices;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.ml.regression.LinearRegressionModel;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What cannot be used is refused: exit code 2, one message that names the place and says what is
 * allowed, no personal value in it, nothing written.
 */
@ExtendWith(LocalSpark.class)
class BadInputTest {
  /** Cells and literals that the cases plant; no path contains them. */
  private static final List<String> PERSONAL = List.of("u-4711", "Xanadu", "47114711");

  private static final String CERTIFICATE = "certificate: {epsilon: 0.5, delta: 1e-5, rho: 1e-6}\n";
  private static final String REMOVE_ROW = "  - removeRows: {where: \"user_id = 'u-4711'\"}\n";

  /**
   * One case.
   *
   * @param command made in its own directory
   * @param message parts of what standard error says
   */
  private record Case(String name, Function<Path, Invocation> command, List<String> message) {
    @Override
    public String toString() {
      return name;
    }
  }

  private static final class Cases {
    private final List<Case> all = new ArrayList<>();

    void add(String name, Function<Path, Invocation> command, String... message) {
      all.add(new Case(name, command, List.of(message)));
    }

    /** The usual command on another model. */
    void model(String name, Function<Path, Path> model, String... message) {
      add(name, dir -> usual(dir).with("--model", model.apply(dir)), message);
    }

    /** The usual command on other data. */
    void data(String name, Function<Path, Path> data, String... message) {
      add(name, dir -> usual(dir).with("--data", data.apply(dir)), message);
    }

    /** The usual command with another request. */
    void request(String name, String request, String... message) {
      add(name, dir -> usual(dir).with("--request", requestFile(dir, request)), message);
    }

    /** The usual command with a request of these changes. */
    void changes(String name, String changes, String... message) {
      request(name, "id: r-1\nchanges:\n" + changes + CERTIFICATE, message);
    }

    /** The usual command with these terms of a certificate. */
    void terms(String name, String terms, String... message) {
      request(name, "id: r-1\nchanges:\n" + REMOVE_ROW + "certificate: " + terms + "\n", message);
    }
  }

  private static Path requestFile(Path dir, String text) {
    return Places.write(dir.resolve("request.yaml"), text);
  }

  private static Invocation usual(Path dir) {
    return Invocation.unlearn(
        People.smallModel(),
        People.table(),
        requestFile(dir, "id: r-1\nchanges:\n" + REMOVE_ROW + CERTIFICATE),
        dir.resolve("out"),
        dir.resolve("vault"));
  }

  /** A command on a model that reads a vector column. */
  private static Invocation vectors(Path dir, Path data, String changes) {
    return usual(dir)
        .with("--model", People.vectorModel())
        .with("--data", data)
        .with("--request", requestFile(dir, "id: r-1\nchanges:\n" + changes + CERTIFICATE));
  }

  static List<Case> models() {
    Cases cases = new Cases();
    cases.model("model missing", dir -> dir.resolve("no-model"), "--model", "no-model", "exist");
    cases.model(
        "model without metadata",
        dir -> Places.directory("not-a-model"),
        "--model",
        "not-a-model",
        "saved Spark ML model");
    cases.model(
        "model is a file",
        dir -> Places.write(dir.resolve("model-file"), "x"),
        "--model",
        "model-file",
        "saved Spark ML model");
    cases.model(
        "model with empty metadata",
        dir -> {
          Path model = Places.directory("no-metadata");
          Places.write(model.resolve("metadata/part-00000"), "");
          return model;
        },
        "--model",
        "no-metadata",
        "saved Spark ML model");
    cases.model(
        "model without its data",
        dir -> {
          Path model = Places.unused("half-a-model");
          Places.copy(People.vectorModel().resolve("metadata"), model.resolve("metadata"));
          return model;
        },
        "--model",
        "half-a-model",
        "cannot be loaded");
    cases.model(
        "decision tree alone",
        dir ->
            People.save(
                new DecisionTreeClassifier()
                    .setMaxDepth(1)
                    .setFeaturesCol("features")
                    .fit(People.vectorDataset()),
                "tree"),
        "--model",
        "DecisionTreeClassificationModel",
        "supported are",
        "LogisticRegressionModel");
    cases.model(
        "support vector machine with the hinge",
        dir -> People.save(new LinearSVCModel("svc", Vectors.zeros(2), 0.0), "hinge"),
        "--model",
        "stage svc",
        "hinge",
        "lethe train --loss smoothed-hinge or squared-hinge");
    cases.model(
        "pipeline without predictor",
        dir -> People.smallModelWith(),
        "exactly one predictor",
        "found none");
    cases.model(
        "decision tree",
        dir ->
            People.smallModelWith(
                new DecisionTreeClassifier().setMaxDepth(1).fit(People.vectorDataset())),
        "--model",
        "DecisionTreeClassificationModel",
        "supported are",
        "LogisticRegressionModel");
    cases.model(
        "elastic net with L1",
        dir -> {
          LogisticRegressionModel predictor = People.predictor(3);
          predictor.set(predictor.elasticNetParam(), 0.5);
          return People.save(predictor, "elastic-net");
        },
        "--model",
        "elasticNetParam = 0.5",
        "Allowed is elasticNetParam = 0");
    cases.model(
        "coefficient bounds",
        dir -> {
          LogisticRegressionModel predictor = People.predictor(3);
          predictor.set(predictor.lowerBoundsOnCoefficients(), Matrices.zeros(1, 3));
          return People.save(predictor, "bounds");
        },
        "--model",
        "lowerBoundsOnCoefficients",
        "Fit without bounds");
    cases.model(
        "coefficient that is not a number",
        dir ->
            People.save(
                new LogisticRegressionModel("nan", Vectors.dense(Double.NaN, 0, 0), 0.0),
                "not-a-number"),
        "--model",
        "stage nan",
        "not a finite number");
    return cases.all;
  }

  static List<Case> tables() {
    Cases cases = new Cases();
    cases.data("data missing", dir -> dir.resolve("no-data"), "--data", "no-data", "exist");
    cases.add(
        "Parquet read as CSV",
        dir -> usual(dir).with("--format", "csv"),
        "label column 'label'",
        "not in the data");
    cases.add(
        "CSV without a header",
        dir -> usual(dir).with("--format", "csv").with("--data", headless(dir)),
        "label column 'label'",
        "there are 4 columns; their names are not shown",
        "check --option header");
    cases.add(
        "CSV without a header, but for the columns that come first",
        dir ->
            usual(dir)
                .with("--format", "CSV")
                .with(
                    "--data",
                    Places.write(
                        dir.resolve("people.csv"), "label,weight,age,Xanadu\n1,1,30,u-4711\n"))
                .with(
                    "--request", requestFile(dir, "id: r-1\nchanges: [{removeFeatures: [age]}]\n")),
        "the model reads column 'hours', which the table does not have",
        "check --option header");
    cases.add(
        "condition on a CSV without a header",
        dir ->
            usual(dir)
                .with("--format", "csv")
                .with(
                    "--data",
                    Places.write(
                        dir.resolve("people.csv"), "label,weight,age,Xanadu\n1,1,30,u-4711\n")),
        "changes[0].removeRows.where",
        "names a column that the data do not have; there are 4 columns");
    cases.add(
        "test data without a header",
        dir ->
            usual(dir)
                .with("--format", "csv")
                .with("--data", People.write(People.dataset(), "csv", "people"))
                .with("--test", headless(dir)),
        "--test",
        "the model cannot score this table",
        "there are 4 columns");
    cases.add(
        "unknown format",
        dir -> usual(dir).with("--format", "no-such-source"),
        "--data",
        "cannot be read as no-such-source");
    cases.data(
        "CSV read as Parquet",
        dir -> Places.write(dir.resolve("people.csv"), "user_id,label\nu-4711,1\n"),
        "--data",
        "people.csv",
        "cannot be read as parquet");
    cases.data(
        "corrupt Parquet footer",
        dir -> Places.write(dir.resolve("people.parquet"), "PAR1 u-4711 Xanadu PAR1"),
        "--data",
        "people.parquet",
        "cannot be read as parquet");
    cases.data("corrupt Parquet pages", BadInputTest::corruptPages, "--data", "could not be read");
    cases.data(
        "empty table",
        dir -> People.write(People.dataset().limit(0), "parquet", "nobody"),
        "changes[0].removeRows.where",
        "matches no row");
    cases.add(
        "empty table, features only",
        dir ->
            usual(dir)
                .with("--data", People.write(People.dataset().limit(0), "parquet", "nobody"))
                .with(
                    "--request",
                    requestFile(
                        dir, "id: r-1\nchanges: [{removeFeatures: [hours]}]\n" + CERTIFICATE)),
        "--data",
        "nobody",
        "no row");
    cases.data(
        "label column missing",
        dir -> People.write(People.dataset().drop("label"), "parquet", "no-label"),
        "label column 'label'",
        "there are user_id, age");
    cases.add(
        "label option names no column",
        dir -> usual(dir).with("--label", "outcome"),
        "label column 'outcome'",
        "there are user_id, age");
    cases.add(
        "label column of text",
        dir -> usual(dir).with("--label", "user_id"),
        "--data",
        "label column 'user_id'",
        "must be numeric, not string");
    cases.data(
        "label outside its domain",
        dir -> People.tableWith("label", 47114711.0),
        "--data",
        "column 'label'",
        "1 of 239 labels are not",
        "0 or 1");
    cases.data(
        "label NULL",
        dir -> People.tableWith("label", null),
        "--data",
        "column 'label'",
        "1 of 239 labels are not");
    cases.data(
        "weight column missing",
        dir -> People.write(People.dataset().drop("weight"), "parquet", "no-weight"),
        "weight column 'weight'",
        "there are user_id, age");
    for (double weight : new double[] {-47114711, Double.NaN, Double.POSITIVE_INFINITY}) {
      cases.data(
          "weight " + weight,
          dir -> People.tableWith("weight", weight),
          "--data",
          "column 'weight'",
          "1 of 239 weights are not finite and at least 0");
    }
    cases.data(
        "feature NaN",
        dir -> People.tableWith("age", Double.NaN),
        "--data",
        "could not be read or featurised",
        "NaN in a VectorAssembler");
    cases.data(
        "feature too large to be squared",
        dir -> People.tableWith("age", 1e308),
        "column 'features': the variance of slot 0",
        "not finite",
        "Scale the column");
    cases.add(
        "feature too large to be squared, no standardization",
        dir ->
            usual(dir)
                .with("--model", unstandardized())
                .with(
                    "--data",
                    People.write(
                        People.dataset()
                            .withColumn("age", functions.expr("1e308D / 50 * (age - 43)")),
                        "parquet",
                        "people")),
        "--data",
        "column 'features': the values of slot 0 are too large to be squared",
        "not finite",
        "scale the column");
    cases.add(
        "label too large to be squared",
        dir ->
            usual(dir)
                .with("--model", regression("squaredError"))
                .with("--data", People.tableWith("label", 1e300)),
        "--data",
        "column 'label'",
        "too large to be squared",
        "scale the labels");
    cases.add(
        "label of an erased row too large to be squared",
        dir ->
            usual(dir)
                .with("--model", regression("squaredError"))
                .with("--data", People.tableWith("label", 1e300))
                .with(
                    "--request",
                    requestFile(
                        dir,
                        "id: r-1\nmethod: second-order\nchanges:\n"
                            + "  - removeRows: {where: \"user_id = 'u-4700'\"}\n"
                            + CERTIFICATE)),
        "column 'label': the variance of the labels",
        "0 or not finite");
    cases.add(
        "labels too small to be squared",
        dir ->
            usual(dir)
                .with("--model", regression("squaredError"))
                .with("--data", labels("1e-200D * age")),
        "column 'label': the variance of the labels",
        "0 or not finite");
    cases.add(
        "equal labels under a loss with a scale",
        dir -> usual(dir).with("--model", regression("huber")).with("--data", labels("3D")),
        "--data",
        "column 'label'",
        "all labels of the corrected data are the same",
        "the scale that huber estimates would be 0");
    cases.data(
        "feature infinite",
        dir -> People.tableWith("age", Double.POSITIVE_INFINITY),
        "--data",
        "column 'features'",
        "NaN or infinite",
        "slot 0",
        "allowed are finite numbers");
    cases.data(
        "feature NULL",
        dir -> People.tableWith("age", null),
        "--data",
        "could not be read or featurised");
    cases.add(
        "vector with NaN",
        dir ->
            vectors(
                dir,
                vectorTable(0, RowFactory.create(1.0, nan(People.VECTOR_SIZE))),
                "  - removeFeatures: [\"features[3]\"]\n"),
        "--data",
        "column 'features'",
        "NaN or infinite",
        "slot 5",
        "allowed are finite numbers");
    cases.add(
        "vector of another size",
        dir ->
            vectors(
                dir,
                vectorTable(0, RowFactory.create(1.0, Vectors.zeros(7))),
                "  - removeFeatures: [\"features[3]\"]\n"),
        "column 'features' has 7 slots",
        "fitted on 12");
    cases.add(
        "vectors of two sizes",
        dir ->
            vectors(
                dir,
                vectorTable(200, RowFactory.create(1.0, Vectors.zeros(7))),
                "  - removeFeatures: [\"features[3]\"]\n"),
        "--data",
        "a row has 7 features, the model has 12");
    cases.data(
        "featurizer's column missing",
        dir -> People.write(People.dataset().drop("hours"), "parquet", "no-hours"),
        "the model reads column 'hours', which the table does not have",
        "there are user_id, age");
    cases.add(
        "indexer's column missing",
        dir ->
            usual(dir)
                .with("--model", People.model())
                .with("--data", People.write(People.dataset().drop("city"), "parquet", "no-city")),
        "the model reads column 'city', which the table does not have",
        "there are user_id, age");
    cases.data(
        "featurizer's column of another type",
        dir ->
            People.write(
                People.dataset().withColumn("hours", col("city")), "parquet", "hours-of-text"),
        "hours");
    cases.add(
        "unseen category",
        dir ->
            usual(dir)
                .with("--model", People.model())
                .with("--data", People.tableWith("city", "Xanadu")),
        "--data",
        "could not be read or featurised",
        "a category that the model's StringIndexer has not seen");
    cases.changes(
        "one class left",
        "  - removeRows: {where: \"label = 1\"}\n",
        "--data",
        "column 'label'",
        "one class only",
        "rows of both");
    cases.changes(
        "no row left", "  - removeRows: {where: \"age > 0\"}\n", "--data", "no row is left");
    cases.add(
        "test data missing",
        dir -> usual(dir).with("--test", dir.resolve("no-test")),
        "--test",
        "no-test",
        "exist");
    cases.add(
        "test data empty",
        dir ->
            usual(dir).with("--test", People.write(People.dataset().limit(0), "parquet", "empty")),
        "--test",
        "no rows");
    cases.add(
        "test data without label",
        dir ->
            usual(dir)
                .with("--test", People.write(People.dataset().drop("label"), "parquet", "test")),
        "--test",
        "'label'",
        "there are user_id, age");
    cases.add(
        "test data with an unseen category",
        dir ->
            usual(dir)
                .with("--model", People.model())
                .with("--test", People.tableWith("city", "Xanadu")),
        "--test",
        "could not be read or featurised");
    cases.add(
        "test data with a label outside its domain",
        dir -> usual(dir).with("--test", People.tableWith("label", 47114711.0)),
        "--test",
        "column 'label'",
        "1 of 240 labels are not",
        "0 or 1");
    cases.add(
        "corrected data with a removed row",
        dir -> usual(dir).without("--data").with("--corrected", People.table()),
        "changes[0].removeRows.where",
        "1 row(s) of the corrected data still match",
        "lethe apply");
    return cases.all;
  }

  static List<Case> requests() {
    Cases cases = new Cases();
    cases.add(
        "request missing",
        dir -> usual(dir).with("--request", dir.resolve("no-request.yaml")),
        "--request",
        "no-request.yaml",
        "exist");
    cases.add(
        "request is a directory",
        dir -> usual(dir).with("--request", Places.directory("requests")),
        "--request",
        "requests",
        "is a directory");
    cases.request(
        "request not YAML",
        "id: r-1\nchanges: [{removeRows: {where: \"user_id = 'u-4711'\"}",
        "request.yaml",
        "line 2",
        "not valid YAML");
    cases.request(
        "request not a mapping",
        "- u-4711\n",
        "request.yaml",
        "must be a mapping with id, changes");
    cases.request(
        "request empty", "", "request.yaml", "empty", "a request has the keys id and changes");
    cases.request(
        "unknown key",
        "id: r-1\nchanges:\n" + REMOVE_ROW + "reason: u-4711 asked\n",
        "request.yaml",
        "unknown key 'reason'",
        "allowed: id, changes, certificate, method, tau");
    cases.request(
        "expression as a key",
        "id: r-1\nchanges:\n  - removeRows: {\"user_id = 'u-4711'\": true}\n",
        "request.yaml",
        "changes[0].removeRows",
        "allowed: where");
    cases.request(
        "unknown method",
        "id: r-1\nchanges:\n" + REMOVE_ROW + "method: exact\n",
        "method",
        "'exact'",
        "first-order, second-order, refined");
    cases.changes(
        "unknown column in where",
        "  - removeRows: {where: \"usr = 'u-4711'\"}\n",
        "request.yaml",
        "changes[0].removeRows.where",
        "there are user_id, age");
    cases.changes(
        "unquoted value in where",
        "  - removeRows: {where: \"city = Xanadu\"}\n",
        "request.yaml",
        "changes[0].removeRows.where",
        "a string needs single quotes");
    cases.changes(
        "where is no SQL",
        "  - removeRows: {where: \"user_id IN ('u-4711'\"}\n",
        "changes[0].removeRows.where",
        "not a Spark SQL expression");
    cases.changes(
        "where is no condition",
        "  - removeRows: {where: \"concat(user_id, 'u-4711')\"}\n",
        "changes[0].removeRows.where",
        "must be a condition (boolean), not string");
    cases.changes(
        "unknown column in set",
        "  - replaceFeatures: {set: {wage: \"47114711\"}, where: \"user_id = 'u-4711'\"}\n",
        "changes[0].replaceFeatures.set",
        "'wage'",
        "there are user_id, age");
    cases.changes(
        "label in set",
        "  - replaceFeatures: {set: {label: \"1\"}, where: \"user_id = 'u-4711'\"}\n",
        "changes[0].replaceFeatures.set.label",
        "relabel");
    cases.changes(
        "unknown feature",
        "  - removeFeatures: [religion]\n",
        "changes[0].removeFeatures[0]",
        "'religion'",
        "there are user_id, age");
    cases.changes(
        "feature that the model does not use",
        "  - removeFeatures: [user_id]\n",
        "changes[0].removeFeatures[0]",
        "does not use",
        "'user_id'");
    cases.changes(
        "slot out of range",
        "  - removeFeatures: [\"features[10]\"]\n",
        "changes[0].removeFeatures[0]",
        "10");
    cases.changes(
        "slot of an unknown name",
        "  - removeFeatures: [\"features[religion]\"]\n",
        "changes[0].removeFeatures[0]",
        "religion");
    cases.changes(
        "no row matches",
        REMOVE_ROW + "  - removeRows: {where: \"user_id = 'u-47114711'\"}\n",
        "changes[1].removeRows.where",
        "matches no row");
    cases.changes(
        "non-deterministic where",
        "  - removeRows: {where: \"user_id = 'u-4711' AND rand() < 0.5\"}\n",
        "changes[0].removeRows.where",
        "'rand'",
        "deterministic function of its own row");
    cases.changes(
        "subquery",
        "  - removeRows: {where: \"age > (SELECT 47114711)\"}\n",
        "changes[0].removeRows.where",
        "subqueries are not allowed");
    cases.changes(
        "aggregate",
        "  - removeRows: {where: \"age = max(age)\"}\n",
        "changes[0].removeRows.where",
        "'max'",
        "aggregate");
    cases.changes(
        "relabel to an unknown class",
        "  - relabel: {to: \"47114711\", where: \"user_id = 'u-4711'\"}\n",
        "changes[0].relabel.to",
        "an integer from 0 to 1",
        "1 matched row");
    cases.changes(
        "relabel to NULL",
        "  - relabel: {to: \"NULL\", where: \"user_id = 'u-4711'\"}\n",
        "changes[0].relabel.to",
        "must not be NULL");
    cases.changes(
        "relabel to NaN",
        "  - relabel: {to: \"double('NaN')\", where: \"user_id = 'u-4711'\"}\n",
        "changes[0].relabel.to",
        "NaN");
    cases.changes(
        "relabel to text",
        "  - relabel: {to: \"'Xanadu'\", where: \"user_id = 'u-4711'\"}\n",
        "changes[0].relabel.to",
        "does not convert to double");
    cases.changes(
        "set to a value of another type",
        "  - replaceFeatures: {set: {hours: \"city\"}, where: \"user_id = 'u-4711'\"}\n",
        "changes[0].replaceFeatures.set.hours",
        "does not convert to int");
    cases.changes(
        "set to a fraction",
        "  - replaceFeatures: {set: {hours: \"47114711.5\"}, where: \"user_id = 'u-4711'\"}\n",
        "changes[0].replaceFeatures.set.hours",
        "not an integer");
    cases.changes(
        "set weight to zero",
        "  - replaceFeatures: {set: {weight: \"0\"}, where: \"user_id = 'u-4711'\"}\n",
        "changes[0].replaceFeatures.set.weight",
        "greater than 0");
    cases.add(
        "set to an unseen category",
        dir ->
            usual(dir)
                .with("--model", People.model())
                .with(
                    "--request",
                    requestFile(
                        dir,
                        "id: r-1\nchanges:\n  - replaceFeatures: {set: {city: \"'Xanadu'\"}, where:"
                            + " \"user_id = 'u-4711'\"}\n")),
        "--data",
        "could not be read or featurised",
        "a category that the model's StringIndexer has not seen");
    cases.changes(
        "expression that fails on a row",
        "  - removeRows: {where: \"1 / (age - age) > 47114711\"}\n",
        "changes[0].removeRows.where",
        "DIVIDE_BY_ZERO");
    cases.terms("epsilon 0", "{epsilon: 0, delta: 1e-5, rho: 1e-6}", "epsilon", "greater than 0");
    cases.terms("epsilon infinite", "{epsilon: .inf, delta: 1e-5, rho: 1e-6}", "epsilon", "finite");
    cases.terms(
        "delta 1", "{epsilon: 1, delta: 1, rho: 1e-6}", "delta", "at least 0 and less than 1");
    cases.terms(
        "delta negative", "{epsilon: 1, delta: -1e-9, rho: 1e-6}", "delta", "at least 0 and less");
    cases.terms(
        "delta NaN", "{epsilon: 1, delta: .nan, rho: 1e-6}", "delta", "at least 0 and less than 1");
    cases.terms(
        "epsilon negative", "{epsilon: -1, delta: 0, rho: 1e-6}", "epsilon", "greater than 0");
    cases.terms(
        "pure epsilon so large that sampling costs a delta",
        "{epsilon: 30, delta: 0, rho: 1e-6}",
        "certificate: epsilon = 30.0: too large for delta = 0",
        "Give a delta");
    cases.terms(
        "delta below what sampling costs",
        "{epsilon: 1, delta: 1e-12, rho: 1e-6}",
        "certificate: delta",
        "too small for");
    cases.terms(
        "no grid for such a sigma",
        "{epsilon: 1, delta: 1e-5, rho: 1e-310}",
        "certificate.rho = 1.0E-310",
        "The smallest rho for this epsilon, delta and model is ");
    cases.terms("rho negative", "{epsilon: 1, delta: 1e-5, rho: -1e-6}", "rho", "greater than 0");
    cases.add(
        "rho too small for the grid",
        dir ->
            usual(dir)
                .with("--model", People.model())
                .with(
                    "--request",
                    requestFile(
                        dir,
                        "id: r-1\nchanges:\n"
                            + REMOVE_ROW
                            + "certificate: {epsilon: 1, delta: 1e-5, rho: 1e-14}\n")),
        "certificate.rho = 1.0E-14",
        "The smallest rho for this epsilon, delta and model is ");
    cases.add(
        "rho too small for the grid of pure noise",
        dir ->
            usual(dir)
                .with("--model", People.model())
                .with(
                    "--request",
                    requestFile(
                        dir,
                        "id: r-1\nchanges:\n"
                            + REMOVE_ROW
                            + "certificate: {epsilon: 1, delta: 0, rho: 1e-14}\n")),
        "certificate.rho = 1.0E-14",
        "The smallest rho for this epsilon, delta and model is ");
    cases.add(
        "rho below what rounding allows",
        BadInputTest::beyondRounding,
        "request.yaml",
        "certificate.rho",
        "out of reach",
        "choose rho >= ");
    cases.add(
        "feature in a Normalizer",
        dir ->
            usual(dir)
                .with(
                    "--model",
                    mixed(new Normalizer().setInputCol("features").setOutputCol("mixed"), 2))
                .with(
                    "--request",
                    requestFile(
                        dir, "id: r-1\nchanges: [{removeFeatures: [hours]}]\n" + CERTIFICATE)),
        "changes[0].removeFeatures[0]",
        "Normalizer",
        "hours");
    cases.add(
        "feature in a PCA",
        dir ->
            usual(dir)
                .with(
                    "--model",
                    mixed(new PCA().setK(1).setInputCol("features").setOutputCol("mixed"), 1))
                .with(
                    "--request",
                    requestFile(
                        dir, "id: r-1\nchanges: [{removeFeatures: [hours]}]\n" + CERTIFICATE)),
        "changes[0].removeFeatures[0]",
        "PCA",
        "hours");
    cases.changes(
        "all features removed",
        "  - removeFeatures: [age, hours]\n",
        "changes[0].removeFeatures[0]",
        "every one of the 2 features",
        "leave at least one");
    cases.changes(
        "label removed",
        "  - removeFeatures: [label]\n",
        "changes[0].removeFeatures[0]",
        "is the label column; it is not a feature");
    cases.changes(
        "weight removed",
        "  - removeFeatures: [weight]\n",
        "changes[0].removeFeatures[0]",
        "is the weight column; it is not a feature");
    return cases.all;
  }

  static List<Case> places() {
    Cases cases = new Cases();
    cases.add(
        "out exists",
        dir -> usual(dir).with("--out", Places.directory("published")),
        "out",
        "published",
        "already exists");
    cases.add(
        "out below a file",
        dir -> {
          Path file = Places.write(dir.resolve("file"), "x");
          return usual(dir).with("--out", file.resolve("out"));
        },
        "out",
        "file/out",
        "cannot be written");
    cases.add(
        "vault is a file",
        dir -> usual(dir).with("--vault", Places.write(dir.resolve("safe"), "x")),
        "vault",
        "safe",
        "must be a directory");
    cases.add(
        "vault below out",
        dir -> usual(dir).with("--vault", dir.resolve("out/vault")),
        "vault",
        "is below",
        "must be apart from the output, the model and the data");
    cases.add(
        "vault is out",
        dir -> usual(dir).with("--vault", dir.resolve("out")),
        "vault",
        "must be apart");
    cases.add("vault around out", dir -> usual(dir).with("--vault", dir), "vault", "is above");
    cases.add(
        "vault is the model",
        dir -> usual(dir).with("--vault", People.smallModel()),
        "vault",
        "must be apart");
    cases.add(
        "vault is the data",
        dir -> usual(dir).with("--vault", People.table()),
        "vault",
        "must be apart");
    cases.add(
        "vault below the data",
        dir -> usual(dir).with("--vault", People.table().resolve("vault")),
        "vault",
        "is below",
        "must be apart");
    cases.add(
        "out below the model",
        dir -> usual(dir).with("--out", People.smallModel().resolve("out")),
        "out",
        "is below",
        "name a place apart from the model and the data");
    cases.add(
        "out below the data",
        dir -> usual(dir).with("--out", People.table().resolve("out")),
        "out",
        "is below",
        "name a place apart from the model and the data");
    cases.add(
        "data and corrected data",
        dir -> usual(dir).with("--corrected", People.table()),
        "exactly one of --data and --corrected",
        "not both");
    cases.add(
        "neither data nor corrected data",
        dir -> usual(dir).without("--data"),
        "exactly one of --data and --corrected",
        "not none");
    cases.add(
        "no request",
        dir -> usual(dir).without("--request"),
        "Missing required option",
        "--request");
    cases.add(
        "unknown option", dir -> usual(dir).with("--force", "yes"), "Unknown option", "--force");
    cases.add(
        "unknown solver",
        dir -> usual(dir).with("--solver", "nonsense"),
        "--solver",
        "nonsense",
        "[AUTO, CG, CHOLESKY] (case-insensitive)");
    cases.add(
        "no steps",
        dir -> usual(dir).with("--max-steps", 0),
        "--max-steps 0",
        "must be at least 1");
    cases.add(
        "no iterations",
        dir -> usual(dir).with("--max-cg-iterations", -3),
        "--max-cg-iterations -3",
        "must be at least 1");
    cases.add(
        "partitions negative",
        dir -> usual(dir).with("--partitions", -1),
        "--partitions -1",
        "must be 0 or a positive number");
    cases.add(
        "partitions not a number",
        dir -> usual(dir).with("--partitions", "many"),
        "--partitions",
        "many",
        "int");
    return cases.all;
  }

  static List<Case> otherCommands() {
    Cases cases = new Cases();
    cases.add(
        "train like a model with another penalty",
        dir -> like(dir).with("--reg-param", "0.1"),
        "--like",
        "leave out",
        "--reg-param");
    cases.add(
        "train like no model",
        dir -> like(dir).with("--like", dir.resolve("no-model")),
        "--like",
        "no-model",
        "exist");
    cases.add(
        "train on a file without a header",
        dir ->
            trained(dir)
                .without("--features")
                .with("--data", headless(dir))
                .with("--format", "csv"),
        "--label",
        "'label'",
        "there are 4 columns; their names are not shown",
        "check --option header");
    cases.add(
        "train on a date that nothing names",
        dir ->
            trained(dir)
                .without("--features")
                .with("--data", Places.write(dir.resolve("d.csv"), "label,Xanadu\n1,2020-02-02\n"))
                .with("--format", "csv"),
        "--features: column number 2 is date",
        "allowed are numbers, booleans, strings and vectors");
    cases.add(
        "train without label",
        dir -> trained(dir).without("--label"),
        "--label",
        "required without --like");
    cases.add(
        "train on an unknown label",
        dir -> trained(dir).with("--label", "outcome"),
        "--label",
        "'outcome'",
        "there are user_id, age");
    cases.add(
        "train on an unknown feature",
        dir -> trained(dir).with("--features", "age,wage"),
        "--features",
        "'wage'",
        "there are user_id, age");
    cases.add(
        "train on the label as a feature",
        dir -> trained(dir).with("--features", "age,label"),
        "--features",
        "'label'");
    cases.add(
        "train with an unknown weight",
        dir -> trained(dir).with("--weight", "mass"),
        "--weight",
        "'mass'",
        "there are user_id, age");
    cases.add(
        "train to no gradient norm",
        dir -> trained(dir).with("--gradient-norm", "0"),
        "--gradient-norm 0.0",
        "greater than 0");
    cases.add(
        "train with a negative penalty",
        dir -> trained(dir).with("--reg-param", "-1"),
        "--reg-param -1.0",
        "at least 0");
    cases.add(
        "train with a request but no model",
        dir -> trained(dir).with("--request", requestFile(dir, "id: r-1\n")),
        "--request",
        "needs --like");
    cases.add(
        "train with an unknown pipeline",
        dir -> trained(dir).without("--features").with("--pipeline", dir.resolve("no-pipeline")),
        "--pipeline",
        "no-pipeline",
        "exist");
    cases.add(
        "train with a predictor for a pipeline",
        dir -> trained(dir).without("--features").with("--pipeline", People.vectorModel()),
        "--pipeline",
        "allowed are Pipeline and PipelineModel");
    cases.add(
        "train on no rows",
        dir ->
            trained(dir).with("--data", People.write(People.dataset().limit(0), "parquet", "no")),
        "--data",
        "no row");
    cases.add(
        "train on one class",
        dir ->
            trained(dir)
                .with(
                    "--data",
                    People.write(People.dataset().where("label = 1"), "parquet", "one-class")),
        "--data",
        "column 'label'",
        "one class only");
    cases.add(
        "train where something is",
        dir -> trained(dir).with("--out", Places.directory("here")),
        "out",
        "here",
        "already exists");
    cases.add(
        "train and compare with no evidence",
        dir -> trained(dir).with("--evidence", dir.resolve("no-evidence.json")),
        "--evidence",
        "no-evidence.json",
        "exist");
    cases.add(
        "train and compare with a directory",
        dir -> trained(dir).with("--evidence", Places.directory("evidence")),
        "--evidence",
        "evidence");
    cases.add(
        "verify without certificate",
        dir -> verification(dir).with("--certificate", dir.resolve("no-certificate.json")),
        "--certificate",
        "no-certificate.json",
        "exist");
    cases.add(
        "verify a directory",
        dir -> verification(dir).with("--certificate", Places.directory("certificates")),
        "--certificate",
        "certificates");
    cases.add(
        "verify garbage",
        dir ->
            verification(dir)
                .with("--certificate", Places.write(dir.resolve("c.json"), "{\"u-4711\": ")),
        "c.json",
        "JSON");
    cases.add(
        "verify a certificate of the future",
        dir ->
            verification(dir)
                .with(
                    "--certificate",
                    Places.write(dir.resolve("c.json"), "{\"schemaVersion\": 99}")),
        "c.json",
        "schemaVersion is 99",
        "reads schemaVersion 1");
    cases.add(
        "verify no model",
        dir -> verification(dir).with("--model", dir.resolve("no-model")),
        "model",
        "no-model",
        "exist");
    cases.add(
        "verify with an empty vault",
        dir ->
            verification(dir)
                .with("--vault", Places.directory("empty-vault"))
                .with("--data", People.table())
                .with("--request", requestFile(dir, "id: r-1\nchanges:\n" + REMOVE_ROW)),
        "vault",
        "empty-vault",
        "digest.key");
    cases.add(
        "verify without the evidence",
        dir -> {
          Path vault = Places.directory("other-vault");
          Places.copy(
              Releases.certified().vault().resolve("digest.key"), vault.resolve("digest.key"));
          return verification(dir)
              .with("--vault", vault)
              .with("--data", People.table())
              .with("--request", requestFile(dir, "id: r-1\nchanges:\n" + REMOVE_ROW));
        },
        "vault",
        "other-vault",
        "no evidence for the certificate");
    cases.add(
        "verify data without request",
        dir ->
            verification(dir)
                .with("--vault", Releases.certified().vault())
                .with("--data", People.table()),
        "--data needs --request");
    cases.add(
        "verify data without vault",
        dir -> verification(dir).with("--data", People.table()),
        "--data",
        "need --vault");
    cases.add(
        "verify with the vault alone",
        dir -> verification(dir).with("--vault", Releases.certified().vault()),
        "--vault needs exactly one of --data and --corrected",
        "not none");
    cases.add(
        "apply to an unknown column",
        dir ->
            applied(dir)
                .with(
                    "--request",
                    requestFile(
                        dir, "id: r-1\nchanges: [{removeRows: {where: \"x = 'u-4711'\"}}]\n")),
        "changes[0].removeRows.where",
        "there are user_id, age");
    cases.add(
        "apply the removal of a column that the model does not know",
        dir ->
            applied(dir)
                .with("--model", People.smallModel())
                .with(
                    "--request",
                    requestFile(dir, "id: r-1\nchanges: [{removeFeatures: [religion]}]\n")),
        "neither the table nor the model has a column 'religion'");
    cases.add(
        "apply the removal of a column that the model does not use",
        dir ->
            applied(dir)
                .with("--model", People.smallModel())
                .with(
                    "--request",
                    requestFile(dir, "id: r-1\nchanges: [{removeFeatures: [city]}]\n")),
        "changes[0].removeFeatures[0]",
        "does not use column 'city'");
    cases.add(
        "apply a label that the model does not know",
        dir ->
            applied(dir)
                .without("--label")
                .with("--model", People.smallModel())
                .with(
                    "--request",
                    requestFile(
                        dir,
                        "id: r-1\nchanges: [{relabel: {to: \"47114711\", where: \"user_id ="
                            + " 'u-4711'\"}}]\n")),
        "changes[0].relabel.to",
        "an integer from 0 to 1",
        "1 matched row");
    cases.add(
        "apply without label and model",
        dir -> applied(dir).without("--label"),
        "--label",
        "required without --model");
    cases.add(
        "apply to a CSV whose rows are longer than its header",
        dir ->
            applied(dir)
                .with("--format", "csv")
                .with(
                    "--data",
                    Places.write(
                        dir.resolve("longer.csv"), "user_id,label\nu-4711,1\nu-4712,0,Xanadu\n")),
        "--data",
        "more or fewer cells than its header");
    cases.add(
        "apply and drop rows that do not parse",
        dir ->
            applied(dir)
                .with("--format", "csv")
                .with("--option", "mode=DROPMALFORMED")
                .with(
                    "--data", Places.write(dir.resolve("people.csv"), "user_id,label\nu-4711,1\n")),
        "--option mode=DROPMALFORMED",
        "allowed are PERMISSIVE and FAILFAST");
    cases.add(
        "apply the removal of the label",
        dir ->
            applied(dir)
                .with(
                    "--request",
                    requestFile(dir, "id: r-1\nchanges: [{removeFeatures: [label]}]\n")),
        "changes[0].removeFeatures[0]",
        "is the label column; it is not a feature");
    cases.add(
        "apply the removal of a slot out of range",
        dir ->
            applied(dir)
                .with("--data", People.vectorTable())
                .with(
                    "--request",
                    requestFile(dir, "id: r-1\nchanges: [{removeFeatures: [\"features[12]\"]}]\n")),
        "removeFeatures",
        "features[12]",
        "12 slots");
    cases.add(
        "apply where something is",
        dir -> applied(dir).with("--out", Places.directory("tables")),
        "out",
        "tables",
        "already exists");
    cases.add(
        "apply with an unknown label",
        dir -> applied(dir).with("--label", "outcome"),
        "label column 'outcome'",
        "there are user_id, age");
    cases.add(
        "apply to unreadable data",
        dir -> applied(dir).with("--data", corruptPages(dir)),
        "--data");
    cases.add(
        "demo where something is",
        dir -> Invocation.demo(Places.directory("demo")),
        "--dir",
        "demo",
        "name a new folder");
    return cases.all;
  }

  /** Spark logs a stack trace for every row that it fails on: those of these tests mean nothing. */
  @BeforeAll
  static void silenceSpark() {
    LocalSpark.session().sparkContext().setLogLevel("OFF");
  }

  @AfterAll
  static void letSparkSpeak() {
    LocalSpark.session().sparkContext().setLogLevel("ERROR");
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource({"models", "tables", "requests", "places", "otherCommands"})
  void run_badInput_refusesWithAMessageAndWritesNothing(Case c) {
    Path dir = Places.directory("bad-input");
    Invocation command = c.command().apply(dir);
    List<Path> watched = watched(dir, command);
    List<Map<String, String>> before = watched.stream().map(Places::content).toList();

    Outcome outcome = command.run();

    assertThat(outcome.code()).as("%s", outcome).isEqualTo(2);
    assertThat(outcome.err()).contains(c.message()).doesNotContain("\tat ");
    assertThat(outcome.err()).doesNotContain(PERSONAL);
    assertThat(outcome.out()).isEmpty();
    assertThat(watched.stream().map(Places::content).toList()).isEqualTo(before);
  }

  /** The case's own directory and every directory beside which or into which something may go. */
  private static List<Path> watched(Path dir, Invocation command) {
    List<Path> watched = new ArrayList<>(List.of(dir));
    List<String> arguments = command.arguments();
    for (int i = 0; i + 1 < arguments.size(); i++) {
      if (List.of("--out", "--vault", "--model", "--data").contains(arguments.get(i))) {
        Path parent = Path.of(arguments.get(i + 1)).toAbsolutePath().getParent();
        if (Files.isDirectory(parent)) {
          watched.add(parent);
        }
      }
    }
    return watched;
  }

  /** Its penalty needs no variances. */
  private static Path unstandardized() {
    LogisticRegressionModel predictor = People.predictor(2);
    predictor.set(predictor.standardization(), false);
    return People.smallModelWith(predictor);
  }

  private static Path regression(String loss) {
    LinearRegressionModel predictor =
        new LinearRegressionModel("linreg_given", Vectors.zeros(2), 0, 1);
    predictor.set("regParam", 0.01);
    predictor.set("loss", loss);
    return People.smallModelWith(predictor);
  }

  private static Path labels(String expression) {
    return People.write(
        People.dataset().withColumn("label", functions.expr(expression)), "parquet", "people");
  }

  private static Invocation like(Path dir) {
    return Invocation.train(People.table(), "label", dir.resolve("out"))
        .without("--label")
        .with("--like", People.model());
  }

  private static Invocation trained(Path dir) {
    return Invocation.train(People.table(), "label", dir.resolve("out"))
        .with("--features", "age,hours");
  }

  private static Invocation applied(Path dir) {
    return Invocation.apply(
        People.table(),
        "label",
        requestFile(dir, "id: r-1\nchanges:\n" + REMOVE_ROW),
        dir.resolve("out"));
  }

  private static Invocation verification(Path dir) {
    return Invocation.verify(Releases.certified().out());
  }

  /** A pipeline with a stage between assembler and predictor. */
  private static Path mixed(PipelineStage stage, int slots) {
    Transformer fitted =
        new Pipeline().setStages(new PipelineStage[] {stage}).fit(twoSlots()).stages()[0];
    LogisticRegressionModel predictor = People.predictor(slots);
    predictor.setFeaturesCol("mixed");
    return People.smallModelWith(fitted, predictor);
  }

  private static Dataset<Row> twoSlots() {
    return LocalSpark.session()
        .createDataFrame(
            List.of(
                RowFactory.create(0.0, Vectors.dense(1, 2)),
                RowFactory.create(1.0, Vectors.dense(2, 1)),
                RowFactory.create(1.0, Vectors.dense(3, 5))),
            People.VECTORS);
  }

  /** Nothing is penalised enough, and two columns are almost the same. */
  private static Invocation beyondRounding(Path dir) {
    StructType schema =
        new StructType()
            .add("label", DataTypes.DoubleType)
            .add("a", DataTypes.DoubleType)
            .add("b", DataTypes.DoubleType);
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < 200; i++) {
      double a = 1000 * Math.sin(i);
      rows.add(RowFactory.create(i % 3 == 0 ? 1.0 : 0.0, a, 1000 * Math.cos(2.0 * i)));
    }
    LogisticRegressionModel predictor = People.predictor(2);
    predictor.set(predictor.regParam(), 1e-13);
    predictor.set(predictor.fitIntercept(), false);
    predictor.set(predictor.standardization(), false);
    Path model =
        People.save(
            new PipelineModel(
                "pipeline_ab",
                new Transformer[] {
                  new VectorAssembler()
                      .setInputCols(new String[] {"a", "b"})
                      .setOutputCol("features"),
                  predictor
                }),
            "unpenalised");
    return usual(dir)
        .with("--model", model)
        .with(
            "--data",
            People.write(LocalSpark.session().createDataFrame(rows, schema), "parquet", "small"))
        .with(
            "--request",
            requestFile(
                dir,
                "id: r-1\nchanges: [{removeRows: {where: \"a > 999\"}}]\n"
                    + "certificate: {epsilon: 1, delta: 1e-5, rho: 1e-20}\n"));
  }

  /** A CSV file whose first row is a person. */
  private static Path headless(Path dir) {
    return Places.write(dir.resolve("people.csv"), "u-4711,Xanadu,40,1\nu-4712,Ulm,38,0\n");
  }

  private static Path vectorTable(int at, Row row) {
    List<Row> rows = new ArrayList<>(People.vectors());
    rows.set(at, row);
    return People.write(
        LocalSpark.session().createDataFrame(rows, People.VECTORS), "parquet", "vectors");
  }

  private static Vector nan(int size) {
    double[] values = new double[size];
    values[5] = Double.NaN;
    return Vectors.dense(values);
  }

  /** A Parquet file whose footer is sound and whose pages are not. */
  private static Path corruptPages(Path dir) {
    Path copy = Places.copy(People.table(), Places.unused("damaged"));
    try {
      for (Path file : Files.list(copy).toList()) {
        String name = file.getFileName().toString();
        if (name.endsWith(".crc")) {
          Files.delete(file);
        } else if (name.endsWith(".parquet")) {
          byte[] bytes = Files.readAllBytes(file);
          Arrays.fill(bytes, 8, bytes.length / 4, (byte) 0x55);
          Files.write(file, bytes);
        }
      }
      return copy;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
