package dev.lethe.spark.request;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLParser;
import dev.lethe.spark.InvalidInputException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Reads a request file, YAML or JSON, strictly: every key is known, given once and of the right
 * type. The JSON Schema of the format is the resource {@value #SCHEMA}.
 *
 * <p>A request file is untrusted and confidential. It is at most {@value #MAX_BYTES} bytes long and
 * {@value #MAX_DEPTH} levels deep; YAML aliases, anchored collections, tags and further documents
 * are refused. Messages name the file, the path of the key ({@code changes[1].relabel.where}) and
 * line and column; they quote keys, identifiers and words of the format, never an expression.
 */
public final class RequestReader {
  /** The published JSON Schema, on the class path. */
  public static final String SCHEMA = "/dev/lethe/schema/request.schema.json";

  public static final int MAX_BYTES = 1 << 20;
  static final int MAX_DEPTH = 16;

  private static final JsonFactory JSON = new JsonFactory();
  private static final YAMLFactory YAML = new YAMLFactory();
  private static final Pattern QUOTABLE = Pattern.compile("[\\p{L}\\p{N}_.-]{1,64}");

  private final String file;
  private final JsonParser parser;

  private RequestReader(String file, JsonParser parser) {
    this.file = file;
    this.parser = parser;
  }

  /**
   * Reads a request.
   *
   * @param file the name for messages; one that ends in {@code .json} is read as JSON, any other as
   *     YAML
   * @param content the file, in UTF-8
   * @throws InvalidInputException if it is not a request
   */
  public static Request read(String file, byte[] content) {
    if (content.length > MAX_BYTES) {
      throw new InvalidInputException(
          file + ": " + content.length + " bytes; a request has at most " + MAX_BYTES);
    }
    String text;
    try {
      text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(content)).toString();
    } catch (CharacterCodingException e) {
      throw new InvalidInputException(file + ": not valid UTF-8");
    }
    if (text.startsWith("\uFEFF")) {
      text = text.substring(1);
    }
    boolean json = file.toLowerCase(Locale.ROOT).endsWith(".json");
    // The causes are dropped on purpose: the parsers' messages quote what they read.
    try (JsonParser parser = json ? JSON.createParser(text) : YAML.createParser(text)) {
      RequestReader reader = new RequestReader(file, parser);
      Node root = reader.document();
      return reader.request(root);
    } catch (JsonProcessingException e) {
      throw new InvalidInputException(
          file + position(e.getLocation()) + ": not valid " + (json ? "JSON" : YAML_HINT));
    } catch (IOException e) {
      throw new InvalidInputException(file + ": not valid " + (json ? "JSON" : YAML_HINT));
    } catch (StackOverflowError e) {
      throw new InvalidInputException(file + ": nested too deeply");
    }
  }

  /** As {@link #read(String, byte[])}. */
  public static Request read(String file, String content) {
    return read(file, content.getBytes(StandardCharsets.UTF_8));
  }

  private static final String YAML_HINT =
      "YAML; check indentation and quote values that contain ': ', ' #' or start with a special"
          + " character";

  // ---- the document as a tree with locations ----

  private sealed interface Node {
    JsonLocation at();
  }

  private record Mapping(Map<String, Node> entries, JsonLocation at) implements Node {}

  private record Sequence(List<Node> items, JsonLocation at) implements Node {}

  private record Text(String text, JsonLocation at) implements Node {}

  private record Number(double value, JsonLocation at) implements Node {}

  /** A boolean or a null: legal nowhere in a request. */
  private record Other(String kind, JsonLocation at) implements Node {}

  private Node document() throws IOException {
    JsonToken first = parser.nextToken();
    if (first == null) {
      throw new InvalidInputException(file + ": empty; a request has the keys id and changes");
    }
    Node root = node(first, "", 1);
    if (parser.nextToken() != null) {
      throw bad("", parser.currentTokenLocation(), "a file holds one request; more follows here");
    }
    return root;
  }

  private Node node(JsonToken token, String place, int depth) throws IOException {
    JsonLocation at = parser.currentTokenLocation();
    if (depth > MAX_DEPTH) {
      throw bad("", at, "nested deeper than " + MAX_DEPTH + " levels");
    }
    refuseYamlExtras(place, at);
    return switch (token) {
      case START_OBJECT -> mapping(place, at, depth);
      case START_ARRAY -> sequence(place, at, depth);
      case VALUE_STRING -> new Text(unicode(parser.getText(), place, at), at);
      case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> new Number(number(), at);
      case VALUE_NULL -> new Other("empty (null)", at);
      case VALUE_TRUE, VALUE_FALSE -> new Other("a boolean", at);
      default -> throw bad(place, at, "not understood");
    };
  }

  /** The parser takes YAML's .inf and .nan for numbers but cannot convert them. */
  private double number() throws IOException {
    try {
      return parser.getDoubleValue();
    } catch (JsonProcessingException e) {
      return Double.NaN;
    }
  }

  private Mapping mapping(String place, JsonLocation at, int depth) throws IOException {
    Map<String, Node> entries = new LinkedHashMap<>();
    while (parser.nextToken() != JsonToken.END_OBJECT) {
      JsonLocation keyAt = parser.currentTokenLocation();
      refuseYamlExtras(place, keyAt);
      String key = unicode(parser.currentName(), place, keyAt);
      if (entries.containsKey(key)) {
        throw bad(place, keyAt, name(key) + " is given twice");
      }
      entries.put(key, node(parser.nextToken(), child(place, key), depth + 1));
    }
    return new Mapping(entries, at);
  }

  /** Half a surrogate pair, which an escape can write, is no text that has a form in UTF-8. */
  private String unicode(String text, String place, JsonLocation at) {
    if (!StandardCharsets.UTF_8.newEncoder().canEncode(text)) {
      throw bad(place, at, "has half a surrogate pair (\\ud800 to \\udfff), which is no character");
    }
    return text;
  }

  private Sequence sequence(String place, JsonLocation at, int depth) throws IOException {
    List<Node> items = new ArrayList<>();
    for (JsonToken token = parser.nextToken();
        token != JsonToken.END_ARRAY;
        token = parser.nextToken()) {
      items.add(node(token, place + "[" + items.size() + "]", depth + 1));
    }
    return new Sequence(items, at);
  }

  /** An alias would arrive as a string with the anchor's name; a tag could change a type. */
  private void refuseYamlExtras(String place, JsonLocation at) throws IOException {
    if (parser instanceof YAMLParser yaml) {
      if (yaml.isCurrentAlias() || yaml.getObjectId() != null) {
        throw bad(place, at, "YAML anchors and aliases are not allowed");
      }
      if (yaml.getTypeId() != null) {
        throw bad(place, at, "YAML tags are not allowed");
      }
    }
  }

  // ---- the request in the tree ----

  private Request request(Node root) {
    Mapping top =
        mapping(
            root,
            "",
            List.of("id"),
            List.of("changes", "certificate", "method", "tau", "featurizer"));
    Node idNode = get(top, "id");
    String id = text(idNode, "id");
    List<Change> changes = new ArrayList<>();
    @Nullable Node list = top.entries().get("changes");
    List<Node> items = list == null ? List.of() : sequence(list, "changes").items();
    for (int i = 0; i < items.size(); i++) {
      changes.add(change(items.get(i), "changes[" + i + "]"));
    }
    @Nullable Node terms = top.entries().get("certificate");
    @Nullable CertificateTerms certificate = terms == null ? null : certificate(terms);
    @Nullable Node methodNode = top.entries().get("method");
    Method method = methodNode == null ? Method.REFINED : method(methodNode);
    @Nullable Node tauNode = top.entries().get("tau");
    @Nullable Double tau = null;
    if (tauNode != null) {
      if (method != Method.FIRST_ORDER) {
        throw bad("tau", tauNode.at(), "only for method first-order, not " + method.word());
      }
      tau = tau(tauNode);
    }
    FeaturizerPolicy featurizer = featurizer(top, method);
    try {
      return new Request(id, changes, certificate, method, tau, featurizer);
    } catch (IllegalArgumentException e) {
      // All that is left for the constructor to refuse is the id.
      throw bad("id", idNode.at(), e.getMessage());
    }
  }

  private Change change(Node node, String place) {
    List<String> kinds =
        List.of("removeFeatures", "replaceFeatures", "replaceText", "relabel", "removeRows");
    Mapping mapping = mapping(node, place, List.of(), kinds);
    if (mapping.entries().size() != 1) {
      throw bad(place, node.at(), "must have exactly one of the keys " + String.join(", ", kinds));
    }
    Map.Entry<String, Node> entry = mapping.entries().entrySet().iterator().next();
    String inner = place + "." + entry.getKey();
    Node value = entry.getValue();
    try {
      return switch (entry.getKey()) {
        case "removeFeatures" -> removeFeatures(value, inner);
        case "replaceFeatures" -> replaceFeatures(value, inner);
        case "replaceText" -> {
          Mapping m = mapping(value, inner, List.of("column", "find", "with"), List.of());
          FeatureRef column = feature(text(get(m, "column"), inner + ".column"), inner, value.at());
          if (column.isSlot()) {
            throw bad(inner + ".column", value.at(), "must be a raw column, not a slot");
          }
          yield new Change.ReplaceText(
              column.column(),
              text(get(m, "find"), inner + ".find"),
              text(get(m, "with"), inner + ".with"));
        }
        case "relabel" -> {
          Mapping m = mapping(value, inner, List.of("to", "where"), List.of());
          yield new Change.Relabel(
              expression(get(m, "to"), inner + ".to"),
              expression(get(m, "where"), inner + ".where"));
        }
        default -> {
          Mapping m = mapping(value, inner, List.of("where"), List.of());
          yield new Change.RemoveRows(expression(get(m, "where"), inner + ".where"));
        }
      };
    } catch (IllegalArgumentException e) {
      throw bad(inner, value.at(), e.getMessage());
    }
  }

  private Change removeFeatures(Node node, String place) {
    List<FeatureRef> features = new ArrayList<>();
    List<Node> items = sequence(node, place).items();
    for (int i = 0; i < items.size(); i++) {
      String itemPlace = place + "[" + i + "]";
      FeatureRef feature = feature(text(items.get(i), itemPlace), itemPlace, items.get(i).at());
      if (features.contains(feature)) {
        throw bad(itemPlace, items.get(i).at(), name(feature.toString()) + " is named twice");
      }
      features.add(feature);
    }
    return new Change.RemoveFeatures(features);
  }

  private Change replaceFeatures(Node node, String place) {
    Mapping mapping = mapping(node, place, List.of("set"), List.of("where"));
    String setPlace = place + ".set";
    if (!(get(mapping, "set") instanceof Mapping columns)) {
      throw bad(setPlace, get(mapping, "set").at(), "must be a mapping of column to expression");
    }
    Map<String, String> set = new LinkedHashMap<>();
    columns
        .entries()
        .forEach(
            (key, value) -> {
              FeatureRef column = feature(key, setPlace, value.at());
              if (column.isSlot()) {
                throw bad(
                    setPlace,
                    value.at(),
                    name(key)
                        + " is a slot; only a whole raw column can be set (backticks quote"
                        + " a column name with brackets)");
              }
              if (set.put(column.column(), expression(value, child(setPlace, key))) != null) {
                throw bad(setPlace, value.at(), name(key) + " is set twice");
              }
            });
    @Nullable Node where = mapping.entries().get("where");
    return new Change.ReplaceFeatures(
        set, where == null ? null : expression(where, place + ".where"));
  }

  private FeatureRef feature(String text, String place, JsonLocation at) {
    try {
      return FeatureRef.parse(text);
    } catch (IllegalArgumentException e) {
      throw bad(place, at, e.getMessage());
    }
  }

  private CertificateTerms certificate(Node node) {
    Mapping m = mapping(node, "certificate", List.of("epsilon", "delta", "rho"), List.of());
    try {
      return new CertificateTerms(
          number(get(m, "epsilon"), "certificate.epsilon", "a number"),
          number(get(m, "delta"), "certificate.delta", "a number"),
          number(get(m, "rho"), "certificate.rho", "a number"));
    } catch (IllegalArgumentException e) {
      throw bad("certificate", node.at(), e.getMessage());
    }
  }

  private Method method(Node node) {
    String word = text(node, "method");
    return Method.ofWord(word)
        .orElseThrow(
            () -> bad("method", node.at(), name(word) + " is not one of " + Method.words()));
  }

  private FeaturizerPolicy featurizer(Mapping top, Method method) {
    @Nullable Node node = top.entries().get("featurizer");
    if (node == null) {
      return FeaturizerPolicy.FROZEN;
    }
    String word = text(node, "featurizer");
    FeaturizerPolicy policy =
        FeaturizerPolicy.ofWord(word)
            .orElseThrow(
                () ->
                    bad(
                        "featurizer",
                        node.at(),
                        name(word) + " is not one of " + FeaturizerPolicy.words()));
    if (policy == FeaturizerPolicy.REFIT && method != Method.REFINED) {
      throw bad("featurizer", node.at(), Request.refitNeedsRefined(method));
    }
    return policy;
  }

  private @Nullable Double tau(Node node) {
    if (node instanceof Text text && text.text().equals("auto")) {
      return null;
    }
    double value = number(node, "tau", "auto or a number");
    if (!(value > 0 && Double.isFinite(value))) {
      throw bad("tau", node.at(), "must be auto or a finite number greater than 0, not " + value);
    }
    return value;
  }

  private Mapping mapping(Node node, String place, List<String> required, List<String> optional) {
    List<String> allowed = new ArrayList<>(required);
    allowed.addAll(optional);
    if (!(node instanceof Mapping mapping)) {
      throw bad(place, node.at(), "must be a mapping with " + String.join(", ", allowed));
    }
    Set<String> unknown = new HashSet<>(mapping.entries().keySet());
    allowed.forEach(unknown::remove);
    for (Map.Entry<String, Node> entry : mapping.entries().entrySet()) {
      if (unknown.contains(entry.getKey())) {
        throw bad(
            place,
            entry.getValue().at(),
            "unknown " + name(entry.getKey()) + "; allowed: " + String.join(", ", allowed));
      }
    }
    for (String key : required) {
      if (!mapping.entries().containsKey(key)) {
        throw bad(place, node.at(), "the key '" + key + "' is missing");
      }
    }
    return mapping;
  }

  private static Node get(Mapping mapping, String key) {
    Node node = mapping.entries().get(key);
    if (node == null) {
      throw new IllegalStateException(key + " was checked to be there");
    }
    return node;
  }

  private Sequence sequence(Node node, String place) {
    if (!(node instanceof Sequence sequence)) {
      throw bad(place, node.at(), "must be a list");
    }
    if (sequence.items().isEmpty()) {
      throw bad(place, node.at(), "must not be empty");
    }
    return sequence;
  }

  private String text(Node node, String place) {
    if (node instanceof Text text) {
      return text.text();
    }
    throw bad(place, node.at(), "must be a string, not " + kind(node));
  }

  private String expression(Node node, String place) {
    if (!(node instanceof Text text)) {
      throw bad(
          place, node.at(), "must be a SQL expression in a string (quote it), not " + kind(node));
    }
    if (text.text().isBlank()) {
      throw bad(place, node.at(), "must not be blank");
    }
    return text.text();
  }

  private double number(Node node, String place, String expected) {
    if (node instanceof Number number) {
      return number.value();
    }
    throw bad(
        place,
        node.at(),
        "must be "
            + expected
            + " such as 0.1 or 1e-8 (unquoted, exponents with a sign), not "
            + kind(node));
  }

  private static String kind(Node node) {
    if (node instanceof Other other) {
      return other.kind();
    }
    return node instanceof Mapping
        ? "a mapping"
        : node instanceof Sequence ? "a list" : node instanceof Text ? "a string" : "a number";
  }

  // ---- messages ----

  private InvalidInputException bad(String place, JsonLocation at, @Nullable String complaint) {
    return new InvalidInputException(
        file + ": " + place + position(at) + (place.isEmpty() ? "" : ":") + " " + complaint);
  }

  private static String position(@Nullable JsonLocation at) {
    return at == null || at.getLineNr() < 1
        ? ""
        : " (line " + at.getLineNr() + ", column " + at.getColumnNr() + ")";
  }

  private static String child(String place, String key) {
    String safe = QUOTABLE.matcher(key).matches() ? key : "?";
    return place.isEmpty() ? safe : place + "." + safe;
  }

  /** A key as a message shows it: an indentation slip can make a key of an expression. */
  static String name(String key) {
    return QUOTABLE.matcher(key).matches() ? "key '" + key + "'" : "key";
  }
}
