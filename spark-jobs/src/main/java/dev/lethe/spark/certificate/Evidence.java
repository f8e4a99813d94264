package dev.lethe.spark.certificate;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import dev.lethe.spark.InvalidInputException;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What was measured while a certificate was made. Confidential: residuals, timings, un-noised
 * parameters and digests depend on deleted data. It is written into a {@link Vault} only.
 *
 * @param schemaVersion {@value #SCHEMA_VERSION}
 * @param certificateId of the certificate that this proves
 * @param requestId the id that the request gives itself
 * @param digests keyed digests of what was read
 * @param objective what was minimised
 * @param method {@code first-order}, {@code second-order} or {@code refined}
 * @param solver of the linear systems
 * @param unnoisedParameters theta before the noise, shape (p): coefficients, then the intercept
 *     where there is one
 * @param fixedCoordinates coordinates held at 0, strictly ascending
 * @param removedEarlier coordinates that an earlier release of the model removed, strictly
 *     ascending, all among {@code fixedCoordinates}
 * @param aprioriBounds what was known of the first step before it was measured; null in version 1
 * @param measurement of the last pass
 * @param steps one an update, in order
 * @param totals over the whole run
 * @param metricsBefore of the old model on the test data; null without test data
 * @param metricsAfter of the published model on the test data; null without test data
 * @param rowChanges what a join of two tables by key found; null without one
 * @param inputs where everything was read
 */
@JsonPropertyOrder({
  "schemaVersion",
  "certificateId",
  "requestId",
  "digests",
  "objective",
  "method",
  "solver",
  "unnoisedParameters",
  "fixedCoordinates",
  "removedEarlier",
  "aprioriBounds",
  "measurement",
  "steps",
  "totals",
  "metricsBefore",
  "metricsAfter",
  "rowChanges",
  "inputs"
})
@SuppressWarnings("ArrayRecordComponent") // Up to millions of parameters; copied on the way in.
public record Evidence(
    int schemaVersion,
    String certificateId,
    String requestId,
    Digests digests,
    Objective objective,
    String method,
    String solver,
    double[] unnoisedParameters,
    int[] fixedCoordinates,
    int[] removedEarlier,
    AprioriBounds aprioriBounds,
    Measurement measurement,
    List<Step> steps,
    Totals totals,
    @Nullable Metrics metricsBefore,
    @Nullable Metrics metricsAfter,
    @Nullable RowChanges rowChanges,
    Inputs inputs) {

  /** The version that this class writes and reads. */
  public static final int SCHEMA_VERSION = 3;

  public Evidence {
    Require.that(schemaVersion == SCHEMA_VERSION, "schemaVersion must be " + SCHEMA_VERSION);
    Require.present(aprioriBounds, "aprioriBounds");
    Require.uuid(certificateId, "certificateId");
    Require.text(requestId, "requestId");
    Require.present(digests, "digests");
    Require.present(objective, "objective");
    Require.that(
        Certificate.METHODS.contains(Require.present(method, "method")),
        "method must be one of " + Certificate.METHODS);
    Require.text(solver, "solver");
    unnoisedParameters = Require.present(unnoisedParameters, "unnoisedParameters").clone();
    Require.that(
        unnoisedParameters.length == objective.p(),
        "unnoisedParameters must have objective.p entries");
    for (double value : unnoisedParameters) {
      Require.that(Double.isFinite(value), "unnoisedParameters must be finite numbers");
    }
    fixedCoordinates = Require.present(fixedCoordinates, "fixedCoordinates").clone();
    int previous = -1;
    for (int j : fixedCoordinates) {
      Require.that(
          j > previous && j < objective.p(),
          "fixedCoordinates must be strictly ascending and below objective.p");
      previous = j;
      Require.that(
          unnoisedParameters[j] == 0, "unnoisedParameters must be 0 at every fixed coordinate");
    }
    removedEarlier = Require.present(removedEarlier, "removedEarlier").clone();
    previous = -1;
    for (int j : removedEarlier) {
      Require.that(
          j > previous && Arrays.binarySearch(fixedCoordinates, j) >= 0,
          "removedEarlier must be strictly ascending and among fixedCoordinates");
      previous = j;
    }
    Require.present(measurement, "measurement");
    Require.that(
        measurement.isBounded() == (digests.correctedData() == null),
        "digests.correctedData must be there unless measurement.basis is bounded");
    steps = List.copyOf(Require.present(steps, "steps"));
    for (int i = 1; i < steps.size(); i++) {
      Require.that(
          steps.get(i).step() > steps.get(i - 1).step(), "steps must be in ascending order");
    }
    Require.present(totals, "totals");
    Require.present(inputs, "inputs");
  }

  /** A copy. */
  @Override
  public double[] unnoisedParameters() {
    return unnoisedParameters.clone();
  }

  /** A copy. */
  @Override
  public int[] fixedCoordinates() {
    return fixedCoordinates.clone();
  }

  /** A copy. */
  @Override
  public int[] removedEarlier() {
    return removedEarlier.clone();
  }

  /** Says nothing of the contents: an evidence must not reach a log by its name. */
  @Override
  public String toString() {
    return "Evidence[" + certificateId + "]";
  }

  byte[] toJson() {
    return JsonDocument.write(this);
  }

  /**
   * Reads an evidence document.
   *
   * @param source the file, for messages
   * @throws InvalidInputException if the document breaks the schema or contradicts itself
   */
  public static Evidence read(byte[] json, String source) {
    return JsonDocument.read(json, Evidence.class, SCHEMA_VERSION, null, source);
  }

  /**
   * Keyed digests under the key of the vault, see {@link DataDigest} and {@link KeyedDigest}.
   *
   * @param algorithm {@value #ALGORITHM}
   * @param request of the request's canonical form
   * @param certificate of the certificate as {@link Certificate#toJson} writes it
   * @param model of the old model's directory, not keyed
   * @param data of the original examples, as the published featurizer maps them; null when only
   *     corrected data was read, or the featurizer was fitted again
   * @param correctedData of the corrected examples, removed slots 0; null where they were not all
   *     read, and the measurement is a bound
   */
  @JsonPropertyOrder({"algorithm", "request", "certificate", "model", "data", "correctedData"})
  public record Digests(
      String algorithm,
      String request,
      String certificate,
      ModelDigest model,
      @Nullable DataDigest data,
      @Nullable DataDigest correctedData) {
    static final String ALGORITHM = "hmac-sha-256";

    public Digests {
      Require.that(ALGORITHM.equals(algorithm), "digests.algorithm must be " + ALGORITHM);
      Require.sha256(request, "digests.request");
      Require.sha256(certificate, "digests.certificate");
      Require.present(model, "digests.model");
    }

    public static Digests of(
        String request,
        String certificate,
        ModelDigest model,
        @Nullable DataDigest data,
        @Nullable DataDigest correctedData) {
      return new Digests(ALGORITHM, request, certificate, model, data, correctedData);
    }

    /** The digest of a request from its canonical form. */
    public static String ofRequest(byte[] canonical, VaultKey key) {
      return key.digest("request", canonical);
    }

    /** The digest of a certificate, however its file is laid out. */
    public static String ofCertificate(Certificate certificate, VaultKey key) {
      return key.digest("certificate", certificate.toJson());
    }
  }

  /**
   * The objective on the corrected data, sum form.
   *
   * @param loss for example {@code logistic}
   * @param lambdaRule how lambda'_j follows from regParam, in words
   * @param regParam Spark ML's, of the mean form
   * @param standardization whether the penalty is on standardised coefficients
   * @param fitIntercept whether there is an intercept
   * @param n rows of the corrected data
   * @param d features
   * @param p parameters: d, and one more for the intercept, for each margin; and the scalars
   * @param totalWeight sum of the row weights, W
   */
  @JsonPropertyOrder({
    "loss",
    "lambdaRule",
    "regParam",
    "standardization",
    "fitIntercept",
    "n",
    "d",
    "p",
    "totalWeight"
  })
  public record Objective(
      String loss,
      String lambdaRule,
      double regParam,
      boolean standardization,
      boolean fitIntercept,
      long n,
      int d,
      int p,
      double totalWeight) {
    public Objective {
      Require.text(loss, "objective.loss");
      Require.text(lambdaRule, "objective.lambdaRule");
      Require.nonNegative(regParam, "objective.regParam");
      Require.that(n > 0, "objective.n must be at least 1");
      Require.count(d, "objective.d");
      Require.that(p > 0, "objective.p must be at least 1");
      Require.positive(totalWeight, "objective.totalWeight");
    }
  }

  /**
   * Bounds that were known of the first step, by the run's method, before the pass that measured
   * it.
   *
   * @param dataNorm an upper bound of {@code ||W^(1/2) X'||_2}; null when none was computed
   * @param residualNorm an upper bound of {@code ||g||_2} after step 1, as {@code
   *     steps[1].residualNorm} measures it; null when there is none
   * @param rule the formula, or why there is none
   */
  @JsonPropertyOrder({"dataNorm", "residualNorm", "rule"})
  public record AprioriBounds(
      @Nullable Double dataNorm, @Nullable Double residualNorm, String rule) {
    public AprioriBounds {
      if (dataNorm != null) {
        Require.nonNegative(dataNorm, "aprioriBounds.dataNorm");
      }
      if (residualNorm != null) {
        Require.nonNegative(residualNorm, "aprioriBounds.residualNorm");
      }
      Require.text(rule, "aprioriBounds.rule");
    }
  }

  /**
   * What the last pass measured at the un-noised parameters.
   *
   * @param gradientNorm {@code ||g||_2} of the sum form, as computed
   * @param roundingBound proven bound on the 2-norm of (computed - exact) gradient
   * @param distanceBound proven bound on {@code ||theta - theta*(D')||_2}; null when none is proven
   * @param distanceRule the rule that proved it, or why none applies
   * @param rho the target of the distance bound; null when the request asks for no certificate
   * @param basis {@value #MEASURED}, or {@value #BOUNDED} where a kept state stood for the pass:
   *     gradientNorm is then that of the quadratic model, and roundingBound also bounds what the
   *     model leaves out
   */
  @JsonPropertyOrder({
    "gradientNorm",
    "roundingBound",
    "distanceBound",
    "distanceRule",
    "rho",
    "basis"
  })
  public record Measurement(
      double gradientNorm,
      double roundingBound,
      @Nullable Double distanceBound,
      String distanceRule,
      @Nullable Double rho,
      String basis) {
    public static final String MEASURED = "measured";
    public static final String BOUNDED = "bounded";

    public Measurement {
      Require.that(
          MEASURED.equals(basis) || BOUNDED.equals(basis),
          "measurement.basis must be " + MEASURED + " or " + BOUNDED);
      Require.nonNegative(gradientNorm, "measurement.gradientNorm");
      Require.nonNegative(roundingBound, "measurement.roundingBound");
      if (distanceBound != null) {
        Require.nonNegative(distanceBound, "measurement.distanceBound");
      }
      Require.text(distanceRule, "measurement.distanceRule");
      if (rho != null) {
        Require.positive(rho, "measurement.rho");
      }
    }

    /** Whether a kept state stood for the pass. */
    @JsonIgnore
    public boolean isBounded() {
      return BOUNDED.equals(basis);
    }
  }

  /**
   * One update of the parameters.
   *
   * @param step 0 is the start, before any update
   * @param residualNorm {@code ||g||_2} after the step
   * @param distanceBound proven after the step; null when none
   * @param hessianVectorProducts computed in the step
   * @param passes over the data in the step
   * @param seconds wall clock
   */
  @JsonPropertyOrder({
    "step",
    "residualNorm",
    "distanceBound",
    "hessianVectorProducts",
    "passes",
    "seconds"
  })
  public record Step(
      int step,
      double residualNorm,
      @Nullable Double distanceBound,
      long hessianVectorProducts,
      long passes,
      double seconds) {
    public Step {
      Require.count(step, "step");
      Require.nonNegative(residualNorm, "residualNorm");
      if (distanceBound != null) {
        Require.nonNegative(distanceBound, "distanceBound");
      }
      Require.count(hessianVectorProducts, "hessianVectorProducts");
      Require.count(passes, "passes");
      Require.nonNegative(seconds, "seconds");
    }
  }

  /**
   * Cost of the run.
   *
   * @param passes over the corrected data that the update made: gradients, Hessian-vector products,
   *     Gram matrices; reading, matching and digesting are not counted
   * @param hessianVectorProducts computed
   * @param seconds wall clock of everything up to this document
   */
  @JsonPropertyOrder({"passes", "hessianVectorProducts", "seconds"})
  public record Totals(long passes, long hessianVectorProducts, double seconds) {
    public Totals {
      Require.count(passes, "totals.passes");
      Require.count(hessianVectorProducts, "totals.hessianVectorProducts");
      Require.nonNegative(seconds, "totals.seconds");
    }
  }

  /**
   * Quality on the test data.
   *
   * @param accuracy of a classifier, in [0, 1]; null for a regression
   * @param areaUnderROC of a binary classifier, in [0, 1]; null when the test data has one class
   *     only
   * @param rootMeanSquaredError of a regression's predictions; null for a classifier
   * @param meanLoss mean of the model's loss over the rows, without penalty
   * @param n rows of the test data
   */
  @JsonPropertyOrder({"accuracy", "areaUnderROC", "rootMeanSquaredError", "meanLoss", "n"})
  public record Metrics(
      @Nullable Double accuracy,
      @Nullable Double areaUnderROC,
      @Nullable Double rootMeanSquaredError,
      double meanLoss,
      long n) {
    public Metrics {
      Require.that(
          accuracy == null || (accuracy >= 0 && accuracy <= 1),
          "accuracy must be a number in [0, 1]");
      Require.that(
          rootMeanSquaredError == null || rootMeanSquaredError >= 0,
          "rootMeanSquaredError must be a number of at least 0");
      Require.that(
          areaUnderROC == null || (areaUnderROC >= 0 && areaUnderROC <= 1),
          "areaUnderROC must be a number in [0, 1]");
      Require.that(Double.isFinite(meanLoss), "meanLoss must be a finite number");
      Require.that(n > 0, "n must be at least 1");
    }
  }

  /**
   * Rows that differ between two tables that were joined by a key.
   *
   * @param added rows that the original table lacks
   * @param removed rows that the corrected table lacks
   * @param changed rows of both that differ; with corrected rows alone, those that they overwrite
   */
  @JsonPropertyOrder({"added", "removed", "changed"})
  public record RowChanges(long added, long removed, long changed) {
    public RowChanges {
      Require.count(added, "rowChanges.added");
      Require.count(removed, "rowChanges.removed");
      Require.count(changed, "rowChanges.changed");
    }
  }

  /**
   * Where everything was read. Credentials are taken out on construction: option values whose key
   * looks like a secret, user info and query strings of paths.
   *
   * @param model path of the old model
   * @param data path of the original data; null when only corrected data was read
   * @param corrected path of the corrected data; null when it was computed from the original
   * @param format of the data (of the corrected data if they alone were read), as Spark names it
   * @param options of its reader
   * @param join the second table, if there were two; else null
   * @param labelColumn name
   * @param weightColumn name; null when all rows weigh 1
   * @param partitions of the cached data
   * @param storage how many of the cached rows are stored how; null where none were
   */
  @JsonPropertyOrder({
    "model",
    "data",
    "corrected",
    "format",
    "options",
    "join",
    "labelColumn",
    "weightColumn",
    "partitions",
    "storage"
  })
  public record Inputs(
      String model,
      @Nullable String data,
      @Nullable String corrected,
      String format,
      Map<String, String> options,
      @Nullable Join join,
      String labelColumn,
      @Nullable String weightColumn,
      int partitions,
      @Nullable Map<String, Long> storage) {
    static final String REDACTED = "[redacted]";

    private static final Pattern SECRET_KEY =
        Pattern.compile(
            "(?i)secret|passw|pwd|token|credential|signature|auth|account[._-]?key"
                + "|(access|api|private|shared|encryption|storage)[._-]?key|\\bsas\\b");
    private static final Pattern USER_INFO = Pattern.compile("(?<=://)[^/@]*:[^/@]*@");
    private static final Pattern HTTP_QUERY = Pattern.compile("(?<=^https?://.{1,4096}[?]).*");
    private static final Pattern JDBC_REST = Pattern.compile("(?<=^jdbc:[a-z0-9]{1,32}:).*");

    public Inputs {
      model = redact(Require.text(model, "inputs.model"));
      data = data == null ? null : redact(data);
      corrected = corrected == null ? null : redact(corrected);
      Require.that(
          data != null || corrected != null, "inputs.data or inputs.corrected must be given");
      Require.text(format, "inputs.format");
      options = redact(options, "inputs.options");
      Require.that(
          join == null || (data != null && (corrected == null) == (join.corrections() != null)),
          "inputs.join must be of inputs.data with either inputs.corrected or corrections");
      Require.text(labelColumn, "inputs.labelColumn");
      Require.that(partitions > 0, "inputs.partitions must be at least 1");
      storage = storage == null ? null : Collections.unmodifiableSortedMap(new TreeMap<>(storage));
    }

    private static Map<String, String> redact(Map<String, String> options, String name) {
      TreeMap<String, String> kept = new TreeMap<>();
      Require.present(options, name)
          .forEach(
              (key, value) ->
                  kept.put(
                      key,
                      SECRET_KEY.matcher(key).find()
                          ? REDACTED
                          : redact(Require.present(value, name + "." + key))));
      return Collections.unmodifiableSortedMap(kept);
    }

    private static String redact(String path) {
      String withoutUser = USER_INFO.matcher(path).replaceFirst("");
      String withoutQuery = HTTP_QUERY.matcher(withoutUser).replaceFirst(REDACTED);
      return JDBC_REST.matcher(withoutQuery).replaceFirst(REDACTED);
    }
  }

  /**
   * A second table, joined to the data by a key. Credentials are taken out as in {@link Inputs}.
   *
   * @param key columns of both tables
   * @param corrections path of the corrected rows; null if the second table is {@code
   *     inputs.corrected}
   * @param format of the second table
   * @param options of its reader
   */
  @JsonPropertyOrder({"key", "corrections", "format", "options"})
  public record Join(
      List<String> key, @Nullable String corrections, String format, Map<String, String> options) {
    public Join {
      key = List.copyOf(Require.present(key, "inputs.join.key"));
      Require.that(!key.isEmpty(), "inputs.join.key must name a column");
      corrections = corrections == null ? null : Inputs.redact(corrections);
      Require.text(format, "inputs.join.format");
      options = Inputs.redact(options, "inputs.join.options");
    }
  }
}
