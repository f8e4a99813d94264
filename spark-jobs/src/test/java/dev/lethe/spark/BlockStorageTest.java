package dev.lethe.spark;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.aggregate.MeasurementAggregator;
import dev.lethe.core.aggregate.Point;
import dev.lethe.core.loss.LogisticLoss;
import dev.lethe.core.model.DenseBlock;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.SparseBlock;
import dev.lethe.spark.data.ExampleTable;
import dev.lethe.spark.operator.DistributedExamples;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.SplittableRandom;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.ml.linalg.SQLDataTypes;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.storage.StorageLevel;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Tables of narrow numbers, read from Parquet, packed, cached on disk: the measurement has the bits
 * of the same rows in blocks of doubles.
 */
@ExtendWith(LocalSpark.class)
class BlockStorageTest {
  private static final int ROWS = 300;
  private static final int FEATURES = 12;

  @TempDir private Path directory;

  @ParameterizedTest
  @CsvSource({
    "1, 1, 'dense byte'",
    "1, 1e-3, 'dense short'",
    "0.25, 1, 'dense float'",
    "0.1, 1, 'dense'",
    "1, 0, 'binary, 16-bit columns'",
    "0.5, 0, 'sparse float, 16-bit columns'",
    "0.1, 0, 'sparse'"
  })
  void measure_packedTable_hasTheBitsOfDoubles(double unit, double dense, String storage) {
    SparkSession session = LocalSpark.session();
    double[][] x = rows(unit, dense);
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < ROWS; i++) {
      rows.add(RowFactory.create(Vectors.dense(x[i]).compressed(), (double) (i % 2)));
    }
    StructType schema =
        new StructType().add("features", SQLDataTypes.VectorType()).add("label", "double");
    String path = directory.resolve("table").toString();
    session.createDataFrame(rows, schema).coalesce(1).write().parquet(path);
    Dataset<Row> table = session.read().parquet(path);
    JavaRDD<ExampleBlock> blocks =
        ExampleTable.blocks(
            ExampleTable.examples(table, new ExampleTable.Columns("features", "label", null)),
            FEATURES,
            new BitSet());
    blocks.persist(StorageLevel.DISK_ONLY());
    double[] theta = new SplittableRandom(2).doubles(FEATURES + 1L, -1, 1).toArray();
    Point point = new Point(LogisticLoss.INSTANCE, FEATURES, true, theta);
    DistributedExamples sums = new DistributedExamples(blocks, FEATURES, () -> "Lethe test");
    MeasurementAggregator first = sums.measure(point);
    MeasurementAggregator fromDisk = sums.measure(point);
    assertThat(blocks.map(ExampleBlock::storage).collect()).containsExactly(storage);
    blocks.unpersist(true);

    MeasurementAggregator expected = new MeasurementAggregator(point);
    expected.add(dense > 0 ? inDoubles(x) : inSparseDoubles(x));
    for (MeasurementAggregator measured : List.of(first, fromDisk)) {
      assertThat(measured.gradient()).isEqualTo(expected.gradient());
      assertThat(measured.curvatureMoment()).isEqualTo(expected.curvatureMoment());
      assertThat(measured.checksum()).isEqualTo(expected.checksum());
    }
  }

  /** Multiples of the unit: all of them if dense, with one large value if less than 1. */
  private static double[][] rows(double unit, double dense) {
    SplittableRandom random = new SplittableRandom(1);
    double[][] x = new double[ROWS][FEATURES];
    for (int i = 0; i < ROWS; i++) {
      for (int j = 0; j < FEATURES; j++) {
        if (dense > 0) {
          x[i][j] = unit * random.nextInt(1, 100);
        } else if (j % 4 == i % 4) {
          x[i][j] = unit;
        }
      }
    }
    if (dense > 0 && dense < 1) {
      x[77][3] = unit / dense;
    }
    return x;
  }

  private static double[] labels() {
    double[] y = new double[ROWS];
    Arrays.setAll(y, i -> i % 2);
    return y;
  }

  private static double[] ones() {
    double[] ones = new double[ROWS];
    Arrays.fill(ones, 1);
    return ones;
  }

  private static ExampleBlock inDoubles(double[][] x) {
    double[] values = Arrays.stream(x).flatMapToDouble(Arrays::stream).toArray();
    return new DenseBlock(FEATURES, values, labels(), ones());
  }

  private static ExampleBlock inSparseDoubles(double[][] x) {
    int[] offsets = new int[ROWS + 1];
    int[] columns = new int[ROWS * FEATURES];
    double[] values = new double[ROWS * FEATURES];
    int k = 0;
    for (int i = 0; i < ROWS; i++) {
      for (int j = 0; j < FEATURES; j++) {
        if (x[i][j] != 0) {
          columns[k] = j;
          values[k++] = x[i][j];
        }
      }
      offsets[i + 1] = k;
    }
    return new SparseBlock(
        FEATURES, offsets, Arrays.copyOf(columns, k), Arrays.copyOf(values, k), labels(), ones());
  }
}
