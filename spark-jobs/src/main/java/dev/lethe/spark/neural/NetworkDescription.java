package dev.lethe.spark.neural;

import dev.lethe.core.neural.NetworkLoss;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.JsonDocument;
import org.jspecify.annotations.Nullable;

/**
 * What a network is besides its TorchScript module; {@code network.json}.
 *
 * @param loss as {@link NetworkLoss#word}
 * @param label column of the class or the number; null for a text, which predicts itself
 * @param outputs classes, or numbers
 * @param schedule of its training
 * @param lethe version that wrote it
 */
public record NetworkDescription(
    int schemaVersion,
    NetworkArchitecture architecture,
    String loss,
    NetworkInput input,
    @Nullable String label,
    int outputs,
    NetworkSchedule schedule,
    String lethe) {
  static final int SCHEMA_VERSION = 1;

  public NetworkDescription {
    if (input.isText() != (label == null)) {
      throw new InvalidInputException(
          input.isText() ? "label: a text predicts itself" : "label: a column is needed");
    }
    checkTargets(Named.KEY, loss, input.isText(), outputs);
    schedule.check(Named.KEY);
    if (input.isText() && outputs != input.tokens()) {
      throw new InvalidInputException(
          "vocabulary: has "
              + (input.tokens() - NetworkInput.FIRST_CHARACTER)
              + " characters; the network's "
              + outputs
              + " outputs are "
              + NetworkInput.FIRST_CHARACTER
              + " and one for each");
    }
  }

  /**
   * @param outputs of a text any, they are its vocabulary's
   */
  static void checkTargets(Named named, String loss, boolean text, int outputs) {
    NetworkLoss known = find(loss);
    if (known == null) {
      named.require(false, "loss", loss, "be cross-entropy, binary-cross-entropy or squared");
    } else if (text) {
      named.require(
          known == NetworkLoss.CROSS_ENTROPY, "loss", loss, "be cross-entropy for a text");
    } else {
      switch (known) {
        case CROSS_ENTROPY ->
            named.require(outputs >= 2, "outputs", outputs, "be at least 2 for cross-entropy");
        case BINARY_CROSS_ENTROPY ->
            named.require(outputs == 1, "outputs", outputs, "be 1 for binary-cross-entropy");
        case SQUARED -> named.require(outputs >= 1, "outputs", outputs, "be at least 1");
      }
    }
  }

  NetworkLoss lossFunction() {
    return lossOf(loss);
  }

  /** How many different classes there are; 0 where targets are numbers. */
  int classes() {
    return switch (lossFunction()) {
      case CROSS_ENTROPY -> outputs;
      case BINARY_CROSS_ENTROPY -> 2;
      case SQUARED -> 0;
    };
  }

  static NetworkLoss lossOf(String word) {
    NetworkLoss loss = find(word);
    if (loss == null) {
      throw new IllegalArgumentException(word + " is no loss");
    }
    return loss;
  }

  private static @Nullable NetworkLoss find(String word) {
    for (NetworkLoss loss : NetworkLoss.values()) {
      if (loss.word().equals(word)) {
        return loss;
      }
    }
    return null;
  }

  byte[] toJson() {
    return JsonDocument.write(this);
  }

  static NetworkDescription read(byte[] json, String source) {
    return JsonDocument.read(json, NetworkDescription.class, SCHEMA_VERSION, null, source);
  }
}
