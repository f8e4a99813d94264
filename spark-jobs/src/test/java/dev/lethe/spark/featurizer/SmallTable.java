package dev.lethe.spark.featurizer;

import dev.lethe.spark.LocalSpark;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.BiFunction;
import java.util.stream.IntStream;
import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.ml.linalg.SQLDataTypes;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.catalyst.expressions.GenericRowWithSchema;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * Made-up rows, and the independent truth about slots: change one input at random and see which
 * slots of the feature vector ever differ.
 */
final class SmallTable {
  static final StructType SCHEMA =
      new StructType()
          .add("a", DataTypes.DoubleType)
          .add("b", DataTypes.DoubleType)
          .add("c", DataTypes.IntegerType)
          .add("city", DataTypes.StringType)
          .add("race", DataTypes.StringType)
          .add("text", DataTypes.StringType)
          .add("note", DataTypes.StringType)
          .add("v", SQLDataTypes.VectorType())
          .add("label", DataTypes.DoubleType)
          .add("weight", DataTypes.DoubleType);

  private static final String[] CITIES = {"Bonn", "Kiel", "Ulm", "Jena"};
  private static final String[] RACES = {"r0", "r1", "r2"};
  private static final String[] WORDS = {"the", "red", "fox", "ate", "six", "figs", "today"};

  private SmallTable() {}

  static List<Row> rows(int n) {
    Random random = new Random(20260311);
    return IntStream.range(0, n)
        .mapToObj(
            i ->
                RowFactory.create(
                    random.nextInt(4) + 0.25,
                    random.nextInt(4) + 0.5,
                    random.nextInt(3) + 1,
                    CITIES[i < CITIES.length ? i : random.nextInt(CITIES.length)],
                    RACES[i < RACES.length ? i : random.nextInt(RACES.length)],
                    words(random),
                    words(random),
                    Vectors.dense(
                        random.nextInt(3) + 1.0,
                        random.nextInt(3) + 2.0,
                        2 * random.nextInt(3) + 3.0),
                    (double) (i % 2),
                    1.0))
        .toList();
  }

  private static String words(Random random) {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < 6; i++) {
      text.append(i == 0 ? "" : " ").append(WORDS[random.nextInt(WORDS.length)]);
    }
    return text.toString();
  }

  static Dataset<Row> dataset(List<Row> rows) {
    return LocalSpark.session().createDataFrame(rows, SCHEMA).coalesce(1);
  }

  /** The stages fitted on the rows, with a predictor of the size of their feature vector. */
  static PipelineModel fit(Dataset<Row> rows, String featuresCol, PipelineStage... stages) {
    PipelineModel fitted = new Pipeline().setStages(stages).fit(rows);
    Vector first = (Vector) fitted.transform(rows).select(featuresCol).first().get(0);
    Transformer[] all = Arrays.copyOf(fitted.stages(), fitted.stages().length + 1);
    all[all.length - 1] = predictor(featuresCol, first.size());
    return new PipelineModel("pipeline_1", all);
  }

  static LogisticRegressionModel predictor(String featuresCol, int n) {
    LogisticRegressionModel predictor =
        new LogisticRegressionModel("logreg_1", Vectors.zeros(n), 0.0);
    predictor.setFeaturesCol(featuresCol);
    return predictor;
  }

  static List<Vector> vectors(List<Transformer> stages, Dataset<Row> rows, String featuresCol) {
    return Featurizer.transform(stages, rows).select(featuresCol).collectAsList().stream()
        .map(row -> (Vector) row.get(0))
        .toList();
  }

  /**
   * Slots that differ from the original in any row, over random changes of one input. The changes
   * draw from the input's own values, so that every stage accepts them.
   *
   * @param change the row with its input taken from another row
   */
  static Set<Integer> changedSlots(
      List<Transformer> stages,
      List<Row> rows,
      StructType schema,
      String featuresCol,
      BiFunction<Row, Row, Row> change,
      int rounds) {
    var session = LocalSpark.session();
    List<Vector> before =
        vectors(stages, session.createDataFrame(rows, schema).coalesce(1), featuresCol);
    Random random = new Random(7);
    List<Row> perturbed = new ArrayList<>();
    for (int round = 0; round < rounds; round++) {
      for (Row row : rows) {
        perturbed.add(change.apply(row, rows.get(random.nextInt(rows.size()))));
      }
    }
    List<Vector> after =
        vectors(stages, session.createDataFrame(perturbed, schema).coalesce(1), featuresCol);
    Set<Integer> changed = new TreeSet<>();
    for (int i = 0; i < after.size(); i++) {
      double[] was = before.get(i % rows.size()).toArray();
      double[] is = after.get(i).toArray();
      for (int j = 0; j < is.length; j++) {
        if (Double.compare(was[j], is[j]) != 0) {
          changed.add(j);
        }
      }
    }
    return changed;
  }

  /** Takes one column from the other row. */
  static BiFunction<Row, Row, Row> column(String name) {
    return (row, other) -> with(row, row.fieldIndex(name), other.getAs(name));
  }

  /** Takes one slot of a vector column from the other row. */
  static BiFunction<Row, Row, Row> slot(String name, int slot) {
    return (row, other) -> {
      double[] values = ((Vector) row.getAs(name)).toArray().clone();
      values[slot] = ((Vector) other.getAs(name)).apply(slot);
      return with(row, row.fieldIndex(name), Vectors.dense(values));
    };
  }

  private static Row with(Row row, int index, Object value) {
    Object[] cells = new Object[row.size()];
    for (int i = 0; i < cells.length; i++) {
      cells[i] = i == index ? value : row.get(i);
    }
    return new GenericRowWithSchema(cells, row.schema());
  }

  static Set<Integer> removed(FeatureRemoval removal) {
    Set<Integer> slots = new TreeSet<>();
    boolean[] removed = removal.removedSlots();
    for (int j = 0; j < removed.length; j++) {
      if (removed[j]) {
        slots.add(j);
      }
    }
    return slots;
  }
}
