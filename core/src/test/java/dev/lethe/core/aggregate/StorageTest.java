package dev.lethe.core.aggregate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.loss.LossFunction;
import dev.lethe.core.model.BlockBuilder;
import dev.lethe.core.model.DenseBlock;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.ParameterLayout;
import dev.lethe.core.model.SparseBlock;
import dev.lethe.core.testing.LossCase;
import dev.lethe.core.testing.Problem;
import dev.lethe.core.testing.Serialized;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Supplier;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What numbers a block keeps changes no bit of any sum, its bounds, counts and checksums included:
 * the serialized state of every aggregator is the same as with doubles. Runs with the Vector API,
 * too.
 */
class StorageTest {
  private enum Numbers {
    ONE,
    BYTE,
    SHORT,
    FLOAT;

    double draw(SplittableRandom random) {
      return switch (this) {
        case ONE -> 1;
        case BYTE -> random.nextInt(-128, 128);
        case SHORT -> random.nextInt(-32768, 32768);
        case FLOAT ->
            (float) (Problem.gaussian(random) * Math.scalb(1.0, random.nextInt(-140, 30)));
      };
    }

    double scale() {
      return switch (this) {
        case ONE -> 1;
        case BYTE -> 128;
        case SHORT -> 32768;
        case FLOAT -> Math.scalb(1.0, 30);
      };
    }
  }

  private record Rows(double[][] x, double[] y, double[] w) {
    static Rows random(LossCase loss, Numbers numbers, int zeros, int n, int d, long seed) {
      SplittableRandom random = new SplittableRandom(seed);
      Rows rows = new Rows(new double[n][d], new double[n], new double[n]);
      for (int i = 0; i < n; i++) {
        for (int j = 0; j < d; j++) {
          rows.x[i][j] = random.nextInt(5) < zeros ? 0 : numbers.draw(random);
        }
        rows.y[i] = loss.label(random);
        rows.w[i] = 0.1 + random.nextDouble();
      }
      return rows;
    }

    int features() {
      return x[0].length;
    }

    List<ExampleBlock> asSparseDoubles(int rowsPerBlock) {
      List<ExampleBlock> blocks = new ArrayList<>();
      int d = features();
      for (int from = 0; from < x.length; from += rowsPerBlock) {
        int to = Math.min(x.length, from + rowsPerBlock);
        int[] offsets = new int[to - from + 1];
        int[] columns = new int[(to - from) * d];
        double[] values = new double[(to - from) * d];
        int k = 0;
        for (int i = from; i < to; i++) {
          for (int j = 0; j < d; j++) {
            if (x[i][j] != 0) {
              columns[k] = j;
              values[k++] = x[i][j];
            }
          }
          offsets[i - from + 1] = k;
        }
        blocks.add(
            new SparseBlock(
                d,
                offsets,
                Arrays.copyOf(columns, k),
                Arrays.copyOf(values, k),
                Arrays.copyOfRange(y, from, to),
                Arrays.copyOfRange(w, from, to)));
      }
      return blocks;
    }

    List<ExampleBlock> asDoubles(int rowsPerBlock) {
      List<ExampleBlock> blocks = new ArrayList<>();
      int d = features();
      for (int from = 0; from < x.length; from += rowsPerBlock) {
        int to = Math.min(x.length, from + rowsPerBlock);
        double[] values = new double[(to - from) * d];
        for (int i = from; i < to; i++) {
          System.arraycopy(x[i], 0, values, (i - from) * d, d);
        }
        blocks.add(
            new DenseBlock(
                d, values, Arrays.copyOfRange(y, from, to), Arrays.copyOfRange(w, from, to)));
      }
      return blocks;
    }

    List<ExampleBlock> built(int rowsPerBlock) {
      List<ExampleBlock> blocks = new ArrayList<>();
      BlockBuilder builder = new BlockBuilder(features(), rowsPerBlock, Integer.MAX_VALUE);
      for (int i = 0; i < x.length; i++) {
        for (int j = 0; j < features(); j++) {
          builder.add(j, x[i][j]);
        }
        builder.endRow(y[i], w[i]);
        if (builder.isFull() || i == x.length - 1) {
          blocks.add(Serialized.copy(builder.build()));
        }
      }
      return blocks;
    }
  }

  private static double[] vector(int size, double scale, SplittableRandom random) {
    double[] v = new double[size];
    Arrays.setAll(v, j -> Problem.gaussian(random) / scale);
    return v;
  }

