package dev.lethe.spark.certificate;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.model.DenseBlock;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.SparseBlock;
import dev.lethe.spark.LocalSpark;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@ExtendWith(LocalSpark.class)
class DataDigestTest {
  private static final int FEATURES = 3;
  private static final VaultKey KEY = VaultKey.of(new byte[32]);

  /** label, weight, then the features. */
  private static double[] example(double... values) {
    assertThat(values).hasSize(2 + FEATURES);
    return values;
  }

  /** 5000 examples, more than there are buckets, a tenth of them twice; about half are zeros. */
  private static List<double[]> examples() {
    Random random = new Random(7);
    List<double[]> examples = new ArrayList<>();
    for (int i = 0; i < 4500; i++) {
      double[] example = {random.nextInt(2), 0.5 + random.nextInt(3), 0, 0, 0};
      for (int j = 0; j < FEATURES; j++) {
        example[2 + j] = random.nextBoolean() ? random.nextGaussian() : 0;
      }
      examples.add(example);
      if (i % 9 == 0) {
        examples.add(example);
      }
    }
    return examples;
  }

  private static ExampleBlock dense(List<double[]> examples) {
    int n = examples.size();
    double[] values = new double[n * FEATURES];
    for (int i = 0; i < n; i++) {
      System.arraycopy(examples.get(i), 2, values, i * FEATURES, FEATURES);
    }
    return new DenseBlock(FEATURES, values, column(examples, 0), column(examples, 1));
  }

