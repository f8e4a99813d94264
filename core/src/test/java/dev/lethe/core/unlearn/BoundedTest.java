package dev.lethe.core.unlearn;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.aggregate.Point;
import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.loss.GammaLoss;
import dev.lethe.core.loss.LogisticLoss;
import dev.lethe.core.loss.LossFunction;
import dev.lethe.core.loss.OneVsRestLoss;
import dev.lethe.core.loss.PoissonLoss;
import dev.lethe.core.loss.SquaredLoss;
import dev.lethe.core.model.BlockBuilder;
import dev.lethe.core.model.ColumnStatistics;
import dev.lethe.core.model.ParameterLayout;
import dev.lethe.core.model.Statistics;
import dev.lethe.core.objective.KeptSums;
import dev.lethe.core.objective.LocalExamples;
import dev.lethe.core.objective.Objective;
import dev.lethe.core.objective.PenaltyRule;
import dev.lethe.core.solver.LinearSolver;
import dev.lethe.core.solver.NewtonSolver;
import dev.lethe.core.solver.NewtonStep;
import dev.lethe.core.unlearn.UnlearningResult.Outcome;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** What kept sums tell without a pass, against a measurement of the changed data. */
class BoundedTest {
  private static final List<LossFunction> LOSSES =
      List.of(
          LogisticLoss.INSTANCE,
          SquaredLoss.INSTANCE,
          PoissonLoss.INSTANCE,
          GammaLoss.INSTANCE,
          new OneVsRestLoss(LogisticLoss.INSTANCE, 3));

  /** A row; one that is no longer there is null. */
  private record Example(double[] x, double y, double w) {}

  /** Data that change, and what is kept of them. */
  private static final class Setting {
    final LossFunction loss;
    final int features;
    final boolean intercept;
    final PenaltyRule rule;
    final List<Example> rows = new ArrayList<>();
    final SplittableRandom random;

    Setting(int seed) {
      random = new SplittableRandom(seed);
      loss = LOSSES.get(seed % LOSSES.size());
      features = 1 + random.nextInt(6);
      intercept = random.nextBoolean();
      double regParam = new double[] {1e-4, 1e-2, 1}[random.nextInt(3)];
      rule = PenaltyRule.ofMean(regParam, random.nextBoolean());
      int n = 150 + random.nextInt(1000);
      for (int i = 0; i < n; i++) {
        rows.add(example());
      }
    }

    Example example() {
      double[] x = new double[features];
      double margin = 0.3;
      for (int j = 0; j < features; j++) {
        // centred, shifted, and 0 or 1 in a fifth of the rows
        x[j] =
            switch (j % 3) {
              case 0 -> 2 * random.nextDouble() - 1;
              case 1 -> 1 + random.nextDouble();
              default -> random.nextInt(5) == 0 ? 1 : 0;
            };
        margin += (j % 2 == 0 ? 0.8 : -0.5) * x[j];
      }
      double u = random.nextDouble();
      double y;
      if (loss == SquaredLoss.INSTANCE) {
        y = margin + u;
      } else if (loss == PoissonLoss.INSTANCE) {
        y = Math.floor(Math.exp(margin) * 2 * u);
      } else if (loss == GammaLoss.INSTANCE) {
        y = Math.exp(margin) * (0.2 + u);
      } else if (loss == LogisticLoss.INSTANCE) {
        y = u < 1 / (1 + Math.exp(-margin)) ? 1 : 0;
      } else {
        y = random.nextInt(3);
      }
      return new Example(x, y, 0.5 + random.nextDouble());
    }

    ParameterLayout layout() {
      return new ParameterLayout(features, intercept, loss.margins(), loss.scalars());
    }

    LocalExamples examples(List<Example> some) {
      BlockBuilder builder = BlockBuilder.of(features);
      for (Example row : some) {
        for (int j = 0; j < features; j++) {
          if (row.x[j] != 0) {
            builder.add(j, row.x[j]);
          }
        }
        builder.endRow(row.y, row.w);
      }
      return new LocalExamples(features, builder.isEmpty() ? List.of() : List.of(builder.build()));
    }

