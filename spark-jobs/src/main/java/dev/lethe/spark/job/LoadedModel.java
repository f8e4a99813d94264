package dev.lethe.spark.job;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.ModelDigest;
import dev.lethe.spark.data.ExampleTable;
import dev.lethe.spark.featurizer.Featurizer;
import dev.lethe.spark.featurizer.LearnedState;
import dev.lethe.spark.featurizer.StageColumns;
import dev.lethe.spark.ml.LinearModel;
import dev.lethe.spark.request.LabelDomain;
import java.util.List;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.feature.StringIndexerModel;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * A model that Lethe can work on.
 *
 * @param path where it was loaded from, or what messages call it
 * @param saved whether it lies in that directory
 * @param transformer the whole model
 * @param featurizer its stages around the predictor
 * @param linear the predictor
 */
public record LoadedModel(
    String path,
    boolean saved,
    Transformer transformer,
    Featurizer featurizer,
    LinearModel linear) {

  /**
   * @param option the command line option that named it, for messages
   * @throws InvalidInputException if it does not exist or is not supported
   */
  static LoadedModel load(SparkSession spark, String option, String path) {
    return of(ModelStore.loadModel(spark, option, path), option, path, true);
  }

  /**
   * A model in memory.
   *
   * @param option the argument or option that named it, for messages
   * @throws InvalidInputException if it is not supported
   */
  public static LoadedModel of(Transformer model, String option, String path) {
    return of(model, option, path, false);
  }

  private static LoadedModel of(Transformer model, String option, String path, boolean saved) {
    Featurizer featurizer = Featurizer.of(model);
    return new LoadedModel(
        path,
        saved,
        model,
        featurizer,
        LinearModel.of(featurizer.predictor(), option + " " + path));
  }

  /** The digest of its directory; of a model in memory, that of its parameters. */
  ModelDigest digest(SparkSession spark) {
    return saved
        ? ModelDigest.of(spark.sparkContext().hadoopConfiguration(), path)
        : parametersDigest();
  }

  /** The digest that it has in memory, saved or not. */
  public ModelDigest parametersDigest() {
    return ModelDigest.ofParameters(
        transformer.getClass().getName(), transformer.uid(), linear.parameters());
  }

  /**
   * The table's label column: the one given, or the one that the model was fitted with.
   *
   * @throws InvalidInputException if the given one is not what the model's label indexer reads
   */
  String tableLabel(@Nullable String given) {
    String own = featurizer.tableLabelColumn();
    String fitted = own == null ? linear.labelColumn() : own;
    if (given == null || given.equalsIgnoreCase(fitted)) {
      return fitted;
    }
    if (!featurizer.labelStages().isEmpty()) {
      throw new InvalidInputException(
          "--label " + given + ": the model's label indexer reads column '" + fitted + "'");
    }
    return given;
  }

  /** The columns of a featurised table. */
  ExampleTable.Columns columns(String tableLabel) {
    String label = featurizer.labelStages().isEmpty() ? tableLabel : linear.labelColumn();
    return new ExampleTable.Columns(linear.featuresColumn(), label, linear.weightColumn());
  }

  /** The stages that are published whose state was learned from data, as {@code class uid}. */
  List<String> learnedStages() {
    return LearnedState.of(featurizer.allStages()).names();
  }

  /** The labels that a corrected row may have, as they stand in the table. */
  LabelDomain labelDomain() {
    List<StringIndexerModel> indexers = featurizer.labelStages();
    if (indexers.isEmpty()) {
      return LabelDomain.of(linear.loss());
    }
    StringIndexerModel indexer = indexers.get(0);
    int at = StageColumns.inputs(indexer).indexOf(featurizer.tableLabelColumn());
    return LabelDomain.indexed(List.of(indexer.labelsArray()[Math.max(at, 0)]));
  }
}
