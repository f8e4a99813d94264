package dev.lethe.spark.neural;

import dev.lethe.spark.request.Change;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;

/**
 * Where two texts differ: as many ranges of one as of the other, ascending, between which they are
 * the same. {@code from[k], to[k]} of each, the end left out; a range may be empty in one of them.
 */
record TextChange(Ranges before, Ranges after) {

  /** Ranges of one text. */
  record Ranges(int[] from, int[] to) {}

  /**
   * What a request replaces in texts; not a record, whose final fields Spark's cleaner cannot set.
   */
  static final class Replacements implements Serializable {
    private static final long serialVersionUID = 1L;
    private final String[] finds;
    private final String[] withs;

    /**
     * @param column whose texts they are; case does not count
     */
    Replacements(List<Change> changes, String column) {
      List<Change.ReplaceText> ofColumn =
          changes.stream()
              .filter(Change.ReplaceText.class::isInstance)
              .map(Change.ReplaceText.class::cast)
              .filter(change -> change.column().equalsIgnoreCase(column))
              .toList();
      finds = ofColumn.stream().map(Change.ReplaceText::find).toArray(String[]::new);
      withs = ofColumn.stream().map(Change.ReplaceText::with).toArray(String[]::new);
    }

    /**
     * The ranges of a text that became another: if one of these replacements makes it so, each of
     * its occurrences; else one, all between what both begin and end with.
     */
    TextChange of(String before, String after) {
      for (int k = 0; k < finds.length; k++) {
        if (before.replace(finds[k], withs[k]).equals(after)) {
          return occurrences(before, finds[k], withs[k]);
        }
      }
      int prefix = prefix(before, after);
      int suffix = suffix(before, after, prefix);
      return new TextChange(
          new Ranges(new int[] {prefix}, new int[] {before.length() - suffix}),
          new Ranges(new int[] {prefix}, new int[] {after.length() - suffix}));
    }
  }

  /** What {@code find} and {@code with} begin and end with stays, in every occurrence. */
  private static TextChange occurrences(String before, String find, String with) {
    List<Integer> found = new ArrayList<>();
    int next = before.indexOf(find);
    while (next >= 0) {
      found.add(next);
      next = before.indexOf(find, next + find.length());
    }
    int prefix = prefix(find, with);
    int suffix = suffix(find, with, prefix);
    int count = found.size();
    Ranges was = new Ranges(new int[count], new int[count]);
    Ranges is = new Ranges(new int[count], new int[count]);
    int longer = 0; // what is after, before this occurrence, than before
    for (int k = 0; k < count; k++) {
      int start = found.get(k);
      was.from()[k] = start + prefix;
      was.to()[k] = start + find.length() - suffix;
      is.from()[k] = start + longer + prefix;
      is.to()[k] = start + longer + with.length() - suffix;
      longer += with.length() - find.length();
    }
    return new TextChange(was, is);
  }

  private static int prefix(String a, String b) {
    int shorter = Math.min(a.length(), b.length());
    int prefix = 0;
    while (prefix < shorter && a.charAt(prefix) == b.charAt(prefix)) {
      prefix++;
    }
    return prefix;
  }

  /** Behind a common beginning. */
  private static int suffix(String a, String b, int prefix) {
    int most = Math.min(a.length(), b.length()) - prefix;
    int suffix = 0;
    while (suffix < most
        && a.charAt(a.length() - 1 - suffix) == b.charAt(b.length() - 1 - suffix)) {
      suffix++;
    }
    return suffix;
  }
}
