package dev.lethe.spark.neural;

import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.neural.Batch;
import dev.lethe.core.neural.NetworkSum;
import dev.lethe.core.neural.Optimizer;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.job.Progress;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.function.BooleanSupplier;

/**
 * Synchronous data-parallel training: each step is the gradient of one minibatch, to which every
 * partition adds its examples, and one step of the optimiser on the driver. The order of examples
 * is a function of the seed, the epoch and the examples' numbers, not of the partitions; but batch
 * norm takes the statistics of a partition's share of a minibatch, and running statistics are their
 * means, as data-parallel training has it elsewhere, and dropout draws for each share anew.
 */
final class NetworkTraining {
  /** Inputs of a minibatch; what a network makes of them on the way is a multiple. */
  private static final long MAX_BYTES = 1L << 30;

  private final OpenNetwork network;
  private final DistributedNetwork data;
  private final Optimizer optimizer;
  private final double regParam;
  private final int batch;
  private final long seed;
  private final double[] theta;
  private long step;
  private double lossOfEpoch;

  /**
   * From the network's parameters on.
   *
   * @param schedule its epochs are the caller's to count
   * @throws InvalidInputException if a partition's share of a minibatch may be too large for one
   *     batch
   */
  NetworkTraining(OpenNetwork network, DistributedNetwork data, NetworkSchedule schedule) {
    this.network = network;
    this.data = data;
    this.optimizer = schedule.optimizer(network.size());
    this.regParam = schedule.regParam();
    this.batch = schedule.batch();
    this.seed = schedule.seed();
    requireSize(network.network().description().input().example(), Math.min(batch, data.rows()));
    theta = network.model().parameters();
  }

  static void requireSize(Batch example, long rows) {
    long bytes =
        ((long) Float.BYTES * example.values().length + (long) Long.BYTES * example.tokens().length)
            * rows;
    if (bytes > MAX_BYTES) {
      throw new InvalidInputException(
          "batch: the inputs of a minibatch of "
              + rows
              + " examples are "
              + (bytes >> 20)
              + " MiB; at most "
              + (MAX_BYTES >> 20)
              + " are allowed, since a partition takes its share at once");
    }
  }

  long stepsOfEpoch() {
    return (data.rows() + batch - 1) / batch;
  }

  /** Steps done. */
  long steps() {
    return step;
  }

  double[] theta() {
    return theta;
  }

  /** Mean loss of the epoch so far, each minibatch at its own parameters. */
  double lossOfEpoch() {
    long within = step % stepsOfEpoch();
    long examples = within == 0 ? data.rows() : within * batch;
    return lossOfEpoch / examples;
  }

  /**
   * Goes on to the end of an epoch, and says how far it is.
   *
   * @param epochs in all
   * @param behindStep runs after each step
   * @return whether parameters and losses are finite
   */
  boolean run(int epochs, Progress progress, Runnable behindStep) {
    return run(
        epochs * stepsOfEpoch(),
        () -> {
          progress.epochs(step, stepsOfEpoch(), epochs, lossOfEpoch());
          behindStep.run();
          return true;
        });
  }

  /**
   * Goes on.
   *
   * @param until steps in all
   * @param told after each step; false stops
   * @return whether parameters and losses are finite
   */
  boolean run(long until, BooleanSupplier told) {
    while (step < until) {
      long within = step % stepsOfEpoch();
      if (within == 0) {
        lossOfEpoch = 0;
      }
      NetworkSum sum =
          data.trainingGradient(
              theta,
              network.buffers(),
              new Minibatch(data.rows(), seed, step / stepsOfEpoch(), within * batch, batch));
      double[] gradient = sum.vector().clone();
      for (int j = 0; j < gradient.length; j++) {
        gradient[j] = gradient[j] / sum.rows() + regParam * theta[j];
      }
      lossOfEpoch += sum.loss();
      if (!Double.isFinite(sum.loss()) || !Vectors.isFinite(gradient)) {
        return false;
      }
      optimizer.step(theta, gradient);
      if (!(Vectors.maxAbs(theta) <= Float.MAX_VALUE)) {
        return false;
      }
      network.setBuffers(sum.meanBuffers());
      step++;
      if (!told.getAsBoolean()) {
        break;
      }
    }
    return true;
  }

  /** Writes what the next steps depend on. */
  void write(DataOutput out) throws IOException {
    out.writeLong(step);
    out.writeDouble(lossOfEpoch);
    Vectors.write(theta, out);
    double[] buffers = network.buffers();
    out.writeInt(buffers.length);
    Vectors.write(buffers, out);
    optimizer.write(out);
  }

  /** Reads what {@link #write} wrote. */
  void read(DataInput in) throws IOException {
    step = in.readLong();
    lossOfEpoch = in.readDouble();
    Vectors.read(theta, in);
    double[] buffers = new double[in.readInt()];
    Vectors.read(buffers, in);
    network.setBuffers(buffers);
    optimizer.read(in);
  }
}
