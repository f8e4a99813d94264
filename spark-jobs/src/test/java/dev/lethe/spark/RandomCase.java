package dev.lethe.spark;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.function.Predicate;
import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.classification.LogisticRegression;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.ml.feature.OneHotEncoder;
import org.apache.spark.ml.feature.OneHotEncoderModel;
import org.apache.spark.ml.feature.StringIndexer;
import org.apache.spark.ml.feature.StringIndexerModel;
import org.apache.spark.ml.feature.VectorAssembler;
import org.apache.spark.ml.linalg.SQLDataTypes;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.jspecify.annotations.Nullable;

/**
 * A random table, model and request, and what the request means, done by hand on rows in memory: no
 * SQL, no featurizer, none of Lethe's code.
 *
 * <p>A raw table has the columns id, tag (NULL in a third of the rows), a, b, c, color, size, label
 * and weight; a vector table has id, tag, v, u, label and weight.
 */
final class RandomCase {
  private static final List<String> COLORS = List.of("red", "green", "blue", "grey");
  private static final List<String> SIZES = List.of("small", "large", "huge");

  /** A row of either table; columns by name. */
  private static final class Record {
    private final Map<String, Object> values = new LinkedHashMap<>();

    private double number(String column) {
      return ((Number) values.get(column)).doubleValue();
    }

    private boolean is(String column, Object value) {
      return value.equals(values.get(column));
    }

    private Record copy() {
      Record copy = new Record();
      copy.values.putAll(values);
      return copy;
    }
  }

  /** SQL of a condition, and the same in Java. */
  private record Condition(String sql, Predicate<Record> matches) {}

  /** A column's new value in SQL, and the same in Java. */
  private record Value(String column, String sql, Function<Record, Object> of) {}

  /** Rows that a change applies to; no values: the row is removed. */
  private record RowChange(Condition where, List<Value> values) {}

  private final SplittableRandom random;
  private final boolean raw;
  private final boolean stringLabel;
  private final boolean sparse;
  private final int width;
  private final List<Record> rows = new ArrayList<>();
  private final List<RowChange> rowChanges = new ArrayList<>();
  private final List<String> removedColumns = new ArrayList<>();
  private final List<Integer> removedSlots = new ArrayList<>();
  final boolean weighted;
  final boolean intercept;
  final boolean standardization;
  final double regParam;
  private @Nullable PipelineModel featurizer;

  RandomCase(long seed) {
    random = new SplittableRandom(seed);
    raw = random.nextInt(2) == 0;
    stringLabel = raw && random.nextBoolean();
    sparse = random.nextBoolean();
    weighted = random.nextBoolean();
    intercept = random.nextInt(3) > 0;
    standardization = random.nextBoolean();
    double[] choices = raw ? new double[] {1e-5, 1e-3, 0.05} : new double[] {0, 1e-5, 1e-3, 0.05};
    regParam = choices[random.nextInt(choices.length)];
    width = regParam == 0 ? 3 + random.nextInt(3) : 3 + random.nextInt(6);
    int n = regParam == 0 ? 250 : 60 + random.nextInt(150);
    for (int id = 0; id < n; id++) {
      rows.add(raw ? rawRecord(id) : vectorRecord(id));
    }
    do {
      request();
    } while (!isSensible());
  }

  // ---- the table

  private Record rawRecord(int id) {
    Record row = record(id);
    row.values.put("a", 2 * random.nextGaussian());
    row.values.put("b", 5 + random.nextGaussian());
    row.values.put("c", random.nextInt(6));
    row.values.put("color", COLORS.get(Math.min(random.nextInt(5), 3)));
    row.values.put("size", SIZES.get(random.nextInt(3)));
    double s = 0.7 * row.number("a") - 0.3 * row.number("c") + (row.is("color", "red") ? 1.5 : 0);
    label(row, s + 0.5);
    return row;
  }

  private Record vectorRecord(int id) {
    Record row = record(id);
    double[] v = new double[width];
    double[] u = new double[width];
    for (int j = 0; j < width; j++) {
      boolean present = !sparse || random.nextInt(3) == 0;
      v[j] = present ? (j + 1) * 0.5 * random.nextGaussian() : 0;
      u[j] = random.nextBoolean() ? v[j] : random.nextGaussian();
    }
    row.values.put("v", v);
    row.values.put("u", u);
    label(row, v[0] - 0.5 * v[1] + 0.3);
    return row;
  }

  private Record record(int id) {
    Record row = new Record();
    row.values.put("id", (long) id);
    row.values.put("tag", random.nextInt(3) == 0 ? null : random.nextInt(4) == 0 ? "x" : "y");
    return row;
  }

