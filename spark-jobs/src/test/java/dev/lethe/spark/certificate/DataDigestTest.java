package dev.lethe.spark.certificate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.model.BlockBuilder;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.spark.JobCounter;
import dev.lethe.spark.LocalSpark;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.TreeMap;
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
      // Hashes and buckets.
      assertThat(counter.tasks()).isEqualTo(3 + 3);
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

  // The definition in the Javadoc, written out with the platform's HMAC.
  @Test
  void of_rows_isTheStatedConstruction() throws Exception {
    byte[] k1 = hmac(new byte[32], "lethe/rows/1".getBytes(StandardCharsets.UTF_8));
    byte[] k2 = hmac(new byte[32], "lethe/buckets/1".getBytes(StandardCharsets.UTF_8));
    Map<Integer, List<byte[]>> buckets = new TreeMap<>();
    List<double[]> rows = rows();
    rows.addAll(Collections.nCopies(300, rows.get(5))); // more than a run in one bucket
    for (double[] row : rows) {
      ByteBuffer bytes = start("row");
      bytes.putDouble(row[FEATURES]).putDouble(row[FEATURES + 1]);
      for (int j = 0; j < FEATURES; j++) {
        if (row[j] != 0) {
          bytes.putInt(j).putDouble(row[j]);
        }
      }
      byte[] hash = hmac(k1, content(bytes));
      int bucket = (hash[0] & 0xff) << 4 | (hash[1] & 0xff) >>> 4;
      buckets.computeIfAbsent(bucket, b -> new ArrayList<>()).add(hash);
    }
    ByteBuffer all = start("data").putInt(FEATURES).putLong(rows.size());
    for (Map.Entry<Integer, List<byte[]>> bucket : buckets.entrySet()) {
      bucket.getValue().sort(Arrays::compareUnsigned);
      ByteBuffer bytes = start("bucket").putInt(bucket.getKey());
      for (byte[] hash : bucket.getValue()) {
        bytes.putLong(32).put(hash);
      }
      bytes.putLong(bucket.getValue().size());
      all.putInt(bucket.getKey())
          .putLong(bucket.getValue().size())
          .putLong(32)
          .put(hmac(k2, content(bytes)));
    }
    assertThat(of(rows, 64, 3, KEY).value())
        .isEqualTo(HexFormat.of().formatHex(hmac(new byte[32], content(all))));
  }

  private static ByteBuffer start(String domain) {
    byte[] name = ("lethe/" + domain + "/1").getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(1 << 20).putLong(name.length).put(name);
  }

  private static byte[] content(ByteBuffer buffer) {
    return Arrays.copyOf(buffer.array(), buffer.position());
  }

  private static byte[] hmac(byte[] key, byte[] content) throws Exception {
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(key, "HmacSHA256"));
    return mac.doFinal(content);
  }
}
