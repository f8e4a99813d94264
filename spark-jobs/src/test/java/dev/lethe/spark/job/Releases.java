package dev.lethe.spark.job;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;

/** Models that were unlearned and published, each made once for all tests of the JVM. */
final class Releases {
  /** Removes a feature, a row, and changes two more. */
  static final String REQUEST =
      """
      id: release-1
      changes:
        - removeFeatures: [race]
        - replaceFeatures: {set: {hours: "hours + 1", weight: "2 * weight"}, where: "city = 'Ulm'"}
        - relabel: {to: "1 - label", where: "user_id IN ('u-4712', 'u-4713')"}
        - removeRows: {where: "user_id = 'u-4711'"}
      certificate: {epsilon: 0.5, delta: 1e-5, rho: 1e-7}
      """;

  private static Release certified;

  private Releases() {}

  /**
   * One run of unlearn.
   *
   * @param request the file
   */
  record Release(Path model, Path data, Path request, Path out, Path vault) {
    JsonNode certificate() {
      return json(out.resolve("certificate.json"));
    }

    JsonNode evidence() {
      return json(evidenceFile());
    }

    Path evidenceFile() {
      return vault.resolve(certificate().get("certificateId").asText()).resolve("evidence.json");
    }

    /** The un-noised parameters. */
    double[] parameters() {
      JsonNode array = evidence().get("unnoisedParameters");
      double[] parameters = new double[array.size()];
      for (int j = 0; j < parameters.length; j++) {
        parameters[j] = array.get(j).doubleValue();
      }
      return parameters;
    }

    /** Verification with public files alone. */
    Invocation verification() {
      return Invocation.verify(out);
    }

    /** Verification that recomputes everything. */
    Invocation fullVerification() {
      return verification().with("--vault", vault).with("--data", data).with("--request", request);
    }
  }

  /** The people's model, refined and certified. */
  static synchronized Release certified() {
    if (certified == null) {
      certified = unlearn(People.model(), People.table(), REQUEST, 0);
    }
    return certified;
  }

  /** Runs unlearn on Parquet data and expects an exit code. */
  static Release unlearn(Path model, Path data, String request, int expectedCode) {
    Path place = Places.directory("release");
    Release release =
        new Release(
            model,
            data,
            Places.write(place.resolve("request.yaml"), request),
            place.resolve("out"),
            place.resolve("vault"));
    Outcome outcome =
        Invocation.unlearn(model, data, release.request(), release.out(), release.vault()).run();
    assertThat(outcome.code()).as("%s", outcome).isEqualTo(expectedCode);
    return release;
  }

  static JsonNode json(Path file) {
    try {
      return new ObjectMapper().readTree(file.toFile());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
