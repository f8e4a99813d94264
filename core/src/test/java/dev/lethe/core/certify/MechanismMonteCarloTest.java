package dev.lethe.core.certify;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.loss.LogisticLoss;
import dev.lethe.core.model.DenseBlock;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.ParameterLayout;
import dev.lethe.core.model.Statistics;
import dev.lethe.core.objective.LocalExamples;
import dev.lethe.core.objective.Objective;
import dev.lethe.core.objective.PenaltyRule;
import dev.lethe.core.solver.LinearSolver;
import dev.lethe.core.solver.NewtonSolver;
import dev.lethe.core.solver.NewtonStep;
import dev.lethe.core.unlearn.Unlearning;
import dev.lethe.core.unlearn.UnlearningResult;
import dev.lethe.core.unlearn.UnlearningResult.Outcome;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.apache.commons.rng.UniformRandomProvider;
import org.apache.commons.rng.simple.RandomSource;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The certificate is true of the product's own path: a model trained on the original data, {@link
 * Unlearning#refined} on the corrected data, {@link GaussianMechanism#calibrate} for p coordinates,
 * noise, grid; against a retraining from scratch by {@link NewtonSolver}, noise, grid.
 *
 * <p>Adversarial data: the original has one row more, and its weight is the largest that the
 * product still certifies with so many steps, so that the distance that is left is close to what is
 * proven. Un-noised results are deterministic: they differ by that weight, the order of the rows
 * and their blocks. The exact minimiser and true distances come from {@link DenseLogistic}, written
 * from the formulas alone. Each estimate exceeds a true claim with probability 1e-6; seeds are
 * fixed.
 */
class MechanismMonteCarloTest {
  private static final int RUNS = 15_000; // in each half
  private static final int RESULTS = 40;
  private static final double EPSILON = 0.5;
  private static final double DELTA = 0.02;
  private static final double LARGE_RHO = 0.05;

  /** What a retraining proves; every rho is at least 1e5 times it. */
  private static final double RETRAINED = 1e-9;

  private enum Data {
    ONE_COEFFICIENT(1, false, 5, false),
    TWO_COEFFICIENTS(2, false, 5, true),
    ONE_AND_INTERCEPT(1, true, 25, false),
    TWO_AND_INTERCEPT(2, true, 25, true),
    /** No penalty: the eigenvalue rule. */
    NO_PENALTY(1, true, 0, false);

    final int features;
    final boolean intercept;
    final double regParam;
    final boolean standardization;

    Data(int features, boolean intercept, double regParam, boolean standardization) {
      this.features = features;
      this.intercept = intercept;
      this.regParam = regParam;
      this.standardization = standardization;
    }

    int size() {
      return features + (intercept ? 1 : 0);
    }
  }

  private enum Solver {
    CHOLESKY(LinearSolver.CHOLESKY, 1),
    CG(LinearSolver.CG, 1000),
    ONE_CG_ITERATION(LinearSolver.CG, 1);

    final NewtonStep step;

    Solver(LinearSolver solver, int iterations) {
      step = new NewtonStep(solver, iterations, (k, r, t) -> {});
    }
  }

  /** How an unlearning ends: within rho, after at most so many steps. */
  private record Scenario(Data data, Solver solver, int maxSteps, double rho) {
    double sigma() {
      return GaussianMechanism.calibrate(EPSILON, DELTA, rho, data.size()).sigma();
    }

    /** Whether what is left is so close to what is proven that a fault must show. */
    boolean isTight() {
      return maxSteps == 0 || (solver == Solver.CHOLESKY && data.intercept && rho < LARGE_RHO);
    }
  }

  static Stream<Scenario> scenarios() {
    List<Scenario> all = new ArrayList<>();
    for (Data data : Data.values()) {
      for (double rho : new double[] {1e-4, 3e-3, LARGE_RHO}) {
        all.add(new Scenario(data, Solver.CHOLESKY, 0, rho));
        for (int maxSteps = 1; maxSteps <= 2; maxSteps++) {
          for (Solver solver : Solver.values()) {
            if (data.size() > 1 || solver == Solver.CHOLESKY) { // else all solvers are one
              all.add(new Scenario(data, solver, maxSteps, rho));
            }
          }
        }
      }
    }
    return all.stream();
  }

  static Stream<Scenario> tightScenarios() {
    return scenarios().filter(Scenario::isTight);
  }

