package dev.lethe.spark.job;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Check;
import dev.lethe.spark.certificate.ClaimCheck;
import dev.lethe.spark.certificate.Mechanism;
import dev.lethe.spark.certificate.ModelDigest;
import dev.lethe.spark.request.FeaturizerPolicy;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * {@code lethe verify}: checks a certificate. Uses the published model, the evidence and the data;
 * no solver and no update.
 */
public final class VerifyJob {
  private final VerifyOptions options;
  private final SparkSession spark;

  public VerifyJob(VerifyOptions options, SparkSession spark) {
    this.options = options;
    this.spark = spark;
  }

  /** Every check, and the verdict that the certificate states. */
  public record Result(List<Check> checks, String verdict) {
    public boolean passed() {
      return checks.stream().allMatch(Check::passed);
    }
  }

  /**
   * Runs the checks.
   *
   * @throws InvalidInputException if something given cannot be read
   */
  public Result run() throws IOException {
    Certificate certificate = certificate();
    String verdict = certificate.verdict().word();
    ModelDigest digest = ModelDigest.of(configuration(), options.model());
    if (!digest.equals(certificate.modelDigest())) {
      // Not what was published: it may not even load, and nothing that it says is of interest.
      return new Result(
          List.of(
              new Check(
                  "model digest",
                  false,
                  "certificate "
                      + certificate.modelDigest().value()
                      + ", model "
                      + digest.value()
                      + "; nothing else is checked on another model")),
          verdict);
    }
    LoadedModel model = LoadedModel.load(spark, "--model", options.model());
    double[] published = model.linear().parameters();
    List<Check> checks =
        new ArrayList<>(
            ClaimCheck.check(
                certificate,
                digest,
                published,
                model.linear().layout(),
                claim -> ClaimRules.required(claim, published.length)));
    if (certificate.claim() != null) {
      checks.add(ClaimRules.followFromTerms(certificate.claim(), published.length));
    }
    if (certificate.perturbation() != null) {
      checks.addAll(certificate.perturbation().checks());
    }
    if (certificate.perturbation() != null || model.linear().isPerturbed()) {
      checks.add(mechanism(certificate, model));
    }
    checks.add(scope(certificate, model));
    if (options.vault() != null) {
      checks.addAll(new Recomputation(options, spark, certificate, model).run());
    }
    return new Result(checks, verdict);
  }

  /** That a model with a perturbed loss was not published by output noise, and no other as one. */
  private static Check mechanism(Certificate certificate, LoadedModel model) {
    boolean perturbed = model.linear().isPerturbed();
    return new Check(
        "mechanism is the model's",
        perturbed == (certificate.mechanism() == Mechanism.LOSS_PERTURBATION),
        perturbed ? "trained with loss perturbation" : "no loss perturbation");
  }

  /** That no stage whose state was learned is kept quiet about. */
  private static Check scope(Certificate certificate, LoadedModel model) {
    boolean same =
        FeaturizerScope.holds(FeaturizerPolicy.FROZEN, certificate, model)
            || FeaturizerScope.holds(FeaturizerPolicy.REFIT, certificate, model);
    return new Check(
        "covers and notCovered are the model's",
        same,
        model.learnedStages().size() + " featurizer stages have learned state");
  }

  static double figure(@Nullable Double figure) {
    return Objects.requireNonNull(figure);
  }

  private Configuration configuration() {
    return spark.sparkContext().hadoopConfiguration();
  }

  private Certificate certificate() {
    return Certificate.read(
        InputFile.read(spark, "--certificate", options.certificate(), Integer.MAX_VALUE),
        options.certificate());
  }
}
