package dev.lethe.spark.request;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import org.antlr.v4.runtime.CharStreams;
import org.antlr.v4.runtime.Token;
import org.apache.spark.sql.catalyst.analysis.UnresolvedFunction;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.ILike;
import org.apache.spark.sql.catalyst.expressions.LambdaFunction;
import org.apache.spark.sql.catalyst.expressions.Like;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.MultiLikeBase;
import org.apache.spark.sql.catalyst.expressions.RLike;
import org.apache.spark.sql.catalyst.expressions.UnresolvedNamedLambdaVariable;
import org.apache.spark.sql.catalyst.parser.SqlBaseLexer;
import org.apache.spark.sql.catalyst.parser.UpperCaseCharStream;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.unsafe.types.UTF8String;
import org.jspecify.annotations.Nullable;
import scala.jdk.javaapi.CollectionConverters;

/**
 * Bounds what one row of an admitted expression can cost: {@code repeat(name, 2000000000)} would
 * take an executor's memory and {@code name RLIKE '(a+)+b'} its time.
 *
 * <p>Lengths and numbers of digits are constants; a value grows by at most {@value #MAX_GROWTH};
 * lambdas are nested at most {@value #MAX_LAMBDAS} deep; a regular expression is a constant without
 * a repetition of a repetition or of alternatives, without references to groups, and of few choices
 * and repetitions, and so is a pattern of {@code LIKE}, whose {@code %} are its repetitions: the
 * fewer, the longer the expression could make the text that it is matched with, constants included,
 * which Spark computes on the driver. The rest is polynomial in the lengths of the cells.
 */
final class SqlBounds {
  static final int MAX_LENGTH = 10_000;
  static final int MAX_DIGITS = 100;
  static final long MAX_GROWTH = 1_000_000;
  static final int MAX_LAMBDAS = 2;
  static final int MAX_REPETITIONS = 10;

  /** Of a regular expression: the alternatives of its groups, multiplied. */
  static final int MAX_CHOICES = 10_000;

  /** Steps of matching a text that the expression itself has made. */
  static final double MAX_STEPS = 1e8;

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

  /** The first argument is matched with the second, a pattern as of {@code LIKE}. */
  private static final Set<String> LIKES = Set.of("like", "ilike");

  private static final Set<String> QUANTIFIERS = Set.of("ANY", "SOME", "ALL");

  private static final Set<String> REPLACEMENTS = Set.of("replace", "regexp_replace");
  private static final Set<String> FORMATS = Set.of("format_string", "printf");
  private static final Pattern WIDE = Pattern.compile("[0-9]{4}");
  private static final Pattern STRING = Pattern.compile("(?s)R?(['\"]).*\\1");
  private static final int MAX_WIDTH = 999;
  private static final Pattern PADDED = Pattern.compile("[0-9]{2}");

  private SqlBounds() {}

  /** What is wrong with a parsed expression; empty if it keeps the bounds. */
  static Optional<String> complaint(Expression parsed) {
    return Optional.ofNullable(complaint(parsed, 1, 0, 1));
  }

  /**
   * What is wrong before it is parsed: Spark's parser computes the patterns of {@code LIKE ANY} and
   * {@code LIKE ALL} if they are constants, whatever it takes.
   */
  static Optional<String> complaint(String sql) {
    SqlBaseLexer lexer = new SqlBaseLexer(new UpperCaseCharStream(CharStreams.fromString(sql)));
    lexer.removeErrorListeners(); // the parser tells
    List<String> words =
        lexer.getAllTokens().stream()
            .filter(token -> token.getChannel() == Token.DEFAULT_CHANNEL)
            .map(token -> token.getText().toUpperCase(Locale.ROOT))
            .toList();
    for (int i = 2; i < words.size(); i++) {
      if (QUANTIFIERS.contains(words.get(i - 1))
          && LIKES.contains(words.get(i - 2).toLowerCase(Locale.ROOT))
          && words.get(i).equals("(")) {
        for (int k = i + 1; k < words.size() && !words.get(k).equals(")"); k++) {
          if (!words.get(k).equals(",") && !STRING.matcher(words.get(k)).matches()) {
            return Optional.of("the patterns of LIKE ANY and LIKE ALL must be plain strings");
          }
        }
      }
    }
    return Optional.empty();
  }

