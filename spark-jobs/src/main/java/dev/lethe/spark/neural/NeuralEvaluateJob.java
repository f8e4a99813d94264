package dev.lethe.spark.neural;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.data.TableSource;
import dev.lethe.spark.job.InputFile;
import dev.lethe.spark.job.Progress;
import dev.lethe.spark.torch.Libtorch;
import java.util.Objects;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/** {@code lethe neural evaluate}: measures a network on a table, and what it knows of a canary. */
public final class NeuralEvaluateJob {
  /** Of the strings that a canary is compared with; the same for every network. */
  static final long CANARY_SEED = 20_190_219;

  /** Of more a confusion matrix is not made: nobody reads it, and it has their number squared. */
  static final int MOST_CONFUSED = 1000;

  private final Options options;
  private final SparkSession spark;

  /**
   * What {@code lethe neural evaluate} is given.
   *
   * @param model directory of a saved network
   * @param table the data, or null
   * @param canary file of a {@link Canary}, or null
   */
  public record Options(String model, @Nullable TableSource table, @Nullable String canary) {}

  public NeuralEvaluateJob(Options options, SparkSession spark) {
    this.options = options;
    this.spark = spark;
  }

  /**
   * @param measures on the table, if given
   * @param confusion examples by true class, then by predicted class; null if targets are numbers
   *     or a text's characters, or if there are more than {@link #MOST_CONFUSED} classes
   * @param unconfused how many classes there are, if these are too many; else 0
   * @param memory of the canary, if given
   */
  public record Result(
      @Nullable NetworkMeasures measures,
      long @Nullable [][] confusion,
      int unconfused,
      Canary.@Nullable Memory memory) {}

  /**
   * Runs the job.
   *
   * @throws InvalidInputException if something given cannot be used
   */
  public Result run() {
    Libtorch.require();
    Progress progress = Progress.onTerminal(spark, "Lethe neural evaluate");
    Network network = Network.load(spark, "--model", options.model());
    try (OpenNetwork open = new OpenNetwork(spark, network, any -> true, progress::description)) {
      @Nullable Canary canary = canary(spark, options.canary());
      @Nullable NetworkMeasures measures = null;
      long @Nullable [][] confusion = null;
      if (canary != null) {
        canary.requireKnown(network.description().input());
      }
      int classes = network.description().classes();
      boolean confusable = classes > 0 && !network.description().input().isText();
      if (options.table() != null) {
        TableSource table = options.table();
        try (DistributedNetwork data = data(spark, open, table)) {
          double[] theta = open.model().parameters();
          measures = NetworkMeasures.of(network.description(), data.evaluate(theta));
          if (confusable && classes <= MOST_CONFUSED) {
            confusion = data.confusion(theta, classes);
          }
        }
      }
      return new Result(
          measures,
          confusion,
          confusable && classes > MOST_CONFUSED ? classes : 0,
          canary == null
              ? null
              : canary.memory(open.model(), network.description().input(), CANARY_SEED));
    }
  }

  static @Nullable Canary canary(SparkSession spark, @Nullable String file) {
    return file == null
        ? null
        : Canary.read(InputFile.read(spark, "--canary", file, 1 << 20), "--canary " + file);
  }

  static DistributedNetwork data(SparkSession spark, OpenNetwork open, TableSource table) {
    DistributedNetwork data =
        DistributedNetwork.of(
            open,
            NetworkTable.blocks(open.network().description(), table.read(spark), 0, table.name()),
            table.name());
    if (data.rows() == 0) {
      data.close();
      throw new InvalidInputException(table.name() + ": has no example");
    }
    return data;
  }

  static NetworkMeasures measures(
      SparkSession spark, OpenNetwork open, TableSource table, double[] theta) {
    try (DistributedNetwork data = data(spark, open, Objects.requireNonNull(table))) {
      return NetworkMeasures.of(open.network().description(), data.evaluate(theta));
    }
  }
}