    Objective objective(LocalExamples examples, Statistics statistics) {
      return objective(examples, statistics, -1);
    }

    /** With a column that is removed. */
    Objective objective(LocalExamples examples, Statistics statistics, int removed) {
      boolean[] fixed = new boolean[layout().size()];
      for (int j = 0; j < features; j++) {
        for (int k = 0; k < loss.margins(); k++) {
          fixed[layout().coefficient(k, j)] = statistics.column(j).isConstant() || j == removed;
        }
      }
      return new Objective(
          examples,
          statistics,
          loss,
          layout(),
          rule.on(statistics, layout()),
          new double[layout().size()],
          fixed,
          -1);
    }

    Objective measured() {
      LocalExamples all = examples(rows);
      return objective(all, all.statistics(loss).statistics());
    }

    /** Lets some rows change and the sums follow. */
    void change(KeptSums kept) {
      int k = 1 + random.nextInt(Math.max(1, rows.size() / 40));
      List<Example> before = new ArrayList<>();
      List<Example> after = new ArrayList<>();
      for (int c = 0; c < k; c++) {
        int i = random.nextInt(rows.size());
        Example old = rows.remove(i);
        before.add(old);
        Example other = example();
        switch (random.nextInt(4)) {
          case 0 -> {} // removed
          case 1 -> after.add(new Example(old.x, other.y, old.w));
          case 2 -> after.add(new Example(other.x, old.y, old.w));
          default -> after.add(new Example(old.x, old.y, other.w));
        }
      }
      rows.addAll(after);
      kept.exchange(
          KeptSums.of(examples(before), kept.point()), KeptSums.of(examples(after), kept.point()));
    }
  }

  private static double[] minimiser(Objective objective, double[] start) {
    return new NewtonSolver<Objective.Measured>(
            60, new NewtonStep(LinearSolver.CHOLESKY, 100, (k, r, t) -> {}), (k, e) -> {})
        .minimize(objective, start, NewtonSolver.Goal.gradientNorm(1e-11))
        .evaluation()
        .point();
  }

  /**
   * Every coordinate of the gradient, and the distance, over thousands of changes of every loss:
   * one request after the other on the same kept sums.
   */
  @Test
  void bounded_changedRows_coversWhatIsMeasured() {
    int proven = 0;
    int cases = 0;
    int remaindersThatCount = 0;
    for (int seed = 0; seed < 1200; seed++) {
      Setting setting = new Setting(seed);
      Objective original = setting.measured();
      double[] theta = minimiser(original, original.origin());
      if (seed % 3 == 0) { // not only at the minimiser
        Arrays.setAll(
            theta,
            j -> original.fixed()[j] ? 0 : theta[j] + 1e-3 * (setting.random.nextDouble() - 0.5));
      }
      KeptSums kept =
          KeptSums.of(
              setting.examples(setting.rows), new Point(setting.loss, setting.layout(), theta));
      for (int request = 0; request < 3; request++) {
        setting.change(kept);
        Objective truth = setting.measured();
        requireSameStatistics(kept.statistics(), truth.statistics());
        Objective objective = setting.objective(setting.examples(List.of()), kept.statistics());
        Optional<UnlearningResult> result =
            new Unlearning(objective, 1e-3, step -> {}).bounded(kept);
        if (result.isEmpty()) {
          continue;
        }
        cases++;
        Objective.Measured end = result.get().end();
        Objective.Measured measured = truth.evaluate(end.point());
        for (int j = 0; j < theta.length; j++) {
          double difference = Math.abs(measured.gradient()[j] - end.gradient()[j]);
          assertThat(difference)
              .as("seed %d, request %d, coordinate %d of %s", seed, request, j, setting.loss.name())
              .isLessThanOrEqualTo(
                  end.measurement().gradientError()[j] + measured.measurement().gradientError()[j]);
          if (difference > 1e3 * measured.measurement().gradientError()[j]) {
            remaindersThatCount++;
          }
        }
        if (result.get().distance().isPresent()) {
          proven++;
          assertThat(Vectors.distance(end.point(), minimiser(truth, end.point())))
              .isLessThanOrEqualTo(result.get().distance().getAsDouble() * (1 + 1e-9) + 1e-12);
        }
        assertThat(objective.passes()).isZero();
      }
    }
    assertThat(cases).isGreaterThan(3000);
    assertThat(proven).isGreaterThan(2400);
    // the bound is not about rounding: without the remainder it would be violated
    assertThat(remaindersThatCount).isGreaterThan(5000);
  }

