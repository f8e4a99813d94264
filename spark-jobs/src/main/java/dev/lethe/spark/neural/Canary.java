package dev.lethe.spark.neural;

import dev.lethe.core.neural.Batch;
import dev.lethe.core.neural.Exposure;
import dev.lethe.core.neural.NeuralModel;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.JsonDocument;
import java.util.Arrays;
import java.util.Objects;
import java.util.SplittableRandom;

/**
 * A secret that a language model may have memorised: Carlini, Liu, Erlingsson, Kos, Song, The
 * Secret Sharer, USENIX Security 2019.
 *
 * @param context what stands before the secret
 * @param secret characters of the alphabet
 * @param alphabet what the secret might be made of: |R| = |alphabet|^|secret| strings
 */
public record Canary(int schemaVersion, String context, String secret, String alphabet) {
  static final int SCHEMA_VERSION = 1;

  /** Strings that are all looked at; of more, a sample. */
  static final long MOST_ENUMERATED = 1_000_000;

  /** Characters of a secret in a row that tell of it wherever they stand. */
  static final int RUN = 3;

  private static final int SAMPLE = 2000;
  private static final int BATCH_ROWS = 256;

  public Canary {
    if (secret.isEmpty() || alphabet.chars().distinct().count() < 2) {
      throw new InvalidInputException(
          "canary: the secret must not be empty, and the alphabet have 2 characters or more");
    }
    if (alphabet.chars().distinct().count() < alphabet.length()
        || secret.chars().anyMatch(c -> alphabet.indexOf(c) < 0)) {
      throw new InvalidInputException(
          "canary: the alphabet must have each character once, and all of the secret's");
    }
  }

  static Canary read(byte[] json, String source) {
    return JsonDocument.read(json, Canary.class, SCHEMA_VERSION, null, source);
  }

  /**
   * What a model knows of it.
   *
   * @param exposure in bits; 1 is the median of random strings
   * @param logPerplexity -log2 P(secret | context)
   * @param completedCharacters of the secret, from its first on, that the model's own most likely
   *     continuation of the context has
   * @param completion that continuation, as long as the secret, which is not to be repeated: an
   *     asterisk for each character that is the secret's at that place or one of {@link #RUN} in a
   *     row that the secret has anywhere, U+FFFD for what is none
   */
  public record Memory(
      Exposure exposure, double logPerplexity, int completedCharacters, String completion) {}

  /**
   * @throws InvalidInputException if the network does not read text, or lacks a character of the
   *     alphabet or of the window that it reads of the context
   */
  void requireKnown(NetworkInput input) {
    if (!input.isText()) {
      throw new InvalidInputException("--canary: the network reads numbers, not a text");
    }
    short[] tokenOf = input.tokenOf();
    if (alphabet.chars().anyMatch(c -> tokenOf[c] == NetworkInput.UNKNOWN)) {
      throw new InvalidInputException(
          "--canary: the network does not know every character of the alphabet");
    }
    String read =
        context.substring(Math.max(0, context.length() - Objects.requireNonNull(input.window())));
    if (read.chars().anyMatch(c -> tokenOf[c] == NetworkInput.UNKNOWN)) {
      throw new InvalidInputException(
          "--canary: the network does not know every character that it would read of the context;"
              + " what it says after others tells nothing of the secret");
    }
  }

  /**
   * @param seed of the sample
   * @throws InvalidInputException if the network does not read text, or lacks a character
   */
  Memory memory(NeuralModel model, NetworkInput input, long seed) {
    return memory(model, input, seed, MOST_ENUMERATED);
  }

  /**
   * @param enumerated strings that are all looked at; of more, a sample
   */
  Memory memory(NeuralModel model, NetworkInput input, long seed, long enumerated) {
    requireKnown(input);
    short[] tokenOf = input.tokenOf();
    Reader reader = new Reader(model, input, tokenOf);
    double perplexity = reader.logPerplexities(new String[] {secret})[0];
    double space = secret.length() * Math.log(alphabet.length()) / Math.log(2);
    Exposure exposure =
        space <= Math.log(enumerated) / Math.log(2) + 1e-9
            ? exact(reader)
            : Exposure.approximate(perplexity, reader.logPerplexities(sample(seed)), space);
    String completion = reader.completion();
    int completed = 0;
    while (completed < secret.length()
        && completion.charAt(completed) == secret.charAt(completed)) {
      completed++;
    }
    return new Memory(exposure, perplexity, completed, masked(completion));
  }

  String masked(String completion) {
    StringBuilder text = new StringBuilder(completion);
    for (int j = 0; j < completion.length(); j++) {
      if (completion.charAt(j) == secret.charAt(j)) {
        text.setCharAt(j, '*');
      }
      int end = j + RUN;
      if (end <= completion.length() && secret.contains(completion.substring(j, end))) {
        text.replace(j, end, "*".repeat(RUN));
      }
    }
    return text.toString();
  }

