package dev.lethe.benchmarks.endtoend;

import dev.lethe.spark.api.UnlearnRequest;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.classification.LogisticRegression;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * Data, the model that was trained on them, and what is to be forgotten.
 *
 * <p>Another case is another implementation, and a word in {@link #of}.
 */
sealed interface Case permits DenseCase, SparseCase, FlightsCase, AdultCase, EnronCase {
  /** Column of the label, 0 or 1, in every case's tables. */
  String LABEL = "label";

  /** Column of the feature vectors behind the featurizer. */
  String FEATURES = "features";

  /** The certificate's terms in every case. */
  double EPSILON = 0.1;

  double DELTA = 1e-4;

  /** The word of {@code --only}. */
  String name();

  /** For the table. */
  String title();

  /** What the request removes, in words. */
  String removed();

  /** Distance that has to be proven. */
  double rho();

  double regParam();

  boolean standardization();

  /** Tells the data apart from those of another scale or seed; part of a file name. */
  String variant();

  /** The same kind of data, fewer rows: for the warm-up. */
  Case smaller();

  /** Makes the rows that are trained on; the same for the same variant. */
  Dataset<Row> train(Tables tables);

  /** Makes rows that no fit sees. */
  Dataset<Row> test(Tables tables);

  /** What stands before the predictor in the model. */
  PipelineStage[] featurizer();

  /** Removes features, with a certificate. */
  UnlearnRequest request();

  /**
   * Columns {@link #FEATURES} and {@link #LABEL} without what was removed: what is retrained on.
   * The slots that are left are in the order of the old ones, or the removed ones are there as
   * zeros.
   */
  Dataset<Row> corrected(PipelineModel model, Dataset<Row> rows);

  /** The objective, at Spark ML's own defaults of tol and maxIter. */
  default LogisticRegression predictor() {
    return new LogisticRegression()
        .setFeaturesCol(FEATURES)
        .setLabelCol(LABEL)
        .setRegParam(regParam())
        .setStandardization(standardization());
  }

  /**
   * The case of a word.
   *
   * @throws IllegalArgumentException if there is none, or its data are not there
   */
  static Case of(String word, Options options) {
    return switch (word) {
      case "dense" -> DenseCase.of(options.scale(), options.seed());
      case "sparse" -> SparseCase.of(options.scale(), options.seed());
      case "flights" -> FlightsCase.of(options);
      case "adult" -> AdultCase.of(options.data());
      case "enron" -> EnronCase.of(options.data());
      default ->
          throw new IllegalArgumentException(
              "--only: '"
                  + word
                  + "' is not one of dense, sparse, flights, adult, enron, "
                  + String.join(", ", Study.WORDS));
    };
  }
}
