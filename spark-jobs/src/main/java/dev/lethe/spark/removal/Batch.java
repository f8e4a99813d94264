package dev.lethe.spark.removal;

import dev.lethe.spark.request.CertificateTerms;
import dev.lethe.spark.request.MergedRequest;
import dev.lethe.spark.request.Request;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** The requests of one version as one request. */
final class Batch {
  private Batch() {}

  /** The public id of a version's merged request. */
  static String id(int version) {
    return String.format(Locale.ROOT, "version-%06d", version);
  }

  /**
   * Merges requests in order.
   *
   * @param terms of the release
   */
  static Request merged(int version, List<Request> requests, @Nullable CertificateTerms terms) {
    return MergedRequest.of(
        "the requests that wait",
        id(version),
        requests.stream()
            .map(request -> new MergedRequest.Named(request.id(), with(request, terms)))
            .toList());
  }

  private static Request with(Request request, @Nullable CertificateTerms terms) {
    return new Request(
        request.id(),
        request.changes(),
        terms,
        request.method(),
        request.tau(),
        request.featurizer(),
        request.origins());
  }

  /** The smallest of each figure: what satisfies all. */
  static CertificateTerms strictest(CertificateTerms ledger, List<Request> requests) {
    return Stream.concat(
            Stream.of(ledger),
            requests.stream().map(Request::certificate).filter(terms -> terms != null))
        .reduce(
            ledger,
            (a, b) ->
                new CertificateTerms(
                    Math.min(a.epsilon(), b.epsilon()),
                    Math.min(a.delta(), b.delta()),
                    Math.min(a.rho(), b.rho())));
  }
}
