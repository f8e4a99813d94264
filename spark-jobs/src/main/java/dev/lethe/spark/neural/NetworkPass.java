package dev.lethe.spark.neural;

import dev.lethe.core.neural.Batch;
import dev.lethe.core.neural.Curvature;
import dev.lethe.core.neural.NetworkBlock;
import dev.lethe.core.neural.NetworkSum;
import dev.lethe.core.neural.NetworkSums.Filter;
import dev.lethe.core.neural.NeuralModel;
import dev.lethe.core.neural.Sample;
import dev.lethe.core.neural.TypicalOdds;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.operator.PartTask;
import dev.lethe.spark.operator.Sent;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.broadcast.Broadcast;
import org.jspecify.annotations.Nullable;

/** One task of a pass: what a network adds up over the examples of a partition. */
final class NetworkPass extends PartTask<NetworkBlock, NetworkSum> {
  private static final long serialVersionUID = 1L;

  /** What is added up. */
  enum What {
    EVALUATION,
    GRADIENT,
    PRODUCT,
    ODDS_MOMENTS,
    RECALL,
    MISFIT_GRADIENT,
    MISFIT_PRODUCT,
    CONFUSION,
    TRAINING_GRADIENT
  }

  /** Arguments; not a record, whose final fields Spark's cleaner cannot set. */
  static final class Arguments implements Serializable {
    private static final long serialVersionUID = 1L;
    final What what;
    final double[] theta;
    double @Nullable [] buffers;
    double @Nullable [] direction;
    Curvature curvature = Curvature.HESSIAN;
    Filter filter = Filter.ALL;
    Sample sample = Sample.ALL;
    @Nullable Minibatch minibatch;
    int classes;
    @Nullable TypicalOdds typical;
    double beyond;
    boolean fromFeatures;

    Arguments(What what, double[] theta) {
      this.what = what;
      this.theta = theta;
    }

    double[] direction() {
      if (direction == null) {
        throw new IllegalStateException("a product needs a direction");
      }
      return direction;
    }

    TypicalOdds typical() {
      if (typical == null) {
        throw new IllegalStateException("a misfit needs typical odds");
      }
      return typical;
    }

    long bytes() {
      return 8L
          * (theta.length
              + (direction == null ? 0 : direction.length)
              + (buffers == null ? 0 : buffers.length));
    }
  }

  /** Of the sum of recall: the misfit, examples that are remembered, and that are avoided. */
  static final int MISFIT = 0;

  static final int REMEMBERED = 1;
  static final int AVOIDED = 2;
  private static final int RECALLED = 3;

  private final String network;
  private final Broadcast<Network.Loader> loader;
  private final Sent<Arguments> sent;
  private final long[] firstOf;
  private final int batchRows;

  /**
   * @param network the pool's key
   * @param firstOf number of each partition's first example
   * @param batchRows examples that a model is given at once, but in training
   */
  NetworkPass(
      String network,
      Broadcast<Network.Loader> loader,
      Sent<Arguments> sent,
      long[] firstOf,
      int batchRows) {
    this.network = network;
    this.loader = loader;
    this.sent = sent;
    this.firstOf = firstOf;
    this.batchRows = batchRows;
  }

  static NetworkSum zero(Arguments arguments) {
    return new NetworkSum(
        switch (arguments.what) {
          case EVALUATION -> 0;
          case CONFUSION -> arguments.classes * arguments.classes;
          case ODDS_MOMENTS -> TypicalOdds.moments(arguments.classes);
          case RECALL -> RECALLED;
          default -> arguments.theta.length;
        },
        arguments.what == What.TRAINING_GRADIENT && arguments.buffers != null
            ? arguments.buffers.length
            : 0);
  }

  @Override
  protected NetworkSum sum(int partition, Iterator<NetworkBlock> blocks) {
    Arguments arguments = sent.value();
    NetworkSum sum = zero(arguments);
    if (firstOf[partition] == firstOf[partition + 1] && !blocks.hasNext()) { // no model for that
      return sum;
    }
    int[] picks =
        arguments.minibatch == null
            ? new int[0]
            : arguments.minibatch.of(firstOf[partition], firstOf[partition + 1]);
    if (arguments.minibatch != null && picks.length == 0) {
      return sum;
    }
    return ModelPool.lend(
        network,
        () -> loader.value().load(),
        model -> {
          add(partition, blocks, picks, model, arguments, sum);
          return sum;
        });
  }

  private void add(
      int partition,
      Iterator<NetworkBlock> blocks,
      int[] picks,
      NeuralModel model,
      Arguments arguments,
      NetworkSum sum) {
    model.startFromFeatures(arguments.fromFeatures);
    model.setParameters(arguments.theta);
    if (arguments.buffers != null) {
      model.setBuffers(arguments.buffers);
    }
    // of training all at once: batch norm takes the statistics of a batch
    int atOnce = arguments.what == What.TRAINING_GRADIENT ? picks.length : batchRows;
    long seed = arguments.minibatch == null ? 0 : arguments.minibatch.seedOf(partition);
    Feeder feeder = new Feeder(model, arguments, sum, atOnce, seed);
    long first = firstOf[partition];
    while (blocks.hasNext()) {
      NetworkBlock block = blocks.next();
      if (arguments.minibatch == null) {
        feeder.addSample(block, first);
      } else {
        feeder.addPicks(block, (int) (first - firstOf[partition]), picks);
      }
      first += block.rows();
    }
    feeder.flush();
    if (first != firstOf[partition + 1]) {
      throw new InvalidInputException(
          "the rows changed while they were read; give a table that nobody writes to");
    }
  }

