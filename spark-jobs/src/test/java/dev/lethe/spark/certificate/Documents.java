package dev.lethe.spark.certificate;

import com.networknt.schema.JsonSchema;
import com.networknt.schema.JsonSchemaFactory;
import com.networknt.schema.SpecVersion;
import dev.lethe.core.certify.GammaRadiusNoise;
import dev.lethe.core.certify.GaussianNoise;
import dev.lethe.core.certify.LossPerturbation;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.time.Instant;
import java.util.List;
import java.util.Map;

/** Valid documents and the published schemas. */
final class Documents {
  static final String ID = "0f8fad5b-d9cb-469f-a165-70867728950e";
  static final String SHA = "ab".repeat(32);
  static final Software SOFTWARE = new Software("0.1.0", "4.1.0", "Vendor 17.0.1", "Linux amd64");
  static final ModelDigest MODEL = new ModelDigest("sha-256-tree", SHA);

  private Documents() {}

  static Scope scope() {
    return Scope.frozenFeaturizer(
        "refined", List.of("StringIndexerModel strIdx_0a1b"), List.of(1, 2), 4);
  }

  /** Figures that binary floating point does not hold exactly, and a grid step of 2^-54. */
  static Claim claim() {
    return new Claim(0.1, 1e-4, 1e-8, new GaussianNoise(2.3456789012345678e-7), 0x1p-54);
  }

  /** Two of the four parameters carry noise. */
  static Certificate pure() {
    return Certificate.certified(
        ID,
        "hr-2026-118",
        Instant.parse("2026-11-21T10:15:30Z"),
        new Claim(0.1, 1e-10, 1e-8, new GammaRadiusNoise(1.0000000000000001e-7, 2), 0x1p-54),
        scope(),
        MODEL,
        SOFTWARE);
  }

  static Certificate certified() {
    return Certificate.certified(
        ID,
        "hr-2026-118",
        Instant.parse("2026-11-21T10:15:30.123Z"),
        claim(),
        scope(),
        MODEL,
        SOFTWARE);
  }

  static Certificate conditional() {
    return Certificate.conditional(
        ID,
        "hr-2026-118",
        Instant.parse("2026-11-21T10:15:30Z"),
        LossPerturbation.calibrate(0.1, 1e-4, 0.3),
        scope(),
        MODEL,
        SOFTWARE);
  }

  static Certificate notCertified() {
    return Certificate.notCertified(
        ID,
        "hr-2026-118",
        Instant.parse("2026-11-21T10:15:30Z"),
        Reason.DISTANCE_NOT_PROVEN,
        scope(),
        MODEL,
        SOFTWARE);
  }

  static Evidence evidence() {
    return evidence(ID, new double[] {0.1, 0, -0.0, 1.0 / 3, -4.9e-324});
  }

  static Evidence evidence(String certificateId, double[] theta) {
    return new Evidence(
        3,
        certificateId,
        "hr-2026-118",
        Evidence.Digests.of(
            SHA,
            SHA,
            new ModelDigest(ModelDigest.OF_FILES, SHA),
            new DataDigest(SHA, 768),
            new DataDigest(SHA, 760)),
        new Evidence.Objective(
            "logistic",
            "lambda_j = W regParam",
            0.01,
            false,
            true,
            760,
            theta.length - 1,
            theta.length,
            760),
        "refined",
        "cg",
        theta,
        new int[] {1, 2},
        new int[] {2},
        new Evidence.AprioriBounds(27.5, 0.4, "second order"),
        new Evidence.Measurement(1.25e-11, 3e-13, 2.5e-9, "strong convexity", 1e-8, "measured"),
        List.of(
            new Evidence.Step(0, 38.4, null, 0, 1, 0.01),
            new Evidence.Step(1, 1.25e-11, 2.5e-9, 12, 13, 0.2)),
        new Evidence.Totals(14, 12, 0.21),
        new Evidence.Metrics(0.77, 0.83, null, 0.48, 154),
        new Evidence.Metrics(0.71, null, null, 0.58, 154),
        null,
        new Evidence.Inputs(
            "/models/m",
            "/data/d.csv",
            null,
            "csv",
            Map.of("header", "true"),
            null,
            "label",
            null,
            2,
            Map.of("dense", 700L, "binary", 68L)));
  }

  static JsonSchema schema(String name) {
    try (InputStream in =
        Documents.class.getResourceAsStream("/dev/lethe/schema/" + name + ".schema.json")) {
      return JsonSchemaFactory.getInstance(SpecVersion.VersionFlag.V202012).getSchema(in);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
