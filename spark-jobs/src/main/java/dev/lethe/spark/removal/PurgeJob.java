package dev.lethe.spark.removal;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.Vault;
import dev.lethe.spark.ledger.Event;
import dev.lethe.spark.ledger.Lease;
import dev.lethe.spark.ledger.Ledger;
import dev.lethe.spark.ledger.LedgerState;
import dev.lethe.spark.ledger.TrackedRequest;
import dev.lethe.spark.ledger.Version;
import java.io.IOException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * {@code lethe purge}: destroys what holds deleted data and has served its time: contents of
 * requests with their keys, evidence, superseded models, the reports of the latter two, and what
 * the vault keeps of refinements and with models. The chain and the certificates stay.
 *
 * <p>A content goes only when no read of the table needs it: the request was refused, or the table
 * has its corrections in it ({@code data.corrected-through}).
 */
public final class PurgeJob {
  /** Far more than a submission takes between keeping a content and its entry. */
  private static final Duration SUBMISSION = Duration.ofDays(1);

  private final Place place;
  private final Settings settings;
  private final @Nullable String request;
  private final Clock clock;

  /**
   * @param request whose content is to go now, whatever its age; null for all that is due
   * @param clock by which things are due
   */
  public PurgeJob(Place place, @Nullable String request, Clock clock) {
    this.place = place;
    this.settings = place.settings();
    this.request = request;
    this.clock = clock;
  }

  /**
   * What a purge did.
   *
   * @param purged what was destroyed
   * @param kept ids of requests that are due and needed: the table does not have their corrections
   * @param unreceived how many contents were destroyed that no entry has received
   * @param checkpoints how many were deleted
   * @param states how many were deleted
   */
  public record Result(
      List<Event.Purged> purged, List<String> kept, int unreceived, int checkpoints, int states) {}

  /**
   * Runs the job.
   *
   * @throws InvalidInputException if the request is not there or still needed, or a run has the
   *     lease
   */
  public Result run() throws IOException {
    Vault vault = place.vault();
    Ledger ledger = place.existingWritableLedger();
    try (Lease lease = place.lease(ledger)) {
      ledger.deleteLeftovers(lease);
      ledger.point(lease); // of a run or a rollback that died
      List<String> kept = new ArrayList<>();
      List<Event.Purged> due =
          request == null ? due(ledger.state(), kept) : List.of(named(ledger.state(), request));
      for (Event.Purged one : due) {
        lease.requireHeld();
        // destroyed before it is recorded: an entry never says more than is true
        destroy(one, ledger, vault);
        while (!ledger.append(one)) {
          ledger.refresh();
          lease.requireHeld();
        }
      }
      int unreceived =
          RequestStore.of(vault, ledger.state())
              .destroyUnreceived(ledger.state().requests(), clock.instant().minus(SUBMISSION));
      Settings.Retention retention = settings.keeping();
      return new Result(
          due,
          kept,
          unreceived,
          vault.deleteCheckpointsBefore(clock.instant().minus(retention.ofCheckpoints())),
          vault.deleteStatesBefore(clock.instant().minus(retention.ofStates())));
    }
  }

  private void destroy(Event.Purged purged, Ledger ledger, Vault vault) throws IOException {
    LedgerState state = ledger.state();
    VersionReports reports = new VersionReports(place, ledger, vault);
    switch (purged.kind()) {
      case REQUEST ->
          RequestStore.of(vault, state).destroy(state.request(purged.subject()).orElseThrow());
      case EVIDENCE -> {
        Version version = state.version(Integer.parseInt(purged.subject()));
        reports.deleteConfidential(version);
        vault.deleteEvidence(Objects.requireNonNull(version.certificateId()));
      }
      case MODEL -> {
        Version version = state.version(Integer.parseInt(purged.subject()));
        reports.deleteRedacted(version);
        ledger.deleteModel(version.number());
      }
    }
  }

  private Event.Purged named(LedgerState state, String id) {
    TrackedRequest found =
        state
            .request(id)
            .orElseThrow(
                () ->
                    new InvalidInputException("--request " + id + ": the ledger does not have it"));
    if (found.purged()) {
      throw new InvalidInputException("--request " + id + ": is purged already");
    }
    if (isNeeded(state, found)) {
      throw new InvalidInputException(
          "--request "
              + id
              + ": its corrections are applied whenever the table is read; write the corrected table"
              + " (lethe apply --config) and name the version in data.corrected-through first");
    }
    return new Event.Purged(Event.Kind.REQUEST, id, "by hand");
  }

  private List<Event.Purged> due(LedgerState state, List<String> kept) {
    List<Event.Purged> due = new ArrayList<>();
    Settings.Retention retention = settings.keeping();
    for (TrackedRequest one : state.requests()) {
      if (!one.purged() && isDue(since(state, one), retention.ofRequests())) {
        if (isNeeded(state, one)) {
          kept.add(one.id());
        } else {
          due.add(
              new Event.Purged(
                  Event.Kind.REQUEST, one.id(), "retention.requests " + retention.requests()));
        }
      }
    }
    for (Version version : state.versions()) {
      String number = String.valueOf(version.number());
      if (state.hasEvidence(version.number())
          && isDue(version.published(), retention.ofEvidence())) {
        due.add(
            new Event.Purged(
                Event.Kind.EVIDENCE, number, "retention.evidence " + retention.evidence()));
      }
      if (version.number() > 0
          && state.hasModel(version.number())
          && version.number() != state.current().number()
          && !state.isBase(version.number())
          && isDue(version.superseded(), retention.ofModels())) {
        due.add(
            new Event.Purged(Event.Kind.MODEL, number, "retention.models " + retention.models()));
      }
    }
    return due;
  }

  /** Since when a request has been answered; null if it has not. */
  private static @Nullable Instant since(LedgerState state, TrackedRequest request) {
    if (request.reason() != null) {
      return request.received();
    }
    Integer version = request.version();
    return version == null ? null : state.version(version).published();
  }

  private boolean isNeeded(LedgerState state, TrackedRequest one) {
    if (one.reason() != null) {
      return false;
    }
    Integer version = one.version();
    return version == null
        || version > settings.data().through()
        || state.version(version).phase() != Version.Phase.PUBLISHED;
  }

  private boolean isDue(@Nullable Instant since, Duration kept) {
    return since != null && !clock.instant().isBefore(since.plus(kept));
  }
}