  /** With explicit zeros where {@code zeros}. */
  private static ExampleBlock sparse(List<double[]> examples, boolean zeros) {
    int n = examples.size();
    int[] offsets = new int[n + 1];
    int[] columns = new int[n * FEATURES];
    double[] values = new double[n * FEATURES];
    int entries = 0;
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < FEATURES; j++) {
        double value = examples.get(i)[2 + j];
        if (zeros || value != 0) {
          columns[entries] = j;
          values[entries++] = value;
        }
      }
      offsets[i + 1] = entries;
    }
    return new SparseBlock(
        FEATURES,
        offsets,
        Arrays.copyOf(columns, entries),
        Arrays.copyOf(values, entries),
        column(examples, 0),
        column(examples, 1));
  }

  private static double[] column(List<double[]> examples, int index) {
    return examples.stream().mapToDouble(e -> e[index]).toArray();
  }

  private static DataDigest of(SparkSession spark, int partitions, ExampleBlock... blocks) {
    return DataDigest.of(
        spark,
        JavaSparkContext.fromSparkContext(spark.sparkContext())
            .parallelize(List.of(blocks), partitions),
        FEATURES,
        KEY);
  }

  private static DataDigest of(double[]... examples) {
    return of(LocalSpark.session(), 1, dense(List.of(examples)));
  }

  @ParameterizedTest
  @CsvSource({"1,1,true", "3,17,true", "7,5,false", "3,1,false"})
  void of_otherPartitionsOrderAndStorage_isTheSame(
      int partitions, int shufflePartitions, boolean adaptive) {
    SparkSession spark = LocalSpark.session().newSession();
    spark.conf().set("spark.sql.shuffle.partitions", String.valueOf(shufflePartitions));
    spark.conf().set("spark.sql.adaptive.enabled", String.valueOf(adaptive));
    List<double[]> examples = examples();
    DataDigest expected = of(LocalSpark.session(), 2, dense(examples));
    assertThat(expected.rows()).isEqualTo(5000);

    Collections.shuffle(examples, new Random(partitions));
    assertThat(
            of(
                spark,
                partitions,
                dense(examples.subList(0, 100)),
                sparse(examples.subList(100, 1000), false),
                sparse(examples.subList(1000, 1001), true),
                dense(examples.subList(1001, 1001)),
                dense(examples.subList(1001, 4000)),
                sparse(examples.subList(4000, 5000), true)))
        .isEqualTo(expected);
  }

  @Test
  void of_otherExamples_differs() {
    double[] first = example(1, 1, 0, 2, 3);
    double[] second = example(0, 1, 4, 0, 0);
    List<DataDigest> digests =
        List.of(
            of(first, second),
            of(first),
            of(second),
            of(first, first),
            of(first, second, second),
            of(first, first, second),
            of(first, example(1, 1, 4, 0, 0)),
            of(first, example(0, 2, 4, 0, 0)),
            of(first, example(0, 1, 0, 4, 0)),
            of(first, example(0, 1, Math.nextUp(4.0), 0, 0)),
            of(first, example(0, 1, -4, 0, 0)),
            of(first, example(0, 1, 0, 0, 0)),
            of(example(0, 1, 0, 2, 3), example(1, 1, 4, 0, 0)),
            of());
    assertThat(digests).doesNotHaveDuplicates();
    assertThat(of().rows()).isZero();
    assertThat(of(second, first)).isEqualTo(of(first, second));
  }

  @Test
  void of_otherKeyOrNumberOfFeatures_differs() {
    SparkSession spark = LocalSpark.session();
    var blocks =
        JavaSparkContext.fromSparkContext(spark.sparkContext())
            .parallelize(List.of(dense(List.of(example(1, 1, 1, 0, 0)))), 1);
    assertThat(
            List.of(
                DataDigest.of(spark, blocks, FEATURES, KEY).value(),
                DataDigest.of(spark, blocks, FEATURES + 1, KEY).value(),
                DataDigest.of(spark, blocks, FEATURES, KEY.derive("other")).value()))
        .doesNotHaveDuplicates();
  }

  /** The definition, written a second time with nothing of the code under test. */
  @Test
  void of_examples_isTheHmacOfItsDefinition() throws Exception {
    byte[] secret = new byte[32];
    byte[] rowKey = hmac(secret, "lethe/rows/1".getBytes(UTF_8));
    byte[] bucketKey = hmac(secret, "lethe/buckets/1".getBytes(UTF_8));
    List<double[]> examples = examples();
    TreeMap<Integer, List<String>> buckets = new TreeMap<>();
    for (double[] example : examples) {
      List<byte[]> parts = new ArrayList<>();
      parts.add(text("lethe/row/1"));
      parts.add(doubleBytes(example[0]));
      parts.add(doubleBytes(example[1]));
      for (int j = 0; j < FEATURES; j++) {
        if (example[2 + j] != 0) {
          parts.add(intBytes(j));
          parts.add(doubleBytes(example[2 + j]));
        }
      }
      String hash = HexFormat.of().formatHex(hmac(rowKey, parts.toArray(byte[][]::new)));
      buckets
          .computeIfAbsent(Integer.parseInt(hash.substring(0, 3), 16), b -> new ArrayList<>())
          .add(hash);
    }
    List<byte[]> parts = new ArrayList<>();
    parts.add(text("lethe/data/1"));
    parts.add(intBytes(FEATURES));
    parts.add(longBytes(examples.size()));
    for (Map.Entry<Integer, List<String>> bucket : buckets.entrySet()) {
      Collections.sort(bucket.getValue());
      List<byte[]> content = new ArrayList<>();
      content.add(text("lethe/bucket/1"));
      content.add(intBytes(bucket.getKey()));
      for (String hash : bucket.getValue()) {
        content.add(counted(HexFormat.of().parseHex(hash)));
      }
      content.add(longBytes(bucket.getValue().size()));
      parts.add(intBytes(bucket.getKey()));
      parts.add(longBytes(bucket.getValue().size()));
      parts.add(counted(hmac(bucketKey, content.toArray(byte[][]::new))));
    }
    String expected = HexFormat.of().formatHex(hmac(secret, parts.toArray(byte[][]::new)));
    assertThat(of(LocalSpark.session(), 2, dense(examples)))
        .isEqualTo(new DataDigest(expected, examples.size()));
  }

  private static byte[] hmac(byte[] key, byte[]... parts) throws Exception {
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(key, "HmacSHA256"));
    for (byte[] part : parts) {
      mac.update(part);
    }
    return mac.doFinal();
  }

  private static byte[] intBytes(int value) {
    return ByteBuffer.allocate(4).putInt(value).array();
  }

  private static byte[] longBytes(long value) {
    return ByteBuffer.allocate(8).putLong(value).array();
  }

  private static byte[] doubleBytes(double value) {
    return ByteBuffer.allocate(8).putDouble(value).array();
  }

  private static byte[] counted(byte[] bytes) {
    return ByteBuffer.allocate(8 + bytes.length).putLong(bytes.length).put(bytes).array();
  }

  private static byte[] text(String text) {
    return counted(text.getBytes(UTF_8));
  }
}
