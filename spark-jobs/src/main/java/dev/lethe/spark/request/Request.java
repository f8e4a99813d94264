package dev.lethe.spark.request;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * A request to forget.
 *
 * @param id 1 to 128 characters of {@code A-Z a-z 0-9 . _ -}, not starting with {@code .} or {@code
 *     -}; it is public
 * @param changes in the order of the file; none where tables alone say what changes
 * @param certificate what the certificate has to promise, or null when none is asked for
 * @param method how the parameters are updated
 * @param tau the step length of the first-order method, positive and finite; null chooses it
 *     automatically, and is the only value for the other methods
 * @param featurizer what becomes of the featurizer's learned state; {@code REFIT} is for method
 *     {@code REFINED} alone
 * @param origins where each change stands, for messages; not part of the canonical form
 */
public record Request(
    String id,
    List<Change> changes,
    @Nullable CertificateTerms certificate,
    Method method,
    @Nullable Double tau,
    FeaturizerPolicy featurizer,
    List<Origin> origins) {
  static final String ID_RULE =
      "1 to 128 characters of A-Z a-z 0-9 . _ - that do not start with . or -";
  private static final Pattern ID = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9._-]{0,127}");

  /** First field of the canonical form; to be changed whenever that form changes. */
  private static final String CANONICAL_FORM = "lethe-request-1";

  public Request {
    if (!ID.matcher(id).matches()) {
      throw new IllegalArgumentException("id must be " + ID_RULE);
    }
    changes = List.copyOf(changes);
    origins = List.copyOf(origins);
    if (origins.size() != changes.size()) {
      throw new IllegalArgumentException(
          origins.size() + " origins of " + changes.size() + " changes");
    }
    if (tau != null) {
      if (method != Method.FIRST_ORDER) {
        throw new IllegalArgumentException(
            "tau is only for method first-order, not " + method.word());
      }
      if (!(tau > 0 && Double.isFinite(tau))) {
        throw new IllegalArgumentException(
            "tau must be auto or a finite number greater than 0, not " + tau);
      }
    }
    if (featurizer == FeaturizerPolicy.REFIT && method != Method.REFINED) {
      throw new IllegalArgumentException(refitNeedsRefined(method));
    }
  }

  /** A request that stands by itself and keeps the featurizer. */
  public Request(
      String id,
      List<Change> changes,
      @Nullable CertificateTerms certificate,
      Method method,
      @Nullable Double tau) {
    this(id, changes, certificate, method, tau, FeaturizerPolicy.FROZEN);
  }

  /** A request that stands by itself. */
  public Request(
      String id,
      List<Change> changes,
      @Nullable CertificateTerms certificate,
      Method method,
      @Nullable Double tau,
      FeaturizerPolicy featurizer) {
    this(
        id,
        changes,
        certificate,
        method,
        tau,
        featurizer,
        IntStream.range(0, changes.size()).mapToObj(i -> new Origin("", i)).toList());
  }

  static String refitNeedsRefined(Method method) {
    return "refit is only for method refined, not "
        + method.word()
        + ": a closed form compares gradients under one featurizer";
  }

  /**
   * Where a change comes from.
   *
   * @param request names one of several requests that were merged; empty for a request by itself
   * @param index of the change in that request
   */
  public record Origin(String request, int index) {
    /** {@code changes[1]}, behind the name of a merged request. */
    @Override
    public String toString() {
      return (request.isEmpty() ? "" : request + ": ") + "changes[" + index + "]";
    }
  }

  /**
   * The request as bytes that do not depend on how its file was written (YAML or JSON, spacing,
   * order of keys, comments, defaults left out). Equal requests have equal bytes and different ones
   * different bytes. Confidential: it contains the expressions. Made for keyed digests.
   */
  public byte[] canonicalBytes() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (JsonGenerator json = new JsonFactory().createGenerator(bytes)) {
      json.writeStartObject();
      json.writeStringField("form", CANONICAL_FORM);
      json.writeStringField("id", id);
      json.writeArrayFieldStart("changes");
      for (Change change : changes) {
        json.writeStartObject();
        json.writeObjectFieldStart(change.key());
        write(json, change);
        json.writeEndObject();
        json.writeEndObject();
      }
      json.writeEndArray();
      if (certificate != null) {
        json.writeObjectFieldStart("certificate");
        json.writeStringField("epsilon", Double.toHexString(certificate.epsilon()));
        json.writeStringField("delta", Double.toHexString(certificate.delta()));
        json.writeStringField("rho", Double.toHexString(certificate.rho()));
        json.writeEndObject();
      }
      json.writeStringField("method", method.word());
      if (tau != null) {
        json.writeStringField("tau", Double.toHexString(tau));
      }
      if (featurizer != FeaturizerPolicy.FROZEN) {
        json.writeStringField("featurizer", featurizer.word());
      }
      json.writeEndObject();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return bytes.toByteArray();
  }

  private static void write(JsonGenerator json, Change change) throws IOException {
    if (change instanceof Change.RemoveFeatures remove) {
      json.writeArrayFieldStart("features");
      for (FeatureRef feature : remove.features()) {
        json.writeString(feature.toString());
      }
      json.writeEndArray();
    } else if (change instanceof Change.ReplaceFeatures replace) {
      json.writeObjectFieldStart("set");
      for (Map.Entry<String, String> e : new TreeMap<>(replace.set()).entrySet()) {
        json.writeStringField(e.getKey(), e.getValue());
      }
      json.writeEndObject();
      if (replace.where() != null) {
        json.writeStringField("where", replace.where());
      }
    } else if (change instanceof Change.ReplaceText text) {
      json.writeStringField("column", text.column());
      json.writeStringField("find", text.find());
      json.writeStringField("with", text.with());
    } else if (change instanceof Change.Relabel relabel) {
      json.writeStringField("to", relabel.to());
      json.writeStringField("where", relabel.where());
    } else if (change instanceof Change.RemoveRows rows) {
      json.writeStringField("where", rows.where());
    }
  }
}