  /** Every aggregator, where one has two ways to sum in both. */
  private static Map<String, Supplier<Aggregator<?>>> aggregators(Point point, double[] v) {
    LossFunction loss = point.loss();
    Point within = point.within(1e-3, new boolean[point.size()]);
    Map<String, Supplier<Aggregator<?>>> all = new LinkedHashMap<>();
    all.put("statistics", () -> new StatisticsAggregator(loss, point.layout().features()));
    all.put("gradient", () -> new GradientAggregator(point));
    all.put("measurement", () -> new MeasurementAggregator(point));
    all.put("measurement within a ball", () -> new MeasurementAggregator(within));
    all.put("Hessian-vector product", () -> new HessianVectorAggregator(point, v));
    all.put("Gram matrix", () -> new GramAggregator(point));
    all.put("Gram matrix within a ball", () -> new GramAggregator(within));
    all.put("Gram matrix of a sample", () -> new GramAggregator(point, 0.4));
    all.put("both", () -> new MeasuredHessianAggregator(point));
    if (loss.scalars() == 0) {
      all.put("curvature of margins", () -> new MarginCurvatureAggregator(point));
    }
    return all;
  }

  private static byte[] state(Aggregator<?> sums, List<ExampleBlock> blocks) {
    blocks.forEach(sums::add);
    return Serialized.bytes(sums.sealed());
  }

  /** Narrow blocks beside the same of doubles, at a point and a direction. */
  private static void requireSameSums(
      LossCase loss,
      Rows rows,
      boolean intercept,
      List<ExampleBlock> narrow,
      List<ExampleBlock> wide,
      double scale,
      String what) {
    LossFunction function = loss.loss();
    ParameterLayout layout =
        new ParameterLayout(rows.features(), intercept, function.margins(), function.scalars());
    SplittableRandom random = new SplittableRandom(rows.x.length);
    double[] theta = vector(layout.size(), scale, random);
    for (int i = 0; i < function.scalars(); i++) {
      theta[layout.scalar(i)] = 0.7;
    }
    Point point = new Point(function, layout, theta);
    aggregators(point, vector(layout.size(), 1, random))
        .forEach(
            (name, sums) ->
                assertThat(state(sums.get(), narrow))
                    .as("%s of %s, %s rows", name, what, rows.x.length)
                    .isEqualTo(state(sums.get(), wide)));
  }

  // blocks and panels that are full and not, every remainder of the vectors' lengths
  private static final int[][] SIZES = {{1, 9, 9}, {75, 8, 75}, {100, 13, 33}, {131, 16, 64}};

  @ParameterizedTest
  @EnumSource
  void sums_denseNarrowBlocks_haveTheBitsOfDoubles(LossCase loss) {
    for (Numbers numbers : Numbers.values()) {
      for (int[] size : SIZES) {
        Rows rows = Rows.random(loss, numbers, 1, size[0], size[1], size[0] + 7L * size[1]);
        List<ExampleBlock> narrow = rows.built(size[2]);
        String word = numbers == Numbers.ONE ? "byte" : numbers.toString().toLowerCase(Locale.ROOT);
        assertThat(narrow.get(0).storage()).isEqualTo("dense " + word);
        for (boolean intercept : new boolean[] {false, true}) {
          List<ExampleBlock> wide = rows.asDoubles(size[2]);
          requireSameSums(loss, rows, intercept, narrow, wide, numbers.scale(), word);
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void sums_sparseNarrowBlocks_haveTheBitsOfDoubles(LossCase loss) {
    for (Numbers numbers : Numbers.values()) {
      for (int[] size : SIZES) {
        Rows rows = Rows.random(loss, numbers, 4, size[0], size[1], size[0] + 7L * size[1]);
        List<ExampleBlock> narrow = rows.built(size[2]);
        String word =
            numbers == Numbers.ONE
                ? "binary"
                : "sparse " + numbers.toString().toLowerCase(Locale.ROOT);
        assertThat(narrow.get(narrow.size() - 1).storage()).isEqualTo(word + ", 16-bit columns");
        for (boolean intercept : new boolean[] {false, true}) {
          List<ExampleBlock> wide = rows.asSparseDoubles(size[2]);
          requireSameSums(loss, rows, intercept, narrow, wide, numbers.scale(), word);
        }
      }
    }
  }
}
