package dev.lethe.spark.certificate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.model.BlockBuilder;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.spark.JobCounter;
import dev.lethe.spark.LocalSpark;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.SplittableRandom;
import javax.crypto.Cipher;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@ExtendWith(LocalSpark.class)
class DataDigestTest {
  private static final int FEATURES = 5;
  private static final VaultKey KEY = VaultKey.of(new byte[32]);

  /** Rows of FEATURES entries, a label and a weight; every third row twice. */
  private static List<double[]> rows() {
    SplittableRandom random = new SplittableRandom(1);
    List<double[]> rows = new ArrayList<>();
    for (int i = 0; i < 200; i++) {
      double[] row = new double[FEATURES + 2];
      for (int j = 0; j < FEATURES; j++) {
        row[j] = random.nextBoolean() ? 0 : random.nextDouble() - 0.5;
      }
      row[FEATURES] = random.nextInt(2);
      row[FEATURES + 1] = 1 + random.nextInt(3);
      rows.add(row);
      if (i % 3 == 0) {
        rows.add(row.clone());
      }
    }
    return rows;
  }

  private static JavaRDD<ExampleBlock> blocks(List<double[]> rows, int perBlock, int partitions) {
    List<ExampleBlock> blocks = new ArrayList<>();
    BlockBuilder builder = new BlockBuilder(FEATURES, perBlock, Integer.MAX_VALUE);
    for (double[] row : rows) {
      for (int j = 0; j < FEATURES; j++) {
        builder.add(j, row[j]);
      }
      builder.endRow(row[FEATURES], row[FEATURES + 1]);
      if (builder.isFull()) {
        blocks.add(builder.build());
      }
    }
    if (!builder.isEmpty()) {
      blocks.add(builder.build());
    }
    return JavaSparkContext.fromSparkContext(LocalSpark.session().sparkContext())
        .parallelize(blocks, partitions);
  }

  private static DataDigest of(List<double[]> rows, int perBlock, int partitions, VaultKey key) {
    return DataDigest.of(blocks(rows, perBlock, partitions), FEATURES, key);
  }

  @Test
  void of_blocks_takesAsManyTasksAsTheyHavePartitions() {
    JavaRDD<ExampleBlock> blocks = blocks(rows(), 40, 3);

    try (JobCounter counter = JobCounter.on(LocalSpark.session().sparkContext())) {
      DataDigest.of(blocks, FEATURES, KEY);
      assertThat(counter.tasks()).isEqualTo(3);
    }
  }

  // One row a block stores rows dense or sparse as they are; 300 a block stores all of them alike.
  @ParameterizedTest
  @CsvSource({"1,1", "1,7", "40,3", "300,1"})
  void of_otherOrderBlocksAndPartitions_isTheSame(int perBlock, int partitions) {
    List<double[]> rows = rows();
    DataDigest expected = of(rows, 64, 2, KEY);
    Collections.shuffle(rows, new Random(perBlock));
    assertThat(of(rows, perBlock, partitions, KEY)).isEqualTo(expected);
    assertThat(expected.rows()).isEqualTo(rows.size());
  }

  @Test
  void of_anyEntryLabelWeightOrMultiplicityChanged_differs() {
    List<String> digests = new ArrayList<>(List.of(of(rows(), 64, 2, KEY).value()));
    for (int column = 0; column < FEATURES + 2; column++) {
      List<double[]> rows = rows();
      rows.get(17)[column] += 1;
      digests.add(of(rows, 64, 2, KEY).value());
    }
    List<double[]> fewer = rows();
    fewer.remove(1); // a copy of the row before it
    digests.add(of(fewer, 64, 2, KEY).value());
    digests.add(of(rows(), 64, 2, VaultKey.of(Arrays.copyOf(new byte[] {1}, 32))).value());
    assertThat(digests).doesNotHaveDuplicates();
  }

  /** Sums over columns, or over rows, stay what they were. */
  @Test
  void of_entriesExchangedBetweenRowsOrColumns_differs() {
    List<double[]> rows = rows();
    rows.get(3)[0] = 1;
    rows.get(3)[1] = 2;
    rows.get(4)[0] = 3;
    rows.get(4)[1] = 4;
    List<String> digests = new ArrayList<>(List.of(of(rows, 64, 2, KEY).value()));
    rows.get(3)[0] = 3;
    rows.get(4)[0] = 1;
    digests.add(of(rows, 64, 2, KEY).value());
    rows.get(3)[0] = 2;
    rows.get(3)[1] = 1;
    digests.add(of(rows, 64, 2, KEY).value());
    assertThat(digests).doesNotHaveDuplicates();
  }

  @Test
  void of_zerosAndNotANumbersWithOtherBits_isTheSame() {
    List<double[]> rows = rows();
    rows.get(3)[0] = 0.0;
    rows.get(4)[1] = Double.NaN;
    String expected = of(rows, 64, 2, KEY).value();
    rows.get(3)[0] = -0.0;
    rows.get(4)[1] = Double.longBitsToDouble(0x7ff8000000000123L);
    assertThat(of(rows, 1, 2, KEY).value()).isEqualTo(expected);
    assertThat(of(rows, 300, 2, KEY).value()).isEqualTo(expected);
    rows.get(5)[FEATURES] = 0.0;
    String label = of(rows, 64, 2, KEY).value();
    rows.get(5)[FEATURES] = -0.0;
    assertThat(of(rows, 64, 2, KEY).value()).isNotEqualTo(label);
  }

