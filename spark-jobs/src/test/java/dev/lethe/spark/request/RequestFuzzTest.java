package dev.lethe.spark.request;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lethe.spark.InvalidInputException;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import net.jqwik.api.EdgeCasesMode;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.ShrinkingMode;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * 10 000 mutations of requests: each is read as a request that stands for itself, written and read
 * again, or refused by a message that quotes nothing of what it says.
 */
class RequestFuzzTest {
  /** Longer than any key that a message shows. */
  private static final String SECRET = "s3cret".repeat(12);

  private static final ObjectMapper MAPPER = new ObjectMapper();

  private static final String YAML =
      """
      id: fuzz-1
      changes:
        - removeFeatures: [race, "features[17]", "`capital.gain`"]
        - replaceFeatures:
            set: {hours: "hours + 1", "`a.b`": "'SECRET'"}
            where: "name = 'SECRET'"
        - replaceText: {column: text, find: "SECRET", with: ""}
        - relabel:
            to: "1 - label"
            where: >-
              user_id =
              'SECRET'
        - removeRows: {where: 'user_id IN (''SECRET'', ''x'')'}
      certificate: {epsilon: 0.1, delta: 1.0e-4, rho: 1.0e-8}
      method: refined
      featurizer: frozen
      """
          .replace("SECRET", SECRET);

  private static final String FIRST_ORDER =
      """
      id: fuzz-2
      changes: [{removeRows: {where: "a = 'SECRET'"}}]
      method: first-order
      tau: 0.5
      """
          .replace("SECRET", SECRET);

  private static final String JSON =
      """
      {"id": "fuzz-3", "changes": [
        {"removeFeatures": ["race", "features[race_White]"]},
        {"replaceFeatures": {"set": {"hours": "'SECRET'"}}},
        {"replaceText": {"column": "text", "find": "SECRET", "with": "\\u00e4\\ud83d\\ude00"}},
        {"relabel": {"to": "0", "where": "name = 'SECRET'"}}],
       "certificate": {"epsilon": 0.5, "delta": 1e-5, "rho": 1e-7}, "featurizer": "refit"}
      """
          .replace("SECRET", SECRET);

  private static final List<String> TOKENS =
      List.of(
          "&a ",
          "*a",
          "<<: *a\n",
          "<<: {id: x}\n",
          "!!binary ",
          "!!java.net.URL ",
          "!x ",
          "!!str ",
          "\0",
          "\u0001",
          "\u001b[31m",
          "\u0085",
          "\u2028",
          "\uFEFF",
          "\u202e",
          "{",
          "[",
          "]",
          "}",
          ": ",
          ":",
          "- ",
          "? ",
          "|\n",
          ">\n",
          "'",
          "\"",
          "\\",
          "\\ud800",
          "\\x00",
          "\\u0000",
          "/",
          ",",
          "1e999999999",
          "-0",
          "-1",
          ".nan",
          "-.inf",
          "0x7f",
          "0o17",
          "1_000",
          "1:30",
          "null",
          "~",
          "true",
          "yes",
          "2026-01-01",
          "---\n",
          "...\n",
          "%YAML 1.1\n",
          "#",
          "\t",
          "\r\n",
          "\n",
          " ",
          "x".repeat(70_000),
          "[".repeat(20),
          "{a: ".repeat(20),
          "9".repeat(2000),
          "0." + "1".repeat(1500),
          "\uD83D\uDE00",
          "\u0301",
          "id: twice\n",
          "changes:\n",
          "certificate: {}\n",
          "epsilon: 1\n",
          "\"id\": \"y\",",
          "\"tau\": 1,",
          "where: ",
          "`",
          "``");

  @Property(
      tries = 4000,
      seed = "20261122",
      shrinking = ShrinkingMode.OFF,
      edgeCases = EdgeCasesMode.NONE)
  void read_mutatedYaml_isReadOrRefused(@ForAll long seed) {
    readsOrRefuses("fuzz.yaml", mutated(YAML, FIRST_ORDER, new Random(seed)));
  }

