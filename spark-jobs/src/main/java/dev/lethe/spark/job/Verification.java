package dev.lethe.spark.job;

import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Check;
import dev.lethe.spark.certificate.ClaimCheck;
import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.certificate.ModelDigest;
import dev.lethe.spark.certificate.Scope;
import dev.lethe.spark.certificate.VaultKey;
import dev.lethe.spark.certificate.Verdict;
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
      int partitions) {}

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
    checks.add(scope());
    if (confidential != null) {
      checks.addAll(new Recomputation(spark, certificate, published, confidential, progress).run());
    }
    return new VerifyJob.Result(checks, verdict(certificate));
  }

  /** That no stage whose state was learned is kept quiet about. */
  private Check scope() {
    Scope scope =
        Scope.frozenFeaturizer(
            certificate.method(),
            published.learnedStages(),
            certificate.zeroCoefficients(),
            certificate.parameters());
    boolean same =
        certificate.notCovered().equals(scope.notCovered())
            && (certificate.verdict() == Verdict.NOT_CERTIFIED
                || certificate.covers().equals(scope.covers()));
    return new Check(
        "covers and notCovered are the model's",
        same,
        published.learnedStages().size() + " featurizer stages have learned state");
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
    return new VerifyJob.Result(List.of(check), verdict(certificate));
  }

  private static String verdict(Certificate certificate) {
    return certificate.verdict() == Verdict.CERTIFIED ? "certified" : "not-certified";
  }

  static double figure(@Nullable Double figure) {
    return Objects.requireNonNull(figure);
  }
}
