package dev.lethe.spark.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.job.Releases.Release;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** {@code delta: 0}: published with gamma-radius noise, verified, and no figure can be changed. */
@ExtendWith(LocalSpark.class)
class PureEpsilonTest {
  private static final double EPSILON = 0.5;
  private static final double RHO = 1e-7;

  private static Release release;

  @BeforeAll
  static void unlearn() {
    release =
        Releases.unlearn(
            People.model(), People.table(), Releases.REQUEST.replace("delta: 1e-5", "delta: 0"), 0);
  }

  @Test
  void run_deltaZero_certificateStatesScaleAndTheSamplersDelta() {
    JsonNode certificate = release.certificate();
    int noisy =
        certificate.get("parameters").intValue()
            - release.evidence().get("fixedCoordinates").size();

    assertThat(certificate.get("mechanism").textValue()).isEqualTo("gamma-radius-output-noise");
    assertThat(certificate.get("sigma").isNull()).isTrue();
    assertThat(certificate.get("noisyParameters").intValue()).isEqualTo(noisy);
    double scale = certificate.get("scale").doubleValue();
    assertThat(scale).isBetween(RHO / EPSILON, RHO / EPSILON * (1 + 1e-15));
    double sampler = (1 + Math.exp(EPSILON)) * noisy * 4e-12;
    assertThat(certificate.get("delta").doubleValue()).isBetween(sampler, sampler * (1 + 1e-12));
    double deviation = scale * Math.sqrt(noisy + 1);
    double step = certificate.get("gridStep").doubleValue();
    assertThat(deviation / step).isBetween(100.0, 200.0);
  }

  /** The radius of Gamma(p, scale) is within 8 deviations of its mean p but for 1e-9 or less. */
  @Test
  void run_deltaZero_noiseHasTheRadius() {
    double[] unnoised = release.parameters();
    LogisticRegressionModel predictor = predictor();
    double square = 0;
    for (int j = 0; j < unnoised.length; j++) {
      double published =
          j < unnoised.length - 1 ? predictor.coefficients().apply(j) : predictor.intercept();
      square += Math.pow(published - unnoised[j], 2);
    }
    int p = release.certificate().get("noisyParameters").intValue();
    double radius = Math.sqrt(square) / release.certificate().get("scale").doubleValue();
    assertThat(radius).isCloseTo(p, within(8 * Math.sqrt(p))).isPositive();
  }

  private static LogisticRegressionModel predictor() {
    PipelineModel pipeline = PipelineModel.load(release.out().resolve("model").toString());
    return (LogisticRegressionModel) pipeline.stages()[pipeline.stages().length - 1];
  }

  @Test
  void run_vaultDataAndRequest_passes() {
    Outcome outcome = release.fullVerification().run();
    assertThat(outcome.code()).as("%s", outcome).isZero();
    assertThat(outcome.out())
        .contains("noise is of density exp(-||z|| / scale)", "checks hold")
        .doesNotContain("FAIL");
  }

  private record Tampering(String name, Consumer<ObjectNode> change, String check) {
    @Override
    public String toString() {
      return name;
    }
  }

  static List<Tampering> tamperings() {
    List<Tampering> tamperings = new ArrayList<>();
    for (String field : List.of("epsilon", "delta", "rho", "scale", "gridStep")) {
      for (double factor : new double[] {0.5, 2}) {
        tamperings.add(
            new Tampering(
                field + " times " + factor,
                certificate ->
                    certificate.put(field, factor * certificate.get(field).doubleValue()),
                "scale and grid step follow from the terms"));
      }
    }
    for (int more : new int[] {-1, 1}) {
      tamperings.add(
          new Tampering(
              "noisyParameters " + more,
              certificate ->
                  certificate.put(
                      "noisyParameters", certificate.get("noisyParameters").intValue() + more),
              "scale and grid step follow from the terms"));
    }
    return tamperings;
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("tamperings")
  void run_certificateChanged_failsOnPublicFilesAlone(Tampering tampering) throws IOException {
    ObjectNode certificate = (ObjectNode) release.certificate();
    tampering.change().accept(certificate);
    Path file =
        Places.write(
            Places.unused("certificate.json"), new ObjectMapper().writeValueAsString(certificate));

    Outcome outcome = release.verification().with("--certificate", file).run();

    assertThat(outcome.code()).as("%s", outcome).isEqualTo(4);
    assertThat(outcome.out().lines())
        .anyMatch(line -> line.contains("FAIL") && line.contains(tampering.check()));
  }

  /** The same noise under the name of the other law. */
  @Test
  void run_calledGaussian_failsOnTermsAndEvidence() throws IOException {
    ObjectNode certificate = (ObjectNode) release.certificate();
    certificate.put("mechanism", "gaussian-output-noise");
    certificate.put("sigma", certificate.get("scale").doubleValue());
    certificate.putNull("scale");
    certificate.putNull("noisyParameters");
    Path file =
        Places.write(
            Places.unused("certificate.json"), new ObjectMapper().writeValueAsString(certificate));

    Outcome outcome = release.fullVerification().with("--certificate", file).run();

    assertThat(outcome.code()).isEqualTo(4);
    for (String check :
        List.of(
            "sigma and grid step follow from the terms",
            "evidence is of this certificate",
            "terms are the request's")) {
      assertThat(outcome.out().lines())
          .anyMatch(line -> line.contains("FAIL") && line.contains(check));
    }
  }

  @Test
  void certificate_asPublished_readsBack() throws IOException {
    byte[] bytes = Files.readAllBytes(release.out().resolve("certificate.json"));
    assertThat(Certificate.read(bytes, "c").toJson()).isEqualTo(bytes);
  }
}
