package dev.lethe.spark.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** The jobs on a standalone cluster of separate JVMs: a master and two workers on loopback. */
@ExtendWith(PimaRelease.class)
class ClusterIT {
  private final PimaRelease.Shared pima = PimaRelease.get();

  @Test
  void train_clientMode_savesModel() {
    assertThat(pima.trained().exitCode()).as(pima.trained().described()).isZero();
    assertThat(pima.model().resolve("metadata")).isDirectory();
  }

  @Test
  void unlearn_clientMode_isCertified() throws Exception {
    assertThat(pima.unlearned().exitCode()).as(pima.unlearned().described()).isZero();
    assertCertified(pima.out());
    EvidenceFile evidence = EvidenceFile.in(pima.vault());
    assertThat(evidence.partitions()).isEqualTo(PimaRelease.PARTITIONS);
    assertThat(evidence.products()).as("distributed conjugate gradient").isPositive();
  }

  @Test
  void verify_clientMode_allChecksHold() throws Exception {
    Submission.Result verified =
        pima.spark()
            .lethe(
                "verify-client",
                pima.onCluster(),
                pima.verify(pima.out().resolve("certificate.json")));

    assertThat(verified.exitCode()).as(verified.described()).isZero();
    assertThat(verified.output()).contains("checks hold; the certificate says certified");
  }

  @Test
  void unlearn_clusterDeployMode_sameBits() throws Exception {
    Path out = pima.path("cluster-mode/out");
    Path vault = pima.path("cluster-mode/vault");

    Submission.Result submitted =
        pima.spark()
            .lethe(
                "unlearn-cluster",
                List.of("--master", pima.cluster().url(), "--deploy-mode", "cluster"),
                pima.unlearn(pima.table(), PimaRelease.PARTITIONS, out, vault));

    // scripts/lethe waits for the driver's end, but Spark's submission says 0 however it ended.
    assertThat(submitted.exitCode()).as(submitted.described()).isZero();
    assertThat(out.resolve("certificate.json")).as(submitted.described()).exists();
    assertCertified(out);
    assertSameBits(EvidenceFile.in(vault), EvidenceFile.in(pima.vault()));
  }

  @Test
  void unlearn_oneMachine_sameBits() throws Exception {
    EvidenceFile local = unlearnLocally("local[2]", PimaRelease.PARTITIONS);

    assertSameBits(local, EvidenceFile.in(pima.vault()));
  }

  @Test
  void unlearn_otherPartitioning_sameToRounding() throws Exception {
    EvidenceFile local = unlearnLocally("local[1]", 7);

    double[] theta = local.theta();
    double[] onCluster = EvidenceFile.in(pima.vault()).theta();
    assertThat(local.partitions()).isEqualTo(7);
    assertThat(theta).hasSameSizeAs(onCluster);
    for (int j = 0; j < theta.length; j++) {
      // Sums in another order: each pass differs by some unit roundoffs (1.1e-16), which the last
      // Newton step, itself small, carries into theta.
      assertThat(theta[j])
          .as("theta[%d]", j)
          .isCloseTo(onCluster[j], within(1e-12 * Math.abs(onCluster[j])));
    }
  }

  private EvidenceFile unlearnLocally(String master, int partitions) throws Exception {
    String name = "unlearn-" + master.replaceAll("\\W", "");
    Path out = pima.path(name + "/out");
    Path vault = pima.path(name + "/vault");
    Submission.Result run =
        pima.spark()
            .lethe(
                name,
                List.of("--master", master),
                pima.unlearn(pima.table(), partitions, out, vault));
    assertThat(run.exitCode()).as(run.described()).isZero();
    assertCertified(out);
    return EvidenceFile.in(vault);
  }

  static void assertCertified(Path out) throws IOException {
    JsonNode certificate =
        new ObjectMapper().readTree(Files.readString(out.resolve("certificate.json")));
    assertThat(certificate.required("verdict").asText()).isEqualTo("certified");
    assertThat(certificate.required("software").required("spark").asText())
        .isEqualTo(SparkUnderTest.VERSION);
  }

  /** {@code isEqualTo} of arrays compares doubles by their bits. */
  static void assertSameBits(EvidenceFile actual, EvidenceFile expected) {
    assertThat(actual.theta()).isEqualTo(expected.theta());
    assertThat(actual.residuals()).as("after each step").isEqualTo(expected.residuals());
    assertThat(actual.products()).isEqualTo(expected.products());
  }
}