  private void label(Record row, double s) {
    boolean positive = random.nextDouble() < 1 / (1 + Math.exp(-s));
    if (stringLabel) {
      row.values.put("label", positive ? "yes" : "no");
    } else {
      row.values.put("label", positive ? 1.0 : 0.0);
    }
    row.values.put("weight", 0.25 + 2 * random.nextDouble());
  }

  StructType schema() {
    StructType schema = new StructType().add("id", "long").add("tag", "string");
    schema =
        raw
            ? schema
                .add("a", "double")
                .add("b", "double")
                .add("c", "int")
                .add("color", "string")
                .add("size", "string")
            : schema.add("v", SQLDataTypes.VectorType()).add("u", SQLDataTypes.VectorType());
    return schema
        .add("label", stringLabel ? DataTypes.StringType : DataTypes.DoubleType)
        .add("weight", "double");
  }

  private Dataset<Row> table(SparkSession spark, List<Record> records) {
    List<Row> list = new ArrayList<>();
    for (Record r : records) {
      Object[] values = r.values.values().toArray();
      for (int k = 0; k < values.length; k++) {
        if (values[k] instanceof double[] v) {
          Vector dense = Vectors.dense(v);
          values[k] = sparse ? dense.toSparse() : dense;
        }
      }
      list.add(RowFactory.create(values));
    }
    return spark.createDataFrame(list, schema()).repartition(1 + random.nextInt(3));
  }

  Dataset<Row> table(SparkSession spark) {
    return table(spark, rows);
  }

  /** The corrected rows, by hand, in the order of {@link #truth}. */
  Dataset<Row> correctedTable(SparkSession spark) {
    return table(spark, corrected());
  }

  // ---- the request

  private void request() {
    rowChanges.clear();
    removedColumns.clear();
    removedSlots.clear();
    if (random.nextInt(10) < 6) {
      removeFeatures();
    }
    int changes = random.nextInt(4);
    for (int k = 0; k < changes; k++) {
      Condition where = condition();
      switch (random.nextInt(3)) {
        case 0 -> rowChanges.add(new RowChange(where, List.of()));
        case 1 -> rowChanges.add(new RowChange(where, List.of(newLabel())));
        default -> rowChanges.add(new RowChange(where, newValues()));
      }
    }
  }

  private void removeFeatures() {
    if (raw) {
      List<String> columns = new ArrayList<>(List.of("a", "b", "c", "color", "size"));
      for (int k = 1 + random.nextInt(3); k > 0; k--) {
        removedColumns.add(columns.remove(random.nextInt(columns.size())));
      }
      if (random.nextInt(4) == 0) {
        removedSlots.add(random.nextInt(3)); // of a, b, c in the assembled vector
      }
    } else {
      for (int k = 1 + random.nextInt(2); k > 0; k--) {
        int slot = random.nextInt(width);
        if (!removedSlots.contains(slot)) {
          removedSlots.add(slot);
        }
      }
    }
  }

  private Condition condition() {
    int k = random.nextInt(5);
    List<Condition> choices = new ArrayList<>();
    choices.add(new Condition("id % 7 = " + k, r -> r.number("id") % 7 == k));
    choices.add(
        new Condition(
            "id BETWEEN " + 10 * k + " AND " + (10 * k + 6),
            r -> r.number("id") >= 10 * k && r.number("id") <= 10 * k + 6));
    choices.add(new Condition("tag = 'x'", r -> r.is("tag", "x")));
    // NULL is no match
    choices.add(
        new Condition(
            "tag <> 'y' OR id = 3",
            r -> r.values.get("tag") != null && !r.is("tag", "y") || r.number("id") == 3));
    choices.add(
        stringLabel
            ? new Condition(
                "label = 'yes' AND id < 20", r -> r.is("label", "yes") && r.number("id") < 20)
            : new Condition(
                "label = 1 AND id < 20", r -> r.is("label", 1.0) && r.number("id") < 20));
    if (raw) {
      choices.add(
          new Condition(
              "a > 2.5 AND size = 'huge'", r -> r.number("a") > 2.5 && r.is("size", "huge")));
      choices.add(
          new Condition(
              "c IN (2, 5) AND b < 4",
              r -> List.of(2.0, 5.0).contains(r.number("c")) && r.number("b") < 4));
      choices.add(new Condition("color = 'green'", r -> r.is("color", "green")));
    }
    return choices.get(random.nextInt(choices.size()));
  }

  private Value newLabel() {
    if (stringLabel) {
      return random.nextBoolean()
          ? new Value("label", "'no'", r -> "no")
          : new Value(
              "label",
              "CASE WHEN label = 'yes' THEN 'no' ELSE 'yes' END",
              r -> r.is("label", "yes") ? "no" : "yes");
    }
    return random.nextBoolean()
        ? new Value("label", "0", r -> 0.0)
        : new Value("label", "1 - label", r -> 1 - r.number("label"));
  }

