package dev.lethe.spark.job;

import dev.lethe.core.certify.GaussianMechanism;
import dev.lethe.core.certify.PublicationGrid;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Check;
import dev.lethe.spark.certificate.ClaimCheck;
import dev.lethe.spark.certificate.ModelDigest;
import dev.lethe.spark.certificate.Verdict;
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
    String verdict = certificate.verdict() == Verdict.CERTIFIED ? "certified" : "not-certified";
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
    double[] published = model.logistic().parameters();
    List<Check> checks =
        new ArrayList<>(
            ClaimCheck.check(
                certificate,
                digest,
                published,
                (epsilon, delta, rho) -> sigma(epsilon, delta, rho, published.length)));
    if (certificate.verdict() == Verdict.CERTIFIED) {
      checks.add(rules(certificate, published.length));
    }
    checks.add(scope(certificate, model));
    if (options.vault() != null) {
      checks.addAll(new Recomputation(options, spark, certificate, model).run());
    }
    return new Result(checks, verdict);
  }

  /** The smallest sigma for these terms; infinite if no sigma is enough. */
  private static double sigma(double epsilon, double delta, double rho, int parameters) {
    try {
      return GaussianMechanism.calibrate(epsilon, delta, rho, parameters).sigma();
    } catch (IllegalArgumentException e) {
      return Double.POSITIVE_INFINITY;
    }
  }

  /**
   * That sigma and the grid are what Lethe's rules make of epsilon, delta and rho, so that no
   * figure of a certificate can be changed alone, not even to a weaker claim.
   */
  private static Check rules(Certificate certificate, int parameters) {
    double sigma = figure(certificate.sigma());
    double step = figure(certificate.gridStep());
    double required =
        sigma(
            figure(certificate.epsilon()),
            figure(certificate.delta()),
            figure(certificate.rho()),
            parameters);
    // sigma may differ in its last bits where another JVM rounds a logarithm differently
    boolean holds =
        Double.isFinite(required)
            && Math.abs(sigma - required) <= 1e-9 * required
            && sigma >= 0x1p-1000
            && step == PublicationGrid.of(sigma).step();
    return new Check(
        "sigma and grid step follow from the terms",
        holds,
        "sigma " + sigma + ", required " + required + ", grid step " + step);
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
