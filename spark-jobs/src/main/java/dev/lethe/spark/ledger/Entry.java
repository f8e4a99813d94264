package dev.lethe.spark.ledger;

import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.JsonDocument;
import dev.lethe.spark.certificate.Require;
import java.time.Instant;
import java.time.temporal.ChronoUnit;

/**
 * One link of the chain.
 *
 * @param schemaVersion {@value #SCHEMA_VERSION}
 * @param sequence from 1 on, without gaps
 * @param previous SHA-256 of the bytes of the entry before it; of the first one {@link #NONE}
 * @param at when it was written, UTC, whole milliseconds, by the clock of who wrote it
 * @param by the account that wrote it
 */
@JsonPropertyOrder({"schemaVersion", "sequence", "previous", "at", "by", "event"})
public record Entry(
    int schemaVersion, long sequence, String previous, Instant at, String by, Event event) {
  public static final int SCHEMA_VERSION = 1;

  /** The digest before the first entry. */
  public static final String NONE = "0".repeat(64);

  public Entry {
    Require.that(schemaVersion == SCHEMA_VERSION, "schemaVersion must be " + SCHEMA_VERSION);
    Require.that(sequence > 0, "sequence must be at least 1");
    Require.sha256(previous, "previous");
    at = Require.present(at, "at").truncatedTo(ChronoUnit.MILLIS);
    Require.text(by, "by");
    Require.present(event, "event");
  }

  /** The file's bytes: JSON on one line. */
  byte[] toBytes() {
    return JsonDocument.line(this);
  }

  /**
   * Reads an entry.
   *
   * @param file for messages
   * @throws InvalidInputException if it is not one
   */
  static Entry read(byte[] content, String file) {
    return JsonDocument.read(content, Entry.class, SCHEMA_VERSION, null, file);
  }
}
