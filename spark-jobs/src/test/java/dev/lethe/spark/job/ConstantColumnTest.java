package dev.lethe.spark.job;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.linalg.Vectors;
import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.data.ExampleTable;
import dev.lethe.spark.ml.LinearModel;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.SplittableRandom;
import org.apache.spark.ml.Model;
import org.apache.spark.ml.classification.LogisticRegression;
import org.apache.spark.ml.linalg.SQLDataTypes;
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
 * A column of ones: every estimator of Spark ML leaves its coefficient at 0, with an intercept and
 * without, and Lethe's problem has its minimiser where Spark ML's fit ends.
 */
@ExtendWith(LocalSpark.class)
class ConstantColumnTest {
  private static final int ONES = 1;
  private static Dataset<Row> table;

  @BeforeAll
  static void makeTable() {
    SplittableRandom random = new SplittableRandom(17);
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < 60; i++) {
      double a = 0.3 + random.nextGaussian();
      double c = 2 * random.nextGaussian();
      double s = 0.4 + 0.5 * a - 0.3 * c;
      double noise = random.nextGaussian();
      rows.add(
          RowFactory.create(
              org.apache.spark.ml.linalg.Vectors.dense(a, 1, c),
              0.2 + 2 * random.nextDouble(),
              3 * s + noise,
              (double) (s + noise > 0.4 ? 1 : 0),
              (double) Math.floorMod((int) Math.round(s + noise), 3),
              Math.floor(Math.exp(s) + 2 * random.nextDouble()),
              Math.exp(s) * (0.3 + random.nextDouble())));
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
                    .add("positive", "double"))
            .cache();
  }

  // L-BFGS ends at about the root of its tolerance on the value, 1e-6; least squares at rounding.
  @ParameterizedTest
  @CsvSource({
    "normal, true,  0.3",
    "normal, false, 0.3",
    "normal, true,  0",
    "normal, false, 0",
    "auto,   false, 0.3",
    "l-bfgs, true,  0.3",
    "l-bfgs, false, 0.3",
    "l-bfgs, false, 0"
  })
  void open_linearRegression_fixesWhatSparkLeavesAtZero(
      String solver, boolean intercept, double regParam) {
    assertSameProblem(
        new LinearRegression()
            .setLabelCol("amount")
            .setWeightCol("weight")
            .setSolver(solver)
            .setTol(1e-14)
            .setMaxIter(1000)
            .setFitIntercept(intercept)
            .setRegParam(regParam)
            .fit(table),
        solver.equals("l-bfgs") ? 1e-5 : 1e-10);
  }

  @ParameterizedTest
  @CsvSource({"true, true", "true, false", "false, false"})
  void open_huber_fixesWhatSparkLeavesAtZero(boolean standardization, boolean intercept) {
    assertSameProblem(
        new LinearRegression()
            .setLabelCol("amount")
            .setWeightCol("weight")
            .setLoss("huber")
            .setTol(1e-14)
            .setMaxIter(1000)
            .setStandardization(standardization)
            .setFitIntercept(intercept)
            .setRegParam(0.1)
            .fit(table),
        1e-4);
  }

  @ParameterizedTest
  @CsvSource({
    "binomial,    binary, true,  0.05",
    "binomial,    binary, false, 0.05",
    "binomial,    binary, false, 0",
    "multinomial, three,  true,  0.05",
    "multinomial, three,  false, 0.05"
  })
  void open_logisticRegression_fixesWhatSparkLeavesAtZero(
      String family, String label, boolean intercept, double regParam) {
    assertSameProblem(
        new LogisticRegression()
            .setLabelCol(label)
            .setWeightCol("weight")
            .setFamily(family)
            .setTol(1e-14)
            .setMaxIter(1000)
            .setFitIntercept(intercept)
            .setRegParam(regParam)
            .fit(table),
        1e-6);
  }

  @ParameterizedTest
  @CsvSource({
    "gaussian, identity, amount,   true,  0.3",
    "gaussian, identity, amount,   false, 0.3",
    "gaussian, identity, amount,   false, 0",
    "gamma,    log,      positive, true,  0.3",
    "gamma,    log,      positive, false, 0.3",
    "gamma,    log,      positive, false, 0",
    "binomial, logit,    binary,   true,  0",
    "binomial, logit,    binary,   false, 0",
    "poisson,  log,      count,    true,  0.3",
    "poisson,  log,      count,    true,  0",
    "poisson,  log,      count,    false, 0"
  })
  void open_generalizedLinearRegression_fixesWhatSparkLeavesAtZero(
      String family, String link, String label, boolean intercept, double regParam) {
    assertSameProblem(
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
        // the ones make Spark ML's normal matrix singular: it turns to L-BFGS
        1e-6);
  }

  /** The ones alone are fixed, at the 0 that the fit has; the mean-form gradient vanishes there. */
  private static void assertSameProblem(Model<?> fitted, double tolerance) {
    LinearModel model = LinearModel.of(fitted, "test");
    try (CorrectedProblem problem =
        CorrectedProblem.open(
            table,
            new ExampleTable.Columns(
                model.featuresColumn(), model.labelColumn(), model.weightColumn()),
            model,
            new BitSet(),
            null,
            -1,
            0,
            Progress.quiet(LocalSpark.session(), "test"),
            "test")) {
      int[] ones = new int[model.layout().margins()];
      for (int k = 0; k < ones.length; k++) {
        ones[k] = model.layout().coefficient(k, ONES);
        assertThat(model.parameters()[ones[k]]).isZero();
      }
      assertThat(problem.fixedCoordinates()).containsExactly(ones);
      double[] gradient = problem.objective().evaluate(model.parameters()).gradient();
      assertThat(Vectors.norm(gradient) / problem.statistics().totalWeight()).isLessThan(tolerance);
    }
  }
}
