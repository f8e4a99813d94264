package dev.lethe.spark.removal;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.Outage;
import dev.lethe.spark.SparkErrors;
import dev.lethe.spark.certificate.Vault;
import dev.lethe.spark.job.RequestSource;
import dev.lethe.spark.ledger.Event;
import dev.lethe.spark.ledger.Ledger;
import dev.lethe.spark.ledger.LedgerState;
import dev.lethe.spark.ledger.TrackedRequest;
import dev.lethe.spark.request.Method;
import dev.lethe.spark.request.Request;
import dev.lethe.spark.request.RequestReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Predicate;
import org.apache.spark.sql.SparkSession;

/**
 * {@code lethe submit}: takes requests into the ledger. The content goes into the vault first, so
 * that what the ledger says it has received is there. All of them are received, or none; or each
 * that can be, so that a file of which that is not true keeps no other from being answered.
 */
public final class SubmitJob {
  /** So often another process can be first in a row before something else is wrong. */
  private static final int ATTEMPTS = 100;

  /** So many requests go into an entry, if not all have to go into one. */
  private static final int GROUP = 1000;

  /** So many bytes of requests are held at a time, or a request's more. */
  private static final long GROUP_BYTES = 64L << 20;

  private final Place place;
  private final List<String> paths;
  private final boolean each;
  private final boolean again;
  private final SparkSession spark;

  /**
   * @param paths files and directories of requests
   * @param each whether those that can be received are, whatever the others are
   * @param again whether those that were refused are to be decided on once more
   */
  public SubmitJob(Place place, List<String> paths, boolean each, boolean again) {
    this.place = place;
    this.paths = List.copyOf(paths);
    this.each = each;
    this.again = again;
    this.spark = place.spark();
  }

  /**
   * What became of a request.
   *
   * @param state in the ledger now
   * @param before what the ledger knew of it
   */
  public record Submitted(String id, TrackedRequest.State state, Known before) {}

  /** What a ledger knows of a request that is submitted. */
  public enum Known {
    /** Nothing. */
    NEW(""),
    /** It was received before. */
    RECEIVED(", known before"),
    /** It was received before, and the content that it could be compared with is destroyed. */
    PURGED(", known before, purged: not compared");

    private final String words;

    Known(String words) {
      this.words = words;
    }

    /** As it is printed behind the state. */
    public String words() {
      return words;
    }
  }

  /**
   * What became of the files.
   *
   * @param refusals why files were not received; without {@code each} there are none
   * @param unanswered whether one of them is that a store did not answer, so that to submit them
   *     again may help
   */
  public record Result(List<Submitted> submitted, List<String> refusals, boolean unanswered) {
    static Result of(List<Submitted> submitted, List<InvalidInputException> refusals) {
      return new Result(
          submitted,
          refusals.stream().map(refusal -> String.valueOf(refusal.getMessage())).toList(),
          refusals.stream().anyMatch(refusal -> Outage.ofStorage(refusal).isPresent()));
    }
  }

  /** A file that is a request. */
  private record Named(String file, Request request, String text) {}

  /**
   * Runs the job. With {@code each} files are received in groups, an entry for each, so that an
   * inbox may be larger than the memory; otherwise in one.
   *
   * @throws InvalidInputException if ledger, vault or a path cannot be used; with {@code each} also
   *     if ledger or vault cannot be reached or are full, after which files may have been received;
   *     without it, too, if a file is no request that a ledger can take, or one of its id and
   *     another content was received before, or they are too much to be received at once. Nothing
   *     is received then
   */
  public Result run() {
    List<InvalidInputException> refusals = new ArrayList<>();
    Map<String, String> fileOf = new HashMap<>();
    Iterator<RequestSource.Given> files = new RequestSource(paths, null, null).given(spark);
    if (!files.hasNext() && !each) {
      throw new InvalidInputException("REQUEST " + String.join(", ", paths) + ": has no request");
    }
    Map<String, Named> group = group(files, fileOf, refusals);
    if (group.isEmpty()) {
      return Result.of(List.of(), refusals);
    }
    Vault vault = place.vault();
    Ledger ledger = place.writableLedger();
    List<Submitted> submitted = new ArrayList<>();
    while (!group.isEmpty()) {
      submitted.addAll(receive(group, vault, ledger, refusals));
      group = group(files, fileOf, refusals);
    }
    return Result.of(submitted, refusals);
  }

