package dev.lethe.core.neural;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ExposureTest {
  private static final SkewNormal LAW = new SkewNormal(40, 6, -1.5);

  @Test
  void exact_rankByHand_isLog2OfItsShare() {
    double[] r = {5, 3, 9, 1, 7, 2, 8, 4};
    assertThat(Exposure.exact(r, 3)).isEqualTo(new Exposure(3, 0, true, 3, 8)); // rank 1 of 8
    assertThat(Exposure.exact(r, 5).bits()).isCloseTo(2, within(1e-15)); // rank 2
    assertThat(Exposure.exact(r, 2).bits()).isZero(); // the last
    assertThat(Exposure.exact(r, 2).avoidance()).isEqualTo(3);
    assertThat(Exposure.exact(r, 6).avoidance()).isCloseTo(2, within(1e-15)); // the last but one
  }

  @Test
  void exact_ties_countForTheCanary() {
    double[] r = {2, 2, 2, 2, 1, 1, 3, 3};
    assertThat(Exposure.exact(r, 4).bits()).isEqualTo(3);
    assertThat(Exposure.exact(r, 0).bits())
        .isCloseTo(Math.log(8 / 3.0) / Math.log(2), within(1e-15));
    assertThat(Exposure.exact(new double[64], 17).bits()).isEqualTo(6);
  }

  @Test
  void exact_everyStringOfTheSpace_hasMedianOneBitAndMean144() {
    int size = 10_001;
    double[] r = SkewNormalTest.draw(LAW, size, new SplittableRandom(1));
    double[] bits =
        IntStream.range(0, size).mapToDouble(k -> Exposure.exact(r, k).bits()).toArray();
    Arrays.sort(bits);
    // ranks 1..n: the middle one is (n + 1) / 2, and log2 n - log2(n!) / n = log2 e - O(log n / n)
    assertThat(bits[size / 2]).isCloseTo(1, within(1.5 / size));
    assertThat(Arrays.stream(bits).average().orElseThrow())
        .isCloseTo(1 / Math.log(2), within(Math.log(size) / size));
  }

  /** Truth: as in SkewNormalTest. */
  @Test
  void approximate_knownLaw_isAccurateToFiftyBits() {
    SkewNormal law = new SkewNormal(0, 1, -3);
    Exposure exposure = Exposure.approximate(-8, law, 33, 1000);
    assertThat(exposure.bits())
        .isCloseTo(-Math.log(1.2441921148543568e-15) / Math.log(2), within(1e-12));
    assertThat(exposure.bits()).isGreaterThan(exposure.space());
    assertThat(exposure.exact()).isFalse();
    assertThat(exposure.sampleSize()).isEqualTo(1000);
    assertThat(Exposure.approximate(1000, law, 33, 1000).bits()).isEqualTo(0.0);
    assertThat(Exposure.approximate(8, new SkewNormal(0, 1, 3), 33, 1000).avoidance())
        .isCloseTo(exposure.bits(), within(1e-12));
    assertThat(exposure.avoidance()).isCloseTo(0, within(1e-12));
  }

  /**
   * All of R, 2^16 draws of a known law, against fits to 2000 of them each. The exposure of rank k
   * scatters about -log2 F(s) by 1 / (sqrt(k) ln 2), as F of the k-th smallest is Beta(k, |R| - k +
   * 1); a fit scatters as the 40 fits show, and may be biased by as much as a tenth of that.
   */
  @Test
  void approximate_spaceThatCanBeEnumerated_agreesWithTheExactRank() {
    SplittableRandom random = new SplittableRandom(2);
    double[] r = SkewNormalTest.draw(LAW, 1 << 16, random);
    double[] sorted = r.clone();
    Arrays.sort(sorted);
    SkewNormal[] fits = new SkewNormal[40];
    Arrays.setAll(fits, k -> SkewNormal.fit(sample(r, random)));
    for (int rank : new int[] {50, 500, 5000, 30_000}) {
      double s = sorted[rank - 1];
      int index = IntStream.range(0, r.length).filter(k -> r[k] == s).findFirst().orElseThrow();
      double exact = Exposure.exact(r, index).bits();
      assertThat(exact).isCloseTo(16 - Math.log(rank) / Math.log(2), within(1e-12));

      double ofRank = 1 / (Math.sqrt(rank) * Math.log(2));
      assertThat(Exposure.approximate(s, LAW, 16, 2000).bits())
          .isCloseTo(exact, within(5 * ofRank));

      double[] bits = new double[fits.length];
      Arrays.setAll(bits, k -> Exposure.approximate(s, fits[k], 16, 2000).bits());
      double mean = Arrays.stream(bits).average().orElseThrow();
      double deviation =
          Math.sqrt(Arrays.stream(bits).map(b -> (b - mean) * (b - mean)).sum() / 39);
      assertThat(mean).isCloseTo(exact, within(5 * ofRank + (5 / Math.sqrt(40) + 0.1) * deviation));
      assertThat(deviation).isLessThan(0.05 * exact + 0.05); // the tolerance is worth something
    }
  }

  private static double[] sample(double[] r, SplittableRandom random) {
    return random.ints(2000, 0, r.length).mapToDouble(i -> r[i]).toArray();
  }

  @Test
  void approximate_sample_isTheExposureByItsFit() {
    double[] sample = SkewNormalTest.draw(LAW, 500, new SplittableRandom(3));
    assertThat(Exposure.approximate(20, sample, 30))
        .isEqualTo(Exposure.approximate(20, SkewNormal.fit(sample), 30, 500));
  }

  @Test
  void anyMethod_badArgument_isRefusedByName() {
    double[] r = {1, 2, Double.NaN};
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Exposure.exact(r, 3))
        .withMessage("canary = 3: must lie in [0, 3), an index of logPerplexities");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Exposure.exact(r, 0))
        .withMessageStartingWith("logPerplexities has the value NaN");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Exposure.approximate(Double.NaN, LAW, 16, 100))
        .withMessageStartingWith("canary = NaN");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Exposure.approximate(1, LAW, -1, 100))
        .withMessageStartingWith("space = -1.0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Exposure.approximate(1, LAW, 16, 0))
        .withMessageStartingWith("sampleSize = 0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Exposure.approximate(1, new double[20], 16))
        .withMessageStartingWith("samples has standard deviation 0.0");
  }
}
