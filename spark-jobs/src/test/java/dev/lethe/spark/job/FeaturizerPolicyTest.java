package dev.lethe.spark.job;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.job.Releases.Release;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.feature.StandardScaler;
import org.apache.spark.ml.feature.StandardScalerModel;
import org.apache.spark.ml.feature.VectorAssembler;
import org.apache.spark.ml.regression.IsotonicRegression;
import org.apache.spark.ml.regression.IsotonicRegressionModel;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What {@code featurizer: refit} and {@code forbid} refuse, and what verify makes of a policy. */
@ExtendWith(LocalSpark.class)
class FeaturizerPolicyTest {
  private static final int REFUSED = 2;
  private static final int BROKEN = 4;
  private static final String REMOVE_ROWS = "  - removeRows: {where: \"age > 60\"}\n";
  private static final String CERTIFICATE = "certificate: {epsilon: 0.5, delta: 1e-5, rho: 1e-6}\n";

  private static String request(String changes, String policy) {
    return "id: policy-1\nchanges:\n" + changes + CERTIFICATE + "featurizer: " + policy + "\n";
  }

  private static void assertRefused(Path model, String request, String... message) {
    Path place = Places.directory("refused");
    Outcome outcome =
        Invocation.unlearn(
                model,
                People.table(),
                Places.write(place.resolve("request.yaml"), request),
                place.resolve("out"),
                place.resolve("vault"))
            .run();
    assertThat(outcome.code()).as("%s", outcome).isEqualTo(REFUSED);
    assertThat(outcome.err()).contains(message);
    assertThat(place.resolve("out")).doesNotExist();
  }

  @Test
  void unlearn_forbidAndLearnedStages_namesThem() {
    PipelineModel model = PipelineModel.load(People.model().toString());
    assertRefused(
        People.model(),
        request(REMOVE_ROWS, "forbid"),
        "featurizer: forbid",
        "StringIndexerModel " + model.stages()[0].uid(),
        "OneHotEncoderModel " + model.stages()[1].uid(),
        "use frozen or refit");
  }

  @Test
  void unlearn_forbidAndNothingLearned_isCertifiedAndVerifies() {
    Release release =
        Releases.unlearn(People.smallModel(), People.table(), request(REMOVE_ROWS, "forbid"), 0);
    assertThat(release.certificate().get("notCovered").toString()).doesNotContain("featurizer");
    Outcome verified = release.fullVerification().run();
    assertThat(verified.code()).as("%s", verified).isZero();
  }

  /** A calibration was fitted on what the old model predicted of the original rows. */
  @Test
  void unlearn_learnedStageBehindThePredictor_isNamedOrRefused() {
    IsotonicRegressionModel calibration =
        new IsotonicRegression()
            .setFeaturesCol("age")
            .setPredictionCol("calibrated")
            .fit(People.dataset());
    calibration.setFeaturesCol("prediction");
    Path model = People.smallModelWith(People.predictor(2), calibration);
    String name = "IsotonicRegressionModel " + calibration.uid();
    assertRefused(model, request(REMOVE_ROWS, "forbid"), "featurizer: forbid", name);
    assertRefused(
        model,
        request(REMOVE_ROWS, "refit"),
        "featurizer: refit: stage IsotonicRegressionModel (" + calibration.uid() + ")",
        "it stands behind the predictor",
        "use featurizer: frozen");

    Release frozen = Releases.unlearn(model, People.table(), request(REMOVE_ROWS, "frozen"), 0);

    assertThat(frozen.certificate().get("notCovered").toString()).contains(name);
    Outcome verified = frozen.fullVerification().run();
    assertThat(verified.code()).as("%s", verified).isZero();
  }

  @Test
  void unlearn_refitOfSlots_isRefused() {
    assertRefused(
        People.model(),
        request("  - removeFeatures: [\"features[0]\"]\n", "refit"),
        "changes[0].removeFeatures[0]: 'features[0]' is not a column of the table",
        "use featurizer: frozen");
  }

