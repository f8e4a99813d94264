package dev.lethe.spark.ledger;

import dev.lethe.core.certify.Composition;
import dev.lethe.spark.InvalidInputException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What the entries say together: the state of every request and version, and the account of all
 * releases. A function of the entries alone. An entry that breaks a rule of {@code docs/ledger.md}
 * is refused, so that a ledger cannot say that an older model holds nothing that was unlearned.
 */
public final class LedgerState {
  private final Map<String, TrackedRequest> requests = new LinkedHashMap<>();
  private final TreeMap<Integer, Version> versions = new TreeMap<>();
  private final Set<Integer> withoutModel = new HashSet<>();
  private final Set<Integer> withoutEvidence = new HashSet<>();
  private Composition releases = Composition.NONE;
  private Event.@Nullable Opened opened;
  private int current;
  private @Nullable Instant since;
  private List<String> failed = List.of();
  private final Set<String> uncertifiable = new LinkedHashSet<>();
  private boolean forced;

  /**
   * Folds the entries.
   *
   * @throws InvalidInputException if one breaks the rules
   */
  static LedgerState of(List<Entry> entries) {
    LedgerState state = new LedgerState();
    for (Entry entry : entries) {
      try {
        state.apply(entry.event(), entry.at());
      } catch (IllegalArgumentException e) {
        throw new InvalidInputException(
            "ledger: entry " + entry.sequence() + ": " + e.getMessage(), e);
      }
    }
    return state;
  }

  /**
   * Takes one event more.
   *
   * @throws IllegalArgumentException if it breaks the rules
   */
  void apply(Event event, Instant at) {
    if ((opened == null) != (event instanceof Event.Opened)) {
      throw new IllegalArgumentException("the first entry, and no other, opens the ledger");
    }
    if (event instanceof Event.Opened first) {
      opened = first;
      since = at;
      versions.put(
          0,
          new Version(
              0,
              0,
              List.of(),
              null,
              null,
              null,
              Version.Phase.PUBLISHED,
              first.modelDigest(),
              null,
              at,
              null));
    } else if (event instanceof Event.Received received) {
      for (Event.Submission one : received.requests()) {
        TrackedRequest before = requests.remove(one.id()); // those that come again go to the end
        require(
            before == null || before.reason() != null, "request " + one.id() + " is there already");
        requests.put(
            one.id(), new TrackedRequest(one.id(), one.commitment(), at, null, null, null, false));
      }
    } else if (event instanceof Event.Decided decided) {
      decide(decided, at);
    } else if (event instanceof Event.Abandoned abandoned) {
      Version version = version(abandoned.version());
      require(
          unfinished().filter(version::equals).isPresent(),
          "version " + abandoned.version() + " is not one that is being made");
      require(
          abandoned.seen() == null || version.phase() == Version.Phase.DECIDED,
          "version " + abandoned.version() + " was counted before");
      versions.put(version.number(), version.with(Version.Phase.ABANDONED, null));
      failed = abandoned.cause().isOfRequests() ? byLastAttempt(version.requests()) : failed;
      if (abandoned.cause() == Event.Cause.NOT_CERTIFIED && failed.size() == 1) {
        uncertifiable.removeAll(failed);
        uncertifiable.addAll(failed); // behind those whose last attempt is longer ago
        failed = List.of();
      }
      if (abandoned.seen() != null) {
        releases = abandoned.seen().addedTo(releases);
      }
    } else if (event instanceof Event.Applied applied) {
      Version version = pending(applied.version());
      versions.put(version.number(), version.applied(applied.model(), applied.certificate()));
      releases = applied.release().addedTo(releases);
    } else if (event instanceof Event.Published published) {
      Version version = made(published.version());
      require(
          version.phase() == Version.Phase.APPLIED,
          "version " + version.number() + " was published before");
      moveTo(version.with(Version.Phase.PUBLISHED, at), at, false);
      failed = List.of();
    } else if (event instanceof Event.RolledBack back) {
      Version version = made(back.version());
      require(
          version.phase() == Version.Phase.PUBLISHED,
          "version " + version.number() + " was never published");
      require(
          !withoutModel.contains(version.number()), "version " + version.number() + " was purged");
      require(back.forced() == null || !back.forced().isBlank(), "a reason must say something");
      require(
          back.forced() != null || unlearnedSince(version.number()).isEmpty(),
          "version " + version.number() + " holds what was unlearned since");
      moveTo(version.superseded(null), at, back.forced() != null);
    } else if (event instanceof Event.Purged purged) {
      purge(purged);
    }
  }

