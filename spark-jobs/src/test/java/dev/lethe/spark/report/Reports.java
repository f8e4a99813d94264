package dev.lethe.spark.report;

import dev.lethe.core.certify.GaussianNoise;
import dev.lethe.core.model.ParameterLayout;
import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Claim;
import dev.lethe.spark.certificate.DataDigest;
import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.certificate.ModelDigest;
import dev.lethe.spark.certificate.Reason;
import dev.lethe.spark.certificate.Scope;
import dev.lethe.spark.certificate.Software;
import dev.lethe.spark.request.Change;
import dev.lethe.spark.request.FeatureRef;
import dev.lethe.spark.request.Method;
import dev.lethe.spark.request.Request;
import java.time.Instant;
import java.util.List;
import java.util.Map;

/** A made-up release; every confidential figure of it occurs nowhere else. */
final class Reports {
  static final String ID = "0f8fad5b-d9cb-469f-a165-70867728950e";
  static final String HOSTILE = "<script>alert('x')</script>\"&\u202e";
  static final String CONDITION = "user_id = 'u-4711'";
  static final double[] RESIDUALS = {
    38417.3, 5231.9, 417.77, 22.613, 0.81937, 7.5353e-4, 3.3779e-8
  };
  static final double LAST_DISTANCE = 1.5913e-10;

  private static final Double[] DISTANCES = {
    null, null, null, null, null, 1.3901e-5, LAST_DISTANCE
  };

  private static final String SHA = "ab".repeat(32);
  private static final Instant ISSUED = Instant.parse("2026-11-21T10:15:30Z");
  private static final ModelDigest MODEL = new ModelDigest(ModelDigest.OF_FILES, SHA);
  private static final Software SOFTWARE =
      new Software("0.1.0", "4.1.0", "Vendor 17.0.1", "Linux amd64");
  private static final ParameterLayout LAYOUT = new ParameterLayout(6, true, 1, 0);
  private static final String[] NAMES = {"age", HOSTILE, "race_r0", "race_r1", "hours", null};

  private Reports() {}

  private static Scope scope() {
    return Scope.frozenFeaturizer(
        "refined", List.of("StringIndexerModel strIdx_" + HOSTILE), List.of(2, 3), 7);
  }

  static Certificate certified() {
    return Certificate.certified(
        ID,
        "hr-2026-118 " + HOSTILE,
        ISSUED,
        new Claim(0.1, 1e-4, 1e-8, new GaussianNoise(2.45e-7), 0x1p-54),
        scope(),
        MODEL,
        SOFTWARE);
  }

  static Certificate notCertified(int parameters, List<Integer> zeros) {
    return Certificate.notCertified(
        ID,
        "hr-2026-118",
        ISSUED,
        Reason.DISTANCE_NOT_PROVEN,
        Scope.frozenFeaturizer("refined", List.of(), zeros, parameters),
        MODEL,
        SOFTWARE);
  }

  static Evidence evidence() {
    List<Evidence.Step> steps =
        java.util.stream.IntStream.range(0, RESIDUALS.length)
            .mapToObj(i -> new Evidence.Step(i, RESIDUALS[i], DISTANCES[i], i, i + 1, 0.0371 + i))
            .toList();
    return new Evidence(
        Evidence.SCHEMA_VERSION,
        ID,
        "hr-2026-118 " + HOSTILE,
        Evidence.Digests.of(
            "cd".repeat(32),
            "ef".repeat(32),
            MODEL,
            new DataDigest("01".repeat(32), 48731),
            new DataDigest("23".repeat(32), 48611)),
        new Evidence.Objective(
            "logistic", "lambda_j = W regParam", 0.017, false, true, 48611, 6, 7, 48611),
        "refined",
        "cg",
        new double[] {0.51137, -1.2373, 0, 0, -0.33391, 0.071173, -2.7137},
        new int[] {2, 3},
        new int[] {},
        new Evidence.AprioriBounds(271.83, 91277.7, "||g_1|| <= a bound"),
        new Evidence.Measurement(
            3.3779e-8, 6.1337e-10, LAST_DISTANCE, "strong convexity", 1e-8, "measured"),
        steps,
        new Evidence.Totals(28, 21, 11.317),
        new Evidence.Metrics(0.75973, 0.81371, null, 0.49743, 15391),
        new Evidence.Metrics(0.73377, 0.77023, null, 0.54419, 15391),
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
            Map.of("dense", 48611L)));
  }

  static Request request() {
    return new Request(
        "hr-2026-118",
        List.of(
            new Change.RemoveFeatures(List.of(FeatureRef.ofColumn("race"))),
            new Change.RemoveRows(CONDITION)),
        null,
        Method.REFINED,
        null);
  }

  static NamedParameters before() {
    return NamedParameters.of(
        LAYOUT,
        NAMES,
        new double[] {0.47119, -1.1117, 0.27183, -0.61803, -0.35353, 0.066601, -2.4331});
  }

  static NamedParameters published() {
    return NamedParameters.of(
        LAYOUT, NAMES, new double[] {0.51138, -1.2374, 0, 0, -0.33392, 0.071174, -2.7138});
  }

  static Report confidential() {
    return Report.confidential(certified(), evidence(), request(), before(), published());
  }

  static Report redacted() {
    return Report.redacted(certified(), published());
  }
}
