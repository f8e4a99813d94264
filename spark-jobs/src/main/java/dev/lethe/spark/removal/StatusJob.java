package dev.lethe.spark.removal;

import dev.lethe.core.certify.Composition;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.ledger.Entry;
import dev.lethe.spark.ledger.Event;
import dev.lethe.spark.ledger.Ledger;
import dev.lethe.spark.ledger.LedgerState;
import dev.lethe.spark.ledger.TrackedRequest;
import dev.lethe.spark.ledger.Version;
import java.io.IOException;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** {@code lethe status} and {@code lethe history}: the ledger in words. */
public final class StatusJob {
  private final Place place;

  public StatusJob(Place place) {
    this.place = place;
  }

  /**
   * What is used, what waits, what all releases tell.
   *
   * @throws InvalidInputException if there is no such ledger, or it is damaged
   */
  public List<String> status() throws IOException {
    Ledger ledger = place.existingLedger();
    LedgerState state = ledger.state();
    List<String> lines = new ArrayList<>();
    Version current = state.current();
    lines.add(field("ledger", ledger.root().toString()));
    lines.add(
        field(
            "current",
            "version "
                + current.number()
                + (state.isForced() ? ", rolled back by force: holds what was unlearned" : "")
                + ", "
                + ledger.model(current.number())));
    lines.add(field("in use since", since(state)));
    state
        .unfinished()
        .ifPresent(
            version ->
                lines.add(
                    field(
                        "unfinished",
                        "version "
                            + version.number()
                            + ", "
                            + word(version)
                            + "; lethe run finishes it")));
    lines.add(field("versions", (state.versions().size() - 1) + ""));
    lines.add(field("requests", counts(state)));
    lines.add(field("waiting", ids(state.waiting().stream().map(TrackedRequest::id).toList())));
    lines.add(
        field(
            "oldest waiting",
            state.oldestUnanswered().map(at -> "since " + at).orElse("none, all are answered")));
    lines.add(field("releases", releases(state.releases())));
    Settings.Budget budget = place.settings().budget();
    if (budget != null) {
      OptionalDouble spent = budget.limit().spent(state.releases());
      lines.add(
          field(
              "budget",
              String.format(
                  Locale.ROOT,
                  "epsilon %s of %s spent at delta %s",
                  spent.isPresent()
                      ? String.format(Locale.ROOT, "%.4g", spent.getAsDouble())
                      : "unknown",
                  budget.epsilon(),
                  budget.delta())));
    }
    lines.add(
        field(
            "lease",
            ledger
                .holder()
                .map(holder -> "held by " + holder.by() + " since " + holder.since())
                .orElse("free")));
    lines.add(field("head", ledger.chain().head() + ", entry " + ledger.chain().entries().size()));
    return lines;
  }

  /**
   * A line for each request that is refused, or waits again after its version was given up, as far
   * as the vault says why.
   *
   * @throws InvalidInputException if there is no such ledger, or its vault cannot be read
   */
  public List<String> reasons() {
    LedgerState state = place.existingLedger().state();
    RequestStore store = RequestStore.of(place.vault(), state);
    List<String> lines = new ArrayList<>();
    for (TrackedRequest request : state.requests()) {
      if (state.state(request) == TrackedRequest.State.REFUSED) {
        String why = store.explanation(request).orElse("purged, or not kept");
        lines.add(field("refused", request.id() + ": " + why));
      }
    }
    for (TrackedRequest request : state.waiting()) {
      if (request.version() != null) {
        store
            .explanation(request)
            .ifPresent(why -> lines.add(field("waits again", request.id() + ": " + why)));
      }
    }
    return lines;
  }

  /**
   * A line for each entry.
   *
   * @param request alone; null for all
   * @throws InvalidInputException if there is no such ledger or request, or it is damaged
   */
  public List<String> history(@Nullable String request) {
    Ledger ledger = place.existingLedger();
    if (request != null && ledger.state().request(request).isEmpty()) {
      throw new InvalidInputException("--request " + request + ": the ledger does not have it");
    }
    List<String> lines = new ArrayList<>();
    for (Entry entry : ledger.chain().entries()) {
      if (request == null || concerns(entry.event(), request, ledger.state())) {
        lines.add(
            String.format(
                Locale.ROOT,
                "%6d  %s  %-10s  %s",
                entry.sequence(),
                entry.at(),
                entry.by(),
                words(entry.event())));
      }
    }
    return lines;
  }

