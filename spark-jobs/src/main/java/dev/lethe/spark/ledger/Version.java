package dev.lethe.spark.ledger;

import dev.lethe.spark.certificate.ModelDigest;
import dev.lethe.spark.request.CertificateTerms;
import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A version of the model, as far as the ledger has it.
 *
 * @param number 0 for the model that the ledger began with
 * @param base the version that it starts from
 * @param requests that it applies, beside those of the versions before it
 * @param certificateId null for version 0
 * @param terms of its release; null for version 0
 * @param planned what its release is going to cost; null for version 0
 * @param phase what has become of it
 * @param model digest of its model; null before it is applied
 * @param certificate SHA-256 of its certificate; null before it is applied, and for version 0
 * @param published when it was published; null if it was not
 * @param superseded when another took its place; null if none did
 */
public record Version(
    int number,
    int base,
    List<String> requests,
    @Nullable String certificateId,
    @Nullable CertificateTerms terms,
    @Nullable Spent planned,
    Phase phase,
    @Nullable ModelDigest model,
    @Nullable String certificate,
    @Nullable Instant published,
    @Nullable Instant superseded) {

  /** What has become of a version. */
  public enum Phase {
    /** It is going to be made. */
    DECIDED,
    /** It is not. */
    ABANDONED,
    /** It lies in its place. */
    APPLIED,
    /** It has been the one to use. */
    PUBLISHED
  }

  Version with(Phase next, @Nullable Instant publishedAt) {
    return new Version(
        number,
        base,
        requests,
        certificateId,
        terms,
        planned,
        next,
        model,
        certificate,
        publishedAt,
        null);
  }

  Version applied(ModelDigest digest, String document) {
    return new Version(
        number,
        base,
        requests,
        certificateId,
        terms,
        planned,
        Phase.APPLIED,
        digest,
        document,
        null,
        null);
  }

  Version superseded(@Nullable Instant at) {
    return new Version(
        number,
        base,
        requests,
        certificateId,
        terms,
        planned,
        phase,
        model,
        certificate,
        published,
        at);
  }

  /** Whether it lies in its place, or has. */
  public boolean isMade() {
    return phase == Phase.APPLIED || phase == Phase.PUBLISHED;
  }
}
