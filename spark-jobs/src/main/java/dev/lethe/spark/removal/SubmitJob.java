package dev.lethe.spark.removal;

import dev.lethe.spark.InvalidInputException;
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
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.SparkSession;

/**
 * {@code lethe submit}: takes requests into the ledger. The content goes into the vault first, so
 * that what the ledger says it has received is there. All of them are received, or none.
 */
public final class SubmitJob {
  /** So often another process can be first in a row before something else is wrong. */
  private static final int ATTEMPTS = 100;

  private final Place place;
  private final List<String> paths;
  private final boolean again;
  private final SparkSession spark;

  /**
   * @param paths files and directories of requests
   * @param again whether those that were refused are to be decided on once more
   */
  public SubmitJob(Place place, List<String> paths, boolean again) {
    this.place = place;
    this.again = again;
    this.paths = List.copyOf(paths);
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

  private record Given(Request request, String name, String text) {}

  /**
   * Runs the job.
   *
   * @throws InvalidInputException if a file is no request that a ledger can take, or one of its id
   *     and another content was received before; nothing is received then
   */
  public List<Submitted> run() {
    Map<String, Given> requests = given();
    Vault vault = place.vault();
    Ledger ledger = place.writableLedger();
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      place.openIfNew(ledger);
      RequestStore store = RequestStore.of(vault, ledger.state());
      Map<String, Known> known = new LinkedHashMap<>();
      List<Given> fresh = new ArrayList<>();
      // looked at before anything is written: all are received, or none
      for (Given given : requests.values()) {
        Known before = known(given, ledger.state(), store);
        known.put(given.request().id(), before);
        if (before == Known.NEW || isRefused(given, ledger.state())) {
          fresh.add(given);
        }
      }
      List<Event.Submission> submissions = new ArrayList<>();
      for (Given given : fresh) {
        String commitment = store.keep(given.request(), given.name(), given.text()).commitment();
        submissions.add(new Event.Submission(given.request().id(), commitment));
      }
      if (fresh.isEmpty() || ledger.append(new Event.Received(submissions))) {
        LedgerState state = ledger.state();
        return known.entrySet().stream()
            .map(
                one ->
                    new Submitted(
                        one.getKey(),
                        state.state(state.request(one.getKey()).orElseThrow()),
                        one.getValue()))
            .toList();
      }
      ledger.refresh();
    }
    throw new InvalidInputException(
        "ledger: " + ledger.root() + ": others wrote to it all the time; try again");
  }

  private Map<String, Given> given() {
    Map<String, Given> requests = new LinkedHashMap<>();
    new RequestSource(paths, null, null)
        .contents(spark)
        .forEach(
            (name, content) -> {
              String text = new String(content, StandardCharsets.UTF_8);
              Request request = RequestReader.read(name, text);
              requireRefined(request, name);
              Given other = requests.putIfAbsent(request.id(), new Given(request, name, text));
              if (other != null) {
                throw new InvalidInputException(
                    name + ": id " + request.id() + ": given twice, here and in " + other.name());
              }
            });
    if (requests.isEmpty()) {
      throw new InvalidInputException("REQUEST " + String.join(", ", paths) + ": has no request");
    }
    return requests;
  }

  private static Known known(Given given, LedgerState state, RequestStore store) {
    Optional<TrackedRequest> received = state.request(given.request().id());
    if (received.isEmpty()) {
      return Known.NEW;
    }
    if (store.isPurged(received.get())) {
      return Known.PURGED;
    }
    store.requireSame(given.request(), given.name(), received.get());
    return Known.RECEIVED;
  }

  /** Whether it is to be decided on once more. */
  private boolean isRefused(Given given, LedgerState state) {
    return again
        && state
            .request(given.request().id())
            .filter(request -> state.state(request) == TrackedRequest.State.REFUSED)
            .isPresent();
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
