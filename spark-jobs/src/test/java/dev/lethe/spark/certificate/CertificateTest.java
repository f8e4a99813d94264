package dev.lethe.spark.certificate;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.networknt.schema.InputFormat;
import com.networknt.schema.JsonSchema;
import dev.lethe.core.certify.GammaRadiusNoise;
import dev.lethe.core.certify.GaussianNoise;
import dev.lethe.spark.InvalidInputException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import net.jqwik.api.constraints.LongRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class CertificateTest {
  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final JsonSchema SCHEMA = Documents.schema("certificate");

  @Test
  void toJson_certified_isValidAgainstThePublishedSchema() {
    assertThat(SCHEMA.validate(text(Documents.certified()), InputFormat.JSON)).isEmpty();
    assertThat(SCHEMA.validate(text(Documents.pure()), InputFormat.JSON)).isEmpty();
  }

  @ParameterizedTest
  @EnumSource
  void toJson_notCertifiedForEveryReason_isValidAgainstThePublishedSchema(Reason reason) {
    Certificate certificate =
        Certificate.notCertified(
            Documents.ID,
            "r",
            Documents.certified().issuedAt(),
            reason,
            Documents.scope(),
            Documents.MODEL,
            Documents.SOFTWARE);
    assertThat(SCHEMA.validate(text(certificate), InputFormat.JSON)).isEmpty();
    assertThat(Certificate.read(certificate.toJson(), "c")).isEqualTo(certificate);
    assertThat(certificate.guarantee()).startsWith("None: ").contains(reason.text());
  }

  @Test
  void toJson_certified_writesTheFieldsInTheDocumentedOrder() throws Exception {
    List<String> names = new ArrayList<>();
    MAPPER.readTree(Documents.certified().toJson()).fieldNames().forEachRemaining(names::add);
    assertThat(names)
        .containsExactly(
            "schemaVersion",
            "certificateId",
            "requestId",
            "issuedAt",
            "verdict",
            "reason",
            "mechanism",
            "epsilon",
            "delta",
            "rho",
            "sigma",
            "scale",
            "noisyParameters",
            "residual",
            "assumption",
            "gridStep",
            "guarantee",
            "method",
            "covers",
            "notCovered",
            "zeroCoefficients",
            "parameters",
            "modelDigest",
            "software");
  }

  @Test
  void toJson_certified_isPrettyPrintedUtf8WithUnixLineEnds() {
    String json = text(Documents.certified());
    assertThat(json)
        .startsWith("{\n  \"schemaVersion\" : 2,\n")
        .endsWith("}\n")
        .doesNotContain("\r")
        .contains("\"issuedAt\" : \"2026-11-21T10:15:30Z\"");
  }

  @Test
  void notCovered_certified_namesStageHyperparametersOldCopiesAndJointReleases() {
    assertThat(Documents.certified().notCovered())
        .hasSize(4)
        .anyMatch(s -> s.contains("StringIndexerModel strIdx_0a1b"))
        .anyMatch(s -> s.contains("hyperparameters"))
        .anyMatch(s -> s.contains("copies of the old model"))
        .anyMatch(s -> s.contains("joint observation"));
  }

  @Test
  void read_whatWasWritten_isEqual() {
    assertThat(Certificate.read(Documents.certified().toJson(), "c"))
        .isEqualTo(Documents.certified());
    assertThat(Certificate.read(Documents.notCertified().toJson(), "c"))
        .isEqualTo(Documents.notCertified());
    assertThat(Certificate.read(Documents.pure().toJson(), "c")).isEqualTo(Documents.pure());
    assertThat(Certificate.read(Documents.conditional().toJson(), "c"))
        .isEqualTo(Documents.conditional());
    assertThat(Documents.conditional().claim()).isNull();
    assertThat(Documents.conditional().perturbation().residual()).isEqualTo(0.3);
    assertThat(Documents.certified().perturbation()).isNull();
    assertThat(Documents.pure().claim().noise())
        .isEqualTo(new GammaRadiusNoise(1.0000000000000001e-7, 2));
    assertThat(Documents.certified().claim()).isEqualTo(Documents.claim());
    assertThat(Documents.notCertified().claim()).isNull();
  }

  /** Version 1 had Gaussian noise only; the vault's digest is of the document as it was written. */
  @Test
  void read_schemaVersion1_isWrittenBackAsItWas() throws Exception {
    for (Certificate certificate : List.of(Documents.certified(), Documents.notCertified())) {
      ObjectNode document = (ObjectNode) MAPPER.readTree(certificate.toJson());
      document.put("schemaVersion", 1);
      document.remove(List.of("scale", "noisyParameters", "residual", "assumption"));
      Certificate read = Certificate.read(MAPPER.writeValueAsBytes(document), "c");
      assertThat(read.schemaVersion()).isEqualTo(1);
      assertThat(read.claim()).isEqualTo(certificate.claim());
      String current =
          text(certificate)
              .replace("\"schemaVersion\" : 2", "\"schemaVersion\" : 1")
              .replaceAll("  \"(scale|noisyParameters|residual|assumption)\" : null,\n", "");
      assertThat(text(read)).isEqualTo(current);
      document.putNull("scale");
      assertThatThrownBy(() -> Certificate.read(MAPPER.writeValueAsBytes(document), "c"))
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining("scale");
    }
  }

  @Property(tries = 500)
  void read_anyPositiveFiniteDouble_hasTheSameBits(
      @ForAll @LongRange(min = 1, max = 0x7fefffffffffffffL) long bits,
      @ForAll @DoubleRange(min = 0, max = 1, minIncluded = false, maxIncluded = false)
          double delta) {
    double value = Double.longBitsToDouble(bits);
    Certificate written =
        Certificate.certified(
            Documents.ID,
            "r",
            Documents.certified().issuedAt(),
            new Claim(value, delta, value, new GaussianNoise(value), value),
            Documents.scope(),
            Documents.MODEL,
            Documents.SOFTWARE);
    Certificate read = Certificate.read(written.toJson(), "c");
    assertThat(Double.doubleToRawLongBits(read.sigma())).isEqualTo(bits);
    assertThat(Double.doubleToRawLongBits(read.gridStep())).isEqualTo(bits);
    assertThat(read.delta()).isEqualTo(delta);
  }

  private record Broken(String name, Certificate base, Edit edit, String message) {
    @Override
    public String toString() {
      return name;
    }
  }

  private interface Edit {
    void on(ObjectNode document);
  }

  static Stream<Arguments> broken() {
    Certificate yes = Documents.certified();
    Certificate pure = Documents.pure();
    Certificate no = Documents.notCertified();
    List<Broken> cases = new ArrayList<>();
    cases.add(new Broken("unknown field", yes, d -> d.put("note", "x"), "note"));
    cases.add(
        new Broken(
            "unknown nested field",
            yes,
            d -> ((ObjectNode) d.get("software")).put("scala", "2.13"),
            "scala"));
    for (String field :
        List.of(
            "certificateId",
            "requestId",
            "issuedAt",
            "verdict",
            "reason",
            "mechanism",
            "epsilon",
            "delta",
            "rho",
            "sigma",
            "scale",
            "noisyParameters",
            "residual",
            "assumption",
            "gridStep",
            "guarantee",
            "method",
            "covers",
            "notCovered",
            "zeroCoefficients",
            "parameters",
            "modelDigest",
            "software")) {
      cases.add(new Broken("missing " + field, yes, d -> d.remove(field), ""));
    }
    for (String field : List.of("epsilon", "delta", "rho", "sigma", "gridStep")) {
      cases.add(new Broken("certified, null " + field, yes, d -> d.putNull(field), field));
      cases.add(new Broken("certified, zero " + field, yes, d -> d.put(field, 0.0), field));
      cases.add(new Broken("certified, negative " + field, yes, d -> d.put(field, -1.0), field));
      cases.add(new Broken("certified, NaN " + field, yes, d -> d.put(field, "NaN"), field));
      cases.add(new Broken("certified, text " + field, yes, d -> d.put(field, "0.1"), field));
      cases.add(new Broken("not certified, " + field, no, d -> d.put(field, 0.1), field));
    }
    cases.add(new Broken("schema version 3", yes, d -> d.put("schemaVersion", 3), "reads"));
    for (String field : List.of("scale", "noisyParameters")) {
      cases.add(new Broken("missing " + field, yes, d -> d.remove(field), ""));
      cases.add(new Broken("pure, null " + field, pure, d -> d.putNull(field), field));
      cases.add(new Broken("pure, negative " + field, pure, d -> d.put(field, -1), field));
      cases.add(new Broken("gaussian, " + field, yes, d -> d.put(field, 1), field));
      cases.add(new Broken("not certified, " + field, no, d -> d.put(field, 1), field));
    }
    Certificate perturbed = Documents.conditional();
    for (String field : List.of("epsilon", "delta", "sigma", "residual", "assumption")) {
      cases.add(new Broken("perturbed, null " + field, perturbed, d -> d.putNull(field), field));
    }
    for (String field : List.of("rho", "scale", "noisyParameters", "gridStep")) {
      cases.add(new Broken("perturbed, " + field, perturbed, d -> d.put(field, 1), field));
    }
    for (Certificate other : List.of(yes, pure, no)) {
      cases.add(new Broken("not perturbed, r", other, d -> d.put("residual", 0.3), "residual"));
      cases.add(
          new Broken(
              "verdict conditional", other, d -> d.put("verdict", "conditional"), "verdict"));
    }
    cases.add(
        new Broken(
            "another assumption", perturbed, d -> d.put("assumption", "none"), "assumption"));
    cases.add(
        new Broken(
            "perturbed, certified", perturbed, d -> d.put("verdict", "certified"), "verdict"));
    cases.add(
        new Broken("perturbed, a reason", perturbed, reason("distance-not-proven"), "reason"));
    cases.add(new Broken("perturbed, covers none", perturbed, d -> d.putArray("covers"), "covers"));
    cases.add(new Broken("pure, sigma", pure, d -> d.put("sigma", 0.1), "sigma"));
    cases.add(new Broken("pure, delta 0", pure, d -> d.put("delta", 0.0), "delta"));
    cases.add(new Broken("no schema version", yes, d -> d.remove("schemaVersion"), "missing"));
    cases.add(new Broken("delta 1", yes, d -> d.put("delta", 1.0), "delta"));
    cases.add(new Broken("certified with a reason", yes, reason("distance-not-proven"), "reason"));
    cases.add(new Broken("not certified without", no, d -> d.putNull("reason"), "reason"));
    cases.add(new Broken("a free reason", no, reason("the residual is 0.3"), "reason"));
    cases.add(new Broken("certified, no noise", yes, d -> d.put("mechanism", "none"), "mechanism"));
    cases.add(
        new Broken(
            "not certified, noise",
            no,
            d -> d.put("mechanism", "gaussian-output-noise"),
            "mechanism"));
    cases.add(new Broken("unknown verdict", yes, d -> d.put("verdict", "sure"), "verdict"));
    cases.add(new Broken("verdict by number", yes, d -> d.put("verdict", 0), "verdict"));
    cases.add(new Broken("unknown method", yes, d -> d.put("method", "magic"), "method"));
    cases.add(new Broken("certified, covers none", yes, d -> d.putArray("covers"), "covers"));
    cases.add(
        new Broken("not certified, covers", no, d -> d.putArray("covers").add("x"), "covers"));
    cases.add(
        new Broken(
            "negative slot", yes, d -> d.putArray("zeroCoefficients").add(-1), "zeroCoefficients"));
    cases.add(
        new Broken(
            "double slot",
            yes,
            d -> d.putArray("zeroCoefficients").add(1).add(1),
            "zeroCoefficients"));
    cases.add(new Broken("no parameters", yes, d -> d.put("parameters", 0), "parameters"));
    cases.add(new Broken("half a parameter", yes, d -> d.put("parameters", 1.5), "parameters"));
    cases.add(new Broken("id", yes, d -> d.put("certificateId", "../x"), "certificateId"));
    cases.add(new Broken("time", yes, d -> d.put("issuedAt", "yesterday"), "issuedAt"));
    cases.add(new Broken("blank request", yes, d -> d.put("requestId", " "), "requestId"));
    cases.add(
        new Broken(
            "digest algorithm",
            yes,
            d -> ((ObjectNode) d.get("modelDigest")).put("algorithm", "md5"),
            "algorithm"));
    cases.add(
        new Broken(
            "digest value",
            yes,
            d -> ((ObjectNode) d.get("modelDigest")).put("value", "abc"),
            "value"));
    return cases.stream().map(Arguments::of);
  }

  private static Edit reason(String reason) {
    return d -> d.put("reason", reason);
  }

  @ParameterizedTest
  @MethodSource("broken")
  void read_brokenDocument_isRefusedBySchemaAndReader(Broken broken) throws Exception {
    ObjectNode document = (ObjectNode) MAPPER.readTree(broken.base().toJson());
    broken.edit().on(document);
    assertThat(SCHEMA.validate(document)).isNotEmpty();
    assertThatThrownBy(() -> Certificate.read(MAPPER.writeValueAsBytes(document), "the-file.json"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageStartingWith("the-file.json: ")
        .hasMessageContaining(broken.message());
  }

  @Test
  void read_slotsOutOfOrderOrRange_areRefused() throws Exception {
    // JSON Schema cannot say this.
    for (int[] slots : new int[][] {{2, 1}, {4}}) {
      ObjectNode document = (ObjectNode) MAPPER.readTree(Documents.certified().toJson());
      var array = document.putArray("zeroCoefficients");
      for (int slot : slots) {
        array.add(slot);
      }
      assertThatThrownBy(() -> Certificate.read(MAPPER.writeValueAsBytes(document), "c"))
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining("zeroCoefficients");
    }
  }

  @Test
  void read_numberTokensOutsideJson_areRefused() {
    String json = text(Documents.certified());
    for (String token : List.of("NaN", "Infinity", "1e999")) {
      String changed = json.replace("\"epsilon\" : 0.1", "\"epsilon\" : " + token);
      assertThat(changed).isNotEqualTo(json);
      assertThatThrownBy(() -> Certificate.read(changed.getBytes(UTF_8), "c"))
          .isInstanceOf(InvalidInputException.class);
    }
  }

  @Test
  void read_noJsonOrDuplicateOrTrailing_isRefused() {
    String json = text(Documents.certified());
    for (String text :
        List.of(
            "",
            "[]",
            "verdict: certified",
            json.substring(0, json.length() / 2),
            json + "{}",
            json.replace("\"delta\" :", "\"epsilon\" : 0.1, \"delta\" :"))) {
      assertThatThrownBy(() -> Certificate.read(text.getBytes(UTF_8), "c"))
          .as(text)
          .isInstanceOf(InvalidInputException.class);
    }
  }

  @Test
  void schema_everyObject_requiresAndDescribesAllItsFieldsAndNoOther() {
    for (String name : List.of("certificate", "evidence")) {
      for (JsonNode object : Documents.schema(name).getSchemaNode().findParents("required")) {
        if (object.path("additionalProperties").isMissingNode()) {
          continue; // the conditions
        }
        assertThat(object.get("additionalProperties").booleanValue()).isFalse();
        List<String> required = new ArrayList<>();
        object.get("required").forEach(n -> required.add(n.textValue()));
        List<String> described = new ArrayList<>();
        object.get("properties").fieldNames().forEachRemaining(described::add);
        assertThat(required).isEqualTo(described);
      }
    }
  }

  private static String text(Certificate certificate) {
    return new String(certificate.toJson(), UTF_8);
  }
}
