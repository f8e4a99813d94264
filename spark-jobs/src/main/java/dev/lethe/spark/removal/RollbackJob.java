package dev.lethe.spark.removal;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.ModelDigest;
import dev.lethe.spark.ledger.Event;
import dev.lethe.spark.ledger.Lease;
import dev.lethe.spark.ledger.Ledger;
import dev.lethe.spark.ledger.LedgerState;
import dev.lethe.spark.ledger.Version;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** {@code lethe rollback}: makes another version the one to use. */
public final class RollbackJob {
  private final Place place;
  private final int version;
  private final @Nullable String reason;

  /**
   * @param reason why a version that holds what has been unlearned since is used all the same; null
   *     to refuse that
   */
  public RollbackJob(Place place, int version, @Nullable String reason) {
    this.place = place;
    this.version = version;
    this.reason = reason;
  }

  /**
   * Runs the job.
   *
   * @return the version that is to be used now
   * @throws InvalidInputException if there is no such version, its model is purged or is not what
   *     was published, it holds what has been unlearned since and no reason is given, or a run has
   *     the lease
   */
  public Version run() throws IOException {
    if (reason != null && reason.isBlank()) {
      throw new InvalidInputException("--force: blank; the ledger records why");
    }
    Ledger ledger = place.existingWritableLedger();
    try (Lease lease = place.lease(ledger)) {
      LedgerState state = ledger.state();
      Version target =
          state.versions().stream()
              .filter(one -> one.number() == version && one.phase() == Version.Phase.PUBLISHED)
              .findFirst()
              .orElseThrow(
                  () ->
                      new InvalidInputException(
                          "VERSION "
                              + version
                              + ": was never published; lethe history lists what was"));
      if (!state.hasModel(version)) {
        throw new InvalidInputException("VERSION " + version + ": its model is purged");
      }
      List<String> since = state.unlearnedSince(version);
      if (!since.isEmpty() && reason == null) {
        throw new InvalidInputException(
            "VERSION "
                + version
                + ": holds what "
                + since.size()
                + " request(s) have unlearned since ("
                + String.join(", ", since.subList(0, Math.min(5, since.size())))
                + (since.size() > 5 ? ", ..." : "")
                + "); publishing it would undo that. --force REASON does it all the same, and the"
                + " ledger records the reason");
      }
      if (!ModelDigest.of(ledger.configuration(), ledger.model(version).toString())
          .equals(target.model())) {
        throw new InvalidInputException(
            "VERSION " + version + ": the files of its model are not those that were published");
      }
      Event event = new Event.RolledBack(version, since.isEmpty() ? null : reason);
      ledger.append(event, lease);
      ledger.point(lease);
      return ledger.state().current();
    }
  }
}
