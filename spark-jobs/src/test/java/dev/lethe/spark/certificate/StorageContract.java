package dev.lethe.spark.certificate;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What holds of {@link Storage} on every file system. */
public abstract class StorageContract {
  private static final int PROCESSES = 3;
  private static final int NAMES = 60;

  @TempDir protected java.nio.file.Path local;

  /** With the file system under test. */
  protected abstract Configuration conf();

  /** A folder of the file system under test that need not exist. */
  protected abstract Path root();

  /** Whether of writers at the same time exactly one succeeds. */
  protected boolean exclusive() {
    return true;
  }

  private Storage storage() throws IOException {
    return Storage.of(conf(), root());
  }

  private static byte[] bytes(String text) {
    return text.getBytes(UTF_8);
  }

  /** Names in the root, hidden ones too. */
  private List<String> names() throws IOException {
    FileSystem fs = root().getFileSystem(conf());
    return Arrays.stream(fs.listStatus(root()))
        .map(FileStatus::getPath)
        .map(Path::getName)
        .filter(name -> !name.endsWith(".crc"))
        .sorted()
        .toList();
  }

  @Test
  void createIfAbsent_newName_hasContentAndLeavesNothingElse() throws IOException {
    Path file = new Path(root(), "a/b/entry");

    assertThat(storage().createIfAbsent(file, bytes("one"))).isTrue();

    assertThat(storage().read(file)).isEqualTo(bytes("one"));
    assertThat(names()).containsExactly("a");
    assertThat(file.getFileSystem(conf()).listStatus(file.getParent())).hasSize(1);
  }

  @Test
  void createIfAbsent_takenName_saysFalseAndChangesNothing() throws IOException {
    Path file = new Path(root(), "entry");
    storage().createIfAbsent(file, bytes("one"));

    assertThat(storage().createIfAbsent(file, bytes("two"))).isFalse();

    assertThat(storage().read(file)).isEqualTo(bytes("one"));
    assertThat(names()).containsExactly("entry");
  }

  @Test
  void writePrivate_takenName_isRefusedAndChangesNothing() throws IOException {
    Path file = new Path(root(), "entry");
    storage().createIfAbsent(file, bytes("one"));

    assertThatThrownBy(() -> storage().writePrivate(file, bytes("two")))
        .isInstanceOf(FileAlreadyExistsException.class);

    assertThat(storage().read(file)).isEqualTo(bytes("one"));
    assertThat(names()).containsExactly("entry");
  }

  @Test
  void replace_absentThenPresent_hasTheLastContentAndLeavesNothingElse() throws IOException {
    Path file = new Path(root(), "state");

    storage().replace(file, bytes("one"));
    assertThat(storage().read(file)).isEqualTo(bytes("one"));
    storage().replace(file, bytes("a longer two"));
    storage().replace(file, bytes("3"));

    assertThat(storage().read(file)).isEqualTo(bytes("3"));
    assertThat(names()).containsExactly("state");
  }

  @Test
  void replace_whileOthersRead_theySeeOneContentWhole() throws Exception {
    Path file = new Path(root(), "state");
    storage().replace(file, block(0));
    AtomicBoolean done = new AtomicBoolean();
    CompletableFuture<Integer> reader =
        CompletableFuture.supplyAsync(
            () -> {
              int versions = 0;
              byte last = -1;
              while (!done.get()) {
                byte[] content;
                try {
                  content = storage().read(file);
                } catch (IOException e) {
                  throw new AssertionError("there was no file", e);
                }
                assertThat(content).isEqualTo(block(content[0]));
                versions += content[0] == last ? 0 : 1;
                last = content[0];
              }
              return versions;
            });
    for (int k = 1; k <= 100; k++) {
      storage().replace(file, block(k));
    }
    done.set(true);

    assertThat(reader.get(60, TimeUnit.SECONDS)).as("contents that were seen").isGreaterThan(1);
  }

  private static byte[] block(int value) {
    byte[] content = new byte[200_000];
    Arrays.fill(content, (byte) value);
    return content;
  }

