package dev.lethe.spark.job;

import dev.lethe.spark.LocalSpark;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.UnaryOperator;
import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.classification.LogisticRegression;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.ml.feature.OneHotEncoder;
import org.apache.spark.ml.feature.StringIndexer;
import org.apache.spark.ml.feature.VectorAssembler;
import org.apache.spark.ml.linalg.SQLDataTypes;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.ml.util.MLWritable;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/** Made-up people and models of them. What is built once is reused by all tests of the JVM. */
public final class People {
  public static final int COUNT = 240;

  static final StructType SCHEMA =
      new StructType()
          .add("user_id", DataTypes.StringType)
          .add("age", DataTypes.DoubleType)
          .add("hours", DataTypes.IntegerType)
          .add("city", DataTypes.StringType)
          .add("race", DataTypes.StringType)
          .add("weight", DataTypes.DoubleType)
          .add("label", DataTypes.DoubleType);

  /** A vector of features under a label. */
  static final StructType VECTORS =
      new StructType()
          .add("label", DataTypes.DoubleType)
          .add("features", SQLDataTypes.VectorType());

  static final int VECTOR_SIZE = 12;

  private static final String[] CITIES = {"Bonn", "Kiel", "Ulm", "Jena", "Trier", "Celle", "Hof"};
  private static final String[] RACES = {"r0", "r1", "r2"};

  private static Path table;
  private static Path model;
  private static Path smallModel;
  private static Path vectorTable;
  private static Path vectorModel;

  private People() {}

