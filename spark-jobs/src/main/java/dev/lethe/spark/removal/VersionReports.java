package dev.lethe.spark.removal;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.ReportFile;
import dev.lethe.spark.certificate.Vault;
import dev.lethe.spark.job.ReleaseReports;
import dev.lethe.spark.job.ReportFiles;
import dev.lethe.spark.ledger.Ledger;
import dev.lethe.spark.ledger.LedgerState;
import dev.lethe.spark.ledger.Version;
import dev.lethe.spark.request.Request;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * Reports of published versions: the confidential one in {@code reports.confidential}, the redacted
 * one in the ledger. They are made of the files of a version, whichever run has published it.
 */
final class VersionReports {
  private static final String CONFIDENTIAL = "reports.confidential";
  private static final String REDACTED = "reports.redacted";

  private final Place place;
  private final Settings settings;
  private final Ledger ledger;
  private final Vault vault;

  VersionReports(Place place, Ledger ledger, Vault vault) {
    this.place = place;
    this.settings = place.settings();
    this.ledger = ledger;
    this.vault = vault;
  }

  /**
   * Checks that a confidential report may lie where the settings say.
   *
   * @throws InvalidInputException if it would be public, or among what is read
   */
  void check() {
    confidential("check");
  }

  /**
   * Writes the reports that the settings ask for and a published version lacks.
   *
   * @return why one is not there, for the operator
   */
  @SuppressWarnings("CatchingUnchecked") // Spark throws checked exceptions that Scala hides
  Optional<String> write(Version version) {
    LedgerState state = ledger.state();
    if (!state.hasEvidence(version.number()) || !state.hasModel(version.number())) {
      return Optional.empty(); // version 0, or what it would show is purged
    }
    try {
      ReportFiles lacking =
          new ReportFiles(lacking(confidential(version)), lacking(redacted(version)));
      if (lacking.confidential() != null || lacking.redacted() != null) {
        lacking.write(read(state, version));
      }
      return Optional.empty();
    } catch (Exception e) {
      return Optional.of(
          "version "
              + version.number()
              + " is without a report, which the next run tries again: "
              + (e instanceof InvalidInputException
                  ? e.getMessage()
                  : e.getClass().getSimpleName()));
    }
  }

  /** Deletes what goes with a version's evidence. */
  void deleteConfidential(Version version) {
    ReportFile file = confidential(version);
    if (file != null) {
      file.delete();
    }
  }

  /** Deletes what goes with a version's model. */
  void deleteRedacted(Version version) {
    redactedFile(version).delete();
  }

  private ReleaseReports read(LedgerState state, Version version) {
    Path file = ledger.certificate(version.number());
    Certificate certificate = Certificate.read(ledger.read(file).orElseThrow(), file.toString());
    RequestStore store = RequestStore.of(vault, state);
    Request request =
        InForce.isPurged(state, store, version) ? null : InForce.merged(state, store, version);
    return ReleaseReports.read(
        place.spark(),
        request,
        state.hasModel(version.base()) ? ledger.model(version.base()).toString() : null,
        ledger.model(version.number()).toString(),
        settings.data().source().read(place.spark()),
        certificate,
        vault.readEvidence(certificate.certificateId()));
  }

  private static @Nullable ReportFile lacking(@Nullable ReportFile file) {
    return file == null || file.exists() ? null : file;
  }

  /** Named by the certificate too: ledgers that share a directory keep their reports apart. */
  private @Nullable ReportFile confidential(Version version) {
    return confidential(
        ledger.directory(version.number()).getName()
            + "-"
            + Objects.requireNonNull(version.certificateId())
            + ".html");
  }

  private @Nullable ReportFile confidential(String name) {
    Settings.Reports reports = settings.reports();
    if (reports == null || reports.confidential() == null) {
      return null;
    }
    List<String> apart =
        new ArrayList<>(List.of(settings.ledger(), settings.vault(), settings.model()));
    settings.data().source().place().ifPresent(apart::add);
    return ReportFile.at(
        ledger.configuration(),
        CONFIDENTIAL,
        reports.confidential() + "/" + name,
        true,
        apart,
        List.of());
  }

  private @Nullable ReportFile redacted(Version version) {
    Settings.Reports reports = settings.reports();
    return reports != null && reports.isPublic() ? redactedFile(version) : null;
  }

  private ReportFile redactedFile(Version version) {
    return ReportFile.at(
        ledger.configuration(),
        REDACTED,
        ledger.report(version.number()).toString(),
        false,
        List.of(),
        List.of());
  }
}