  private String[] sample(long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    String[] strings = new String[SAMPLE];
    Arrays.setAll(
        strings,
        k -> {
          StringBuilder text = new StringBuilder();
          for (int j = 0; j < secret.length(); j++) {
            text.append(alphabet.charAt(random.nextInt(alphabet.length())));
          }
          return text.toString();
        });
    return strings;
  }

  /** Every string of R, by its prefixes: each is looked at once. */
  private Exposure exact(Reader reader) {
    String[] prefixes = {""};
    double[] perplexities = {0};
    int at = 0;
    for (int j = 0; j < secret.length(); j++) {
      double[][] next = reader.nextCharacter(prefixes);
      String[] longer = new String[prefixes.length * alphabet.length()];
      double[] sums = new double[longer.length];
      for (int k = 0; k < prefixes.length; k++) {
        for (int c = 0; c < alphabet.length(); c++) {
          longer[k * alphabet.length() + c] = prefixes[k] + alphabet.charAt(c);
          sums[k * alphabet.length() + c] = perplexities[k] + next[k][c];
        }
      }
      at = at * alphabet.length() + alphabet.indexOf(secret.charAt(j));
      prefixes = longer;
      perplexities = sums;
    }
    return Exposure.exact(perplexities, at);
  }

  /** Asks the model. */
  private final class Reader {
    private final NeuralModel model;
    private final NetworkInput input;
    private final short[] tokenOf;
    private final int window;

    Reader(NeuralModel model, NetworkInput input, short[] tokenOf) {
      this.model = model;
      this.input = input;
      this.tokenOf = tokenOf;
      if (input.window() == null) {
        throw new IllegalStateException("a text has a window");
      }
      window = input.window();
    }

    /** -log2 P(string | context), of each. */
    double[] logPerplexities(String[] strings) {
      int length = secret.length();
      double[] sums = new double[strings.length];
      int at = 0;
      while (at < strings.length) {
        int count = Math.min(Math.max(1, BATCH_ROWS / length), strings.length - at);
        long[] inputs = new long[count * length * window];
        long[] next = new long[count * length];
        for (int k = 0; k < count; k++) {
          String text = context + strings[at + k];
          for (int j = 0; j < length; j++) {
            int row = k * length + j;
            fill(inputs, row, text, context.length() + j);
            next[row] = tokenOf[text.charAt(context.length() + j)];
          }
        }
        float[] losses = model.losses(Batch.ofTokens(window, inputs, next));
        for (int row = 0; row < losses.length; row++) {
          sums[at + row / length] += losses[row] / Math.log(2);
        }
        at += count;
      }
      return sums;
    }

    /** -log2 P(c | context and prefix), for each prefix and each character c of the alphabet. */
    double[][] nextCharacter(String[] prefixes) {
      double[][] all = new double[prefixes.length][];
      for (int at = 0; at < prefixes.length; at += BATCH_ROWS) {
        int count = Math.min(BATCH_ROWS, prefixes.length - at);
        long[] inputs = new long[count * window];
        for (int k = 0; k < count; k++) {
          String text = context + prefixes[at + k];
          fill(inputs, k, text, text.length());
        }
        float[] outputs = model.outputs(Batch.ofTokens(window, inputs, new long[count]));
        int width = outputs.length / count;
        for (int k = 0; k < count; k++) {
          all[at + k] = ofAlphabet(outputs, k * width, width);
        }
      }
      return all;
    }

    private double[] ofAlphabet(float[] outputs, int from, int width) {
      double largest = Double.NEGATIVE_INFINITY;
      for (int j = from; j < from + width; j++) {
        largest = Math.max(largest, outputs[j]);
      }
      double sum = 0;
      for (int j = from; j < from + width; j++) {
        sum += Math.exp(outputs[j] - largest);
      }
      double normaliser = largest + Math.log(sum);
      double[] bits = new double[alphabet.length()];
      for (int c = 0; c < bits.length; c++) {
        bits[c] = (normaliser - outputs[from + tokenOf[alphabet.charAt(c)]]) / Math.log(2);
      }
      return bits;
    }

    /** The most likely character after the context, the most likely one after that, and so on. */
    String completion() {
      StringBuilder text = new StringBuilder(context);
      for (int j = 0; j < secret.length(); j++) {
        long[] inputs = new long[window];
        fill(inputs, 0, text.toString(), text.length());
        float[] outputs = model.outputs(Batch.ofTokens(window, inputs, new long[1]));
        text.append(input.characterOf(Predictions.of(outputs, 0, outputs.length)));
      }
      return text.substring(context.length());
    }

    /** The window before a place of the text. */
    private void fill(long[] inputs, int row, String text, int target) {
      for (int t = 0; t < window; t++) {
        int place = target - window + t;
        inputs[row * window + t] = place < 0 ? NetworkInput.BEFORE : tokenOf[text.charAt(place)];
      }
    }
  }
}
