package dev.lethe.spark.job;

import static org.apache.spark.sql.functions.max;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.TableColumns;
import dev.lethe.spark.WithholdingRows;
import dev.lethe.spark.data.ExampleTable;
import dev.lethe.spark.featurizer.Featurizer;
import dev.lethe.spark.featurizer.StageColumns;
import dev.lethe.spark.ml.TrainableLoss;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.apache.spark.ml.Model;
import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.feature.OneHotEncoder;
import org.apache.spark.ml.feature.StringIndexer;
import org.apache.spark.ml.feature.StringIndexerModel;
import org.apache.spark.ml.feature.VectorAssembler;
import org.apache.spark.ml.linalg.SQLDataTypes;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.BooleanType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.NumericType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructField;

/**
 * A model to train: fitted featurizer stages and a predictor with zero coefficients that carries
 * the hyperparameters.
 */
final class TrainingPipeline {
  private static final String FEATURES = "features_lethe";

  /** More classes than anybody has; a label column that is none would have more. */
  private static final int MAX_CLASSES = 10_000;

  private TrainingPipeline() {}

  /** Fits the featurizer that the options describe; Spark ML's own fit of each stage. */
  static Transformer fit(
      TrainOptions options, String label, Dataset<Row> table, PipelineStage given) {
    TableColumns.require(table.schema(), label, "--label");
    if (options.weight() != null) {
      TableColumns.require(table.schema(), options.weight(), "--weight");
    }
    PipelineModel featurizer =
        given instanceof PipelineModel fitted
            ? fitted
            : ((Pipeline) given).fit(WithholdingRows.of(table));
    Dataset<Row> featurized = featurizer.transform(table);
    List<Transformer> leaves = Featurizer.leaves(featurizer);
    String featuresColumn = lastVectorColumn(leaves, featurized);
    return append(options, featurizer, featurized, featuresColumn, labelOf(leaves, label));
  }

  /**
   * A predictor with zero coefficients for featurized rows.
   *
   * @param place names the rows, for messages
   * @throws InvalidInputException if a column is of the wrong type, there is no row, or a label is
   *     no class
   */
  static Model<?> untrained(
      TrainableLoss loss, TrainableLoss.Params params, Dataset<Row> rows, String place) {
    new ExampleTable.Columns(params.featuresColumn(), params.labelColumn(), params.weight())
        .check(rows, place);
    // After the stages: one that skips invalid rows may drop the first of the table.
    List<Row> first = rows.select(params.featuresColumn()).takeAsList(1);
    if (first.isEmpty()) {
      throw new InvalidInputException(
          place
              + ": there is no row to learn from: the table is empty, or the stages skip every row");
    }
    int features = first.get(0).<Vector>getAs(0).size();
    int classes = loss.countsClasses() ? classes(loss, rows, params.labelColumn(), place) : 2;
    return loss.untrained(params, features, classes);
  }

  /** What the one StringIndexer of the label makes of it, or the label itself without one. */
  private static String labelOf(List<Transformer> stages, String label) {
    List<String> indexed = new ArrayList<>();
    for (Transformer stage : stages) {
      if (stage instanceof StringIndexerModel indexer) {
        List<String> inputs = StageColumns.inputs(indexer);
        for (int i = 0; i < inputs.size(); i++) {
          if (inputs.get(i).equalsIgnoreCase(label)) {
            indexed.add(StageColumns.outputs(indexer).get(i));
          }
        }
      }
    }
    if (indexed.size() > 1) {
      throw new InvalidInputException(
          "--pipeline: column '"
              + label
              + "', the label, is indexed "
              + indexed.size()
              + " times, into "
              + String.join(", ", indexed)
              + "; leave one StringIndexer of it");
    }
    return indexed.isEmpty() ? label : indexed.get(0);
  }

  private static String lastVectorColumn(List<Transformer> stages, Dataset<Row> featurized) {
    for (int k = stages.size() - 1; k >= 0; k--) {
      List<String> outputs = StageColumns.outputs(stages.get(k));
      for (StructField field : featurized.schema().fields()) {
        if (outputs.size() == 1
            && field.name().equals(outputs.get(0))
            && field.dataType().equals(SQLDataTypes.VectorType())) {
          return field.name();
        }
      }
    }
    throw new InvalidInputException("--pipeline: no stage makes a vector of features");
  }

  private static PipelineModel append(
      TrainOptions options,
      PipelineModel featurizer,
      Dataset<Row> featurized,
      String featuresColumn,
      String labelColumn) {
    TrainableLoss.Params params =
        new TrainableLoss.Params(
            options.regParam(),
            options.standardization(),
            options.fitIntercept(),
            featuresColumn,
            labelColumn,
            options.weight(),
            options.perturbation() != null);
    return append(featurizer, options.loss(), params, featurized, options.table().name());
  }

