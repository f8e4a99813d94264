package dev.lethe.spark.request;

import static org.apache.spark.sql.functions.udaf;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.LocalSpark;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.spark.sql.Encoder;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.expressions.Aggregator;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@ExtendWith(LocalSpark.class)
class SqlExpressionsTest {
  private static final StructType SCHEMA =
      new StructType()
          .add("age", DataTypes.IntegerType)
          .add("name", DataTypes.StringType)
          .add("day", DataTypes.DateType)
          .add("tags", DataTypes.createArrayType(DataTypes.StringType));

  private static SqlExpressions.Resolved admit(SparkSession spark, String sql) {
    SqlExpressions.check("r.yaml: changes[0].removeRows.where", sql);
    return SqlExpressions.resolve(spark, SCHEMA, "r.yaml: changes[0].removeRows.where", sql);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "age < 18",
        "name = 'now'",
        "name IN ('today', 'x') -- a comment",
        "name LIKE 'a%' AND age BETWEEN 1 AND 2 OR day IS NULL",
        "day < DATE '2020-01-01'",
        "day = '2020-01-01'",
        "exists(tags, t -> upper(t) = 'X')",
        "size(filter(tags, (t, i) -> i > 0)) > 0",
        "CASE WHEN age > 3 THEN true ELSE false END",
        "unix_timestamp(day) > 0",
        "sha2(name, 256) = 'ab' /* it */",
        "tags[0] = 'x'",
        "regexp_replace(name, 'a', 'b') = 'x'",
        "name = '$\\u007benv:HOME}'",
        "repeat('ab', 3) = lpad(name, 8, '0') AND round(age / 3, 2) > 1.5",
        "name RLIKE '^(Mr|Mrs)?[.] [A-Z][a-z]+( [A-Z][a-z]+)?$'",
        "split(name, '[,;] ?')[0] = 'x' AND name LIKE '%a%b_c%'",
        "aggregate(tags, 0, (n, t) -> n + length(t)) > 3",
        "exists(tags, a -> exists(tags, b -> a < b))",
        "format_string('%03d %s', age, name) = '' OR format_number(age, '#,###.00') = ''",
        "extract(YEAR FROM day) > 2000 AND trim(BOTH 'x' FROM name) = overlay(name PLACING 'a' FROM 1)",
        "name NOT LIKE ALL ('a%', '%b') AND substring(name FROM 2 FOR 3) ILIKE 'abc'",
        "timestampadd(DAY, 1, day) > TIMESTAMP '2020-01-01 00:00:00' AND age::string = '3'",
        "struct(age, name).age = 3 AND map('a', age)['a'] = 3 AND (age, name) IN ((1, 'a'))",
        "day + INTERVAL 1 DAY > DATE '2020-01-01' AND age DIV 2 = 1 AND age IS DISTINCT FROM 2",
        "coalesce(age, 0) % 2 = 0 AND try_cast(name AS INT) IS NOT NULL"
      })
  void check_deterministicExpressionOfTheRow_isAdmitted(String sql) {
    assertThat(admit(LocalSpark.session(), sql).type()).isEqualTo(DataTypes.BooleanType);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      value = {
        "rand() < 0.5|function 'rand' is not deterministic (character 1)",
        "age < 3 OR RAND(7) < 0.5|function 'rand' is not deterministic (character 12)",
        "randn() > 0|'randn' is not deterministic",
        "random() > 0|'random' is not deterministic",
        "uuid() = 's3cret'|'uuid' is not deterministic",
        "shuffle(tags)[0] = 's3cret'|'shuffle' is not deterministic",
        "monotonically_increasing_id() = 1|not deterministic",
        "spark_partition_id() = 1|not deterministic",
        "input_file_name() = 's3cret'|depends on the input file",
        "day < current_date()|depends on the current time",
        "day < current_date|depends on the current time or session",
        "day < curdate()|depends on the current time",
        "now() > day|depends on the current time",
        "current_timestamp > day|depends on the current time or session",
        "localtimestamp() > day|depends on the current time",
        "unix_timestamp() > 5|without arguments depends on the current time",
        "day < DATE 'today'|word for the present",
        "day < TIMESTAMP /* s3cret */ 'now'|word for the present",
        "day < TIMESTAMP_NTZ ' Yesterday '|word for the present",
        "day < DATE '\\u0074oday'|word for the present",
        "day < 'tomorrow'|means the present",
        "day < CAST(concat('to', 'day') AS DATE)|means the present",
        "to_date('now') = day|means the present",
        "current_user() = 's3cret'|depends on the session",
        "current_user = 's3cret'|depends on the current time or session",
        "user() = 's3cret'|depends on the session",
        "version() = 's3cret'|depends on the session",
        "current_database() = 's3cret'|depends on the session",
        "current_timezone() = 's3cret'|depends on the session",
        "reflect('java.lang.System', 'exit', 's3cret') = ''|calls arbitrary code",
        "java_method('java.lang.System', 'getenv', 's3cret') = ''|calls arbitrary code",
        "raise_error('s3cret')|raises an error",
        "assert_true(age = 4711) IS NULL|raises an error",
        "xpath_boolean('<s3cret/>', 'a')|parses XML",
        "aes_encrypt(name, 's3cret') IS NULL|encrypts or decrypts",
        "no_such_function(name, 's3cret')|only Spark's built-in functions",
        "db.upper(name) = 's3cret'|only Spark's built-in functions",
        "max(age) > 4711|is an aggregate",
        "count(DISTINCT age) > 4711|aggregate",
        "row_number() OVER (ORDER BY age) = 1|window",
        "sum(age) OVER () > 4711|window",
        "explode(tags) = 's3cret'|yields several rows",
        "json_tuple(name, 's3cret') = ''|yields several columns",
        "name = '${env:HOME}'|an environment variable in its place",
        "age > ${spark.s3cret}|an environment variable in its place",
        "sequence(1, age)[0] = 4711|makes arrays of any length",
        "repeat(name, 2000000000) = 's3cret'|argument 2 of function 'repeat' must be a constant",
        "repeat(name, age) = 's3cret'|argument 2 of function 'repeat' must be a constant",
        "repeat(repeat(name, 9000), 9000) = 's3cret'|more than 1000000 times as long",
        "space(2000000000) = name|argument 1 of function 'space'",
        "lpad(name, 2000000000, 's3cret') = ''|argument 2 of function 'lpad'",
        "size(array_repeat(name, 2000000000)) = 4711|argument 2 of function 'array_repeat'",
        "round(age, 2000000000) = 4711|argument 2 of function 'round'",
        "format_number(age, 2000000000) = 's3cret'|argument 2 of function 'format_number'",
        "format_string('%2000000000d', age) = ''|argument 1 of function 'format_string'",
        "aggregate(tags, name, (a, t) -> concat(a, a)) = 's3cret'|aggregate and reduce may gather",
        "name RLIKE '(s3cret+)+b'|the regular expression of 'rlike'",
        "name RLIKE 'a*a*a*a*a*a*a*a*a*a*a*b'|the regular expression of 'rlike'",
        "regexp_replace(name, '(a?a)*b', 's3cret') = ''|the regular expression of 'regexp_replace'",
        "size(split(name, name)) = 4711|the regular expression of 'split'",
        "parse_url(name, 'QUERY', '(a+)+') = 's3cret'|the regular expression of 'parse_url'",
        "exists(tags, a -> exists(tags, b -> exists(tags, c -> a = c))) = true|at most 2 deep",
        "IDENTIFIER('age') > 4711|not",
        "IDENTIFIER('reflect')('java.lang.System', 's3cret') = ''|not",
        "system.builtin.reflect('java.lang.System', 's3cret') = ''|only Spark's built-in functions",
        "spark_catalog.default.f(age) > 4711|only Spark's built-in functions",
        "try_reflect('java.lang.System', 'getenv', 's3cret') = ''|function",
        "xpath_string(name, 's3cret') = ''|parses XML",
        "aes_decrypt(name, 's3cret') IS NULL|encrypts or decrypts",
        "from_avro(name, 's3cret') IS NULL|function",
        "age IN (SELECT 4711)|subqueries",
        "EXISTS (SELECT 's3cret')|subqueries",
        "age = (SELECT max(age) FROM s3cret)|subqueries",
        "age > 4711 AS s3cret|alias",
        "*|* is not allowed",
        "age > :s3cret|parameter",
        "age > ?|parameter",
        "age >|not a Spark SQL expression",
        "age > 's3cret|not a Spark SQL expression",
        "true) OR (true|not a Spark SQL expression",
        "age > 4711; DROP TABLE s3cret|not a Spark SQL expression",
        "s3cret = 1|a column that the data do not have; there are age, name, day, tags",
        "name = s3cret|a column that the data do not have; there are age, name, day, tags",
        "age.s3cret = 1|cannot be resolved",
        "array(4711) = name|cannot be resolved",
        "upper(name, 's3cret') = 1|cannot be resolved",
      })
  void check_anythingElse_isRefusedWithoutQuotingIt(String sql, String complaint) {
    assertThatThrownBy(() -> admit(LocalSpark.session(), sql))
        .isInstanceOf(InvalidInputException.class)
        .hasNoCause()
        .hasMessageStartingWith("r.yaml: changes[0].removeRows.where: ")
        .hasMessageContaining(complaint)
        .message()
        .doesNotContain("s3cret", "4711");
  }

  @Test
  void check_openComment_isRefused() {
    assertThatThrownBy(() -> admit(LocalSpark.session(), "age > 1 /* s3cret"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("not a Spark SQL expression");
  }

  @Test
  void check_deeplyNested_isRefused() {
    List<String> deep =
        List.of(
            "(".repeat(100_000) + "age" + ")".repeat(100_000),
            "(/*)*/".repeat(5000) + "age" + ")".repeat(5000),
            "/*".repeat(200_000) + " age > 0",
            "case when ".repeat(20_000) + "true" + " then true end".repeat(20_000),
            "age" + " + 1".repeat(20_000) + " > 0",
            "NOT ".repeat(100_000) + "true");
    for (String sql : deep) {
      assertThatThrownBy(() -> admit(LocalSpark.session(), sql))
          .isInstanceOf(InvalidInputException.class);
    }
  }

  @Test
  void check_longListOfIdentifiers_isAdmitted() {
    String ids =
        IntStream.range(0, 20_000).mapToObj(i -> "'(u-" + i + "'").collect(Collectors.joining(","));
    assertThat(admit(LocalSpark.session(), "name IN (" + ids + ")").columns())
        .containsExactly("name");
  }

  @Test
  void resolve_userFunctionBehindABuiltInName_isRefused() {
    SparkSession spark = LocalSpark.session().newSession();
    spark.udf().register("upper", (UDF1<String, String>) s -> s, DataTypes.StringType);
    assertThatThrownBy(() -> admit(spark, "upper(name) = 'X'"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("user-defined functions");
  }

  /** Why the text is refused: it would not be what was checked, and tell the environment. */
  @Test
  void expr_dollarAndBrace_isReplacedBySparkItself() {
    assertThat(
            LocalSpark.session()
                .range(1)
                .select(functions.expr("'${env:PATH}'"))
                .first()
                .getString(0))
        .isEqualTo(System.getenv("PATH"));
  }

  @Test
  void check_sqlFunctionOfTheSession_isRefused() {
    SparkSession spark = LocalSpark.session().newSession();
    assumeThat(spark.version()).as("SQL functions came with Spark 4").doesNotStartWith("3.");
    spark.sql("CREATE TEMPORARY FUNCTION loud(x STRING) RETURNS STRING RETURN upper(x)");
    assertThatThrownBy(() -> admit(spark, "loud(name) = 'X'"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("only Spark's built-in functions");
  }

  @Test
  void resolve_userAggregateBehindABuiltInName_isRefused() {
    SparkSession spark = LocalSpark.session().newSession();
    spark.udf().register("lower", udaf(new Longest(), Encoders.STRING()));
    assertThatThrownBy(() -> admit(spark, "lower(name) = 'X'"))
        .isInstanceOf(InvalidInputException.class);
  }

  /** An aggregate that a session registers. */
  public static final class Longest extends Aggregator<String, Integer, Integer> {
    private static final long serialVersionUID = 1L;

    @Override
    public Integer zero() {
      return 0;
    }

    @Override
    public Integer reduce(Integer longest, String text) {
      return Math.max(longest, text.length());
    }

    @Override
    public Integer merge(Integer a, Integer b) {
      return Math.max(a, b);
    }

    @Override
    public Integer finish(Integer longest) {
      return longest;
    }

    @Override
    public Encoder<Integer> bufferEncoder() {
      return Encoders.INT();
    }

    @Override
    public Encoder<Integer> outputEncoder() {
      return Encoders.INT();
    }
  }

  @Test
  void resolve_sessionVariableBehindAName_isRefused() {
    SparkSession spark = LocalSpark.session().newSession();
    assumeThat(spark.version()).as("session variables came with Spark 4").doesNotStartWith("3.");
    spark.sql("DECLARE VARIABLE threshold INT DEFAULT 5");
    assertThatThrownBy(() -> admit(spark, "age > threshold"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("session variables");
  }

  @Test
  void resolve_columnsNamedLikeSessionFunctions_areColumns() {
    StructType schema = new StructType().add("user", "string").add("current_date", "date");
    SqlExpressions.check("p", "user = 'x' AND current_date IS NULL");
    assertThat(
            SqlExpressions.resolve(
                    LocalSpark.session(), schema, "p", "user = 'x' AND current_date IS NULL")
                .columns())
        .containsExactlyInAnyOrder("user", "current_date");
  }

  @Test
  void resolve_columnsInLambdasAndFunctions_areListed() {
    assertThat(
            admit(LocalSpark.session(), "exists(tags, t -> t = name) AND nvl(age, 1) > 1")
                .columns())
        .containsExactlyInAnyOrder("tags", "name", "age");
  }
}