  @Test
  void of_severalDataSetsThatShareRows_isThatOfEachAndOneJob() {
    List<double[]> shared = rows();
    List<double[]> first = rows().subList(0, 7);
    List<double[]> third = rows().subList(20, 60);
    List<BitSet> removed =
        List.of(
            BitSet.valueOf(new long[] {0b00101}),
            BitSet.valueOf(new long[] {0b00100}),
            new BitSet(),
            BitSet.valueOf(new long[] {0b00100}));
    List<List<double[]>> own = List.of(first, List.of(), third, List.of());

    List<DataDigest> digests;
    try (JobCounter counter = JobCounter.on(LocalSpark.session().sparkContext())) {
      digests =
          DataDigest.of(
              List.of(blocks(shared, 30, 3), blocks(third, 9, 2), blocks(first, 2, 1)),
              List.of(DataDigest.EVERY, 2, 0),
              FEATURES,
              removed,
              KEY);
      assertThat(counter.jobs()).isEqualTo(1);
    }

    for (int k = 0; k < removed.size(); k++) {
      List<double[]> rows = new ArrayList<>();
      shared.forEach(row -> rows.add(row.clone()));
      own.get(k).forEach(row -> rows.add(row.clone()));
      BitSet zero = removed.get(k);
      rows.forEach(row -> zero.stream().forEach(column -> row[column] = 0));
      assertThat(digests.get(k)).as("%d", k).isEqualTo(of(rows, 64, 2, KEY));
    }
    assertThat(digests.get(1)).isEqualTo(digests.get(3));
    assertThat(digests.stream().distinct()).hasSize(3);
  }

  /** The definition in the Javadoc, written out in integers of any size. */
  @Test
  void of_rows_isTheStatedConstruction() throws Exception {
    List<double[]> rows = rows();
    BigInteger product = BigInteger.ONE;
    for (double[] row : rows) {
      BigInteger sum = factor(row[FEATURES], row[FEATURES + 1]);
      for (int j = 0; j < FEATURES; j++) {
        sum = sum.add(key(3 + j).multiply(bits(row[j])));
      }
      product = product.multiply(sum).mod(FieldElementTest.P);
    }
    assertThat(of(rows, 64, 3, KEY).value()).isEqualTo(value(FEATURES, rows.size(), product));
  }

  /** Of more columns than a task keeps keys of, and more entries than it sums at a time. */
  @Test
  void of_rowsOfManyColumns_isTheStatedConstruction() throws Exception {
    int features = RowKeys.MOST_KEPT + 1;
    BlockBuilder builder = new BlockBuilder(features, 10, Integer.MAX_VALUE);
    BigInteger product = BigInteger.ONE;
    BigInteger corrected = BigInteger.ONE;
    for (int i = 0; i < 3; i++) {
      BigInteger sum = factor(i, 1);
      BigInteger left = sum;
      for (int k = 0; k <= 2 * RowKeys.CHUNK; k++) {
        int column = k < 2 * RowKeys.CHUNK ? 17 * k + i : features - 1;
        builder.add(column, i - 0.5 * k);
        BigInteger term = key(3 + column).multiply(bits(i - 0.5 * k));
        sum = sum.add(term);
        left = column == 17 || column == features - 1 ? left : left.add(term);
      }
      builder.endRow(i, 1);
      product = product.multiply(sum).mod(FieldElementTest.P);
      corrected = corrected.multiply(left).mod(FieldElementTest.P);
    }
    JavaRDD<ExampleBlock> blocks =
        JavaSparkContext.fromSparkContext(LocalSpark.session().sparkContext())
            .parallelize(List.of(builder.build()), 1);
    BitSet removed = new BitSet();
    removed.set(17);
    removed.set(features - 1);

    List<DataDigest> digests =
        DataDigest.of(
            List.of(blocks),
            List.of(DataDigest.EVERY),
            features,
            List.of(new BitSet(), removed),
            KEY);

    assertThat(digests.get(0).value()).isEqualTo(value(features, 3, product));
    assertThat(digests.get(1).value()).isEqualTo(value(features, 3, corrected));
  }

  private static BigInteger factor(double label, double weight) throws Exception {
    return key(0)
        .add(key(1).multiply(BigInteger.valueOf(Double.doubleToLongBits(label))))
        .add(key(2).multiply(BigInteger.valueOf(Double.doubleToLongBits(weight))));
  }

  private static BigInteger bits(double entry) {
    return entry == 0 ? BigInteger.ZERO : BigInteger.valueOf(Double.doubleToLongBits(entry));
  }

  private static BigInteger key(int number) throws Exception {
    byte[] derived = hmac(new byte[32], "lethe/rows/2".getBytes(StandardCharsets.UTF_8));
    Cipher cipher = Cipher.getInstance("AES/ECB/NoPadding");
    cipher.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(derived, "AES"));
    byte[] block = cipher.doFinal(ByteBuffer.allocate(16).putLong(8, number).array());
    return new BigInteger(1, block).clearBit(127).clearBit(126);
  }

  private static String value(int features, long rows, BigInteger product) throws Exception {
    byte[] domain = "lethe/examples/1".getBytes(StandardCharsets.UTF_8);
    ByteBuffer content = ByteBuffer.allocate(8 + domain.length + 4 + 8 + 16);
    content.putLong(domain.length).put(domain).putInt(features).putLong(rows);
    content.putLong(product.shiftRight(64).longValue()).putLong(product.longValue());
    return HexFormat.of().formatHex(hmac(new byte[32], content.array()));
  }

  private static byte[] hmac(byte[] key, byte[] content) throws Exception {
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(key, "HmacSHA256"));
    return mac.doFinal(content);
  }
}