  private List<Value> newValues() {
    List<Value> all = new ArrayList<>();
    if (weighted) {
      all.add(new Value("weight", "0.5 * weight", r -> 0.5 * r.number("weight")));
    }
    if (raw) {
      all.add(new Value("a", "a + 1.5", r -> r.number("a") + 1.5));
      all.add(new Value("a", "b", r -> r.number("b")));
      all.add(new Value("b", "a", r -> r.number("a")));
      all.add(new Value("b", "0", r -> 0.0));
      all.add(new Value("c", "c + 1", r -> (int) r.number("c") + 1));
      all.add(new Value("color", "'blue'", r -> "blue"));
      all.add(
          new Value(
              "size",
              "CASE WHEN size = 'small' THEN 'large' ELSE size END",
              r -> r.is("size", "small") ? "large" : r.values.get("size")));
    } else {
      all.add(new Value("v", "u", r -> r.values.get("u")));
    }
    Collections.shuffle(all, new Random(random.nextLong()));
    List<Value> chosen = new ArrayList<>();
    for (Value value : all) {
      boolean twice = chosen.stream().anyMatch(v -> v.column().equals(value.column()));
      // setting what the same request removes is refused
      if (chosen.size() < 2 && !twice && !removedColumns.contains(value.column())) {
        chosen.add(value);
      }
    }
    return chosen;
  }

  /** Whether Lethe is to accept the request, and enough of both classes is left. */
  private boolean isSensible() {
    if (rowChanges.isEmpty() && removedColumns.isEmpty() && removedSlots.isEmpty()) {
      return false;
    }
    for (RowChange change : rowChanges) {
      boolean setsRemoved =
          !removedSlots.isEmpty() && change.values().stream().anyMatch(v -> v.column().equals("v"));
      if (rows.stream().noneMatch(change.where().matches()) || setsRemoved) {
        return false;
      }
    }
    List<Record> corrected = corrected();
    long positive = corrected.stream().filter(r -> y(r) == 1).count();
    return positive >= 10 && corrected.size() - positive >= 10;
  }

  /** The request as a file. */
  String request(double epsilon, double delta, double rho) {
    StringBuilder yaml = new StringBuilder("id: property-test\nchanges:\n");
    List<String> features = new ArrayList<>(removedColumns);
    removedSlots.forEach(slot -> features.add((raw ? "features[" : "v[") + slot + "]"));
    if (!features.isEmpty()) {
      yaml.append("  - removeFeatures: [");
      yaml.append(String.join(", ", features.stream().map(f -> '"' + f + '"').toList()));
      yaml.append("]\n");
    }
    for (RowChange change : rowChanges) {
      String where = "where: \"" + change.where().sql() + "\"";
      if (change.values().isEmpty()) {
        yaml.append("  - removeRows: {" + where + "}\n");
      } else if (change.values().get(0).column().equals("label")) {
        yaml.append("  - relabel: {to: \"" + change.values().get(0).sql() + "\", " + where + "}\n");
      } else {
        yaml.append("  - replaceFeatures: {set: {");
        yaml.append(
            String.join(
                ", ",
                change.values().stream().map(v -> v.column() + ": \"" + v.sql() + '"').toList()));
        yaml.append("}, " + where + "}\n");
      }
    }
    return yaml
        + "certificate: {epsilon: "
        + epsilon
        + ", delta: "
        + delta
        + ", rho: "
        + rho
        + "}\n";
  }

  /** Every condition and value sees the original row; the last change of a column wins. */
  private List<Record> corrected() {
    List<Record> corrected = new ArrayList<>();
    for (Record original : rows) {
      Record row = original.copy();
      boolean kept = true;
      for (RowChange change : rowChanges) {
        if (change.where().matches().test(original)) {
          kept &= !change.values().isEmpty();
          for (Value value : change.values()) {
            row.values.put(value.column(), value.of().apply(original));
          }
        }
      }
      if (kept) {
        corrected.add(row);
      }
    }
    return corrected;
  }

  // ---- the model

