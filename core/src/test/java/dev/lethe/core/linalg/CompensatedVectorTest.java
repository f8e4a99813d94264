package dev.lethe.core.linalg;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.lethe.core.model.DenseBlock;
import dev.lethe.core.testing.Exact;
import dev.lethe.core.testing.Problem;
import dev.lethe.core.testing.Serialized;
import java.math.BigDecimal;
import java.util.SplittableRandom;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;
import org.junit.jupiter.api.Test;

class CompensatedVectorTest {
  /** Terms of sizes 2^-range .. 2^range; with {@code cancel} almost every term is taken back. */
  private static double[] terms(int n, int range, boolean cancel, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    double[] x = new double[n];
    for (int i = 0; i < n; i++) {
      x[i] =
          cancel && i > n / 2
              ? -x[n - i] * (1 + Rounding.UNIT * random.nextInt(5))
              : Math.scalb(Problem.gaussian(random), random.nextInt(-range, range + 1));
    }
    return x;
  }

  private static BigDecimal sum(double[] terms, boolean absolute) {
    BigDecimal sum = BigDecimal.ZERO;
    for (double x : terms) {
      sum = sum.add(Exact.of(absolute ? Math.abs(x) : x));
    }
    return sum;
  }

  /** u |sum| + (D u)^2 / (1 - D u)^2 sum |terms|, plus gamma_64 sum |terms| for dense rows. */
  private static BigDecimal bound(double[] terms, long depth, boolean dense) {
    double du = depth * Rounding.UNIT;
    double relative = du * du / ((1 - du) * (1 - du));
    if (dense) {
      relative += Rounding.gamma(CompensatedVector.PANEL_ROWS);
    }
    return sum(terms, false)
        .abs()
        .multiply(Exact.of(Rounding.UNIT))
        .add(sum(terms, true).multiply(Exact.of(relative * (1 + 1e-12))));
  }

  @Property(tries = 150, seed = "11")
  void add_adversarialTerms_staysWithinTheStatedBound(
      @ForAll @IntRange(min = 1, max = 3000) int n,
      @ForAll @IntRange(max = 300) int range,
      @ForAll boolean cancel,
      @ForAll @LongRange(max = 1 << 30) long seed) {
    double[] terms = terms(n, range, cancel, seed);
    CompensatedVector v = new CompensatedVector(1);
    for (double x : terms) {
      v.add(0, x);
      v.endRow(false);
    }
    assertThat(v.depth()).isEqualTo(n);
    assertThat(Exact.error(v.toArray()[0], sum(terms, false)))
        .isLessThanOrEqualTo(bound(terms, v.depth(), false));
  }

  @Test
  void add_longCancellingSum_keepsWhatPlainSummationLoses() {
    // 1e5 terms 0.1 hidden under 1e16: plain summation returns 0 for them.
    CompensatedVector v = new CompensatedVector(1);
    v.add(0, 1e16);
    BigDecimal exact = Exact.of(1e16);
    for (int i = 0; i < 100_000; i++) {
      v.add(0, 0.1);
      exact = exact.add(Exact.of(0.1));
    }
    v.add(0, -1e16);
    exact = exact.subtract(Exact.of(1e16));
    // u |sum| + (D u)^2 2e16 = 1e-12 + 2.5e-6
    assertThat(Exact.error(v.toArray()[0], exact)).isLessThan(Exact.of(3e-6));
  }

  @Property(tries = 100, seed = "12")
  void merge_anySplitIntoParts_staysWithinTheStatedBound(
      @ForAll @IntRange(min = 1, max = 2000) int n,
      @ForAll @IntRange(min = 1, max = 60) int parts,
      @ForAll @IntRange(max = 200) int range,
      @ForAll boolean cancel,
      @ForAll @LongRange(max = 1 << 30) long seed) {
    double[] terms = terms(n, range, cancel, seed);
    CompensatedVector total = new CompensatedVector(1);
    for (int part = 0; part < parts; part++) {
      CompensatedVector v = new CompensatedVector(1);
      for (int i = (int) ((long) n * part / parts); i < (long) n * (part + 1) / parts; i++) {
        v.add(0, terms[i]);
        v.endRow(false);
      }
      total.merge(Serialized.copy(v.sealed()));
    }
    assertThat(Exact.error(total.toArray()[0], sum(terms, false)))
        .isLessThanOrEqualTo(bound(terms, total.depth(), false));
  }

