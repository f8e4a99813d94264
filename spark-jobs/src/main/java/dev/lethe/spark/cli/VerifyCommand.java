package dev.lethe.spark.cli;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.Check;
import dev.lethe.spark.certificate.PublicSigningKey;
import dev.lethe.spark.job.GivenTables;
import dev.lethe.spark.job.LetheSession;
import dev.lethe.spark.job.RequestSource;
import dev.lethe.spark.job.Summary;
import dev.lethe.spark.job.VerificationKeys;
import dev.lethe.spark.job.VerifyJob;
import dev.lethe.spark.job.VerifyOptions;
import dev.lethe.spark.removal.LedgerVerification;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.apache.hadoop.conf.Configuration;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
    name = "verify",
    description = {
      "Checks a certificate against a model; with the vault and the data, recomputes all of it.",
      "",
      "With --certificate and --model alone: digests and the arithmetic of the claims. With --vault"
          + " and the data: the keyed digests, the gradient on the corrected data, its rounding bound,"
          + " the distance bound, and that the published parameters differ from the un-noised ones as"
          + " the certificate's noise would. No code of the update is used."
    },
    footerHeading = "%n",
    footer = {
      "Example:",
      "  lethe verify --certificate models/churn-2026-118/certificate.json \\",
      "               --model models/churn-2026-118/model"
    })
final class VerifyCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(names = "--certificate", paramLabel = "FILE", description = "The public certificate")
  private @Nullable String certificate;

  @Option(names = "--model", paramLabel = "DIR", description = "The published model")
  private @Nullable String model;

  @Option(
      names = "--ledger",
      paramLabel = "DIR",
      description =
          "Instead: a ledger; its chain, the certificates and models of its versions, and what all"
              + " releases tell together (docs/ledger.md)")
  private @Nullable String ledger;

  @Option(
      names = "--head",
      paramLabel = "DIGEST",
      description =
          "With --ledger: a digest that lethe status printed before, which must be in the chain")
  private @Nullable String head;

  @Option(
      names = "--vault",
      paramLabel = "DIR",
      description = "The vault that holds the evidence: recompute everything")
  private @Nullable String vault;

  @Mixin private VaultOptions vaultKey;

  @Option(
      names = "--public-key",
      paramLabel = "FILE",
      description =
          "Check that the signature beside the certificate, its name and .sig, is by this Ed25519"
              + " key: a public key or an X.509 certificate in PEM")
  private @Nullable String publicKey;

  @Mixin private RequestedTable table;

  @Option(
      names = "--request",
      paramLabel = "PATH",
      description = "The request or requests, with --data or --corrected")
  private List<String> request = new ArrayList<>();

  @Mixin private RequestTable requestTable;

  @Option(
      names = "--original-model",
      paramLabel = "DIR",
      description =
          "The model before unlearning, with --request: check stages and hyperparameters against it")
  private @Nullable String originalModel;

  @Option(
      names = "--model-certificate",
      paramLabel = "FILE",
      description =
          "The certificate of --original-model, where it comes from Lethe: what it says was removed stays"
              + " removed (default: DIR/../certificate.json, if it is there)")
  private @Nullable String modelCertificate;

  @Mixin private FiguresOption figures;

  @Mixin private Standard standard;

  @Override
  public Integer call() throws Exception {
    if (ledger != null) {
      return ofLedger(ledger);
    }
    if (certificate == null || model == null) {
      throw new CommandLine.ParameterException(
          spec.commandLine(), "--certificate and --model are required (or --ledger)");
    }
    RequestSource requests = requestTable.optional(request);
    if (vault == null && (table.isGiven() || requests != null)) {
      throw new InvalidInputException(
          "--data, --corrected and --request need --vault: they are checked against the evidence");
    }
    if (vault == null && vaultKey.isKeystore()) {
      throw new InvalidInputException("--vault-keystore: needs --vault");
    }
    GivenTables tables = vault == null ? null : table.tables("--vault needs");
    if (tables != null && table.hasOriginal() && requests == null) {
      throw new InvalidInputException(
          "--data needs --request: the corrected data is recomputed from both");
    }
    if (originalModel != null && requests == null) {
      throw new InvalidInputException(
          "--original-model needs --vault and --request: which features left it is in the request");
    }
    if (modelCertificate != null && originalModel == null) {
      throw new InvalidInputException("--model-certificate: needs --original-model");
    }
    VerifyOptions options =
        new VerifyOptions(
            certificate,
            model,
            vault,
            tables,
            table.label(),
            requests,
            originalModel,
            modelCertificate,
            table.partitions());
    try (LetheSession session = LetheSession.open("Lethe verify")) {
      Configuration configuration = session.spark().sparkContext().hadoopConfiguration();
      VerificationKeys keys =
          new VerificationKeys(
              vault == null ? null : vaultKey.encryption(configuration),
              publicKey == null ? null : PublicSigningKey.of(configuration, publicKey));
      VerifyJob.Result result = new VerifyJob(options, keys, session.spark()).run();
      Summary.of(result, vault == null ? null : session.expressionSettings(), figures.shown())
          .print(spec.commandLine().getOut());
      return result.passed() ? 0 : Lethe.CLAIM_BROKEN;
    }
  }

  private int ofLedger(String directory) {
    if (certificate != null || model != null || vault != null) {
      throw new CommandLine.ParameterException(
          spec.commandLine(), "--ledger: allowed with it are --head and --public-key alone");
    }
    try (LetheSession session = LetheSession.open("Lethe verify")) {
      Configuration configuration = session.spark().sparkContext().hadoopConfiguration();
      List<Check> checks =
          new LedgerVerification(
                  configuration,
                  directory,
                  head,
                  publicKey == null ? null : PublicSigningKey.of(configuration, publicKey))
              .run();
      Summary.of(checks).print(spec.commandLine().getOut());
      return checks.stream().allMatch(Check::passed) ? 0 : Lethe.CLAIM_BROKEN;
    }
  }
}
