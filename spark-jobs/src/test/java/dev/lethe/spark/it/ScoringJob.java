package dev.lethe.spark.it;

import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * A Spark ML job that knows nothing of Lethe: loads a model, scores a table. Arguments: model,
 * table, output. The output's first line holds the coefficients and the intercept, each other line
 * margin, probability of class 1 and prediction of a row, in the table's order.
 */
public final class ScoringJob {
  private ScoringJob() {}

  public static void main(String[] args) throws Exception {
    requireNoLethe();
    SparkSession spark = SparkSession.builder().appName("score").getOrCreate();
    PipelineModel model = PipelineModel.load(args[0]);
    Transformer[] stages = model.stages();
    LogisticRegressionModel logistic = (LogisticRegressionModel) stages[stages.length - 1];
    var table =
        spark
            .read()
            .option("header", "true")
            .option("inferSchema", "true")
            .csv(args[1])
            .coalesce(1);
    try (PrintWriter out = new PrintWriter(Files.newBufferedWriter(Path.of(args[2])))) {
      for (double coefficient : logistic.coefficients().toArray()) {
        out.print(coefficient + ",");
      }
      out.println(logistic.intercept());
      for (Row row : model.transform(table).collectAsList()) {
        Vector margins = row.getAs("rawPrediction");
        Vector probabilities = row.getAs("probability");
        double prediction = row.getAs("prediction");
        out.println(margins.apply(1) + "," + probabilities.apply(1) + "," + prediction);
      }
    }
    spark.stop();
  }

  private static void requireNoLethe() {
    try {
      Class.forName("dev.lethe.spark.cli.Lethe");
    } catch (ClassNotFoundException e) {
      return;
    }
    throw new IllegalStateException("Lethe is on the class path");
  }
}