  /**
   * Fitted stages and, behind them, a predictor with zero coefficients for the rows that they make.
   *
   * @throws InvalidInputException as {@link #untrained}
   */
  static PipelineModel append(
      PipelineModel featurizer,
      TrainableLoss loss,
      TrainableLoss.Params params,
      Dataset<Row> featurized,
      String place) {
    Model<?> model = untrained(loss, params, featurized, place);
    List<Transformer> stages = new ArrayList<>(Arrays.asList(featurizer.stages()));
    stages.add(model);
    return new PipelineModel(
        "pipeline_lethe_" + model.uid().substring(model.uid().lastIndexOf('_') + 1),
        stages.toArray(Transformer[]::new));
  }

  /** The greatest label plus one: one pass, as Spark ML makes it. */
  private static int classes(
      TrainableLoss loss, Dataset<Row> rows, String labelColumn, String place) {
    Dataset<Row> labels =
        WithholdingRows.of(
            rows.select(TableColumns.column(labelColumn).cast("double").as("label")));
    Row row = labels.agg(max("label")).first();
    double greatest = row.isNullAt(0) ? Double.NaN : row.getDouble(0);
    if (!(greatest >= 1 && greatest < MAX_CLASSES && greatest == Math.rint(greatest))) {
      throw new InvalidInputException(
          place
              + ": column '"
              + labelColumn
              + "': labels of --loss "
              + loss.word()
              + " must be whole numbers from 0, the greatest from 1 to "
              + (MAX_CLASSES - 1));
    }
    return (int) greatest + 1;
  }

  /**
   * The featurizer that Lethe makes of raw columns: strings are indexed and one-hot encoded,
   * numbers, booleans and vectors are taken as they are, a string label is indexed in alphabetical
   * order.
   */
  static Pipeline ofRawColumns(TrainOptions options, String label, Dataset<Row> table) {
    List<String> numeric = new ArrayList<>();
    List<String> categorical = new ArrayList<>();
    List<String> wanted = options.features();
    for (String name : wanted) {
      TableColumns.require(table.schema(), name, "--features");
    }
    for (StructField field : table.schema().fields()) {
      String name = field.name();
      boolean reserved = name.equalsIgnoreCase(label) || name.equalsIgnoreCase(options.weight());
      boolean chosen = wanted.isEmpty() || wanted.stream().anyMatch(name::equalsIgnoreCase);
      if (chosen && reserved && !wanted.isEmpty()) {
        throw new InvalidInputException(
            "--features: column '" + name + "' is the label or the weight");
      }
      if (!chosen || reserved) {
        continue;
      }
      DataType type = field.dataType();
      if (type instanceof StringType) {
        categorical.add(name);
      } else if (type instanceof NumericType
          || type instanceof BooleanType
          || type.equals(SQLDataTypes.VectorType())) {
        numeric.add(name);
      } else {
        throw new InvalidInputException(
            "--features: "
                + TableColumns.name(table.schema(), field)
                + " is "
                + type.catalogString()
                + "; allowed are numbers, booleans, strings and vectors");
      }
    }
    TableColumns.require(table.schema(), label, "--label");
    if (numeric.isEmpty() && categorical.isEmpty()) {
      throw new InvalidInputException(
          options.table().option()
              + " "
              + options.table().path()
              + ": has no feature column: besides the label and the weight there must be a column of"
              + " numbers, booleans, strings or vectors; "
              + TableColumns.list(table.schema()));
    }
    List<PipelineStage> stages = new ArrayList<>();
    if (TableColumns.require(table.schema(), label, "--label").dataType() instanceof StringType) {
      stages.add(
          new StringIndexer()
              .setInputCol(label)
              .setOutputCol(TableColumns.unused(label + "_index", table.schema()))
              .setStringOrderType("alphabetAsc"));
    }
    String[] indexed = unused(categorical, "_index", table);
    String[] encoded = unused(categorical, "_onehot", table);
    if (!categorical.isEmpty()) {
      stages.add(
          new StringIndexer()
              .setInputCols(categorical.toArray(String[]::new))
              .setOutputCols(indexed));
      stages.add(new OneHotEncoder().setInputCols(indexed).setOutputCols(encoded));
    }
    stages.add(
        new VectorAssembler()
            .setInputCols(
                Stream.concat(numeric.stream(), Arrays.stream(encoded)).toArray(String[]::new))
            .setOutputCol(TableColumns.unused(FEATURES, table.schema())));
    return new Pipeline().setStages(stages.toArray(PipelineStage[]::new));
  }

  private static String[] unused(List<String> names, String suffix, Dataset<Row> table) {
    return names.stream()
        .map(name -> TableColumns.unused(name + suffix, table.schema()))
        .toArray(String[]::new);
  }
}
