package dev.lethe.spark.certificate;

import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import dev.lethe.core.certify.GammaRadiusNoise;
import dev.lethe.core.certify.GaussianNoise;
import dev.lethe.core.certify.OutputNoise;
import dev.lethe.spark.InvalidInputException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * The public statement that comes with a published model.
 *
 * <p>It has no field for anything that depends on deleted data: residuals, steps, timings, old
 * coefficients and digests of data are in the {@link Evidence}.
 *
 * @param schemaVersion {@value #SCHEMA_VERSION}
 * @param certificateId a random UUID; the evidence has the same
 * @param requestId the id that the request gives itself
 * @param issuedAt UTC, whole seconds
 * @param verdict whether the guarantee holds
 * @param reason why nothing is claimed; null when certified
 * @param mechanism how the parameters were made public
 * @param epsilon of the claim; null when not certified, as are the figures that follow
 * @param delta of the claim
 * @param rho proven bound on {@code ||theta - theta*(D')||_2} before the noise
 * @param sigma standard deviation of Gaussian noise on every parameter; null for other noise
 * @param scale of gamma-radius noise, of density proportional to {@code exp(-||z||_2 / scale)};
 *     null for other noise
 * @param noisyParameters the dimension of gamma-radius noise: how many parameters carry it; null
 *     for other noise
 * @param gridStep every published parameter is a whole multiple of it
 * @param guarantee the claim and its comparator in words
 * @param method {@code first-order}, {@code second-order} or {@code refined}
 * @param covers what the guarantee extends to; empty when not certified
 * @param notCovered what it does not extend to
 * @param zeroCoefficients slots whose coefficient is exactly 0 because the request, or that of an
 *     earlier release of the model, removed them
 * @param parameters number p of published parameters, the intercept included where there is one
 * @param modelDigest of the published model's directory; of its parameters as long as it is in
 *     memory only
 * @param software versions that made the release
 */
@JsonPropertyOrder({
  "schemaVersion",
  "certificateId",
  "requestId",
  "issuedAt",
  "verdict",
  "reason",
  "mechanism",
  "epsilon",
  "delta",
  "rho",
  "sigma",
  "scale",
  "noisyParameters",
  "gridStep",
  "guarantee",
  "method",
  "covers",
  "notCovered",
  "zeroCoefficients",
  "parameters",
  "modelDigest",
  "software"
})
public record Certificate(
    int schemaVersion,
    String certificateId,
    String requestId,
    Instant issuedAt,
    Verdict verdict,
    @Nullable Reason reason,
    Mechanism mechanism,
    @Nullable Double epsilon,
    @Nullable Double delta,
    @Nullable Double rho,
    @Nullable Double sigma,
    @Nullable Double scale,
    @Nullable Integer noisyParameters,
    @Nullable Double gridStep,
    String guarantee,
    String method,
    List<String> covers,
    List<String> notCovered,
    List<Integer> zeroCoefficients,
    int parameters,
    ModelDigest modelDigest,
    Software software) {

  /** The version that this class writes; it reads version 1 as well, and writes it as it was. */
  public static final int SCHEMA_VERSION = 2;

  /** Fields that version 1 lacks. */
  private static final Set<String> SINCE_2 = Set.of("scale", "noisyParameters");

  static final List<String> METHODS = List.of("first-order", "second-order", "refined");

  private static final String GUARANTEE =
      "Whoever observes this release alone cannot tell it, beyond (epsilon, delta), from the"
          + " release of a model retrained from scratch on the corrected data, to the exact minimiser"
          + " of the same objective with the same featurizer, hyperparameters and rules, and published"
          + " with the same noise: for every set of outcomes S, P[this release in S] <= e^epsilon"
          + " P[that release in S] + delta, and with the two exchanged.";

  public Certificate {
    Require.that(
        schemaVersion == SCHEMA_VERSION || schemaVersion == 1,
        "schemaVersion must be 1 or " + SCHEMA_VERSION);
    Require.uuid(certificateId, "certificateId");
    Require.text(requestId, "requestId");
    issuedAt = Require.present(issuedAt, "issuedAt").truncatedTo(ChronoUnit.SECONDS);
    Require.present(verdict, "verdict");
    Require.present(mechanism, "mechanism");
    if (verdict == Verdict.CERTIFIED) {
      Require.that(reason == null, "reason must be null when the verdict is certified");
      Require.that(
          mechanism != Mechanism.NONE, "mechanism must not be none when the verdict is certified");
      Require.positive(epsilon, "epsilon of a certified release");
      Require.that(
          delta != null && delta > 0 && delta < 1,
          "delta of a certified release must be a number in (0, 1)");
      Require.positive(rho, "rho of a certified release");
      boolean gaussian = mechanism == Mechanism.GAUSSIAN_OUTPUT_NOISE;
      if (gaussian) {
        Require.positive(sigma, "sigma of gaussian-output-noise");
        Require.that(
            scale == null && noisyParameters == null,
            "scale and noisyParameters must be null with gaussian-output-noise");
      } else {
        Require.that(schemaVersion > 1, "mechanism must be gaussian-output-noise in version 1");
        Require.positive(scale, "scale of gamma-radius-output-noise");
        Require.that(
            noisyParameters != null && noisyParameters >= 0 && noisyParameters <= parameters,
            "noisyParameters of gamma-radius-output-noise must lie between 0 and parameters");
        Require.that(sigma == null, "sigma must be null with gamma-radius-output-noise");
      }
      Require.positive(gridStep, "gridStep of a certified release");
    } else {
      Require.present(reason, "reason of a release that is not certified");
      Require.that(
          mechanism == Mechanism.NONE, "mechanism must be none when the verdict is not-certified");
      Require.that(
          epsilon == null && delta == null && rho == null && gridStep == null,
          "epsilon, delta, rho and gridStep must be null when the verdict is not-certified");
      Require.that(
          sigma == null && scale == null && noisyParameters == null,
          "sigma, scale and noisyParameters must be null when the verdict is not-certified");
    }
    Require.that(
        (verdict == Verdict.CERTIFIED ? GUARANTEE : none(reason)).equals(guarantee),
        "guarantee must be the text that this version of Lethe gives for the verdict");
    Require.that(
        METHODS.contains(Require.present(method, "method")), "method must be one of " + METHODS);
    covers = List.copyOf(Require.present(covers, "covers"));
    Require.that(
        (verdict == Verdict.CERTIFIED) != covers.isEmpty(),
        "covers must name something when the verdict is certified and nothing otherwise");
    notCovered = List.copyOf(Require.present(notCovered, "notCovered"));
    zeroCoefficients = List.copyOf(Require.present(zeroCoefficients, "zeroCoefficients"));
    Require.that(parameters > 0, "parameters must be at least 1");
    int previous = -1;
    for (int slot : zeroCoefficients) {
      Require.that(
          slot > previous && slot < parameters,
          "zeroCoefficients must be strictly ascending slots below parameters");
      previous = slot;
    }
    Require.present(modelDigest, "modelDigest");
    Require.present(software, "software");
  }

  private static String none(@Nullable Reason reason) {
    return reason == null ? "" : "None: " + reason.text() + ".";
  }

  /** A random UUID for {@link #certificateId}, from a cryptographic generator. */
  public static String newId() {
    return UUID.randomUUID().toString();
  }

  /** A certificate that claims the guarantee. */
  public static Certificate certified(
      String certificateId,
      String requestId,
      Instant issuedAt,
      Claim claim,
      Scope scope,
      ModelDigest modelDigest,
      Software software) {
    return new Certificate(
        SCHEMA_VERSION,
        certificateId,
        requestId,
        issuedAt,
        Verdict.CERTIFIED,
        null,
        claim.mechanism(),
        claim.epsilon(),
        claim.delta(),
        claim.rho(),
        claim.sigma(),
        claim.scale(),
        claim.noisyParameters(),
        claim.gridStep(),
        GUARANTEE,
        scope.method(),
        scope.covers(),
        scope.notCovered(),
        scope.zeroCoefficients(),
        scope.parameters(),
        modelDigest,
        software);
  }

  /** A certificate that claims nothing and says why. */
  public static Certificate notCertified(
      String certificateId,
      String requestId,
      Instant issuedAt,
      Reason reason,
      Scope scope,
      ModelDigest modelDigest,
      Software software) {
    return new Certificate(
        SCHEMA_VERSION,
        certificateId,
        requestId,
        issuedAt,
        Verdict.NOT_CERTIFIED,
        reason,
        Mechanism.NONE,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        none(reason),
        scope.method(),
        List.of(),
        scope.notCovered(),
        scope.zeroCoefficients(),
        scope.parameters(),
        modelDigest,
        software);
  }

  /** The figures of a certified release; null for one that is not. */
  public @Nullable Claim claim() {
    if (epsilon == null || delta == null || rho == null || gridStep == null) {
      return null;
    }
    OutputNoise noise =
        scale == null || noisyParameters == null
            ? new GaussianNoise(Require.present(sigma, "sigma"))
            : new GammaRadiusNoise(scale, noisyParameters);
    return new Claim(epsilon, delta, rho, noise, gridStep);
  }

  /** The same claim about the model in a directory. */
  public Certificate ofSaved(ModelDigest directory) {
    return new Certificate(
        schemaVersion,
        certificateId,
        requestId,
        issuedAt,
        verdict,
        reason,
        mechanism,
        epsilon,
        delta,
        rho,
        sigma,
        scale,
        noisyParameters,
        gridStep,
        guarantee,
        method,
        covers,
        notCovered,
        zeroCoefficients,
        parameters,
        directory,
        software);
  }

  /** The document as UTF-8 JSON, fields in the order above. */
  public byte[] toJson() {
    return JsonDocument.write(this, schemaVersion == 1 ? SINCE_2 : Set.of());
  }

  /**
   * Reads the certificate of a saved model.
   *
   * @param source the file, for messages
   * @throws InvalidInputException if the document breaks the schema or contradicts itself, or is of
   *     a model that was not saved with it
   */
  public static Certificate read(byte[] json, String source) {
    Certificate certificate =
        JsonDocument.read(json, Certificate.class, SCHEMA_VERSION, SINCE_2, source);
    if (!certificate.modelDigest.algorithm().equals(ModelDigest.OF_FILES)) {
      throw new InvalidInputException(
          source
              + ": modelDigest.algorithm is "
              + certificate.modelDigest.algorithm()
              + ": the certificate is of a model in memory; saving the release writes the one of its"
              + " files");
    }
    return certificate;
  }
}