  /**
   * @param above by how much the parents make it longer
   * @param lambdas inside of which it is
   * @param variable {@link #length} of a lambda's variable
   */
  private static @Nullable String complaint(
      Expression e, double above, int lambdas, double variable) {
    int inside = lambdas + (e instanceof LambdaFunction ? 1 : 0);
    if (inside > MAX_LAMBDAS) {
      return "lambdas may be nested at most " + MAX_LAMBDAS + " deep";
    }
    double growth = above;
    List<Expression> children = CollectionConverters.asJava(e.children());
    @Nullable String complaint = matching(e, variable);
    if (e instanceof UnresolvedFunction f) {
      String name = name(f);
      List<Expression> arguments = CollectionConverters.asJava(f.arguments());
      complaint = complaint == null ? arguments(name, arguments, variable) : complaint;
      growth *= growth(name, arguments);
    }
    if (complaint == null && growth > MAX_GROWTH) {
      complaint = "could make a value more than " + MAX_GROWTH + " times as long";
    }
    boolean ofLambdas = children.stream().anyMatch(LambdaFunction.class::isInstance);
    double given = ofLambdas ? Math.max(variable, ofOthers(children, variable)) : variable;
    for (Expression child : children) {
      if (complaint != null) {
        break;
      }
      complaint =
          complaint(child, growth, inside, child instanceof LambdaFunction ? given : variable);
    }
    return complaint;
  }

  private static String name(UnresolvedFunction f) {
    List<String> parts = CollectionConverters.asJava(f.nameParts());
    return parts.get(parts.size() - 1).toLowerCase(Locale.ROOT);
  }

  /** The operators that match; the functions are among {@link #arguments}. */
  private static @Nullable String matching(Expression e, double variable) {
    if (e instanceof RLike match) {
      return pattern("rlike", match.left(), match.right(), variable);
    }
    if (e instanceof Like match) {
      return like("like", match.left(), text(match.right()), match.escapeChar(), variable);
    }
    if (e instanceof ILike match) {
      return like("ilike", match.left(), text(match.right()), match.escapeChar(), variable);
    }
    if (e instanceof MultiLikeBase match) {
      for (UTF8String pattern : CollectionConverters.asJava(match.patterns())) {
        @Nullable String text = pattern == null ? "" : pattern.toString();
        @Nullable String complaint = like("like", match.child(), text, '\\', variable);
        if (complaint != null) {
          return complaint;
        }
      }
    }
    return null;
  }