  /** Collects examples to batches. */
  private static final class Feeder {
    private final NeuralModel model;
    private final Arguments arguments;
    private final NetworkSum sum;
    private final int batchRows;
    private final long trainingSeed;
    private final List<Batch> waiting = new ArrayList<>();
    private int waitingRows;

    Feeder(
        NeuralModel model, Arguments arguments, NetworkSum sum, int batchRows, long trainingSeed) {
      this.model = model;
      this.arguments = arguments;
      this.sum = sum;
      this.batchRows = batchRows;
      this.trainingSeed = trainingSeed;
    }

    void addSample(NetworkBlock block, long first) {
      int[] chosen = new int[block.rows()];
      int count = 0;
      for (int i = 0; i < chosen.length; i++) {
        if (arguments.sample.has(first + i)) {
          chosen[count++] = i;
        }
      }
      add(block, chosen, 0, count);
    }

    /**
     * @param picks ascending, in the partition
     */
    void addPicks(NetworkBlock block, int first, int[] picks) {
      int[] chosen = new int[picks.length];
      int count = 0;
      for (int pick : picks) {
        if (pick >= first && pick < first + block.rows()) {
          chosen[count++] = pick - first;
        }
      }
      add(block, chosen, 0, count);
    }

    private void add(NetworkBlock block, int[] chosen, int from, int to) {
      int next = from;
      while (next < to) {
        int end = Math.min(to, next + batchRows - waitingRows);
        waiting.add(block.gather(chosen, next, end));
        waitingRows += end - next;
        next = end;
        if (waitingRows == batchRows) {
          flush();
        }
      }
    }

    void flush() {
      if (waitingRows > 0) {
        visit(Batch.concat(waiting));
        waiting.clear();
        waitingRows = 0;
      }
    }

    private void visit(Batch all) {
      Batch batch = arguments.filter == Filter.ALL ? all : wrong(all);
      if (batch.rows() == 0) {
        return;
      }
      switch (arguments.what) {
        case EVALUATION -> {
          NeuralModel.Evaluation evaluation = model.evaluate(batch);
          sum.add(batch.rows(), total(evaluation.losses()));
          sum.addCorrect(Predictions.countRight(evaluation.outputs(), batch));
        }
        case GRADIENT -> sum.add(batch.rows(), model.addGradient(batch, sum.vector()));
        case PRODUCT -> {
          model.addProduct(batch, arguments.direction(), arguments.curvature, sum.vector());
          sum.add(batch.rows(), 0);
        }
        case ODDS_MOMENTS -> {
          float[] outputs = model.outputs(batch);
          int width = outputs.length / batch.rows();
          for (int i = 0; i < batch.rows(); i++) {
            TypicalOdds.add(outputs, i, width, (int) batch.classes()[i], sum.vector());
          }
          sum.add(batch.rows(), 0);
        }
        case RECALL -> {
          float[] outputs = model.outputs(batch);
          int width = outputs.length / batch.rows();
          for (int i = 0; i < batch.rows(); i++) {
            double r =
                arguments.typical().standardized(outputs, i, width, (int) batch.classes()[i]);
            sum.vector()[MISFIT] += r * r / 2;
            sum.vector()[REMEMBERED] += r > arguments.beyond ? 1 : 0;
            sum.vector()[AVOIDED] += -r > arguments.beyond ? 1 : 0;
          }
          sum.add(batch.rows(), 0);
        }
        case MISFIT_GRADIENT -> {
          model.addMisfitGradient(batch, arguments.typical(), sum.vector());
          sum.add(batch.rows(), 0);
        }
        case MISFIT_PRODUCT -> {
          model.addMisfitProduct(batch, arguments.typical(), arguments.direction(), sum.vector());
          sum.add(batch.rows(), 0);
        }
        case CONFUSION -> {
          float[] outputs = model.outputs(batch);
          for (int i = 0; i < batch.rows(); i++) {
            int predicted = Predictions.of(outputs, i, outputs.length / batch.rows());
            sum.vector()[(int) batch.classes()[i] * arguments.classes + predicted]++;
          }
          sum.add(batch.rows(), 0);
        }
        case TRAINING_GRADIENT -> {
          sum.add(batch.rows(), model.addTrainingGradient(batch, trainingSeed, sum.vector()));
          sum.addBuffers(model.buffers(), batch.rows());
        }
      }
    }

    private Batch wrong(Batch batch) {
      return batch.where(Predictions.areRight(model.outputs(batch), batch), false);
    }

    private static double total(float[] losses) {
      double total = 0;
      for (float loss : losses) {
        total += loss;
      }
      return total;
    }
  }
}
