package dev.lethe.spark.certificate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.lethe.core.certify.LossPerturbation;
import dev.lethe.spark.InvalidInputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PerturbationVaultTest {
  private static final LossPerturbation MECHANISM = LossPerturbation.calibrate(0.1, 1e-4, 0.3);

  private final Configuration conf = OtherFileSystem.conf();

  @TempDir Path dir;

  private Vault vault(String scheme) {
    return Vault.open(conf, scheme + dir.toAbsolutePath() + "/vault");
  }

  private static Perturbation perturbation() {
    return Perturbation.of(Documents.MODEL, MECHANISM, new double[] {0.1, -1.0 / 3, 4.9e-324});
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "other://"})
  void read_whatWasWritten_hasTheSameBits(String scheme) {
    vault(scheme).writePerturbation(perturbation());
    Perturbation read = vault(scheme).perturbations().read(Documents.MODEL);
    assertThat(read.b()).containsExactly(perturbation().b());
    assertThat(read.mechanism()).isEqualTo(MECHANISM);
  }

  @Test
  void write_local_isPrivate() throws IOException {
    Vault vault = vault("");
    vault.writePerturbation(perturbation());
    vault.perturbations().use(Documents.MODEL, Documents.ID);
    Path folder = dir.resolve("vault/perturbation-" + Documents.SHA);
    assumeTrue(dir.getFileSystem().supportedFileAttributeViews().contains("posix"));
    assertThat(mode(dir.resolve("vault"))).isEqualTo("rwx------");
    assertThat(mode(folder)).isEqualTo("rwx------");
    assertThat(mode(folder.resolve("perturbation.json"))).isEqualTo("rw-------");
    assertThat(mode(folder.resolve("release"))).isEqualTo("rw-------");
  }

  private static String mode(Path path) throws IOException {
    return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
  }

  @Test
  void read_anotherModel_isRefusedWithTheReason() {
    vault("").writePerturbation(perturbation());
    assertThatThrownBy(
            () -> vault("").perturbations().read(new ModelDigest("sha-256-tree", "cd".repeat(32))))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContainingAll("has no perturbation", "cdcd", "secret term b", "train again");
  }

  /** A file that somebody renamed is not another model's b. */
  @Test
  void read_fileOfAnotherModel_isRefused() throws IOException {
    vault("").writePerturbation(perturbation());
    Path vault = dir.resolve("vault");
    Files.move(
        vault.resolve("perturbation-" + Documents.SHA),
        vault.resolve("perturbation-" + "cd".repeat(32)));
    assertThatThrownBy(
            () -> vault("").perturbations().read(new ModelDigest("sha-256-tree", "cd".repeat(32))))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("of another model");
  }

  @Test
  void read_damagedFile_isRefusedWithoutItsFigures() throws IOException {
    vault("").writePerturbation(perturbation());
    Path file = dir.resolve("vault/perturbation-" + Documents.SHA + "/perturbation.json");
    String text = Files.readString(file).replace("\"delta\" : 1.0E-4", "\"delta\" : 1.0E-9");
    Files.writeString(file, text);
    assertThatThrownBy(() -> vault("").perturbations().read(Documents.MODEL))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("sigma")
        .message()
        .doesNotContain("0.3333");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "other://"})
  void use_second_isRefusedByTheNameOfTheFirst(String scheme) {
    PerturbationVault perturbations = vault(scheme).perturbations();
    vault(scheme).writePerturbation(perturbation());
    perturbations.requireUnused(Documents.MODEL);
    perturbations.use(Documents.MODEL, Documents.ID);
    assertThat(perturbations.release(Documents.MODEL)).isEqualTo(Documents.ID);
    for (Runnable second :
        List.<Runnable>of(
            () -> perturbations.requireUnused(Documents.MODEL),
            () -> perturbations.use(Documents.MODEL, Certificate.newId()))) {
      assertThatThrownBy(second::run)
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContainingAll(Documents.ID, "share b never compose");
    }
    perturbations.takeBackUse(Documents.MODEL);
    perturbations.requireUnused(Documents.MODEL);
  }

  @Test
  void use_manyAtOnce_exactlyOneSucceeds() throws Exception {
    vault("").writePerturbation(perturbation());
    ExecutorService threads = Executors.newFixedThreadPool(8);
    try {
      Callable<Boolean> use =
          () -> {
            try {
              vault("").perturbations().use(Documents.MODEL, Certificate.newId());
              return true;
            } catch (InvalidInputException e) {
              return false;
            }
          };
      int succeeded = 0;
      for (Future<Boolean> one :
          threads.invokeAll(List.of(use, use, use, use, use, use, use, use))) {
        succeeded += one.get() ? 1 : 0;
      }
      assertThat(succeeded).isOne();
    } finally {
      threads.shutdown();
    }
  }

  @Test
  void toString_saysNothing() {
    assertThat(perturbation().toString()).isEqualTo("Perturbation[hidden]");
  }
}
