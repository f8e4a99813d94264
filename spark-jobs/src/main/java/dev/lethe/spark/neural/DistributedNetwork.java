package dev.lethe.spark.neural;

import dev.lethe.core.neural.Curvature;
import dev.lethe.core.neural.NetworkBlock;
import dev.lethe.core.neural.NetworkSum;
import dev.lethe.core.neural.NetworkSums;
import dev.lethe.core.neural.Sample;
import dev.lethe.core.neural.TypicalOdds;
import dev.lethe.spark.job.SparkFailures;
import dev.lethe.spark.neural.NetworkPass.Arguments;
import dev.lethe.spark.neural.NetworkPass.What;
import dev.lethe.spark.operator.OrderedAggregation;
import dev.lethe.spark.operator.Sent;
import java.util.List;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.storage.StorageLevel;

/**
 * A network's sums over a data set that the cluster caches. A pass is one Spark job; partitions are
 * merged in their order, so the same partitioning gives the same bits.
 */
final class DistributedNetwork implements NetworkSums, AutoCloseable {
  private final OpenNetwork network;
  private final JavaRDD<NetworkBlock> blocks;
  private final long[] firstOf;
  private final String place;

  private DistributedNetwork(
      OpenNetwork network, JavaRDD<NetworkBlock> blocks, long[] firstOf, String place) {
    this.network = network;
    this.blocks = blocks;
    this.firstOf = firstOf;
    this.place = place;
  }

  /**
   * Reads, packs, caches and counts, in one job. Where no free parameter has a part in the first
   * layers, what they make of the examples is cached in the examples' place.
   */
  static DistributedNetwork of(OpenNetwork network, JavaRDD<NetworkBlock> examples, String place) {
    JavaRDD<NetworkBlock> blocks =
        network.hasFixedFeatures()
            ? examples.mapPartitions(
                new FixedFeatures(
                    network.key(), network.loader(), network.buffers(), network.batchRows()))
            : examples;
    blocks.persist(StorageLevel.MEMORY_AND_DISK());
    boolean counted = false;
    try {
      network.describe("reading");
      List<Long> counts =
          SparkFailures.sanitized(
              place,
              () ->
                  blocks
                      .mapPartitions(
                          part -> {
                            long rows = 0;
                            while (part.hasNext()) {
                              rows += part.next().rows();
                            }
                            return List.of(rows).iterator();
                          })
                      .collect());
      long[] firstOf = new long[counts.size() + 1];
      for (int k = 0; k < counts.size(); k++) {
        firstOf[k + 1] = firstOf[k] + counts.get(k);
      }
      counted = true;
      return new DistributedNetwork(network, blocks, firstOf, place);
    } finally { // Scala throws checked exceptions undeclared
      network.describe(null);
      if (!counted) {
        blocks.unpersist(false);
      }
    }
  }

  /** The same examples for another network; closing either drops them. */
  DistributedNetwork with(OpenNetwork other) {
    return new DistributedNetwork(other, blocks, firstOf, place);
  }

  @Override
  public int size() {
    return network.size();
  }

  @Override
  public long rows() {
    return firstOf[firstOf.length - 1];
  }

  @Override
  public NetworkSum evaluate(double[] theta, Sample sample) {
    Arguments arguments = new Arguments(What.EVALUATION, theta);
    arguments.sample = sample;
    return run("loss", arguments);
  }

  @Override
  public NetworkSum gradient(double[] theta, Sample sample, Filter filter) {
    Arguments arguments = new Arguments(What.GRADIENT, theta);
    arguments.sample = sample;
    arguments.filter = filter;
    return run("gradient", arguments);
  }

  @Override
  public NetworkSum product(double[] theta, double[] v, Curvature curvature, Sample sample) {
    Arguments arguments = new Arguments(What.PRODUCT, theta);
    arguments.direction = v;
    arguments.curvature = curvature;
    arguments.sample = sample;
    return run("Hessian-vector product", arguments);
  }

  @Override
  public double[] oddsMoments(double[] theta) {
    Arguments arguments = new Arguments(What.ODDS_MOMENTS, theta);
    arguments.classes = network.network().description().classes();
    return run("typical odds", arguments).vector();
  }

  @Override
  public Recall recall(double[] theta, TypicalOdds typical, double beyond) {
    Arguments arguments = new Arguments(What.RECALL, theta);
    arguments.typical = typical;
    arguments.beyond = beyond;
    NetworkSum sum = run("recall", arguments);
    return new Recall(
        sum.vector()[NetworkPass.MISFIT],
        Math.round(sum.vector()[NetworkPass.REMEMBERED]),
        Math.round(sum.vector()[NetworkPass.AVOIDED]));
  }

  @Override
  public NetworkSum misfitGradient(double[] theta, TypicalOdds typical) {
    Arguments arguments = new Arguments(What.MISFIT_GRADIENT, theta);
    arguments.typical = typical;
    return run("gradient of misfits", arguments);
  }

  @Override
  public NetworkSum misfitProduct(double[] theta, double[] v, TypicalOdds typical) {
    Arguments arguments = new Arguments(What.MISFIT_PRODUCT, theta);
    arguments.direction = v;
    arguments.typical = typical;
    return run("misfit product", arguments);
  }

  /** How many examples of each class are predicted to be of which: [class][predicted]. */
  long[][] confusion(double[] theta, int classes) {
    Arguments arguments = new Arguments(What.CONFUSION, theta);
    arguments.classes = classes;
    double[] counts = run("confusion", arguments).vector();
    long[][] matrix = new long[classes][classes];
    for (int k = 0; k < counts.length; k++) {
      matrix[k / classes][k % classes] = Math.round(counts[k]);
    }
    return matrix;
  }

  /** The gradient of a minibatch in training mode, and the running statistics behind it. */
  NetworkSum trainingGradient(double[] theta, double[] buffers, Minibatch minibatch) {
    Arguments arguments = new Arguments(What.TRAINING_GRADIENT, theta);
    arguments.buffers = buffers;
    arguments.minibatch = minibatch;
    return run("training step", arguments);
  }

  private NetworkSum run(String what, Arguments arguments) {
    return SparkFailures.sanitized(place, () -> pass(what, arguments));
  }

  private NetworkSum pass(String what, Arguments arguments) {
    if (arguments.buffers == null) {
      arguments.buffers = network.buffers();
    }
    arguments.fromFeatures = network.hasFixedFeatures();
    JavaSparkContext context = JavaSparkContext.fromSparkContext(blocks.context());
    Sent<Arguments> sent = Sent.of(context, arguments, arguments.bytes());
    network.describe(what);
    try {
      return OrderedAggregation.run(
          blocks,
          new NetworkPass(network.key(), network.loader(), sent, firstOf, network.batchRows()),
          NetworkPass.zero(arguments));
    } finally {
      sent.destroy();
      network.describe(null);
    }
  }

  @Override
  public void close() {
    blocks.unpersist(false);
  }
}
