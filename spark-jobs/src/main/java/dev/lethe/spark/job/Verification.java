package dev.lethe.spark.job;

import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Check;
import dev.lethe.spark.certificate.ClaimCheck;
import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.certificate.Mechanism;
import dev.lethe.spark.certificate.ModelDigest;
import dev.lethe.spark.certificate.Perturbation;
import dev.lethe.spark.certificate.VaultKey;
import dev.lethe.spark.request.FeaturizerPolicy;
import dev.lethe.spark.request.Request;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * Checks a certificate: what {@code lethe verify} and the Java API do. Uses the published model,
 * the evidence and the data; no solver and no update.
 *
 * @param published the model that the certificate came with
 * @param digest of that model, as it is now
 * @param confidential the evidence and the data, or null for the public checks alone
 */
public record Verification(
    SparkSession spark,
    Certificate certificate,
    LoadedModel published,
    ModelDigest digest,
    @Nullable Confidential confidential) {

  /**
   * What is checked beside the public claims.
   *
   * @param key of the evidence's digests
   * @param tables the data, before or after or both
   * @param label the table's label column, or null for the evidence's
   * @param request what was forgotten, or null
   * @param requestName names the request, for messages
   * @param original the old model, with {@code request}, or null
   * @param earlier what an earlier release removed from the old model
   * @param secret of a model that was trained with loss perturbation; null for another
   * @param partitions 0 for the source's own
   */
  public record Confidential(
      VaultKey key,
      Evidence evidence,
      GivenTables tables,
      @Nullable String label,
      @Nullable Request request,
      String requestName,
      @Nullable LoadedModel original,
      EarlierRelease earlier,
      @Nullable Secret secret,
      int partitions) {}

  /**
   * What the vault has of a model that was trained with loss perturbation.
   *
   * @param release the certificate of the release that used it up; null if none did
   */
  public record Secret(Perturbation perturbation, @Nullable String release) {}

  /** Runs the checks. */
  public VerifyJob.Result run(Progress progress) {
    double[] theta = published.linear().parameters();
    List<Check> checks =
        new ArrayList<>(
            ClaimCheck.check(
                certificate,
                digest,
                theta,
                published.linear().layout(),
                claim -> ClaimRules.required(claim, theta.length)));
    if (certificate.claim() != null) {
      checks.add(ClaimRules.followFromTerms(certificate.claim(), theta.length));
    }
    if (certificate.perturbation() != null) {
      checks.addAll(certificate.perturbation().checks());
    }
    if (certificate.perturbation() != null || published.linear().isPerturbed()) {
      checks.add(mechanism());
    }
    checks.add(scope());
    if (confidential != null) {
      checks.addAll(new Recomputation(spark, certificate, published, confidential, progress).run());
    }
    return new VerifyJob.Result(checks, certificate.verdict().word());
  }

  /** That a model with a perturbed loss was not published by output noise, and no other as one. */
  private Check mechanism() {
    boolean perturbed = published.linear().isPerturbed();
    return new Check(
        "mechanism is the model's",
        perturbed == (certificate.mechanism() == Mechanism.LOSS_PERTURBATION),
        perturbed ? "trained with loss perturbation" : "no loss perturbation");
  }

  /** That no stage whose state was learned is kept quiet about. */
  private Check scope() {
    boolean same =
        FeaturizerScope.holds(FeaturizerPolicy.FROZEN, certificate, published)
            || FeaturizerScope.holds(FeaturizerPolicy.REFIT, certificate, published);
    return new Check(
        "covers and notCovered are the model's",
        same,
        published.learnedStages().size() + " stages have learned state");
  }

  /** The only check of a model that is not the certificate's. */
  static VerifyJob.Result ofAnotherModel(Certificate certificate, ModelDigest digest) {
    Check check =
        new Check(
            "model digest",
            false,
            "certificate "
                + certificate.modelDigest().value()
                + ", model "
                + digest.value()
                + "; nothing else is checked on another model");
    return new VerifyJob.Result(List.of(check), certificate.verdict().word());
  }

  static double figure(@Nullable Double figure) {
    return Objects.requireNonNull(figure);
  }
}
