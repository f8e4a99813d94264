package dev.lethe.spark.removal;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import dev.lethe.core.certify.PrivacyBudget;
import dev.lethe.core.solver.LinearSolver;
import dev.lethe.core.solver.Preconditioning;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.data.TableSource;
import dev.lethe.spark.job.GivenTables;
import dev.lethe.spark.request.CertificateTerms;
import java.io.IOException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * What {@code conf/lethe.yaml} says: one model, its table, its ledger. Every key is described
 * there; unknown keys are refused.
 *
 * @param ledger directory of the ledger, public
 * @param vault directory of what is confidential
 * @param model that is version 0 when the ledger is opened
 * @param data the table that the model was trained on
 * @param test test data, or null
 * @param certificate what every release promises; a request that states terms may ask for more
 * @param budget what an observer of all releases may learn; null for no limit
 * @param solver of the Newton systems
 * @param lease of a run
 * @param retention how long what holds deleted data is kept
 * @param verify whether a version is verified before it is published
 * @param reports of versions, for people; null for none
 * @param signing the key that signs certificates and entries; null for none
 * @param encryption the keystore of the vault's master key; null where LETHE_VAULT_KEY has it, or
 *     the vault is not encrypted
 */
public record Settings(
    String ledger,
    String vault,
    String model,
    Data data,
    @Nullable Test test,
    CertificateTerms certificate,
    @Nullable Budget budget,
    @Nullable Solver solver,
    @Nullable Leasing lease,
    @Nullable Retention retention,
    @Nullable Boolean verify,
    @Nullable Reports reports,
    @Nullable Signing signing,
    @Nullable Keystore encryption) {

  public Settings {
    present(ledger, "ledger");
    present(vault, "vault");
    present(model, "model");
    present(data, "data");
    present(certificate, "certificate");
    solver = solver == null ? new Solver(null, null, null, null, null) : solver;
    lease = lease == null ? new Leasing(null, null, null) : lease;
    retention = retention == null ? new Retention(null, null, null, null, null) : retention;
    verify = verify == null || verify;
  }

  /**
   * The table.
   *
   * @param path of the table
   * @param format Spark data source; parquet
   * @param options of the source
   * @param label its label column, or null for the one that the model was fitted with
   * @param correctedThrough the version whose corrections, and those of all before it, the table
   *     has in it already; 0
   * @param partitions of the cached data; 0 for the source's own
   */
  public record Data(
      String path,
      @Nullable String format,
      @Nullable Map<String, String> options,
      @Nullable String label,
      @Nullable Integer correctedThrough,
      @Nullable Integer partitions) {
    public Data {
      present(path, "data.path");
      format = format == null ? "parquet" : format;
      options = options == null ? Map.of() : new LinkedHashMap<>(options);
      correctedThrough = correctedThrough == null ? 0 : correctedThrough;
      partitions = partitions == null ? 0 : partitions;
      require(correctedThrough >= 0, "data.corrected-through must be at least 0");
      require(partitions >= 0, "data.partitions must be at least 0");
    }

    /** The table as it is, for a job that takes tables. */
    GivenTables given() {
      return new GivenTables.Original(source());
    }

    /** Partitions of the cached data. */
    int parts() {
      return Objects.requireNonNull(partitions);
    }

    /** The last version whose corrections the table has in it. */
    int through() {
      return Objects.requireNonNull(correctedThrough);
    }

    TableSource source() {
      return new TableSource(
          "data.path", path, Objects.requireNonNull(format), Objects.requireNonNull(options));
    }
  }

  /** Test data, read like the table unless it says otherwise. */
  public record Test(String path, @Nullable String format, @Nullable Map<String, String> options) {
    public Test {
      present(path, "test.path");
    }
  }

  /**
   * The limit of all releases together.
   *
   * @param epsilon of all together
   * @param delta at which it is proven
   * @param onLimit what happens to a release that does not fit
   */
  public record Budget(double epsilon, double delta, @Nullable OnLimit onLimit) {
    public Budget {
      require(
          epsilon > 0 && Double.isFinite(epsilon),
          "budget.epsilon must be a finite number greater than 0");
      require(delta > 0 && delta < 1, "budget.delta must be a number between 0 and 1");
      onLimit = onLimit == null ? OnLimit.REFUSE : onLimit;
    }

    PrivacyBudget limit() {
      return new PrivacyBudget(epsilon, delta);
    }
  }

  /** What happens to a release that the budget does not allow. */
  public enum OnLimit {
    /** There is none; the requests wait. */
    @JsonProperty("refuse")
    REFUSE,
    /** It gets more noise. */
    @JsonProperty("raise-sigma")
    RAISE_SIGMA
  }

  /**
   * As the options of {@code lethe unlearn}.
   *
   * @param checkpoint the least time between two checkpoints of the refinement; 5s
   */
  public record Solver(
      @Nullable LinearSolver method,
      @Nullable Preconditioning preconditioner,
      @Nullable Integer maxSteps,
      @Nullable Integer maxCgIterations,
      @Nullable String checkpoint) {
    public Solver {
      checkpoint = checkpoint == null ? "5s" : checkpoint;
      duration(checkpoint, "solver.checkpoint");
      maxSteps = maxSteps == null ? 50 : maxSteps;
      maxCgIterations = maxCgIterations == null ? 1000 : maxCgIterations;
      require(maxSteps > 0, "solver.max-steps must be at least 1");
      require(maxCgIterations > 0, "solver.max-cg-iterations must be at least 1");
    }

    Duration interval() {
      return duration(Objects.requireNonNull(checkpoint), "solver.checkpoint");
    }

    int steps() {
      return Objects.requireNonNull(maxSteps);
    }

    int iterations() {
      return Objects.requireNonNull(maxCgIterations);
    }
  }

  /**
   * The lease of a run.
   *
   * @param length after which a run that shows no sign of life has lost it; 60s
   * @param waits how long a run waits for another; 120s
   * @param singleWriter whether whoever schedules lets one process write at a time, which stores
   *     need that cannot create a file exclusively
   */
  public record Leasing(
      @Nullable String length,
      @JsonProperty("wait") @Nullable String waits,
      @JsonProperty("single-writer") @Nullable Boolean singleWriter) {
    public Leasing {
      singleWriter = singleWriter != null && singleWriter;
      length = length == null ? "60s" : length;
      waits = waits == null ? "120s" : waits;
      require(
          duration(length, "lease.length").toSeconds() >= 1, "lease.length must be at least 1s");
      duration(waits, "lease.wait");
    }

    Duration ofRun() {
      return duration(Objects.requireNonNull(length), "lease.length");
    }

    boolean ofOneWriter() {
      return Objects.requireNonNull(singleWriter);
    }

    Duration patience() {
      return duration(Objects.requireNonNull(waits), "lease.wait");
    }
  }

  /**
   * How long what holds deleted data is kept.
   *
   * @param requests contents of requests, since their version was published; 30d
   * @param evidence since its version was published; 365d
   * @param models superseded ones, since they were; 30d
   * @param checkpoints of refinements that did not end, since they were written; 7d
   * @param states that lethe unlearn keeps with a model, since they were written; 365d
   */
  public record Retention(
      @Nullable String requests,
      @Nullable String evidence,
      @Nullable String models,
      @Nullable String checkpoints,
      @Nullable String states) {
    public Retention {
      requests = requests == null ? "30d" : requests;
      evidence = evidence == null ? "365d" : evidence;
      models = models == null ? "30d" : models;
      checkpoints = checkpoints == null ? "7d" : checkpoints;
      states = states == null ? "365d" : states;
      duration(requests, "retention.requests");
      duration(evidence, "retention.evidence");
      duration(models, "retention.models");
      duration(checkpoints, "retention.checkpoints");
      duration(states, "retention.states");
    }

    Duration ofRequests() {
      return duration(Objects.requireNonNull(requests), "retention.requests");
    }

    Duration ofEvidence() {
      return duration(Objects.requireNonNull(evidence), "retention.evidence");
    }

    Duration ofCheckpoints() {
      return duration(Objects.requireNonNull(checkpoints), "retention.checkpoints");
    }

    Duration ofStates() {
      return duration(Objects.requireNonNull(states), "retention.states");
    }

    Duration ofModels() {
      return duration(Objects.requireNonNull(models), "retention.models");
    }
  }

  /**
   * A report of every version that is published.
   *
   * @param confidential directory of those with all figures; null for none
   * @param redacted whether one is public, in the ledger; false
   */
  public record Reports(@Nullable String confidential, @Nullable Boolean redacted) {
    public Reports {
      redacted = redacted != null && redacted;
      require(
          confidential != null || redacted,
          "reports must have reports.confidential, or reports.redacted: true");
    }

    /** Whether the ledger gets one. */
    boolean isPublic() {
      return Objects.requireNonNull(redacted);
    }
  }

  /**
   * The Ed25519 key that signs: one of a PEM file, or one of a PKCS#12 keystore.
   *
   * @param alias which of the keystore's; null where it has one
   */
  public record Signing(@Nullable String key, @Nullable String keystore, @Nullable String alias) {
    public Signing {
      require((key == null) != (keystore == null), "signing must have one of key and keystore");
      require(alias == null || keystore != null, "signing.alias needs signing.keystore");
    }
  }

  /** A PKCS#12 keystore, and which of its keys; null where it has one. */
  public record Keystore(String keystore, @Nullable String alias) {
    public Keystore {
      present(keystore, "encryption.keystore");
    }
  }

  private static final Pattern DURATION = Pattern.compile("([0-9]{1,6})(s|m|h|d)");

  private static final YAMLMapper MAPPER =
      YAMLMapper.builder()
          .propertyNamingStrategy(PropertyNamingStrategies.KEBAB_CASE)
          .enable(
              DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES,
              DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES,
              DeserializationFeature.FAIL_ON_NUMBERS_FOR_ENUMS,
              DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_ENUMS)
          .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS)
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .build();

  /**
   * Reads a configuration.
   *
   * @param file for messages
   * @throws InvalidInputException naming the file, the key and what is allowed
   */
  public static Settings read(byte[] content, String file) {
    try {
      Settings settings = MAPPER.readValue(content, Settings.class);
      if (settings == null) {
        throw new InvalidInputException(file + ": empty; conf/lethe.yaml describes every key");
      }
      return settings;
    } catch (UnrecognizedPropertyException e) {
      throw new InvalidInputException(
          file
              + ": unknown key '"
              + path(e)
              + "'"
              + line(e)
              + "; allowed: "
              + Objects.requireNonNullElse(e.getKnownPropertyIds(), List.of()).stream()
                  .map(String::valueOf)
                  .sorted()
                  .collect(Collectors.joining(", ")),
          e);
    } catch (JsonMappingException e) {
      Throwable cause = e.getCause();
      throw new InvalidInputException(
          file
              + ": "
              + (cause instanceof IllegalArgumentException
                  ? cause.getMessage()
                  : "'" + path(e) + "' is missing or of the wrong type")
              + line(e),
          e);
    } catch (JsonProcessingException e) {
      throw new InvalidInputException(
          file
              + ": not valid YAML"
              + (e.getLocation() == null ? "" : " (line " + e.getLocation().getLineNr() + ")"),
          e);
    } catch (IOException e) {
      throw new InvalidInputException(file + ": cannot be read", e);
    }
  }

  private static String path(JsonMappingException e) {
    return e.getPath().stream()
        .map(r -> r.getFieldName() == null ? "[" + r.getIndex() + "]" : r.getFieldName())
        .collect(Collectors.joining("."));
  }

  private static String line(JsonMappingException e) {
    return e.getLocation() == null ? "" : " (line " + e.getLocation().getLineNr() + ")";
  }

  private static void present(@Nullable Object value, String key) {
    require(value != null, "the key '" + key + "' is missing");
  }

  private static void require(boolean condition, String message) {
    if (!condition) {
      throw new IllegalArgumentException(message);
    }
  }

  private static Duration duration(String text, String key) {
    Matcher matcher = DURATION.matcher(text.toLowerCase(Locale.ROOT));
    require(matcher.matches(), key + " must be a number and s, m, h or d, as 30d");
    long number = Long.parseLong(matcher.group(1));
    return switch (matcher.group(2)) {
      case "s" -> Duration.ofSeconds(number);
      case "m" -> Duration.ofMinutes(number);
      case "h" -> Duration.ofHours(number);
      default -> Duration.ofDays(number);
    };
  }

  /** How the update is made. */
  Solver solving() {
    return Objects.requireNonNull(solver);
  }

  /** The lease of a run. */
  Leasing leasing() {
    return Objects.requireNonNull(lease);
  }

  /** How long what holds deleted data is kept. */
  Retention keeping() {
    return Objects.requireNonNull(retention);
  }

  /** Whether a version is verified before it is published. */
  boolean verifies() {
    return Objects.requireNonNull(verify);
  }

  /** The test table; null if there is none. */
  @Nullable TableSource testSource() {
    if (test == null) {
      return null;
    }
    return new TableSource(
        "test.path",
        test.path(),
        test.format() == null ? Objects.requireNonNull(data.format()) : test.format(),
        test.options() == null ? Objects.requireNonNull(data.options()) : test.options());
  }
}
