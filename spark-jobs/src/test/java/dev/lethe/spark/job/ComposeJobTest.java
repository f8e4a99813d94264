package dev.lethe.spark.job;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.lethe.core.certify.GaussianMechanism;
import dev.lethe.core.certify.OutputMechanism;
import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Claim;
import dev.lethe.spark.certificate.ModelDigest;
import dev.lethe.spark.certificate.Reason;
import dev.lethe.spark.certificate.Scope;
import dev.lethe.spark.certificate.Software;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** {@code lethe compose}: the arithmetic is core's; here certificates, refusals and words. */
@ExtendWith(LocalSpark.class)
class ComposeJobTest {
  private static final int PARAMETERS = 12;
  private static final Scope SCOPE =
      Scope.frozenFeaturizer("refined", List.of(), List.of(), PARAMETERS);
  private static final ModelDigest MODEL = new ModelDigest("sha-256-tree", "ab".repeat(32));

  private static Path write(Certificate certificate) {
    return Places.write(
        Places.unused("certificate.json"),
        new String(certificate.toJson(), StandardCharsets.UTF_8));
  }

  private static Path release(double epsilon, double delta) {
    OutputMechanism mechanism =
        OutputMechanism.calibrate(epsilon, delta, 1e-8, PARAMETERS, PARAMETERS - 1);
    Claim claim =
        new Claim(
            epsilon,
            Math.max(delta, mechanism.delta()),
            1e-8,
            mechanism.noise(),
            mechanism.noise().grid().step());
    return write(
        Certificate.certified(
            Certificate.newId(),
            "request-7",
            Instant.now(),
            claim,
            SCOPE,
            MODEL,
            Software.running("0.1.0", "4.1.0")));
  }

  private static Outcome compose(Object... arguments) {
    List<String> words = new ArrayList<>(List.of("compose"));
    Stream.of(arguments).map(Object::toString).forEach(words::add);
    return Outcome.of(words);
  }

  private static double figure(Outcome outcome, String name) {
    Matcher figure = Pattern.compile("together .*" + name + " ([^,\\s]+)").matcher(outcome.out());
    assertThat(figure.find()).as("%s", outcome).isTrue();
    return Double.parseDouble(figure.group(1));
  }

  @Test
  void run_oneRelease_repeatsItsClaim() {
    Outcome outcome = compose(release(0.1, 1e-4));
    assertThat(outcome.code()).as("%s", outcome).isZero();
    assertThat(figure(outcome, "delta")).isEqualTo(1e-4);
    assertThat(figure(outcome, "epsilon")).isBetween(0.1 * (1 - 1e-5), 0.1 * (1 + 1e-5));
    assertThat(outcome.out())
        .contains(
            "request-7", "gaussian", "independent", "retrained on the corrected data of each");
  }

  /** Truth: (5) at sqrt(2) mu. */
  @Test
  void run_twoGaussianReleases_composeAsOne() {
    double mu = 1e-8 / GaussianMechanism.calibrate(0.1, 1e-4, 1e-8, PARAMETERS).sigma();
    Outcome outcome = compose("--epsilon", 0.15, release(0.1, 1e-4), release(0.1, 1e-4));
    double exact = GaussianMechanism.delta(0.15, Math.sqrt(2) * mu);
    assertThat(figure(outcome, "delta")).isBetween(exact, exact * (1 + 1e-4));
  }

  @Test
  void run_pureReleases_addTheirEpsilons() {
    Outcome outcome = compose(release(0.25, 0), release(0.5, 0));
    assertThat(figure(outcome, "epsilon")).isBetween(0.75 * (1 - 1e-12), 0.75 * (1 + 1e-12));
    double sampler = (1 + Math.exp(0.75)) * 2 * (PARAMETERS - 1) * 4e-12;
    assertThat(figure(outcome, "delta")).isBetween(sampler * (1 - 1e-9), sampler * (1 + 1e-9));
    Outcome mixed = compose("--delta", "1e-4", release(0.25, 0), release(0.1, 1e-4));
    assertThat(figure(mixed, "epsilon")).isBetween(0.35 * (1 - 1e-3), 0.35 * (1 + 1e-3));
  }

  @Test
  void run_releaseOfUnlearn_isAccepted() {
    Outcome outcome = compose(Releases.certified().out().resolve("certificate.json"));
    assertThat(outcome.code()).as("%s", outcome).isZero();
    assertThat(figure(outcome, "epsilon")).isBetween(0.5 * (1 - 1e-4), 0.5 * (1 + 1e-4));
  }

  @Test
  void run_notCertified_isRefusedByName() {
    Path file =
        write(
            Certificate.notCertified(
                Certificate.newId(),
                "request-8",
                Instant.now(),
                Reason.DISTANCE_NOT_PROVEN,
                SCOPE,
                MODEL,
                Software.running("0.1.0", "4.1.0")));
    refused(compose(release(0.1, 1e-4), file), file + ": is not-certified", "no noise");
  }

  private static Path changed(Path certificate, Consumer<ObjectNode> change) {
    ObjectNode document = (ObjectNode) Releases.json(certificate);
    change.accept(document);
    try {
      return Places.write(
          Places.unused("certificate.json"), new ObjectMapper().writeValueAsString(document));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void run_claimThatDoesNotHold_isRefusedByName() {
    Path weak =
        changed(release(0.1, 1e-4), d -> d.put("sigma", 0.9 * d.get("sigma").doubleValue()));
    refused(compose(weak), weak.toString(), "sigma suffices for epsilon, delta and rho");
    Path pure = changed(release(0.1, 0), d -> d.put("epsilon", 0.05));
    refused(compose(pure), pure.toString(), "scale suffices for epsilon, delta and rho");
    Path more = changed(release(0.1, 0), d -> d.put("noisyParameters", 3));
    refused(compose(more), more.toString(), "scale and grid step follow from the terms");
  }

  @Test
  void run_badArguments_areRefused() {
    Path one = release(0.1, 1e-4);
    refused(compose(one, one), one.toString(), "given twice");
    refused(compose(), "CERTIFICATE");
    refused(compose("--delta", 0, one), "delta = 0.0", "(0, 1)");
    refused(compose("--delta", 1, one), "delta = 1.0", "(0, 1)");
    refused(compose("--delta", "1e-12", one), "delta = 1.0E-12", "must be at least");
    refused(compose("--epsilon", 0, one), "epsilon = 0.0", "positive");
    refused(compose("--epsilon", 0.1, release(0.25, 0)), "--epsilon 0.1", "pure epsilon", "0.25");
    refused(compose("--epsilon", 0.1, "--delta", 0.1, one), "mutually exclusive");
    refused(compose(one.resolveSibling("nothing.json")), "nothing.json", "does not exist");
    refused(compose(Places.write(Places.unused("c.json"), "{}")), "c.json", "schemaVersion");
  }

  private static void refused(Outcome outcome, String... words) {
    assertThat(outcome.code()).as("%s", outcome).isEqualTo(2);
    assertThat(outcome.err()).contains(words);
  }
}
