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
  public NetworkSchedule {
    if (!optimizer.equals("adam") && !optimizer.equals("sgd")) {
      throw new InvalidInputException("optimizer " + optimizer + ": allowed are adam and sgd");
    }
    if (!(rate > 0) || Double.isInfinite(rate)) {
      throw new InvalidInputException("rate " + rate + ": must be finite and above 0");
    }
    if (!(momentum >= 0 && momentum < 1) || (momentum > 0 && optimizer.equals("adam"))) {
      throw new InvalidInputException(
          "momentum " + momentum + ": must lie in [0, 1), and is sgd's alone");
    }
    if (batch < 1) {
      throw new InvalidInputException("batch " + batch + ": must be at least 1");
    }
    if (epochs < 0) {
      throw new InvalidInputException("epochs " + epochs + ": must be at least 0");
    }
    if (!(regParam >= 0) || Double.isInfinite(regParam)) {
      throw new InvalidInputException("regParam " + regParam + ": must be finite, at least 0");
    }
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
