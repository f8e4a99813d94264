package dev.lethe.core.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.lethe.core.linalg.CompensatedVector;
import dev.lethe.core.linalg.Rounding;
import dev.lethe.core.testing.Exact;
import dev.lethe.core.testing.Problem;
import dev.lethe.core.testing.Problem.Kind;
import dev.lethe.core.testing.Problem.Layout;
import dev.lethe.core.testing.Serialized;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ExampleBlockTest {
  private static double[] vector(int size, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    double[] v = new double[size];
    Arrays.setAll(v, j -> Problem.gaussian(random));
    return v;
  }

  private static List<double[]> entries(ExampleBlock block, int row) {
    List<double[]> entries = new ArrayList<>();
    block.forEachEntry(
        row,
        (column, value) -> {
          if (value != 0) {
            entries.add(new double[] {column, value});
          }
        });
    return entries;
  }

  // d = 1 .. 13 covers every remainder of the dot product's unrolling by four.
  @Property(tries = 60, seed = "7")
  void products_denseAndSparse_matchExactSums(
      @ForAll @IntRange(min = 1, max = 13) int d, @ForAll @IntRange(max = 1000) int seed) {
    Problem problem = Problem.random(seed % 2 == 0 ? Kind.SPARSE : Kind.GAUSSIAN, 9, d, true, seed);
    double[] v = vector(d + 1, seed);
    for (Layout layout : Layout.values()) {
      ExampleBlock block = problem.block(layout);
      for (int i = 0; i < problem.rows(); i++) {
        BigDecimal dot = BigDecimal.ZERO;
        BigDecimal absolute = BigDecimal.ZERO;
        for (int j = 0; j < d; j++) {
          BigDecimal product = Exact.of(problem.x()[i][j]).multiply(Exact.of(v[j]));
          dot = dot.add(product);
          absolute = absolute.add(product.abs());
        }
        BigDecimal bound = absolute.multiply(Exact.of(Rounding.gamma(d)));
        assertThat(Exact.error(block.dot(i, v, 0), dot)).isLessThanOrEqualTo(bound);
        assertThat(Exact.error(block.absoluteDot(i, v, 0), absolute)).isLessThanOrEqualTo(bound);
        double[] shifted = new double[d + 3];
        System.arraycopy(v, 0, shifted, 2, d);
        assertThat(block.dot(i, shifted, 2)).isEqualTo(block.dot(i, v, 0));
        assertThat(block.absoluteDot(i, shifted, 2)).isEqualTo(block.absoluteDot(i, v, 0));
      }
    }
  }

  @Property(tries = 60, seed = "8")
  void additions_denseAndSparse_giveTheSameRow(
      @ForAll @IntRange(min = 1, max = 13) int d, @ForAll @IntRange(max = 1000) int seed) {
    Problem problem = Problem.random(seed % 2 == 0 ? Kind.SPARSE : Kind.GAUSSIAN, 5, d, true, seed);
    double a = 0.7;
    for (Layout layout : Layout.values()) {
      ExampleBlock block = problem.block(layout);
      for (int i = 0; i < problem.rows(); i++) {
        double[] x = problem.x()[i];
        CompensatedVector sums = new CompensatedVector(d + 3);
        block.addScaledRow(i, a, sums, 2);
        sums.endRow(block.isDense());
        double[] absolute = new double[d + 3];
        block.addScaledAbsoluteRow(i, a, absolute, 2);
        double[] plain = new double[d + 4];
        block.addScaledRowPlainly(i, a, plain, 3);
        double[][] gram = new double[d + 2][d + 5];
        block.addScaledOuterProduct(i, a, gram, 2, 5);
        double[] copy = new double[d + 1];
        Arrays.fill(copy, 9);
        block.copyRow(i, copy);
        double square = 0;
        for (int j = 0; j < d; j++) {
          // One product of two doubles each: the same rounding however it is stored.
          assertThat(sums.toArray()[j + 2]).isEqualTo(a * x[j]);
          assertThat(absolute[j + 2]).isEqualTo(a * Math.abs(x[j]));
          assertThat(plain[j + 3]).isEqualTo(a * x[j]);
          for (int k = 0; k < d; k++) {
            assertThat(gram[2 + j][5 + k]).isEqualTo(k <= j ? a * x[j] * x[k] : 0);
          }
          assertThat(gram[2 + j]).startsWith(0, 0, 0, 0, 0);
          assertThat(copy[j]).isEqualTo(x[j]);
          square += x[j] * x[j];
        }
        assertThat(sums.depth()).isEqualTo(1);
        assertThat(block.squaredNorm(i, new boolean[d + 1])).isEqualTo(square); // in the same order
        boolean[] all = new boolean[d];
        Arrays.fill(all, true);
        assertThat(block.squaredNorm(i, all)).isZero();
        // nothing before the offset, nothing behind the row
        for (double[] padded : new double[][] {sums.toArray(), absolute}) {
          assertThat(padded[0]).isZero();
          assertThat(padded[1]).isZero();
          assertThat(padded[d + 2]).isZero();
        }
        assertThat(Arrays.copyOf(plain, 3)).containsOnly(0);
        assertThat(gram[0]).containsOnly(0);
        assertThat(gram[1]).containsOnly(0);
        assertThat(copy[d]).isEqualTo(9);
      }
    }
  }

  @Test
  void build_moreThanHalfNonzero_isDense() {
    BlockBuilder builder = new BlockBuilder(4, 10, 100);
    for (int j = 0; j < 4; j++) {
      builder.add(j, j < 3 ? 0.1 : 0);
    }
    builder.endRow(1, 2);
    assertThat(builder.build()).isInstanceOf(DenseBlock.class);
  }

  @Test
  void build_halfNonzero_isSparse() {
    BlockBuilder builder = new BlockBuilder(4, 10, 100);
    builder.add(1, 0.1);
    builder.add(2, -0.1);
    builder.endRow(1, 2);
    assertThat(builder.build()).isInstanceOf(SparseBlock.class);
  }

  @Property(tries = 40, seed = "9")
  void build_anyRows_roundTrips(
      @ForAll @IntRange(max = 150) int n,
      @ForAll @IntRange(min = 1, max = 40) int d,
      @ForAll boolean sparse) {
    Problem problem = Problem.random(sparse ? Kind.SPARSE : Kind.GAUSSIAN, n, d, false, n + d);
    BlockBuilder builder = BlockBuilder.of(d);
    assertThat(builder.isEmpty()).isTrue();
    for (int repetition = 0; repetition < 2; repetition++) { // the builder can be used again
      for (int i = 0; i < n; i++) {
        for (int j = 0; j < d; j++) {
          builder.add(j, problem.x()[i][j]);
        }
        builder.endRow(problem.y()[i], problem.w()[i]);
      }
      ExampleBlock block = Serialized.copy(builder.build());
      assertThat(builder.isEmpty()).isTrue();
      assertThat(block.rows()).isEqualTo(n);
      assertThat(block.features()).isEqualTo(d);
      for (int i = 0; i < n; i++) {
        assertThat(block.label(i)).isEqualTo(problem.y()[i]);
        assertThat(block.weight(i)).isEqualTo(problem.w()[i]);
        double[] row = new double[d];
        List<double[]> entries = entries(block, i);
        entries.forEach(e -> row[(int) e[0]] = e[1]);
        assertThat(row).isEqualTo(problem.x()[i]);
        assertThat(block.entries(i)).isGreaterThanOrEqualTo(entries.size());
      }
    }
  }

  /** Everything that a block computes of its rows. */
  private static double[] results(ExampleBlock block, long seed) {
    int d = block.features();
    double[] v = vector(d + 2, seed);
    SplittableRandom random = new SplittableRandom(seed);
    boolean[] fixed = new boolean[d];
    for (int j = 0; j < d; j++) {
      fixed[j] = random.nextBoolean();
    }
    CompensatedVector sums = new CompensatedVector(d + 2);
    double[] absolute = new double[d + 2];
    double[] plain = new double[d + 2];
    double[][] gram = new double[d + 1][d + 2];
    List<Double> all = new ArrayList<>();
    double[] copy = new double[d];
    for (int i = 0; i < block.rows(); i++) {
      all.add(block.dot(i, v, 2));
      all.add(block.absoluteDot(i, v, 1));
      all.add(block.squaredNorm(i, fixed));
      all.add((double) block.entries(i));
      block.addScaledRow(i, v[i % d], sums, 1);
      sums.endRow(block.isDense());
      block.addScaledAbsoluteRow(i, Math.abs(v[i % d]), absolute, 2);
      block.addScaledRowPlainly(i, v[i % d], plain, 1);
      block.addScaledOuterProduct(i, v[i % d], gram, 1, 2);
      block.copyRow(i, copy);
      Arrays.stream(copy).forEach(all::add);
      for (double[] entry : entries(block, i)) {
        all.add(entry[0]);
        all.add(entry[1]);
      }
    }
    for (double[] row : gram) {
      Arrays.stream(row).forEach(all::add);
    }
    for (double[] vector : new double[][] {sums.toArray(), absolute, plain}) {
      Arrays.stream(vector).forEach(all::add);
    }
    return all.stream().mapToDouble(Double::doubleValue).toArray();
  }

  @Property(tries = 40, seed = "11")
  void narrow_everyOperation_hasTheBitsOfDoubles(
      @ForAll @IntRange(max = 70) int n,
      @ForAll @IntRange(min = 1, max = 20) int d,
      @ForAll @IntRange(max = 1000) int seed) {
    SplittableRandom random = new SplittableRandom(seed);
    Narrow.Width width = Narrow.Width.values()[seed % 3];
    double[] values = new double[n * d];
    for (int k = 0; k < values.length; k++) {
      values[k] =
          switch (width) {
            case BYTE -> random.nextInt(-128, 128);
            case SHORT -> random.nextInt(-32768, 32768);
            default -> (float) Problem.gaussian(random);
          };
    }
    double[] y = vector(n, seed + 1);
    double[] w = vector(n, seed + 2);
    ExampleBlock wide = new DenseBlock(d, values, y, w);
    ExampleBlock narrow = Serialized.copy(new NarrowDenseBlock(d, width, values, y, w));
    assertThat(narrow.checksum()).isEqualTo(wide.checksum());
    assertThat(narrow.isDense()).isTrue();
    assertThat(narrow.bytes()).isEqualTo(new int[] {1, 2, 4}[seed % 3] * n * d + 16L * n);
    assertThat(results(narrow, seed)).isEqualTo(results(wide, seed));
    int first = 0;
    for (ExampleBlock part : narrow.wide()) {
      assertThat(part.checksum()).isEqualTo(wide.checksum());
      for (int i = 0; i < part.rows(); i++) {
        assertThat(part.label(i)).isEqualTo(y[first + i]);
        assertThat(part.weight(i)).isEqualTo(w[first + i]);
        double[] row = new double[d];
        part.copyRow(i, row);
        assertThat(row).isEqualTo(Arrays.copyOfRange(values, (first + i) * d, (first + i + 1) * d));
      }
      first += part.rows();
    }
    assertThat(first).isEqualTo(n);
    assertThat(wide.wide()).containsExactly(wide);
  }

  @ParameterizedTest
  @CsvSource({
    "1, 70000, binary",
    "1, 65536, 'binary, 16-bit columns'",
    "-7, 70000, sparse byte",
    "-7, 65536, 'sparse byte, 16-bit columns'",
    "300, 65537, sparse short",
    "300, 40000, 'sparse short, 16-bit columns'",
    "0.5, 70000, sparse float",
    "0.5, 9, 'sparse float, 16-bit columns'",
    "0.1, 70000, sparse",
    "0.1, 9, sparse"
  })
  void build_sparseRows_haveTheBitsOfDoublesInWhateverStorage(double value, int d, String storage) {
    SplittableRandom random = new SplittableRandom(d);
    int n = 70;
    int[] offsets = new int[n + 1];
    int[] columns = new int[n * 3];
    double[] values = new double[n * 3];
    double[] y = vector(n, 1);
    double[] w = vector(n, 2);
    BlockBuilder builder = BlockBuilder.of(d);
    int k = 0;
    for (int i = 0; i < n; i++) {
      for (int part = 0; part < 3; part++) {
        if (random.nextInt(4) > 0) { // the last column included
          int column = d - 1 - (2 - part) * (d / 3) - (i == 7 ? 0 : random.nextInt(d / 3));
          columns[k] = column;
          values[k] = random.nextBoolean() ? value : 1;
          builder.add(column, values[k++]);
        }
      }
      builder.endRow(y[i], w[i]);
      offsets[i + 1] = k;
    }
    ExampleBlock built = Serialized.copy(builder.build());
    ExampleBlock wide =
        new SparseBlock(d, offsets, Arrays.copyOf(columns, k), Arrays.copyOf(values, k), y, w);
    assertThat(built.storage()).isEqualTo(storage);
    assertThat(built.checksum()).isEqualTo(wide.checksum());
    double[] v = vector(d, 3);
    double[] row = new double[d];
    int first = 0;
    for (ExampleBlock part : built.wide()) {
      for (int i = 0; i < part.rows(); i++) {
        assertThat(entries(part, i))
            .usingElementComparator(Arrays::compare)
            .containsExactlyElementsOf(entries(wide, first + i));
        assertThat(entries(built, first + i))
            .usingElementComparator(Arrays::compare)
            .containsExactlyElementsOf(entries(wide, first + i));
        assertThat(part.dot(i, v, 0)).isEqualTo(wide.dot(first + i, v, 0));
        assertThat(part.label(i)).isEqualTo(y[first + i]);
        built.copyRow(first + i, row);
        assertThat(Arrays.stream(row).filter(x -> x != 0).count())
            .isEqualTo(wide.entries(first + i));
      }
      first += part.rows();
    }
    assertThat(first).isEqualTo(n);
  }

  @ParameterizedTest
  @CsvSource({
    "127, dense byte",
    "-128, dense byte",
    "128, dense short",
    "-129, dense short",
    "-32768, dense short",
    "32767, dense short",
    "32768, dense float",
    "0.5, dense float",
    "16777216, dense float",
    "16777217, dense",
    "0.1, dense",
    "3e38, dense",
    "1.401298464324817E-45, dense float",
    "1e-46, dense",
    "1e39, dense",
    "Infinity, dense float",
  })
  void build_oneValue_decidesWhatItsBlockKeeps(double value, String storage) {
    BlockBuilder builder = BlockBuilder.of(3);
    builder.add(0, value);
    builder.add(1, 1);
    builder.endRow(1, 2);
    ExampleBlock block = builder.build();
    assertThat(block.storage()).isEqualTo(storage);
    double[] row = new double[3];
    block.copyRow(0, row);
    assertThat(row).containsExactly(value, 1, 0);
    builder.add(0, 1);
    builder.add(1, 1);
    builder.endRow(1, 2);
    assertThat(builder.build().storage()).isEqualTo("dense byte"); // each block by itself
  }

  @Test
  void holds_notANumberOrMinusZero_onlyWithTheirBits() {
    // a float has fewer payloads of NaN; whole numbers have no sign of zero
    double payload = Double.longBitsToDouble(0x7ff8000000000001L);
    assertThat(Narrow.Width.BYTE.including(payload)).isEqualTo(Narrow.Width.DOUBLE);
    assertThat(Narrow.Width.BYTE.including(-0.0)).isEqualTo(Narrow.Width.FLOAT);
    assertThat(Narrow.Width.BYTE.including(0.0)).isEqualTo(Narrow.Width.BYTE);
  }

  /** One-hot rows and flags, some rows empty, in both storages. */
  @Property(tries = 40, seed = "10")
  void binary_everyOperation_hasTheBitsOfStoredValues(
      @ForAll @IntRange(max = 90) int n,
      @ForAll @IntRange(min = 1, max = 40) int d,
      @ForAll @IntRange(max = 1000) int seed) {
    SplittableRandom random = new SplittableRandom(seed);
    BlockBuilder builder = BlockBuilder.of(d);
    int[] offsets = new int[n + 1];
    int[] columns = new int[n * d];
    double[] y = new double[n];
    double[] w = new double[n];
    int k = 0;
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < d; j++) {
        if (random.nextInt(6) == 0 && 2 * (k + 1) <= d * (i + 1)) {
          builder.add(j, 1);
          columns[k++] = j;
        }
      }
      offsets[i + 1] = k;
      y[i] = random.nextInt(2);
      w[i] = random.nextDouble();
      builder.endRow(y[i], w[i]);
    }
    double[] ones = new double[k];
    Arrays.fill(ones, 1);
    ExampleBlock sparse =
        new SparseBlock(d, offsets.clone(), Arrays.copyOf(columns, k), ones, y, w);
    ExampleBlock binary =
        Serialized.copy(
            new BinaryBlock(d, offsets.clone(), Arrays.copyOf(columns, k), y.clone(), w.clone()));
    ExampleBlock narrow = Serialized.copy(builder.build());
    assertThat(sparse.storage()).isEqualTo("sparse");
    assertThat(binary.storage()).isEqualTo("binary");
    assertThat(narrow.storage()).isEqualTo("binary, 16-bit columns");
    assertThat(sparse.bytes() - binary.bytes()).isEqualTo(8L * k);
    assertThat(binary.bytes() - narrow.bytes()).isEqualTo(2L * k);
    for (ExampleBlock block : List.of(binary, narrow)) {
      assertThat(block.checksum()).isEqualTo(sparse.checksum());
      assertThat(block.isDense()).isFalse();
      assertThat(results(block, seed)).isEqualTo(results(sparse, seed));
    }
  }

  @Test
  void build_oneValueThatIsNotOne_storesValuesInThatBlockOnly() {
    BlockBuilder builder = new BlockBuilder(4, 10, 100);
    builder.add(1, 1);
    builder.endRow(1, 2);
    builder.add(2, Math.nextUp(1.0));
    builder.endRow(1, 2);
    assertThat(builder.build().storage()).isEqualTo("sparse");
    builder.add(3, 1);
    builder.endRow(1, 2);
    assertThat(builder.build().storage()).isEqualTo("binary, 16-bit columns");
    builder.add(0, 1);
    builder.add(1, 1);
    builder.add(2, 1);
    builder.endRow(1, 2);
    assertThat(builder.build().storage()).isEqualTo("dense byte");
  }

  @Test
  void isFull_atEitherLimit_isTrue() {
    BlockBuilder byRows = new BlockBuilder(3, 2, 100);
    byRows.endRow(0, 1);
    assertThat(byRows.isFull()).isFalse();
    byRows.endRow(0, 1);
    assertThat(byRows.isFull()).isTrue();
    BlockBuilder byEntries = new BlockBuilder(3, 100, 2);
    byEntries.add(0, 1);
    byEntries.add(1, 1);
    byEntries.endRow(0, 1);
    assertThat(byEntries.isFull()).isTrue();
  }

  @Test
  void emptyRows_addNothingButTheirCount() {
    BlockBuilder builder = BlockBuilder.of(3);
    builder.endRow(1, 2);
    builder.add(1, 4);
    builder.endRow(0, 1);
    builder.endRow(1, 3);
    ExampleBlock block = builder.build();
    assertThat(block.rows()).isEqualTo(3);
    assertThat(block.dot(0, new double[] {1, 1, 1}, 0)).isZero();
    assertThat(block.dot(1, new double[] {1, 1, 1}, 0)).isEqualTo(4);
    assertThat(block.entries(2)).isZero();
  }

  @Test
  void add_notANumber_isKept() {
    BlockBuilder builder = BlockBuilder.of(2);
    builder.add(0, Double.NaN);
    builder.endRow(0, 1);
    ExampleBlock block = builder.build();
    assertThat(entries(block, 0)).hasSize(1);
  }

  @Test
  void constructors_inconsistentArrays_areRefused() {
    double[] one = {1};
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new DenseBlock(2, new double[3], one, one));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new DenseBlock(1, one, one, new double[2]));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new SparseBlock(2, new int[] {0, 2}, new int[1], one, one, one));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new SparseBlock(2, new int[] {0}, new int[0], new double[0], one, one));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new BinaryBlock(2, new int[] {0, 2}, new int[1], one, one));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new BinaryBlock(2, new int[] {0}, new int[0], one, one));
  }

  @Test
  void bytes_countTheArrays() {
    double[] two = {1, 0};
    assertThat(new DenseBlock(3, new double[6], two, two).bytes()).isEqualTo(8 * 6 + 8 * 2 * 2);
    assertThat(new SparseBlock(3, new int[] {0, 1, 1}, new int[1], new double[1], two, two).bytes())
        .isEqualTo(12 + 4 * 3 + 8 * 2 * 2);
  }
}
