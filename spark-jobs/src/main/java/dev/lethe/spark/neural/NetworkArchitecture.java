package dev.lethe.spark.neural;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.torch.Architecture;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Which network: one of the built-in ones with its sizes, or a module of the user's own.
 *
 * @param kind mlp, lstm, cnn or own
 * @param hidden sizes of hidden layers: any number of an mlp's, the state's of an lstm, the one
 *     before the outputs of a cnn; null for a module of the user's own
 * @param embedding of an lstm: size of a token's vector
 * @param layers of an lstm
 * @param stages of a cnn: channels of each pair of convolutions
 */
public record NetworkArchitecture(
    String kind,
    @Nullable List<Integer> hidden,
    @Nullable Integer embedding,
    @Nullable Integer layers,
    @Nullable List<Integer> stages) {
  static final String OWN = "own";

  /** A module of the user's own. */
  public static NetworkArchitecture own() {
    return new NetworkArchitecture(OWN, null, null, null, null);
  }

  boolean isOwn() {
    return kind.equals(OWN);
  }

  /**
   * A module with new weights.
   *
   * @throws InvalidInputException if it does not fit the input, or is the user's own
   */
  byte[] module(NetworkInput input, int outputs, long seed) {
    return switch (kind) {
      case "mlp" -> {
        requireNumbers(input);
        yield new Architecture.Mlp(input.size(), sizes(hidden), outputs).module(seed);
      }
      case "lstm" -> {
        if (!input.isText()) {
          throw new InvalidInputException("architecture lstm: reads a text, not numbers");
        }
        yield new Architecture.Lstm(
                input.tokens(),
                Objects.requireNonNull(embedding),
                one("hidden", sizes(hidden)),
                Objects.requireNonNull(layers))
            .module(seed);
      }
      case "cnn" -> {
        requireNumbers(input);
        List<Integer> shape = Objects.requireNonNull(input.shape());
        if (shape.size() != 3) {
          throw new InvalidInputException(
              "architecture cnn: shape " + shape + " must be channels, height and width");
        }
        yield new Architecture.Cnn(
                shape.get(0),
                shape.get(1),
                shape.get(2),
                sizes(stages),
                one("hidden", sizes(hidden)),
                outputs)
            .module(seed);
      }
      case OWN ->
          throw new InvalidInputException(
              "architecture own: Lethe cannot make new weights for a module of your own; train it"
                  + " again where it was made");
      default ->
          throw new InvalidInputException(
              "architecture " + kind + ": allowed are mlp, lstm, cnn and own");
    };
  }

  private void requireNumbers(NetworkInput input) {
    if (input.isText()) {
      throw new InvalidInputException("architecture " + kind + ": reads numbers, not a text");
    }
  }

  private static int one(String name, List<Integer> sizes) {
    if (sizes.size() != 1) {
      throw new InvalidInputException(name + ": " + sizes + " must be one number");
    }
    return sizes.get(0);
  }

  private static List<Integer> sizes(@Nullable List<Integer> sizes) {
    return Objects.requireNonNull(sizes);
  }
}
