package dev.lethe.benchmarks.endtoend;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * What {@code scripts/bench} passes on.
 *
 * @param words of the cases and of the studies, in order
 * @param scale of the rows, 1 for the full sizes
 * @param largest number of rows of a table of growth
 * @param runs timed runs of each piece
 * @param warmUps unlearnings and retrainings of fewer rows before
 * @param seed of the generated data
 * @param data directory of the given data sets, if any
 * @param work directory of generated tables and fitted models, used again
 * @param out directory of the results
 * @param commit that is measured
 * @param dirty whether the tree has changes that are in no commit
 * @param probeBytes that the bandwidth probe reads
 */
record Options(
    List<String> words,
    double scale,
    long largest,
    int runs,
    int warmUps,
    long seed,
    Optional<String> data,
    String work,
    String out,
    String commit,
    boolean dirty,
    long probeBytes) {
  static final long SEED = 20260401;
  private static final long LARGEST = 3_000_000;

  Options {
    if (!(scale > 0 && scale <= 10)) {
      throw new IllegalArgumentException("--scale must be above 0 and at most 10, not " + scale);
    }
    if (runs < 1) {
      throw new IllegalArgumentException("--runs must be at least 1, not " + runs);
    }
    if (warmUps < 0) {
      throw new IllegalArgumentException("--warm-ups must be at least 0, not " + warmUps);
    }
    words = List.copyOf(words);
  }

  /**
   * Reads words.
   *
   * @throws IllegalArgumentException if they are not understood
   */
  static Options parse(String... words) {
    List<String> only = new ArrayList<>();
    double scale = 1;
    long largest = LARGEST;
    int runs = 3;
    int warmUps = 3;
    long seed = SEED;
    Optional<String> data = Optional.empty();
    String work = "";
    String out = "";
    String commit = "unknown";
    boolean dirty = false;
    for (int i = 0; i < words.length; i += 2) {
      if (words[i].equals("--dirty")) {
        dirty = true;
        i--;
        continue;
      }
      if (i + 1 == words.length) {
        throw new IllegalArgumentException(words[i] + " needs a value");
      }
      String value = words[i + 1];
      switch (words[i]) {
        case "--only" -> only.addAll(List.of(value.split(",")));
        case "--scale" -> scale = number(words[i], value, Double::valueOf);
        case "--largest" -> largest = number(words[i], value, Long::valueOf);
        case "--runs" -> runs = number(words[i], value, Integer::valueOf);
        case "--warm-ups" -> warmUps = number(words[i], value, Integer::valueOf);
        case "--seed" -> seed = number(words[i], value, Long::valueOf);
        case "--data" -> data = Optional.of(value);
        case "--work" -> work = value;
        case "--out" -> out = value;
        case "--commit" -> commit = value;
        default -> throw new IllegalArgumentException("unknown argument '" + words[i] + "'");
      }
    }
    if (only.isEmpty()) {
      only.addAll(List.of("dense", "sparse"));
      if (data.isPresent()) {
        only.add("adult");
        only.add("enron");
      }
    }
    return new Options(
        only, scale, largest, runs, warmUps, seed, data, work, out, commit, dirty, 1L << 30);
  }

  private static <T> T number(String option, String value, Function<String, T> parsed) {
    try {
      return parsed.apply(value);
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(option + ": '" + value + "' is no number of its kind", e);
    }
  }
}
