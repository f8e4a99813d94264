package dev.lethe.spark.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Check;
import dev.lethe.spark.certificate.Mechanism;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.ml.feature.VectorAssembler;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Loss perturbation in code: b goes into the vault, and a release uses it up. */
@ExtendWith(LocalSpark.class)
class PerturbedModelTest {
  @TempDir Path directory;

  private String path(String name) {
    return directory.resolve(name).toString();
  }

  private static PipelineModel featurizer() {
    Transformer[] stages = {
      new VectorAssembler().setInputCols(new String[] {"age", "visits"}).setOutputCol("features")
    };
    return new PipelineModel("featurizer", stages);
  }

  private PipelineModel fit(LinearEstimator estimator) throws IOException {
    return estimator.fitPerturbed(
        featurizer(), Members.data(), 0.1, 1e-4, 1e-3, path("model"), path("vault"));
  }

  private static LinearEstimator logistic() {
    return new LinearEstimator().setRegParam(0.05);
  }

  private static void passed(List<Check> checks) {
    assertThat(checks)
        .isNotEmpty()
        .allSatisfy(check -> assertThat(check.passed()).as("%s", check).isTrue());
  }

  @Test
  void fitPerturbed_unlearnSaved_isVerifiedAndUsesUpB() throws IOException {
    PipelineModel fitted = fit(logistic());
    UnlearnRequest request = UnlearnRequest.builder("paper-1").removeRows("member = 7").build();
    TrainingData data = TrainingData.original(Members.data());
    Unlearner unlearner = new Unlearner();

    assertThat(PipelineModel.load(path("model")).uid()).isEqualTo(fitted.uid());
    Certificate certificate =
        unlearner.unlearnSaved(path("model"), data, request, path("out"), path("vault"));

    assertThat(certificate.mechanism()).isEqualTo(Mechanism.LOSS_PERTURBATION);
    passed(unlearner.verifySaved(path("out"), path("vault"), path("model"), data, request));
    assertThatThrownBy(
            () -> unlearner.unlearnSaved(path("model"), data, request, path("two"), path("vault")))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("was used for the release " + certificate.certificateId());
    assertThatThrownBy(() -> unlearner.unlearn(fitted, Members.data(), request))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("loss perturbation");
    assertThat(directory.resolve("two")).doesNotExist();
  }

  /** Another b each time: with sigma of 0.04 and a curvature of some tens, 1e-9 is far below. */
  @Test
  void fitPerturbed_twice_drawsAnotherB() throws IOException {
    LogisticRegressionModel first = predictor(fit(logistic()));
    LogisticRegressionModel second =
        predictor(
            logistic()
                .fitPerturbed(
                    featurizer(), Members.data(), 0.1, 1e-4, 1e-3, path("other"), path("vault")));

    assertThat(Math.abs(first.intercept() - second.intercept())).isGreaterThan(1e-9);
    try (var folders = Files.list(directory.resolve("vault"))) {
      assertThat(folders.filter(f -> f.getFileName().toString().startsWith("perturbation-")))
          .hasSize(2);
    }
  }

  private static LogisticRegressionModel predictor(PipelineModel model) {
    return (LogisticRegressionModel) model.stages()[1];
  }

  private void refused(LinearEstimator estimator, String... words) {
    assertThatThrownBy(() -> fit(estimator))
        .isInstanceOf(InvalidInputException.class)
        .message()
        .contains(words)
        .doesNotContain("--");
    assertThat(directory).isEmptyDirectory();
  }

  @Test
  void fitPerturbed_notOffered_isRefusedAndNothingWritten() {
    refused(logistic().setLoss("squared-hinge"), "loss squared-hinge", "logistic only");
    refused(logistic().setRegParam(0), "regParam 0.0", "greater than 0");
    refused(logistic().setMaxSteps(1), "gradientNorm", "not reached");
    refused(logistic().setWeightCol("absent"), "weightCol", "absent");
    assertThatThrownBy(
            () ->
                logistic()
                    .fitPerturbed(
                        featurizer(), Members.data(), 0.1, 1e-4, 1e-3, path("m"), path("m/vault")))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("vault");
    assertThatThrownBy(
            () ->
                logistic()
                    .fitPerturbed(
                        featurizer(), Members.data(), 2, 1e-4, 1e-3, path("m"), path("vault")))
        .isInstanceOf(InvalidInputException.class)
        .hasMessage("epsilon = 2.0: must lie in (0, 1] with loss perturbation");
  }

  @Test
  void verifySaved_withoutRequest_checksTheCorrectedRowsAlone() throws IOException {
    Members.model().write().save(path("model"));
    UnlearnRequest request = Members.request("later");
    Unlearner unlearner = new Unlearner();
    unlearner.unlearnSaved(
        path("model"), TrainingData.original(Members.data()), request, path("out"), path("vault"));
    Dataset<Row> corrected =
        unlearner
            .correctedData(
                PipelineModel.load(path("model")), TrainingData.original(Members.data()), request)
            .rows();

    passed(unlearner.verifySaved(path("out"), path("vault"), TrainingData.corrected(corrected)));
    assertThat(
            unlearner.verifySaved(
                path("out"),
                path("vault"),
                TrainingData.corrected(corrected.where("member <> 11"))))
        .anySatisfy(check -> assertThat(check.passed()).isFalse());
    assertThatThrownBy(
            () ->
                unlearner.verifySaved(
                    path("out"), path("vault"), TrainingData.original(Members.data())))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("allowed are the corrected rows alone");
  }
}
