package dev.lethe.spark;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.solver.LinearSolver;
import dev.lethe.spark.certificate.Check;
import dev.lethe.spark.certificate.Verdict;
import dev.lethe.spark.job.UnlearnJob;
import dev.lethe.spark.ml.LinearModel;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.apache.spark.ml.Estimator;
import org.apache.spark.ml.Model;
import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.classification.LogisticRegression;
import org.apache.spark.ml.evaluation.BinaryClassificationEvaluator;
import org.apache.spark.ml.evaluation.RegressionEvaluator;
import org.apache.spark.ml.feature.VectorAssembler;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.ml.regression.LinearRegression;
import org.apache.spark.ml.tuning.CrossValidator;
import org.apache.spark.ml.tuning.CrossValidatorModel;
import org.apache.spark.ml.tuning.ParamGridBuilder;
import org.apache.spark.ml.tuning.TrainValidationSplit;
import org.apache.spark.ml.tuning.TrainValidationSplitModel;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** The best model of a tuning is unlearned; what is published loads as the same kind of model. */
@ExtendWith(LocalSpark.class)
class TunedModelTest {
  private static final int ROWS = 80;

  @TempDir private Path directory;

  private static Dataset<Row> table() {
    SplittableRandom random = new SplittableRandom(17);
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < ROWS; i++) {
      double a = random.nextGaussian();
      double b = random.nextGaussian();
      rows.add(RowFactory.create((long) i, a, b, a - b + random.nextGaussian() > 0 ? 1.0 : 0.0));
    }
    return LocalSpark.session()
        .createDataFrame(
            rows,
            new StructType()
                .add("id", "long")
                .add("a", "double")
                .add("b", "double")
                .add("label", "double"));
  }

  private static Pipeline pipeline(Estimator<?> estimator) {
    VectorAssembler assembler =
        new VectorAssembler().setInputCols(new String[] {"a", "b"}).setOutputCol("features");
    return new Pipeline().setStages(new PipelineStage[] {assembler, estimator});
  }

  private Jobs unlearned(Dataset<Row> table) throws IOException {
    Jobs jobs = new Jobs(directory);
    table.write().parquet(jobs.path("table"));
    jobs.write(
        "request.yaml",
        "id: tuned\nchanges:\n  - removeRows: {where: 'id < 5'}\n"
            + "certificate: {epsilon: 0.5, delta: 1e-4, rho: 1e-8}\n");
    UnlearnJob.Result result =
        jobs.unlearn(
            jobs.table("table", "parquet"),
            false,
            "model",
            "request.yaml",
            "out",
            LinearSolver.CHOLESKY,
            2);
    assertThat(result.certificate().verdict()).isEqualTo(Verdict.CERTIFIED);
    assertThat(result.certificate().notCovered())
        .anyMatch(line -> line.startsWith("hyperparameters chosen by org.apache.spark.ml.tuning."));
    assertThat(
            jobs.verify(jobs.table("table", "parquet"), false, "request.yaml", "out", 2).checks())
        .filteredOn(check -> !check.passed())
        .extracting(Check::name)
        .isEmpty();
    return jobs;
  }

  private static double[] parameters(Model<?> best) {
    PipelineModel model = (PipelineModel) best;
    return LinearModel.of((Model<?>) model.stages()[1], "test").parameters();
  }

  @Test
  void crossValidatorModel_unlearned_isPublishedWithoutItsScores() throws IOException {
    Dataset<Row> table = table();
    LogisticRegression estimator = new LogisticRegression();
    ParamMap[] grid =
        new ParamGridBuilder().addGrid(estimator.regParam(), new double[] {0.01, 0.3}).build();
    CrossValidatorModel fitted =
        new CrossValidator()
            .setEstimator(pipeline(estimator))
            .setEvaluator(new BinaryClassificationEvaluator())
            .setEstimatorParamMaps(grid)
            .setNumFolds(2)
            .setSeed(1)
            .fit(table);
    fitted.write().save(directory.resolve("model").toString());
    Jobs jobs = unlearned(table);

    CrossValidatorModel published = CrossValidatorModel.load(jobs.path("out/model"));
    assertThat(published.uid()).isEqualTo(fitted.uid());
    assertThat(published.avgMetrics()).isEmpty();
    assertThat(published.getNumFolds()).isEqualTo(2);
    assertThat(parameters(published.bestModel())).isNotEqualTo(parameters(fitted.bestModel()));
    assertThat(published.transform(table).where("isnotnull(prediction)").count()).isEqualTo(ROWS);
  }

  @Test
  void trainValidationSplitModel_unlearned_isPublishedWithoutItsScores() throws IOException {
    Dataset<Row> table = table();
    LinearRegression estimator = new LinearRegression();
    ParamMap[] grid =
        new ParamGridBuilder().addGrid(estimator.regParam(), new double[] {0.01, 0.3}).build();
    TrainValidationSplitModel fitted =
        new TrainValidationSplit()
            .setEstimator(pipeline(estimator))
            .setEvaluator(new RegressionEvaluator())
            .setEstimatorParamMaps(grid)
            .setSeed(1)
            .fit(table);
    fitted.write().save(directory.resolve("model").toString());
    Jobs jobs = unlearned(table);

    TrainValidationSplitModel published = TrainValidationSplitModel.load(jobs.path("out/model"));
    assertThat(published.validationMetrics()).isEmpty();
    assertThat(published.transform(table).where("isnotnull(prediction)").count()).isEqualTo(ROWS);
  }
}
