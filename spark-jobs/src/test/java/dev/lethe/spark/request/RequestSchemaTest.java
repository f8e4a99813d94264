package dev.lethe.spark.request;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.networknt.schema.JsonSchema;
import com.networknt.schema.JsonSchemaFactory;
import com.networknt.schema.SpecVersion;
import dev.lethe.spark.InvalidInputException;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The published schema and the reader accept and refuse the same documents. */
class RequestSchemaTest {
  private static final String CERTIFICATE =
      "\"certificate\": {\"epsilon\": %s, \"delta\": %s, \"rho\": %s}";

  private static JsonSchema schema() throws IOException {
    try (InputStream in = RequestSchemaTest.class.getResourceAsStream(RequestReader.SCHEMA)) {
      return JsonSchemaFactory.getInstance(SpecVersion.VersionFlag.V202012).getSchema(in);
    }
  }

  private static String change(String change) {
    return "{\"id\": \"x\", \"changes\": [" + change + "]}";
  }

  private static String with(String more) {
    return "{\"id\": \"x\", \"changes\": [{\"removeFeatures\": [\"a\"]}], " + more + "}";
  }

  private static List<String> valid() {
    return List.of(
        change(
            "{\"removeFeatures\": [\"race\", \"marital-status\", \"`a.b`\", \"f[3]\", \"f[0007]\"]}"),
        change(
            "{\"removeFeatures\": [\"f[race_White]\", \"f[1st]\", \"f[`17`]\", \"`f[0]`[999999999]\"]}"),
        change("{\"removeFeatures\": [\"tick``\"]}".replace("tick``", "`tick```")),
        change("{\"replaceFeatures\": {\"set\": {\"hours\": \"0\"}}}"),
        change(
            "{\"replaceFeatures\": {\"set\": {\"`a.b`\": \"NULL\", \"c d\": \"1\"}, \"where\": \"x\"}}"),
        change("{\"relabel\": {\"to\": \"1 - label\", \"where\": \"x\"}}"),
        change("{\"removeRows\": {\"where\": \"x\"}}"),
        change("{\"removeRows\": {\"where\": \"x\"}}, {\"removeRows\": {\"where\": \"x\"}}"),
        change("{\"removeRows\": {\"where\": \" x\\n\"}}"),
        with("\"method\": \"first-order\""),
        with("\"method\": \"second-order\""),
        with("\"method\": \"refined\""),
        with("\"method\": \"first-order\", \"tau\": \"auto\""),
        with("\"method\": \"first-order\", \"tau\": 1e-3"),
        with("\"featurizer\": \"frozen\""),
        with("\"featurizer\": \"refit\""),
        with("\"featurizer\": \"refit\", \"method\": \"refined\""),
        with("\"featurizer\": \"forbid\", \"method\": \"first-order\", \"tau\": 1"),
        with(CERTIFICATE.formatted("1", "0.5", "1")),
        with(CERTIFICATE.formatted("1e300", "1e-300", "1e-8")),
        with(CERTIFICATE.formatted("0.1", "0", "1e-8")),
        "{\"id\": \"x\"}",
        "{\"id\": \"_A.b-9\", \"changes\": [{\"removeFeatures\": [\"a\"]}]}",
        "{\"id\": \"" + "x".repeat(128) + "\", \"changes\": [{\"removeFeatures\": [\"a\"]}]}");
  }

