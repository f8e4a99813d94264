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
import java.util.Optional;

/**
 * The contents of requests, in the vault, each under a key of its own.
 *
 * <p>With a content goes a random key for its commitment in the ledger: without it, as after a
 * purge, nobody can test guesses of the content.
 */
final class RequestStore {
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
    vault.seal(file(id, content.commitment()), JsonDocument.write(content), key(id));
    return content;
  }

  /**
   * The content of a request.
   *
   * @throws InvalidInputException if it is not there, or is not the one that was received
   */
  Content read(TrackedRequest request) {
    String id = request.id();
    Content content =
        JsonDocument.read(
            vault
                .unseal(file(id, request.commitment()), key(id))
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
    vault.shred(key(request.id()));
    vault.delete(file(request.id(), request.commitment()));
  }

  /** Named by the commitment, too: of two who submit at the same time, one is received. */
  private static String file(String id, String commitment) {
    return "requests/" + id + "." + commitment.substring(0, 16) + ".sealed";
  }

  private static String key(String id) {
    return "request-" + id;
  }
}
