package dev.lethe.spark.removal;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.ModelDigest;
import dev.lethe.spark.certificate.SigningKey;
import dev.lethe.spark.certificate.Vault;
import dev.lethe.spark.job.GivenTables;
import dev.lethe.spark.job.ReleaseKeys;
import dev.lethe.spark.job.RequestCheck;
import dev.lethe.spark.job.UnlearnOptions;
import dev.lethe.spark.ledger.Event;
import dev.lethe.spark.ledger.Lease;
import dev.lethe.spark.ledger.Ledger;
import java.io.IOException;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * Where the settings say that ledger, vault and model are.
 *
 * @param keys that encrypt the vault, and sign certificates and entries
 */
public record Place(Settings settings, ReleaseKeys keys, SparkSession spark) {
  private Configuration configuration() {
    return spark.sparkContext().hadoopConfiguration();
  }

  /** The ledger, as it is now. */
  Ledger ledger() {
    SigningKey signing = keys.signing();
    return Ledger.open(
        configuration(),
        settings.ledger(),
        signing == null ? null : signing::sign,
        Clock.systemUTC());
  }

  /**
   * The same, to write to.
   *
   * @throws InvalidInputException where two writers could both believe that they wrote an entry,
   *     and the settings do not say that there is one
   */
  Ledger writableLedger() {
    Ledger ledger = ledger();
    if (!settings.leasing().ofOneWriter() && !ledger.admitsManyWriters()) {
      throw new InvalidInputException(
          "ledger: "
              + settings.ledger()
              + " is on a file system that cannot create a file exclusively, so two processes could"
              + " write the same entry; set lease.single-writer to true once you have made sure that"
              + " one submit, run, purge or rollback goes on at a time (docs/operations.md)");
    }
    return ledger;
  }

  /**
   * The same, which must have been opened.
   *
   * @throws InvalidInputException if there is none
   */
  Ledger existingLedger() {
    Ledger ledger = ledger();
    requireOpened(ledger);
    return ledger;
  }

  /**
   * {@link #writableLedger}, which must have been opened.
   *
   * @throws InvalidInputException if there is none, too
   */
  Ledger existingWritableLedger() {
    requireOpened(ledger());
    return writableLedger();
  }

  private static void requireOpened(Ledger ledger) {
    if (!ledger.state().isOpened()) {
      throw new InvalidInputException(
          "ledger: " + ledger.root() + ": there is none yet; lethe submit and lethe run make one");
    }
  }

  /**
   * The lease of a ledger, and the ledger as it is from then on.
   *
   * @throws InvalidInputException if somebody else has it
   */
  Lease lease(Ledger ledger) throws IOException {
    Lease lease =
        ledger
            .lease(settings.leasing().ofRun())
            .orElseThrow(
                () ->
                    new InvalidInputException(
                        "ledger: " + ledger.root() + ": a run has the lease; wait for its end"));
    ledger.refresh();
    return lease;
  }

  /** The vault; apart from everything that is public or read as data. */
  Vault vault() {
    List<String> forbidden = new ArrayList<>(List.of(settings.ledger(), settings.model()));
    settings.data().source().place().ifPresent(forbidden::add);
    return Vault.open(
        configuration(), settings.vault(), keys.vault(), forbidden.toArray(String[]::new));
  }

  /** Checks requests against a version of the model and the table as it is read. */
  RequestCheck check(Ledger ledger, int version) {
    return new RequestCheck(options(ledger, version, version + 1, settings.data().given()), spark);
  }

  /** The options of the run that makes a version of another. */
  UnlearnOptions options(Ledger ledger, int base, int version, GivenTables tables) {
    return new UnlearnOptions(
        ledger.model(base).toString(),
        certificate(ledger, base),
        tables,
        settings.data().label(),
        null,
        ledger.directory(version).toString(),
        settings.vault(),
        settings.testSource(),
        settings.solving().method(),
        settings.solving().steps(),
        settings.solving().iterations(),
        settings.data().parts(),
        settings.solving().preconditioner(),
        false,
        settings.solving().interval());
  }

  /** By which a version says what it removed; the ledger has none of version 0. */
  static @Nullable String certificate(Ledger ledger, int version) {
    return version == 0 ? null : ledger.certificate(version).toString();
  }

  /** Writes the first entry, unless it is there. */
  void openIfNew(Ledger ledger) {
    if (!ledger.state().isOpened()
        && !ledger.append(
            new Event.Opened(
                UUID.randomUUID().toString(),
                settings.model(),
                ModelDigest.of(configuration(), settings.model())))) {
      ledger.refresh();
    }
  }
}
