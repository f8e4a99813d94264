package dev.lethe.spark.removal;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.job.RequestCheck;
import dev.lethe.spark.ledger.Event;
import dev.lethe.spark.request.Request;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Which of the requests that wait go into the next version.
 *
 * @param admitted in the order in which they came
 * @param refused those that do not fit model or table by themselves, and why
 * @param deferred those that fit, but not together with the ones before them: they wait for the
 *     version after the next
 */
record Admission(List<Request> admitted, List<Event.Refusal> refused, List<Deferred> deferred) {

  /** A request that has to wait, and why. */
  record Deferred(String id, String reason) {}

  /**
   * Checks requests: all of them together, one pass; where that fails each by itself, and then as
   * many together as go.
   *
   * @param waiting in the order in which they came
   */
  static Admission of(int version, List<Request> waiting, RequestCheck check) {
    if (waiting.isEmpty() || complaint(version, waiting, check) == null) {
      return new Admission(waiting, List.of(), List.of());
    }
    List<Request> fitting = new ArrayList<>();
    List<Event.Refusal> refused = new ArrayList<>();
    for (Request request : waiting) {
      String complaint = complaint(version, List.of(request), check);
      if (complaint == null) {
        fitting.add(request);
      } else {
        refused.add(new Event.Refusal(request.id(), complaint));
      }
    }
    if (fitting.isEmpty() || complaint(version, fitting, check) == null) {
      return new Admission(fitting, refused, List.of());
    }
    List<Request> admitted = new ArrayList<>();
    List<Deferred> deferred = new ArrayList<>();
    for (Request request : fitting) {
      List<Request> together = new ArrayList<>(admitted);
      together.add(request);
      String complaint = complaint(version, together, check);
      if (complaint == null) {
        admitted.add(request);
      } else {
        deferred.add(new Deferred(request.id(), complaint));
      }
    }
    return new Admission(admitted, refused, deferred);
  }

  /** Why requests cannot be answered together; null if they can. */
  private static @Nullable String complaint(
      int version, List<Request> requests, RequestCheck check) {
    try {
      String name =
          requests.size() == 1 ? "request " + requests.get(0).id() : "the requests that wait";
      check.check(Batch.merged(version, requests, null), name);
      return null;
    } catch (InvalidInputException e) {
      return e.getMessage();
    }
  }
}
