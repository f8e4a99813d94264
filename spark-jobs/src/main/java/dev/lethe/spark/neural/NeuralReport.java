package dev.lethe.spark.neural;

import com.fasterxml.jackson.annotation.JsonIgnore;
import dev.lethe.core.neural.NetworkUnlearning;
import dev.lethe.spark.certificate.JsonDocument;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What an update of a network did, as measured; {@code report.json}. It is made of the data, of
 * what was forgotten, too: it is confidential.
 *
 * @param verdict always "empirical"
 * @param statement what that means
 * @param parameters that were free
 * @param changed how many examples changed
 * @param update what it measured on the way
 * @param outcome of an update by the paper's method; null of training
 * @param before of the network that was given
 * @param after of the new one
 * @param seconds of the update; behind reading, but for {@code featureSeconds}
 * @param featureSeconds of these, the passes that read the examples and make what the layers that
 *     stay as they are make of them; 0 where every layer changes
 * @param lethe version
 */
public record NeuralReport(
    int schemaVersion,
    String requestId,
    String method,
    String verdict,
    String statement,
    int parameters,
    Changed changed,
    List<NetworkUnlearning.Round> update,
    @Nullable String outcome,
    Measured before,
    Measured after,
    double seconds,
    double featureSeconds,
    String lethe) {
  static final int SCHEMA_VERSION = 1;
  static final String VERDICT = "empirical";
  static final String STATEMENT =
      "No certificate: the loss of a network is not convex, and nothing is proven about what these"
          + " parameters still hold. What is stated was measured, with batch norm and dropout in"
          + " evaluation mode.";

  /**
   * @param rows that the request touches
   * @param removed rows among them
   * @param before examples as they were: rows, or windows of a text
   * @param after examples as they are now
   * @param targets of those in {@code after}, how many predict something else than before
   */
  public record Changed(long rows, long removed, long before, long after, long targets) {}

  /**
   * @param corrected on all corrected data
   * @param changedAsTheyWere of all examples that change, removed ones among them, with their old
   *     inputs and targets; null if there is none
   * @param changedAsTheyAre the same as they are now; null if there is none, as where rows are
   *     removed
   * @param asTheyWere of the examples whose target changes, with their old target; null if none
   *     does
   * @param asTheyAre the same with their new target
   * @param remembered of the examples whose target changes, how many old targets are likelier than
   *     is typical of their classes, by the measure of {@code --remembered-beyond}; null if none
   *     changes or targets are numbers
   * @param avoided the same for old targets that are less likely
   * @param wrong the same for new targets: how many are not what the network predicts
   * @param test on the test data, if given
   * @param canary if given
   */
  public record Measured(
      NetworkMeasures corrected,
      @Nullable NetworkMeasures changedAsTheyWere,
      @Nullable NetworkMeasures changedAsTheyAre,
      @Nullable NetworkMeasures asTheyWere,
      @Nullable NetworkMeasures asTheyAre,
      @Nullable Long remembered,
      @Nullable Long avoided,
      @Nullable Long wrong,
      @Nullable NetworkMeasures test,
      Canary.@Nullable Memory canary) {}

  public NeuralReport {
    update = List.copyOf(update);
  }

  /**
   * Whether the network is one to publish: neither has an update diverged nor is a loss infinite.
   */
  @JsonIgnore
  public boolean published() {
    return !NetworkUnlearning.Outcome.DIVERGED.name().equals(outcome)
        && Double.isFinite(after.corrected().meanLoss());
  }

  byte[] toJson() {
    return JsonDocument.write(this);
  }
}
