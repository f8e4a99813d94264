package dev.lethe.spark.ledger;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import com.fasterxml.jackson.annotation.JsonValue;
import dev.lethe.spark.certificate.ModelDigest;
import dev.lethe.spark.certificate.Require;
import dev.lethe.spark.request.CertificateTerms;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** What an entry of the ledger records. */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "type")
@JsonSubTypes({
  @JsonSubTypes.Type(value = Event.Opened.class, name = "opened"),
  @JsonSubTypes.Type(value = Event.Received.class, name = "received"),
  @JsonSubTypes.Type(value = Event.Decided.class, name = "decided"),
  @JsonSubTypes.Type(value = Event.Abandoned.class, name = "abandoned"),
  @JsonSubTypes.Type(value = Event.Applied.class, name = "applied"),
  @JsonSubTypes.Type(value = Event.Published.class, name = "published"),
  @JsonSubTypes.Type(value = Event.RolledBack.class, name = "rolled-back"),
  @JsonSubTypes.Type(value = Event.Purged.class, name = "purged")
})
public sealed interface Event {

  /**
   * The ledger begins, with a model that is its version 0.
   *
   * @param ledger a random UUID
   * @param model where version 0 is
   * @param modelDigest of its files
   */
  record Opened(String ledger, String model, ModelDigest modelDigest) implements Event {
    public Opened {
      Require.uuid(ledger, "ledger");
      Require.text(model, "model");
      Require.present(modelDigest, "modelDigest");
    }
  }

  /** Requests came; their contents are in the vault. */
  record Received(List<Submission> requests) implements Event {
    public Received {
      requests = List.copyOf(Require.present(requests, "requests"));
      Require.that(!requests.isEmpty(), "requests must name at least one");
    }
  }

  /**
   * A request that came.
   *
   * @param id which is public
   * @param commitment HMAC-SHA256 of its canonical bytes under a random key of its own, which is
   *     kept with its content and destroyed with it
   */
  record Submission(String id, String commitment) {
    public Submission {
      Require.text(id, "id");
      Require.sha256(commitment, "commitment");
    }
  }

  /**
   * A run decided on requests and, if it admitted any, on the version that it is going to make of
   * them.
   *
   * @param version its number; null if nothing was admitted
   * @param base the version that it starts from
   * @param certificateId that its certificate is going to have; null with {@code version}
   * @param terms of the release, after the budget; null with {@code version}
   * @param planned what the release is going to cost; null with {@code version}
   * @param admitted ids in the order in which they are applied
   * @param refused and why
   */
  record Decided(
      @Nullable Integer version,
      int base,
      @Nullable String certificateId,
      @Nullable CertificateTerms terms,
      @Nullable Spent planned,
      List<String> admitted,
      List<Refusal> refused)
      implements Event {
    public Decided {
      admitted = List.copyOf(Require.present(admitted, "admitted"));
      refused = List.copyOf(Require.present(refused, "refused"));
      Require.that(base >= 0, "base must be at least 0");
      Require.that(
          (version == null) == admitted.isEmpty()
              && (version == null) == (certificateId == null)
              && (version == null) == (terms == null)
              && (version == null) == (planned == null),
          "version, certificateId, terms and planned must be given where a request is admitted, and only there");
      Require.that(version == null || version > base, "version must be greater than base");
      if (certificateId != null) {
        Require.uuid(certificateId, "certificateId");
      }
    }
  }

  /**
   * A request that is not going to be applied.
   *
   * @param reason one of few: what more can be said quotes the request, and is in the vault
   */
  record Refusal(String id, Unfit reason) {
    public Refusal {
      Require.text(id, "id");
      Require.present(reason, "reason");
    }
  }

  /** Why a request is not going to be applied. */
  enum Unfit {
    /** It names what model or table do not have, or rows of it contradict the request. */
    DOES_NOT_FIT("it does not fit the model or the table"),

    /** No noise makes its terms true for this model. */
    TERMS("the terms that it asks for cannot be met"),

    /** A version of this request alone could not be made, as where one class is left. */
    CANNOT_BE_APPLIED("what it leaves of the data alone cannot train the model"),

    /** What the vault has of it is damaged or gone. */
    UNREADABLE("its content in the vault is damaged");

    private final String text;

    Unfit(String text) {
      this.text = text;
    }

    /** As entries have it. */
    @JsonValue
    public String word() {
      return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /** In words. */
    public String text() {
      return text;
    }
  }

  /**
   * A version is not going to be made; its requests stay admitted and go into the next.
   *
   * @param seen what it costs, where a part of it may have been seen; null where not
   */
  record Abandoned(int version, Cause cause, @Nullable Spent seen) implements Event {
    public Abandoned {
      Require.present(cause, "cause");
    }
  }

  /** Why a version is not going to be made. */
  enum Cause {
    /** The refinement did not prove the distance that was asked for. */
    NOT_CERTIFIED("its distance to the minimiser was not proven", true),

    /** No distance as small as the configuration's rho can be proven on this table. */
    TERMS_NOT_MET("the terms of the configuration cannot be met", false),

    /** The corrected data cannot train the model, as where one class alone is left. */
    UNUSABLE_DATA("the corrected data cannot train the model", true),

    /** What verification recomputed is not what its certificate says. */
    CLAIM_BROKEN("verification failed", false),

    /** Verification found other data than it was made of. */
    DATA_CHANGED("the table changed before it was verified", false),

    /** A run died while it was copied to its place. */
    INTERRUPTED("its publication was interrupted", false);

    private final String text;
    private final boolean ofRequests;

    Cause(String text, boolean ofRequests) {
      this.text = text;
      this.ofRequests = ofRequests;
    }

    /** As entries have it. */
    @JsonValue
    public String word() {
      return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /** In words. */
    public String text() {
      return text;
    }

    /** Whether the requests may be why, so that a version of the same ones may fail again. */
    boolean isOfRequests() {
      return ofRequests;
    }
  }

  /**
   * A version lies in its place, whole and certified.
   *
   * @param certificate SHA-256 of the file
   * @param model digest of the version's model
   * @param release what it costs
   */
  record Applied(int version, String certificate, ModelDigest model, Spent release)
      implements Event {
    public Applied {
      Require.sha256(certificate, "certificate");
      Require.present(model, "model");
      Require.present(release, "release");
    }
  }

  /** From now on the version is the one that is to be used. */
  record Published(int version) implements Event {}

  /**
   * From now on an older version is to be used.
   *
   * @param forced why, where it holds what has been unlearned since; null where it does not
   */
  record RolledBack(int version, @Nullable String forced) implements Event {}

  /**
   * Something that held deleted data was destroyed.
   *
   * @param subject id of the request, or number of the version
   * @param reason the rule of the retention policy, or the operator's words
   */
  record Purged(Kind kind, String subject, String reason) implements Event {
    public Purged {
      Require.present(kind, "kind");
      Require.text(subject, "subject");
      Require.text(reason, "reason");
    }
  }

  /** What can be purged. */
  enum Kind {
    /** A request's content, with the key that it was encrypted under. */
    REQUEST,
    /** A version's evidence. */
    EVIDENCE,
    /** A superseded version's model. */
    MODEL;

    /** As it is printed. */
    public String word() {
      return name().toLowerCase(Locale.ROOT);
    }
  }
}