  /** Person i is u-(4700 + i). */
  static List<Row> rows() {
    Random random = new Random(20260311);
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < COUNT; i++) {
      double age = 18 + random.nextInt(50);
      int hours = 10 + random.nextInt(40);
      int city = random.nextInt(CITIES.length);
      int race = random.nextInt(RACES.length);
      double score = 0.05 * (age - 43) - 0.03 * (hours - 30) + 0.4 * (city - 3) + 0.5 * (race - 1);
      rows.add(
          RowFactory.create(
              "u-" + (4700 + i),
              age,
              hours,
              CITIES[city],
              RACES[race],
              0.5 + random.nextInt(4) / 2.0,
              random.nextDouble() < 1 / (1 + Math.exp(-score)) ? 1.0 : 0.0));
    }
    return rows;
  }

  public static Dataset<Row> dataset() {
    return LocalSpark.session().createDataFrame(rows(), SCHEMA);
  }

  /** The people, Parquet. */
  public static synchronized Path table() {
    if (table == null) {
      table = write(dataset(), "parquet", "people");
    }
    return table;
  }

  /** The people with one column of the first row computed anew, Parquet. */
  static Path tableWith(String column, Object value) {
    return tableWith(
        row -> {
          Object[] cells = new Object[row.size()];
          for (int i = 0; i < cells.length; i++) {
            cells[i] = i == SCHEMA.fieldIndex(column) ? value : row.get(i);
          }
          return RowFactory.create(cells);
        });
  }

  private static Path tableWith(UnaryOperator<Row> change) {
    List<Row> rows = rows();
    rows.set(0, change.apply(rows.get(0)));
    return write(LocalSpark.session().createDataFrame(rows, SCHEMA), "parquet", "people");
  }

  /**
   * Indexers, encoders and an assembler, and a predictor fitted by Spark ML itself; 10 slots: age,
   * hours, 6 of the city, 2 of the race.
   */
  public static synchronized Path model() {
    if (model == null) {
      model =
          save(
              pipeline(
                      new LogisticRegression()
                          .setWeightCol("weight")
                          .setRegParam(0.01)
                          .setTol(1e-8))
                  .fit(dataset()),
              "people-model");
    }
    return model;
  }

  /** Age and hours alone, not fitted: loads faster. */
  public static synchronized Path smallModel() {
    if (smallModel == null) {
      smallModel = smallModelWith(predictor(2));
    }
    return smallModel;
  }

  /** Age and hours as features, then these stages. */
  public static Path smallModelWith(Transformer... stages) {
    Transformer[] all = new Transformer[stages.length + 1];
    all[0] =
        new VectorAssembler().setInputCols(new String[] {"age", "hours"}).setOutputCol("features");
    System.arraycopy(stages, 0, all, 1, stages.length);
    for (Transformer stage : stages) {
      if (stage instanceof LogisticRegressionModel predictor) {
        predictor.set(predictor.weightCol(), "weight");
      }
    }
    return save(new PipelineModel("pipeline_small", all), "small-model");
  }

  /** Slots of the features that stem from the race. */
  static final List<Integer> RACE_SLOTS = List.of(8, 9);

  public static final int SLOTS = 10;

  static Pipeline pipeline(PipelineStage predictor) {
    return new Pipeline()
        .setStages(
            new PipelineStage[] {
              new StringIndexer()
                  .setInputCols(new String[] {"city", "race"})
                  .setOutputCols(new String[] {"city_index", "race_index"})
                  .setStringOrderType("alphabetAsc"),
              new OneHotEncoder()
                  .setInputCols(new String[] {"city_index", "race_index"})
                  .setOutputCols(new String[] {"city_vector", "race_vector"}),
              new VectorAssembler()
                  .setInputCols(new String[] {"age", "hours", "city_vector", "race_vector"})
                  .setOutputCol("features"),
              predictor
            });
  }

  /** A predictor that has not learned anything. */
  static LogisticRegressionModel predictor(int slots) {
    LogisticRegressionModel predictor =
        new LogisticRegressionModel("logreg_given", Vectors.zeros(slots), 0.0);
    predictor.set(predictor.regParam(), 0.01);
    return predictor;
  }

  static List<Row> vectors() {
    Random random = new Random(20260312);
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < COUNT; i++) {
      double[] x = new double[VECTOR_SIZE];
      double score = 0;
      for (int j = 0; j < x.length; j++) {
        x[j] = random.nextInt(3) == 0 ? 0 : random.nextInt(17) / 8.0 - 1;
        score += (j % 3 - 1) * x[j];
      }
      double label = random.nextDouble() < 1 / (1 + Math.exp(-score)) ? 1.0 : 0.0;
      rows.add(RowFactory.create(label, Vectors.dense(x).compressed()));
    }
    return rows;
  }

  static Dataset<Row> vectorDataset() {
    return LocalSpark.session().createDataFrame(vectors(), VECTORS);
  }

  /** Vectors under labels, Parquet. */
  public static synchronized Path vectorTable() {
    if (vectorTable == null) {
      vectorTable = write(vectorDataset(), "parquet", "vectors");
    }
    return vectorTable;
  }

  /** A LogisticRegressionModel alone. */
  public static synchronized Path vectorModel() {
    if (vectorModel == null) {
      vectorModel = save(predictor(VECTOR_SIZE), "vector-model");
    }
    return vectorModel;
  }

  static Path write(Dataset<Row> rows, String format, String name) {
    Path path = Places.unused(name);
    rows.coalesce(1).write().format(format).option("header", "true").save(path.toString());
    return path;
  }

  static Path save(MLWritable model, String name) {
    Path path = Places.unused(name);
    try {
      model.write().save(path.toString());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return path;
  }

  /** Features, label and weight of every row. */
  record Examples(List<double[]> features, double[] labels, double[] weights) {
    static Examples of(Dataset<Row> featurized, String vector, String label, String weight) {
      List<double[]> features = new ArrayList<>();
      List<Row> rows = featurized.collectAsList();
      double[] labels = new double[rows.size()];
      double[] weights = new double[rows.size()];
      for (int i = 0; i < rows.size(); i++) {
        Row row = rows.get(i);
        features.add(row.<Vector>getAs(vector).toArray());
        labels[i] = row.<Double>getAs(label);
        weights[i] = weight == null ? 1 : row.<Double>getAs(weight);
      }
      return new Examples(features, labels, weights);
    }
  }
}
