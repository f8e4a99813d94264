package dev.lethe.spark.request;

import dev.lethe.spark.InvalidInputException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Many requests as one: their changes in order, with the meaning of applying the requests one after
 * the other.
 *
 * <p>Every expression of the merged request sees the original row. That is the same as one request
 * after the other unless a later one reads what an earlier one sets; {@link Corrections} refuses
 * that.
 */
public final class MergedRequest {
  /** Requests that one release has at most. */
  public static final int MAX_REQUESTS = 1000;

  private MergedRequest() {}

  /**
   * A request and its name for messages.
   *
   * @param name of the file, or the id of a table's row
   */
  public record Named(String name, Request request) {}

  /**
   * Merges requests.
   *
   * <p>One that occurs twice counts once. Method, tau and featurizer are the same in all; so are
   * the terms of the certificate in those that state any, and the merged request has them.
   *
   * @param source names all of them, for messages
   * @param id of the merged request, as {@link Request#id}
   * @param requests in order
   * @throws InvalidInputException if two requests have the same id but are not the same, or differ
   *     in what must be the same
   */
  public static Request of(String source, String id, List<Named> requests) {
    Map<String, Named> byId = new LinkedHashMap<>();
    for (Named named : requests) {
      Named earlier = byId.putIfAbsent(named.request().id(), named);
      if (earlier != null
          && !Arrays.equals(earlier.request().canonicalBytes(), named.request().canonicalBytes())) {
        throw differ(source, earlier, named, "have the same id but are not the same request");
      }
    }
    List<Change> changes = new ArrayList<>();
    List<Request.Origin> origins = new ArrayList<>();
    Named first = byId.values().iterator().next();
    @Nullable Named certified = null;
    for (Named named : byId.values()) {
      Request request = named.request();
      if (request.method() != first.request().method()
          || !Objects.equals(request.tau(), first.request().tau())) {
        throw differ(source, first, named, "ask for different methods (method, tau)");
      }
      if (request.featurizer() != first.request().featurizer()) {
        throw differ(source, first, named, "ask for different treatments of the featurizer");
      }
      if (request.certificate() != null) {
        if (certified == null) {
          certified = named;
        } else if (!request.certificate().equals(certified.request().certificate())) {
          throw differ(
              source, certified, named, "ask for different certificates (epsilon, delta, rho)");
        }
      }
      for (int i = 0; i < request.changes().size(); i++) {
        changes.add(request.changes().get(i));
        origins.add(new Request.Origin(named.name(), i));
      }
    }
    try {
      return new Request(
          id,
          changes,
          certified == null ? null : certified.request().certificate(),
          first.request().method(),
          first.request().tau(),
          first.request().featurizer(),
          origins);
    } catch (IllegalArgumentException e) {
      throw new InvalidInputException("--id: " + e.getMessage(), e);
    }
  }

  private static InvalidInputException differ(
      String source, Named one, Named other, String complaint) {
    return new InvalidInputException(
        source
            + ": "
            + one.name()
            + " and "
            + other.name()
            + " "
            + complaint
            + "; one release has one of each: make them equal, or give them one after the other");
  }
}