  /** With the large rho no weight takes the old model 10 rho away. */
  static Stream<Scenario> tightScenariosOfSmallRho() {
    return tightScenarios().filter(scenario -> scenario.rho < LARGE_RHO);
  }

  @ParameterizedTest
  @MethodSource("scenarios")
  void claim_wholeMechanism_notExceeded(Scenario scenario) {
    HockeyStick delta = estimate(scenario, scenario.rho, scenario.sigma(), 31);

    assertThat(delta.lowerLimit()).isLessThanOrEqualTo(DELTA);
  }

  @ParameterizedTest
  @MethodSource("tightScenarios")
  void harness_halvedSigma_caught(Scenario scenario) {
    HockeyStick delta = estimate(scenario, scenario.rho, scenario.sigma() / 2, 33);

    assertThat(delta.lowerLimit()).isGreaterThan(DELTA);
  }

  /** The iteration stops where the bound is at most 10 rho. */
  @ParameterizedTest
  @MethodSource("tightScenariosOfSmallRho")
  void harness_distanceBoundWrongByTen_caught(Scenario scenario) {
    HockeyStick delta = estimate(scenario, 10 * scenario.rho, scenario.sigma(), 34);

    assertThat(delta.lowerLimit()).isGreaterThan(DELTA);
  }

  private static HockeyStick estimate(Scenario scenario, double target, double sigma, long seed) {
    Random random = new Random(seed);
    Data data = scenario.data;
    Rows corrected = Rows.of(data);
    Objective objective = objective(data, corrected);
    double[] retrained = train(objective);
    double[] minimiser = exactMinimiser(data, corrected);
    assertThat(Vectors.distance(retrained, minimiser)).isLessThanOrEqualTo(RETRAINED);
    double largest = largestWeight(scenario, corrected, target);
    List<double[]> unlearned = new ArrayList<>();
    double[] side = new double[data.size()];
    while (unlearned.size() < RESULTS) {
      double weight = largest * (1 - 0.05 * random.nextDouble());
      UnlearningResult result = unlearn(scenario, corrected.shuffled(random), weight, target);
      if (result.outcome() != Outcome.WITHIN_RHO) {
        continue; // is not certified
      }
      double[] theta = result.end().point();
      // 1e-12: what the solution of the formulas is off, at most
      assertThat(Vectors.distance(theta, minimiser))
          .isLessThanOrEqualTo(result.distance().orElseThrow() + 1e-12);
      unlearned.add(theta);
      Vectors.addInPlace(side, 1, Vectors.add(theta, -1, minimiser));
    }
    double norm = Vectors.norm(side);
    Arrays.setAll(side, j -> side[j] / norm);
    UniformRandomProvider noise = RandomSource.XO_RO_SHI_RO_128_PP.create(seed);
    return HockeyStick.estimate(
        outputs(unlearned, side, sigma, noise),
        outputs(List.of(retrained), side, sigma, noise),
        EPSILON);
  }

  /** Projected onto the direction in which the unlearned results lie. */
  private static double[] outputs(
      List<double[]> thetas, double[] side, double sigma, UniformRandomProvider noise) {
    PublicationGrid grid = PublicationGrid.of(sigma);
    double[] outputs = new double[2 * RUNS];
    for (int run = 0; run < outputs.length; run++) {
      double[] theta = thetas.get(run % thetas.size());
      outputs[run] =
          Vectors.dot(
              side,
              new GaussianNoise(sigma).publish(theta, new boolean[theta.length], grid, noise));
    }
    return outputs;
  }

  /** The largest weight of the removed row, to a relative 1e-6, that ends within the target. */
  private static double largestWeight(Scenario scenario, Rows corrected, double target) {
    double within = 0;
    double beyond = 1e-6;
    while (beyond < 1e6 && isWithin(scenario, corrected, beyond, target)) {
      within = beyond;
      beyond *= 4;
    }
    while (beyond - within > 1e-6 * beyond) {
      double middle = (within + beyond) / 2;
      if (isWithin(scenario, corrected, middle, target)) {
        within = middle;
      } else {
        beyond = middle;
      }
    }
    return within;
  }

  private static boolean isWithin(Scenario scenario, Rows corrected, double weight, double target) {
    return unlearn(scenario, corrected, weight, target).outcome() == Outcome.WITHIN_RHO;
  }