  /** A column leaves: of a quadratic objective the minimiser is found without a pass. */
  @Test
  void follow_removedColumn_startsNearTheMinimiser() {
    int starts = 0;
    int others = 0;
    int nearer = 0;
    for (int seed = 0; seed < 300; seed++) {
      Setting setting = new Setting(seed);
      if (setting.features < 2) {
        continue;
      }
      KeptSums kept = kept(setting, setting.measured());
      LocalExamples all = setting.examples(setting.rows);
      Statistics statistics = all.statistics(setting.loss).statistics();
      Objective corrected = setting.objective(all, statistics, 0);
      double[] restricted = kept.point().theta().clone();
      for (int k = 0; k < setting.loss.margins(); k++) {
        restricted[setting.layout().coefficient(k, 0)] = 0;
      }
      Optional<double[]> start = corrected.follow(kept);
      assertThat(corrected.passes()).isZero();
      if (start.isEmpty()) {
        assertThat(setting.loss).isNotEqualTo(SquaredLoss.INSTANCE);
        continue;
      }
      starts++;
      double[] truth = minimiser(corrected, corrected.origin());
      double distance = Vectors.distance(start.get(), truth);
      if (setting.loss == SquaredLoss.INSTANCE) {
        // the systems' condition, some 1e4, times rounding
        assertThat(distance).isLessThanOrEqualTo(1e-9 * (1 + Vectors.norm(truth)));
      } else {
        others++;
        nearer += distance <= 0.5 * Vectors.distance(restricted, truth) + 1e-9 ? 1 : 0;
      }
    }
    assertThat(starts).isGreaterThan(100);
    // a model of second order: what is left of it is not bounded, but most often small
    assertThat(nearer).as("of %d", others).isGreaterThan(others * 4 / 5);
  }

  /** A column that decides every label leaves: a quadratic model says nothing of that. */
  @Test
  void follow_columnThatDecidesTheLabel_isTooFar() {
    Setting setting = rare(0, 0);
    for (int i = 0; i < setting.rows.size(); i++) {
      double x = i % 2 == 0 ? 8 : -8;
      setting.rows.set(i, new Example(new double[] {x, i % 3}, i % 2, 1));
    }
    LocalExamples all = setting.examples(setting.rows);
    Statistics statistics = all.statistics(setting.loss).statistics();
    KeptSums kept = kept(setting, setting.objective(all, statistics));

    assertThat(setting.objective(all, statistics, 0).follow(kept)).isEmpty();
    assertThat(setting.objective(all, statistics, 1).follow(kept)).isPresent();
  }

  /** What is written and read again says the same, to the bit. */
  @Test
  void read_writtenSums_boundAlike() throws IOException {
    for (int seed = 0; seed < 20; seed++) {
      Setting setting = new Setting(seed);
      Objective original = setting.measured();
      Point point =
          new Point(setting.loss, setting.layout(), minimiser(original, original.origin()));
      KeptSums kept = KeptSums.of(setting.examples(setting.rows), point);
      setting.change(kept);
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      kept.write(new DataOutputStream(bytes));
      KeptSums read =
          KeptSums.read(new DataInputStream(new ByteArrayInputStream(bytes.toByteArray())), point);
      assertThat(read.statistics()).usingRecursiveComparison().isEqualTo(kept.statistics());
      assertThat(result(setting, read)).isEqualTo(result(setting, kept));
    }
  }

