package dev.lethe.spark.neural;

import dev.lethe.core.neural.Optimizer;
import dev.lethe.spark.InvalidInputException;

/**
 * How a network is trained.
 *
 * @param optimizer adam or sgd
 * @param rate the optimiser's step length
 * @param momentum of sgd; 0 for adam
 * @param batch examples of a minibatch
 * @param epochs passes over the data; 0 trains nothing
 * @param regParam of the objective (1/n) sum_i l_i + regParam/2 ||theta||^2
 * @param seed of weights and minibatches
 */
public record NetworkSchedule(
    String optimizer,
    double rate,
    double momentum,
    int batch,
    int epochs,
    double regParam,
    long seed) {
  /**
   * Whether it is one that can be followed.
   *
   * @throws InvalidInputException if not
   */
  void check(Named named) {
    boolean adam = optimizer.equals("adam");
    named.require(adam || optimizer.equals("sgd"), "optimizer", optimizer, "be adam or sgd");
    named.require(rate > 0 && !Double.isInfinite(rate), "rate", rate, "be finite and above 0");
    named.require(
        momentum >= 0 && momentum < 1 && (momentum == 0 || !adam),
        "momentum",
        momentum,
        "lie in [0, 1), and is sgd's alone");
    named.require(batch >= 1, "batch", batch, "be at least 1");
    named.require(epochs >= 0, "epochs", epochs, "be at least 0");
    named.require(
        regParam >= 0 && !Double.isInfinite(regParam),
        "regParam",
        regParam,
        "be finite and at least 0");
  }

  Optimizer optimizer(int size) {
    return optimizer.equals("adam")
        ? new Optimizer.Adam(size, rate)
        : new Optimizer.Sgd(size, rate, momentum);
  }

  /** The same for another number of epochs. */
  NetworkSchedule withEpochs(int others) {
    return new NetworkSchedule(optimizer, rate, momentum, batch, others, regParam, seed);
  }
}
