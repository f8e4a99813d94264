package dev.lethe.spark.ledger;

import dev.lethe.spark.ledger.Event.Unfit;
import java.time.Instant;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * A request, as far as the ledger has it.
 *
 * @param commitment as {@link Event.Submission} has it
 * @param received when it came
 * @param version that applies it, or is going to; null before it is admitted
 * @param reason why it was refused; null if it was not
 * @param refused when; null if it was not
 * @param purged whether its content is destroyed
 */
public record TrackedRequest(
    String id,
    String commitment,
    Instant received,
    @Nullable Integer version,
    @Nullable Unfit reason,
    @Nullable Instant refused,
    boolean purged) {

  /** Of a request. */
  public enum State {
    RECEIVED,
    ADMITTED,
    REFUSED,
    APPLIED,
    PUBLISHED,
    SUPERSEDED;

    /** As it is printed. */
    public String word() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  TrackedRequest refused(Unfit why, Instant at) {
    return new TrackedRequest(id, commitment, received, null, why, at, purged);
  }

  TrackedRequest admitted(int into) {
    return new TrackedRequest(id, commitment, received, into, null, null, purged);
  }

  TrackedRequest withoutContent() {
    return new TrackedRequest(id, commitment, received, version, reason, refused, true);
  }
}