  private static List<String> invalid() {
    List<String> documents = new ArrayList<>();
    documents.addAll(
        List.of(
            "[]",
            "{}",
            "\"x\"",
            "{\"id\": \"x\", \"changes\": []}",
            "{\"id\": \"x\", \"changes\": {}}",
            "{\"changes\": [{\"removeFeatures\": [\"a\"]}]}",
            with("\"extra\": 1"),
            with("\"method\": \"Refined\""),
            with("\"method\": null"),
            with("\"tau\": \"auto\""),
            with("\"tau\": 1"),
            with("\"method\": \"refined\", \"tau\": 1"),
            with("\"method\": \"second-order\", \"tau\": \"auto\""),
            with("\"method\": \"first-order\", \"tau\": 0"),
            with("\"method\": \"first-order\", \"tau\": \"1\""),
            with("\"method\": \"first-order\", \"tau\": null"),
            with("\"featurizer\": \"Refit\""),
            with("\"featurizer\": true"),
            with("\"featurizer\": null"),
            with("\"featurizer\": \"refit\", \"method\": \"first-order\""),
            with("\"featurizer\": \"refit\", \"method\": \"second-order\""),
            with("\"certificate\": null"),
            with("\"certificate\": {\"epsilon\": 1, \"delta\": 0.1}"),
            with("\"certificate\": {\"epsilon\": 1, \"delta\": 0.1, \"rho\": 1, \"sigma\": 1}"),
            with(CERTIFICATE.formatted("0", "0.5", "1")),
            with(CERTIFICATE.formatted("-1", "0.5", "1")),
            with(CERTIFICATE.formatted("1", "-1e-9", "1")),
            with(CERTIFICATE.formatted("1", "1", "1")),
            with(CERTIFICATE.formatted("1", "0.5", "0")),
            with(CERTIFICATE.formatted("\"1\"", "0.5", "1")),
            with(CERTIFICATE.formatted("true", "0.5", "1"))));
    for (String id : List.of("", ".a", "-a", "a b", "ä", "a/b", "x".repeat(129))) {
      documents.add("{\"id\": \"" + id + "\", \"changes\": [{\"removeFeatures\": [\"a\"]}]}");
    }
    documents.add("{\"id\": 7, \"changes\": [{\"removeFeatures\": [\"a\"]}]}");
    for (String c :
        List.of(
            "{}",
            "null",
            "\"removeRows\"",
            "{\"remove\": [\"a\"]}",
            "{\"removeFeatures\": []}",
            "{\"removeFeatures\": \"a\"}",
            "{\"removeFeatures\": [1]}",
            "{\"removeFeatures\": [\"a\", \"a\"]}",
            "{\"removeFeatures\": [\"\"]}",
            "{\"removeFeatures\": [\"a.b\"]}",
            "{\"removeFeatures\": [\"a[]\"]}",
            "{\"removeFeatures\": [\"a[1][2]\"]}",
            "{\"removeFeatures\": [\"a[1000000000]\"]}",
            "{\"removeFeatures\": [\"`a\"]}",
            "{\"removeFeatures\": [\"a\"], \"removeRows\": {\"where\": \"x\"}}",
            "{\"replaceFeatures\": {\"set\": {}}}",
            "{\"replaceFeatures\": {\"where\": \"x\"}}",
            "{\"replaceFeatures\": {\"set\": {\"a\": 0}}}",
            "{\"replaceFeatures\": {\"set\": {\"a\": \"\"}}}",
            "{\"replaceFeatures\": {\"set\": {\"a.b\": \"0\"}}}",
            "{\"replaceFeatures\": {\"set\": {\"a[1]\": \"0\"}}}",
            "{\"replaceFeatures\": {\"set\": [\"a\"]}}",
            "{\"replaceFeatures\": {\"set\": {\"a\": \"0\"}, \"where\": null}}",
            "{\"relabel\": {\"to\": \"1\"}}",
            "{\"relabel\": {\"where\": \"x\"}}",
            "{\"relabel\": {\"to\": 1, \"where\": \"x\"}}",
            "{\"relabel\": {\"to\": \" \", \"where\": \"x\"}}",
            "{\"removeRows\": {}}",
            "{\"removeRows\": \"x\"}",
            "{\"removeRows\": {\"where\": \"\\n\"}}",
            "{\"removeRows\": {\"where\": true}}",
            "{\"removeRows\": {\"where\": \"x\", \"limit\": 1}}")) {
      documents.add(change(c));
    }
    return documents;
  }

  private static boolean readerAccepts(String document) {
    try {
      RequestReader.read("r.json", document);
      return true;
    } catch (InvalidInputException e) {
      return false;
    }
  }

  @Test
  void documents_validAndInvalid_schemaAndReaderAgree() throws IOException {
    JsonSchema schema = schema();
    ObjectMapper mapper = new ObjectMapper();
    assertThat(valid().size() + invalid().size()).isGreaterThanOrEqualTo(40);
    for (String document : valid()) {
      assertThat(schema.validate(mapper.readTree(document))).as(document).isEmpty();
      assertThat(readerAccepts(document)).as(document).isTrue();
    }
    for (String document : invalid()) {
      assertThat(schema.validate(mapper.readTree(document))).as(document).isNotEmpty();
      assertThat(readerAccepts(document)).as(document).isFalse();
    }
  }

  /** What the schema cannot express; its description lists it. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"id\": \"x\", \"changes\": [{\"removeFeatures\": [\"a\", \"`a`\"]}]}",
        "{\"id\": \"x\", \"changes\": [{\"removeFeatures\": [\"f[1]\", \"f[01]\"]}]}",
        "{\"id\": \"x\", \"changes\": [{\"replaceFeatures\": {\"set\": {\"a\": \"1\", \"`a`\": \"2\"}}}]}",
        "{\"id\": \"x\", \"id\": \"x\", \"changes\": [{\"removeFeatures\": [\"a\"]}]}"
      })
  void documents_namedTwice_onlyTheReaderRefuses(String document) throws IOException {
    assertThat(schema().validate(new ObjectMapper().readTree(document))).isEmpty();
    assertThat(readerAccepts(document)).isFalse();
  }

  @Test
  void schema_everyKey_isDescribed() throws IOException {
    try (InputStream in = RequestSchemaTest.class.getResourceAsStream(RequestReader.SCHEMA)) {
      JsonNode root = new ObjectMapper().readTree(in);
      requireDescriptions(root, root, "");
    }
  }

  private static void requireDescriptions(JsonNode root, JsonNode node, String path) {
    for (Iterator<String> it = node.path("properties").fieldNames(); it.hasNext(); ) {
      String key = it.next();
      JsonNode property = node.path("properties").path(key);
      boolean described = property.has("description");
      if (!described && property.has("$ref")) {
        described = root.at(property.path("$ref").asText().substring(1)).has("description");
      }
      if (!described && !path.equals("/then")) {
        fail(path + "/" + key + " has no description");
      }
      requireDescriptions(root, property, path + "/" + key);
    }
    requireDescriptionsOfDefs(root, node, path);
  }

  private static void requireDescriptionsOfDefs(JsonNode root, JsonNode node, String path) {
    for (Iterator<String> it = node.path("$defs").fieldNames(); it.hasNext(); ) {
      String key = it.next();
      requireDescriptions(root, node.path("$defs").path(key), path + "/$defs/" + key);
    }
  }
}
