package dev.lethe.spark.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** A driver that is killed while it refines, and the same command again. */
@ExtendWith(PimaRelease.class)
class ResumeIT {
  private static final List<String> LOCAL = List.of("--master", "local[2]");

  private final PimaRelease.Shared pima = PimaRelease.get();
  private final Path out = pima.path("resumed/out");
  private final Path vault = pima.path("resumed/vault");

  private List<String> unlearn() {
    List<String> arguments =
        new ArrayList<>(pima.unlearn(pima.table(), PimaRelease.PARTITIONS, out, vault));
    arguments.addAll(List.of("--resume", "--checkpoint-interval", "0"));
    return arguments;
  }

  @Test
  void unlearn_driverKilledTwice_endsAtTheBitsOfAnUndisturbedRun() throws Exception {
    byte[] kept = null;
    int kills = 0;
    while (kills < 2) {
      Submission running = pima.spark().startLethe("unlearn-killed-" + kills, LOCAL, unlearn());
      kept = awaitAnother(kept, running);
      running.kill();
      assertThat(out).as("killed before it published").doesNotExist();
      kills++;
    }
    Path checkpoint = checkpoints().get(0);
    Path copy = Files.copy(checkpoint, pima.path("resumed/copy"));

    Submission.Result resumed = pima.spark().lethe("unlearn-resumed", LOCAL, unlearn());

    assertThat(resumed.exitCode()).as(resumed.described()).isZero();
    assertThat(resumed.output()).contains("resumed from a checkpoint");
    ClusterIT.assertCertified(out);
    EvidenceFile evidence = EvidenceFile.in(vault);
    EvidenceFile undisturbed = EvidenceFile.in(pima.vault());
    assertThat(evidence.theta()).isEqualTo(undisturbed.theta());
    assertThat(evidence.residuals().length).isLessThan(undisturbed.residuals().length);
    assertThat(evidence.products()).isLessThan(undisturbed.products());
    assertThat(checkpoints()).isEmpty();
    try (Stream<Path> left = Files.list(out.getParent())) {
      assertThat(left.filter(file -> file.getFileName().toString().startsWith(".")))
          .as("only what the killed ones staged")
          .hasSizeLessThanOrEqualTo(kills);
    }

    Submission.Result verified = pima.spark().lethe("verify-resumed", LOCAL, verify());
    assertThat(verified.exitCode()).as(verified.described()).isZero();

    // killed between the release and the end: the next run has nothing to do but to forget
    Files.copy(copy, checkpoint, StandardCopyOption.REPLACE_EXISTING);
    Submission.Result again = pima.spark().lethe("unlearn-again", LOCAL, unlearn());
    assertThat(again.exitCode()).as(again.described()).isEqualTo(2);
    assertThat(again.errors()).contains("already exists");
    assertThat(checkpoints()).isEmpty();
  }

  /** The full verification of this release. */
  private List<String> verify() {
    List<String> arguments = new ArrayList<>(pima.verify(out.resolve("certificate.json")));
    arguments.replaceAll(
        argument ->
            argument.equals(pima.vault().toString())
                ? vault.toString()
                : argument.equals(pima.out().resolve("model").toString())
                    ? out.resolve("model").toString()
                    : argument);
    return arguments;
  }

  private List<Path> checkpoints() throws IOException {
    Path folder = vault.resolve("checkpoints");
    if (!Files.exists(folder)) {
      return List.of();
    }
    try (Stream<Path> files = Files.list(folder)) {
      return files.filter(file -> file.toString().endsWith(".checkpoint")).toList();
    }
  }

  private Optional<byte[]> content() throws IOException {
    for (Path file : checkpoints()) {
      try {
        return Optional.of(Files.readAllBytes(file));
      } catch (NoSuchFileException e) {
        return Optional.empty();
      }
    }
    return Optional.empty();
  }

  /** Waits for a checkpoint that is not {@code before}. */
  private byte[] awaitAnother(byte[] before, Submission running) throws Exception {
    while (true) {
      Optional<byte[]> now = content().filter(bytes -> !Arrays.equals(bytes, before));
      if (now.isPresent()) {
        return now.get();
      }
      assertThat(running.isRunning()).as("still refining").isTrue();
      Thread.sleep(1);
    }
  }
}