  @Property(
      tries = 3000,
      seed = "20261123",
      shrinking = ShrinkingMode.OFF,
      edgeCases = EdgeCasesMode.NONE)
  void read_mutatedFirstOrder_isReadOrRefused(@ForAll long seed) {
    readsOrRefuses("fuzz.yml", mutated(FIRST_ORDER, YAML, new Random(seed)));
  }

  @Property(
      tries = 3000,
      seed = "20261124",
      shrinking = ShrinkingMode.OFF,
      edgeCases = EdgeCasesMode.NONE)
  void read_mutatedJson_isReadOrRefused(@ForAll long seed) {
    readsOrRefuses("fuzz.json", mutated(JSON, FIRST_ORDER, new Random(seed)));
  }

  private static void readsOrRefuses(String file, byte[] content) {
    Request request;
    try {
      request = RequestReader.read(file, content);
    } catch (InvalidInputException e) {
      assertThat(e).hasNoCause().hasMessageStartingWith(file);
      assertThat(e.getMessage()).hasSizeLessThan(1000).doesNotContain("s3cret");
      assertThat(e.getMessage().chars()).noneMatch(Character::isISOControl);
      return;
    }
    Request again = RequestReader.read("again.json", written(request));
    assertThat(again).isEqualTo(request);
    assertThat(again.canonicalBytes()).isEqualTo(request.canonicalBytes());
  }

