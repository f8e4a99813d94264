package dev.lethe.spark.job;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.SparkErrors;
import dev.lethe.spark.SparkFailedException;
import dev.lethe.spark.ml.LinearModel;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.classification.LinearSVCModel;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.ml.classification.OneVsRestModel;
import org.apache.spark.ml.regression.GeneralizedLinearRegressionModel;
import org.apache.spark.ml.regression.LinearRegressionModel;
import org.apache.spark.ml.tuning.CrossValidatorModel;
import org.apache.spark.ml.tuning.TrainValidationSplitModel;
import org.apache.spark.ml.tuning.ValidatorParams;
import org.apache.spark.ml.util.MLWritable;
import org.apache.spark.ml.util.MLWriter;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/** Spark ML models as Spark ML's own writer left them. */
final class ModelStore {
  private ModelStore() {}

  /** Loaders of the classes that a model directory may hold. */
  private static final Map<String, Function<String, Transformer>> LOADERS =
      Map.of(
          PipelineModel.class.getName(), PipelineModel::load,
          CrossValidatorModel.class.getName(), CrossValidatorModel::load,
          TrainValidationSplitModel.class.getName(), TrainValidationSplitModel::load,
          LogisticRegressionModel.class.getName(), LogisticRegressionModel::load,
          LinearRegressionModel.class.getName(), LinearRegressionModel::load,
          GeneralizedLinearRegressionModel.class.getName(), GeneralizedLinearRegressionModel::load,
          LinearSVCModel.class.getName(), LinearSVCModel::load,
          OneVsRestModel.class.getName(), OneVsRestModel::load);

  /**
   * Loads a saved model, a pipeline of one, or a tuning's result.
   *
   * @param option the command line option that named it, for messages
   */
  static Transformer loadModel(SparkSession spark, String option, String path) {
    String type = savedClass(spark, option, path);
    Function<String, Transformer> loader = LOADERS.get(type);
    if (loader == null) {
      throw new InvalidInputException(
          option
              + " "
              + path
              + ": is a "
              + type
              + "; supported are "
              + LinearModel.SUPPORTED
              + ", a PipelineModel with one of them, and a CrossValidatorModel or"
              + " TrainValidationSplitModel of these");
    }
    return loaded(option, path, () -> loader.apply(path));
  }

  /** Loads a saved Pipeline, not fitted yet, or PipelineModel. */
  static PipelineStage loadPipeline(SparkSession spark, String option, String path) {
    String type = savedClass(spark, option, path);
    return switch (type) {
      case "org.apache.spark.ml.PipelineModel" ->
          loaded(option, path, () -> PipelineModel.load(path));
      case "org.apache.spark.ml.Pipeline" -> loaded(option, path, () -> Pipeline.load(path));
      default ->
          throw new InvalidInputException(
              option + " " + path + ": is a " + type + "; allowed are Pipeline and PipelineModel");
    };
  }

  private static <T> T loaded(String option, String path, Supplier<T> load) {
    try {
      return load.get();
    } catch (Exception e) { // AnalysisException is checked, and Scala does not declare it
      SparkFailedException.throwIfOutage(option + " " + path, e);
      throw new InvalidInputException(
          option
              + " "
              + path
              + ": cannot be loaded ("
              + SparkErrors.kind(e)
              + "): it is damaged, incomplete or contains a stage whose class is not on the class"
              + " path",
          e);
    }
  }

  /** Saves a model by Spark ML's own writer into a directory that is not published yet. */
  static void save(Transformer model, Path directory) throws IOException {
    writer(model).overwrite().save(directory.toString());
  }

  /**
   * Refuses a model that {@link #save} would, without writing anything.
   *
   * @throws InvalidInputException if a stage, or what a tuning holds, cannot be saved by Spark ML
   */
  static void requireWritable(PipelineStage model) {
    parts(model).forEach(ModelStore::requireWritable);
    MLWriter unused = writer(model); // making it is the check
  }

