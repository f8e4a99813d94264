package dev.lethe.spark.request;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.SparkErrors;
import dev.lethe.spark.TableColumns;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.FunctionIdentifier;
import org.apache.spark.sql.catalyst.QueryPlanningTracker;
import org.apache.spark.sql.catalyst.analysis.FunctionRegistry;
import org.apache.spark.sql.catalyst.analysis.Star;
import org.apache.spark.sql.catalyst.analysis.UnresolvedAlias;
import org.apache.spark.sql.catalyst.analysis.UnresolvedFunction;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.ArrayAggregate;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.Cast;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.Generator;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.NamedExpression;
import org.apache.spark.sql.catalyst.expressions.PlanExpression;
import org.apache.spark.sql.catalyst.expressions.RuntimeReplaceable;
import org.apache.spark.sql.catalyst.expressions.UserDefinedExpression;
import org.apache.spark.sql.catalyst.expressions.WindowExpression;
import org.apache.spark.sql.catalyst.expressions.aggregate.AggregateFunction;
import org.apache.spark.sql.catalyst.parser.CatalystSqlParser;
import org.apache.spark.sql.catalyst.parser.ParseException;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.types.BooleanType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DateType;
import org.apache.spark.sql.types.NumericType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.types.TimestampNTZType;
import org.apache.spark.sql.types.TimestampType;
import org.jspecify.annotations.Nullable;
import scala.Option;
import scala.jdk.javaapi.CollectionConverters;

/**
 * Decides whether a SQL expression of a request may run. The expression must be a function of the
 * original row alone: the same row gives the same value today, tomorrow and on every executor.
 *
 * <p>Two checks. On the parse tree: every function is one of {@link SqlFunctions#ALLOWED}, so that
 * one which a later Spark adds is refused; every other node is an operator, a literal or a name, no
 * subquery, alias, star, window, identifier clause or parameter; and {@link SqlBounds} are kept. On
 * the tree that Spark resolves against an empty table with the columns of the data: the expression
 * is deterministic, every node is Spark's own, no user-defined function or session variable hides
 * behind a built-in name or a column name, and no constant is turned into a date by a word that
 * means the present ({@code 'now'}, {@code 'today'}, ...). Text that Spark's parser would replace
 * before it parses ({@code ${env:HOME}}) is refused: the two checks would see two expressions.
 *
 * <p>What remains dependent on the session, as in every Spark SQL statement, is {@code
 * spark.sql.session.timeZone} and {@code spark.sql.ansi.enabled}.
 *
 * <p>Messages never quote the expression; they give the kind of problem, the character it starts at
 * and the name of a built-in function.
 */
final class SqlExpressions {
  private static final int MAX_NESTING = 100;
  private static final int MAX_COMMENTS = 100;
  private static final Pattern COMMENT = Pattern.compile("/\\*");

  /** The nodes of a parse tree that name something; the others are built-in expressions. */
  private static final Set<String> NAMES =
      Set.of("UnresolvedAttribute", "UnresolvedFunction", "UnresolvedExtractValue");

  private static final String EXPRESSIONS = "org.apache.spark.sql.catalyst.expressions.";

  /**
   * Strings, quoted names, comments, words and brackets; possessive, so that it cannot overflow.
   */
  private static final Pattern TOKEN =
      Pattern.compile(
          "'(?:[^'\\\\]|\\\\.)*+'|\"(?:[^\"\\\\]|\\\\.)*+\"|`[^`]*+`|--[^\\n]*+"
              + "|/\\*(?:[^*]|\\*(?!/))*+\\*/|\\w++|[\\[\\]()]",
          Pattern.DOTALL);

  /** A date or time literal that begins with a digit or a sign is no word such as 'today'. */
  private static final Pattern FIXED_DATE_TIME =
      Pattern.compile("(?is)[a-z_]+\\s*['\"]\\s*[0-9+-].*");

  private static final Pattern PRESENT = Pattern.compile("(?i)now|today|tomorrow|yesterday");

  private SqlExpressions() {}

  /** An expression that Spark resolved: its type and the columns it reads, in its own spelling. */
  record Resolved(DataType type, Set<String> columns) {}