  @Test
  void merge_countsTheTwoAdditionsThatItsErrorsGoThrough() {
    // sum: one TwoSum; error: the TwoSum's own and the other vector's. D bounds both chains.
    CompensatedVector a = new CompensatedVector(1);
    CompensatedVector b = new CompensatedVector(1);
    for (int i = 0; i < 3; i++) {
      a.endRow(false);
    }
    b.endRow(false);
    b.merge(a);
    assertThat(b.depth()).isEqualTo(5);
  }

  @Test
  void merge_intoEmpty_isBitwiseTheSame() {
    double[] terms = terms(500, 40, true, 3);
    CompensatedVector v = new CompensatedVector(1);
    for (double x : terms) {
      v.add(0, x);
    }
    CompensatedVector total = new CompensatedVector(1);
    total.merge(v);
    assertThat(total.sum(0)).isEqualTo(v.sum(0));
    assertThat(total.error(0)).isEqualTo(v.error(0));
  }

  @Test
  void merge_differentSizes_isRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new CompensatedVector(2).merge(new CompensatedVector(3)));
  }

  @Test
  void denseRows_moreThanOnePanel_stayWithinTheStatedBound() {
    int d = 5;
    for (int n : new int[] {1, 63, 64, 65, 500}) {
      double[] flat = terms(n * d, 60, true, n);
      DenseBlock block = new DenseBlock(d, flat, new double[n], new double[n]);
      CompensatedVector v = new CompensatedVector(d);
      for (int i = 0; i < n; i++) {
        block.addScaledRow(i, 1, v, 0);
        v.endRow(true);
      }
      double[] result = v.toArray();
      for (int j = 0; j < d; j++) {
        double[] column = new double[n];
        for (int i = 0; i < n; i++) {
          column[i] = flat[i * d + j];
        }
        assertThat(Exact.error(result[j], sum(column, false)))
            .isLessThanOrEqualTo(bound(column, v.depth(), true));
      }
    }
  }

  @Test
  void sealed_thenSerialized_losesNothingOfThePanel() {
    int d = 3;
    int n = 70; // one full panel and six rows
    double[] flat = terms(n * d, 30, false, 5);
    DenseBlock block = new DenseBlock(d, flat, new double[n], new double[n]);
    CompensatedVector kept = new CompensatedVector(d);
    CompensatedVector sent = new CompensatedVector(d);
    for (int i = 0; i < n; i++) {
      block.addScaledRow(i, 0.3, kept, 0);
      kept.endRow(true);
      block.addScaledRow(i, 0.3, sent, 0);
      sent.endRow(true);
    }
    CompensatedVector arrived = Serialized.copy(sent.sealed());
    assertThat(arrived.toArray()).isEqualTo(kept.toArray());
    assertThat(arrived.depth()).isEqualTo(n);
    // and it can still be added to
    block.addScaledRow(0, 1, arrived, 0);
    arrived.endRow(true);
    block.addScaledRow(0, 1, kept, 0);
    kept.endRow(true);
    assertThat(arrived.toArray()).isEqualTo(kept.toArray());
  }

  /** Sums at some coordinates of many, with errors that a plain sum would lose. */
  private static CompensatedVector scattered(int size, double share, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    CompensatedVector v = new CompensatedVector(size);
    for (int row = 0; row < 5; row++) {
      for (int j = 0; j < size; j++) {
        if (random.nextDouble() < share) {
          v.add(j, Math.scalb(Problem.gaussian(random), random.nextInt(-40, 40)));
        }
      }
      v.endRow(false);
    }
    return v;
  }

  private static void assertSameBits(CompensatedVector actual, CompensatedVector expected) {
    assertThat(actual.size()).isEqualTo(expected.size());
    assertThat(actual.depth()).isEqualTo(expected.depth());
    for (int j = 0; j < expected.size(); j++) {
      assertThat(actual.sum(j)).isEqualTo(expected.sum(j));
      assertThat(actual.error(j)).isEqualTo(expected.error(j));
    }
  }

  @Test
  void sealed_fewCoordinatesOfMany_sendsOnlyThose() {
    int size = 100_000;
    byte[] sent = Serialized.bytes(scattered(size, 0.001, 1).sealed());
    // 5 rows touch 500 coordinates at most by chance plus 6 deviations, 20 bytes each; 16 a
    // coordinate otherwise
    assertThat(sent.length).isLessThan(20 * (500 + 6 * 23) + 1000);
  }

  @Property(tries = 100, seed = "13")
  void merge_sealedOrNot_hasTheSameBits(
      @ForAll @IntRange(min = 1, max = 300) int size,
      @ForAll @IntRange(max = 40) int percent,
      @ForAll boolean secondIsDense,
      @ForAll @LongRange(max = 1 << 30) long seed) {
    CompensatedVector expected = scattered(size, percent / 100.0, seed);
    expected.merge(scattered(size, secondIsDense ? 1 : 0.02, seed + 1));
    CompensatedVector actual = Serialized.copy(scattered(size, percent / 100.0, seed).sealed());
    actual.merge(Serialized.copy(scattered(size, secondIsDense ? 1 : 0.02, seed + 1).sealed()));
    assertSameBits(actual, expected);
    assertSameBits(Serialized.copy(actual.sealed()), expected);
  }

  @Property(tries = 100, seed = "14")
  void place_slicesMergedRangeByRange_hasTheBitsOfTheWhole(
      @ForAll @IntRange(min = 1, max = 50) int size,
      @ForAll @IntRange(min = 1, max = 70) int parts,
      @ForAll @LongRange(max = 1 << 30) long seed) {
    CompensatedVector a = scattered(size, 0.3, seed);
    CompensatedVector b = scattered(size, 0.3, seed + 1);
    CompensatedVector joined = new CompensatedVector(size);
    for (int part = 0; part < parts; part++) {
      CompensatedVector slice = Serialized.copy(a.slice(part, parts).sealed());
      slice.merge(Serialized.copy(b.slice(part, parts).sealed()));
      joined.place(Serialized.copy(slice.sealed()), part, parts);
    }
    a.merge(b);
    assertSameBits(joined, a);
  }

  @Test
  void addProduct_keepsTheProductsErrors() {
    SplittableRandom random = new SplittableRandom(9);
    CompensatedVector v = new CompensatedVector(1);
    BigDecimal exact = BigDecimal.ZERO;
    BigDecimal absolute = BigDecimal.ZERO;
    int n = 2000;
    for (int i = 0; i < n; i++) {
      double w = 0.1 + random.nextDouble();
      double x = 1e8 + Problem.gaussian(random);
      double y = i % 2 == 0 ? x : -x - 1e-6;
      v.addProduct(0, w, x, y);
      v.endRow(false);
      BigDecimal term = Exact.of(w).multiply(Exact.of(x)).multiply(Exact.of(y));
      exact = exact.add(term);
      absolute = absolute.add(term.abs());
    }
    double du = v.depth() * Rounding.UNIT;
    BigDecimal computed = Exact.of(v.sum(0)).add(Exact.of(v.error(0)));
    assertThat(computed.subtract(exact).abs())
        .isLessThanOrEqualTo(absolute.multiply(Exact.of(4 * du * du)));
  }

  @Test
  void sameOrder_sameBits() {
    double[] first = run();
    assertThat(run()).isEqualTo(first);
  }

  private static double[] run() {
    CompensatedVector v = new CompensatedVector(1);
    for (double x : terms(1000, 100, true, 17)) {
      v.add(0, x);
    }
    return new double[] {v.sum(0), v.error(0)};
  }
}
