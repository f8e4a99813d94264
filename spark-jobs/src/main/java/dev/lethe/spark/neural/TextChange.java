package dev.lethe.spark.neural;

import dev.lethe.spark.request.Change;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

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
     * The ranges of a text that became another: if these replacements, one after the other, make it
     * so, what each of their occurrences changes; else one, all between what both begin and end
     * with.
     */
    TextChange of(String before, String after) {
      Edited edited = new Edited(before);
      for (int k = 0; k < finds.length; k++) {
        if (before.contains(finds[k])) { // a change matches the original row
          edited = edited.replace(finds[k], withs[k]);
        }
      }
      if (edited.text().equals(after)) {
        return edited.change(before.length());
      }
      int prefix = prefix(before, after);
      int suffix = suffix(before, after, prefix);
      return new TextChange(
          new Ranges(new int[] {prefix}, new int[] {before.length() - suffix}),
          new Ranges(new int[] {prefix}, new int[] {after.length() - suffix}));
    }
  }

  /**
   * A text that was replaced in.
   *
   * @param origins where each of its characters was in the original text, ascending; -1 of a new
   *     one
   */
  private record Edited(String text, int[] origins) {
    Edited(String original) {
      this(original, IntStream.range(0, original.length()).toArray());
    }

    /** What {@code find} and {@code with} begin and end with stays, in every occurrence. */
    Edited replace(String find, String with) {
      int prefix = prefix(find, with);
      int suffix = suffix(find, with, prefix);
      String replaced = text.replace(find, with);
      int[] from = new int[replaced.length()];
      int read = 0;
      int written = 0;
      for (int at = text.indexOf(find); at >= 0; at = text.indexOf(find, at + find.length())) {
        int kept = at + prefix - read;
        System.arraycopy(origins, read, from, written, kept);
        int made = with.length() - prefix - suffix;
        Arrays.fill(from, written + kept, written + kept + made, -1);
        read = at + find.length() - suffix;
        written += kept + made;
      }
      System.arraycopy(origins, read, from, written, text.length() - read);
      return new Edited(replaced, from);
    }

    /** The ranges between characters that stayed. */
    TextChange change(int originalLength) {
      List<int[]> gaps = new ArrayList<>();
      int was = 0;
      int is = 0;
      for (int k = 0; k <= origins.length; k++) {
        int origin = k < origins.length ? origins[k] : originalLength;
        if (origin >= 0) {
          if (origin > was || k > is) {
            gaps.add(new int[] {was, origin, is, k});
          }
          was = origin + 1;
          is = k + 1;
        }
      }
      return new TextChange(
          new Ranges(ends(gaps, 0), ends(gaps, 1)), new Ranges(ends(gaps, 2), ends(gaps, 3)));
    }

    private static int[] ends(List<int[]> gaps, int which) {
      return gaps.stream().mapToInt(gap -> gap[which]).toArray();
    }
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
