package dev.lethe.spark;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.model.Statistics;
import dev.lethe.core.objective.LocalExamples;
import dev.lethe.core.objective.Objective;
import dev.lethe.core.objective.PenaltyRule;
import dev.lethe.core.objective.PenaltyRule.Basis;
import dev.lethe.core.objective.PenaltyRule.Deviation;
import dev.lethe.spark.data.ExampleTable;
import dev.lethe.spark.ml.LinearModel;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.SplittableRandom;
import org.apache.spark.ml.Model;
import org.apache.spark.ml.classification.LogisticRegression;
import org.apache.spark.ml.classification.OneVsRest;
import org.apache.spark.ml.linalg.SQLDataTypes;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.ml.regression.GeneralizedLinearRegression;
import org.apache.spark.ml.regression.LinearRegression;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * That the gradient of our objective vanishes where Spark ML's own fits end, for every estimator
 * and every form of its penalty. Few rows and weights, so that unbiased and population deviations,
 * and mean and sum forms, differ by per cents.
 */
@ExtendWith(LocalSpark.class)
class SparkMlObjectivesTest {
  private static final int ROWS = 60;
  private static final int FEATURES = 4;
  private static Dataset<Row> table;

  @BeforeAll
  static void makeTable() {
    SplittableRandom random = new SplittableRandom(5);
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < ROWS; i++) {
      double[] x = new double[FEATURES];
      for (int j = 0; j < FEATURES; j++) {
        x[j] = 0.3 * j + 0.4 * (1 + j) * random.nextGaussian();
      }
      double s = 0.4 + 0.5 * x[0] - 0.3 * x[1] + 0.1 * x[2];
      double noise = random.nextGaussian();
      rows.add(
          RowFactory.create(
              Vectors.dense(x),
              0.2 + 2 * random.nextDouble(),
              3 * s + noise + (i % 9 == 0 ? 20 : 0),
              (double) (s + noise > 0.4 ? 1 : 0),
              (double) Math.floorMod((int) Math.round(s + noise), 3),
              Math.floor(Math.exp(s) + random.nextDouble() * 2),
              Math.exp(s) * (0.3 + random.nextDouble()),
              random.nextDouble()));
    }
    table =
        LocalSpark.session()
            .createDataFrame(
                rows,
                new StructType()
                    .add("features", SQLDataTypes.VectorType())
                    .add("weight", "double")
                    .add("amount", "double")
                    .add("binary", "double")
                    .add("three", "double")
                    .add("count", "double")
                    .add("positive", "double")
                    .add("share", "double"))
            .cache();
  }

  /** The examples that the model was fitted on. */
  private static LocalExamples examples(LinearModel model) {
    Dataset<Row> examples =
        ExampleTable.examples(
            table,
            new ExampleTable.Columns(
                model.featuresColumn(), model.labelColumn(), model.weightColumn()));
    return new LocalExamples(
        FEATURES, ExampleTable.blocks(examples, FEATURES, new BitSet()).collect());
  }

  /** Mean-form norm of our gradient at the model's parameters, by its rule or by another. */
  private static double gradientNorm(LinearModel model, LocalExamples examples, PenaltyRule rule) {
    Statistics statistics = examples.statistics(model.loss()).statistics();
    double[] theta = model.parameters();
    Objective objective =
        new Objective(
            examples,
            statistics,
            model.loss(),
            model.layout(),
            rule.on(statistics, model.layout()),
            new double[theta.length],
            new boolean[theta.length],
            -1);
    return MeanFormLogistic.norm(objective.evaluate(theta).gradient()) / statistics.totalWeight();
  }

  /** The stated rule fits the model; a rule with another deviation, or another basis, does not. */
  private static void assertStationary(Model<?> fitted, double tolerance) {
    LinearModel model = LinearModel.of(fitted, "test");
    PenaltyRule rule = model.penaltyRule();
    LocalExamples examples = examples(model);
    double norm = gradientNorm(model, examples, rule);
    assertThat(norm).isLessThan(tolerance);
    if (rule.regParam() == 0) {
      return;
    }
    for (Deviation features : Deviation.values()) {
      for (Deviation label : Deviation.values()) {
        for (Basis basis : Basis.values()) {
          PenaltyRule other = new PenaltyRule(rule.regParam(), features, label, basis);
          boolean hasBasis = rule.basis() == basis || rule.basis() == Basis.WEIGHTED_LABELS;
          if (!other.equals(rule) && hasBasis) {
            assertThat(gradientNorm(model, examples, other))
                .as("%s", other)
                .isGreaterThan(10 * norm);
          }
        }
      }
    }
  }

  // L-BFGS ends at about the root of its tolerance on the value, 1e-6; the normal equations do not
  // iterate.
  @ParameterizedTest
  @CsvSource({
    "normal, true,  true,  0.3",
    "normal, true,  false, 0.3",
    "normal, false, true,  0.3",
    "normal, false, false, 0.3",
    "auto,   true,  true,  0.1",
    "normal, true,  true,  0",
    "l-bfgs, true,  true,  0.3",
    "l-bfgs, true,  false, 0.3",
    "l-bfgs, false, true,  0.3",
    "l-bfgs, false, false, 0.3",
    "l-bfgs, true,  true,  0"
  })
  void linearRegression_squared_isStationary(
      String solver, boolean standardization, boolean intercept, double regParam) {
    assertStationary(
        new LinearRegression()
            .setLabelCol("amount")
            .setWeightCol("weight")
            .setSolver(solver)
            .setTol(1e-14)
            .setMaxIter(1000)
            .setStandardization(standardization)
            .setFitIntercept(intercept)
            .setRegParam(regParam)
            .fit(table),
        solver.equals("l-bfgs") ? 1e-5 : 1e-10);
  }

  @ParameterizedTest
  @CsvSource({
    "true,  true,  0.3",
    "true,  false, 0.3",
    "false, true,  0.3",
    "false, false, 0.3",
    "true,  true,  0"
  })
  void linearRegression_huber_isStationary(
      boolean standardization, boolean intercept, double regParam) {
    assertStationary(
        new LinearRegression()
            .setLabelCol("amount")
            .setWeightCol("weight")
            .setLoss("huber")
            .setEpsilon(1.5)
            .setTol(1e-14)
            .setMaxIter(1000)
            .setStandardization(standardization)
            .setFitIntercept(intercept)
            .setRegParam(regParam)
            .fit(table),
        1e-5);
  }

  @ParameterizedTest
  @CsvSource({
    "multinomial, three,  true,  true,  0.05",
    "multinomial, three,  true,  false, 0.05",
    "multinomial, three,  false, true,  0.05",
    "multinomial, three,  false, false, 0.05",
    "multinomial, three,  true,  true,  0",
    "multinomial, binary, true,  true,  0.05",
    "auto,        three,  true,  true,  0.05"
  })
  void logisticRegression_multinomial_isStationary(
      String family, String label, boolean standardization, boolean intercept, double regParam) {
    assertStationary(
        new LogisticRegression()
            .setLabelCol(label)
            .setWeightCol("weight")
            .setFamily(family)
            .setTol(1e-14)
            .setMaxIter(1000)
            .setStandardization(standardization)
            .setFitIntercept(intercept)
            .setRegParam(regParam)
            .fit(table),
        1e-6);
  }

  @ParameterizedTest
  @CsvSource({"true, 0.05", "false, 0.05", "true, 0.5"})
  void oneVsRest_ofLogisticRegression_isStationary(boolean standardization, double regParam) {
    assertStationary(
        new OneVsRest()
            .setLabelCol("three")
            .setWeightCol("weight")
            .setClassifier(
                new LogisticRegression()
                    .setTol(1e-14)
                    .setMaxIter(1000)
                    .setStandardization(standardization)
                    .setRegParam(regParam))
            .fit(table),
        1e-6);
  }

  @ParameterizedTest
  @CsvSource({
    "gaussian, identity, amount,   true,  0.3",
    "gaussian, identity, amount,   false, 0.3",
    "gaussian, identity, amount,   true,  0",
    "poisson,  log,      count,    true,  0.3",
    "poisson,  log,      count,    true,  0",
    "poisson,  log,      count,    false, 0",
    "gamma,    log,      positive, true,  0.3",
    "gamma,    log,      positive, false, 0.3",
    "gamma,    log,      positive, true,  0",
    "binomial, logit,    binary,   true,  0",
    "binomial, logit,    share,    true,  0",
    "binomial, logit,    share,    false, 0"
  })
  void generalizedLinearRegression_convexFamilies_isStationary(
      String family, String link, String label, boolean intercept, double regParam) {
    assertStationary(
        new GeneralizedLinearRegression()
            .setLabelCol(label)
            .setWeightCol("weight")
            .setFamily(family)
            .setLink(link)
            .setTol(1e-14)
            .setMaxIter(200)
            .setFitIntercept(intercept)
            .setRegParam(regParam)
            .fit(table),
        1e-9);
  }
}
