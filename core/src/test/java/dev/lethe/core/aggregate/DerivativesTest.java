package dev.lethe.core.aggregate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import dev.lethe.core.linalg.Rounding;
import dev.lethe.core.linalg.SymmetricMatrix;
import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.loss.LogisticLoss;
import dev.lethe.core.loss.SquaredLoss;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.testing.Exact;
import dev.lethe.core.testing.Problem;
import dev.lethe.core.testing.Problem.Kind;
import dev.lethe.core.testing.Problem.Layout;
import dev.lethe.core.testing.Serialized;
import java.math.BigDecimal;
import java.math.MathContext;
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
import org.junit.jupiter.params.provider.EnumSource;

/** The gradient, Hessian-vector and Gram sums against differences, each other and exact sums. */
class DerivativesTest {
  private static double[] direction(int size, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    double[] v = new double[size];
    Arrays.setAll(v, j -> Problem.gaussian(random));
    return v;
  }

  private static double[] gradient(Problem problem, double[] theta) {
    return problem.examples().gradient(problem.at(theta)).gradient();
  }

  private static GramAggregator gram(Problem problem, Layout layout, int rowsPerBlock) {
    GramAggregator sums = new GramAggregator(problem.point());
    problem.blocks(layout, rowsPerBlock).forEach(sums::add);
    return sums.sealed();
  }

