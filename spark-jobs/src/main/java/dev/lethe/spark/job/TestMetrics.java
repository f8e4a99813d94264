package dev.lethe.spark.job;

import static org.apache.spark.ml.functions.vector_to_array;
import static org.apache.spark.sql.functions.avg;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.expr;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.sum;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.SparkErrors;
import dev.lethe.spark.TableColumns;
import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.data.ExampleTable;
import dev.lethe.spark.data.TableSource;
import dev.lethe.spark.ml.LogisticModel;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.ml.evaluation.BinaryClassificationEvaluator;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * Accuracy, area under the ROC curve and mean log loss of a binary model, as Spark ML scores it.
 */
final class TestMetrics {
  private static final String LABEL = "lethe_label";

  private TestMetrics() {}

  /**
   * Scores the test data once and keeps it while the metrics are taken.
   *
   * @param label the table's label column
   * @throws InvalidInputException if the model cannot score the table, it has no rows, or a label
   *     is not one of the loss
   */
  static Evidence.Metrics of(
      SparkSession spark, LoadedModel model, String label, TableSource test) {
    String place = test.name();
    ExampleTable.Columns columns = model.columns(label);
    Dataset<Row> featurized = featurized(model.transformer(), test.read(spark), place);
    new ExampleTable.Columns(columns.features(), columns.label(), null).check(featurized, place);
    return SparkFailures.sanitized(
        place, () -> of(featurized, model.logistic(), columns.label(), place));
  }

  private static Dataset<Row> featurized(Transformer model, Dataset<Row> test, String place) {
    try {
      return model.transform(test);
    } catch (Exception e) { // AnalysisException is checked, and Scala does not declare it
      throw new InvalidInputException(
          place
              + ": the model cannot score this table ("
              + SparkErrors.kind(e)
              + "); it must have the columns and types that the model was fitted on; "
              + TableColumns.list(test.schema()),
          e);
    }
  }

  private static Evidence.Metrics of(
      Dataset<Row> featurized, LogisticModel logistic, String labelColumn, String place) {
    LogisticRegressionModel predictor = logistic.model();
    Dataset<Row> scored =
        featurized
            .select(
                TableColumns.column(labelColumn).cast("double").as(LABEL),
                TableColumns.column(predictor.getPredictionCol()).as("prediction"),
                TableColumns.column(predictor.getRawPredictionCol()).as("raw"),
                vector_to_array(TableColumns.column(predictor.getRawPredictionCol()), "float64")
                    .getItem(1)
                    .as("margin"))
            .cache();
    try {
      // log(1 + e^s) - y s without overflow
      Row row =
          scored
              .agg(
                  count(lit(1)),
                  avg(expr("double(prediction = " + LABEL + ")")),
                  avg(
                      expr(
                          "greatest(margin, 0) + log1p(exp(-abs(margin))) - "
                              + LABEL
                              + " * margin")),
                  sum(expr("CASE WHEN " + LABEL + " IN (0, 1) THEN 0L ELSE 1L END")))
              .first();
      long n = row.getLong(0);
      if (n == 0) {
        throw new InvalidInputException(place + ": the table has no rows");
      }
      if (row.getLong(3) > 0) {
        throw new InvalidInputException(
            String.format(
                "%s: column '%s': %d of %d labels are not %s",
                place, labelColumn, row.getLong(3), n, CorrectedProblem.LOSS.labelDomain()));
      }
      Double auc =
          new BinaryClassificationEvaluator()
              .setLabelCol(LABEL)
              .setRawPredictionCol("raw")
              .evaluate(scored);
      return new Evidence.Metrics(row.getDouble(1), auc.isNaN() ? null : auc, row.getDouble(2), n);
    } finally {
      scored.unpersist();
    }
  }
}
