package dev.lethe.spark.job;

import static org.apache.spark.ml.functions.vector_to_array;
import static org.apache.spark.sql.functions.avg;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.expr;
import static org.apache.spark.sql.functions.lit;

import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.ml.LogisticModel;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.ml.evaluation.BinaryClassificationEvaluator;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * Accuracy, area under the ROC curve and mean log loss of a binary model, as Spark ML scores it.
 */
final class TestMetrics {
  private static final String LABEL = "lethe_label";

  private TestMetrics() {}

  /**
   * Two jobs over the test data.
   *
   * @param model the whole model, featurizer included
   * @param logistic its predictor
   * @param labelColumn the label after the featurizer's own indexer, if there is one
   */
  static Evidence.Metrics of(
      Transformer model, LogisticModel logistic, String labelColumn, Dataset<Row> test) {
    LogisticRegressionModel predictor = logistic.model();
    Dataset<Row> scored =
        model
            .transform(test)
            .select(
                col(labelColumn).cast("double").as(LABEL),
                col(predictor.getPredictionCol()).as("prediction"),
                col(predictor.getRawPredictionCol()).as("raw"),
                vector_to_array(col(predictor.getRawPredictionCol()), "float64")
                    .getItem(lit(1))
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
                              + " * margin")))
              .first();
      long n = row.getLong(0);
      if (n == 0) {
        throw new dev.lethe.spark.InvalidInputException("--test: the table has no rows");
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