  private static @Nullable String arguments(
      String name, List<Expression> arguments, double variable) {
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
        @Nullable String complaint = pattern(name, arguments.get(0), arguments.get(k), variable);
        if (complaint != null) {
          return complaint;
        }
      }
    }
    if (LIKES.contains(name) && arguments.size() > 1) {
      @Nullable String escape = arguments.size() > 2 ? text(arguments.get(2)) : "\\";
      return escape != null && escape.length() == 1
          ? like(name, arguments.get(0), text(arguments.get(1)), escape.charAt(0), variable)
          : constant(name, 2, "one character");
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

  private static @Nullable String pattern(
      String name, Expression matched, Expression argument, double variable) {
    @Nullable String pattern = text(argument);
    return pattern != null && isCheap(pattern)
        ? steps(name, matched, repetitions(pattern), variable)
        : "the regular expression of '"
            + name
            + "' must be a constant that repeats no group which has repetitions or alternatives"
            + " inside, refers to no group and has at most "
            + MAX_REPETITIONS
            + " repetitions (* + ? {}) and "
            + MAX_CHOICES
            + " choices of its groups' alternatives; a column may not be one";
  }

  private static @Nullable String like(
      String name, Expression matched, @Nullable String pattern, char escape, double variable) {
    int repetitions = 0;
    for (int i = 0; pattern != null && i < pattern.length(); i++) {
      if (pattern.charAt(i) == escape) {
        i++;
      } else if (pattern.charAt(i) == '%') {
        repetitions++;
      }
    }
    return pattern != null && repetitions <= MAX_REPETITIONS
        ? steps(name, matched, repetitions, variable)
        : "the pattern of '"
            + name
            + "' must be a constant with at most "
            + MAX_REPETITIONS
            + " %; a column may not be one";
  }

  /** Backtracking takes the length to the power of the repetitions, and of the place to begin. */
  private static @Nullable String steps(
      String name, Expression matched, int repetitions, double variable) {
    double length = length(matched, variable);
    if (Math.pow(length, repetitions + 1) <= MAX_STEPS) {
      return null;
    }
    return "'"
        + name
        + "' is matched with a text that could be "
        + (long) length
        + " times as long as a cell: its pattern may have "
        + (int) Math.max(0, Math.floor(Math.log(MAX_STEPS) / Math.log(length)) - 1)
        + " repetitions (* + ? {} in a regular expression, % in LIKE) at most";
  }

  /**
   * How long a value could be, at most, where all cells are as long as one character.
   *
   * @param variable of a variable of a lambda, and of a column in one, which looks the same
   */
  private static double length(Expression e, double variable) {
    if (e instanceof Literal literal && literal.value() instanceof byte[] bytes) {
      return Math.max(1, bytes.length);
    }
    @Nullable String text = text(e);
    if (text != null) {
      return Math.max(1, text.length());
    }
    if (e instanceof Literal) {
      return 0; // a number's digits are few
    }
    if (e instanceof UnresolvedNamedLambdaVariable) {
      return variable;
    }
    List<Expression> children = CollectionConverters.asJava(e.children());
    double length = Math.max(1, ofOthers(children, variable));
    for (Expression child : children) {
      if (child instanceof LambdaFunction) { // gives its value for each element
        length *= Math.max(1, length(child, Math.max(variable, length)));
      }
    }
    if (!(e instanceof UnresolvedFunction f)) {
      return length;
    }
    List<Expression> arguments = CollectionConverters.asJava(f.arguments());
    @Nullable String format =
        FORMATS.contains(name(f)) && !arguments.isEmpty() ? text(arguments.get(0)) : null;
    return length
        * growth(name(f), arguments)
        * (format != null && PADDED.matcher(format).find() ? MAX_WIDTH : 1);
  }

  /** All but the lambdas of a function's arguments: what the lambdas are given is of them. */
  private static double ofOthers(List<Expression> arguments, double variable) {
    double sum = 0;
    for (Expression argument : arguments) {
      sum += argument instanceof LambdaFunction ? 0 : length(argument, variable);
    }
    return sum;
  }

  /** Whether backtracking is polynomial, and of a low degree. */
  static boolean isCheap(String pattern) {
    int repetitions = repetitions(pattern);
    return 0 <= repetitions && repetitions <= MAX_REPETITIONS;
  }

  /** The degree, if backtracking is polynomial; else negative. */
  private static int repetitions(String pattern) {
    int repetitions = 0;
    int depth = 0;
    // of each open group, the outermost first: whether it repeats or chooses
    boolean[] variable = new boolean[pattern.length() + 1];
    int[] alternatives = new int[pattern.length() + 1];
    long choices = 1;
    boolean closedVariable = false; // of the group that the character before closes
    for (int i = 0; i < pattern.length(); i++) {
      char c = pattern.charAt(i);
      boolean afterVariable = closedVariable;
      closedVariable = false;
      switch (c) {
        case '\\' -> {
          if (i + 1 == pattern.length() || "123456789kQE".indexOf(pattern.charAt(i + 1)) >= 0) {
            return -1;
          }
          i++;
        }
        case '[' -> {
          i = endOfClass(pattern, i);
          if (i < 0) {
            return -1;
          }
        }
        case '(' -> {
          variable[++depth] = false;
          alternatives[depth] = 1;
          if (pattern.startsWith("?", i + 1)) {
            i++; // no repetition: (?: and the like
          }
        }
        case ')' -> {
          if (depth == 0) {
            return -1;
          }
          choices *= alternatives[depth];
          if (choices > MAX_CHOICES) {
            return -1;
          }
          closedVariable = variable[depth--];
          variable[depth] |= closedVariable;
        }
        case '|' -> {
          variable[depth] = true;
          alternatives[depth]++;
        }
        case '*', '+', '?', '{' -> {
          repetitions++;
          // an optional group is tried twice and counted among the repetitions
          if (afterVariable && c != '?') {
            return -1;
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
    return repetitions;
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
