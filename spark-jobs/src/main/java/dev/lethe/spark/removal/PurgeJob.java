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
   * @throws InvalidInputException if the request is not there or still needed, a run has the lease,
   *     or the table does not have in it what {@code data.corrected-through} says; nothing is
   *     destroyed then
   */
  public Result run() throws IOException {
    Vault vault = place.vault();
    Ledger ledger = place.existingWritableLedger();
    try (Lease lease = place.lease(ledger)) {
      ledger.deleteLeftovers(lease);
      ledger.point(lease); // of a run or a rollback that died
      destroyPurged(ledger, vault);
      List<String> kept = new ArrayList<>();
      List<Event.Purged> due =
          request == null ? due(ledger.state(), kept) : List.of(named(ledger.state(), request));
      requireCorrected(due, ledger, vault);
      List<Event.Purged> purged = new ArrayList<>();
      for (Event.Purged one : due) {
        // recorded before it is destroyed: the chain refuses what is in use, or waits again
        if (isRecorded(one, ledger, lease)) {
          destroy(one, ledger, vault);
          purged.add(one);
        }
      }
      int unreceived =
          RequestStore.of(vault, ledger.state())
              .destroyUnreceived(ledger.state().requests(), clock.instant().minus(SUBMISSION));
      Settings.Retention retention = settings.keeping();
      return new Result(
          purged,
          kept,
          unreceived,
          vault.deleteCheckpointsBefore(clock.instant().minus(retention.ofCheckpoints())),
          vault.deleteStatesBefore(clock.instant().minus(retention.ofStates())));
    }
  }

  /** What the chain says is destroyed, of which a purge that died may have left something. */
  private void destroyPurged(Ledger ledger, Vault vault) throws IOException {
    LedgerState state = ledger.state();
    RequestStore.of(vault, state).destroyPurged(state.requests());
    for (Version version : state.inForce()) {
      if (!state.hasEvidence(version.number())) {
        deleteEvidence(version, ledger, vault);
      }
      if (!state.hasModel(version.number())) {
        deleteModel(version, ledger, vault);
      }
    }
  }

  private void deleteEvidence(Version version, Ledger ledger, Vault vault) throws IOException {
    new VersionReports(place, ledger, vault).deleteConfidential(version);
    vault.deleteEvidence(Objects.requireNonNull(version.certificateId()));
  }

  private void deleteModel(Version version, Ledger ledger, Vault vault) throws IOException {
    new VersionReports(place, ledger, vault).deleteRedacted(version);
    ledger.deleteModel(version.number());
  }

  /** Contents of answered requests go only if the table has their corrections in it. */
  private void requireCorrected(List<Event.Purged> due, Ledger ledger, Vault vault) {
    LedgerState state = ledger.state();
    boolean answered =
        due.stream()
            .filter(one -> one.kind() == Event.Kind.REQUEST)
            .anyMatch(one -> state.request(one.subject()).orElseThrow().version() != null);
    if (answered) {
      int base = state.lastMade().number();
      InForce.checkedTable(
          settings,
          place.spark(),
          state,
          RequestStore.of(vault, state),
          place.check(ledger, base),
          settings.data().through() + 1);
    }
  }

  private static boolean isRecorded(Event.Purged purged, Ledger ledger, Lease lease) {
    try {
      ledger.append(purged, lease);
      return true;
    } catch (IllegalArgumentException e) {
      return false; // a refused request that has been submitted again since
    }
  }

  private void destroy(Event.Purged purged, Ledger ledger, Vault vault) throws IOException {
    LedgerState state = ledger.state();
    switch (purged.kind()) {
      case REQUEST -> {
        TrackedRequest tracked = state.request(purged.subject()).orElseThrow();
        if (tracked.purged()) { // or it has come again, with another content
          RequestStore.of(vault, state).destroy(tracked);
        }
      }
      case EVIDENCE ->
          deleteEvidence(state.version(Integer.parseInt(purged.subject())), ledger, vault);
      case MODEL -> deleteModel(state.version(Integer.parseInt(purged.subject())), ledger, vault);
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
      return request.refused();
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