  private static String result(Setting setting, KeptSums kept) {
    Objective objective = setting.objective(setting.examples(List.of()), kept.statistics());
    return new Unlearning(objective, 1e-3, step -> {})
        .bounded(kept)
        .map(r -> r.bound() + Arrays.toString(r.end().point()))
        .orElse("nothing");
  }

  /** The only row with an entry leaves: the column is 0 everywhere, which the counts tell. */
  @Test
  void bounded_lastEntryOfColumnLeaves_fixesItsCoefficient() {
    Setting setting = rare(0, 1);
    Objective original = setting.measured();
    KeptSums kept = kept(setting, original);
    Example rare = setting.rows.remove(0);
    kept.exchange(
        KeptSums.of(setting.examples(List.of(rare)), kept.point()),
        KeptSums.of(setting.examples(List.of()), kept.point()));

    Objective objective = setting.objective(setting.examples(List.of()), kept.statistics());
    UnlearningResult result = new Unlearning(objective, 1e-2, s -> {}).bounded(kept).orElseThrow();

    assertThat(original.fixed()[1]).isFalse();
    assertThat(objective.fixed()[1]).isTrue();
    assertThat(result.outcome()).isEqualTo(Outcome.WITHIN_RHO);
    Objective truth = setting.measured();
    assertThat(Vectors.distance(result.end().point(), minimiser(truth, truth.origin())))
        .isLessThanOrEqualTo(result.distance().orElseThrow());
  }

  /**
   * The only row that differs leaves. Of 0 and 1 the counts tell that the column is constant now,
   * and leaves the model with what it gave every margin; of 2 and 3 nothing tells.
   */
  @Test
  void bounded_columnIsOrMayBeConstantNow_isRefused() {
    for (double[] values : new double[][] {{0, 1}, {2, 3}}) {
      Setting setting = rare(values[1], values[0]);
      KeptSums kept = kept(setting, setting.measured());
      Example rare = setting.rows.remove(0);
      kept.exchange(
          KeptSums.of(setting.examples(List.of(rare)), kept.point()),
          KeptSums.of(setting.examples(List.of()), kept.point()));

      Objective objective = setting.objective(setting.examples(List.of()), kept.statistics());
      assertThat(new Unlearning(objective, 1e-2, s -> {}).bounded(kept)).isEmpty();
    }
  }

  private static KeptSums kept(Setting setting, Objective original) {
    double[] theta = minimiser(original, original.origin());
    return KeptSums.of(
        setting.examples(setting.rows), new Point(setting.loss, setting.layout(), theta));
  }

  /** Logistic, two columns: column 1 has {@code first} in row 0 and {@code rest} in all others. */
  private static Setting rare(double rest, double first) {
    int seed = 0;
    Setting setting = new Setting(seed);
    while (setting.features != 2 || !setting.intercept || setting.loss != LogisticLoss.INSTANCE) {
      setting = new Setting(seed += LOSSES.size());
    }
    setting.rows.replaceAll(row -> new Example(new double[] {row.x[0], rest}, row.y, row.w));
    setting.rows.get(0).x[1] = first;
    return setting;
  }

  private static void requireSameStatistics(Statistics kept, Statistics read) {
    assertThat(kept.rows()).isEqualTo(read.rows());
    assertThat(kept.classes()).isEqualTo(read.classes());
    // sums of at most 1200 rows with twice the precision of a double
    assertThat(Math.abs(kept.totalWeight() / read.totalWeight() - 1)).isLessThan(1e-15);
    for (int j = 0; j < kept.features(); j++) {
      ColumnStatistics one = kept.column(j);
      ColumnStatistics other = read.column(j);
      assertThat(one.min()).isLessThanOrEqualTo(other.min());
      assertThat(one.max()).isGreaterThanOrEqualTo(other.max());
      if (one.varianceRelativeError() < 0.5) {
        assertThat(other.isConstant()).isFalse();
        assertThat(Math.abs(one.variance() - other.variance()))
            .isLessThanOrEqualTo(
                one.varianceRelativeError() * one.variance()
                    + other.varianceRelativeError() * other.variance());
      }
    }
  }
}
