package dev.lethe.spark.certificate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.lethe.spark.InvalidInputException;
import java.io.IOException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class VaultTest {
  private final Configuration conf = OtherFileSystem.conf();

  @TempDir Path given;
  private Path dir;

  @BeforeEach
  void resolveLinks() throws IOException {
    dir = given.toRealPath();
  }

  private Vault vault(String scheme) {
    return Vault.open(conf, scheme + dir.resolve("a/vault"));
  }

  private static void assumeModes() {
    assumeTrue(
        FileSystems.getDefault().supportedFileAttributeViews().contains("posix"),
        "this file system has no modes");
  }

  private static String mode(Path path) throws IOException {
    return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
  }

  private static Set<String> tree(Path root) throws IOException {
    try (Stream<Path> paths = Files.walk(root)) {
      return paths
          .filter(p -> !p.equals(root))
          .map(p -> root.relativize(p).toString())
          .collect(Collectors.toSet());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "file://", "other://"})
  void open_newVault_writesNothing(String scheme) {
    vault(scheme);
    assertThat(dir).isEmptyDirectory();
  }

  @ParameterizedTest
  @CsvSource({
    "'',rwx------,false", "'',rwxr-x---,true",
    "hdfs://,rwx------,false", "hdfs://,rwx---r--,true",
    "other://,rwxrwxrwx,false"
  })
  void openToOthers_modesOfTheFileSystem_count(String scheme, String mode, boolean open)
      throws IOException {
    assumeModes();
    Files.setPosixFilePermissions(dir, PosixFilePermissions.fromString(mode));
    org.apache.hadoop.fs.Path root = new org.apache.hadoop.fs.Path(scheme + dir);

    assertThat(Storage.of(conf, root).openToOthers(root)).isEqualTo(open);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "file://", "other://"})
  void createKeyIfAbsent_twice_makesOneKeyOf32RandomBytes(String scheme) throws IOException {
    VaultKey first = vault(scheme).createKeyIfAbsent();
    String text = Files.readString(dir.resolve("a/vault/digest.key")).strip();
    assertThat(text).matches("[0-9a-f]{64}").isEqualTo(first.toHex());
    assertThat(vault(scheme).createKeyIfAbsent().toHex()).isEqualTo(text);
    assertThat(vault(scheme).key().toHex()).isEqualTo(text);
    assertThat(Vault.open(conf, scheme + dir.resolve("b")).createKeyIfAbsent().toHex())
        .isNotEqualTo(text);
  }

  @ParameterizedTest
  @CsvSource({"'',000", "'',077", "other://,000", "other://,077", "other://,0777"})
  void write_anyUmaskOfHadoop_keepsFilesPrivateAndLeavesNoOthers(String scheme, String umask)
      throws IOException {
    assumeModes();
    conf.set("fs.permissions.umask-mode", umask);
    Vault vault = vault(scheme);
    if (umask.equals("0777")) {
      // Hadoop would make the parent unusable: that is not ours to repair.
      Files.createDirectories(dir.resolve("a"));
    }
    vault.createKeyIfAbsent();
    vault.writeEvidence(Documents.evidence());
    Path root = dir.resolve("a/vault");
    assertThat(tree(root))
        .containsExactlyInAnyOrder("digest.key", Documents.ID, Documents.ID + "/evidence.json");
    assertThat(mode(root)).isEqualTo("rwx------");
    assertThat(mode(root.resolve(Documents.ID))).isEqualTo("rwx------");
    assertThat(mode(root.resolve("digest.key"))).isEqualTo("rw-------");
    assertThat(mode(root.resolve(Documents.ID + "/evidence.json"))).isEqualTo("rw-------");
  }

  @Test
  void write_existingOpenDirectory_keepsItsModeAndFilesPrivate() throws IOException {
    assumeModes();
    Path root = Files.createDirectories(dir.resolve("a/vault"));
    Files.setPosixFilePermissions(root, PosixFilePermissions.fromString("rwxr-xr-x"));
    vault("").createKeyIfAbsent();
    vault("").writeEvidence(Documents.evidence());
    assertThat(mode(root)).isEqualTo("rwxr-xr-x");
    assertThat(mode(root.resolve("digest.key"))).isEqualTo("rw-------");
    assertThat(mode(root.resolve(Documents.ID))).isEqualTo("rwx------");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "other://"})
  void createKeyIfAbsent_manyAtOnce_allGetTheSameKey(String scheme) throws Exception {
    // On the other file system only one at a time: its rename overwrites, unlike that of HDFS.
    int threads = scheme.isEmpty() ? 8 : 1;
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    try {
      Callable<String> task = () -> vault(scheme).createKeyIfAbsent().toHex();
      Set<String> keys = new HashSet<>();
      for (var future : pool.invokeAll(Collections.nCopies(24, task))) {
        keys.add(future.get());
      }
      assertThat(keys).hasSize(1);
      assertThat(tree(dir.resolve("a/vault"))).containsExactly("digest.key");
    } finally {
      pool.shutdownNow();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "other://"})
  void readEvidence_written_isTheSameDocument(String scheme) {
    vault(scheme).writeEvidence(Documents.evidence());
    assertThat(vault(scheme).readEvidence(Documents.ID).toJson())
        .isEqualTo(Documents.evidence().toJson());
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "other://"})
  void writeEvidence_again_isRefusedAndChangesNothing(String scheme) throws IOException {
    Vault vault = vault(scheme);
    vault.writeEvidence(Documents.evidence());
    byte[] before = Files.readAllBytes(dir.resolve("a/vault/" + Documents.ID + "/evidence.json"));
    Evidence other = Documents.evidence(Documents.ID, new double[] {9, 0, 0});
    assertThatThrownBy(() -> vault.writeEvidence(other))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("already exists");
    assertThat(Files.readAllBytes(dir.resolve("a/vault/" + Documents.ID + "/evidence.json")))
        .isEqualTo(before);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "other://"})
  void deleteEvidence_written_leavesTheKeyOnly(String scheme) throws IOException {
    Vault vault = vault(scheme);
    vault.createKeyIfAbsent();
    vault.writeEvidence(Documents.evidence());
    vault.deleteEvidence(Documents.ID);
    assertThat(tree(dir.resolve("a/vault"))).containsExactly("digest.key");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "other://"})
  void writeCheckpoint_again_replacesItAndIsPrivate(String scheme) throws IOException {
    Vault vault = vault(scheme);
    String of = "remove u-4711";
    vault.deleteCheckpoint(of);
    assertThat(vault.readCheckpoint(of)).isEmpty();
    assertThat(dir).as("nothing is written before it").isEmptyDirectory();
    vault.writeCheckpoint(of, new byte[] {1, 2, 3});
    vault.writeCheckpoint(of, new byte[] {4});
    assertThat(vault(scheme).readCheckpoint(of)).hasValue(new byte[] {4});
    Path folder = dir.resolve("a/vault/checkpoints");
    assertThat(tree(folder)).singleElement().asString().matches("[0-9a-f]{64}\\.checkpoint");
    if (FileSystems.getDefault().supportedFileAttributeViews().contains("posix")) {
      assertThat(mode(folder)).isEqualTo("rwx------");
      assertThat(mode(only(folder))).isEqualTo("rw-------");
    }
  }

  private static Path only(Path folder) throws IOException {
    Set<String> names = tree(folder);
    assertThat(names).hasSize(1);
    return folder.resolve(names.iterator().next());
  }

  /** A process that is killed while it writes leaves a file under another name. */
  @Test
  void deleteCheckpoint_withWhatAKilledProcessLeft_keepsThoseOfOtherRuns() throws IOException {
    Vault vault = vault("");
    vault.writeCheckpoint("one", new byte[] {1});
    Path folder = dir.resolve("a/vault/checkpoints");
    Path one = only(folder);
    Files.write(folder.resolve("." + one.getFileName() + ".1b4e28ba.tmp"), new byte[] {3});
    vault.writeCheckpoint("another", new byte[] {2});

    vault.deleteCheckpoint("one");

    assertThat(only(folder)).isNotEqualTo(one);
    assertThat(vault.readCheckpoint("one")).isEmpty();
    assertThat(vault.readCheckpoint("another")).hasValue(new byte[] {2});
  }

  @Test
  void readCheckpoint_changed_isRefused() throws IOException {
    Vault vault = vault("");
    String of = "one";
    vault.writeCheckpoint(of, new byte[] {1, 2, 3});
    Path file = only(dir.resolve("a/vault/checkpoints"));
    byte[] content = Files.readAllBytes(file);
    content[1] ^= 1;
    Files.write(file, content);
    assertThatThrownBy(() -> vault.readCheckpoint(of))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("is damaged, or was written under another key");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "other://"})
  void read_missing_namesTheVault(String scheme) {
    Vault vault = vault(scheme);
    assertThatThrownBy(vault::key)
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("a/vault has no digest.key");
    assertThatThrownBy(() -> vault.readEvidence(Documents.ID))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("a/vault has no evidence for the certificate " + Documents.ID);
  }

  @Test
  void read_unreadable_namesTheFile() throws IOException {
    assumeModes();
    vault("").createKeyIfAbsent();
    Path key = dir.resolve("a/vault/digest.key");
    Files.setPosixFilePermissions(key, Set.of());
    assumeTrue(!Files.isReadable(key), "root reads everything");
    assertThatThrownBy(() -> vault("").key())
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("digest.key cannot be read");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "00", "zz", "0g0f8fad5bd9cb469fa16570867728950e"})
  void key_damaged_isRefusedWithoutQuotingIt(String content) throws IOException {
    Files.createDirectories(dir.resolve("a/vault"));
    Files.writeString(dir.resolve("a/vault/digest.key"), content);
    assertThatThrownBy(() -> vault("").key())
        .isInstanceOf(InvalidInputException.class)
        .hasNoCause()
        .hasMessageEndingWith("digest.key is damaged: it must hold 64 hexadecimal digits");
  }

  @Test
  void readEvidence_ofAnotherCertificate_isRefused() throws IOException {
    String other = Documents.ID.replace('0', '1');
    vault("").writeEvidence(Documents.evidence());
    Files.move(dir.resolve("a/vault/" + Documents.ID), dir.resolve("a/vault/" + other));
    assertThatThrownBy(() -> vault("").readEvidence(other))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("of another certificate");
  }

  @ParameterizedTest
  @ValueSource(strings = {"../../etc", "", "a/b", "0F8FAD5B-D9CB-469F-A165-70867728950E"})
  void readEvidence_idThatIsNoUuid_isRefused(String id) {
    assertThatThrownBy(() -> vault("").readEvidence(id))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("certificateId");
  }

  @Test
  void open_vaultOfAFile_isRefused() throws IOException {
    Files.writeString(dir.resolve("f"), "x");
    assertThatThrownBy(() -> Vault.open(conf, dir.resolve("f").toString()))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("is a file");
  }

  @Test
  void open_emptyPathOrUnknownScheme_isRefused() {
    for (String path : List.of("", "nosuchscheme:///x")) {
      assertThatThrownBy(() -> Vault.open(conf, path))
          .isInstanceOf(InvalidInputException.class)
          .hasMessageStartingWith("vault: ");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "out, out, is ",
    "out/vault, out, is below",
    "out/x/y/vault, out, is below",
    "., out, is above",
    "x/../out/vault, out, is below",
    "out/vault, x/../out, is below",
    "out/, out, is "
  })
  void open_vaultNotApart_isRefused(String vault, String out, String relation) {
    for (String scheme : List.of("", "file://", "other://")) {
      assertThatThrownBy(
              () -> Vault.open(conf, scheme + dir + "/" + vault, scheme + dir + "/" + out))
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining(relation);
    }
    // The same place under two names.
    assertThatThrownBy(() -> Vault.open(conf, dir + "/" + vault, "file://" + dir + "/" + out))
        .isInstanceOf(InvalidInputException.class);
    assertThat(dir).isEmptyDirectory();
  }

  @Test
  void open_throughASymbolicLink_isRefused() throws IOException {
    Path model = Files.createDirectories(dir.resolve("model"));
    Path link = Files.createSymbolicLink(dir.resolve("link"), model);
    assertThatThrownBy(() -> Vault.open(conf, link + "/new/vault", model.toString()))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("is below");
    assertThatThrownBy(() -> Vault.open(conf, model + "/vault", "/other", link.toString()))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("is below");
    Path dangling = Files.createSymbolicLink(dir.resolve("dangling"), dir.resolve("nothing"));
    assertThatThrownBy(() -> Vault.open(conf, dangling.toString(), model.toString()))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("dangling");
  }

  @Test
  void open_siblingWithTheSamePrefix_isAccepted() {
    Vault vault = Vault.open(conf, dir + "/out-vault", dir + "/out", dir + "/model");
    vault.createKeyIfAbsent();
    assertThat(dir.resolve("out-vault/digest.key")).exists();
  }
}
