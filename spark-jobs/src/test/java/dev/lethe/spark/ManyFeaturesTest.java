package dev.lethe.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.lethe.core.certify.DistanceBound.Rule;
import dev.lethe.core.solver.LinearSolver;
import dev.lethe.spark.certificate.Verdict;
import dev.lethe.spark.job.UnlearnJob;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.classification.LogisticRegression;
import org.apache.spark.ml.feature.OneHotEncoder;
import org.apache.spark.ml.feature.StringIndexer;
import org.apache.spark.ml.feature.StringIndexerModel;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** More parameters than a Hessian is formed for. */
@ExtendWith(LocalSpark.class)
class ManyFeaturesTest {
  private static final int CLASSES = 3;
  private static final int CATEGORIES = 1500;
  private static final int ROWS = 3 * CATEGORIES;
  private static final double REG_PARAM = 0.1;

  @TempDir private Path directory;

  private static List<Row> rows() {
    SplittableRandom random = new SplittableRandom(21);
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < ROWS; i++) {
      int category = i % CATEGORIES;
      boolean typical = random.nextInt(3) > 0;
      double label = typical ? category % CLASSES : random.nextInt(CLASSES);
      rows.add(RowFactory.create((long) i, "c" + category, label));
    }
    return rows;
  }

  /** One-hot columns with free intercepts: 4500 parameters. */
  @Test
  void unlearn_multinomialWithInterceptsAndManyColumns_isCertifiedAndVerifies() throws IOException {
    Jobs jobs = new Jobs(directory);
    List<Row> rows = rows();
    StructType schema =
        new StructType().add("id", "long").add("category", "string").add("label", "double");
    Dataset<Row> table = LocalSpark.session().createDataFrame(rows, schema);
    table.coalesce(3).write().parquet(jobs.path("table"));
    PipelineStage[] stages = {
      new StringIndexer().setInputCol("category").setOutputCol("index"),
      new OneHotEncoder().setInputCol("index").setOutputCol("features"),
      new LogisticRegression().setFamily("multinomial").setRegParam(REG_PARAM)
    };
    PipelineModel model = new Pipeline().setStages(stages).fit(table);
    model.write().save(jobs.path("model"));
    jobs.write(
        "request.yaml",
        """
        id: many-features
        changes:
          - removeRows: {where: 'id % 50 = 1'}
          - relabel: {to: 'pmod(label + 1, 3)', where: 'id % 70 = 2'}
        certificate: {epsilon: 0.5, delta: 1e-4, rho: 1e-6}
        """);

    UnlearnJob.Result result =
        jobs.unlearn(
            jobs.table("table", "parquet"),
            false,
            "model",
            "request.yaml",
            "out",
            LinearSolver.CG,
            2);

    assertThat(result.certificate().verdict()).isEqualTo(Verdict.CERTIFIED);
    assertThat(result.evidence().measurement().distanceRule())
        .isEqualTo(Rule.SELF_CONCORDANCE_JOINTLY_CENTRED.statement());
    String[] labels = ((StringIndexerModel) model.stages()[0]).labelsArray()[0];
    double[] theta = result.evidence().unnoisedParameters();
    assertThat(theta).hasSize(CLASSES * CATEGORIES);
    // rounding is of the order of 1e-12; rho asks for about 1e-6
    double measured = result.evidence().measurement().gradientNorm();
    assertThat(gradientNorm(theta, rows, List.of(labels)))
        .isLessThan(1e-5)
        .isCloseTo(measured, within(1e-10));
    // other partitions, so other bits: the proof is made anew
    assertThat(
            jobs.verify(jobs.table("table", "parquet"), false, "request.yaml", "out", 3).checks())
        .filteredOn(check -> !check.passed())
        .isEmpty();
  }

  /** Of the sum-form objective on the corrected rows, from its definition. */
  private static double gradientNorm(double[] theta, List<Row> rows, List<String> labels) {
    int stride = theta.length / CLASSES;
    double[] gradient = new double[theta.length];
    double[] count = new double[stride];
    double kept = 0;
    for (Row row : rows) {
      long id = row.getLong(0);
      if (id % 50 == 1) {
        continue;
      }
      double label = id % 70 == 2 ? (row.getDouble(2) + 1) % CLASSES : row.getDouble(2);
      int column = labels.indexOf(row.getString(1)); // the last has no column: its slot is 1's
      double[] e = new double[CLASSES];
      double total = 0;
      for (int k = 0; k < CLASSES; k++) {
        double s = theta[k * stride + stride - 1];
        e[k] = Math.exp(column < stride - 1 ? s + theta[k * stride + column] : s);
        total += e[k];
      }
      for (int k = 0; k < CLASSES; k++) {
        double residual = e[k] / total - (label == k ? 1 : 0);
        gradient[k * stride + stride - 1] += residual;
        if (column < stride - 1) {
          gradient[k * stride + column] += residual;
        }
      }
      count[column]++;
      kept++;
    }
    double square = 0;
    for (int j = 0; j < theta.length; j++) {
      int column = j % stride;
      boolean intercept = column == stride - 1;
      double variance = count[column] * (1 - count[column] / kept) / (kept - 1);
      double penalty = intercept ? 0 : kept * REG_PARAM * variance;
      square += Math.pow(gradient[j] + penalty * theta[j], 2);
    }
    return Math.sqrt(square);
  }
}