  /**
   * The check on the parse tree.
   *
   * @param place file and key for messages, {@code request.yaml: changes[1].relabel.where}
   * @throws InvalidInputException if {@code sql} is refused
   */
  static void check(String place, String sql) {
    if (sql.contains("${")) {
      throw refuse(
          place,
          "'${' is not allowed: Spark would put a setting or an environment variable in its place"
              + " (in a string, write '$\\u007b')");
    }
    if (nesting(sql) > MAX_NESTING) {
      throw refuse(place, "nested too deeply; at most " + MAX_NESTING + " levels are allowed");
    }
    // comments in comments take Spark's lexer memory and stack for each
    if (COMMENT.matcher(sql).results().limit(MAX_COMMENTS + 1L).count() > MAX_COMMENTS) {
      throw refuse(place, "has '/*' more than " + MAX_COMMENTS + " times");
    }
    SqlBounds.complaint(sql)
        .ifPresent(
            complaint -> {
              throw refuse(place, complaint);
            });
    Expression tree = parse(place, sql);
    try {
      walk(tree, e -> checkParsed(place, sql, e));
      SqlBounds.complaint(tree)
          .ifPresent(
              complaint -> {
                throw refuse(place, complaint);
              });
    } catch (StackOverflowError e) {
      throw refuse(place, "nested too deeply");
    }
    // The text is embedded in parentheses later: a comment that is left open must not escape.
    parse(place, embedded(sql));
  }

  /**
   * The depth of brackets and CASEs outside strings and comments. Spark's parser takes minutes for
   * some thousand levels.
   */
  private static int nesting(String sql) {
    int depth = 0;
    int deepest = 0;
    Matcher token = TOKEN.matcher(sql);
    while (token.find()) {
      switch (token.group().toLowerCase(Locale.ROOT)) {
        case "(", "[", "case" -> deepest = Math.max(deepest, ++depth);
        case ")", "]", "end" -> depth--;
        default -> {}
      }
    }
    return deepest;
  }

  /**
   * A string as SQL, whatever the session says of escapes; nobody can read it in a query's plan.
   */
  static String literal(String text) {
    return "CAST(X'"
        + HexFormat.of().formatHex(text.getBytes(StandardCharsets.UTF_8))
        + "' AS STRING)";
  }

  /** {@code sql} in parentheses; the line break ends a trailing comment. */
  static String embedded(String sql) {
    return "(" + sql + "\n)";
  }

  private static Expression parse(String place, String sql) {
    try {
      return new CatalystSqlParser().parseExpression(sql);
    } catch (StackOverflowError e) {
      throw refuse(place, "nested too deeply");
    } catch (Exception e) {
      throw refuse(place, "not a Spark SQL expression" + parseDetail(e));
    }
  }

  private static String parseDetail(Throwable e) {
    String at = "";
    if (e instanceof ParseException p
        && p.start().startPosition().isDefined()
        && p.line().isDefined()) {
      at = " (syntax error near line " + p.line().get() + " of the expression)";
    }
    return at;
  }

  private static void checkParsed(String place, String sql, Expression e) {
    String kind = e.getClass().getSimpleName();
    if (e instanceof UnresolvedFunction f) {
      checkFunction(place, f);
    } else if (e instanceof PlanExpression || kind.contains("Subquery")) {
      throw refuse(place, "subqueries are not allowed");
    } else if (e instanceof Alias || kind.endsWith("Alias")) {
      throw refuse(place, "an alias (AS) is not allowed");
    } else if (e instanceof Star || kind.equals("UnresolvedRegex")) {
      throw refuse(place, "* is not allowed; name the columns");
    } else if (e instanceof WindowExpression || kind.contains("Window")) {
      throw refuse(place, "window functions are not allowed");
    } else if (kind.contains("Parameter") || kind.contains("UnresolvedIdentifier")) {
      throw refuse(place, "parameter markers and IDENTIFIER() are not allowed");
    } else if (e instanceof Literal literal
        && isDateTime(literal.dataType())
        && !FIXED_DATE_TIME.matcher(source(sql, e)).matches()) {
      throw refuse(
          place,
          "a date or time literal must be written in digits, such as DATE '2026-01-31', not as a"
              + " word for the present");
    } else if (!NAMES.contains(kind) && !e.getClass().getName().startsWith(EXPRESSIONS)) {
      throw refuse(place, "has a part that is not allowed (" + kind + ")");
    }
  }