  /** Trains with the row to be removed, and unlearns it. */
  private static UnlearningResult unlearn(
      Scenario scenario, Rows corrected, double weight, double target) {
    double[] start = train(objective(scenario.data, corrected.withRemovedRow(weight)));
    return new Unlearning(objective(scenario.data, corrected), target, step -> {})
        .refined(start, scenario.solver.step, scenario.maxSteps);
  }

  /** From 0, by the product's solver. */
  private static double[] train(Objective objective) {
    NewtonSolver.Result<Objective.Measured> result =
        new NewtonSolver<Objective.Measured>(100, Solver.CHOLESKY.step, (k, measured) -> {})
            .minimize(
                objective,
                new double[objective.size()],
                measured ->
                    objective.prove(measured) instanceof DistanceBound.Proven proven
                        && proven.distance() <= RETRAINED);
    assertThat(result.converged()).isTrue();
    return result.evaluation().point();
  }

  private static Objective objective(Data data, Rows rows) {
    LocalExamples examples = new LocalExamples(data.features, rows.blocks());
    Statistics statistics = examples.statistics(LogisticLoss.INSTANCE).statistics();
    ParameterLayout layout = new ParameterLayout(data.features, data.intercept, 1, 0);
    return new Objective(
        examples,
        statistics,
        LogisticLoss.INSTANCE,
        layout,
        PenaltyRule.ofMean(data.regParam, data.standardization).on(statistics, layout),
        new double[data.size()],
        new boolean[data.size()],
        -1);
  }

  /** From the formulas: lambda_j = n regParam s_j^2, the intercept not penalised, unit weights. */
  private static double[] exactMinimiser(Data data, Rows rows) {
    int n = rows.y.length;
    double[][] x = new double[n][];
    for (int i = 0; i < n; i++) {
      x[i] = Arrays.copyOf(rows.x[i], data.size());
      if (data.intercept) {
        x[i][data.features] = 1;
      }
    }
    double[] lambda = new double[data.size()];
    for (int j = 0; j < data.features; j++) {
      int column = j;
      double mean = Arrays.stream(x).mapToDouble(row -> row[column]).average().orElseThrow();
      double squares = Arrays.stream(x).mapToDouble(row -> Math.pow(row[column] - mean, 2)).sum();
      lambda[j] = n * data.regParam * (data.standardization ? squares / (n - 1) : 1);
    }
    int intercept = data.intercept ? data.features : -1;
    return new DenseLogistic(x, rows.y, rows.w, lambda, intercept).solve(new double[data.size()]);
  }

  /** Some rows, in blocks of at most {@code rowsPerBlock}. */
  private record Rows(double[][] x, double[] y, double[] w, int rowsPerBlock) {

    /** Ten rows; twice as many of one label, so that third derivatives do not cancel. */
    static Rows of(Data data) {
      Random random = new Random(1);
      double[][] x = new double[10][data.features];
      double[] y = new double[10];
      double[] w = new double[10];
      for (int i = 0; i < 10; i++) {
        Arrays.setAll(x[i], j -> random.nextGaussian());
        y[i] = i % 3 == 0 ? 1 : 0;
        w[i] = 1;
      }
      return new Rows(x, y, w, 4);
    }

    Rows withRemovedRow(double weight) {
      int n = y.length;
      double[][] moreX = Arrays.copyOf(x, n + 1);
      double[] moreY = Arrays.copyOf(y, n + 1);
      double[] moreW = Arrays.copyOf(w, n + 1);
      moreX[n] = new double[x[0].length];
      moreX[n][0] = 1;
      moreY[n] = 1;
      moreW[n] = weight;
      return new Rows(moreX, moreY, moreW, rowsPerBlock);
    }

    Rows shuffled(Random random) {
      List<Integer> order = new ArrayList<>();
      for (int i = 0; i < y.length; i++) {
        order.add(i);
      }
      Collections.shuffle(order, random);
      double[][] otherX = new double[y.length][];
      double[] otherY = new double[y.length];
      double[] otherW = new double[y.length];
      for (int i = 0; i < y.length; i++) {
        otherX[i] = x[order.get(i)];
        otherY[i] = y[order.get(i)];
        otherW[i] = w[order.get(i)];
      }
      return new Rows(otherX, otherY, otherW, 1 + random.nextInt(y.length));
    }

    List<ExampleBlock> blocks() {
      List<ExampleBlock> blocks = new ArrayList<>();
      int d = x[0].length;
      for (int from = 0; from < y.length; from += rowsPerBlock) {
        int to = Math.min(y.length, from + rowsPerBlock);
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
  }
}
