package dev.lethe.spark.removal;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.Vault;
import dev.lethe.spark.job.RequestSource;
import dev.lethe.spark.ledger.Event;
import dev.lethe.spark.ledger.Ledger;
import dev.lethe.spark.ledger.TrackedRequest;
import dev.lethe.spark.request.Method;
import dev.lethe.spark.request.Request;
import dev.lethe.spark.request.RequestReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
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
  private final SparkSession spark;

  /**
   * @param paths files and directories of requests
   */
  public SubmitJob(Place place, List<String> paths) {
    this.place = place;
    this.paths = List.copyOf(paths);
    this.spark = place.spark();
  }

  /**
   * What became of a request.
   *
   * @param state in the ledger now
   * @param known whether the same request had been received before
   */
  public record Submitted(String id, TrackedRequest.State state, boolean known) {}

  /**
   * Runs the job.
   *
   * @throws InvalidInputException if a file is no request that a ledger can take, or one of its id
   *     and another content was received before; nothing is received then
   */
  public List<Submitted> run() {
    Map<String, byte[]> files = new RequestSource(paths, null, null).contents(spark);
    Map<String, String> names = new LinkedHashMap<>();
    Map<String, Request> requests = new LinkedHashMap<>();
    for (Map.Entry<String, byte[]> file : files.entrySet()) {
      Request request = RequestReader.read(file.getKey(), file.getValue());
      requireRefined(request, file.getKey());
      if (requests.putIfAbsent(request.id(), request) != null) {
        throw new InvalidInputException(
            file.getKey()
                + ": id "
                + request.id()
                + ": given twice, here and in "
                + names.get(request.id()));
      }
      names.put(request.id(), file.getKey());
    }
    if (requests.isEmpty()) {
      throw new InvalidInputException("REQUEST " + String.join(", ", paths) + ": has no request");
    }
    Vault vault = place.vault();
    RequestStore store = new RequestStore(vault);
    Ledger ledger = place.writableLedger();
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (!ledger.state().isOpened()) {
        place.openIfNew(ledger);
        continue;
      }
      List<Event.Submission> fresh = new ArrayList<>();
      List<String> known = new ArrayList<>();
      // looked at before anything is written: all are received, or none
      for (String id : requests.keySet()) {
        ledger.state().request(id).ifPresent(request -> known.add(id));
      }
      for (Map.Entry<String, String> named : names.entrySet()) {
        String id = named.getKey();
        if (known.contains(id)) {
          store.keep(named.getValue(), text(files, named.getValue()), ledger.state().request(id));
        }
      }
      for (Map.Entry<String, String> named : names.entrySet()) {
        String id = named.getKey();
        if (!known.contains(id)) {
          RequestStore.Content kept =
              store.keep(
                  named.getValue(), text(files, named.getValue()), ledger.state().request(id));
          fresh.add(new Event.Submission(id, kept.commitment()));
        }
      }
      if (fresh.isEmpty() || ledger.append(new Event.Received(fresh))) {
        return requests.keySet().stream()
            .map(
                id ->
                    new Submitted(
                        id,
                        ledger.state().state(ledger.state().request(id).orElseThrow()),
                        known.contains(id)))
            .toList();
      }
      ledger.refresh();
    }
    throw new InvalidInputException(
        "ledger: " + ledger.root() + ": others wrote to it all the time; try again");
  }

  private static String text(Map<String, byte[]> files, String name) {
    return new String(files.get(name), StandardCharsets.UTF_8);
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