  /**
   * The next requests by their ids; none where there are no more.
   *
   * @param fileOf each id of this submission; those of the group are added
   */
  private Map<String, Named> group(
      Iterator<RequestSource.Given> files,
      Map<String, String> fileOf,
      List<InvalidInputException> refusals) {
    Map<String, Named> group = new LinkedHashMap<>();
    long bytes = 0;
    while (files.hasNext() && (!each || (group.size() < GROUP && bytes < GROUP_BYTES))) {
      RequestSource.Given file = files.next();
      if (unlessRefused(refusals, e -> false, () -> take(file, group, fileOf))) {
        bytes += Objects.requireNonNull(file.content()).length;
      }
      if (!each && bytes > GROUP_BYTES) {
        throw new InvalidInputException(
            "REQUEST "
                + String.join(", ", paths)
                + ": more than "
                + GROUP_BYTES
                + " bytes, too much to receive all or none; submit them in parts, or with --each");
      }
    }
    return group;
  }

  /** Receives requests in one entry; those that are refused with {@code each} are taken out. */
  private List<Submitted> receive(
      Map<String, Named> requests,
      Vault vault,
      Ledger ledger,
      List<InvalidInputException> refusals) {
    Map<String, String> commitments = new HashMap<>();
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      place.openIfNew(ledger);
      LedgerState state = ledger.state();
      RequestStore store = RequestStore.of(vault, state);
      Map<String, Known> known = new LinkedHashMap<>();
      // looked at before anything is written: all are received, or none
      for (Named one : List.copyOf(requests.values())) {
        String id = one.request().id();
        if (!unlessRefused(
            refusals, SparkErrors::isUnanswered, () -> known.put(id, known(one, state, store)))) {
          requests.remove(id);
        }
      }
      List<Event.Submission> fresh = new ArrayList<>();
      for (Named one : List.copyOf(requests.values())) {
        String id = one.request().id();
        if (known.get(id) != Known.NEW && !isToBeDecidedAgain(id, state)) {
          continue;
        }
        // kept once: who was second to write an entry tries again with the same content
        String commitment =
            commitments.computeIfAbsent(
                id, unkept -> store.keep(one.request(), one.file(), one.text()).commitment());
        fresh.add(new Event.Submission(id, commitment));
      }
      if (fresh.isEmpty() || ledger.append(new Event.Received(fresh))) {
        return submitted(known, ledger.state());
      }
      ledger.refresh();
    }
    throw new InvalidInputException(
        "ledger: " + ledger.root() + ": others wrote to it all the time; try again");
  }

  /**
   * Notes a refusal down, if the others are to be received all the same.
   *
   * @param spares what is no fault of the file
   * @throws InvalidInputException if they are not, or the file is spared
   */
  private boolean unlessRefused(
      List<InvalidInputException> refusals,
      Predicate<InvalidInputException> spares,
      Runnable step) {
    try {
      step.run();
      return true;
    } catch (InvalidInputException e) {
      if (!each || spares.test(e)) {
        throw e;
      }
      refusals.add(e);
      return false;
    }
  }

  private static void take(
      RequestSource.Given file, Map<String, Named> group, Map<String, String> fileOf) {
    if (file.refusal() != null) {
      throw file.refusal();
    }
    byte[] content = Objects.requireNonNull(file.content());
    Request request = RequestReader.read(file.name(), content);
    requireRefined(request, file.name());
    String earlier = fileOf.putIfAbsent(request.id(), file.name());
    if (earlier != null) {
      throw new InvalidInputException(
          file.name() + ": id " + request.id() + ": given twice, here and in " + earlier);
    }
    group.put(
        request.id(), new Named(file.name(), request, new String(content, StandardCharsets.UTF_8)));
  }

  private static Known known(Named one, LedgerState state, RequestStore store) {
    Optional<TrackedRequest> received = state.request(one.request().id());
    if (received.isEmpty()) {
      return Known.NEW;
    }
    if (store.isPurged(received.get())) {
      return Known.PURGED;
    }
    store.requireSame(one.request(), one.file(), received.get());
    return Known.RECEIVED;
  }

  private boolean isToBeDecidedAgain(String id, LedgerState state) {
    return again
        && state
            .request(id)
            .filter(request -> state.state(request) == TrackedRequest.State.REFUSED)
            .isPresent();
  }

  private static List<Submitted> submitted(Map<String, Known> known, LedgerState state) {
    return known.entrySet().stream()
        .map(
            one ->
                new Submitted(
                    one.getKey(),
                    state.state(state.request(one.getKey()).orElseThrow()),
                    one.getValue()))
        .toList();
  }

  private static void requireRefined(Request request, String file) {
    if (request.method() != Method.REFINED) {
      throw new InvalidInputException(
          file
              + ": method: "
              + request.method().word()
              + ": a ledger publishes certified releases alone; allowed is refined");
    }
  }
}