  /** The model to unlearn from: a rough fit by Spark ML, or no fit at all. */
  Transformer model(Dataset<Row> table) {
    boolean fitted = random.nextBoolean();
    PipelineModel stages = null;
    if (raw) {
      stages = featurizer(table);
      featurizer = stages;
    }
    Dataset<Row> featurized = stages == null ? table : stages.transform(table);
    String label = stringLabel ? "label_index" : "label";
    LogisticRegressionModel predictor;
    if (fitted) {
      LogisticRegression estimator =
          new LogisticRegression()
              .setMaxIter(3)
              .setRegParam(regParam)
              .setStandardization(standardization)
              .setFitIntercept(intercept)
              .setFeaturesCol(raw ? "features" : "v")
              .setLabelCol(label);
      predictor = (weighted ? estimator.setWeightCol("weight") : estimator).fit(featurized);
    } else {
      int d = raw ? featurized.head().<Vector>getAs("features").size() : width;
      predictor =
          new LogisticRegressionModel(
              "start",
              Vectors.dense(random.doubles(d, -0.5, 0.5).toArray()),
              intercept ? 0.3 : 0.0);
      predictor.set(predictor.regParam(), regParam);
      predictor.set(predictor.standardization(), standardization);
      predictor.set(predictor.fitIntercept(), intercept);
      predictor.set(predictor.featuresCol(), raw ? "features" : "v");
      predictor.set(predictor.labelCol(), label);
      if (weighted) {
        predictor.set(predictor.weightCol(), "weight");
      }
    }
    if (stages == null) {
      return predictor;
    }
    List<Transformer> all = new ArrayList<>(List.of(stages.stages()));
    all.add(predictor);
    return new PipelineModel("property", all.toArray(Transformer[]::new));
  }

  private PipelineModel featurizer(Dataset<Row> table) {
    List<PipelineStage> stages = new ArrayList<>();
    if (stringLabel) {
      stages.add(
          new StringIndexer()
              .setInputCol("label")
              .setOutputCol("label_index")
              .setStringOrderType("alphabetAsc"));
    }
    stages.add(
        new StringIndexer()
            .setInputCols(new String[] {"color", "size"})
            .setOutputCols(new String[] {"color_index", "size_index"}));
    stages.add(
        new OneHotEncoder()
            .setInputCols(new String[] {"color_index", "size_index"})
            .setOutputCols(new String[] {"color_onehot", "size_onehot"})
            .setDropLast(random.nextBoolean() || regParam == 0));
    stages.add(
        new VectorAssembler()
            .setInputCols(new String[] {"a", "b", "c", "color_onehot", "size_onehot"})
            .setOutputCol("features"));
    return new Pipeline().setStages(stages.toArray(PipelineStage[]::new)).fit(table);
  }

  // ---- the truth

  /** The corrected problem, from the definition. */
  MeanFormLogistic truth() {
    List<Record> corrected = corrected();
    double[][] x = new double[corrected.size()][];
    double[] y = new double[x.length];
    double[] w = new double[x.length];
    BitSet removed = new BitSet();
    removedSlots.forEach(removed::set);
    for (int i = 0; i < x.length; i++) {
      Record row = corrected.get(i);
      x[i] = raw ? features(row, removed) : ((double[]) row.values.get("v")).clone();
      y[i] = y(row);
      w[i] = weighted ? row.number("weight") : 1;
    }
    for (double[] row : x) {
      removed.stream().forEach(j -> row[j] = 0);
    }
    return new MeanFormLogistic(
        x,
        y,
        w,
        regParam,
        standardization ? MeanFormLogistic.Deviation.UNBIASED : MeanFormLogistic.Deviation.NONE,
        intercept,
        removed);
  }

  private static double y(Record row) {
    Object label = row.values.get("label");
    return label instanceof Double number ? number : label.equals("yes") ? 1 : 0;
  }

  /** [a, b, c, one-hot color, one-hot size], with the categories in the fitted indexer's order. */
  private double[] features(Record row, BitSet removed) {
    Transformer[] stages = featurizer.stages();
    StringIndexerModel indexer = (StringIndexerModel) stages[stringLabel ? 1 : 0];
    boolean dropLast = ((OneHotEncoderModel) stages[stringLabel ? 2 : 1]).getDropLast();
    List<Double> x = new ArrayList<>();
    for (String column : List.of("a", "b", "c")) {
      removed.set(x.size(), removed.get(x.size()) || removedColumns.contains(column));
      x.add(row.number(column));
    }
    for (int k = 0; k < 2; k++) {
      String column = k == 0 ? "color" : "size";
      String[] categories = indexer.labelsArray()[k];
      for (int c = 0; c < categories.length - (dropLast ? 1 : 0); c++) {
        removed.set(x.size(), removed.get(x.size()) || removedColumns.contains(column));
        x.add(row.is(column, categories[c]) ? 1.0 : 0.0);
      }
    }
    return x.stream().mapToDouble(Double::doubleValue).toArray();
  }

  String featuresColumn() {
    return raw ? "features" : "v";
  }

  @Override
  public String toString() {
    return String.format(
        "%s%s, weights %s, intercept %s, standardization %s, regParam %s, n = %d:%n%s",
        raw ? "raw columns" : sparse ? "sparse vectors" : "dense vectors",
        stringLabel ? ", string label" : "",
        weighted,
        intercept,
        standardization,
        regParam,
        rows.size(),
        request(0.1, 0.1, 1));
  }
}
