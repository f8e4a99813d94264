package dev.lethe.spark.certificate;

import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import dev.lethe.core.certify.GammaRadiusNoise;
import dev.lethe.core.certify.GaussianNoise;
import dev.lethe.core.certify.LossPerturbation;
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
 * @param reason why nothing is claimed; null when certified or conditional
 * @param mechanism how the parameters were made public
 * @param epsilon of the claim; null when not certified, as are the figures that follow
 * @param delta of the claim
 * @param rho proven bound on {@code ||theta - theta*(D')||_2} before the noise
 * @param sigma standard deviation of Gaussian noise on every parameter, or of every coordinate of a
 *     loss perturbation; null for other noise
 * @param scale of gamma-radius noise, of density proportional to {@code exp(-||z||_2 / scale)};
 *     null for other noise
 * @param noisyParameters the dimension of gamma-radius noise: how many parameters carry it; null
 *     for other noise
 * @param residual r of a loss perturbation: proven bound on {@code ||grad L_b(theta; D')||_2}, sum
 *     form; null for output noise
 * @param assumption what the claim of a loss perturbation rests on; null for output noise
 * @param gridStep every published parameter is a whole multiple of it
 * @param guarantee the claim and its comparator in words
 * @param method {@code first-order}, {@code second-order} or {@code refined}
 * @param covers what the guarantee extends to; empty when nothing is claimed
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
  "residual",
  "assumption",
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
    @Nullable Double residual,
    @Nullable String assumption,
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
  private static final Set<String> SINCE_2 =
      Set.of("scale", "noisyParameters", "residual", "assumption");

  static final List<String> METHODS = List.of("first-order", "second-order", "refined");

  private static final String GUARANTEE =
      "Whoever observes this release alone cannot tell it, beyond (epsilon, delta), from the"
          + " release of a model retrained from scratch on the corrected data, to the exact minimiser"
          + " of the same objective with the same featurizer, hyperparameters and rules, and published"
          + " with the same noise: for every set of outcomes S, P[this release in S] <= e^epsilon"
          + " P[that release in S] + delta, and with the two exchanged.";

  private static final String CONDITIONAL_GUARANTEE =
      "Under an assumption: if the residual of the solver were independent of b, whoever observes"
          + " this release alone could not tell it, beyond (epsilon, delta), from the exact minimiser"
          + " on the corrected data of the same objective with the same featurizer, hyperparameters"
          + " and rules and a linear term b drawn anew from the same law. The residual of a solver is"
          + " a function of b, and the true delta can then be far larger: loss perturbation is there for"
          + " comparison with output noise, which needs no such assumption.";

  public Certificate {
    Require.that(
        schemaVersion == SCHEMA_VERSION || schemaVersion == 1,
        "schemaVersion must be 1 or " + SCHEMA_VERSION);
    Require.uuid(certificateId, "certificateId");
    Require.text(requestId, "requestId");
    issuedAt = Require.present(issuedAt, "issuedAt").truncatedTo(ChronoUnit.SECONDS);
    Require.present(verdict, "verdict");
    Require.present(mechanism, "mechanism");
    Require.that(
        (verdict == Verdict.CONDITIONAL) == (mechanism == Mechanism.LOSS_PERTURBATION),
        "mechanism must be loss-perturbation when the verdict is conditional, and only then");
    if (verdict == Verdict.CONDITIONAL) {
      Require.that(schemaVersion > 1, "verdict must not be conditional in version 1");
      Require.that(reason == null, "reason must be null when the verdict is conditional");
      Require.positive(epsilon, "epsilon of loss-perturbation");
      Require.that(
          delta != null && delta > 0 && delta < 1,
          "delta of loss-perturbation must be a number in (0, 1)");
      Require.positive(sigma, "sigma of loss-perturbation");
      Require.positive(residual, "residual of loss-perturbation");
      Require.that(
          LossPerturbation.ASSUMPTION.equals(assumption),
          "assumption of loss-perturbation must be \"" + LossPerturbation.ASSUMPTION + "\"");
      Require.that(
          rho == null && scale == null && noisyParameters == null && gridStep == null,
          "rho, scale, noisyParameters and gridStep must be null with loss-perturbation");
    } else {
      Require.that(
          residual == null && assumption == null,
          "residual and assumption must be null but with loss-perturbation");
    }
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
    } else if (verdict == Verdict.NOT_CERTIFIED) {
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
        guarantee(verdict, reason).equals(guarantee),
        "guarantee must be the text that this version of Lethe gives for the verdict");
    Require.that(
        METHODS.contains(Require.present(method, "method")), "method must be one of " + METHODS);
    covers = List.copyOf(Require.present(covers, "covers"));
    Require.that(
        (verdict == Verdict.NOT_CERTIFIED) == covers.isEmpty(),
        "covers must name nothing when the verdict is not-certified, and something otherwise");
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

  private static String guarantee(Verdict verdict, @Nullable Reason reason) {
    return switch (verdict) {
      case CERTIFIED -> GUARANTEE;
      case CONDITIONAL -> CONDITIONAL_GUARANTEE;
      case NOT_CERTIFIED -> none(reason);
    };
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
        null,
        null,
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

  /** A certificate of a model under loss perturbation, whose claim rests on an assumption. */
  public static Certificate conditional(
      String certificateId,
      String requestId,
      Instant issuedAt,
      LossPerturbation perturbation,
      Scope scope,
      ModelDigest modelDigest,
      Software software) {
    return new Certificate(
        SCHEMA_VERSION,
        certificateId,
        requestId,
        issuedAt,
        Verdict.CONDITIONAL,
        null,
        Mechanism.LOSS_PERTURBATION,
        perturbation.epsilon(),
        perturbation.delta(),
        null,
        perturbation.sigma(),
        null,
        null,
        perturbation.residual(),
        LossPerturbation.ASSUMPTION,
        null,
        CONDITIONAL_GUARANTEE,
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

  /** The figures of a certified release; null for one that is not, or only conditionally. */
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

  /** The figures of a release under loss perturbation; null for another. */
  public @Nullable PerturbationClaim perturbation() {
    return epsilon == null || delta == null || residual == null || sigma == null
        ? null
        : new PerturbationClaim(epsilon, delta, residual, sigma);
  }

  /** The same claim about the model in a directory. */
  public Certificate ofSaved(ModelDigest directory) {
    return ofSaved(directory, certificateId);
  }

  /** The same under an id that was fixed before. */
  public Certificate ofSaved(ModelDigest directory, String id) {
    return new Certificate(
        schemaVersion,
        id,
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
        residual,
        assumption,
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
