package dev.lethe.core.aggregate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import dev.lethe.core.linalg.Cholesky;
import dev.lethe.core.linalg.Rounding;
import dev.lethe.core.linalg.SymmetricMatrix;
import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.loss.LogisticLoss;
import dev.lethe.core.loss.MultinomialLogisticLoss;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.ParameterLayout;
import dev.lethe.core.testing.Exact;
import dev.lethe.core.testing.LossCase;
import dev.lethe.core.testing.LossProblem;
import dev.lethe.core.testing.Problem;
import dev.lethe.core.testing.Problem.Kind;
import dev.lethe.core.testing.Problem.Layout;
import dev.lethe.core.testing.Serialized;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The sums of every loss, of one and several margins and of scalars, against exact ones. */
class LossSumsTest {
  private static double[] direction(int size, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    double[] v = new double[size];
    Arrays.setAll(v, j -> Problem.gaussian(random));
    return v;
  }

  private static <A extends Aggregator<A>> A sum(A sums, List<ExampleBlock> blocks) {
    blocks.forEach(sums::add);
    return sums.sealed();
  }

  private static LossProblem problem(LossCase loss, Kind kind, int seed) {
    return LossProblem.random(
        loss, kind, 25 + 20 * seed, 1 + 2 * seed, seed % 2 == 0, 300 + seed + kind.ordinal());
  }

  /** Rows that cancel, of huge ranges and saturated: rounding of margins, derivatives and sums. */
  @ParameterizedTest
  @EnumSource
  void gradientError_everyKindOfRows_boundsTheTrueError(LossCase loss) {
    double closest = 0;
    for (Kind kind : Kind.values()) {
      for (int seed = 0; seed < 3; seed++) {
        LossProblem problem = problem(loss, kind, seed);
        BigDecimal[] exact = problem.exactGradient();
        for (Layout layout : new Layout[] {Layout.DENSE, Layout.SPARSE, Layout.ALTERNATING}) {
          MeasurementAggregator sums =
              sum(new MeasurementAggregator(problem.point()), problem.blocks(layout, 20));
          double[] g = sums.gradient();
          double[] bound = sums.gradientError();
          for (int j = 0; j < problem.size(); j++) {
            BigDecimal error = Exact.error(g[j], exact[j]);
            assertThat(error)
                .as("%s, seed %s, %s, coordinate %s", kind, seed, layout, j)
                .isLessThanOrEqualTo(Exact.of(bound[j]));
            if (kind == Kind.CANCELLING) {
              closest = Math.max(closest, error.doubleValue() / bound[j]);
            }
          }
        }
      }
    }
    // worst case against errors that partly cancel, but no more than that
    assertThat(closest).isGreaterThan(1e-5);
  }

  @ParameterizedTest
  @EnumSource
  void value_everyKindOfRows_isTheExactSum(LossCase loss) {
    for (Kind kind : new Kind[] {Kind.GAUSSIAN, Kind.SPARSE, Kind.RANGES}) {
      LossProblem problem = problem(loss, kind, 1);
      double exact = problem.exactValue().doubleValue();
      MeasurementAggregator sums =
          sum(new MeasurementAggregator(problem.point()), problem.blocks(Layout.BUILT, 20));
      GradientAggregator plain =
          sum(new GradientAggregator(problem.point()), problem.blocks(Layout.BUILT, 20));
      assertThat(plain.value()).isEqualTo(sums.value());
      assertThat(plain.gradient()).isEqualTo(sums.gradient());
      // values of both signs may cancel, by no more than a factor of some hundred here
      assertThat(sums.value()).isCloseTo(exact, within(1e-11 * (1 + Math.abs(exact))));
    }
  }

