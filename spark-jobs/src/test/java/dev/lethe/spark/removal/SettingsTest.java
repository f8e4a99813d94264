package dev.lethe.spark.removal;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lethe.spark.InvalidInputException;
import java.lang.reflect.RecordComponent;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The configuration, and the file that describes it. */
class SettingsTest {
  private static final String REQUIRED =
      """
      ledger: /ledger
      vault: /vault
      model: /model
      data: {path: /data}
      certificate: {epsilon: 0.1, delta: 1.0e-6, rho: 1.0e-8}
      """;

  private static Settings read(String yaml) {
    return Settings.read(yaml.getBytes(UTF_8), "lethe.yaml");
  }

  private static List<String> reference() throws Exception {
    return Files.readAllLines(
        Path.of(System.getProperty("maven.multiModuleProjectDirectory", ".."), "conf/lethe.yaml"));
  }

  @Test
  void reference_asItStands_isAConfigurationOfDefaults() throws Exception {
    Settings settings = read(String.join("\n", reference()));
    assertThat(settings)
        .usingRecursiveComparison()
        .ignoringFields("ledger", "vault", "model", "data.path")
        .isEqualTo(read(REQUIRED));
  }

  @Test
  void reference_everyKey_isThereAndIsRead() throws Exception {
    Pattern key = Pattern.compile("^[\\s#]*([a-z-]+):(?:\\s.*)?$");
    Set<String> described = new TreeSet<>();
    for (String line : reference()) {
      Matcher matcher = key.matcher(line);
      if (matcher.matches()) {
        described.add(matcher.group(1));
      }
    }
    Set<String> known = new TreeSet<>();
    collect(Settings.class, known);
    assertThat(described).isEqualTo(known);
  }

  private static void collect(Class<?> type, Set<String> keys) {
    for (RecordComponent component : type.getRecordComponents()) {
      String name = component.getName();
      keys.add(
          name.equals("waits")
              ? "wait"
              : name.replaceAll("([A-Z])", "-$1").toLowerCase(java.util.Locale.ROOT));
      if (component.getType().isRecord()) {
        collect(component.getType(), keys);
      }
    }
  }

  @Test
  void defaults_areThoseOfTheReference() {
    Settings settings = read(REQUIRED);
    assertThat(settings.data().source().format()).isEqualTo("parquet");
    assertThat(settings.data().through()).isZero();
    assertThat(settings.leasing().ofRun()).isEqualTo(Duration.ofSeconds(60));
    assertThat(settings.leasing().patience()).isEqualTo(Duration.ofSeconds(120));
    assertThat(settings.keeping().ofRequests()).isEqualTo(Duration.ofDays(30));
    assertThat(settings.keeping().ofEvidence()).isEqualTo(Duration.ofDays(365));
    assertThat(settings.keeping().ofModels()).isEqualTo(Duration.ofDays(30));
    assertThat(settings.solving().steps()).isEqualTo(50);
    assertThat(settings.solving().iterations()).isEqualTo(1000);
    assertThat(settings.solving().interval()).isEqualTo(Duration.ofSeconds(5));
    assertThat(settings.verifies()).isTrue();
    assertThat(settings.budget()).isNull();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "retention: {requests: 30}|retention.requests must be a number and s, m, h or d",
        "retention: {request: 30d}|unknown key 'retention.request'",
        "budget: {epsilon: 1}|'budget.delta' is missing or of the wrong type",
        "budget: {epsilon: 0, delta: 1.0e-5}|budget.epsilon must be a finite number greater than 0",
        "budget: {epsilon: 1, delta: 1.0e-5, on-limit: ignore}|'budget.on-limit' is missing or of the wrong",
        "lease: {length: 0s}|lease.length must be at least 1s",
        "solver: {max-steps: 0}|solver.max-steps must be at least 1",
        "reports: {}|reports must have reports.confidential, or reports.redacted: true",
        "reports: {confidential: a, public: true}|unknown key 'reports.public'",
        "signing: {}|signing must have one of key and keystore",
        "signing: {key: a, keystore: b}|signing must have one of key and keystore",
        "ledger: /again|not valid YAML",
        "nonsense: 1|unknown key 'nonsense'",
      })
  void read_wrongValue_namesKeyAndWhatIsAllowed(String lines, String message) {
    assertThatThrownBy(() -> read(REQUIRED + lines + "\n"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageStartingWith("lethe.yaml: ")
        .hasMessageContaining(message);
  }

  @ParameterizedTest
  @CsvSource({"ledger", "vault", "model", "data", "certificate"})
  void read_requiredKeyMissing_isNamed(String key) {
    String without =
        REQUIRED.lines().filter(line -> !line.startsWith(key)).collect(Collectors.joining("\n"));
    assertThatThrownBy(() -> read(without))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("the key '" + key + "' is missing");
  }

  @ParameterizedTest
  @CsvSource({"epsilon", "delta", "rho"})
  void read_termMissing_isNoZero(String term) {
    assertThatThrownBy(() -> read(REQUIRED.replaceAll(term + ": [0-9.e-]+,? ?", "")))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining(term);
  }

  @Property(tries = 5000)
  void read_anyDamage_isRefusedOrMeansSomething(
      @ForAll @IntRange(max = 200) int at,
      @ForAll byte with,
      @ForAll @IntRange(max = 3) int length) {
    byte[] content = (REQUIRED + "budget: {epsilon: 1, delta: 1.0e-5}\n").getBytes(UTF_8);
    for (int i = 0; i < length; i++) {
      content[(at + i) % content.length] = (byte) (with + 31 * i);
    }
    Settings settings;
    try {
      settings = Settings.read(content, "lethe.yaml");
    } catch (InvalidInputException e) {
      assertThat(e.getMessage()).startsWith("lethe.yaml");
      return;
    }
    assertThat(settings.certificate().epsilon()).isPositive();
    assertThat(settings.ledger()).isNotNull();
  }
}
