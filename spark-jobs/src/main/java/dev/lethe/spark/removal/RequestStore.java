package dev.lethe.spark.removal;

import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.JsonDocument;
import dev.lethe.spark.certificate.Require;
import dev.lethe.spark.certificate.Vault;
import dev.lethe.spark.certificate.VaultKey;
import dev.lethe.spark.ledger.TrackedRequest;
import dev.lethe.spark.request.Request;
import dev.lethe.spark.request.RequestReader;
import java.time.Instant;
import java.util.Collection;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;

/**
 * The contents of requests, in the vault, each under a key of its own.
 *
 * <p>With a content goes a random key for its commitment in the ledger: without it, as after a
 * purge, nobody can test guesses of the content.
 */
final class RequestStore {
  private static final String DIRECTORY = "requests";
  private static final String SEALED = ".sealed";

  private final Vault vault;

  RequestStore(Vault vault) {
    this.vault = vault;
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
   * Keeps a request, unless it is there already.
   *
   * @param committed as the ledger has it; empty if it does not have the request
   * @return what is kept
   * @throws InvalidInputException if another request of this id was received
   */
  Content keep(String name, String text, Optional<TrackedRequest> committed) {
    Request request = RequestReader.read(name, text);
    String id = request.id();
    if (committed.isPresent()) {
      if (committed.get().purged()) {
        throw new InvalidInputException(
            name
                + ": id "
                + id
                + ": a request of this id was answered, and its content is purged: it"
                + " cannot be compared with this one; choose another id");
      }
      Content kept = read(committed.get());
      String given = VaultKey.ofHex(kept.salt()).digest("request", request.canonicalBytes());
      if (!given.equals(committed.get().commitment())) {
        throw new InvalidInputException(
            name
                + ": id "
                + id
                + ": a request of this id with another content was received before; choose another id");
      }
      return kept;
    }
    Content content =
        new Content(Content.SCHEMA_VERSION, id, VaultKey.random().toHex(), name, text);
    String kept = kept(id, content.commitment());
    vault.seal(file(kept), JsonDocument.write(content), key(kept));
    return content;
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
                .unseal(file(kept), key(kept))
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
      known.add(file(kept(request.id(), request.commitment())));
    }
    int destroyed = 0;
    for (String file : vault.sealedBefore(DIRECTORY, before)) {
      if (file.endsWith(SEALED) && !known.contains(file)) {
        destroy(file.substring(DIRECTORY.length() + 1, file.length() - SEALED.length()));
        destroyed++;
      }
    }
    return destroyed;
  }

  private void destroy(String kept) {
    vault.shred(key(kept));
    vault.delete(file(kept));
  }

  /** With the commitment, too: of two who submit the same id at the same time, one is received. */
  private static String kept(String id, String commitment) {
    return id + "." + commitment.substring(0, 16);
  }

  private static String file(String kept) {
    return DIRECTORY + "/" + kept + SEALED;
  }

  private static String key(String kept) {
    return "request-" + kept;
  }
}
