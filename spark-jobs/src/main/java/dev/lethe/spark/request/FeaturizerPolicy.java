package dev.lethe.spark.request;

import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Collectors;

/** What becomes of the state that the stages before the predictor learned from the data. */
public enum FeaturizerPolicy {
  /** It is kept; the certificate names every such stage as not covered. */
  FROZEN("frozen"),
  /** It is fitted again on the corrected data, and unlearning goes on from there. */
  REFIT("refit"),
  /** A model that has such a stage is refused. */
  FORBID("forbid");

  private final String word;

  FeaturizerPolicy(String word) {
    this.word = word;
  }

  /** The word for this policy in a request file. */
  public String word() {
    return word;
  }

  /** The policy that a request file means by {@code word}; empty if it means none. */
  public static Optional<FeaturizerPolicy> ofWord(String word) {
    return Arrays.stream(values()).filter(p -> p.word.equals(word)).findFirst();
  }

  static String words() {
    return Arrays.stream(values()).map(FeaturizerPolicy::word).collect(Collectors.joining(", "));
  }
}