  private void decide(Event.Decided decided, Instant at) {
    require(unfinished().isEmpty(), "the version before it is not finished");
    Set<String> named = new HashSet<>();
    for (Event.Refusal refusal : decided.refused()) {
      TrackedRequest request = waiting(refusal.id());
      uncertifiable.remove(refusal.id());
      require(named.add(request.id()), "request " + request.id() + " is named twice");
      requests.put(request.id(), request.refused(refusal.reason(), at));
      failed = failed.contains(refusal.id()) ? List.of() : failed; // the rest may do without it
    }
    Integer number = decided.version();
    if (number == null) {
      return;
    }
    require(number == versions.lastKey() + 1, "version must be " + (versions.lastKey() + 1));
    require(decided.base() == lastMade().number(), "base must be " + lastMade().number());
    for (String id : decided.admitted()) {
      TrackedRequest request = waiting(id);
      require(named.add(id), "request " + id + " is named twice");
      requests.put(id, request.admitted(number));
    }
    versions.put(
        number,
        new Version(
            number,
            decided.base(),
            decided.admitted(),
            decided.certificateId(),
            decided.terms(),
            decided.planned(),
            Version.Phase.DECIDED,
            null,
            null,
            null,
            null));
  }

  private void moveTo(Version version, Instant at, boolean byForce) {
    if (current != version.number()) {
      Version before = version(current);
      versions.put(current, before.superseded(at));
    }
    versions.put(version.number(), version);
    current = version.number();
    since = at;
    forced = byForce;
  }

  private void purge(Event.Purged purged) {
    switch (purged.kind()) {
      case REQUEST -> {
        TrackedRequest request =
            there(requests.get(purged.subject()), "request " + purged.subject() + " is not there");
        require(
            request.reason() != null
                || (request.version() != null
                    && version(request.version()).phase() == Version.Phase.PUBLISHED),
            "request " + request.id() + " waits for its answer");
        requests.put(purged.subject(), request.withoutContent());
      }
      case MODEL -> {
        Version version = ours(purged.subject());
        require(version.number() != current, "the model in use cannot be purged");
        require(!isBase(version.number()), "the next version starts from it");
        withoutModel.add(version.number());
      }
      case EVIDENCE -> withoutEvidence.add(ours(purged.subject()).number());
    }
  }

  /** With those at the end that could not be certified alone, the last one last. */
  private List<String> byLastAttempt(List<String> ids) {
    List<String> ordered = new ArrayList<>(ids);
    ordered.removeAll(uncertifiable);
    uncertifiable.stream().filter(ids::contains).forEach(ordered::add);
    return ordered;
  }

  /** A version that the ledger made; the model that it began with is its owner's. */
  private Version ours(String number) {
    Version version = made(Integer.parseInt(number));
    require(version.number() > 0, "version 0 is not the ledger's to purge");
    return version;
  }

  private static void require(boolean condition, String complaint) {
    if (!condition) {
      throw new IllegalArgumentException(complaint);
    }
  }

  private TrackedRequest waiting(String id) {
    TrackedRequest request = there(requests.get(id), "request " + id + " is not there");
    TrackedRequest.State state = state(request);
    boolean carried =
        request.version() != null && version(request.version()).phase() == Version.Phase.ABANDONED;
    require(
        state == TrackedRequest.State.RECEIVED || carried,
        "request " + id + " is " + state.word() + " already");
    return request;
  }

  private Version pending(int number) {
    Version version = there(versions.get(number), "version " + number + " does not exist");
    require(
        version.phase() == Version.Phase.DECIDED,
        "version " + number + " is not one that is being made");
    return version;
  }

  private Version made(int number) {
    Version version = there(versions.get(number), "version " + number + " does not exist");
    require(version.isMade(), "version " + number + " was not made");
    return version;
  }

  private static <T> T there(@Nullable T value, String complaint) {
    if (value == null) {
      throw new IllegalArgumentException(complaint);
    }
    return value;
  }

  /** Whether the ledger has been opened. */
  public boolean isOpened() {
    return opened != null;
  }

  /** How it was opened. */
  public Event.Opened opened() {
    if (opened == null) {
      throw new IllegalStateException("the ledger has no entry");
    }
    return opened;
  }

