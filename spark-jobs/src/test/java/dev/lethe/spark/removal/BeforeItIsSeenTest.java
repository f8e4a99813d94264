package dev.lethe.spark.removal;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.certificate.ModelDigest;
import dev.lethe.spark.certificate.Verdict;
import dev.lethe.spark.job.People;
import dev.lethe.spark.job.Places;
import dev.lethe.spark.ledger.Version;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What is known, and where, when a noisy model is about to become readable. */
@ExtendWith(LocalSpark.class)
class BeforeItIsSeenTest {
  @AfterEach
  void lookAway() {
    FailingFileSystem.observer = (source, target) -> {};
  }

  @Test
  void run_versionAboutToAppear_isCountedCertifiedAndProven() {
    FailingFileSystem.register(LocalSpark.session().sparkContext().hadoopConfiguration());
    FailingFileSystem.failAt(Integer.MAX_VALUE, FailingFileSystem.Failure.BEFORE);
    Night night =
        new Night(
            Places.directory("seen"),
            "path: " + People.table(),
            "lease: {length: 60s, single-writer: true}",
            "failing:");
    night.submit("row", "- removeRows: {where: \"user_id = 'u-4711'\"}");
    List<Throwable> seen = new ArrayList<>();
    List<Path> published = new ArrayList<>();
    FailingFileSystem.observer =
        (source, target) -> {
          Path to = Path.of(target.toUri().getPath());
          if (to.equals(night.version(1))) {
            published.add(to);
            try {
              requireKnown(night, Path.of(source.toUri().getPath()));
            } catch (AssertionError | RuntimeException e) {
              seen.add(e); // the job would report a failure of its own
            }
          }
        };

    night.done("run");

    assertThat(seen).isEmpty();
    assertThat(published).hasSize(1);
  }

  private static void requireKnown(Night night, Path staged) {
    assertThat(night.version(1)).doesNotExist();
    try {
      assertThat(Files.getPosixFilePermissions(staged.getParent()))
          .isEqualTo(PosixFilePermissions.fromString("rwx------"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    Version version = night.ledger().state().unfinished().orElseThrow();
    assertThat(version.phase()).isEqualTo(Version.Phase.DECIDED);
    assertThat(version.planned()).isNotNull();

    Path file = staged.resolve("certificate.json");
    Certificate certificate = Certificate.read(Places.read(file).getBytes(), file.toString());
    assertThat(certificate.verdict()).isEqualTo(Verdict.CERTIFIED);
    assertThat(certificate.certificateId()).isEqualTo(version.certificateId());
    assertThat(certificate.modelDigest())
        .isEqualTo(ModelDigest.of(new Configuration(), staged.resolve("model").toString()));
    assertThat(version.planned().sigma()).isEqualTo(certificate.sigma());
    assertThat(version.planned().rho()).isEqualTo(certificate.rho());

    Path proof = night.vault().resolve(version.certificateId()).resolve("evidence.json");
    Evidence evidence = Evidence.read(Places.read(proof).getBytes(), proof.toString());
    assertThat(evidence.certificateId()).isEqualTo(version.certificateId());
  }
}
