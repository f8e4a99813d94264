package dev.lethe.spark;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.Statistics;
import dev.lethe.core.objective.Objective;
import dev.lethe.core.solver.LinearSolver;
import dev.lethe.spark.data.ExampleTable;
import dev.lethe.spark.job.TrainJob;
import dev.lethe.spark.job.UnlearnJob;
import dev.lethe.spark.ml.LinearModel;
import dev.lethe.spark.operator.DistributedExamples;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.SplittableRandom;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.ml.classification.LogisticRegression;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.ml.linalg.SQLDataTypes;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.ml.param.Param;
import org.apache.spark.ml.param.ParamPair;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Models that Spark ML itself fitted. Few rows, so that the two standard deviations differ. */
@ExtendWith(LocalSpark.class)
class SparkMlFitTest {
  private static final int ROWS = 40;
  private static final int FEATURES = 5;

  /** A column in which all rows agree; Spark ML gives it the coefficient 0. */
  private static final int CONSTANT = 3;

  private static final double[][] X = new double[ROWS][FEATURES];
  private static final double[] Y = new double[ROWS];
  private static final double[] W = new double[ROWS];
  private static Dataset<Row> table;

  @TempDir private Path directory;

  @BeforeAll
  static void makeTable() {
    SplittableRandom random = new SplittableRandom(11);
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < ROWS; i++) {
      for (int j = 0; j < FEATURES; j++) {
        X[i][j] = j == CONSTANT ? 2.5 : j + (1 + 2 * j) * random.nextGaussian();
      }
      Y[i] = random.nextDouble() < 1 / (1 + Math.exp(-X[i][0] - 0.3 * X[i][1])) ? 1 : 0;
      W[i] = 0.2 + 3 * random.nextDouble();
      rows.add(RowFactory.create((long) i, Vectors.dense(X[i].clone()), Y[i], W[i]));
    }
    table =
        LocalSpark.session()
            .createDataFrame(
                rows,
                new StructType()
                    .add("id", "long")
                    .add("features", SQLDataTypes.VectorType())
                    .add("label", "double")
                    .add("weight", "double"));
  }

  private static LogisticRegression estimator(
      boolean weighted, boolean standardization, boolean intercept, double regParam) {
    LogisticRegression estimator =
        new LogisticRegression()
            .setTol(1e-12)
            .setMaxIter(1000)
            .setRegParam(regParam)
            .setStandardization(standardization)
            .setFitIntercept(intercept);
    return weighted ? estimator.setWeightCol("weight") : estimator;
  }

  /** Mean-form norm of Lethe's gradient at the model's own coefficients. */
  private static double gradientNorm(LogisticRegressionModel fitted) {
    LinearModel model = LinearModel.of(fitted, "test");
    Dataset<Row> examples =
        ExampleTable.examples(
            table,
            new ExampleTable.Columns(
                model.featuresColumn(), model.labelColumn(), model.weightColumn()));
    JavaRDD<ExampleBlock> blocks =
        ExampleTable.orderedBlocks(examples, FEATURES, new BitSet(), 0).cache();
    try {
      DistributedExamples sums = new DistributedExamples(blocks, FEATURES, () -> "Lethe test");
      Statistics statistics = sums.statistics(model.loss()).statistics();
      double[] theta = model.parameters();
      boolean[] fixed = new boolean[theta.length];
      fixed[CONSTANT] = true;
      assertThat(statistics.column(CONSTANT).isConstant()).isTrue();
      Objective objective =
          new Objective(
              sums,
              statistics,
              model.loss(),
              model.layout(),
              model.penaltyRule().on(statistics, model.layout()),
              new double[theta.length],
              fixed,
              -1);
      return MeanFormLogistic.norm(objective.evaluate(theta).gradient()) / statistics.totalWeight();
    } finally {
      blocks.unpersist();
    }
  }

  private static MeanFormLogistic byDefinition(
      boolean weighted, MeanFormLogistic.Deviation deviation, boolean intercept, double regParam) {
    double[] w = weighted ? W : new double[ROWS];
    if (!weighted) {
      Arrays.fill(w, 1);
    }
    return new MeanFormLogistic(X, Y, w, regParam, deviation, intercept, new BitSet());
  }

  // L-BFGS with tol 1e-12 on the value leaves a mean-form gradient of about its root, 1e-6.
  @ParameterizedTest
  @CsvSource({
    "true,  true,  true,  0.01",
    "true,  true,  false, 0.1",
    "true,  false, true,  0.1",
    "true,  false, false, 0.01",
    "false, true,  true,  0.1",
    "false, true,  false, 0.01",
    "false, false, true,  0.01",
    "false, false, false, 0.1"
  })
  void fit_bySparkMl_isStationaryForOurObjectiveAndReproducedByTrain(
      boolean weighted, boolean standardization, boolean intercept, double regParam)
      throws IOException {
    LogisticRegressionModel fitted =
        estimator(weighted, standardization, intercept, regParam).fit(table);
    double norm = gradientNorm(fitted);
    assertThat(fitted.coefficients().apply(CONSTANT)).isZero();
    assertThat(norm).isLessThan(1e-6);
    if (standardization) {
      // with n = 40 the population's variance is 2.5 per cent smaller
      double wrong =
          byDefinition(weighted, MeanFormLogistic.Deviation.POPULATION, intercept, regParam)
              .gradientNorm(LinearModel.of(fitted, "test").parameters());
      assertThat(wrong).isGreaterThan(10 * norm);
    }

    table.write().parquet(directory.resolve("table").toString());
    TrainJob.Result trained =
        new Jobs(directory)
            .train(
                new Jobs(directory).table("table", "parquet"),
                List.of("features"),
                regParam,
                standardization,
                intercept,
                weighted ? "weight" : null,
                "model");
    assertThat(trained.converged()).isTrue();
    // ||theta - theta*|| <= 2 ||g|| / m for each of the two, m the smallest eigenvalue
    MeanFormLogistic.Minimum minimum =
        byDefinition(
                weighted,
                standardization
                    ? MeanFormLogistic.Deviation.UNBIASED
                    : MeanFormLogistic.Deviation.NONE,
                intercept,
                regParam)
            .minimum();
    double[] sparks = LinearModel.of(fitted, "test").parameters();
    assertThat(MeanFormLogistic.distance(trained.parameters(), minimum.theta()))
        .isLessThan(2e-10 / minimum.smallestEigenvalue() + minimum.error());
    assertThat(MeanFormLogistic.distance(trained.parameters(), sparks))
        .isLessThan(2 * (norm + 1e-10) / minimum.smallestEigenvalue())
        .isLessThan(1e-5);
  }

  @Test
  void publishedModel_ofAModelSavedBySparkMl_keepsEveryParam() throws IOException {
    LogisticRegression estimator =
        estimator(true, true, true, 0.1)
            .setTol(3e-9)
            .setMaxIter(77)
            .setAggregationDepth(3)
            .setMaxBlockSizeInMB(0.5)
            .setFamily("binomial")
            .setThreshold(0.3)
            .setProbabilityCol("p")
            .setRawPredictionCol("margin")
            .setPredictionCol("decision");
    assertRoundTrip(estimator.fit(table), "threshold");
    LogisticRegressionModel thresholds = estimator(true, false, true, 0.1).fit(table);
    thresholds.setThresholds(new double[] {0.6, 0.4});
    assertRoundTrip(thresholds, "thresholds");
  }

  private void assertRoundTrip(LogisticRegressionModel fitted, String name) throws IOException {
    Jobs jobs = new Jobs(directory.resolve(name));
    Files.createDirectories(directory.resolve(name));
    table.write().parquet(jobs.path("table"));
    fitted.write().save(jobs.path("model"));
    jobs.write("request.yaml", "id: r\nchanges:\n  - removeRows: {where: 'id < 4'}\n");
    UnlearnJob.Result result =
        jobs.unlearn(
            jobs.table("table", "parquet"),
            false,
            "model",
            "request.yaml",
            "out",
            LinearSolver.CHOLESKY,
            0);
    LogisticRegressionModel published = LogisticRegressionModel.load(jobs.path("out/model"));
    assertThat(published.uid()).isEqualTo(fitted.uid());
    for (Param<?> param : fitted.params()) {
      assertThat(published.isSet(published.getParam(param.name())))
          .as(param.name())
          .isEqualTo(fitted.isSet(param));
    }
    for (ParamPair<?> pair : fitted.extractParamMap().toList().toArray(new ParamPair<?>[0])) {
      assertThat(published.getOrDefault(published.getParam(pair.param().name())))
          .as(pair.param().name())
          .isEqualTo(pair.value());
    }
    // no certificate was asked for: published as computed, to the last bit
    assertThat(LinearModel.of(published, "test").parameters())
        .isEqualTo(result.evidence().unnoisedParameters());
    assertThat(published.transform(table).columns()).isEqualTo(fitted.transform(table).columns());
  }
}
