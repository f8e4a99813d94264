package dev.lethe.spark.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lethe.core.certify.LossPerturbation;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.certificate.ModelDigest;
import dev.lethe.spark.certificate.OtherFileSystem;
import dev.lethe.spark.certificate.Perturbation;
import dev.lethe.spark.certificate.Vault;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** A release that fails when all but the rename is done. */
@ExtendWith(LocalSpark.class)
class ReleaseTest {
  private static final Configuration CONFIGURATION =
      LocalSpark.session().sparkContext().hadoopConfiguration();

  private final Certificate certificate =
      Certificate.read(bytes(Releases.certified().out().resolve("certificate.json")), "c");
  private final Evidence evidence = Evidence.read(bytes(Releases.certified().evidenceFile()), "e");

  @BeforeEach
  void useTheOtherFileSystem() {
    CONFIGURATION.setClass("fs.other.impl", OtherFileSystem.class, FileSystem.class);
  }

  @AfterEach
  void restore() {
    OtherFileSystem.undeletable = false;
    OtherFileSystem.failsAfterRename = false;
    CONFIGURATION.unset("fs.other.impl");
  }

  @Test
  void commit_outHasAppeared_takesTheEvidenceBack() throws IOException {
    Path out = Places.unused("out");
    Path vault = Places.unused("vault");

    assertThatThrownBy(() -> publish(out, vault))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("already exists")
        .hasNoSuppressedExceptions();
    assertThat(vault).isEmptyDirectory();
  }

  @Test
  void commit_outHasAppeared_leavesThePerturbationUnused() throws IOException {
    Path out = Places.unused("out");
    Path place = Places.unused("vault");
    Vault vault = Vault.open(CONFIGURATION, place.toString());
    ModelDigest model = new ModelDigest("sha-256-tree", "ab".repeat(32));
    vault.writePerturbation(
        Perturbation.of(model, LossPerturbation.calibrate(0.1, 1e-4, 1), new double[] {1}));
    try (Release release =
        Release.open(
            LocalSpark.session(), out.toString(), place.toString(), ReleaseKeys.NONE, List.of())) {
      release.perturbation(model);
      Files.createDirectories(out);
      assertThatThrownBy(() -> release.commit(certificate, evidence))
          .hasMessageContaining("already exists")
          .hasNoSuppressedExceptions();
    }
    assertThat(vault.perturbations().release(model)).isNull();
    assertThat(place.resolve("perturbation-" + model.value())).isNotEmptyDirectory();
    assertThat(place.resolve(certificate.certificateId())).doesNotExist();
  }

  @Test
  void commit_evidenceCannotBeTakenBack_saysWhyNothingWasPublished() {
    Path out = Places.unused("out");
    Path vault = Places.unused("vault");

    OtherFileSystem.undeletable = true;
    assertThatThrownBy(() -> publish(out, vault))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining(out + " already exists")
        .satisfies(
            failure ->
                assertThat(failure.getSuppressed())
                    .singleElement()
                    .extracting(Throwable::getMessage)
                    .asString()
                    .contains(certificate.certificateId() + " cannot be deleted"));
  }

  @Test
  void commit_everythingCopiedAndThenAFailure_keepsTheEvidence() throws IOException {
    Path out = Places.unused("out");
    Path vault = Places.unused("vault");

    OtherFileSystem.failsAfterRename = true;
    try (Release release =
        Release.open(
            LocalSpark.session(),
            "other://" + out,
            vault.toString(),
            ReleaseKeys.NONE,
            List.of())) {
      assertThatThrownBy(() -> release.commit(certificate, evidence))
          .isInstanceOf(UncheckedIOException.class)
          .satisfies(
              failure ->
                  assertThat(failure.getSuppressed())
                      .singleElement()
                      .extracting(Throwable::getMessage)
                      .asString()
                      .contains(certificate.certificateId(), "stays in the vault"));
    }

    assertThat(out.resolve("certificate.json")).exists();
    assertThat(vault.resolve(certificate.certificateId()).resolve("evidence.json")).exists();
  }

  private void publish(Path out, Path vault) throws IOException {
    try (Release release =
        Release.open(
            LocalSpark.session(),
            out.toString(),
            "other://" + vault,
            ReleaseKeys.NONE,
            List.of())) {
      Files.createDirectories(out);
      release.commit(certificate, evidence);
    }
  }

  private static byte[] bytes(Path file) {
    return Places.read(file).getBytes(StandardCharsets.UTF_8);
  }
}
