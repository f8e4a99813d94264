package dev.lethe.benchmarks.endtoend;

import java.io.IOException;
import java.util.List;

/** What was measured of Lethe alone; written as JSON as the records say. */
sealed interface Study
    permits BatchCost, Growth, Memorisation, Memory, PassCost, Poisoning, Projection, StateCost {
  /** Words of {@code --only}. */
  List<String> WORDS =
      List.of(
          "growth",
          "memory",
          "pass",
          "model",
          "state",
          "batch",
          "memorisation",
          "memorisation-paper",
          "poisoning");

  /** A section of the report. */
  String markdown();

  /**
   * Measures.
   *
   * @param word one of {@link #WORDS}
   * @param report what was measured before
   */
  static Study measure(String word, Options options, Sessions sessions, Report report)
      throws IOException {
    return switch (word) {
      case "growth" -> Growth.measure(options, sessions);
      case "memory" -> Memory.measure(options, sessions);
      case "pass" -> PassCost.measure(sessions);
      case "state" -> StateCost.measure(options, sessions);
      case "memorisation" -> Memorisation.measure(options, sessions, false);
      case "memorisation-paper" -> Memorisation.measure(options, sessions, true);
      case "poisoning" -> Poisoning.measure(options, sessions);
      case "batch" -> BatchCost.measure(options, sessions);
      case "model" ->
          Projection.of(
              report.study(Growth.class).orElseThrow(), report.study(PassCost.class).orElseThrow());
      default -> throw new IllegalArgumentException(word);
    };
  }

  /**
   * The studies among the words.
   *
   * @throws IllegalArgumentException if something is missing that one of them needs
   */
  static List<String> chosen(Options options) {
    List<String> chosen = options.words().stream().filter(WORDS::contains).toList();
    int model = chosen.indexOf("model");
    if (model >= 0 && !chosen.subList(0, model).containsAll(List.of("growth", "pass"))) {
      throw new IllegalArgumentException("--only: model needs growth and pass before it");
    }
    if (chosen.contains("growth") && Growth.sizes(options).length < 2) {
      throw new IllegalArgumentException(
          "--largest: growth needs two sizes, not one of at most " + options.largest() + " rows");
    }
    return chosen;
  }
}
