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
 * @param forgetting what a step may raise the mean loss of remembered old targets by, in nats
 * @param rememberedAbove share of the other classes that must have a smaller output for an old
 *     target to count as remembered; null for 1, of a text 0.25
 * @param rounds of the update at most
 * @param iterations of a solve at most
 * @param tolerance of a solve
 * @param rate of first order, null to choose
 * @param damping null to choose
 * @param scale of LiSSA, null to choose
 * @param epochs of fine-tuning
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
    double forgetting,
    @Nullable Double rememberedAbove,
    int rounds,
    int iterations,
    double tolerance,
    @Nullable Double rate,
    @Nullable Double damping,
    @Nullable Double scale,
    int epochs,
    long seed,
    @Nullable TableSource test,
    @Nullable String canary,
    String out,
    int partitions) {
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
    requireShare("--share", share);
    requireShare("--loss-share", lossShare);
    require(lossIncrease >= 0, "--loss-increase", lossIncrease, "at least 0");
    require(forgetting > 0, "--forget-step", forgetting, "above 0");
    require(
        rememberedAbove == null || (rememberedAbove > 0 && rememberedAbove <= 1),
        "--remembered-above",
        rememberedAbove == null ? 0 : rememberedAbove,
        "above 0 and at most 1");
    require(rounds >= 1, "--rounds", rounds, "at least 1");
    require(iterations >= 1, "--iterations", iterations, "at least 1");
    require(tolerance > 0 && tolerance < 1, "--tolerance", tolerance, "above 0 and below 1");
    requirePositive("--rate", rate);
    requirePositive("--damping", damping);
    requirePositive("--scale", scale);
    require(epochs >= 1, "--epochs", epochs, "at least 1");
  }

  private static void requirePositive(String name, @Nullable Double value) {
    require(
        value == null || (value > 0 && !Double.isInfinite(value)),
        name,
        value == null ? 0 : value,
        "finite and above 0");
  }

  private static void requireShare(String name, double share) {
    require(share > 0 && share <= 1, name, share, "above 0 and at most 1");
  }

  private static void require(boolean holds, String name, double value, String allowed) {
    if (!holds) {
      throw new InvalidInputException(name + " " + value + ": must be " + allowed);
    }
  }
}
