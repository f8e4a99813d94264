package dev.lethe.spark.removal;

import dev.lethe.core.certify.Composition;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.Outage;
import dev.lethe.spark.SparkErrors;
import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Check;
import dev.lethe.spark.certificate.ModelDigest;
import dev.lethe.spark.certificate.PublicSigningKey;
import dev.lethe.spark.job.ComposeJob;
import dev.lethe.spark.job.ComposeOptions;
import dev.lethe.spark.ledger.Ledger;
import dev.lethe.spark.ledger.LedgerState;
import dev.lethe.spark.ledger.Version;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * {@code lethe verify --ledger}: what can be said of a ledger from its public files alone: that the
 * chain is whole, that every version is what its entry says, and what all releases tell together.
 */
public final class LedgerVerification {
  private final Configuration configuration;
  private final String directory;
  private final @Nullable String head;
  private final @Nullable PublicSigningKey signer;

  /** Why checks could not be made. */
  private final List<InvalidInputException> unanswered = new ArrayList<>();

  /**
   * @param head digest of an entry, noted down earlier, that must be in the chain; or null
   * @param signer whose signature every entry and certificate must have; null if that is not
   *     checked
   */
  public LedgerVerification(
      Configuration configuration,
      String directory,
      @Nullable String head,
      @Nullable PublicSigningKey signer) {
    this.configuration = configuration;
    this.directory = directory;
    this.head = head;
    this.signer = signer;
  }

  /**
   * Runs the checks.
   *
   * @throws InvalidInputException if the ledger, or a part of it, cannot be reached, and no check
   *     is broken that was made
   */
  public List<Check> run() {
    unanswered.clear();
    List<Check> checks = checks();
    // those that could not be made are among the failed ones
    if (!unanswered.isEmpty()
        && checks.stream().filter(check -> !check.passed()).count() <= unanswered.size()) {
      throw unanswered.get(0);
    }
    return checks;
  }

  private List<Check> checks() {
    List<Check> checks = new ArrayList<>();
    Ledger ledger;
    try {
      ledger = Ledger.open(configuration, directory, null, Clock.systemUTC());
    } catch (InvalidInputException e) {
      return List.of(failed("chain is whole", SparkErrors.isUnanswered(e), e));
    }
    int entries = ledger.chain().entries().size();
    checks.add(
        new Check(
            "chain is whole",
            entries > 0,
            entries + " entries, the last has digest " + ledger.chain().head()));
    if (entries == 0) {
      return checks;
    }
    if (head != null) {
      checks.add(
          new Check("chain has the head", ledger.chain().contains(head), "noted down: " + head));
    }
    if (signer != null) {
      checks.add(signatures(ledger, signer));
    }
    LedgerState state = ledger.state();
    List<Certificate> certificates = new ArrayList<>();
    List<String> names = new ArrayList<>();
    for (Version version : state.inForce()) {
      Path file = ledger.certificate(version.number());
      Optional<byte[]> document = read(ledger, file);
      boolean same =
          document.isPresent() && ModelDigest.sha256(document.get()).equals(version.certificate());
      checks.add(
          new Check(
              "certificate of version " + version.number(),
              same,
              same ? "is the one of the ledger" : "is missing, cannot be read, or is another one"));
      if (same) {
        certificates.add(Certificate.read(document.get(), file.toString()));
        names.add(file.toString());
        if (signer != null) {
          Optional<byte[]> signature = read(ledger, ledger.signature(version.number()));
          checks.add(
              new Check(
                  "signature of version " + version.number(),
                  signature.isPresent() && signer.verifies(document.get(), signature.get()),
                  "Ed25519, key " + signer.keyId()));
        }
      }
      if (state.hasModel(version.number())) {
        checks.add(model(ledger, version));
      }
    }
    if (state.current().number() == 0) {
      checks.add(model(ledger, state.current())); // it has no certificate, and is used
    }
    if (!certificates.isEmpty()) {
      checks.add(figures(certificates, names, state));
    }
    Optional<byte[]> current = read(ledger, ledger.current());
    String expected = ledger.model(state.current().number()) + "\n";
    checks.add(
        new Check(
            "CURRENT names the published version",
            (current.isEmpty() && state.inForce().isEmpty()) // no run has been yet
                || current.isPresent()
                    && new String(current.get(), StandardCharsets.UTF_8).equals(expected),
            "version " + state.current().number()));
    checks.add(
        new Check(
            "no version in use holds what was unlearned",
            !state.isForced(),
            state.isForced() ? "it was rolled back by force" : "none"));
    return checks;
  }

  private static Check signatures(Ledger ledger, PublicSigningKey signer) {
    long unsigned =
        ledger.chain().entries().stream()
            .filter(
                entry -> {
                  byte[] signature = ledger.chain().signatureOf(entry);
                  return signature == null
                      || !signer.verifies(ledger.chain().bytesOf(entry), signature);
                })
            .count();
    return new Check(
        "signatures of the entries",
        unsigned == 0,
        unsigned == 0 ? "Ed25519, key " + signer.keyId() : unsigned + " are missing or false");
  }

  private Check failed(String name, boolean unknown, InvalidInputException why) {
    if (unknown) {
      unanswered.add(why);
    }
    return new Check(name, false, String.valueOf(why.getMessage()));
  }

  /** A file; empty, too, where something else lies in its place. */
  private Optional<byte[]> read(Ledger ledger, Path file) {
    try {
      return ledger.read(file);
    } catch (InvalidInputException e) {
      if (SparkErrors.isUnanswered(e)) {
        unanswered.add(e);
      }
      return Optional.empty();
    }
  }

  private Check model(Ledger ledger, Version version) {
    String name = "model of version " + version.number();
    try {
      ModelDigest found =
          ModelDigest.of(ledger.configuration(), ledger.model(version.number()).toString());
      return new Check(name, found.equals(version.model()), found.value());
    } catch (InvalidInputException e) {
      // version 0 lies elsewhere: who may not read it cannot trust it
      boolean unknown =
          version.number() == 0 ? Outage.ofStorage(e).isPresent() : SparkErrors.isUnanswered(e);
      return failed(name, unknown, e);
    }
  }

  /**
   * That the account of the ledger is at least that of the certificates, whose claims must hold.
   */
  private Check figures(List<Certificate> certificates, List<String> names, LedgerState state) {
    String name = "figures of all releases";
    try {
      Composition sum =
          ComposeJob.compose(certificates, new ComposeOptions(names, null, null)).composition();
      boolean counted =
          sum.squaredMu() <= state.releases().squaredMu()
              && sum.pureEpsilon() <= state.releases().pureEpsilon();
      return new Check(
          name,
          counted,
          String.format(
              Locale.ROOT,
              "mu %.4g, the ledger counts %.4g; pure epsilon %.4g, counted %.4g",
              sum.mu(),
              state.releases().mu(),
              sum.pureEpsilon(),
              state.releases().pureEpsilon()));
    } catch (InvalidInputException e) {
      return failed(name, false, e);
    }
  }
}
