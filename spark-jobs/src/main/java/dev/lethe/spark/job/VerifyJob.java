package dev.lethe.spark.job;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Check;
import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.certificate.ModelDigest;
import dev.lethe.spark.certificate.Vault;
import dev.lethe.spark.certificate.VaultKey;
import dev.lethe.spark.request.Request;
import java.io.IOException;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/** {@code lethe verify}: reads what the options name and runs the {@link Verification}. */
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
    RequestSource source = options.request();
    return run(
        // many requests were given one id
        certificate -> source == null ? null : source.withId(certificate.requestId()).read(spark),
        String.valueOf(source));
  }

  /**
   * Runs the job with a request that is there.
   *
   * @param name names it, for messages
   * @throws InvalidInputException if something given cannot be read
   */
  public Result run(Request request, String name) throws IOException {
    return run(certificate -> request, name);
  }

  private Result run(Function<Certificate, @Nullable Request> request, String name)
      throws IOException {
    Certificate certificate =
        Certificate.read(
            InputFile.read(spark, "--certificate", options.certificate(), Integer.MAX_VALUE),
            options.certificate());
    try (LogContext log = LogContext.request(spark, certificate.requestId())) {
      return run(certificate, request, name);
    }
  }

  private Result run(
      Certificate certificate, Function<Certificate, @Nullable Request> request, String name)
      throws IOException {
    ModelDigest digest =
        ModelDigest.of(spark.sparkContext().hadoopConfiguration(), options.model());
    if (!digest.equals(certificate.modelDigest())) {
      // Not what was published: it may not even load, and nothing that it says is of interest.
      return Verification.ofAnotherModel(certificate, digest);
    }
    LoadedModel model = LoadedModel.load(spark, "--model", options.model());
    return new Verification(
            spark,
            certificate,
            model,
            digest,
            options.vault() == null
                ? null
                : confidential(
                    certificate, model, options.vault(), request.apply(certificate), name))
        .run(Progress.onTerminal(spark, "Lethe verify " + certificate.requestId()));
  }

  /** What the vault has, and what it is compared with. */
  private Verification.Confidential confidential(
      Certificate certificate,
      LoadedModel model,
      String directory,
      @Nullable Request request,
      String requestName)
      throws IOException {
    Vault vault =
        Vault.open(spark.sparkContext().hadoopConfiguration(), directory, options.model());
    VaultKey key = vault.key();
    Evidence evidence = vault.readEvidence(certificate.certificateId());
    ModelDigest trained = evidence.digests().model();
    String original = options.originalModel();
    return new Verification.Confidential(
        key,
        evidence,
        Objects.requireNonNull(options.tables()),
        options.label(),
        request,
        requestName,
        original == null ? null : LoadedModel.load(spark, "--original-model", original),
        original == null
            ? EarlierRelease.NONE
            : EarlierRelease.of(spark, original, options.modelCertificate()),
        model.linear().isPerturbed()
            ? new Verification.Secret(
                vault.perturbations().read(trained), vault.perturbations().release(trained))
            : null,
        options.partitions());
  }
}
