package dev.lethe.core.neural;

import java.util.Arrays;

/**
 * How far a model prefers a canary s, put into its training data, to other random strings: the
 * exposure of Carlini, Liu, Erlingsson, Kos, Song, The Secret Sharer, USENIX Security 2019, in
 * bits.
 *
 * <p>s was drawn uniformly from a space R of strings. Of the log-perplexities of R,
 *
 * <pre>
 *   exact          log2 |R| - log2 rank(s),  rank(s) = 1 + the number of strings strictly below s
 *   approximate    -log2 P(X &lt;= log-perplexity of s),  X skew normal, fitted to a sample of R
 * </pre>
 *
 * Ties count for the canary, which says the worst of the model: the greatest exposure they admit.
 *
 * <p>The approximation is as good as the fit's tail. By the delta method, for shapes in [-3, 3] and
 * if the law is skew normal, 2000 strings give 10 bits with a standard error of 0.3 to 0.5 bits, 33
 * bits with 1.3 to 2.9; it falls as the root of their number. That the law is skew normal so far
 * out cannot be tested by a sample.
 *
 * <p>A model that has never seen s gives it a uniform rank, so an exposure of at least b bits with
 * probability 2^-b or less: its median is 1 bit, its mean log2 e = 1.44. One bit, not zero, is what
 * a perfect removal leaves.
 *
 * <p>Whoever knows that s was forgotten looks at the other end, too: at strings that the model
 * finds conspicuously unlikely. Avoidance is the exposure by the ranks from there,
 *
 * <pre>
 *   exact          log2 |R| - log2 (1 + the number of strings strictly above s)
 *   approximate    -log2 P(X &gt;= log-perplexity of s)
 * </pre>
 *
 * with the same law for a model that has never seen s.
 *
 * @param bits at least 0; exact ones are at most {@code space}, approximate ones extrapolate the
 *     fit's tail and may exceed it, which says no more than that s ranks first
 * @param avoidance at least 0, likewise, from the other end
 * @param exact whether all of R was evaluated
 * @param space log2 |R|
 * @param sampleSize strings evaluated: |R| if exact
 */
public record Exposure(double bits, double avoidance, boolean exact, double space, int sampleSize) {
  private static final double LOG_2 = Math.log(2);

  public Exposure {
    if (!(bits >= 0)) {
      throw new IllegalArgumentException("bits = " + bits + ": must be at least 0");
    }
    if (!(avoidance >= 0)) {
      throw new IllegalArgumentException("avoidance = " + avoidance + ": must be at least 0");
    }
    if (!(space >= 0 && space < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException("space = " + space + ": must be finite, at least 0");
    }
    if (sampleSize < 1) {
      throw new IllegalArgumentException("sampleSize = " + sampleSize + ": must be at least 1");
    }
  }

  /**
   * The exposure by the canary's rank.
   *
   * @param logPerplexities of every string of R, in any unit, finite
   * @param canary index of the canary among them
   * @throws IllegalArgumentException if a value is not finite, or the index not one of theirs
   */
  public static Exposure exact(double[] logPerplexities, int canary) {
    int size = logPerplexities.length;
    if (canary < 0 || canary >= size) {
      throw new IllegalArgumentException(
          "canary = " + canary + ": must lie in [0, " + size + "), an index of logPerplexities");
    }
    for (double value : logPerplexities) {
      if (!Double.isFinite(value)) {
        throw new IllegalArgumentException(
            "logPerplexities has the value " + value + ": must be finite");
      }
    }
    double own = logPerplexities[canary];
    long rank = 1 + Arrays.stream(logPerplexities).filter(other -> other < own).count();
    long above = 1 + Arrays.stream(logPerplexities).filter(other -> other > own).count();
    return new Exposure(
        log2(size / (double) rank), log2(size / (double) above), true, log2(size), size);
  }

  /**
   * The exposure by a fit to strings that were drawn as the canary was, but never trained on.
   *
   * @param canary its log-perplexity, finite
   * @param sample log-perplexities of random strings of R, in the canary's unit
   * @param space log2 |R|, at least 0
   * @throws IllegalArgumentException also where {@link SkewNormal#fit} refuses the sample
   */
  public static Exposure approximate(double canary, double[] sample, double space) {
    return approximate(canary, SkewNormal.fit(sample), space, sample.length);
  }

  /**
   * The same for one of several canaries of one format, which share a fit.
   *
   * @param sampleSize what the fit was made of
   */
  public static Exposure approximate(double canary, SkewNormal fit, double space, int sampleSize) {
    if (!Double.isFinite(canary)) {
      throw new IllegalArgumentException("canary = " + canary + ": must be finite");
    }
    // abs, not minus: there is no exposure of -0.0
    return new Exposure(
        Math.abs(fit.logCdf(canary)) / LOG_2,
        Math.abs(fit.mirrored().logCdf(-canary)) / LOG_2,
        false,
        space,
        sampleSize);
  }

  private static double log2(double x) {
    return Math.log(x) / LOG_2;
  }
}
