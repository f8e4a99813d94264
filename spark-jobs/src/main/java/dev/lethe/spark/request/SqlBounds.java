package dev.lethe.spark.request;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import org.apache.spark.sql.catalyst.analysis.UnresolvedFunction;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.LambdaFunction;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.RLike;
import org.apache.spark.sql.types.StringType;
import org.jspecify.annotations.Nullable;
import scala.jdk.javaapi.CollectionConverters;

/**
 * Bounds what one row of an admitted expression can cost: {@code repeat(name, 2000000000)} would
 * take an executor's memory and {@code name RLIKE '(a+)+b'} its time.
 *
 * <p>Lengths and numbers of digits are constants; a value grows by at most {@value #MAX_GROWTH};
 * lambdas are nested at most {@value #MAX_LAMBDAS} deep; a regular expression is a constant without
 * a repetition of a repetition or of alternatives, without references to groups, and of few
 * repetitions. The rest is polynomial in the lengths of the cells.
 */
final class SqlBounds {
  static final int MAX_LENGTH = 10_000;
  static final int MAX_DIGITS = 100;
  static final long MAX_GROWTH = 1_000_000;
  static final int MAX_LAMBDAS = 2;
  static final int MAX_REPETITIONS = 10;

  /** The argument that says how long the result is, counted from 0. */
  private static final Map<String, Integer> LENGTHS =
      Map.of("repeat", 1, "space", 0, "lpad", 1, "rpad", 1, "array_repeat", 1, "array_insert", 1);

  /** The argument that says how many digits are kept. */
  private static final Map<String, Integer> DIGITS =
      Map.of("round", 1, "bround", 1, "ceil", 1, "ceiling", 1, "floor", 1, "format_number", 1);

  /** How many characters come of one. */
  private static final Map<String, Integer> GROWTH =
      Map.of("hex", 8, "base64", 2, "url_encode", 12, "to_json", 6, "encode", 4, "quote", 2);

  /** The arguments that are regular expressions. */
  private static final Map<String, List<Integer>> PATTERNS =
      Map.ofEntries(
          Map.entry("rlike", List.of(1)),
          Map.entry("regexp", List.of(1)),
          Map.entry("regexp_like", List.of(1)),
          Map.entry("regexp_count", List.of(1)),
          Map.entry("regexp_extract", List.of(1)),
          Map.entry("regexp_extract_all", List.of(1)),
          Map.entry("regexp_instr", List.of(1)),
          Map.entry("regexp_replace", List.of(1)),
          Map.entry("regexp_substr", List.of(1)),
          Map.entry("split", List.of(1)),
          Map.entry("str_to_map", List.of(1, 2)),
          Map.entry("parse_url", List.of(2)),
          Map.entry("try_parse_url", List.of(2)));

  private static final Set<String> REPLACEMENTS = Set.of("replace", "regexp_replace");
  private static final Set<String> FORMATS = Set.of("format_string", "printf");
  private static final Pattern WIDE = Pattern.compile("[0-9]{4}");

  private SqlBounds() {}

  /** What is wrong with a parsed expression; empty if it keeps the bounds. */
  static Optional<String> complaint(Expression parsed) {
    return Optional.ofNullable(complaint(parsed, 1, 0));
  }

  private static @Nullable String complaint(Expression e, double above, int lambdas) {
    int inside = lambdas + (e instanceof LambdaFunction ? 1 : 0);
    if (inside > MAX_LAMBDAS) {
      return "lambdas may be nested at most " + MAX_LAMBDAS + " deep";
    }
    double growth = above;
    @Nullable String complaint = null;
    if (e instanceof RLike match) {
      complaint = pattern("rlike", match.right());
    } else if (e instanceof UnresolvedFunction f) {
      List<String> parts = CollectionConverters.asJava(f.nameParts());
      String name = parts.get(parts.size() - 1).toLowerCase(Locale.ROOT);
      List<Expression> arguments = CollectionConverters.asJava(f.arguments());
      complaint = arguments(name, arguments);
      growth *= growth(name, arguments);
    }
    if (complaint == null && growth > MAX_GROWTH) {
      complaint = "could make a value more than " + MAX_GROWTH + " times as long";
    }
    for (Expression child : CollectionConverters.asJava(e.children())) {
      if (complaint != null) {
        break;
      }
      complaint = complaint(child, growth, inside);
    }
    return complaint;
  }