  private static void checkFunction(String place, UnresolvedFunction f) {
    List<String> parts = CollectionConverters.asJava(f.nameParts());
    String name = parts.get(parts.size() - 1).toLowerCase(Locale.ROOT);
    FunctionIdentifier id = new FunctionIdentifier(name);
    FunctionRegistry builtin = FunctionRegistry.builtin();
    if (parts.size() != 1 || !builtin.functionExists(id)) {
      throw refuse(place, "only Spark's built-in functions are allowed" + at(f));
    }
    @Nullable String reason = SqlFunctions.REFUSED.get(name);
    if (reason == null && name.equals("unix_timestamp") && f.arguments().isEmpty()) {
      reason = "without arguments depends on the current time";
    }
    if (reason == null && (f.isDistinct() || f.filter().isDefined())) {
      reason = "is used as an aggregate";
    }
    if (reason == null && !SqlFunctions.ALLOWED.contains(name)) {
      reason = "is not among the allowed functions";
    }
    if (reason != null) {
      throw refuse(
          place,
          "function '"
              + name
              + "' "
              + reason
              + at(f)
              + "; an expression must be a deterministic function of its own row");
    }
  }

  /**
   * The check on the resolved tree.
   *
   * @param sql an expression that {@link #check} admitted, or one built around it
   * @param schema the columns it may use
   * @throws InvalidInputException if Spark cannot resolve it or it is refused
   */
  static Resolved resolve(SparkSession spark, StructType schema, String place, String sql) {
    LogicalPlan plan;
    DataType type;
    try {
      plan = analyzed(spark, schema, sql);
      if (plan.schema().size() != 1) {
        throw refuse(place, "must yield one column");
      }
      type = plan.schema().fields()[0].dataType();
    } catch (InvalidInputException e) {
      throw e;
    } catch (StackOverflowError e) {
      throw refuse(place, "nested too deeply");
    } catch (Exception e) {
      throw refuse(place, analysisComplaint(e, schema));
    }
    String shape = plan.getClass().getSimpleName();
    List<LogicalPlan> below = CollectionConverters.asJava(plan.children());
    if (!shape.equals("Project") || below.size() != 1 || !below.get(0).children().isEmpty()) {
      throw refuse(place, "must be a function of one row: no aggregate, window or explode");
    }
    Set<String> columns = new LinkedHashSet<>();
    for (Expression root : CollectionConverters.asJava(plan.expressions())) {
      if (!root.deterministic()) {
        throw refuse(place, "is not deterministic");
      }
      try {
        walk(root, e -> checkResolved(place, e));
      } catch (StackOverflowError e) {
        throw refuse(place, "nested too deeply");
      }
      for (Attribute column : CollectionConverters.asJava(root.references())) {
        columns.add(column.name());
      }
    }
    return new Resolved(type, columns);
  }

  /**
   * What Spark makes of a selection from an empty table. Not by a Dataset: since Spark 4 one that
   * cannot be resolved is an execution in the event log, with the message, which quotes it.
   */
  private static LogicalPlan analyzed(SparkSession spark, StructType schema, String sql)
      throws ParseException {
    LogicalPlan table = spark.createDataFrame(List.<Row>of(), schema).queryExecution().analyzed();
    NamedExpression selected =
        new UnresolvedAlias(spark.sessionState().sqlParser().parseExpression(sql), Option.empty());
    return spark
        .sessionState()
        .analyzer()
        .executeAndCheck(
            new Project(CollectionConverters.asScala(List.of(selected)).toSeq(), table),
            new QueryPlanningTracker(Option.empty()));
  }

  /** Whether {@code sql} names a column that {@code schema} lacks. */
  static boolean namesMissingColumn(SparkSession spark, StructType schema, String sql) {
    try {
      analyzed(spark, schema, sql);
      return false;
    } catch (Exception e) {
      return SparkErrors.condition(e).startsWith("UNRESOLVED_COLUMN");
    }
  }

