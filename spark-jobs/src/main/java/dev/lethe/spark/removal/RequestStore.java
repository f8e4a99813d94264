package dev.lethe.spark.removal;

import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.JsonDocument;
import dev.lethe.spark.certificate.Require;
import dev.lethe.spark.certificate.Vault;
import dev.lethe.spark.certificate.VaultKey;
import dev.lethe.spark.ledger.LedgerState;
import dev.lethe.spark.ledger.TrackedRequest;
import dev.lethe.spark.request.Request;
import dev.lethe.spark.request.RequestReader;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * The contents of a ledger's requests, in the vault, each under a key of its own, and why they were
 * refused, which may quote them.
 *
 * <p>With a content goes a random key for its commitment in the ledger: without it, as after a
 * purge, nobody can test guesses of the content.
 */
final class RequestStore {
  private static final String DIRECTORY = "requests";
  private static final String SEALED = ".sealed";
  private static final String WHY = ".why";

  private final Vault vault;
  private final String directory;

  /**
   * @param ledger its UUID: ledgers that share a vault keep their requests apart
   */
  RequestStore(Vault vault, String ledger) {
    this.vault = vault;
    this.directory = DIRECTORY + "/" + ledger;
  }

  /** Of an opened ledger. */
  static RequestStore of(Vault vault, LedgerState state) {
    return new RequestStore(vault, state.opened().ledger());
  }

  /**
   * A request as it is kept.
   *
   * @param salt key of the commitment, 64 hexadecimal digits
   * @param name of the file that it came in, for messages; its end says JSON or YAML
   * @param text of the file
   */
  @JsonPropertyOrder({"schemaVersion", "id", "salt", "name", "text"})
  record Content(int schemaVersion, String id, String salt, String name, String text) {
    static final int SCHEMA_VERSION = 1;

    Content {
      Require.text(id, "id");
      Require.sha256(salt, "salt");
      Require.text(name, "name");
      Require.present(text, "text");
    }

    Request request() {
      return RequestReader.read(name, text);
    }

    String commitment() {
      return VaultKey.ofHex(salt).digest("request", request().canonicalBytes());
    }
  }

  /**
   * Keeps a request under a new commitment.
   *
   * @param name of the file that it came in
   * @param text of the file
   */
  Content keep(Request request, String name, String text) {
    Content content =
        new Content(Content.SCHEMA_VERSION, request.id(), VaultKey.random().toHex(), name, text);
    String kept = kept(request.id(), content.commitment());
    vault.seal(file(kept, SEALED), JsonDocument.write(content), key(kept));
    return content;
  }

  /**
   * Compares a request with the one of its id that was received.
   *
   * @param name of the file that it came in, for messages
   * @throws InvalidInputException if it is another one
   */
  void requireSame(Request request, String name, TrackedRequest received) {
    Content kept = read(received);
    String given = VaultKey.ofHex(kept.salt()).digest("request", request.canonicalBytes());
    if (!given.equals(received.commitment())) {
      throw new InvalidInputException(
          name
              + ": id "
              + request.id()
              + ": a request of this id with another content was received before; choose another id");
    }
  }

  /**
   * Whether the content is destroyed, or is about to be: of a purge that died before it recorded
   * what it did, the key is gone.
   */
  boolean isPurged(TrackedRequest request) {
    return request.purged() || vault.isShredded(key(kept(request.id(), request.commitment())));
  }

  /** Keeps why a request is refused, in words that may quote it. */
  void explain(TrackedRequest request, String why) {
    String kept = kept(request.id(), request.commitment());
    vault.reseal(file(kept, WHY), why.getBytes(StandardCharsets.UTF_8), key(kept));
  }

  /** Why a request was refused; empty if that was purged. */
  Optional<String> explanation(TrackedRequest request) {
    String kept = kept(request.id(), request.commitment());
    return isPurged(request)
        ? Optional.empty()
        : vault
            .unseal(file(kept, WHY), key(kept))
            .map(content -> new String(content, StandardCharsets.UTF_8));
  }

  /**
   * The content of a request.
   *
   * @throws InvalidInputException if it is not there, or is not the one that was received
   */
  Content read(TrackedRequest request) {
    String id = request.id();
    String kept = kept(id, request.commitment());
    Content content =
        JsonDocument.read(
            vault
                .unseal(file(kept, SEALED), key(kept))
                .orElseThrow(
                    () ->
                        new InvalidInputException(
                            "vault: has no content of the request "
                                + id
                                + "; is it the vault of this ledger?")),
            Content.class,
            Content.SCHEMA_VERSION,
            null,
            "vault: request " + id);
    if (!content.id().equals(id) || !content.commitment().equals(request.commitment())) {
      throw new InvalidInputException(
          "vault: the content of the request " + id + " is not the one that the ledger received");
    }
    return content;
  }

  /** Destroys the content for good; once or more. */
  void destroy(TrackedRequest request) {
    destroy(kept(request.id(), request.commitment()));
  }

  /** Destroys what is left of contents that are purged: a purge may have died. */
  void destroyPurged(Collection<TrackedRequest> received) {
    Set<String> purged = new HashSet<>();
    for (TrackedRequest request : received) {
      if (request.purged()) {
        purged.add(kept(request.id(), request.commitment()));
      }
    }
    keptBefore(Instant.ofEpochMilli(Long.MAX_VALUE))
        .filter(purged::contains)
        .forEach(this::destroy);
  }

  /** What is there of contents that were kept before, be it only why they were refused. */
  private Stream<String> keptBefore(Instant before) {
    return vault.sealedBefore(directory, before).stream()
        .filter(file -> file.endsWith(SEALED) || file.endsWith(WHY))
        .map(file -> file.substring(file.lastIndexOf('/') + 1, file.lastIndexOf('.')))
        .distinct();
  }

  /**
   * Destroys contents that no ledger has received, because the process that submitted them died, or
   * another was faster.
   *
   * @param received those of the ledger
   * @param before when a content must have been kept, so that its submission is over
   * @return how many
   */
  int destroyUnreceived(Collection<TrackedRequest> received, Instant before) {
    Set<String> known = new HashSet<>();
    for (TrackedRequest request : received) {
      known.add(kept(request.id(), request.commitment()));
    }
    List<String> unknown = keptBefore(before).filter(kept -> !known.contains(kept)).toList();
    unknown.forEach(this::destroy);
    vault.deleteBegunBefore(directory, before);
    return unknown.size();
  }

  private void destroy(String kept) {
    vault.shred(key(kept));
    vault.delete(file(kept, SEALED));
    vault.delete(file(kept, WHY));
  }

  /** With the commitment, too: of two who submit the same id at the same time, one is received. */
  private static String kept(String id, String commitment) {
    return id + "." + commitment.substring(0, 16);
  }

  private String file(String kept, String end) {
    return directory + "/" + kept + end;
  }

  private static String key(String kept) {
    return "request-" + kept;
  }
}
