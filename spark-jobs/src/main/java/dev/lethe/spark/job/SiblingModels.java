package dev.lethe.spark.job;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.ModelDigest;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.FileUtil;
import org.apache.hadoop.fs.Path;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.Transformer;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * Pipelines that are published one after the other and differ in their predictor alone. Of one that
 * was saved and read back the next takes the files; its predictor is saved by Spark ML's own
 * writer, and read back. That is 6 small Spark jobs in place of some 15.
 */
final class SiblingModels {
  private final SparkSession spark;
  private @Nullable Saved saved;

  /**
   * @param directory where it is published
   */
  private record Saved(
      PipelineModel model, Transformer predictor, Path directory, ModelDigest digest) {}

  SiblingModels(SparkSession spark) {
    this.spark = spark;
  }

  /** A model was published as it was saved and read back. */
  synchronized void published(LoadedModel model, Path directory, ModelDigest digest) {
    if (saved == null && model.transformer() instanceof PipelineModel pipeline) {
      saved = new Saved(pipeline, model.featurizer().predictor(), directory, digest);
    }
  }

  private synchronized @Nullable Saved sibling() {
    return saved;
  }

  /**
   * Saves a model from the files of a sibling, and reads back what is its own.
   *
   * @param directory does not exist
   * @param out the directory that was asked for, for messages
   * @return whether it was; if not, the directory does not exist
   * @throws InvalidInputException if what can be read is not what was saved
   */
  boolean save(LoadedModel model, Path directory, String out) throws IOException {
    Saved like = sibling();
    if (like == null || !isLike(model, like)) {
      return false;
    }
    Configuration configuration = spark.sparkContext().hadoopConfiguration();
    FileSystem files = directory.getFileSystem(configuration);
    Transformer predictor = model.featurizer().predictor();
    Path stage = null;
    if (isCopied(like, files, directory, configuration)) {
      stage = stage(files, directory, predictor.uid());
    }
    if (stage == null) {
      files.delete(directory, true);
      return false;
    }
    ModelStore.save(predictor, stage);
    ModelStore.readBack(spark, stage, model.linear().parameters(), out);
    return true;
  }

  private static boolean isLike(LoadedModel model, Saved like) {
    if (!(model.transformer() instanceof PipelineModel pipeline)
        || !pipeline.uid().equals(like.model().uid())) {
      return false;
    }
    Transformer predictor = model.featurizer().predictor();
    Transformer[] stages = pipeline.stages();
    Transformer[] others = like.model().stages();
    boolean alike =
        stages.length == others.length && predictor.uid().equals(like.predictor().uid());
    int predictors = 0;
    for (int i = 0; alike && i < stages.length; i++) {
      boolean isPredictor = stages[i] == predictor && others[i] == like.predictor();
      predictors += isPredictor ? 1 : 0;
      alike = isPredictor || stages[i] == others[i];
    }
    return alike && predictors == 1;
  }

  /** Somebody may have changed what was published. */
  private static boolean isCopied(
      Saved like, FileSystem files, Path directory, Configuration configuration) {
    try {
      return FileUtil.copy(files, like.directory(), files, directory, false, configuration)
          && ModelDigest.of(configuration, directory.toString()).equals(like.digest());
    } catch (IOException | InvalidInputException e) {
      return false; // it is saved as the first one was
    }
  }

  /** The folder of a stage, as Spark ML names them; null if there is not one. */
  private static @Nullable Path stage(FileSystem files, Path directory, String uid)
      throws IOException {
    Path stages = new Path(directory, "stages");
    if (!files.exists(stages)) {
      return null;
    }
    List<Path> found =
        Arrays.stream(files.listStatus(stages))
            .map(FileStatus::getPath)
            .filter(path -> path.getName().endsWith("_" + uid))
            .toList();
    return found.size() == 1 ? found.get(0) : null;
  }
}
