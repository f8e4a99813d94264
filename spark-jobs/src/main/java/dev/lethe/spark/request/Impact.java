package dev.lethe.spark.request;

import java.util.List;

/**
 * What a request does to the rows of a table, in numbers only.
 *
 * @param touchedRows rows that at least one change matches
 * @param removedRows those of them that a removeRows matches
 * @param changes the matched rows of every change that has rows, in the order of the file
 */
public record Impact(long touchedRows, long removedRows, List<Matched> changes) {
  public Impact {
    changes = List.copyOf(changes);
    if (removedRows < 0 || touchedRows < removedRows) {
      throw new IllegalArgumentException(
          "touchedRows " + touchedRows + ", removedRows " + removedRows);
    }
  }

  /**
   * Matches of one change.
   *
   * @param place {@code changes[1].relabel}
   * @param rows rows of the table that its condition matches
   */
  public record Matched(String place, long rows) {}
}