  private static String since(LedgerState state) {
    Version current = state.current();
    String how =
        !state.currentSince().equals(current.published())
            ? "rolled back at "
            : current.number() == 0 ? "opened at " : "published at ";
    return how + state.currentSince();
  }

  private static String word(Version version) {
    return version.phase().name().toLowerCase(Locale.ROOT);
  }

  private static String counts(LedgerState state) {
    return state.requests().stream()
        .collect(
            Collectors.groupingBy(
                state::state,
                () -> new EnumMap<>(TrackedRequest.State.class),
                Collectors.counting()))
        .entrySet()
        .stream()
        .map(e -> e.getValue() + " " + e.getKey().word())
        .collect(Collectors.joining(", "));
  }

  private static String ids(List<String> ids) {
    return ids.isEmpty()
        ? "none"
        : ids.size()
            + ": "
            + String.join(", ", ids.subList(0, Math.min(10, ids.size())))
            + (ids.size() > 10 ? ", ..." : "");
  }

  private static String releases(Composition releases) {
    return String.format(
        Locale.ROOT,
        "all together mu %.4g%s",
        releases.mu(),
        releases.pureEpsilon() > 0
            ? String.format(Locale.ROOT, ", pure epsilon %.4g", releases.pureEpsilon())
            : "");
  }

  private static String field(String name, String value) {
    return String.format(Locale.ROOT, "%-16s %s", name, value);
  }

  private static boolean concerns(Event event, String id, LedgerState state) {
    if (event instanceof Event.Received received) {
      return received.requests().stream().anyMatch(one -> one.id().equals(id));
    }
    if (event instanceof Event.Decided decided) {
      return decided.admitted().contains(id)
          || decided.refused().stream().anyMatch(one -> one.id().equals(id));
    }
    if (event instanceof Event.Purged purged) {
      return purged.kind() == Event.Kind.REQUEST && purged.subject().equals(id);
    }
    Integer version = version(event);
    return version != null && version > 0 && state.version(version).requests().contains(id);
  }

  private static @Nullable Integer version(Event event) {
    if (event instanceof Event.Abandoned abandoned) {
      return abandoned.version();
    }
    if (event instanceof Event.Applied applied) {
      return applied.version();
    }
    if (event instanceof Event.Published published) {
      return published.version();
    }
    return event instanceof Event.RolledBack back ? back.version() : null;
  }

  private static String words(Event event) {
    if (event instanceof Event.Opened opened) {
      return "opened with " + opened.model() + " as version 0";
    }
    if (event instanceof Event.Received received) {
      return "received " + ids(received.requests().stream().map(Event.Submission::id).toList());
    }
    if (event instanceof Event.Decided decided) {
      return (decided.version() == null
              ? "admitted nothing"
              : "version " + decided.version() + " is to apply " + ids(decided.admitted()))
          + decided.refused().stream()
              .map(one -> "; refused " + one.id() + ": " + one.reason().text())
              .collect(Collectors.joining());
    }
    if (event instanceof Event.Abandoned abandoned) {
      return "version "
          + abandoned.version()
          + " abandoned: "
          + abandoned.cause().text()
          + (abandoned.seen() == null ? "" : ", and counts as a release");
    }
    if (event instanceof Event.Applied applied) {
      return "version " + applied.version() + " applied, model " + applied.model().value();
    }
    if (event instanceof Event.Published published) {
      return "version " + published.version() + " published";
    }
    if (event instanceof Event.RolledBack back) {
      return "rolled back to version "
          + back.version()
          + (back.forced() == null ? "" : " by force: " + back.forced());
    }
    Event.Purged purged = (Event.Purged) event;
    return "purged " + purged.kind().word() + " " + purged.subject() + " (" + purged.reason() + ")";
  }
}