  private static byte[] mutated(String text, String other, Random random) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    byte[] stranger = other.getBytes(StandardCharsets.UTF_8);
    for (int n = 1 + random.nextInt(4); n > 0; n--) {
      int from = random.nextInt(bytes.length + 1);
      int to = Math.min(bytes.length, from + random.nextInt(random.nextBoolean() ? 4 : 60));
      byte[] middle =
          switch (random.nextInt(7)) {
            case 0 -> new byte[0];
            case 1 -> flipped(Arrays.copyOfRange(bytes, from, to), random);
            case 2 -> twice(Arrays.copyOfRange(bytes, from, to));
            case 3 ->
                Arrays.copyOfRange(stranger, random.nextInt(stranger.length), stranger.length);
            case 4 -> {
              to = random.nextInt(4) == 0 ? bytes.length : from; // truncated
              yield new byte[0];
            }
            case 5 -> {
              to = from;
              yield token(random);
            }
            default -> token(random);
          };
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      out.write(bytes, 0, from);
      out.writeBytes(middle);
      out.write(bytes, to, bytes.length - to);
      bytes = out.toByteArray();
    }
    return bytes;
  }

  private static byte[] token(Random random) {
    return TOKENS.get(random.nextInt(TOKENS.size())).getBytes(StandardCharsets.UTF_8);
  }

  private static byte[] flipped(byte[] bytes, Random random) {
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] ^= (byte) (1 << random.nextInt(8));
    }
    return bytes;
  }

  private static byte[] twice(byte[] bytes) {
    byte[] twice = Arrays.copyOf(bytes, 2 * bytes.length);
    System.arraycopy(bytes, 0, twice, bytes.length, bytes.length);
    return twice;
  }

  /** The request as a file, by none of the reader's code. */
  private static String written(Request request) {
    ObjectNode root = MAPPER.createObjectNode().put("id", request.id());
    ArrayNode changes = MAPPER.createArrayNode();
    for (Change change : request.changes()) {
      ObjectNode content = MAPPER.createObjectNode();
      if (change instanceof Change.RemoveFeatures c) {
        ArrayNode features = MAPPER.createArrayNode();
        c.features().forEach(feature -> features.add(feature.toString()));
        changes.addObject().set("removeFeatures", features);
        continue;
      } else if (change instanceof Change.ReplaceFeatures c) {
        ObjectNode set = content.putObject("set");
        c.set().forEach((column, sql) -> set.put(FeatureRef.ofColumn(column).toString(), sql));
        if (c.where() != null) {
          content.put("where", c.where());
        }
      } else if (change instanceof Change.ReplaceText c) {
        content
            .put("column", FeatureRef.ofColumn(c.column()).toString())
            .put("find", c.find())
            .put("with", c.with());
      } else if (change instanceof Change.Relabel c) {
        content.put("to", c.to()).put("where", c.where());
      } else if (change instanceof Change.RemoveRows c) {
        content.put("where", c.where());
      }
      changes.addObject().set(change.key(), content);
    }
    if (!changes.isEmpty()) {
      root.set("changes", changes);
    }
    if (request.certificate() != null) {
      root.putObject("certificate")
          .put("epsilon", request.certificate().epsilon())
          .put("delta", request.certificate().delta())
          .put("rho", request.certificate().rho());
    }
    root.put("method", request.method().word());
    if (request.tau() != null) {
      root.put("tau", request.tau());
    }
    root.put("featurizer", request.featurizer().word());
    return root.toString();
  }

  static Map<String, String> bombs() {
    Map<String, String> bombs = new LinkedHashMap<>();
    StringBuilder laughs = new StringBuilder("a0: &a0 [s3cret]\n");
    for (int i = 1; i < 30; i++) {
      laughs.append("a%d: &a%d [%s]\n".formatted(i, i, ("*a" + (i - 1) + ",").repeat(9)));
    }
    int most = RequestReader.MAX_BYTES;
    bombs.put("laughs.yaml", laughs.toString());
    bombs.put("brackets.yaml", "[".repeat(most));
    bombs.put("brackets.json", "[".repeat(most));
    bombs.put("braces.yaml", "{".repeat(most));
    bombs.put("braces.json", "{\"a\":".repeat(most / 5));
    bombs.put("dashes.yaml", "- ".repeat(most / 2));
    bombs.put("questions.yaml", "? ".repeat(most / 2));
    bombs.put("colons.yaml", ": ".repeat(most / 2));
    bombs.put("quotes.yaml", "\"" + "\\".repeat(most - 1));
    bombs.put("spaces.yaml", "id: &x" + " ".repeat(most - 5) + "x");
    bombs.put("lines.yaml", "name:\n" + "\n".repeat(most - 10) + " x");
    bombs.put("comments.yaml", "#\n".repeat(most / 2));
    bombs.put("digits.yaml", "certificate: {epsilon: " + "9".repeat(most - 100) + "}");
    bombs.put("digits.json", "{\"tau\": " + "9".repeat(most - 100) + "}");
    bombs.put("fraction.json", "{\"tau\": 0." + "9".repeat(most - 100) + "}");
    bombs.put("exponent.yaml", "id: x\nmethod: first-order\ntau: 1e" + "9".repeat(900));
    bombs.put("exponent.json", "{\"id\": \"x\", \"tau\": 1e999999999}");
    bombs.put("key.yaml", "k".repeat(most - 10) + ": 1");
    bombs.put("tags.yaml", "id: !!java.lang.ProcessBuilder [[s3cret]]");
    bombs.put("merge.yaml", "<<: &x {id: s3cret}\nid: x");
    bombs.put(
        "surrogate.json",
        "{\"id\": \"x\", \"changes\": [{\"removeRows\": {\"where\": \"\\ud800\"}}]}");
    bombs.put(
        "surrogate.yaml",
        "id: x\nchanges: [{replaceText: {column: a, find: \"\\udc00\", with: b}}]");
    return bombs;
  }

  static List<Map.Entry<String, String>> namedBombs() {
    return List.copyOf(bombs().entrySet());
  }

  @ParameterizedTest
  @MethodSource("namedBombs")
  void read_bomb_isRefusedSoon(Map.Entry<String, String> bomb) {
    Assertions.assertTimeoutPreemptively(
        Duration.ofSeconds(20),
        () ->
            assertThatThrownBy(() -> RequestReader.read(bomb.getKey(), bomb.getValue()))
                .isInstanceOf(InvalidInputException.class)
                .hasNoCause()
                .message()
                .hasSizeLessThan(1000)
                .doesNotContain("s3cret"));
  }

  @Test
  void read_unmutated_isReadAndWrittenAlike() {
    readsOrRefuses("fuzz.yaml", YAML.getBytes(StandardCharsets.UTF_8));
    assertThat(RequestReader.read("fuzz.yaml", YAML).changes()).hasSize(5);
    assertThat(RequestReader.read("fuzz.yml", FIRST_ORDER).tau()).isEqualTo(0.5);
    assertThat(RequestReader.read("fuzz.json", JSON).changes()).hasSize(4);
  }
}
