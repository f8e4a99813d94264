package dev.lethe.spark.job;

import static org.apache.spark.sql.functions.avg;
import static org.apache.spark.sql.functions.expr;

import dev.lethe.core.aggregate.Point;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.SparkErrors;
import dev.lethe.spark.TableColumns;
import dev.lethe.spark.WithholdingRows;
import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.data.ExampleTable;
import dev.lethe.spark.data.Table;
import dev.lethe.spark.ml.LinearModel;
import dev.lethe.spark.operator.DistributedExamples;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.evaluation.BinaryClassificationEvaluator;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * Quality on test data: accuracy or squared error of the labels that Spark ML predicts, the area
 * under the ROC curve of a binary classifier, and the mean of the model's own loss.
 */
final class TestMetrics {
  private static final String FEATURES = "lethe_features";
  private static final String LABEL = "lethe_label";
  private static final String PREDICTION = "lethe_prediction";
  private static final String RAW = "lethe_raw";

  private TestMetrics() {}

  /**
   * Scores the test data once and keeps it while the metrics are taken.
   *
   * @param label the table's label column
   * @throws InvalidInputException if the model cannot score the table, it has no rows, or a label
   *     is not one of the loss
   */
  static Evidence.Metrics of(SparkSession spark, LoadedModel model, String label, Table test) {
    String place = test.name();
    ExampleTable.Columns columns = model.columns(label);
    Dataset<Row> featurized = featurized(model.transformer(), test.read(spark), place);
    new ExampleTable.Columns(columns.features(), columns.label(), null).check(featurized, place);
    return SparkFailures.sanitized(place, () -> of(featurized, model.linear(), columns, place));
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
      Dataset<Row> featurized, LinearModel model, ExampleTable.Columns columns, String place) {
    String raw = model.rawPredictionColumn();
    List<Column> wanted = new ArrayList<>();
    wanted.add(TableColumns.column(columns.features()).as(FEATURES));
    wanted.add(TableColumns.column(columns.label()).cast("double").as(LABEL));
    wanted.add(TableColumns.column(model.predictionColumn()).as(PREDICTION));
    if (raw != null) {
      wanted.add(TableColumns.column(raw).as(RAW));
    }
    Dataset<Row> scored =
        WithholdingRows.of(featurized.select(wanted.toArray(Column[]::new))).cache();
    try {
      long n = scored.count();
      if (n == 0) {
        throw new InvalidInputException(place + ": the table has no rows");
      }
      double meanLoss = loss(scored, model, columns.label(), place) / n;
      boolean classifies = model.loss().classes() > 0;
      double mean =
          scored
              .agg(
                  avg(
                      expr(
                          classifies
                              ? "double(" + PREDICTION + " = " + LABEL + ")"
                              : "pow(" + PREDICTION + " - " + LABEL + ", 2)")))
              .first()
              .getDouble(0);
      return new Evidence.Metrics(
          classifies ? mean : null,
          raw == null ? null : areaUnderRoc(scored),
          classifies ? null : Math.sqrt(mean),
          meanLoss,
          n);
    } finally {
      scored.unpersist();
    }
  }

  /** The sum of the losses, after a look at the labels. */
  private static double loss(
      Dataset<Row> scored, LinearModel model, String labelColumn, String place) {
    DistributedExamples examples =
        new DistributedExamples(
            ExampleTable.blocks(
                ExampleTable.examples(scored, new ExampleTable.Columns(FEATURES, LABEL, null)),
                model.features(),
                new BitSet()),
            model.features(),
            () -> "Lethe: test data");
    CachedExamples.statistics(
        examples,
        model.loss(),
        new ExampleTable.Columns(model.featuresColumn(), labelColumn, null),
        place);
    return examples.gradient(new Point(model.loss(), model.layout(), model.parameters())).value();
  }

  private static @Nullable Double areaUnderRoc(Dataset<Row> scored) {
    double area =
        new BinaryClassificationEvaluator()
            .setLabelCol(LABEL)
            .setRawPredictionCol(RAW)
            .evaluate(scored);
    return Double.isNaN(area) ? null : area;
  }
}