  @Test
  void takes_nameIsTaken_isTrueForTheSameContentOnly() throws IOException {
    Path file = new Path(root(), "taken");

    assertThat(storage().takes(file, block(1))).isTrue();
    assertThat(storage().takes(file, block(1))).as("an answer was lost").isTrue();
    assertThat(storage().takes(file, block(2))).isFalse();
    assertThat(storage().read(file)).isEqualTo(block(1));
  }

  @Test
  void readAll_moreThanAreReadAtATime_keepsTheOrder() throws IOException {
    List<Path> files = new ArrayList<>();
    for (int k = 1; k <= 40; k++) {
      files.add(new Path(root(), "file-" + k));
      storage().createIfAbsent(files.get(k - 1), new byte[] {(byte) k});
    }

    List<byte[]> contents = storage().readAll(files);

    assertThat(contents).hasSize(40);
    for (int k = 1; k <= 40; k++) {
      assertThat(contents.get(k - 1)).containsExactly(k);
    }
    files.set(7, new Path(root(), "missing"));
    assertThatThrownBy(() -> storage().readAll(files))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("missing");
  }

  @Test
  void createsExclusively_isAsDocumented() throws IOException {
    root().getFileSystem(conf()).mkdirs(root());

    assertThat(storage().createsExclusively(root())).isEqualTo(exclusive());
    assertThat(names()).isEmpty();
  }

  /** Separate JVMs, each of which tries to take every name. */
  @Test
  void createIfAbsent_manyProcesses_eachNameIsTakenOnce() throws Exception {
    assumeTrue(exclusive(), "of this file system nothing is promised: one writer at a time");
    java.nio.file.Path settings = local.resolve("settings.xml");
    try (OutputStream out = Files.newOutputStream(settings)) {
      conf().writeXml(out);
    }
    java.nio.file.Path go = local.resolve("go");
    List<Process> writers = new ArrayList<>();
    List<java.nio.file.Path> ready = new ArrayList<>();
    for (int k = 0; k < PROCESSES; k++) {
      ready.add(local.resolve("ready-" + k));
      ProcessBuilder builder =
          new ProcessBuilder(
              java.nio.file.Path.of(System.getProperty("java.home"), "bin", "java").toString(),
              "-XX:TieredStopAtLevel=1",
              "-cp",
              System.getProperty("java.class.path"),
              NameTaker.class.getName(),
              settings.toString(),
              root().toString(),
              String.valueOf(NAMES),
              ready.get(k).toString(),
              go.toString());
      builder.redirectOutput(local.resolve("taken-" + k).toFile());
      builder.redirectError(local.resolve("errors-" + k).toFile());
      writers.add(builder.start());
    }
    try {
      for (int k = 0; k < PROCESSES; k++) {
        while (writers.get(k).isAlive() && !Files.exists(ready.get(k))) {
          Thread.sleep(20);
        }
      }
      Files.createFile(go);
      List<String> taken = new ArrayList<>();
      int winners = 0;
      for (int k = 0; k < PROCESSES; k++) {
        assertThat(writers.get(k).waitFor(120, TimeUnit.SECONDS)).isTrue();
        assertThat(writers.get(k).exitValue())
            .as(Files.readString(local.resolve("errors-" + k)))
            .isZero();
        List<String> won = Files.readAllLines(local.resolve("taken-" + k));
        for (String name : won) {
          String[] words = name.split(" ", -1);
          assertThat(storage().read(new Path(root(), words[0]))).isEqualTo(bytes(words[1]));
          taken.add(words[0]);
        }
        winners += won.isEmpty() ? 0 : 1;
      }

      assertThat(taken).doesNotHaveDuplicates().hasSize(NAMES);
      assertThat(names()).containsExactlyInAnyOrderElementsOf(taken);
      assertThat(winners).as("processes that won at all: they did race").isGreaterThan(1);
    } finally {
      writers.forEach(Process::destroyForcibly);
    }
  }
}