  /** What is saved with it: Spark ML's writers look no deeper than that themselves. */
  private static Stream<? extends PipelineStage> parts(PipelineStage whole) {
    if (whole instanceof PipelineModel pipeline) {
      return Arrays.stream(pipeline.stages());
    }
    if (whole instanceof Pipeline pipeline) {
      return Arrays.stream(pipeline.getStages());
    }
    Stream<PipelineStage> best = Stream.empty();
    if (whole instanceof CrossValidatorModel tuned) {
      best = Stream.of(tuned.bestModel());
    } else if (whole instanceof TrainValidationSplitModel tuned) {
      best = Stream.of(tuned.bestModel());
    }
    return whole instanceof ValidatorParams tuning && tuning.isDefined(tuning.estimator())
        ? Stream.concat(best, Stream.of(tuning.getEstimator()))
        : best;
  }

  private static MLWriter writer(PipelineStage model) {
    if (!(model instanceof MLWritable writable)) {
      throw new InvalidInputException(
          "the model's class " + model.getClass().getName() + " cannot be saved by Spark ML");
    }
    try {
      return writable.write();
    } catch (UnsupportedOperationException | NoSuchElementException e) {
      throw new InvalidInputException(
          "the model's "
              + model.getClass().getName()
              + " "
              + model.uid()
              + " cannot be saved by Spark ML: something in its params, such as a tuning's"
              + " estimator, evaluator or grid, is missing or not MLWritable",
          e);
    }
  }

  /**
   * The model that was just saved. Tasks write parts of it: where driver and executors share no
   * file system those are missing, and nobody else notices.
   *
   * @param parameters that were saved
   * @param out the directory that was asked for, for messages
   * @throws InvalidInputException if what can be read is not what was saved
   */
  static LoadedModel readBack(SparkSession spark, Path directory, double[] parameters, String out) {
    LoadedModel saved;
    try {
      saved = LoadedModel.of(loadModel(spark, "--out", directory.toString()), "--out", out);
    } catch (InvalidInputException e) {
      throw incomplete(out, "the model that was written cannot be read back", e);
    }
    double[] read = saved.linear().parameters();
    if (read.length != parameters.length
        || !IntStream.range(0, read.length).allMatch(j -> read[j] == parameters[j])) {
      throw incomplete(out, "the model that was written has other parameters when read back", null);
    }
    return saved;
  }

  /** What the tasks wrote is not, or not all, where the driver published it. */
  static InvalidInputException incomplete(String out, String finding, @Nullable Exception cause) {
    String message =
        "--out "
            + out
            + ": "
            + finding
            + "; nothing was published. The path must be on storage that the driver and all"
            + " executors share, such as HDFS, an object store or a mounted network disk";
    return new InvalidInputException(message, new IOException(finding, cause));
  }

  private static String savedClass(SparkSession spark, String option, String path) {
    try {
      Path metadata = new Path(path, "metadata");
      FileSystem files = metadata.getFileSystem(spark.sparkContext().hadoopConfiguration());
      if (!files.exists(new Path(path))) {
        throw new InvalidInputException(option + " " + path + ": does not exist");
      }
      if (!files.exists(metadata)) {
        throw new InvalidInputException(
            option + " " + path + ": is not a saved Spark ML model: it has no folder 'metadata'");
      }
      List<Row> lines = spark.read().text(metadata.toString()).takeAsList(1);
      JsonNode document =
          lines.isEmpty() ? null : new ObjectMapper().readTree(lines.get(0).getString(0));
      JsonNode type = document == null ? null : document.get("class");
      if (type == null) {
        throw new InvalidInputException(
            option + " " + path + ": is not a saved Spark ML model: its metadata names no class");
      }
      return type.asText();
    } catch (InvalidInputException e) {
      throw e;
    } catch (Exception e) { // AnalysisException is checked, and Scala does not declare it
      SparkFailedException.throwIfOutage(option + " " + path, e);
      throw new InvalidInputException(
          option
              + " "
              + path
              + ": is not a saved Spark ML model: its metadata cannot be read ("
              + SparkErrors.kind(e)
              + ")",
          e);
    }
  }
}