  private static void checkResolved(String place, Expression e) {
    String kind = e.getClass().getSimpleName();
    if (e instanceof UserDefinedExpression) {
      throw refuse(place, "user-defined functions are not allowed");
    }
    if (kind.startsWith("Current") || kind.startsWith("LocalTimestamp") || kind.equals("Now")) {
      throw refuse(place, "depends on the current time or session");
    }
    if (kind.equals("VariableReference")) {
      throw refuse(place, "session variables are not allowed");
    }
    if (!e.getClass().getName().startsWith(EXPRESSIONS)) {
      throw refuse(place, "has a part that is not Spark's own (" + kind + ")");
    }
    if (e instanceof ArrayAggregate aggregate && !isOfFixedSize(aggregate.zero().dataType())) {
      throw refuse(
          place,
          "aggregate and reduce may gather numbers, booleans, dates and structs of these: a text or"
              + " an array could double with every element");
    }
    if (e instanceof PlanExpression
        || e instanceof AggregateFunction
        || e instanceof Generator
        || e instanceof WindowExpression) {
      throw refuse(place, "must be a function of one row: no aggregate, window or explode");
    }
    if (e instanceof Cast cast
        && isDateTime(cast.dataType())
        && cast.child().dataType() instanceof StringType
        && cast.child().foldable()) {
      checkConstant(place, cast.child());
    }
  }

  /** Spark's optimizer replaces a constant string such as 'today', cast to a date, by the date. */
  private static void checkConstant(String place, Expression constant) {
    @Nullable Object value;
    try {
      value = constant.eval(null);
    } catch (RuntimeException e) {
      throw refuse(place, "a computed constant is used as a date or time; write a literal");
    }
    if (value != null && PRESENT.matcher(value.toString()).find()) {
      throw refuse(place, "a date or time constant that means the present is not allowed");
    }
  }

  private static String analysisComplaint(Throwable e, StructType schema) {
    String condition = SparkErrors.condition(e);
    if (condition.startsWith("UNRESOLVED_COLUMN")) {
      return "names a column that the data do not have; "
          + TableColumns.list(schema)
          + " (a string needs single quotes)";
    }
    if (condition.startsWith("AMBIGUOUS")) {
      return "names a column that the data have more than once; " + TableColumns.list(schema);
    }
    return "cannot be resolved against the columns of the data ("
        + (condition.isEmpty() ? "no error class" : condition)
        + "); "
        + TableColumns.list(schema);
  }

  private static boolean isOfFixedSize(DataType type) {
    return type instanceof StructType struct
        ? Stream.of(struct.fields()).allMatch(field -> isOfFixedSize(field.dataType()))
        : type instanceof NumericType || type instanceof BooleanType || isDateTime(type);
  }

  private static boolean isDateTime(DataType type) {
    return type instanceof DateType
        || type instanceof TimestampType
        || type instanceof TimestampNTZType;
  }

  private static void walk(Expression e, Consumer<Expression> visit) {
    visit.accept(e);
    if (e instanceof RuntimeReplaceable replaceable && e.resolved()) {
      // What runs is the replacement: to_date('x') is a cast, which its children do not show.
      walk(replaceable.replacement(), visit);
      return;
    }
    for (Expression child : CollectionConverters.asJava(e.children())) {
      walk(child, visit);
    }
  }

  /** The part of the expression's text that {@code e} was parsed from; all of it if unknown. */
  private static String source(String sql, Expression e) {
    if (e.origin().startIndex().isDefined() && e.origin().stopIndex().isDefined()) {
      int from = (Integer) e.origin().startIndex().get();
      int to = (Integer) e.origin().stopIndex().get() + 1;
      // The parser counts code points.
      if (0 <= from && from < to && to <= sql.codePointCount(0, sql.length())) {
        return sql.substring(sql.offsetByCodePoints(0, from), sql.offsetByCodePoints(0, to));
      }
    }
    return sql;
  }

  private static String at(Expression e) {
    return e.origin().startIndex().isDefined()
        ? " (character " + ((Integer) e.origin().startIndex().get() + 1) + ")"
        : "";
  }

  private static InvalidInputException refuse(String place, String complaint) {
    return new InvalidInputException(place + ": " + complaint);
  }
}
