package dev.lethe.spark.neural;

import dev.lethe.core.neural.NetworkSum;
import org.jspecify.annotations.Nullable;

/**
 * What a network does on a data set.
 *
 * @param examples rows, or characters of a text
 * @param meanLoss in nats
 * @param perplexity exp of the mean loss; null where targets are numbers
 * @param accuracy share of examples whose class is that of the largest output; null likewise
 */
public record NetworkMeasures(
    long examples, double meanLoss, @Nullable Double perplexity, @Nullable Double accuracy) {

  static NetworkMeasures of(NetworkDescription network, NetworkSum sum) {
    double mean = sum.loss() / sum.rows();
    boolean classes = network.classes() > 0;
    return new NetworkMeasures(
        sum.rows(),
        mean,
        classes ? Math.exp(mean) : null,
        classes ? (double) sum.correct() / sum.rows() : null);
  }
}
