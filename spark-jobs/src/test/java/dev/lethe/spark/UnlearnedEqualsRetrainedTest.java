package dev.lethe.spark;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.solver.LinearSolver;
import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.certificate.Verdict;
import dev.lethe.spark.data.TableSource;
import dev.lethe.spark.job.GivenTables;
import dev.lethe.spark.job.RequestSource;
import dev.lethe.spark.job.TrainJob;
import dev.lethe.spark.job.TrainOptions;
import dev.lethe.spark.job.UnlearnJob;
import dev.lethe.spark.job.UnlearnOptions;
import dev.lethe.spark.job.VerifyJob;
import dev.lethe.spark.job.VerifyOptions;
import dev.lethe.spark.ml.TrainableLoss;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.ml.util.MLWritable;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

/**
 * Unlearned = retrained, for random data, models, requests and partitionings, against {@link
 * MeanFormLogistic} on rows that were corrected by hand.
 *
 * <p>Tolerance: the unlearned parameters lie within the distance that Lethe itself claims to have
 * proven, plus the truth's own error, of the truth; both follow from measured curvature, so the
 * tolerance scales with the conditioning of the case.
 */
@ExtendWith(LocalSpark.class)
class UnlearnedEqualsRetrainedTest {
  /** Small enough for noise that the publication grid allows with a rho of 1e-10. */
  private static final double EPSILON = 1e-4;

  private static final double DELTA = 1e-8;

  static final List<Long> seeds = java.util.stream.LongStream.range(0, 24).boxed().toList();

  @TempDir private Path directory;

  @ParameterizedTest
  @FieldSource("seeds")
  void unlearn_randomRequest_equalsRetrainingFromScratch(long seed) throws IOException {
    SparkSession spark = LocalSpark.session();
    RandomCase random = new RandomCase(seed);
    boolean fromCorrected = seed % 4 == 3;
    int partitions = (int) (seed % 6); // 0: the source's own
    LinearSolver solver = seed % 2 == 0 ? LinearSolver.CG : LinearSolver.CHOLESKY;
    Dataset<Row> table = random.table(spark);
    Transformer model = random.model(table);
    ((MLWritable) model).write().save(path("model"));
    MeanFormLogistic truth = random.truth();
    MeanFormLogistic.Minimum minimum = truth.minimum();
    assertThat(minimum.error()).as("accuracy of the truth").isLessThan(1e-8);
    Dataset<Row> corrected = random.correctedTable(spark);
    (fromCorrected ? corrected : table).write().parquet(path("table"));
    Files.writeString(
        directory.resolve("request.yaml"), random.request(EPSILON, DELTA, rho(random)));
    TableSource source = new TableSource("--data", path("table"), "parquet", Map.of());

    UnlearnJob.Result result =
        new UnlearnJob(
                new UnlearnOptions(
                    path("model"),
                    null,
                    fromCorrected
                        ? new GivenTables.Corrected(source)
                        : new GivenTables.Original(source),
                    null,
                    RequestSource.of(path("request.yaml")),
                    path("out"),
                    path("vault"),
                    null,
                    solver,
                    50,
                    1000,
                    partitions),
                spark)
            .run();

    Evidence evidence = result.evidence();
    assertThat(result.certificate().verdict()).as(random::toString).isEqualTo(Verdict.CERTIFIED);
    double[] unlearned = evidence.unnoisedParameters();
    assertThat(truth.gradientNorm(unlearned)).as(random::toString).isLessThan(1e-9);
    assertThat(MeanFormLogistic.distance(unlearned, minimum.theta()))
        .as(random::toString)
        .isLessThanOrEqualTo(evidence.measurement().distanceBound() + minimum.error());
    for (int j = 0; j < truth.size(); j++) {
      if (truth.isAbsent(j)) {
        assertThat(unlearned[j]).isZero();
        assertThat(result.published()[j]).isZero();
      }
    }
    assertPredictions(random, corrected, truth, minimum.theta(), result.published());
    if (seed % 5 == 0) {
      assertVerifies(spark, source, fromCorrected);
    }
    if (seed % 3 == 0 && !fromCorrected) {
      assertRetrains(spark, source, truth, minimum, 5 - partitions);
    }
  }

  /** A smaller one is out of reach of the rounding of one pass where lambda is small. */
  private static double rho(RandomCase random) {
    return random.regParam == 0 ? 1e-10 : Math.max(1e-10, 1e-12 / random.regParam);
  }

  /** Margins differ by at most ||x|| ||published - retrained||; the classes follow the margins. */
  private void assertPredictions(
      RandomCase random,
      Dataset<Row> corrected,
      MeanFormLogistic truth,
      double[] retrained,
      double[] published) {
    Transformer loaded =
        random.featuresColumn().equals("v")
            ? LogisticRegressionModel.load(path("out/model"))
            : PipelineModel.load(path("out/model"));
    double distance = MeanFormLogistic.distance(published, retrained);
    List<Row> scored =
        loaded
            .transform(corrected)
            .sort("id")
            .select("rawPrediction", "prediction")
            .collectAsList();
    for (int i = 0; i < scored.size(); i++) {
      double expected = truth.margin(i, retrained);
      double tolerance = truth.rowNorm(i) * distance + 1e-13 * (1 + truth.rowNorm(i));
      double margin = scored.get(i).<Vector>getAs(0).apply(1);
      assertThat(Math.abs(margin - expected)).isLessThanOrEqualTo(tolerance);
      if (Math.abs(expected) > tolerance) {
        assertThat(scored.get(i).getDouble(1)).isEqualTo(expected > 0 ? 1.0 : 0.0);
      }
    }
  }

  private void assertVerifies(SparkSession spark, TableSource source, boolean fromCorrected)
      throws IOException {
    VerifyJob.Result verified =
        new VerifyJob(
                new VerifyOptions(
                    path("out/certificate.json"),
                    path("out/model"),
                    path("vault"),
                    fromCorrected
                        ? new GivenTables.Corrected(source)
                        : new GivenTables.Original(source),
                    null,
                    RequestSource.of(path("request.yaml")),
                    null,
                    null,
                    2),
                spark)
            .run();
    assertThat(verified.checks()).allMatch(check -> check.passed());
  }

  /** Lethe's own retraining reaches the same point. */
  private void assertRetrains(
      SparkSession spark,
      TableSource source,
      MeanFormLogistic truth,
      MeanFormLogistic.Minimum minimum,
      int partitions)
      throws IOException {
    TrainJob.Result retrained =
        new TrainJob(
                new TrainOptions(
                    source,
                    null,
                    path("retrained"),
                    path("model"),
                    null,
                    RequestSource.of(path("request.yaml")),
                    null,
                    List.of(),
                    TrainableLoss.LOGISTIC,
                    0,
                    true,
                    true,
                    null,
                    null,
                    1e-10,
                    null,
                    null,
                    null,
                    50,
                    1000,
                    partitions),
                spark)
            .run();
    double norm = truth.gradientNorm(retrained.parameters());
    assertThat(norm).isLessThan(1e-9);
    // ||theta - theta*|| <= 2 ||g|| / m near the minimum
    assertThat(MeanFormLogistic.distance(retrained.parameters(), minimum.theta()))
        .isLessThanOrEqualTo(2 * norm / minimum.smallestEigenvalue() + minimum.error());
  }

  private String path(String name) {
    return directory.resolve(name).toString();
  }
}
