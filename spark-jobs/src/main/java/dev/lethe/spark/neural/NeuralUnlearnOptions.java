package dev.lethe.spark.neural;

import dev.lethe.core.neural.Curvature;
import dev.lethe.core.neural.NetworkUnlearning;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.data.TableSource;
import dev.lethe.spark.job.RequestSource;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What {@code lethe neural unlearn} is given.
 *
 * @param model directory of the saved network
 * @param table the data that it was trained on
 * @param layers beginnings of the names of the parameters that are updated; empty for all
 * @param gradient that a step is made of
 * @param share of the corrected data that H is taken of
 * @param lossShare of the corrected data that a step is checked on
 * @param lossIncrease what a step may raise their mean loss by, relative
 * @param rememberedBeyond standard deviations of log odds from which on an old target counts as
 *     remembered, or avoided; null for {@link #LABELS_BEYOND}, of a text {@link #TEXTS_BEYOND}
 * @param rounds of the update at most
 * @param iterations of a solve at most
 * @param tolerance of a solve
 * @param rate of first order, null to choose
 * @param damping null to choose
 * @param scale of LiSSA, null to choose
 * @param epochs of fine-tuning; null for 1
 * @param seed of samples
 * @param test test data, or null
 * @param canary file of a {@link Canary}, or null
 * @param out directory that appears with the network and the report; must not exist
 * @param partitions 0 for the source's own
 */
public record NeuralUnlearnOptions(
    String model,
    TableSource table,
    RequestSource request,
    Method method,
    List<String> layers,
    NetworkUnlearning.Gradient gradient,
    Curvature curvature,
    double share,
    double lossShare,
    double lossIncrease,
    @Nullable Double rememberedBeyond,
    int rounds,
    int iterations,
    double tolerance,
    @Nullable Double rate,
    @Nullable Double damping,
    @Nullable Double scale,
    @Nullable Integer epochs,
    long seed,
    @Nullable TableSource test,
    @Nullable String canary,
    String out,
    int partitions) {
  /** A label is one of many: it is remembered where it is unlike next to all others. */
  public static final double LABELS_BEYOND = 2;

  /** Characters of a secret add up: none of them may stand out. */
  public static final double TEXTS_BEYOND = 0.5;

  /** What makes the new parameters. */
  public enum Method {
    SECOND_ORDER("second-order"),
    LISSA("lissa"),
    FIRST_ORDER("first-order"),
    /** Trains on, on the corrected data. */
    FINE_TUNE("fine-tune"),
    /** Trains anew, on the corrected data. */
    RETRAIN("retrain");

    private final String word;

    Method(String word) {
      this.word = word;
    }

    /** As the command line and the report have it. */
    public String word() {
      return word;
    }

    /** The method of a word. */
    public static Method of(String word) {
      for (Method method : values()) {
        if (method.word.equals(word)) {
          return method;
        }
      }
      throw new InvalidInputException(
          "--method "
              + word
              + ": allowed are second-order, lissa, first-order, fine-tune and retrain");
    }
  }

  public NeuralUnlearnOptions {
    layers = List.copyOf(layers);
    Named named = Named.OPTION;
    boolean trains = method == Method.FINE_TUNE || method == Method.RETRAIN;
    requireShare("share", share);
    requireShare("lossShare", lossShare);
    named.require(lossIncrease >= 0, "lossIncrease", lossIncrease, "be at least 0");
    requirePositive("rememberedBeyond", rememberedBeyond);
    named.require(rounds >= 1, "rounds", rounds, "be at least 1");
    named.require(iterations >= 1, "iterations", iterations, "be at least 1");
    named.require(tolerance > 0 && tolerance < 1, "tolerance", tolerance, "be above 0 and below 1");
    requirePositive("rate", rate);
    requirePositive("damping", damping);
    requirePositive("scale", scale);
    named.require(epochs == null || epochs >= 1, "epochs", String.valueOf(epochs), "be at least 1");
    requireMethod(rate == null || method == Method.FIRST_ORDER, "rate", method);
    requireMethod(damping == null || !(trains || method == Method.FIRST_ORDER), "damping", method);
    requireMethod(scale == null || method == Method.LISSA, "scale", method);
    requireMethod(epochs == null || method == Method.FINE_TUNE, "epochs", method);
    requireMethod(layers.isEmpty() || !trains, "layers", method);
  }

  private static void requirePositive(String key, @Nullable Double value) {
    Named.OPTION.require(
        value == null || (value > 0 && !Double.isInfinite(value)),
        key,
        String.valueOf(value),
        "be finite and above 0");
  }

  private static void requireShare(String key, double share) {
    Named.OPTION.require(share > 0 && share <= 1, key, share, "be above 0 and at most 1");
  }

  private static void requireMethod(boolean holds, String key, Method method) {
    if (!holds) {
      throw new InvalidInputException(
          Named.OPTION.of(key) + ": --method " + method.word() + " has none; leave it out");
    }
  }
}
