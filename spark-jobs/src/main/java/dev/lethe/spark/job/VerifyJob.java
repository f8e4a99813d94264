package dev.lethe.spark.job;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Check;
import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.certificate.ModelDigest;
import dev.lethe.spark.certificate.PublicSigningKey;
import dev.lethe.spark.certificate.Vault;
import dev.lethe.spark.certificate.VaultKey;
import dev.lethe.spark.request.Request;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/** {@code lethe verify}: reads what the options name and runs the {@link Verification}. */
public final class VerifyJob {
  private final VerifyOptions options;
  private final VerificationKeys keys;
  private final SparkSession spark;

  public VerifyJob(VerifyOptions options, SparkSession spark) {
    this(options, VerificationKeys.NONE, spark);
  }

  public VerifyJob(VerifyOptions options, VerificationKeys keys, SparkSession spark) {
    this.options = options;
    this.keys = keys;
    this.spark = spark;
  }

  /**
   * Every check, and the verdict that the certificate states.
   *
   * @param notes what was not checked although it could have been
   */
  public record Result(List<Check> checks, String verdict, List<String> notes) {
    Result(List<Check> checks, String verdict) {
      this(checks, verdict, List.of());
    }

    public boolean passed() {
      return checks.stream().allMatch(Check::passed);
    }

    /**
     * Whether the corrected data are others than the certificate's, so that what was measured on
     * them says nothing of it, and what was compared without them holds.
     */
    public boolean isOfOtherData() {
      Set<String> failed =
          checks.stream()
              .filter(check -> !check.passed())
              .map(Check::name)
              .collect(Collectors.toSet());
      return failed.contains(Recomputation.CORRECTED_DATA)
          && Recomputation.OF_DATA.containsAll(failed);
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
    byte[] document =
        InputFile.read(spark, "--certificate", options.certificate(), Integer.MAX_VALUE);
    Certificate certificate = Certificate.read(document, options.certificate());
    Result result;
    try (LogContext log = LogContext.request(spark, certificate.requestId())) {
      result = verified(certificate, request, name);
    }
    String file = options.certificate() + Release.SIGNATURE;
    byte[] signature = signature(file);
    if (keys.signer() == null) {
      return signature == null
          ? result
          : new Result(
              result.checks(),
              result.verdict(),
              List.of("the signature " + file + " was not checked: that needs --public-key"));
    }
    List<Check> checks = new ArrayList<>(result.checks());
    checks.add(0, check(keys.signer(), document, file, signature));
    return new Result(checks, result.verdict(), result.notes());
  }

  /** The signature beside the certificate; null if there is none. */
  private byte @Nullable [] signature(String file) {
    try {
      // longer than any, so that one which is too long is not taken for one
      return InputFile.exists(spark, file)
          ? InputFile.read(spark, "signature", file, 1 << 10)
          : null;
    } catch (IOException e) {
      throw new InvalidInputException("signature " + file + ": cannot be reached", e);
    }
  }

  private static Check check(
      PublicSigningKey signer, byte[] document, String file, byte @Nullable [] signature) {
    boolean valid = signature != null && signer.verifies(document, signature);
    return new Check(
        "signature of the certificate",
        valid,
        valid
            ? "Ed25519, key " + signer.keyId()
            : signature == null
                ? "there is no " + file
                : file + " is not the signature of this certificate by the key " + signer.keyId());
  }

  private Result verified(
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
        Vault.open(
            spark.sparkContext().hadoopConfiguration(), directory, keys.vault(), options.model());
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
