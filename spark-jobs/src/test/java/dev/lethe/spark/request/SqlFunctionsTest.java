package dev.lethe.spark.request;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.LocalSpark;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.spark.sql.catalog.Function;
import org.apache.spark.sql.catalyst.FunctionIdentifier;
import org.apache.spark.sql.catalyst.analysis.FunctionRegistry;
import org.apache.spark.sql.functions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import scala.jdk.javaapi.CollectionConverters;

/** Every function that Spark registers has been looked at. */
@ExtendWith(LocalSpark.class)
class SqlFunctionsTest {
  private static Set<String> registered() {
    return CollectionConverters.asJava(FunctionRegistry.builtin().listFunction()).stream()
        .map(FunctionIdentifier::funcName)
        .collect(Collectors.toCollection(TreeSet::new));
  }

  @Test
  void lists_everyFunctionOfThisSpark_isOnOne() {
    Set<String> known = new TreeSet<>(SqlFunctions.ALLOWED);
    known.addAll(SqlFunctions.REFUSED.keySet());

    Set<String> unknown = registered();
    unknown.removeAll(known);
    assertThat(unknown).as("functions that nobody has looked at").isEmpty();
    assertThat(SqlFunctions.ALLOWED).doesNotContainAnyElementsOf(SqlFunctions.REFUSED.keySet());
    assertThat(SqlFunctions.ALLOWED).hasSizeGreaterThan(300);
  }

  @Test
  void lists_whatTheSessionLists_isRegistered() {
    Set<String> listed =
        LocalSpark.session().newSession().catalog().listFunctions().collectAsList().stream()
            .map(Function::name)
            .collect(Collectors.toCollection(TreeSet::new));
    // operators that the parser knows, and table functions, which are no expressions
    listed.removeAll(registered());
    assertThat(listed)
        .as("names that a session lists and the registry lacks")
        .allSatisfy(
            name ->
                assertThat(catchThrowable(() -> SqlExpressions.check("p", "`" + name + "`(1) = 1")))
                    .isInstanceOf(InvalidInputException.class));
  }

  /** Called by name with any number of arguments: what is refused is refused before it resolves. */
  @Test
  void check_everyRefusedFunction_isRefusedByName() {
    Set<String> here = registered();
    List<String> admitted = new ArrayList<>();
    for (String function : SqlFunctions.REFUSED.keySet()) {
      for (String arguments : List.of("", "1", "1, 2", "1, 2, 3")) {
        for (String name : List.of(function, function.toUpperCase(java.util.Locale.ROOT))) {
          try {
            SqlExpressions.check("p", "`" + name + "`(" + arguments + ") = 1");
            admitted.add(name);
          } catch (InvalidInputException e) {
            assertThat(e)
                .hasMessageContaining(
                    here.contains(function) ? "'" + function + "'" : "only Spark's built-in");
          }
        }
      }
    }
    assertThat(admitted).isEmpty();
  }

  @Test
  void check_everyAllowedFunction_isDeterministic() {
    Set<String> here = registered();
    for (String function : SqlFunctions.ALLOWED) {
      if (here.contains(function)) {
        for (int arguments = 0; arguments < 5; arguments++) {
          String sql =
              "`"
                  + function
                  + "`("
                  + Stream.generate(() -> "a").limit(arguments).collect(Collectors.joining(", "))
                  + ")";
          assertThat(isDeterministicOrUnresolved(sql)).as(sql).isTrue();
        }
      }
    }
  }

  private static boolean isDeterministicOrUnresolved(String sql) {
    try {
      return CollectionConverters.asJava(
              LocalSpark.session()
                  .range(1)
                  .select(functions.lit("1").as("a"))
                  .select(functions.expr(sql))
                  .queryExecution()
                  .analyzed()
                  .expressions())
          .stream()
          .allMatch(e -> e.deterministic());
    } catch (Exception e) { // these arguments are not the function's
      return true;
    }
  }

  @Test
  void check_functionThatNobodyHasLookedAt_isRefused() {
    FunctionIdentifier id = new FunctionIdentifier("lethe_new_function");
    FunctionIdentifier abs = new FunctionIdentifier("abs");
    FunctionRegistry builtin = FunctionRegistry.builtin();
    builtin.registerFunction(
        id, builtin.lookupFunction(abs).get(), builtin.lookupFunctionBuilder(abs).get());
    try {
      assertThatThrownBy(() -> SqlExpressions.check("p", "lethe_new_function(age) > 1"))
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining("not among the allowed functions");
    } finally {
      builtin.dropFunction(id);
    }
  }

  @Test
  void isCheap_patterns_areToldApart() {
    for (String cheap :
        List.of(
            "a+b*",
            "^(a|b)c$",
            "[a-z]+@[a-z.]+",
            "(?:ab)+",
            "a|b|" + "c|".repeat(20_000) + "(d|e)(f|g|h)",
            "\\(+a",
            "(ab)?c{2,3}",
            "[]()*+]+")) {
      assertThat(SqlBounds.isCheap(cheap)).as(cheap).isTrue();
    }
    for (String dear :
        List.of(
            "(a+)+",
            "(a|aa)*",
            "(a?){30}a{30}",
            "((a*)b)*",
            "(a)\\1",
            "(?<x>a)\\k<x>",
            "(?:a+b?)*",
            "(((a+)))+",
            "[[a]b]+",
            "a)",
            "[a",
            "\\",
            "a?".repeat(11) + "b",
            "(a|a)".repeat(30) + "b",
            "(a{2}){3}")) {
      assertThat(SqlBounds.isCheap(dear)).as(dear).isFalse();
    }
  }