  /** All requests in the order in which they came. */
  public List<TrackedRequest> requests() {
    return List.copyOf(requests.values());
  }

  /** A request; empty if there is none of this id. */
  public Optional<TrackedRequest> request(String id) {
    return Optional.ofNullable(requests.get(id));
  }

  /** What has become of a request. */
  public TrackedRequest.State state(TrackedRequest request) {
    if (request.reason() != null) {
      return TrackedRequest.State.REFUSED;
    }
    if (request.version() == null) {
      return TrackedRequest.State.RECEIVED;
    }
    Version version = version(request.version());
    return switch (version.phase()) {
      case DECIDED, ABANDONED -> TrackedRequest.State.ADMITTED;
      case APPLIED -> TrackedRequest.State.APPLIED;
      case PUBLISHED ->
          version.number() == current
              ? TrackedRequest.State.PUBLISHED
              : TrackedRequest.State.SUPERSEDED;
    };
  }

  /** Requests that wait for a run: received, or admitted to a version that was abandoned. */
  public List<TrackedRequest> waiting() {
    return requests.values().stream()
        .filter(
            request ->
                request.reason() == null
                    && (request.version() == null
                        || version(request.version()).phase() == Version.Phase.ABANDONED))
        .toList();
  }

  /** All versions by their numbers. */
  public List<Version> versions() {
    return List.copyOf(versions.values());
  }

  /** A version that is there. */
  public Version version(int number) {
    return there(versions.get(number), "version " + number + " does not exist");
  }

  /** The version that is being made, or lies in its place and is not published yet. */
  public Optional<Version> unfinished() {
    Version last = versions.isEmpty() ? null : versions.lastEntry().getValue();
    return last != null
            && (last.phase() == Version.Phase.DECIDED || last.phase() == Version.Phase.APPLIED)
        ? Optional.of(last)
        : Optional.empty();
  }

  /** The version that is to be used. */
  public Version current() {
    return version(current);
  }

  /** When the current version became it: the ledger was opened, it was published, or put back. */
  public Instant currentSince() {
    return there(since, "the ledger has no entry");
  }

  /** When the oldest request came that is in no published version yet; empty if all have theirs. */
  public Optional<Instant> oldestUnanswered() {
    return requests.values().stream()
        .filter(
            request ->
                switch (state(request)) {
                  case RECEIVED, ADMITTED, APPLIED -> true;
                  case REFUSED, PUBLISHED, SUPERSEDED -> false;
                })
        .map(TrackedRequest::received)
        .min(Comparator.naturalOrder());
  }

  /** Whether the current version was put back although it holds what has been unlearned since. */
  public boolean isForced() {
    return forced;
  }

  /** The youngest version that has been made; the next one starts from it. */
  public Version lastMade() {
    return versions.descendingMap().values().stream()
        .filter(Version::isMade)
        .findFirst()
        .orElseThrow();
  }

  /** Whether the version that is being made, or the next one, starts from this one. */
  public boolean isBase(int number) {
    return number == lastMade().number()
        || unfinished().filter(version -> version.base() == number).isPresent();
  }

  /**
   * The requests of the last version that was abandoned because of what it applied; none where a
   * version was published, or one of them refused, since.
   */
  public List<String> failed() {
    return failed;
  }

  /** The versions whose requests are in force, in the order in which they apply. */
  public List<Version> inForce() {
    return versions.values().stream()
        .filter(version -> version.number() > 0 && version.isMade())
        .toList();
  }

  /** Requests of which a version could not be certified that had each alone. */
  public Set<String> uncertifiable() {
    return Collections.unmodifiableSet(uncertifiable);
  }

  /** Requests that younger versions than this one apply. */
  public List<String> unlearnedSince(int number) {
    return versions.tailMap(number, false).values().stream()
        .filter(Version::isMade)
        .flatMap(version -> version.requests().stream())
        .toList();
  }

  /** All releases together. */
  public Composition releases() {
    return releases;
  }

  /** Whether the version's model is still there. */
  public boolean hasModel(int number) {
    return version(number).isMade() && !withoutModel.contains(number);
  }

  /** Whether the version's evidence is still there. */
  public boolean hasEvidence(int number) {
    return number > 0 && version(number).isMade() && !withoutEvidence.contains(number);
  }

  /** The number of the next version. */
  public int next() {
    return versions.lastKey() + 1;
  }
}