  @Test
  void unlearn_refitAfterAReleaseThatRemovedASlot_isRefused() {
    Release slot =
        Releases.unlearn(
            People.model(),
            People.table(),
            "id: policy-1\nchanges:\n  - removeFeatures: [\"features[3]\"]\n" + CERTIFICATE,
            0);
    assertRefused(
        slot.out().resolve("model"),
        request(REMOVE_ROWS, "refit"),
        "slot 3 of 'features', which an earlier release removed",
        "use featurizer: frozen");
  }

  /** The column left the frozen model as zeros; a refit takes it out of the stages. */
  @Test
  void unlearn_refitAfterAReleaseThatRemovedAColumn_dropsItsSlots() {
    Release refit =
        Releases.unlearn(
            Releases.certified().out().resolve("model"),
            People.table(),
            request(REMOVE_ROWS, "refit"),
            0);

    assertThat(refit.certificate().get("zeroCoefficients")).isEmpty();
    assertThat(refit.parameters()).hasSize(People.SLOTS - People.RACE_SLOTS.size() + 1);
    Outcome verified = refit.fullVerification().with("--original-model", refit.model()).run();
    assertThat(verified.code()).as("%s", verified).isZero();
  }

  /** Which slots had left is in the certificate of the model before alone. */
  @Test
  void verify_refitOfAModelApartFromItsCertificate_needsItByName() {
    Path first = Releases.certified().out();
    Path model = Places.copy(first.resolve("model"), Places.unused("copied-model"));
    Path place = Places.directory("apart");
    Release refit =
        new Release(
            model,
            People.table(),
            Places.write(place.resolve("request.yaml"), request(REMOVE_ROWS, "refit")),
            place.resolve("out"),
            place.resolve("vault"));
    Outcome outcome =
        Invocation.unlearn(model, People.table(), refit.request(), refit.out(), refit.vault())
            .with("--model-certificate", first.resolve("certificate.json"))
            .run();
    assertThat(outcome.code()).as("%s", outcome).isZero();

    Invocation verify = refit.fullVerification().with("--original-model", model);
    Outcome named = verify.with("--model-certificate", first.resolve("certificate.json")).run();
    Outcome without = refit.verification().with("--model-certificate", first).run();

    assertThat(named.code()).as("%s", named).isZero();
    assertThat(without.code()).isEqualTo(2);
    assertThat(without.err()).contains("--model-certificate: needs --original-model");
  }

  @Test
  void verify_frozenReleaseAgainstARefitRequest_failsOnPolicyAndState() {
    Transformer assembler =
        new VectorAssembler().setInputCols(new String[] {"age", "hours"}).setOutputCol("x");
    StandardScalerModel scaler =
        new StandardScaler()
            .setInputCol("x")
            .setOutputCol("features")
            .fit(assembler.transform(People.dataset()));
    Path model =
        People.save(
            new PipelineModel(
                "pipeline_scaled", new Transformer[] {assembler, scaler, People.predictor(2)}),
            "scaled");
    Release frozen = Releases.unlearn(model, People.table(), request(REMOVE_ROWS, "frozen"), 0);
    assertThat(frozen.certificate().get("notCovered").toString()).contains(scaler.uid());

    Outcome outcome =
        frozen
            .fullVerification()
            .with(
                "--request",
                Places.write(Places.unused("request.yaml"), request(REMOVE_ROWS, "refit")))
            .run();

    assertThat(outcome.code()).as("%s", outcome).isEqualTo(BROKEN);
    assertThat(outcome.out().lines().filter(line -> line.contains("FAIL")).toList())
        .anyMatch(line -> line.contains("request digest"))
        .anyMatch(line -> line.contains("featurizer policy is the request's"))
        .anyMatch(line -> line.contains("featurizer was fitted to the corrected data"));
    assertThat(Files.exists(frozen.evidenceFile())).isTrue();
  }
}
