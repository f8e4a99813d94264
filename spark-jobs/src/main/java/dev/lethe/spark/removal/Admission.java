package dev.lethe.spark.removal;

import dev.lethe.spark.InvalidInputException;
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
   * Checks requests: all of them together, one pass; where that fails the table without any, then
   * each by itself, and then as many together as go.
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
    for (Request request : sound) {
      String complaint = complaint(version, List.of(request), check);
      if (complaint == null) {
        fitting.add(request);
      } else {
        refused.add(new Refused(request.id(), Event.Unfit.DOES_NOT_FIT, complaint));
      }
    }
    if (fitting.isEmpty() || complaint(version, fitting, check) == null) {
      return new Admission(fitting, refused, List.of());
    }
    List<Request> admitted = new ArrayList<>();
    List<String> deferred = new ArrayList<>();
    for (Request request : fitting) {
      List<Request> together = new ArrayList<>(admitted);
      together.add(request);
      // in order: what comes after one that waits, waits, too
      if (deferred.isEmpty() && complaint(version, together, check) == null) {
        admitted.add(request);
      } else {
        deferred.add(request.id());
      }
    }
    return new Admission(admitted, refused, deferred);
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
      if (e.getCause() instanceof IOException) {
        throw e;
      }
      return e.getMessage();
    }
  }
}
