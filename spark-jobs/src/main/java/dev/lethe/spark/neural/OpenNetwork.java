package dev.lethe.spark.neural;

import dev.lethe.core.neural.Batch;
import dev.lethe.spark.torch.TorchModel;
import java.io.Serializable;
import java.util.UUID;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * A network that passes are made with: its module is broadcast once, and one model is on the
 * driver. Running statistics are the driver's to set.
 */
final class OpenNetwork implements AutoCloseable {
  /** Examples that a model is given at once: enough for its matrix products to be busy. */
  static final int BATCH_ROWS = 128;

  /** Which parameters are free. */
  interface Free extends Predicate<String>, Serializable {}

  private final Network network;
  private final JavaSparkContext context;
  private final String key = UUID.randomUUID().toString();
  private final Broadcast<Network.Loader> loader;
  private final TorchModel model;
  private final Supplier<String> description;
  private final boolean fixedFeatures;
  private double[] buffers;

  /**
   * @param description begins the descriptions of Spark's jobs; no personal data
   * @throws dev.lethe.spark.InvalidInputException if the module does not do what is declared
   */
  OpenNetwork(SparkSession spark, Network network, Free free, Supplier<String> description) {
    this.network = network;
    context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    Network.Loader made = network.loader(free);
    this.description = description;
    model = made.load();
    boolean opened = false;
    try {
      Batch example = network.description().input().example();
      model.requireOutputs(example, network.description().outputs());
      buffers = model.buffers();
      fixedFeatures = model.hasFixedFeatures(example);
      loader = context.broadcast(made);
      opened = true;
    } finally {
      if (!opened) {
        model.close();
      }
    }
  }

  Network network() {
    return network;
  }

  /** p. */
  int size() {
    return model.size();
  }

  /** The model on the driver. */
  TorchModel model() {
    return model;
  }

  /** Whether the first layers' outputs are the same for every theta, and are what is cached. */
  boolean hasFixedFeatures() {
    return fixedFeatures;
  }

  double[] buffers() {
    return buffers;
  }

  void setBuffers(double[] buffers) {
    this.buffers = buffers;
  }

  /** The module with these parameters. */
  byte[] module(double[] theta) {
    model.setParameters(theta);
    model.setBuffers(buffers);
    return model.save();
  }

  String key() {
    return key;
  }

  Broadcast<Network.Loader> loader() {
    return loader;
  }

  int batchRows() {
    return BATCH_ROWS;
  }

  /** Says in Spark's UI what the next job is; null for nothing. */
  void describe(@Nullable String what) {
    context.sc().setJobDescription(what == null ? null : description.get() + ": " + what);
  }

  /** Frees the models of this JVM; executors' make place for the next network's. */
  @Override
  public void close() {
    loader.destroy();
    model.close();
    ModelPool.drop(key);
  }
}
