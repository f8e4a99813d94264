package dev.lethe.spark.neural;

import dev.lethe.core.neural.Batch;
import dev.lethe.spark.InvalidInputException;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What a network reads of a row: numbers, or the windows of a text.
 *
 * @param columns of numbers, arrays of numbers or bytes, one after the other; null for a text
 * @param shape of the numbers, rows left out; null for a text
 * @param divisor every number is divided by it; null for a text
 * @param text column of the text; null for numbers
 * @param window characters before the one that is predicted; null for numbers
 * @param vocabulary characters in the order of their tokens, ascending; the first two tokens are
 *     none: what stands before a text, and a character that training has not seen. Null for numbers
 */
public record NetworkInput(
    @Nullable List<String> columns,
    @Nullable List<Integer> shape,
    @Nullable Double divisor,
    @Nullable String text,
    @Nullable Integer window,
    @Nullable String vocabulary) {
  /** Token of what stands before a text. */
  static final short BEFORE = 0;

  /** Token of a character that is not in the vocabulary. */
  static final short UNKNOWN = 1;

  /** Numbers of an example, or characters of its window: those of a batch must fit an array. */
  static final int MOST_NUMBERS = Integer.MAX_VALUE / OpenNetwork.BATCH_ROWS;

  /** Token of the vocabulary's first character. */
  static final int FIRST_CHARACTER = 2;

  /** Tokens are shorts. */
  private static final int MOST_CHARACTERS = Short.MAX_VALUE + 1 - FIRST_CHARACTER;

  public NetworkInput {
    if ((columns == null) == (text == null)) {
      throw new InvalidInputException("input: either columns of numbers or a text is needed");
    }
    if (columns != null) {
      columns = List.copyOf(columns);
      shape = shape == null ? List.of() : List.copyOf(shape);
      checkNumbers(Named.KEY, shape, divisor == null ? Double.NaN : divisor);
    } else {
      checkWindow(Named.KEY, window == null ? 0 : window);
      checkVocabulary(vocabulary);
    }
  }

  static void checkNumbers(Named named, List<Integer> shape, double divisor) {
    named.require(
        !shape.isEmpty() && shape.stream().allMatch(n -> n >= 1),
        "shape",
        shape,
        "be numbers of at least 1");
    named.require(
        count(shape) <= MOST_NUMBERS, "shape", shape, "have at most " + MOST_NUMBERS + " numbers");
    named.require(
        divisor > 0 && !Double.isInfinite(divisor), "divisor", divisor, "be finite and above 0");
  }

  static void checkWindow(Named named, int window) {
    named.require(
        window >= 1 && window <= MOST_NUMBERS,
        "window",
        window,
        "lie in [1, " + MOST_NUMBERS + "]");
  }

  private static void checkVocabulary(@Nullable String vocabulary) {
    if (vocabulary == null || !isAscending(vocabulary)) {
      throw new InvalidInputException(
          "vocabulary: must be a text of different characters, ascending");
    }
    if (vocabulary.length() > MOST_CHARACTERS) {
      throw new InvalidInputException(
          "vocabulary: the texts have "
              + vocabulary.length()
              + " different characters; at most "
              + MOST_CHARACTERS
              + " can have tokens");
    }
  }

  private static boolean isAscending(String characters) {
    for (int k = 1; k < characters.length(); k++) {
      if (characters.charAt(k - 1) >= characters.charAt(k)) {
        return false;
      }
    }
    return true;
  }

  /** The product of a shape, or anything larger than is allowed. */
  private static long count(List<Integer> shape) {
    long count = 1;
    for (int extent : shape) {
      count = Math.min(MOST_NUMBERS + 1L, count * extent);
    }
    return count;
  }

  static NetworkInput ofColumns(List<String> columns, List<Integer> shape, double divisor) {
    return new NetworkInput(columns, shape, divisor, null, null, null);
  }

  /**
   * @param characters that have tokens, ascending
   */
  static NetworkInput ofText(String column, int window, String characters) {
    return new NetworkInput(null, null, null, column, window, characters);
  }

  boolean isText() {
    return text != null;
  }

  /** An example of nothing, to try a network with. */
  Batch example() {
    if (window != null) {
      return Batch.ofTokens(window, new long[window], new long[1]);
    }
    return Batch.ofValues(
        Objects.requireNonNull(shape).stream().mapToInt(n -> n).toArray(),
        new float[size()],
        new long[1]);
  }

  /** Of numbers: how many. */
  int size() {
    if (shape == null) {
      throw new IllegalStateException("a text has no size");
    }
    return shape.stream().reduce(1, Math::multiplyExact);
  }

  /** Of a text: different tokens. */
  int tokens() {
    return FIRST_CHARACTER + (vocabulary == null ? 0 : vocabulary.length());
  }

  /** The token of each character; all others are {@link #UNKNOWN}. */
  short[] tokenOf() {
    short[] tokens = new short[Character.MAX_VALUE + 1];
    Arrays.fill(tokens, UNKNOWN);
    String characters = vocabulary == null ? "" : vocabulary;
    for (int k = 0; k < characters.length(); k++) {
      tokens[characters.charAt(k)] = (short) (FIRST_CHARACTER + k);
    }
    return tokens;
  }

  /** The character of a token, or a sign for those that are none. */
  char characterOf(int token) {
    String characters = vocabulary == null ? "" : vocabulary;
    return token < FIRST_CHARACTER ? '\uFFFD' : characters.charAt(token - FIRST_CHARACTER);
  }
}
