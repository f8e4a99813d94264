package dev.lethe.spark.job;

import static org.apache.spark.sql.functions.expr;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.job.Releases.Release;
import java.nio.file.Path;
import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.feature.VectorAssembler;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.ml.regression.LinearRegression;
import org.apache.spark.ml.regression.LinearRegressionModel;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Noise may leave Huber's scale at 0 or below: the next request starts from another. */
@ExtendWith(LocalSpark.class)
class HuberScaleTest {
  private static final String CHANGES =
      """
      id: scale
      changes:
        - removeRows: {where: "user_id = 'u-4711'"}
      certificate: {epsilon: 0.5, delta: 1e-5, rho: 1e-6}
      """;

  private static Dataset<Row> people() {
    return People.dataset().withColumn("label", expr("age + 0.3 * hours * label"));
  }

  /** A model as a release with much noise leaves it. */
  private static Path noisy(double scale) {
    LinearRegressionModel noisy =
        new LinearRegressionModel("linreg_noisy", Vectors.dense(1, 0.1), 0.5, scale);
    noisy.set("loss", "huber");
    noisy.set("regParam", 0.1);
    return People.smallModelWith(noisy);
  }

  private static LinearRegressionModel retrained() {
    return (LinearRegressionModel)
        new Pipeline()
            .setStages(
                new PipelineStage[] {
                  new VectorAssembler()
                      .setInputCols(new String[] {"age", "hours"})
                      .setOutputCol("features"),
                  new LinearRegression()
                      .setLoss("huber")
                      .setRegParam(0.1)
                      .setTol(1e-12)
                      .setMaxIter(300)
                })
            .fit(people().where("user_id <> 'u-4711'"))
            .stages()[1];
  }

  // Spark ML's L-BFGS ends at a gradient of about 1e-6; the curvature, mean form, is above 1e-3.
  @ParameterizedTest
  @CsvSource({"-0.5", "0"})
  void refined_scaleThatNoiseMadeNonPositive_reachesTheRetrainedModel(double scale) {
    Path table = People.write(people(), "parquet", "people");

    Release release = Releases.unlearn(noisy(scale), table, CHANGES, 0);
    double[] theta = release.parameters();
    assertThat(release.certificate().get("covers").toString())
        .contains("(coefficients, intercept and scale)");

    LinearRegressionModel retrained = retrained();
    assertThat(theta)
        .containsExactly(
            new double[] {
              retrained.coefficients().apply(0),
              retrained.coefficients().apply(1),
              retrained.intercept(),
              retrained.scale()
            },
            within(1e-3));
  }

  @Test
  void secondOrder_scaleThatNoiseMadeNegative_takesItsStep() {
    Path table = People.write(people(), "parquet", "people");

    Release release = Releases.unlearn(noisy(-0.5), table, CHANGES + "method: second-order\n", 3);

    assertThat(release.parameters()).doesNotContain(Double.NaN);
    assertThat(release.parameters()[3]).isNotEqualTo(-0.5);
  }
}
