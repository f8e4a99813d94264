package dev.lethe.spark.certificate;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.expr;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.LocalSpark;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.apache.spark.ml.linalg.SQLDataTypes;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DataDigestTest {
  private static final byte[] SECRET = new byte[32];
  private static final VaultKey KEY = VaultKey.of(SECRET);

  private final SparkSession spark = LocalSpark.session();

  private static String of(Dataset<Row> table) {
    return DataDigest.of(table, KEY).value();
  }

  /** Every type that has a canonical form; some nulls; every row twice but the first. */
  private Dataset<Row> everyType() {
    return spark
        .range(0, 199)
        .selectExpr(
            "CAST(id / 2 AS INT) AS k",
            "id % 5 < 2 AS bool",
            "CAST(id DIV 2 % 100 AS TINYINT) AS tiny",
            "CAST(id DIV 2 AS SHORT) AS small",
            "id DIV 2 AS big",
            "CAST(id DIV 2 AS FLOAT) / 3 AS f",
            "IF(id DIV 2 % 7 = 0, NULL, (id DIV 2) / 3.0D) AS d",
            "IF(id DIV 2 % 11 = 0, NULL, concat('Zürich ', id DIV 2)) AS s",
            "CAST(concat('b', id DIV 2) AS BINARY) AS bin",
            "CAST((id DIV 2) / 7 AS DECIMAL(20, 5)) AS dec",
            "date_add(DATE'1500-01-01', CAST(id DIV 2 * 3000 AS INT)) AS date",
            "timestamp_micros((id DIV 2 - 50) * 315576000123456L) AS ts",
            "TIMESTAMP_NTZ'1960-02-29 12:00:00.000007' + make_dt_interval(0, 0, CAST(id DIV 2 AS INT))"
                + " AS ntz",
            "make_dt_interval(0, 0, 0, CAST(id DIV 2 AS DECIMAL(18, 6))) AS dt",
            "make_ym_interval(CAST(id DIV 2 AS INT), 3) AS ym",
            "array(id DIV 2, NULL, 3L) AS a",
            "map('x', id DIV 2, 'y', NULL) AS m",
            "named_struct('q', id DIV 2, 'p', DATE'2020-02-29') AS st",
            "NULL AS n");
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3, 7})
  void of_otherPartitioningOrderAndColumnOrder_isTheSame(int partitions) {
    Dataset<Row> table = everyType();
    DataDigest expected = DataDigest.of(table, KEY);
    assertThat(expected.rows()).isEqualTo(199);
    assertThat(DataDigest.of(table.repartition(partitions), KEY)).isEqualTo(expected);
    assertThat(DataDigest.of(table.orderBy(expr("hash(k * 31, big)")).coalesce(partitions), KEY))
        .isEqualTo(expected);
    List<String> columns = new ArrayList<>(Arrays.asList(table.columns()));
    Collections.shuffle(columns, new Random(partitions));
    assertThat(
            DataDigest.of(
                table.selectExpr(columns.toArray(String[]::new)).repartition(partitions), KEY))
        .isEqualTo(expected);
  }

  @ParameterizedTest
  @ValueSource(strings = {"1", "3", "17"})
  void of_otherShufflePartitionsOrCalendarObjects_isTheSame(String partitions) {
    String expected = of(everyType());
    String before = spark.conf().get("spark.sql.shuffle.partitions");
    try {
      spark.conf().set("spark.sql.shuffle.partitions", partitions);
      spark.conf().set("spark.sql.adaptive.enabled", "false");
      spark.conf().set("spark.sql.datetime.java8API.enabled", "true");
      spark.conf().set("spark.sql.session.timeZone", "Asia/Kolkata");
      assertThat(of(everyType())).isEqualTo(expected);
    } finally {
      spark.conf().set("spark.sql.shuffle.partitions", before);
      spark.conf().unset("spark.sql.adaptive.enabled");
      spark.conf().unset("spark.sql.datetime.java8API.enabled");
      spark.conf().unset("spark.sql.session.timeZone");
    }
  }

  @Test
  void of_anyCellChanged_differs() {
    Dataset<Row> table = everyType();
    String[] changes = {
      "bool|TRUE",
      "tiny|CAST(tiny + 1 AS TINYINT)",
      "small|CAST(small + 1 AS SHORT)",
      "k|k + 1",
      "big|big + 1",
      "f|CAST(f + 1 AS FLOAT)",
      "d|d + 1",
      "s|concat(s, ' ')",
      "bin|CAST(concat(CAST(bin AS STRING), 'x') AS BINARY)",
      "dec|CAST(dec + 1 AS DECIMAL(20, 5))",
      "date|date_add(date, 1)",
      "ts|timestamp_micros(unix_micros(ts) + 1)",
      "ntz|ntz + INTERVAL '1' SECOND",
      "dt|dt + INTERVAL '1' SECOND",
      "ym|ym + INTERVAL '1' MONTH",
      "a|array(a[0], 3L, NULL)",
      "m|map('x', NULL, 'y', m['x'])",
      "st|named_struct('q', st.q + 1, 'p', st.p)",
    };
    List<String> digests = new ArrayList<>(List.of(of(table)));
    for (String change : changes) {
      int bar = change.indexOf('|');
      // In two of the 199 rows.
      Dataset<Row> changed =
          table.withColumn(
              change.substring(0, bar),
              expr(
                  "IF(k = 3, "
                      + change.substring(bar + 1)
                      + ", "
                      + change.substring(0, bar)
                      + ")"));
      assertThat(changed.schema().catalogString()).isEqualTo(table.schema().catalogString());
      digests.add(of(changed));
    }
    assertThat(digests).doesNotHaveDuplicates();
  }

  @Test
  void of_otherMultiset_differs() {
    Dataset<Row> table = spark.range(10).toDF();
    Dataset<Row> empty = table.limit(0);
    List<String> digests =
        List.of(
            of(table),
            of(table.union(table)),
            of(table.filter("id <> 3")),
            of(table.filter("id <> 3").union(table.filter("id = 4"))),
            of(empty));
    assertThat(digests).doesNotHaveDuplicates();
    assertThat(DataDigest.of(table.union(table), KEY).rows()).isEqualTo(20);
    assertThat(DataDigest.of(empty, KEY).rows()).isZero();
    assertThat(of(table.filter("id <> 3").union(table.filter("id = 3")))).isEqualTo(of(table));
  }

  @Test
  void of_otherNamesTypesOrKey_differs() {
    Dataset<Row> table = spark.range(10).toDF();
    List<String> digests =
        List.of(
            of(table),
            of(table.toDF("ID")),
            of(table.select(col("id").cast("int"))),
            of(table.select(col("id").cast("string"))),
            of(table.select(col("id").cast("decimal(10,0)"))),
            of(table.select(col("id").cast("decimal(11,0)"))),
            DataDigest.of(table, KEY.derive("other")).value());
    assertThat(digests).doesNotHaveDuplicates();
  }

  private Dataset<Row> vectors(Vector... vectors) {
    List<Row> rows = new ArrayList<>();
    for (Vector vector : vectors) {
      rows.add(RowFactory.create(vector));
    }
    return spark.createDataFrame(rows, new StructType().add("v", SQLDataTypes.VectorType()));
  }

  @Test
  void of_vectors_dependsOnTheirValuesNotOnTheirStorage() {
    Vector dense = Vectors.dense(new double[] {0, 1.5, 0, -2});
    String expected = of(vectors(dense, dense));
    assertThat(of(vectors(dense, dense.toSparse()))).isEqualTo(expected);
    Vector explicitZero = Vectors.sparse(4, new int[] {0, 1, 3}, new double[] {0, 1.5, -2});
    assertThat(of(vectors(explicitZero, dense))).isEqualTo(expected);
    assertThat(
            List.of(
                expected,
                of(vectors(dense, Vectors.dense(new double[] {0, 1.5, -0.0, -2}))),
                of(vectors(dense, Vectors.dense(new double[] {0, 1.5, 0, -2, 0}))),
                of(vectors(dense, Vectors.dense(new double[] {1.5, 0, 0, -2}))),
                of(vectors(dense, null))))
        .doesNotHaveDuplicates();
  }

  @Test
  void of_doubles_distinguishesBitsButHasOneNaN() {
    double otherNaN = Double.longBitsToDouble(0x7ff8000000000001L);
    assertThat(of(doubles(otherNaN))).isEqualTo(of(doubles(Double.NaN)));
    assertThat(
            List.of(
                of(doubles(0.0)),
                of(doubles(-0.0)),
                of(doubles(Double.MIN_VALUE)),
                of(doubles(1.0)),
                of(doubles(Math.nextUp(1.0))),
                of(doubles(Double.NaN)),
                of(doubles(null))))
        .doesNotHaveDuplicates();
  }

  private Dataset<Row> doubles(Double value) {
    return spark.createDataFrame(
        List.of(RowFactory.create(value)), new StructType().add("x", DataTypes.DoubleType));
  }

  @Test
  void of_maps_doesNotDependOnTheOrderOfTheirEntries() {
    Dataset<Row> one = spark.sql("SELECT map('a', 1, 'b', 2) AS m");
    Dataset<Row> other = spark.sql("SELECT map('b', 2, 'a', 1) AS m");
    assertThat(of(other)).isEqualTo(of(one));
  }

  @Test
  void of_columnNamesWithDotsAndBackticks_works() {
    Dataset<Row> table = spark.range(3).toDF("a.b`c");
    assertThat(DataDigest.of(table, KEY).rows()).isEqualTo(3);
  }

  @Test
  void of_twoColumnsOfOneName_isRefused() {
    assertThatThrownBy(() -> of(spark.range(3).selectExpr("id", "id")))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("two columns have the name \"id\"");
  }

  @Test
  void of_typeWithoutCanonicalForm_isRefused() {
    Dataset<Row> table = spark.sql("SELECT make_interval(1, 2) AS i");
    assertThatThrownBy(() -> of(table))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("column \"i\"")
        .hasMessageContaining("no canonical form");
  }

  @Test
  void of_jobDescription_isRestored() {
    spark.sparkContext().setJobDescription("mine");
    try {
      of(spark.range(3).toDF());
      assertThat(spark.sparkContext().getLocalProperty("spark.job.description")).isEqualTo("mine");
    } finally {
      spark.sparkContext().setJobDescription(null);
    }
  }

  /** The definition, written a second time with nothing of the code under test. */
  @Test
  void of_longColumn_isTheHmacOfItsDefinition() throws Exception {
    int n = 5000;
    byte[] rowKey = hmac(SECRET, "lethe/rows/1".getBytes(UTF_8));
    byte[] bucketKey = hmac(SECRET, "lethe/buckets/1".getBytes(UTF_8));
    Map<Integer, TreeSet<String>> buckets = new HashMap<>();
    for (long id = 0; id < n; id++) {
      byte[] row = ByteBuffer.allocate(9).put((byte) 5).putLong(id).array();
      byte[] hash = hmac(rowKey, text("lethe/row/1"), counted(row));
      String hex = HexFormat.of().formatHex(hash);
      buckets
          .computeIfAbsent(Integer.parseInt(hex.substring(0, 3), 16), b -> new TreeSet<>())
          .add(hex);
    }
    List<byte[]> parts = new ArrayList<>();
    parts.add(text("lethe/data/1"));
    parts.add(text("struct(2:id long;)"));
    parts.add(longBytes(n));
    for (Map.Entry<Integer, TreeSet<String>> bucket : new TreeMap<>(buckets).entrySet()) {
      List<byte[]> content = new ArrayList<>();
      content.add(text("lethe/bucket/1"));
      content.add(ByteBuffer.allocate(4).putInt(bucket.getKey()).array());
      for (String hash : bucket.getValue()) {
        content.add(counted(HexFormat.of().parseHex(hash)));
      }
      content.add(longBytes(bucket.getValue().size()));
      parts.add(ByteBuffer.allocate(4).putInt(bucket.getKey()).array());
      parts.add(longBytes(bucket.getValue().size()));
      parts.add(counted(hmac(bucketKey, content.toArray(byte[][]::new))));
    }
    String expected = HexFormat.of().formatHex(hmac(SECRET, parts.toArray(byte[][]::new)));
    assertThat(DataDigest.of(spark.range(0, n, 1, 3).toDF(), KEY))
        .isEqualTo(new DataDigest(expected, n));
  }

  private static byte[] hmac(byte[] key, byte[]... parts) throws Exception {
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(key, "HmacSHA256"));
    for (byte[] part : parts) {
      mac.update(part);
    }
    return mac.doFinal();
  }

  private static byte[] longBytes(long value) {
    return ByteBuffer.allocate(8).putLong(value).array();
  }

  private static byte[] counted(byte[] bytes) {
    return ByteBuffer.allocate(8 + bytes.length).putLong(bytes.length).put(bytes).array();
  }

  private static byte[] text(String text) {
    return counted(text.getBytes(UTF_8));
  }

  /**
   * Recorded with Spark 4.1.0; the same on every version that the integration tests run, or a
   * digest of last year's data would not match after an upgrade.
   */
  @Test
  void of_everyType_hasTheRecordedValue() {
    assertThat(of(everyType()))
        .isEqualTo("9999e694d837d4e11a0c7b960552984b9721f0b5a743f4acb865bda60ec77559");
  }
}