  @Test
  void check_patternsOfLike_areConstantsOfFewRepetitions() {
    String many = "%a".repeat(11) + "b";
    for (String dear :
        List.of(
            "name LIKE '" + many + "'",
            "name NOT ILIKE '" + many + "'",
            "like(name, '" + many + "')",
            "ilike(name, '" + many + "', '!')",
            "name LIKE ANY ('a', '" + many + "')",
            "name NOT LIKE ALL ('a', '" + many + "')",
            "name ILIKE SOME ('a', '" + many + "')",
            "name LIKE other",
            "name LIKE concat('%', other)",
            "name ILIKE other",
            "like(name, other)",
            "like(name, '%a', other)",
            "name LIKE ALL ('a', other)")) {
      assertThat(refusal(dear)).as(dear).isNotEmpty();
    }
    for (String cheap :
        List.of(
            "name LIKE '%a%b%c%d%e%f%g%h%i%'",
            "name LIKE '" + "\\\\%".repeat(20) + "'",
            "name LIKE '" + "!%".repeat(20) + "' ESCAPE '!'",
            "like(name, '" + "!%".repeat(20) + "', '!')",
            "name LIKE ANY ('%a%b%', \"%'\" /* (1) */, '%)%') OR name NOT ILIKE ALL ('a')",
            "coalesce(lower(trim(name)), 'none') LIKE '%a%b%c%'",
            "concat(first, ' ', last) RLIKE '^[a-z]+ .*anna.*$'",
            "exists(tags, t -> lower(t) LIKE '%a%b%c%d%')")) {
      assertThat(refusal(cheap)).as(cheap).isEmpty();
    }
  }

  /** What it is matched with can be made long, by functions that themselves are allowed. */
  @Test
  void check_patternOfALongText_hasFewerRepetitions() {
    for (String dear :
        List.of(
            "repeat('a', 10000) LIKE '%a%a%b'",
            "lpad(id, 10, '0') LIKE '%1%2%3%4%5%'",
            "lpad(name, 10000, 'a') RLIKE 'a*a*b'",
            "concat(space(5000), name) ILIKE '% % %b'",
            "'" + "a".repeat(10_000) + "' LIKE '%a%a%b'",
            "CAST(X'" + "61".repeat(10_000) + "' AS STRING) LIKE '%a%a%b'",
            "like(repeat('a', 10000), '%a%a%b')",
            "repeat('a', 10000) LIKE ANY ('%a%a%b')",
            "format_string('%999s%999s', name, name) LIKE '% % %b'",
            "regexp_replace(repeat(name, 10000), 'a*a*b', '') = ''",
            "exists(array(repeat('a', 10000)), t -> t LIKE '%a%a%b')",
            "array_join(transform(array_repeat(1, 500), i -> repeat('a', 500)), '') LIKE '%a%b'")) {
      assertThat(refusal(dear)).as(dear).contains("times as long as a cell");
    }
    for (String cheap :
        List.of(
            "repeat('a', 10000) LIKE '%b'",
            "lpad(id, 10, '0') LIKE '%1%2%3%4%'",
            "date_format(day, 'yyyy-MM-dd') RLIKE '^[0-9]+-01-[0-9]+$'",
            "exists(split(name, ' '), t -> t LIKE '%a%b%')")) {
      assertThat(refusal(cheap)).as(cheap).isEmpty();
    }
  }

  /** Spark's parser computes constant patterns of LIKE ANY, before anything can look at them. */
  @Test
  @Timeout(60)
  void check_patternsThatTheParserComputes_areRefusedBefore() {
    String slow = "CAST('" + "a".repeat(60) + "' RLIKE '(a+)+b' AS STRING)";
    for (String sql :
        List.of(
            "name LIKE ANY (" + slow + ")",
            "name like\nall (" + slow + ")",
            "name ILIKE SOME ('a', " + slow + ")",
            "name LIKE/* /* ' */ ' */ANY (" + slow + ") -- '",
            "name = r'\\' OR name LIKE ANY (" + slow + ") OR name = ''")) {
      assertThat(refusal(sql)).as(sql).contains("must be plain strings");
    }
  }

  private static String refusal(String sql) {
    try {
      SqlExpressions.check("p", sql);
      return "";
    } catch (InvalidInputException e) {
      return String.valueOf(e.getMessage());
    }
  }

  @Test
  void allowed_inTheDocumentation_isTheList() throws java.io.IOException {
    String doc = RequestDocTest.doc();
    int begin = doc.indexOf("<!-- functions -->");
    int end = doc.indexOf("<!-- end of functions -->");
    assertThat(begin).isPositive();
    Set<String> documented =
        new TreeSet<>(
            Arrays.asList(doc.substring(begin + 18, end).replace("`", " ").strip().split("\\s+")));
    Set<String> named =
        SqlFunctions.ALLOWED.stream()
            .filter(f -> Character.isLetter(f.charAt(0)))
            .collect(Collectors.toCollection(TreeSet::new));
    assertThat(documented).isEqualTo(named);
  }
}
