package dev.lethe.spark.certificate;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.networknt.schema.InputFormat;
import com.networknt.schema.JsonSchema;
import dev.lethe.spark.InvalidInputException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Consumer;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class EvidenceTest {
  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final JsonSchema SCHEMA = Documents.schema("evidence");

  @Test
  void toJson_evidence_isValidAgainstThePublishedSchema() {
    String json = new String(Documents.evidence().toJson(), UTF_8);
    assertThat(SCHEMA.validate(json, InputFormat.JSON)).isEmpty();
  }

  @Test
  void read_whatWasWritten_writesTheSameBytes() {
    byte[] json = Documents.evidence().toJson();
    assertThat(Evidence.read(json, "e").toJson()).isEqualTo(json);
  }

  @Property(tries = 300)
  void read_anyFiniteParameters_haveTheSameBits(@ForAll long[] bits) {
    double[] theta =
        Arrays.stream(bits)
            .mapToDouble(Double::longBitsToDouble)
            .filter(Double::isFinite)
            .toArray();
    double[] padded = Arrays.copyOf(new double[] {1, 0, -0.0}, 3 + theta.length);
    System.arraycopy(theta, 0, padded, 3, theta.length);
    Evidence read = Evidence.read(Documents.evidence(Documents.ID, padded).toJson(), "e");
    assertThat(toBits(read.unnoisedParameters())).isEqualTo(toBits(padded));
  }

  private static long[] toBits(double[] values) {
    return Arrays.stream(values).mapToLong(Double::doubleToRawLongBits).toArray();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "certificateId",
        "requestId",
        "digests",
        "objective",
        "method",
        "solver",
        "unnoisedParameters",
        "fixedCoordinates",
        "aprioriBounds",
        "measurement",
        "steps",
        "totals",
        "metricsBefore",
        "metricsAfter",
        "rowChanges",
        "inputs"
      })
  void read_missingField_isRefusedBySchemaAndReader(String field) throws Exception {
    refused(d -> d.remove(field), true);
  }

  @Test
  void read_correctedDataAlone_isAccepted() throws Exception {
    ObjectNode document = (ObjectNode) MAPPER.readTree(Documents.evidence().toJson());
    ((ObjectNode) document.get("digests")).putNull("data");
    ((ObjectNode) document.get("inputs")).putNull("data").put("corrected", "/data/corrected");
    assertThat(SCHEMA.validate(document)).isEmpty();
    Evidence evidence = Evidence.read(MAPPER.writeValueAsBytes(document), "e");
    assertThat(evidence.digests().data()).isNull();
    assertThat(evidence.inputs().corrected()).isEqualTo("/data/corrected");
  }

  @Test
  void read_boundedWithoutReadingTheData_isAccepted() throws Exception {
    ObjectNode document = (ObjectNode) MAPPER.readTree(Documents.evidence().toJson());
    ((ObjectNode) document.get("digests")).putNull("correctedData");
    ((ObjectNode) document.get("measurement")).put("basis", "bounded");
    ((ObjectNode) document.get("inputs")).putNull("storage");
    assertThat(SCHEMA.validate(document)).isEmpty();
    Evidence evidence = Evidence.read(MAPPER.writeValueAsBytes(document), "e");
    assertThat(evidence.measurement().isBounded()).isTrue();
    assertThat(evidence.inputs().storage()).isNull();
  }

  @Test
  void read_noAprioriBound_isAccepted() throws Exception {
    ObjectNode document = (ObjectNode) MAPPER.readTree(Documents.evidence().toJson());
    ((ObjectNode) document.get("aprioriBounds"))
        .putNull("dataNorm")
        .putNull("residualNorm")
        .put("rule", "none: no step was taken");
    assertThat(SCHEMA.validate(document)).isEmpty();
    assertThat(Evidence.read(MAPPER.writeValueAsBytes(document), "e").aprioriBounds().rule())
        .startsWith("none");
  }

  @Test
  void read_contradictingDocument_isRefusedBySchemaAndReader() throws Exception {
    refused(d -> d.put("note", "x"), true);
    refused(d -> d.put("schemaVersion", 1), true);
    refused(d -> d.put("schemaVersion", 2), true);
    refused(d -> d.put("schemaVersion", 4), true);
    refused(d -> ((ObjectNode) d.get("digests")).putNull("correctedData"), true);
    refused(d -> ((ObjectNode) d.get("measurement")).put("basis", "bounded"), true);
    refused(d -> ((ObjectNode) d.get("measurement")).put("basis", "guessed"), true);
    refused(d -> ((ObjectNode) d.get("digests")).put("algorithm", "sha-256"), true);
    refused(d -> ((ObjectNode) d.get("inputs")).putNull("data"), true);
    refused(d -> d.putNull("aprioriBounds"), true);
    refused(d -> ((ObjectNode) d.get("aprioriBounds")).put("residualNorm", -1), true);
    refused(d -> ((ObjectNode) d.get("aprioriBounds")).put("rule", " "), true);
    refused(d -> ((ObjectNode) d.get("measurement")).put("gradientNorm", -1), true);
    refused(d -> ((ObjectNode) d.get("measurement")).put("gradientNorm", "NaN"), true);
    refused(d -> ((ObjectNode) d.get("measurement")).put("distanceBound", "Infinity"), true);
    refused(d -> d.putArray("unnoisedParameters").add("NaN"), true);
    refused(d -> ((ObjectNode) d.get("metricsAfter")).put("accuracy", 1.5), true);
    refused(d -> ((ObjectNode) d.get("objective")).put("n", 0), true);
    refused(d -> ((ObjectNode) d.get("steps").get(1)).put("seconds", -1), true);
    // What JSON Schema cannot say.
    refused(d -> d.putArray("unnoisedParameters").add(1.0), false);
    refused(d -> d.putArray("fixedCoordinates").add(0), false);
    refused(d -> d.putArray("fixedCoordinates").add(2).add(1), false);
    refused(d -> d.putArray("fixedCoordinates").add(9), false);
    refused(d -> ((ObjectNode) d.get("steps").get(1)).put("step", 0), false);
  }

  private static void refused(Consumer<ObjectNode> edit, boolean bySchema) throws Exception {
    ObjectNode document = (ObjectNode) MAPPER.readTree(Documents.evidence().toJson());
    edit.accept(document);
    assertThat(SCHEMA.validate(document).isEmpty()).as(document.toString()).isNotEqualTo(bySchema);
    assertThatThrownBy(() -> Evidence.read(MAPPER.writeValueAsBytes(document), "e.json"))
        .as(document.toString())
        .isInstanceOf(InvalidInputException.class)
        .hasMessageStartingWith("e.json: ");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "password",
        "fs.s3a.secret.key",
        "fs.s3a.access.key",
        "accessKey",
        "apiKey",
        "sessionToken",
        "fs.azure.account.key.x.dfs.core.windows.net",
        "AUTHORIZATION",
        "credentials",
        "privateKey",
        "pwd"
      })
  void inputs_optionThatLooksSecret_isRedacted(String key) {
    Evidence.Inputs inputs = inputs("/d", Map.of(key, "hunter2", "header", "true"));
    assertThat(inputs.options()).containsEntry(key, "[redacted]").containsEntry("header", "true");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"header", "sep", "inferSchema", "mergeSchema", "numFeatures", "primaryKey"})
  void inputs_ordinaryOption_isKept(String key) {
    assertThat(inputs("/d", Map.of(key, "v")).options()).containsEntry(key, "v");
  }

  @ParameterizedTest
  @CsvSource({
    "s3a://AKIA:hunter2@bucket/data, s3a://bucket/data",
    "https://host/data.csv?sig=hunter2, https://host/data.csv?[redacted]",
    "jdbc:oracle:thin:scott/hunter2@host, jdbc:oracle:[redacted]",
    "/data/part-?.csv, /data/part-?.csv",
    "s3a://bucket/part-?.csv, s3a://bucket/part-?.csv",
    "abfss://container@account.dfs.core.windows.net/d, abfss://container@account.dfs.core.windows.net/d"
  })
  void inputs_pathWithCredentials_losesThem(String path, String expected) {
    assertThat(inputs(path, Map.of()).data()).isEqualTo(expected);
    // Reading what was written must not change it again.
    assertThat(inputs(expected, Map.of()).data()).isEqualTo(expected);
  }

  @Test
  void inputs_optionWithUrl_losesItsCredentials() {
    assertThat(
            inputs("/d", Map.of("url", "jdbc:postgresql://h/db?user=a&password=hunter2")).options())
        .containsEntry("url", "jdbc:postgresql:[redacted]");
  }

  private static Evidence.Inputs inputs(String data, Map<String, String> options) {
    return new Evidence.Inputs(
        "/m", data, null, "csv", new HashMap<>(options), null, "y", null, 2, null);
  }

  @Test
  void toString_evidence_saysNothingOfItsContents() {
    assertThat(Documents.evidence().toString()).isEqualTo("Evidence[" + Documents.ID + "]");
  }

  @Test
  void unnoisedParameters_changedByTheCaller_staysAsItWas() {
    double[] theta = {1, 0, 0};
    Evidence evidence = Documents.evidence(Documents.ID, theta);
    theta[0] = 2;
    evidence.unnoisedParameters()[0] = 3;
    assertThat(evidence.unnoisedParameters()).containsExactly(1, 0, 0);
    assertThat(evidence.fixedCoordinates()).containsExactly(1, 2);
  }
}
