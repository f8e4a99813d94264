package dev.lethe.spark.removal;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.SparkErrors;
import dev.lethe.spark.job.RequestCheck;
import dev.lethe.spark.ledger.Event;
import dev.lethe.spark.request.FeaturizerPolicy;
import dev.lethe.spark.request.Request;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Which of the requests that wait go into the next version.
 *
 * @param admitted in the order in which they came
 * @param refused those that do not fit model or table by themselves
 * @param deferred ids of those that fit, but not together with the ones before them, and of all
 *     behind them: they wait for the next run
 */
record Admission(List<Request> admitted, List<Refused> refused, List<String> deferred) {
  Admission {
    admitted = List.copyOf(admitted);
    refused = List.copyOf(refused);
    deferred = List.copyOf(deferred);
  }

  /**
   * A request that is refused.
   *
   * @param why in words that may quote it
   */
  record Refused(String id, Event.Unfit reason, String why) {
    Event.Refusal event() {
      return new Event.Refusal(id, reason);
    }
  }

  /**
   * Checks requests: all of them together, one pass; where that fails the table without any. Then
   * those that do not fit by themselves are found by halves, in 2 k log n passes for k among n, and
   * the most that go together by bisection, in log n.
   *
   * @param waiting in the order in which they came
   * @throws InvalidInputException if the table cannot be used, whatever the requests say
   */
  static Admission of(int version, List<Request> waiting, RequestCheck check) {
    List<Refused> refused = new ArrayList<>();
    List<Request> sound = new ArrayList<>();
    for (Request request : waiting) {
      Optional<String> unmet =
          request.certificate() == null ? Optional.empty() : check.unmet(request.certificate());
      if (unmet.isPresent()) {
        refused.add(new Refused(request.id(), Event.Unfit.TERMS, unmet.get()));
      } else {
        sound.add(request);
      }
    }
    if (sound.isEmpty() || complaint(version, sound, check) == null) {
      return new Admission(sound, refused, List.of());
    }
    check.requireReadable(
        sound.stream().anyMatch(request -> request.featurizer() == FeaturizerPolicy.REFIT));
    List<Request> fitting = new ArrayList<>();
    sort(version, sound, check, fitting, refused);
    if (fitting.isEmpty() || complaint(version, fitting, check) == null) {
      return new Admission(fitting, refused, List.of());
    }
    int together = 1;
    int tooMany = fitting.size();
    while (tooMany - together > 1) {
      int middle = (together + tooMany) / 2;
      if (complaint(version, fitting.subList(0, middle), check) == null) {
        together = middle;
      } else {
        tooMany = middle;
      }
    }
    // in order: what comes after one that waits, waits, too
    return new Admission(
        fitting.subList(0, together),
        refused,
        fitting.subList(together, fitting.size()).stream().map(Request::id).toList());
  }

  /** Requests that cannot be answered together, by whether each can by itself. */
  private static void sort(
      int version,
      List<Request> requests,
      RequestCheck check,
      List<Request> fitting,
      List<Refused> refused) {
    if (requests.size() == 1) {
      Request request = requests.get(0);
      String complaint = complaint(version, requests, check);
      if (complaint == null) {
        fitting.add(request);
      } else {
        refused.add(new Refused(request.id(), Event.Unfit.DOES_NOT_FIT, complaint));
      }
      return;
    }
    int half = requests.size() / 2;
    for (List<Request> part :
        List.of(requests.subList(0, half), requests.subList(half, requests.size()))) {
      if (part.size() > 1 && complaint(version, part, check) == null) {
        fitting.addAll(part);
      } else {
        sort(version, part, check, fitting, refused);
      }
    }
  }

  /**
   * Why requests cannot be answered together; null if they can.
   *
   * @throws InvalidInputException if a file could not be read, which no request is to blame for
   */
  private static @Nullable String complaint(
      int version, List<Request> requests, RequestCheck check) {
    try {
      String name =
          requests.size() == 1 ? "request " + requests.get(0).id() : "the requests that wait";
      check.check(Batch.merged(version, requests, null), name);
      return null;
    } catch (InvalidInputException e) {
      if (e.getCause() instanceof IOException || SparkErrors.isOfFiles(e)) {
        throw e;
      }
      return e.getMessage();
    }
  }
}