  @ParameterizedTest
  @EnumSource(
      value = Kind.class,
      names = {"GAUSSIAN", "SPARSE"})
  void gradient_agreesWithCentralDifferencesOfTheValue(Kind kind) {
    Problem problem = Problem.random(kind, 120, 7, true, 2);
    double h = 1e-5;
    double[] g = gradient(problem, problem.theta());
    double weight = Arrays.stream(problem.w()).sum();
    for (int j = 0; j < problem.size(); j++) {
      double[] plus = problem.theta().clone();
      plus[j] += h;
      double[] minus = problem.theta().clone();
      minus[j] -= h;
      double slope =
          (problem.examples().gradient(problem.at(plus)).value()
                  - problem.examples().gradient(problem.at(minus)).value())
              / (plus[j] - minus[j]);
      // truncation h^2/6 |l'''| |x|^3 W with |x| < 5, rounding u W / h
      assertThat(g[j]).isCloseTo(slope, within(weight * 1e-9));
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Kind.class,
      names = {"GAUSSIAN", "SPARSE"})
  void hessianVector_agreesWithCentralDifferencesOfTheGradient(Kind kind) {
    Problem problem = Problem.random(kind, 120, 7, true, 3);
    double h = 1e-5;
    double weight = Arrays.stream(problem.w()).sum();
    for (int k = 0; k < 3; k++) {
      double[] v = direction(problem.size(), k);
      double[] product = problem.examples().hessianVector(problem.point(), v).product();
      double[] difference =
          Vectors.add(
              gradient(problem, Vectors.add(problem.theta(), h, v)),
              -1,
              gradient(problem, Vectors.add(problem.theta(), -h, v)));
      for (int j = 0; j < problem.size(); j++) {
        // truncation h^2/6 |x'v|^3 |x| W with |x'v| < 10: 1e-8 W
        assertThat(product[j]).isCloseTo(difference[j] / (2 * h), within(weight * 1e-7));
      }
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Kind.class,
      names = {"GAUSSIAN", "SPARSE", "RANGES"})
  void gram_timesVector_isTheHessianVectorProduct(Kind kind) {
    Problem problem = Problem.random(kind, 1500, 6, true, 4); // more rows than a panel
    SymmetricMatrix matrix = gram(problem, Layout.BUILT, 200).matrix();
    double[] v = direction(problem.size(), 1);
    double[] product = problem.examples().hessianVector(problem.point(), v).product();
    double[] expected = matrix.apply(v);
    for (int j = 0; j < problem.size(); j++) {
      double scale = 0;
      for (int k = 0; k < problem.size(); k++) {
        scale += Math.sqrt(matrix.get(j, j) * matrix.get(k, k)) * Math.abs(v[k]);
      }
      // both err by at most gamma_1100 of the absolute terms, which Cauchy-Schwarz bounds
      assertThat(product[j]).isCloseTo(expected[j], within(2 * Rounding.gamma(1100) * scale));
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Kind.class,
      mode = EnumSource.Mode.EXCLUDE,
      names = "SATURATED") // terms below 2^-1022 are outside the relative bound
  void gramRelativeError_anyProblem_boundsTheTrueError(Kind kind) {
    for (int seed = 0; seed < 5; seed++) {
      Problem problem =
          Problem.random(kind, 30 + 60 * seed, 1 + 2 * seed, seed % 2 == 0, 40 + seed);
      BigDecimal[][] exact = problem.exactHessian();
      for (Layout layout : new Layout[] {Layout.DENSE, Layout.SPARSE}) {
        GramAggregator sums = gram(problem, layout, 70);
        SymmetricMatrix matrix = sums.matrix();
        BigDecimal kappa = Exact.of(sums.relativeError());
        for (int j = 0; j < problem.size(); j++) {
          for (int k = 0; k < problem.size(); k++) {
            BigDecimal scale =
                exact[j][j].multiply(exact[k][k]).sqrt(MathContext.DECIMAL64).multiply(kappa);
            assertThat(Exact.error(matrix.get(j, k), exact[j][k])).isLessThanOrEqualTo(scale);
            assertThat(matrix.get(j, k)).isEqualTo(matrix.get(k, j));
          }
        }
        if (kind == Kind.GAUSSIAN) {
          assertThat(sums.relativeError()).isLessThan(1e-11); // useful, not only true
        }
      }
    }
  }

  /** Curvature 1 and whole numbers: no order of the sums rounds, so every bit is known. */
  @ParameterizedTest
  @CsvSource({
    "0, 70, 70",
    "1, 1, 1",
    "1, 1025, 64",
    "3, 0, 64",
    "3, 1023, 1023",
    "5, 1024, 100",
    "7, 1025, 1025",
    "8, 2500, 7",
    "100, 65, 64",
    "101, 1100, 600"
  })
  void gram_wholeNumbers_isExact(int d, int n, int rowsPerBlock) {
    SplittableRandom random = new SplittableRandom(d + 31L * n);
    for (boolean intercept : d == 0 ? new boolean[] {true} : new boolean[] {false, true}) {
      int p = intercept ? d + 1 : d;
      double[][] x = new double[n][d];
      double[] w = new double[n];
      double[][] exact = new double[p][p];
      for (int i = 0; i < n; i++) {
        Arrays.setAll(x[i], j -> random.nextInt(-8, 9));
        w[i] = random.nextInt(1, 5);
        double[] row = Arrays.copyOf(x[i], p);
        Arrays.fill(row, d, p, 1);
        for (int j = 0; j < p; j++) {
          for (int k = 0; k < p; k++) {
            exact[j][k] += w[i] * row[j] * row[k];
          }
        }
      }
      Problem problem = new Problem(x, new double[n], w, intercept, new double[p]);
      Point point = new Point(SquaredLoss.INSTANCE, problem.layout(), problem.theta());
      for (Layout layout : Layout.values()) {
        GramAggregator sums = new GramAggregator(point);
        problem.blocks(layout, rowsPerBlock).forEach(sums::add);
        double[] values = sums.sealed().matrix().values();
        for (int j = 0; j < p; j++) {
          assertThat(Arrays.copyOfRange(values, j * p, (j + 1) * p)).isEqualTo(exact[j]);
        }
      }
    }
  }

  @Test
  void gram_tooManyCoordinates_isRefused() {
    Point point =
        new Point(
            LogisticLoss.INSTANCE,
            GramAggregator.MAX_SIZE,
            true,
            new double[GramAggregator.MAX_SIZE + 1]);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new GramAggregator(point))
        .withMessageContaining("p <= 8192 coordinates, not 8193");
  }

  /** 8 p (p + 1) bytes and less than 1 KiB beside them, so 512 MiB at the largest p. */
  @Test
  void gram_serialized_fitsAQuarterOfTwoGigabytesAtTheLargestSize() {
    int p = 300;
    GramAggregator sums =
        new GramAggregator(new Point(LogisticLoss.INSTANCE, p, false, new double[p]));
    sums.add(Problem.random(Kind.GAUSSIAN, 5, p, false, 1).block(Layout.DENSE));

    assertThat(Serialized.bytes(sums.sealed()))
        .hasSizeBetween(8 * p * (p + 1), 8 * p * (p + 1) + 1024);
    long largest = GramAggregator.MAX_SIZE;
    assertThat(8 * largest * (largest + 1) + 1024).isLessThan(Integer.MAX_VALUE / 3);
  }

  @Test
  void hessianVector_directionOfAnotherLength_isRefused() {
    Problem problem = Problem.random(Kind.GAUSSIAN, 3, 2, true, 1);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new HessianVectorAggregator(problem.point(), new double[2]));
  }

  @Test
  void point_parametersOfAnotherLength_areRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Point(LogisticLoss.INSTANCE, 3, true, new double[3]));
  }

  @Property(tries = 60, seed = "31")
  void sums_anySplitIntoBlocksAndParts_equalOneBlock(
      @ForAll @IntRange(min = 1, max = 400) int n,
      @ForAll @IntRange(min = 1, max = 90) int rowsPerBlock,
      @ForAll @IntRange(min = 1, max = 7) int blocksPerPart,
      @ForAll Layout layout,
      @ForAll @IntRange(max = 4) int kind,
      @ForAll @IntRange(max = 10_000) int seed) {
    Problem problem = Problem.random(Kind.values()[kind], n, 5, true, seed);
    double[] v = direction(problem.size(), seed);
    Point point = problem.point();
    ExampleBlock whole = problem.block(Layout.DENSE);
    MeasurementAggregator one = new MeasurementAggregator(point);
    one.add(whole);
    HessianVectorAggregator oneProduct = new HessianVectorAggregator(point, v);
    oneProduct.add(whole);
    GramAggregator oneGram = new GramAggregator(point);
    oneGram.add(whole);

    MeasurementAggregator measured = new MeasurementAggregator(point);
    HessianVectorAggregator product = new HessianVectorAggregator(point, v);
    GramAggregator gram = new GramAggregator(point);
    for (List<ExampleBlock> part : parts(problem.blocks(layout, rowsPerBlock), blocksPerPart)) {
      MeasurementAggregator partMeasured = new MeasurementAggregator(point);
      HessianVectorAggregator partProduct = new HessianVectorAggregator(point, v);
      GramAggregator partGram = new GramAggregator(point);
      part.forEach(partMeasured::add);
      part.forEach(partProduct::add);
      part.forEach(partGram::add);
      measured.merge(Serialized.copy(partMeasured.sealed()));
      product.merge(Serialized.copy(partProduct.sealed()));
      gram.merge(Serialized.copy(partGram.sealed()));
    }
    assertThat(measured.rows()).isEqualTo(n);
    assertThat(gram.rows()).isEqualTo(n);

    double[] curvature = new double[n];
    double[] slope = new double[n];
    for (int i = 0; i < n; i++) {
      double s = whole.dot(i, point.theta(), 0) + point.theta()[5];
      curvature[i] = whole.weight(i) * LogisticLoss.INSTANCE.secondDerivative(s, whole.label(i));
      slope[i] = whole.absoluteDot(i, v, 0) + Math.abs(v[5]);
    }
    // Each is within its bound of the exact sum, so they are within twice that of each other.
    double kappa = gram.relativeError() + oneGram.relativeError();
    for (int j = 0; j < problem.size(); j++) {
      assertThat(measured.gradient()[j])
          .isCloseTo(
              one.gradient()[j], within(measured.gradientError()[j] + one.gradientError()[j]));
      double scale = 0;
      for (int i = 0; i < n; i++) {
        scale += curvature[i] * slope[i] * (j < 5 ? Math.abs(problem.x()[i][j]) : 1);
      }
      assertThat(product.product()[j])
          .isCloseTo(oneProduct.product()[j], within(kappa * scale + Double.MIN_NORMAL));
      for (int k = 0; k < problem.size(); k++) {
        double bound =
            kappa * Math.sqrt(oneGram.matrix().get(j, j)) * Math.sqrt(oneGram.matrix().get(k, k));
        assertThat(gram.matrix().get(j, k))
            .isCloseTo(oneGram.matrix().get(j, k), within(1.001 * bound + Double.MIN_NORMAL));
      }
    }
  }

  @Test
  void sums_sameBlocksTwice_haveTheSameBits() {
    Problem problem = Problem.random(Kind.RANGES, 333, 9, true, 8);
    double[] v = direction(problem.size(), 8);
    for (int k = 0; k < 2; k++) {
      assertThat(problem.examples().hessianVector(problem.point(), v).product())
          .isEqualTo(problem.examples().hessianVector(problem.point(), v).product());
      assertThat(problem.examples().gram(problem.point()).matrix().values())
          .isEqualTo(problem.examples().gram(problem.point()).matrix().values());
    }
  }

  private static List<List<ExampleBlock>> parts(List<ExampleBlock> blocks, int size) {
    List<List<ExampleBlock>> parts = new ArrayList<>();
    for (int from = 0; from < blocks.size(); from += size) {
      parts.add(blocks.subList(from, Math.min(blocks.size(), from + size)));
    }
    return parts;
  }
}