  // plain sums of at most 90 rows, curvatures known to some hundred units: 1e-11 of the absolute
  // terms, which Cauchy-Schwarz bounds
  @ParameterizedTest
  @EnumSource
  void sketch_severalDirections_isTheExactHessianTimesEach(LossCase loss) {
    for (Kind kind : new Kind[] {Kind.GAUSSIAN, Kind.SPARSE}) {
      LossProblem problem = problem(loss, kind, 1);
      int p = problem.size();
      double[][] directions = {direction(p, 1), direction(p, 2), new double[p]};
      double[][] products =
          sum(
                  new HessianSketchAggregator(problem.point(), directions),
                  problem.blocks(Layout.ALTERNATING, 20))
              .products();
      BigDecimal[][] exact = problem.exactHessian();
      for (int c = 0; c < directions.length; c++) {
        for (int j = 0; j < p; j++) {
          double expected = 0;
          double scale = 0;
          for (int k = 0; k < p; k++) {
            expected += exact[j][k].doubleValue() * directions[c][k];
            scale +=
                Math.sqrt(exact[j][j].doubleValue() * exact[k][k].doubleValue())
                    * Math.abs(directions[c][k]);
          }
          assertThat(products[c][j]).isCloseTo(expected, within(1e-11 * scale));
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void gramAndProduct_everyKindOfRows_areTheExactHessian(LossCase loss) {
    for (Kind kind : new Kind[] {Kind.GAUSSIAN, Kind.SPARSE, Kind.RANGES}) {
      for (int seed = 0; seed < 3; seed++) {
        LossProblem problem = problem(loss, kind, seed);
        BigDecimal[][] exact = problem.exactHessian();
        GramAggregator sums =
            sum(new GramAggregator(problem.point()), problem.blocks(Layout.ALTERNATING, 20));
        SymmetricMatrix matrix = sums.matrix();
        // a loss without self-concordance gives no bound here: gamma of 1024 rows and the units
        double kappa =
            loss.isSmooth() ? sums.relativeError() : Rounding.gamma(1100) + unitsOfMargins(problem);
        int p = problem.size();
        for (int j = 0; j < p; j++) {
          for (int k = 0; k < p; k++) {
            BigDecimal scale = exact[j][j].multiply(exact[k][k]).sqrt(MathContext.DECIMAL64);
            assertThat(Exact.error(matrix.get(j, k), exact[j][k]))
                .as("%s, seed %s, entry %s %s", kind, seed, j, k)
                .isLessThanOrEqualTo(scale.multiply(Exact.of(kappa)));
            assertThat(matrix.get(j, k)).isEqualTo(matrix.get(k, j));
          }
        }
        double[] v = direction(p, seed);
        double[] product =
            sum(new HessianVectorAggregator(problem.point(), v), problem.blocks(Layout.SPARSE, 20))
                .product();
        double[] expected = matrix.apply(v);
        for (int j = 0; j < p; j++) {
          double scale = Double.MIN_NORMAL;
          for (int k = 0; k < p; k++) {
            scale += Math.sqrt(matrix.get(j, j) * matrix.get(k, k)) * Math.abs(v[k]);
          }
          // P_k (u_k - u'P) cancels where P_k is near 1, the matrix does not: 1e-11 for that
          double cancels = loss.loss().isShiftInvariant() ? 1e-9 : 2 * kappa;
          assertThat(product[j]).isCloseTo(expected[j], within(cancels * scale));
        }
        if (kind == Kind.GAUSSIAN && loss.isSmooth()) {
          assertThat(sums.relativeError()).isLessThan(1e-11);
        }
      }
    }
  }

  /** Rounded margins move Huber's z = r / sigma by this much, relatively to r of order 1. */
  private static double unitsOfMargins(LossProblem problem) {
    double largest = 0;
    ExampleBlock block = problem.rows().block(Layout.DENSE);
    for (int i = 0; i < block.rows(); i++) {
      largest = Math.max(largest, block.absoluteDot(i, problem.theta(), 0));
    }
    return 1e-12 * (1 + largest);
  }

  @ParameterizedTest
  @EnumSource
  void curvature_everyKindOfRows_isTheExactMomentOfTheDiagonal(LossCase loss) {
    for (Kind kind : new Kind[] {Kind.GAUSSIAN, Kind.SPARSE, Kind.RANGES, Kind.CANCELLING}) {
      LossProblem problem = problem(loss, kind, 2);
      BigDecimal[] exact = problem.exactCurvatureMoment(false);
      BigDecimal[] absolute = problem.exactCurvatureMoment(true);
      MeasurementAggregator sums =
          sum(new MeasurementAggregator(problem.point()), problem.blocks(Layout.DENSE, 20));
      if (!loss.isSmooth()) {
        assertThat(sums.curvatureRelativeError()).isEqualTo(Double.POSITIVE_INFINITY);
        continue;
      }
      BigDecimal kappa = Exact.of(sums.curvatureRelativeError());
      for (int j = 0; j < problem.size(); j++) {
        assertThat(Exact.error(sums.curvatureMoment()[j], exact[j]))
            .isLessThanOrEqualTo(absolute[j].multiply(kappa));
      }
      ParameterLayout layout = problem.layout();
      assertThat(sums.curvature()).hasSize(layout.outputs());
      for (int k = 0; k < layout.margins(); k++) {
        assertThat(sums.curvature()[k]).isEqualTo(sums.curvatureMoment()[layout.intercept(k)]);
      }
      for (int k = 0; k < layout.scalars(); k++) {
        assertThat(sums.curvature()[layout.margins() + k])
            .isEqualTo(sums.curvatureMoment()[layout.scalar(k)]);
      }
    }
  }

  /** The Hessian's rows of the intercepts, within the stated error of the exact ones. */
  @ParameterizedTest
  @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "HUBER")
  void marginCurvature_everyKindOfRows_isTheExactHessianOfTheIntercepts(LossCase loss) {
    for (Kind kind : new Kind[] {Kind.GAUSSIAN, Kind.SPARSE, Kind.RANGES, Kind.CANCELLING}) {
      LossProblem problem = LossProblem.random(loss, kind, 70, 4, true, 800 + kind.ordinal());
      ParameterLayout layout = problem.layout();
      BigDecimal[][] exact = problem.exactHessian();
      for (Layout stored : new Layout[] {Layout.DENSE, Layout.SPARSE, Layout.ALTERNATING}) {
        MarginCurvatureAggregator sums =
            sum(new MarginCurvatureAggregator(problem.point()), problem.blocks(stored, 20));
        assertThat(sums.rows()).isEqualTo(70);
        if (!loss.isSmooth()) {
          assertThat(sums.relativeError()).isEqualTo(Double.POSITIVE_INFINITY);
          continue;
        }
        BigDecimal kappa = Exact.of(sums.relativeError());
        assertThat(sums.relativeError()).isLessThan(kind == Kind.CANCELLING ? 1 : 1e-11);
        int next = 0;
        for (int k = 0; k < layout.margins(); k++) {
          for (int l = 0; l <= k; l++) {
            for (int j = 0; j < layout.stride(); j++) {
              int a = layout.intercept(k);
              int b = layout.coefficient(l, j);
              BigDecimal scale = exact[a][a].multiply(exact[b][b]).sqrt(MathContext.DECIMAL64);
              assertThat(Exact.error(sums.sums()[next++], exact[a][b]))
                  .as("%s, %s, margins %s %s, column %s", kind, stored, k, l, j)
                  .isLessThanOrEqualTo(scale.multiply(kappa));
            }
          }
        }
        assertThat(next).isEqualTo(sums.sums().length);
      }
    }
  }

  @Test
  void marginCurvature_lossWithAScale_isRefused() {
    LossProblem problem = LossProblem.random(LossCase.HUBER, Kind.GAUSSIAN, 10, 2, true, 1);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new MarginCurvatureAggregator(problem.point()))
        .withMessageContaining("scalars");
  }

  /**
   * In the ball the exact Hessian is above the floor at every point, and near its middle not much
   * above. Coordinates that are held do not widen the ball, however large their columns.
   */
  @ParameterizedTest
  @EnumSource(
      names = {
        "SMOOTHED_HINGE",
        "SQUARED_HINGE",
        "SMOOTHED_HINGE_VS_REST",
        "SQUARED_HINGE_VS_REST",
        "HUBER"
      })
  void gram_inABall_isBelowTheExactHessianThroughoutIt(LossCase loss) {
    for (int seed = 0; seed < 6; seed++) {
      LossProblem drawn =
          LossProblem.random(loss, Kind.GAUSSIAN, 120, 3, seed % 2 == 0, 700 + seed);
      for (int i = 0; i < 120; i++) {
        drawn.rows().x()[i][1] *= 1e12;
      }
      double[] theta = drawn.theta().clone();
      boolean[] fixed = new boolean[theta.length];
      for (int j = 0; j < theta.length; j++) {
        fixed[j] = drawn.layout().feature(j) == 1;
        theta[j] = fixed[j] ? 0 : theta[j];
      }
      LossProblem problem = drawn.at(theta);
      SplittableRandom random = new SplittableRandom(seed);
      double[] radii = {0.1, 1e-2, 1e-4};
      for (double radius : radii) {
        Point point = problem.point().within(radius, fixed);
        GramAggregator gram = sum(new GramAggregator(point), problem.blocks(Layout.BUILT, 50));
        MeasurementAggregator sums =
            sum(new MeasurementAggregator(point), problem.blocks(Layout.BUILT, 50));
        double[] floor = gram.matrix().values();
        assertThat(gram.relativeError()).isLessThan(1e-11);
        assertThat(sums.curvatureRelativeError()).isLessThan(1e-11);
        for (int trial = 0; trial < 12; trial++) {
          double[] v = direction(theta.length, random.nextLong());
          for (int j = 0; j < v.length; j++) {
            v[j] = fixed[j] ? 0 : v[j];
          }
          double share = trial < 6 ? 1 : random.nextDouble();
          LossProblem moved = problem.at(Vectors.add(theta, share * radius / Vectors.norm(v), v));
          BigDecimal[][] exact = moved.exactHessian();
          assertAbove(exact, floor, fixed);
          BigDecimal[] moment = moved.exactCurvatureMoment(false);
          for (int k = 0; problem.rows().intercept() && k < problem.layout().margins(); k++) {
            assertThat(sums.curvature()[k])
                .isLessThanOrEqualTo(
                    moment[problem.layout().intercept(k)].doubleValue() * (1 + 1e-12));
          }
        }
        if (radius <= 1e-4) {
          BigDecimal[][] exact = problem.exactHessian();
          for (int j = 0; j < theta.length; j++) {
            double entry = fixed[j] ? 0 : exact[j][j].doubleValue();
            // a share of about 10 radius of the rows lies that near a jump
            assertThat(floor[j * theta.length + j]).isGreaterThanOrEqualTo(0.7 * entry);
          }
        }
      }
    }
  }

  /** Exact minus floor, scaled to a unit diagonal, is positive semidefinite but for rounding. */
  private static void assertAbove(BigDecimal[][] exact, double[] floor, boolean[] fixed) {
    int p = exact.length;
    double[] difference = new double[p * p];
    for (int j = 0; j < p; j++) {
      for (int k = 0; k < p; k++) {
        if (fixed[j] || fixed[k]) {
          difference[j * p + k] = j == k ? 1 : 0;
          continue;
        }
        double scale = root(exact[j][j]) * root(exact[k][k]);
        difference[j * p + k] =
            exact[j][k].subtract(Exact.of(floor[j * p + k])).doubleValue() / scale
                + (j == k ? 1e-11 : 0);
      }
    }
    assertThat(Cholesky.of(new SymmetricMatrix(p, difference))).isPresent();
  }

  /** The same bits, as every entry is added up by itself; zeros in the others' rows and columns. */
  @ParameterizedTest
  @EnumSource
  void gram_coordinatesHeld_isTheOthersPart(LossCase loss) {
    LossProblem problem = LossProblem.random(loss, Kind.SPARSE, 130, 5, true, 3);
    Point point = problem.point();
    boolean[] held = new boolean[point.size()];
    for (int j = 0; j < held.length; j++) {
      held[j] = problem.layout().feature(j) == 1 || problem.layout().feature(j) == 3;
    }
    for (Layout layout : Layout.values()) {
      List<ExampleBlock> blocks = problem.blocks(layout, 50);
      SymmetricMatrix whole = sum(new GramAggregator(point), blocks).matrix();
      GramAggregator sums = sum(new GramAggregator(point.holding(held)), blocks);
      SymmetricMatrix part = sums.matrix();
      int free = 0;
      for (int j = 0; j < held.length; j++) {
        free += held[j] ? 0 : 1;
        for (int k = 0; k < held.length; k++) {
          assertThat(part.get(j, k)).isEqualTo(held[j] || held[k] ? 0 : whole.get(j, k));
        }
      }
      assertThat(free).isBetween(1, held.length - 2);
      assertThat(sums.bytes()).isEqualTo(8L * free * (free + 1) + 128);
    }
  }

  /** Of a diagonal entry; 1 for a margin without any curvature. */
  private static double root(BigDecimal diagonal) {
    return diagonal.signum() == 0 ? 1 : Math.sqrt(diagonal.doubleValue());
  }

  @ParameterizedTest
  @EnumSource
  void sums_anySplitIntoBlocksAndParts_equalOneBlock(LossCase loss) {
    LossProblem problem = LossProblem.random(loss, Kind.SPARSE, 130, 4, true, 17);
    double[] v = direction(problem.size(), 3);
    Point point = problem.point();
    List<ExampleBlock> whole = problem.blocks(Layout.DENSE, 130);
    MeasurementAggregator one = sum(new MeasurementAggregator(point), whole);
    double[] gram = sum(new GramAggregator(point), whole).matrix().values();
    double[] product = sum(new HessianVectorAggregator(point, v), whole).product();
    boolean marginsOnly = loss.loss().scalars() == 0;
    double[] margins =
        marginsOnly ? sum(new MarginCurvatureAggregator(point), whole).sums() : new double[0];
    for (int rowsPerBlock : new int[] {1, 7, 64}) {
      MeasurementAggregator measured = new MeasurementAggregator(point);
      GramAggregator grams = new GramAggregator(point);
      HessianVectorAggregator products = new HessianVectorAggregator(point, v);
      for (ExampleBlock block : problem.blocks(Layout.ALTERNATING, rowsPerBlock)) {
        List<ExampleBlock> part = List.of(block);
        measured.merge(Serialized.copy(sum(new MeasurementAggregator(point), part)));
        grams.merge(Serialized.copy(sum(new GramAggregator(point), part)));
        products.merge(Serialized.copy(sum(new HessianVectorAggregator(point, v), part)));
      }
      assertThat(measured.value()).isCloseTo(one.value(), within(1e-11 * Math.abs(one.value())));
      for (int j = 0; j < problem.size(); j++) {
        assertThat(measured.gradient()[j])
            .isCloseTo(
                one.gradient()[j], within(measured.gradientError()[j] + one.gradientError()[j]));
        assertThat(products.product()[j]).isCloseTo(product[j], within(1e-12 * scale(product)));
      }
      if (marginsOnly) {
        MarginCurvatureAggregator parts = new MarginCurvatureAggregator(point);
        for (ExampleBlock block : problem.blocks(Layout.ALTERNATING, rowsPerBlock)) {
          parts.merge(Serialized.copy(sum(new MarginCurvatureAggregator(point), List.of(block))));
        }
        assertThat(parts.checksum())
            .isEqualTo(
                problem.blocks(Layout.ALTERNATING, rowsPerBlock).stream()
                    .mapToLong(ExampleBlock::checksum)
                    .sum());
        for (int j = 0; j < margins.length; j++) {
          assertThat(parts.sums()[j]).isCloseTo(margins[j], within(1e-12 * scale(margins)));
        }
      }
      double[] merged = grams.matrix().values();
      for (int j = 0; j < gram.length; j++) {
        assertThat(merged[j]).isCloseTo(gram[j], within(1e-12 * scale(gram)));
      }
      // the same parts in the same order: the same bits
      MeasurementAggregator again = new MeasurementAggregator(point);
      for (ExampleBlock block : problem.blocks(Layout.ALTERNATING, rowsPerBlock)) {
        again.merge(Serialized.copy(sum(new MeasurementAggregator(point), List.of(block))));
      }
      assertThat(again.gradient()).isEqualTo(measured.gradient());
      assertThat(again.gradientError()).isEqualTo(measured.gradientError());
    }
  }

  private static double scale(double[] values) {
    return Arrays.stream(values).map(Math::abs).max().orElseThrow() + Double.MIN_NORMAL;
  }

  /** Double against double, of the smooth losses: no exact arithmetic is involved. */
  @ParameterizedTest
  @EnumSource
  void gradientAndProduct_smoothLosses_agreeWithCentralDifferences(LossCase loss) {
    if (!loss.isSmooth()) {
      return;
    }
    LossProblem problem = LossProblem.random(loss, Kind.GAUSSIAN, 60, 4, true, 5);
    double[] small = problem.theta().clone();
    Arrays.setAll(small, j -> 0.3 * small[j]); // e^s of order 1
    LossProblem at = problem.at(small);
    double h = 1e-5;
    double[] v = direction(at.size(), 5);
    LossProblem plus = at.at(Vectors.add(small, h, v));
    LossProblem minus = at.at(Vectors.add(small, -h, v));
    GradientAggregator here = at.examples().gradient(at.point());
    GradientAggregator above = at.examples().gradient(plus.point());
    GradientAggregator below = at.examples().gradient(minus.point());
    double weight = Arrays.stream(problem.rows().w()).sum();
    double labels = Arrays.stream(problem.rows().y()).map(Math::abs).max().orElseThrow();
    double tolerance = 1e-7 * weight * (1 + labels) * (1 + labels);
    assertThat(Vectors.dot(here.gradient(), v))
        .isCloseTo((above.value() - below.value()) / (2 * h), within(tolerance));
    double[] product = at.examples().hessianVector(at.point(), v).product();
    for (int j = 0; j < at.size(); j++) {
      assertThat(product[j])
          .isCloseTo((above.gradient()[j] - below.gradient()[j]) / (2 * h), within(tolerance));
    }
  }

  @Test
  void point_outputsOtherThanTheLayouts_areRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                new Point(
                    new MultinomialLogisticLoss(3),
                    new ParameterLayout(2, true, 2, 0),
                    new double[6]))
        .withMessageContaining("multinomial-logistic");
    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                new Point(
                    LogisticLoss.INSTANCE, new ParameterLayout(2, true, 1, 1), new double[4]));
  }

  @Test
  void gramRelativeError_lossWithoutABall_isInfinite() {
    LossProblem problem = LossProblem.random(LossCase.HUBER, Kind.GAUSSIAN, 10, 2, true, 1);
    GramAggregator sums =
        sum(new GramAggregator(problem.point()), problem.blocks(Layout.DENSE, 10));
    assertThat(sums.relativeError()).isEqualTo(Double.POSITIVE_INFINITY);
    Point point = problem.point();
    assertThat(point.within(-1, new boolean[problem.size()])).isSameAs(point);
    assertThat(point.within(0.1, new boolean[problem.size()])).isNotSameAs(point);
    // a self-concordant loss needs no ball
    Point logistic = LossProblem.random(LossCase.LOGISTIC, Kind.GAUSSIAN, 3, 1, false, 1).point();
    assertThat(logistic.within(0.1, new boolean[1])).isSameAs(logistic);
  }
}
