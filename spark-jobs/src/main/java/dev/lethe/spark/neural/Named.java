package dev.lethe.spark.neural;

import dev.lethe.spark.InvalidInputException;
import java.util.Locale;

/** How messages name a value that cannot be used. */
enum Named {
  /** By its key in network.json. */
  KEY,
  /** By the option that gives it. */
  OPTION;

  String of(String key) {
    return this == KEY ? key : "--" + key.replaceAll("([A-Z])", "-$1").toLowerCase(Locale.ROOT);
  }

  /**
   * @param key in network.json
   * @param allowed behind "must"
   * @throws InvalidInputException if it does not hold
   */
  void require(boolean holds, String key, Object value, String allowed) {
    if (!holds) {
      throw new InvalidInputException(of(key) + " " + value + ": must " + allowed);
    }
  }
}
