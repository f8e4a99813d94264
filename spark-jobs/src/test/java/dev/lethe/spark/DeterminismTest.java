package dev.lethe.spark;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.aggregate.Point;
import dev.lethe.core.loss.LogisticLoss;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.solver.LinearSolver;
import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.data.ExampleTable;
import dev.lethe.spark.data.TableSource;
import dev.lethe.spark.job.UnlearnJob;
import dev.lethe.spark.operator.DistributedExamples;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectOutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.function.Function;
import org.apache.spark.ml.feature.VectorAssembler;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.storage.StorageLevel;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is the same from run to run, to the last bit, and what is not. */
@ExtendWith(LocalSpark.class)
class DeterminismTest {
  private static final NumericTable TABLE = new NumericTable(900, 5, 3);
  private static final int FILES = 4;

  @TempDir private static Path directory;
  private static Jobs jobs;
  private static int releases;

  @BeforeAll
  static void train() throws IOException {
    jobs = new Jobs(directory);
    TABLE.csv(directory.resolve("table"), FILES, 0);
    TABLE.csv(directory.resolve("shuffled"), FILES, 17);
    jobs.train(jobs.table("table", "csv"), TABLE.featureNames(), 0.001, true, true, null, "model");
    jobs.write(
        "request.yaml",
        """
        id: again
        changes:
          - removeFeatures: [x2]
          - removeRows: {where: "id % 9 = 4"}
          - relabel: {to: "1 - label", where: "id < 30"}
        certificate: {epsilon: 0.1, delta: 1e-4, rho: 1e-7}
        """);
  }

  private static UnlearnJob.Result unlearn(String table, int partitions) throws IOException {
    TableSource source = jobs.table(table, "csv");
    return jobs.unlearn(
        source, false, "model", "request.yaml", "out" + releases++, LinearSolver.CG, partitions);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 3})
  void unlearn_again_hasTheSameBitsBeforeTheNoiseOnly(int partitions) throws IOException {
    UnlearnJob.Result first = unlearn("table", partitions);
    UnlearnJob.Result second = unlearn("table", partitions);
    UnlearnJob.Result shuffled = unlearn("shuffled", partitions);

    assertSameBits(second.evidence(), first.evidence());
    if (partitions > 0) {
      assertSameBits(shuffled.evidence(), first.evidence());
    } else {
      assertWithinProvenDistances(shuffled.evidence(), first.evidence()); // the files' order counts
    }
    // Sigma is 100 to 200 steps of the grid: two draws agree in a coordinate with probability below
    // 0.003, in three of these few with probability below 1e-5.
    assertThat(agreements(first.published(), second.published(), 2)).isLessThan(3);
    assertThat(second.evidence().digests().correctedData())
        .isEqualTo(first.evidence().digests().correctedData());
    assertThat(shuffled.evidence().digests().correctedData())
        .isEqualTo(first.evidence().digests().correctedData());
  }

  /** In how many coordinates besides the removed one two releases are equal. */
  private static long agreements(double[] first, double[] second, int removed) {
    return IntStream.range(0, first.length)
        .filter(j -> j != removed && first[j] == second[j])
        .count();
  }

  private static void assertSameBits(Evidence actual, Evidence expected) {
    assertThat(bits(actual.unnoisedParameters())).isEqualTo(bits(expected.unnoisedParameters()));
    assertThat(actual.measurement()).isEqualTo(expected.measurement());
  }

  private static long[] bits(double[] values) {
    return Arrays.stream(values).mapToLong(Double::doubleToRawLongBits).toArray();
  }

  // Each result is proven to lie within its own bound of the same minimiser.
  @Test
  void unlearn_otherPartitioning_agreesWithinTheProvenDistances() throws IOException {
    List<Evidence> results = new ArrayList<>();
    for (int partitions : new int[] {1, 2, 5}) {
      results.add(unlearn("table", partitions).evidence());
    }
    for (Evidence a : results) {
      for (Evidence b : results) {
        assertWithinProvenDistances(a, b);
      }
      assertThat(a.digests().correctedData()).isEqualTo(results.get(0).digests().correctedData());
    }
  }

  private static void assertWithinProvenDistances(Evidence a, Evidence b) {
    assertThat(MeanFormLogistic.distance(a.unnoisedParameters(), b.unnoisedParameters()))
        .isLessThanOrEqualTo(a.measurement().distanceBound() + b.measurement().distanceBound());
  }

  private static JavaRDD<ExampleBlock> blocks(String table, int partitions) {
    Dataset<Row> rows =
        LocalSpark.session()
            .read()
            .option("header", "true")
            .option("inferSchema", "true")
            .csv(jobs.path(table));
    Dataset<Row> featurized =
        new VectorAssembler()
            .setInputCols(TABLE.featureNames().toArray(new String[0]))
            .setOutputCol("features")
            .transform(rows);
    return ExampleTable.orderedBlocks(
        ExampleTable.examples(featurized, new ExampleTable.Columns("features", "label", null)),
        TABLE.featureNames().size(),
        new BitSet(),
        partitions);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 3})
  void blocks_computedAgain_haveTheSameBytes(int partitions) {
    JavaRDD<ExampleBlock> blocks = blocks("table", partitions);
    List<byte[]> first = serialized(blocks);
    assertThat(first).hasSizeGreaterThanOrEqualTo(2);
    assertEqual(serialized(blocks), first);
    if (partitions > 0) { // otherwise rows are in the order of their files
      assertEqual(serialized(blocks("shuffled", partitions)), first);
    }
  }

  private static List<byte[]> serialized(JavaRDD<ExampleBlock> blocks) {
    return blocks.map(new Serialize()).collect();
  }

  private static void assertEqual(List<byte[]> actual, List<byte[]> expected) {
    assertThat(actual).hasSameSizeAs(expected);
    for (int k = 0; k < actual.size(); k++) {
      assertThat(Arrays.equals(actual.get(k), expected.get(k))).isTrue();
    }
  }

  /** A named class: a lambda would drag the test along. */
  private static final class Serialize implements Function<ExampleBlock, byte[]> {
    private static final long serialVersionUID = 1L;

    @Override
    public byte[] call(ExampleBlock block) {
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
        out.writeObject(block);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      return bytes.toByteArray();
    }
  }

  @Test
  void pass_cachedPartitionsDropped_givesTheSameBits() {
    JavaRDD<ExampleBlock> blocks = blocks("table", 3);
    int d = TABLE.featureNames().size();
    double[] theta = {0.1, -0.2, 0.3, -0.4, 0.5, 0.6};
    Point point = new Point(LogisticLoss.INSTANCE, d, true, theta);
    DistributedExamples sums = new DistributedExamples(blocks, d, () -> "Lethe test");
    blocks.persist(StorageLevel.MEMORY_ONLY());
    long[] cached = bits(sums.measure(point).gradient());
    long[] fromCache = bits(sums.measure(point).gradient());
    blocks.unpersist(true);
    long[] recomputed = bits(sums.measure(point).gradient());
    blocks.persist(StorageLevel.DISK_ONLY());
    long[] onDisk = bits(sums.measure(point).gradient());
    blocks.unpersist(true);
    assertThat(fromCache).isEqualTo(cached);
    assertThat(recomputed).isEqualTo(cached);
    assertThat(onDisk).isEqualTo(cached);
  }
}
