package dev.lethe.spark.job;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.spark.LocalSpark;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** OUT on a path that driver and executors do not share: refused, nothing published. */
@ExtendWith(LocalSpark.class)
class UnsharedStorageTest {
  private static final Configuration CONFIGURATION =
      LocalSpark.session().sparkContext().hadoopConfiguration();

  private final Path out = Places.unused("out");
  private final String unshared = UnsharedFileSystem.SCHEME + "://" + out;

  @BeforeEach
  void mount() {
    CONFIGURATION.setClass(
        "fs." + UnsharedFileSystem.SCHEME + ".impl", UnsharedFileSystem.class, FileSystem.class);
  }

  @AfterEach
  void unmount() {
    CONFIGURATION.unset("fs." + UnsharedFileSystem.SCHEME + ".impl");
  }

  @Test
  void train_partsOfTheModelElsewhere_publishesNothing() {
    assertRefused(
        Invocation.train(People.table(), "label", out)
            .with("--features", "age,hours")
            .with("--reg-param", 0.01));
  }

  @Test
  void unlearn_partsOfTheModelElsewhere_publishesNothing() {
    Path vault = Places.unused("vault");
    Path request =
        Places.write(
            Places.unused("request.yaml"),
            "id: r\nchanges: [{removeRows: {where: \"user_id = 'u-4711'\"}}]\n");
    assertRefused(Invocation.unlearn(People.smallModel(), People.table(), request, out, vault));
    assertThat(vault).doesNotExist();
  }

  @Test
  void apply_rowsElsewhere_publishesNothing() {
    Path request =
        Places.write(
            Places.unused("request.yaml"),
            "id: r\nchanges: [{removeRows: {where: \"user_id = 'u-4711'\"}}]\n");
    assertRefused(Invocation.apply(People.table(), "label", request, out));
  }

  private void assertRefused(Invocation command) {
    Outcome outcome = command.with("--out", unshared).run();

    assertThat(outcome.code()).as("%s", outcome).isEqualTo(2);
    assertThat(outcome.err())
        .contains("--out " + unshared, "nothing was published", "executors share")
        .doesNotContain("4711");
    assertThat(out).doesNotExist();
  }
}