  private static @Nullable String arguments(String name, List<Expression> arguments) {
    @Nullable Integer length = LENGTHS.get(name);
    if (length != null && length < arguments.size()) {
      @Nullable Long value = number(arguments.get(length));
      if (value == null || Math.abs(value) > MAX_LENGTH) {
        return constant(name, length, "a whole number from -" + MAX_LENGTH + " to " + MAX_LENGTH);
      }
    }
    @Nullable Integer digits = DIGITS.get(name);
    if (digits != null && digits < arguments.size() && text(arguments.get(digits)) == null) {
      @Nullable Long value = number(arguments.get(digits));
      if (value == null || Math.abs(value) > MAX_DIGITS) {
        return constant(name, digits, "a whole number from -" + MAX_DIGITS + " to " + MAX_DIGITS);
      }
    }
    if (FORMATS.contains(name) && !arguments.isEmpty()) {
      @Nullable String format = text(arguments.get(0));
      if (format == null || WIDE.matcher(format).find()) {
        return constant(name, 0, "a text without numbers of more than three digits");
      }
    }
    for (int k : PATTERNS.getOrDefault(name, List.of())) {
      if (k < arguments.size()) {
        @Nullable String complaint = pattern(name, arguments.get(k));
        if (complaint != null) {
          return complaint;
        }
      }
    }
    return null;
  }

  private static String constant(String name, int argument, String allowed) {
    return "argument "
        + (argument + 1)
        + " of function '"
        + name
        + "' must be a constant, "
        + allowed;
  }

  private static double growth(String name, List<Expression> arguments) {
    @Nullable Integer length = LENGTHS.get(name);
    if (length != null && length < arguments.size()) {
      @Nullable Long value = number(arguments.get(length));
      return value == null ? 1 : Math.max(1, Math.abs(value));
    }
    if (REPLACEMENTS.contains(name) && arguments.size() > 2) {
      @Nullable String with = text(arguments.get(2));
      // the text of a cell may be as long as that in which it takes a character's place
      return with == null ? MAX_LENGTH : Math.max(1, with.length());
    }
    if (FORMATS.contains(name) && !arguments.isEmpty()) {
      @Nullable String format = text(arguments.get(0));
      return format == null ? 1 : Math.max(1, format.chars().filter(c -> c == '%').count());
    }
    return GROWTH.getOrDefault(name, 1);
  }

  private static @Nullable String pattern(String name, Expression argument) {
    @Nullable String pattern = text(argument);
    return pattern != null && isCheap(pattern)
        ? null
        : "the regular expression of '"
            + name
            + "' must be a constant that repeats no group which has repetitions or alternatives"
            + " inside, refers to no group and has at most "
            + MAX_REPETITIONS
            + " repetitions (* + ? {}); a column may not be one";
  }

  /** Whether backtracking is polynomial, and of a low degree. */
  static boolean isCheap(String pattern) {
    int repetitions = 0;
    int depth = 0;
    // of each open group, the outermost first: whether it repeats or chooses
    boolean[] variable = new boolean[pattern.length() + 1];
    boolean closedVariable = false; // of the group that the character before closes
    for (int i = 0; i < pattern.length(); i++) {
      char c = pattern.charAt(i);
      boolean afterVariable = closedVariable;
      closedVariable = false;
      switch (c) {
        case '\\' -> {
          if (i + 1 == pattern.length() || "123456789kQE".indexOf(pattern.charAt(i + 1)) >= 0) {
            return false;
          }
          i++;
        }
        case '[' -> {
          i = endOfClass(pattern, i);
          if (i < 0) {
            return false;
          }
        }
        case '(' -> {
          variable[++depth] = false;
          if (pattern.startsWith("?", i + 1)) {
            i++; // no repetition: (?: and the like
          }
        }
        case ')' -> {
          if (depth == 0) {
            return false;
          }
          closedVariable = variable[depth--];
          variable[depth] |= closedVariable;
        }
        case '|' -> variable[depth] = true;
        case '*', '+', '?', '{' -> {
          repetitions++;
          // an optional group is tried twice and counted among the repetitions
          if (afterVariable && c != '?') {
            return false;
          }
          variable[depth] = true;
          if (c == '{') {
            i = Math.max(i, pattern.indexOf('}', i));
          }
          if (i + 1 < pattern.length() && "?+".indexOf(pattern.charAt(i + 1)) >= 0) {
            i++; // reluctant or possessive
          }
          closedVariable = true; // a{2}{3}
        }
        default -> {}
      }
    }
    return repetitions <= MAX_REPETITIONS;
  }

  /** The bracket that ends a class; negative for classes in classes, which nothing here reads. */
  private static int endOfClass(String pattern, int start) {
    int i = start + 1;
    if (pattern.startsWith("^", i)) {
      i++;
    }
    for (int first = i; i < pattern.length(); i++) {
      char c = pattern.charAt(i);
      if (c == '\\') {
        i++;
      } else if (c == '[' || c == '&') {
        return -1;
      } else if (c == ']' && i > first) {
        return i;
      }
    }
    return -1;
  }

  private static @Nullable Long number(Expression e) {
    return e instanceof Literal literal && literal.value() instanceof Number number
        ? (Long) number.longValue()
        : null;
  }

  private static @Nullable String text(Expression e) {
    return e instanceof Literal literal
            && literal.dataType() instanceof StringType
            && literal.value() != null
        ? literal.value().toString()
        : null;
  }
}
