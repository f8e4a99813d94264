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
    NetworkLoss known = lossOf(loss);
    if (input.isText() != (label == null)) {
      throw new InvalidInputException(
          input.isText() ? "label: a text predicts itself" : "label: a column is needed");
    }
    if (input.isText() && known != NetworkLoss.CROSS_ENTROPY) {
      throw new InvalidInputException("loss: of a text only cross-entropy");
    }
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
    if (outputs < (known == NetworkLoss.CROSS_ENTROPY ? 2 : 1)
        || (known == NetworkLoss.BINARY_CROSS_ENTROPY && outputs != 1)) {
      throw new InvalidInputException("outputs: " + outputs + " does not fit the loss " + loss);
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
    for (NetworkLoss loss : NetworkLoss.values()) {
      if (loss.word().equals(word)) {
        return loss;
      }
    }
    throw new InvalidInputException(
        "loss: " + word + "; allowed are cross-entropy, binary-cross-entropy and squared");
  }

  byte[] toJson() {
    return JsonDocument.write(this);
  }

  static NetworkDescription read(byte[] json, String source) {
    return JsonDocument.read(json, NetworkDescription.class, SCHEMA_VERSION, null, source);
  }
}
