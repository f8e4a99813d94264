package dev.lethe.spark.neural;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.torch.Architecture;
import java.util.List;
import java.util.Objects;
import java.util.Set;
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

  private static final Set<String> KINDS = Set.of("mlp", "lstm", "cnn", OWN);

  /** Of a layer. */
  private static final int MOST_SIZE = 1 << 20;

  /** A module of the user's own. */
  public static NetworkArchitecture own() {
    return new NetworkArchitecture(OWN, null, null, null, null);
  }

  boolean isOwn() {
    return kind.equals(OWN);
  }

  /**
   * Whether it is one that there is, and reads what it is given.
   *
   * @param text whether that is a text
   * @param shape of numbers
   * @throws InvalidInputException if not
   */
  void check(Named named, boolean text, List<Integer> shape) {
    named.require(KINDS.contains(kind), kindKey(named), kind, "be mlp, lstm or cnn");
    if (isOwn()) {
      return;
    }
    boolean lstm = kind.equals("lstm");
    named.require(
        lstm == text,
        kindKey(named),
        kind,
        lstm ? "have a text, not numbers" : "have numbers, not a text");
    checkSizes(named, "hidden", hidden, !kind.equals("mlp"));
    if (lstm) {
      checkSizes(named, "embedding", embedding == null ? null : List.of(embedding), true);
      checkSizes(named, "layers", layers == null ? null : List.of(layers), true);
    }
    if (kind.equals("cnn")) {
      checkSizes(named, "stages", stages, false);
      named.require(shape.size() == 3, "shape", shape, "be channels, height and width for a cnn");
      int halvings = sizes(stages).size();
      named.require(
          halvings < Integer.SIZE - 1 && Math.min(shape.get(1), shape.get(2)) >> halvings > 0,
          "stages",
          sizes(stages),
          "be so few that as many halvings leave something of "
              + shape.get(1)
              + " x "
              + shape.get(2));
    }
  }

  private static String kindKey(Named named) {
    return named == Named.KEY ? "kind" : "architecture";
  }

  private static void checkSizes(
      Named named, String key, @Nullable List<Integer> sizes, boolean one) {
    Object shown = sizes != null && sizes.size() == 1 ? sizes.get(0) : String.valueOf(sizes);
    named.require(
        sizes != null
            && (!one || sizes.size() == 1)
            && sizes.stream().allMatch(size -> size >= 1 && size <= MOST_SIZE),
        key,
        shown,
        (one ? "be one number" : "be numbers") + " from 1 to " + MOST_SIZE);
  }

  /**
   * A module with new weights.
   *
   * @throws InvalidInputException if it does not fit the input, or is the user's own
   */
  byte[] module(NetworkInput input, int outputs, long seed) {
    List<Integer> shape = input.shape() == null ? List.of() : input.shape();
    check(Named.KEY, input.isText(), shape);
    try {
      return architecture(input, shape, outputs).module(seed);
    } catch (ArithmeticException e) {
      throw new InvalidInputException(
          "architecture " + kind + ": a layer has more parameters than an array holds", e);
    }
  }

  private Architecture architecture(NetworkInput input, List<Integer> shape, int outputs) {
    return switch (kind) {
      case "mlp" -> new Architecture.Mlp(input.size(), sizes(hidden), outputs);
      case "lstm" ->
          new Architecture.Lstm(
              input.tokens(),
              Objects.requireNonNull(embedding),
              sizes(hidden).get(0),
              Objects.requireNonNull(layers));
      case "cnn" ->
          new Architecture.Cnn(
              shape.get(0),
              shape.get(1),
              shape.get(2),
              sizes(stages),
              sizes(hidden).get(0),
              outputs);
      default -> // own
          throw new InvalidInputException(
              "architecture own: Lethe cannot make new weights for a module of your own; train it"
                  + " again where it was made");
    };
  }

  private static List<Integer> sizes(@Nullable List<Integer> sizes) {
    return Objects.requireNonNull(sizes);
  }
}
