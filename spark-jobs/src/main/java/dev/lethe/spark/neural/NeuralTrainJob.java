package dev.lethe.spark.neural;

import dev.lethe.core.neural.NetworkBlock;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.AtomicPublication;
import dev.lethe.spark.job.BuildInfo;
import dev.lethe.spark.job.InputFile;
import dev.lethe.spark.job.Progress;
import dev.lethe.spark.job.SparkFailures;
import dev.lethe.spark.torch.Libtorch;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Objects;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * {@code lethe neural train}: trains a network on Spark, or takes in a module of the user's own.
 */
public final class NeuralTrainJob {
  private final NeuralTrainOptions options;
  private final SparkSession spark;

  public NeuralTrainJob(NeuralTrainOptions options, SparkSession spark) {
    this.options = options;
    this.spark = spark;
  }

  /**
   * @param finished whether training ended with finite parameters; nothing is saved otherwise
   * @param parameters p
   * @param resumedAt step that a checkpoint was at; 0 without one
   * @param steps in all
   * @param training on the training data
   * @param test on the test data, if given
   */
  public record Result(
      boolean finished,
      int parameters,
      long resumedAt,
      long steps,
      NetworkMeasures training,
      @Nullable NetworkMeasures test,
      double seconds) {}

  /**
   * Runs the job.
   *
   * @throws InvalidInputException if something given cannot be used; nothing is written then
   */
  public Result run() {
    Libtorch.require();
    long begin = System.nanoTime();
    Progress progress = Progress.onTerminal(spark, "Lethe neural train");
    try (AtomicPublication publication =
        AtomicPublication.begin(
            spark.sparkContext().hadoopConfiguration(), options.out(), options.table().path())) {
      Dataset<Row> table = options.table().read(spark);
      byte @Nullable [] own =
          options.module() == null
              ? null
              : InputFile.read(spark, "--module", options.module(), Integer.MAX_VALUE - 16);
      // a mistake in a table must cost neither a pass over the texts nor a training
      NetworkDescription unread = description("");
      NetworkTable.check(unread, table, options.table().name());
      if (options.test() != null) {
        NetworkTable.check(unread, options.test().read(spark), options.test().name());
      }
      NetworkDescription description =
          options.text() == null ? unread : description(vocabulary(table, options.text()));
      byte[] module =
          own == null
              ? description
                  .architecture()
                  .module(description.input(), description.outputs(), options.schedule().seed())
              : own;
      String name = options.module() == null ? Network.MODULE : "--module " + options.module();
      Network network = new Network(description, module, name);
      try (OpenNetwork open = new OpenNetwork(spark, network, any -> true, progress::description)) {
        String place = options.table().name();
        JavaRDD<NetworkBlock> blocks =
            NetworkTable.blocks(description, table, options.partitions(), place);
        try (DistributedNetwork data = DistributedNetwork.of(open, blocks, place)) {
          requireRows(data, place);
          return train(open, data, settings(network, data, blocks), publication, progress, begin);
        }
      }
    }
  }

  private Result train(
      OpenNetwork open,
      DistributedNetwork data,
      String settings,
      AtomicPublication publication,
      Progress progress,
      long begin) {
    NetworkDescription description = open.network().description();
    NetworkSchedule schedule = options.schedule();
    NetworkTraining training = new NetworkTraining(open, data, schedule);
    @Nullable Checkpoint checkpoint =
        options.checkpoint() == null
            ? null
            : new Checkpoint(
                spark.sparkContext().hadoopConfiguration(), options.checkpoint(), settings);
    long resumedAt = checkpoint != null && checkpoint.restore(training) ? training.steps() : 0;
    boolean finite =
        training.run(
            schedule.epochs(),
            progress,
            () -> {
              if (checkpoint != null && training.steps() % options.checkpointSteps() == 0) {
                checkpoint.write(training);
              }
            });
    NetworkMeasures measured = NetworkMeasures.of(description, data.evaluate(training.theta()));
    @Nullable NetworkMeasures test = options.test() == null ? null : test(open, training.theta());
    boolean finished = finite && Double.isFinite(measured.meanLoss());
    if (finished) {
      new Network(description, open.module(training.theta())).stage(publication, "");
      publication.commit();
      if (checkpoint != null) {
        checkpoint.delete();
      }
    }
    return new Result(
        finished,
        open.size(),
        resumedAt,
        training.steps(),
        measured,
        test,
        (System.nanoTime() - begin) / 1e9);
  }

  private NetworkMeasures test(OpenNetwork open, double[] theta) {
    return NeuralEvaluateJob.measures(spark, open, Objects.requireNonNull(options.test()), theta);
  }

  /**
   * @param vocabulary of a text
   */
  private NetworkDescription description(String vocabulary) {
    String text = options.text();
    NetworkInput input =
        text == null
            ? NetworkInput.ofColumns(options.columns(), options.shape(), options.divisor())
            : NetworkInput.ofText(text, options.window(), vocabulary);
    return new NetworkDescription(
        NetworkDescription.SCHEMA_VERSION,
        options.architecture(),
        options.loss(),
        input,
        options.label(),
        text == null ? options.outputs() : input.tokens(),
        options.schedule(),
        BuildInfo.version());
  }

  private String vocabulary(Dataset<Row> table, String column) {
    spark.sparkContext().setJobDescription("Lethe neural train: characters");
    try {
      return SparkFailures.sanitized(
          options.table().name(), () -> TextRows.characters(table, column, options.table().name()));
    } finally {
      spark.sparkContext().setJobDescription(null);
    }
  }

  /**
   * What a checkpoint must be of. Sums have other bits, and batch norm other statistics, with other
   * partitions.
   */
  private String settings(Network network, DistributedNetwork data, JavaRDD<NetworkBlock> blocks) {
    return new String(network.description().toJson(), StandardCharsets.UTF_8)
        + (options.module() == null ? "" : "from the module " + sha256(network.module()) + ", ")
        + data.rows()
        + " examples of "
        + options.table().path()
        + " in "
        + blocks.getNumPartitions()
        + " partitions";
  }

  private static String sha256(byte[] bytes) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    } catch (NoSuchAlgorithmException e) { // every JVM has it
      throw new IllegalStateException(e);
    }
  }

  static void requireRows(DistributedNetwork data, String place) {
    if (data.rows() == 0) {
      throw new InvalidInputException(place + ": no example is left to learn from");
    }
  }
}
