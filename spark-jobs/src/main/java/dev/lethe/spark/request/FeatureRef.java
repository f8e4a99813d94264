package dev.lethe.spark.request;

import dev.lethe.spark.TableColumns;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A feature as a request names it: a raw column ({@code race}), or one slot of a vector column by
 * index ({@code features[17]}, from 0) or by attribute name ({@code features[race_White]}).
 *
 * <p>Backticks quote a column name that contains a dot, a bracket or a backtick (doubled inside
 * them), and an attribute name that contains a bracket or a backtick or consists of digits only.
 *
 * @param column the name of the column, unquoted
 * @param index the slot's index, or null
 * @param attribute the slot's attribute name, or null
 */
public record FeatureRef(String column, @Nullable Integer index, @Nullable String attribute) {
  static final String SYNTAX =
      "column, column[index] or column[attribute], with backticks around a name that contains dots,"
          + " brackets or backticks";

  private static final String QUOTED = "`((?:[^`]|``)+)`";
  private static final Pattern PATTERN =
      Pattern.compile(
          "(?:" + QUOTED + "|([^`\\[\\].]+))(?:\\[(?:" + QUOTED + "|([^`\\[\\]]+))\\])?");
  private static final Pattern DIGITS = Pattern.compile("[0-9]+");

  public FeatureRef {
    if (column.isEmpty()) {
      throw new IllegalArgumentException("a column name must not be empty");
    }
    if (index != null && attribute != null) {
      throw new IllegalArgumentException("a slot is named by index or by attribute, not by both");
    }
    if (index != null && index < 0) {
      throw new IllegalArgumentException("a slot's index must not be negative");
    }
    if (attribute != null && attribute.isEmpty()) {
      throw new IllegalArgumentException("a slot's attribute name must not be empty");
    }
  }

  /** The whole column {@code name}. */
  public static FeatureRef ofColumn(String name) {
    return new FeatureRef(name, null, null);
  }

  /**
   * Reads {@code text} in the syntax above.
   *
   * @throws IllegalArgumentException if it does not follow it; the message does not quote it
   */
  public static FeatureRef parse(String text) {
    Matcher m = PATTERN.matcher(text);
    if (!m.matches()) {
      throw new IllegalArgumentException("a feature is written " + SYNTAX);
    }
    @Nullable String plainColumn = m.group(2);
    String column = plainColumn != null ? plainColumn : unquote(m.group(1));
    @Nullable String plainSlot = m.group(4);
    @Nullable String quotedSlot = m.group(3);
    if (quotedSlot != null) {
      return new FeatureRef(column, null, unquote(quotedSlot));
    }
    if (plainSlot == null) {
      return ofColumn(column);
    }
    if (!DIGITS.matcher(plainSlot).matches()) {
      return new FeatureRef(column, null, plainSlot);
    }
    String significant = plainSlot.replaceFirst("^0+(?=.)", "");
    if (significant.length() > 9) {
      throw new IllegalArgumentException("a slot's index must be below 1000000000");
    }
    return new FeatureRef(column, Integer.valueOf(significant), null);
  }

  /** Whether this names one slot of a vector column rather than a whole column. */
  public boolean isSlot() {
    return index != null || attribute != null;
  }

  private static String unquote(String inner) {
    return inner.replace("``", "`");
  }

  /** The canonical spelling: {@code parse(r.toString())} equals {@code r}. */
  @Override
  public String toString() {
    String left = column.matches("[^`\\[\\].]+") ? column : TableColumns.quoted(column);
    if (index != null) {
      return left + "[" + index + "]";
    }
    if (attribute != null) {
      boolean plain = attribute.matches("[^`\\[\\]]+") && !DIGITS.matcher(attribute).matches();
      return left + "[" + (plain ? attribute : TableColumns.quoted(attribute)) + "]";
    }
    return left;
  }
}
