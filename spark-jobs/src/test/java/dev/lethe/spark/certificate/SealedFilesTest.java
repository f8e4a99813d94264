package dev.lethe.spark.certificate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.lethe.spark.InvalidInputException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Files under data keys, and what is left when a key is destroyed. */
class SealedFilesTest {
  private static final String NAME = "requests/hr-1.sealed";
  private static final byte[] CONTENT = "forget u-4711".getBytes(StandardCharsets.UTF_8);

  private final Configuration conf = OtherFileSystem.conf();

  @TempDir Path dir;

  private Vault vault(String scheme, boolean encrypted) {
    @Nullable VaultEncryption encryption =
        encrypted ? VaultEncryption.ofHex("ab".repeat(32), "K") : null;
    return Vault.open(conf, scheme + dir.toAbsolutePath() + "/vault", encryption);
  }

  private Vault vault() {
    return vault("", false);
  }

  private Path file(String name) {
    return dir.resolve("vault").resolve(name);
  }

  @ParameterizedTest
  @CsvSource({"'',false", "'',true", "other://,false", "other://,true"})
  void unseal_whatWasSealed_isTheSameUntilItsKeyIsDestroyed(String scheme, boolean encrypted)
      throws IOException {
    vault(scheme, encrypted).seal(NAME, CONTENT, "hr-1");
    vault(scheme, encrypted).seal("drafts/run-7/theta", new byte[0], "run-7");

    Vault vault = vault(scheme, encrypted);
    assertThat(file(NAME)).exists();
    assertThat(vault.unseal(NAME, "hr-1")).get().isEqualTo(CONTENT);
    assertThat(vault.unseal("drafts/run-7/theta", "run-7")).get().isEqualTo(new byte[0]);
    assertThat(Files.readString(file(NAME), StandardCharsets.ISO_8859_1)).doesNotContain("u-47");
    assertThat(vault.isShredded("hr-1")).isFalse();
    byte[] key = Files.readAllBytes(file("keys/hr-1.key"));

    vault.shred("hr-1");
    vault.shred("hr-1");

    assertThat(vault(scheme, encrypted).isShredded("hr-1")).isTrue();
    assertThat(file("keys/hr-1.key")).doesNotExist();
    assertThat(file("keys/hr-1.destroyed")).isEmptyFile();
    assertThat(file(NAME)).exists();
    assertThatThrownBy(() -> vault.unseal(NAME, "hr-1"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContainingAll("hr-1", "has been destroyed");
    for (Runnable again :
        List.<Runnable>of(
            () -> vault.seal("requests/new", CONTENT, "hr-1"),
            () -> vault.reseal(NAME, CONTENT, "hr-1"))) {
      assertThatThrownBy(again::run)
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining("has been destroyed");
    }
    assertThat(vault.unseal("requests/none", "hr-1")).isEmpty();
    assertThat(vault.unseal("drafts/run-7/theta", "run-7")).isPresent();
    for (Path left : files()) {
      assertThat(Files.readAllBytes(left)).as(left.toString()).isNotEqualTo(key);
    }
  }

  private List<Path> files() throws IOException {
    try (Stream<Path> files = Files.walk(dir.resolve("vault"))) {
      return files.filter(Files::isRegularFile).toList();
    }
  }

  /** Another name of the same blocks, as a snapshot of a hard link has. */
  @Test
  void shred_local_overwritesTheBlocks() throws IOException {
    vault().seal(NAME, CONTENT, "hr-1");
    Path link = Files.createLink(dir.resolve("link"), file("keys/hr-1.key"));
    assertThat(Files.readString(link)).matches("[0-9a-f]{64}\n");
    vault().shred("hr-1");
    assertThat(link).hasBinaryContent(new byte[65]);
  }

  @Test
  void shred_keyThatWasNeverMade_keepsItFromBeingMade() {
    vault().shred("hr-9");
    assertThat(vault().isShredded("hr-9")).isTrue();
    assertThatThrownBy(() -> vault().seal("x", CONTENT, "hr-9"))
        .hasMessageContaining("has been destroyed");
    assertThat(file("keys/hr-9.key")).doesNotExist();
    assertThat(file("x")).doesNotExist();
  }

  /** The tombstone is there, the key not yet gone. */
  @Test
  void shred_afterACrash_finishes() throws IOException {
    vault().seal(NAME, CONTENT, "hr-1");
    Files.createFile(file("keys/hr-1.destroyed"));
    assertThat(vault().isShredded("hr-1")).isFalse();
    assertThatThrownBy(() -> vault().unseal(NAME, "hr-1"))
        .hasMessageContaining("has been destroyed");
    vault().shred("hr-1");
    assertThat(vault().isShredded("hr-1")).isTrue();
  }

  /** Elsewhere than on a local disk a writer that was killed leaves a copy under another name. */
  @ParameterizedTest
  @ValueSource(strings = {"", "other://"})
  void shred_writerWasKilled_deletesWhatItLeft(String scheme) throws IOException {
    Vault vault = vault(scheme, false);
    vault.seal(NAME, CONTENT, "hr-1");
    vault.seal("requests/hr-11.sealed", CONTENT, "hr-11");
    Path key = file("keys/hr-1.key");
    Path left = file("keys/.hr-1.key." + UUID.randomUUID() + ".tmp");
    Path others = file("keys/.hr-11.key." + UUID.randomUUID() + ".tmp");
    Files.copy(key, left);
    Files.copy(file("keys/hr-11.key"), others);

    vault.shred("hr-1");

    assertThat(key).doesNotExist();
    assertThat(left).doesNotExist();
    assertThat(others).exists();
    assertThat(vault.unseal("requests/hr-11.sealed", "hr-11")).isPresent();

    // the process that shredded died before it came to the copy
    Files.copy(others, left);
    vault.shred("hr-1");
    assertThat(left).doesNotExist();
  }

  @ParameterizedTest
  @ValueSource(strings = {"_x", "_", "a-_.b", "0.sealed"})
  void seal_nameOfARequest_isAllowed(String id) {
    vault().seal("requests/" + id, CONTENT, id);
    assertThat(vault().unseal("requests/" + id, id)).get().isEqualTo(CONTENT);
    assertThat(vault().sealedBefore("requests", Instant.now().plusSeconds(60)))
        .containsExactly("requests/" + id);
    vault().shred(id);
    assertThat(vault().isShredded(id)).isTrue();
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "other://"})
  void seal_fileThatExists_isRefused(String scheme) {
    Vault vault = vault(scheme, false);
    vault.seal(NAME, CONTENT, "hr-1");
    assertThatThrownBy(() -> vault.seal(NAME, new byte[1], "hr-1"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("already exists");
    assertThat(vault.unseal(NAME, "hr-1")).get().isEqualTo(CONTENT);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "other://"})
  void reseal_again_replaces(String scheme) throws IOException {
    Vault vault = vault(scheme, true);
    for (byte k = 0; k < 3; k++) {
      vault.reseal("run/state", new byte[] {k}, "run");
      assertThat(vault.unseal("run/state", "run")).get().isEqualTo(new byte[] {k});
    }
    assertThat(files()).hasSize(2);
  }

  @Test
  void reseal_whileOthersRead_showsOldOrNew() throws Exception {
    Vault vault = vault();
    byte[][] states = {new byte[100_000], new byte[100_000]};
    java.util.Arrays.fill(states[1], (byte) 1);
    vault.reseal("run/state", states[0], "run");
    AtomicBoolean done = new AtomicBoolean();
    ExecutorService reader = Executors.newSingleThreadExecutor();
    try {
      Future<List<byte[]>> read =
          reader.submit(
              () -> {
                List<byte[]> seen = new ArrayList<>();
                while (!done.get()) {
                  seen.add(vault().unseal("run/state", "run").orElseThrow());
                }
                return seen;
              });
      for (int k = 1; k <= 100; k++) {
        vault.reseal("run/state", states[k % 2], "run");
      }
      done.set(true);
      assertThat(read.get()).isNotEmpty().allMatch(s -> s.length == 100_000 && s[0] == s[99_999]);
    } finally {
      done.set(true);
      reader.shutdownNow();
    }
  }

  @Test
  void seal_manyAtOnce_makeOneKey() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(8);
    try {
      List<Callable<Boolean>> tasks = new ArrayList<>();
      for (int k = 0; k < 16; k++) {
        String name = "many/" + k;
        tasks.add(
            () -> {
              vault().seal(name, CONTENT, "shared");
              return true;
            });
      }
      for (Future<Boolean> task : threads.invokeAll(tasks)) {
        assertThat(task.get()).isTrue();
      }
    } finally {
      threads.shutdownNow();
    }
    for (int k = 0; k < 16; k++) {
      assertThat(vault().unseal("many/" + k, "shared")).get().isEqualTo(CONTENT);
    }
  }

  @Test
  void unseal_movedChangedOrOfAnotherKey_isRefused() throws IOException {
    Vault vault = vault();
    vault.seal(NAME, CONTENT, "hr-1");
    vault.seal("requests/hr-2.sealed", CONTENT, "hr-1");
    vault.seal("requests/hr-3.sealed", CONTENT, "hr-3");
    assertThatThrownBy(() -> vault.unseal(NAME, "hr-3"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("is encrypted under the key");
    assertThatThrownBy(() -> vault.unseal(NAME, "never"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("there is no");
    byte[] sealed = Files.readAllBytes(file(NAME));
    sealed[sealed.length - 1] ^= 1;
    Files.write(file("requests/hr-3.sealed"), sealed);
    Files.move(file("requests/hr-2.sealed"), file(NAME), StandardCopyOption.REPLACE_EXISTING);
    assertThatThrownBy(() -> vault.unseal(NAME, "hr-1"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("was written for another place");
    assertThatThrownBy(() -> vault.unseal("requests/hr-3.sealed", "hr-1"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("damaged");
  }

  @Test
  void delete_sealedFile_isGoneAndItsNameFree() {
    Vault vault = vault();
    vault.seal(NAME, CONTENT, "hr-1");
    vault.delete("requests"); // a folder is no sealed file
    assertThat(file("requests")).isDirectory();
    assertThat(file(NAME)).exists();
    vault.delete(NAME);
    vault.delete(NAME);
    assertThat(file(NAME)).doesNotExist();
    assertThat(vault.unseal(NAME, "hr-1")).isEmpty();
    vault.seal(NAME, CONTENT, "hr-1");
    assertThat(file(NAME)).exists();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "/etc/x",
        "../x",
        "a/../../x",
        "a//b",
        "a/",
        "./a",
        ".hidden",
        "a/.b",
        "a b",
        "a:b",
        "file:///x",
        "digest.key",
        "keys/a.key",
        "KEYS/a",
        "states/a",
        "perturbation-1/release",
        Documents.ID + "/evidence.json",
        "a\\..\\b",
        "a\n"
      })
  void seal_nameThatLeavesItsPlace_isRefused(String name) {
    for (Runnable use :
        List.<Runnable>of(
            () -> vault().seal(name, CONTENT, "k"),
            () -> vault().reseal(name, CONTENT, "k"),
            () -> vault().unseal(name, "k"),
            () -> vault().delete(name))) {
      assertThatThrownBy(use::run)
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining("relative path");
    }
    assertThat(dir).isEmptyDirectory();
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "../k", "a/b", ".k", "a b", "k\n"})
  void seal_keyNameThatLeavesItsPlace_isRefused(String dataKey) {
    for (Runnable use :
        List.<Runnable>of(
            () -> vault().seal("a", CONTENT, dataKey),
            () -> vault().shred(dataKey),
            () -> vault().isShredded(dataKey))) {
      assertThatThrownBy(use::run)
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining("the name of a data key");
    }
    assertThat(dir).isEmptyDirectory();
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "other://"})
  void seal_anyUmask_isPrivate(String scheme) throws IOException {
    assumeTrue(dir.getFileSystem().supportedFileAttributeViews().contains("posix"));
    conf.set("fs.permissions.umask-mode", "000");
    Vault vault = vault(scheme, false);
    vault.seal("deep/below/file", CONTENT, "k");
    vault.reseal("deep/below/file", CONTENT, "k");
    vault.shred("other");
    for (String directory : List.of("", "deep", "deep/below", "keys")) {
      assertThat(mode(file(directory))).as(directory).isEqualTo("rwx------");
    }
    for (String file : List.of("deep/below/file", "keys/k.key", "keys/other.destroyed")) {
      assertThat(mode(file(file))).as(file).isEqualTo("rw-------");
    }
  }

  private static String mode(Path path) throws IOException {
    return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
  }
}
