package dev.lethe.spark.certificate;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.lethe.spark.InvalidInputException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class AtomicPublicationTest {
  @TempDir Path given;
  private Path dir;

  @BeforeEach
  void resolveLinks() throws IOException {
    dir = given.toRealPath();
  }

  @AfterEach
  void endRace() {
    OtherFileSystem.raced = false;
    OtherFileSystem.failsAfterRename = false;
    OtherFileSystem.undeletable = false;
  }

  /** The local file system, one like HDFS, and one with the older interface only. */
  static Stream<Arguments> fileSystems() {
    return Stream.of(
        Arguments.of("", new Configuration()),
        Arguments.of("file://", new Configuration()),
        Arguments.of("other://", OtherFileSystem.confWithContext()),
        Arguments.of("other://", OtherFileSystem.conf()));
  }

  private static byte[] bytes(String text) {
    return text.getBytes(UTF_8);
  }

  @ParameterizedTest
  @MethodSource("fileSystems")
  void commit_newTarget_movesEverythingAtOnce(String scheme, Configuration conf)
      throws IOException {
    Path out = dir.resolve("new/parent/out");
    try (AtomicPublication publication = AtomicPublication.begin(conf, scheme + out)) {
      publication.write("certificate.json", bytes("{}"));
      publication.write("model/metadata/part-0", bytes("m"));
      assertThat(out).doesNotExist();
      assertThat(closed(publication)).exists().hasParent(out.getParent());
      assertThat(closed(publication).getFileName().toString()).startsWith(".out.staging-");
      publication.commit();
    }
    assertThat(out.resolve("certificate.json")).hasContent("{}");
    assertThat(out.resolve("model/metadata/part-0")).hasContent("m");
    assertThat(out.getParent().toFile().list()).containsExactly("out");
  }

  /** The directory around what is staged. */
  private static Path closed(AtomicPublication publication) {
    return Path.of(publication.staging().getParent().toUri().getPath());
  }

  @ParameterizedTest
  @MethodSource("fileSystems")
  void staging_untilTheCommit_isItsOwnersAlone(String scheme, Configuration conf)
      throws IOException {
    Path ordinary = Files.createDirectory(dir.resolve("ordinary"));
    Path out = dir.resolve("out");
    try (AtomicPublication publication = AtomicPublication.begin(conf, scheme + out)) {
      // as Spark's writers do with a directory that they are to overwrite
      FileSystem files = publication.staging().getFileSystem(conf);
      files.delete(publication.staging(), true);
      files.mkdirs(new org.apache.hadoop.fs.Path(publication.staging(), "model"));
      publication.write("model/part-0", bytes("m"));

      assertThat(Files.getPosixFilePermissions(closed(publication)))
          .isEqualTo(PosixFilePermissions.fromString("rwx------"));
      publication.commit();
    }
    for (Path directory : List.of(out, out.resolve("model"))) {
      assertThat(Files.getPosixFilePermissions(directory))
          .isEqualTo(Files.getPosixFilePermissions(ordinary))
          .as("the umask here lets others read, or this test says nothing")
          .contains(PosixFilePermission.OTHERS_READ);
    }
    assertThat(dir.toFile().list()).containsExactlyInAnyOrder("ordinary", "out");
  }

  @Test
  void commit_parentHandsItsGroupDown_soDoesTheTarget() throws IOException {
    int setGroupId = 02000;
    Files.setAttribute(dir, "unix:mode", setGroupId | 0775);
    Path ordinary = Files.createDirectory(dir.resolve("ordinary"));
    assumeTrue(((int) Files.getAttribute(ordinary, "unix:mode") & setGroupId) != 0);
    Path out = dir.resolve("out");
    try (AtomicPublication publication =
        AtomicPublication.begin(new Configuration(), out.toString())) {
      publication.write("a", bytes("a"));
      publication.commit();
    }
    assertThat(Files.getAttribute(out, "unix:mode"))
        .isEqualTo(Files.getAttribute(ordinary, "unix:mode"));
  }

  @Test
  void commit_emptyStagingCannotBeDeleted_isPublished() throws IOException {
    Path out = dir.resolve("out");
    try (AtomicPublication publication =
        AtomicPublication.begin(OtherFileSystem.conf(), "other://" + out)) {
      publication.write("a", bytes("a"));
      OtherFileSystem.undeletable = true;
      publication.commit();
      assertThat(closed(publication).toFile().list()).containsExactly("begun");
    }
    assertThat(out.resolve("a")).hasContent("a");
  }

  @ParameterizedTest
  @MethodSource("fileSystems")
  void deleteLeftovers_killedInTheMiddle_deletesWhatWasStagedAndNothingElse(
      String scheme, Configuration conf) throws IOException {
    Files.createDirectories(dir.resolve("000001/model"));
    Files.createDirectories(dir.resolve(".snapshot"));
    org.apache.hadoop.fs.Path place = new org.apache.hadoop.fs.Path(scheme + dir);
    Storage storage = Storage.of(conf, place);
    for (String name : List.of("000002", "000003")) {
      // never closed: its process was killed
      AtomicPublication killed = AtomicPublication.begin(conf, scheme + dir.resolve(name));
      killed.write("model/part-0", bytes("m"));
    }

    assertThat(AtomicPublication.deleteLeftovers(storage, place)).isEqualTo(2);

    assertThat(dir.toFile().list()).containsExactlyInAnyOrder("000001", ".snapshot");
    assertThat(AtomicPublication.deleteLeftovers(storage, place)).isZero();
    assertThat(
            AtomicPublication.deleteLeftovers(
                storage, new org.apache.hadoop.fs.Path(place, "none")))
        .isZero();
  }

  @ParameterizedTest
  @MethodSource("fileSystems")
  void commit_takenForDead_publishesNothing(String scheme, Configuration conf) throws IOException {
    org.apache.hadoop.fs.Path place = new org.apache.hadoop.fs.Path(scheme + dir);
    try (AtomicPublication slept = AtomicPublication.begin(conf, scheme + dir.resolve("000001"))) {
      slept.write("model/part-0", bytes("m"));
      assertThat(AtomicPublication.deleteLeftovers(Storage.of(conf, place), place)).isEqualTo(1);
      // as Spark's writers, which make what is missing on the way
      slept
          .staging()
          .getFileSystem(conf)
          .mkdirs(new org.apache.hadoop.fs.Path(slept.staging(), "model"));

      assertThatThrownBy(() -> slept.resolve("model")).isInstanceOf(InvalidInputException.class);
      assertThatThrownBy(() -> slept.write("certificate.json", bytes("{}")))
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining("has been deleted meanwhile");
      assertThatThrownBy(slept::commit)
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining("has been deleted meanwhile");
    }
    assertThat(dir).isEmptyDirectory();
  }

  @Test
  void deleteLeftovers_cannotBeDeleted_isSaid() throws IOException {
    AtomicPublication killed =
        AtomicPublication.begin(OtherFileSystem.conf(), "other://" + dir.resolve("000001"));
    OtherFileSystem.undeletable = true;
    org.apache.hadoop.fs.Path place = new org.apache.hadoop.fs.Path("other://" + dir);
    Storage storage = Storage.of(OtherFileSystem.conf(), place);

    assertThatThrownBy(() -> AtomicPublication.deleteLeftovers(storage, place))
        .isInstanceOf(IOException.class);

    OtherFileSystem.undeletable = false;
    killed.close();
  }

  /** A store that copies: everything is there, and yet the commit fails. */
  @Test
  void mayHavePublished_failureAfterTheLastCopy_isTrue() throws IOException {
    Path out = dir.resolve("out");
    try (AtomicPublication publication =
        AtomicPublication.begin(OtherFileSystem.conf(), "other://" + out)) {
      publication.write("part-0", bytes("m"));
      assertThat(publication.mayHavePublished()).isFalse();
      OtherFileSystem.failsAfterRename = true;
      assertThatThrownBy(publication::commit).isInstanceOf(UncheckedIOException.class);
      assertThat(publication.mayHavePublished()).isTrue();
    }
    assertThat(out.resolve("part-0")).hasContent("m");
  }

  @ParameterizedTest
  @MethodSource("fileSystems")
  void close_failureInTheMiddle_leavesNothing(String scheme, Configuration conf) {
    Path out = dir.resolve("new/parent/out");
    assertThatThrownBy(
            () -> {
              try (AtomicPublication publication = AtomicPublication.begin(conf, scheme + out)) {
                publication.write("model/metadata/part-0", bytes("m"));
                throw new IllegalStateException("the disk burns");
              }
            })
        .hasMessage("the disk burns")
        .hasNoSuppressedExceptions();
    assertThat(dir).isEmptyDirectory();
  }

  @ParameterizedTest
  @MethodSource("fileSystems")
  void close_parentThatExisted_stays(String scheme, Configuration conf) throws IOException {
    Path parent = Files.createDirectories(dir.resolve("old"));
    AtomicPublication.begin(conf, scheme + parent.resolve("new/out")).close();
    assertThat(parent).isEmptyDirectory();
  }

  @ParameterizedTest
  @MethodSource("fileSystems")
  void close_parentUsedByOthers_stays(String scheme, Configuration conf) throws IOException {
    Path parent = dir.resolve("new");
    try (AtomicPublication publication =
        AtomicPublication.begin(conf, scheme + parent.resolve("out"))) {
      publication.write("a", bytes("a"));
      Files.writeString(parent.resolve("theirs"), "x");
    }
    assertThat(parent.toFile().list()).containsExactly("theirs");
  }

  @ParameterizedTest
  @MethodSource("fileSystems")
  void begin_targetExists_isRefused(String scheme, Configuration conf) throws IOException {
    Path file = Files.writeString(dir.resolve("file"), "x");
    Path directory = Files.createDirectories(dir.resolve("directory"));
    for (Path out : new Path[] {file, directory}) {
      assertThatThrownBy(() -> AtomicPublication.begin(conf, scheme + out))
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining(out.toString())
          .hasMessageContaining("already exists");
      assertThatThrownBy(() -> AtomicPublication.check(conf, scheme + out))
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining("already exists");
    }
    AtomicPublication.check(conf, scheme + dir.resolve("free"));
    assertThat(dir.toFile().list()).containsExactlyInAnyOrder("file", "directory");
  }

  @ParameterizedTest
  @MethodSource("fileSystems")
  void commit_secondPublication_losesAndIsNotNested(String scheme, Configuration conf)
      throws IOException {
    Path out = dir.resolve("out");
    AtomicPublication first = AtomicPublication.begin(conf, scheme + out);
    AtomicPublication second = AtomicPublication.begin(conf, scheme + out);
    try (first;
        second) {
      first.write("a", bytes("first"));
      second.write("a", bytes("second"));
      first.commit();
      assertThatThrownBy(second::commit)
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining("already exists");
    }
    assertThat(out.toFile().list()).containsExactly("a");
    assertThat(out.resolve("a")).hasContent("first");
    assertThat(dir.toFile().list()).containsExactly("out");
  }

  @Test
  void commit_targetAppearsBetweenCheckAndRename_isTakenOutAgain() throws IOException {
    Path out = dir.resolve("out");
    try (AtomicPublication publication =
        AtomicPublication.begin(OtherFileSystem.conf(), "other://" + out)) {
      publication.write("a", bytes("ours"));
      OtherFileSystem.raced = true;
      assertThatThrownBy(publication::commit)
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining("already exists");
    }
    assertThat(out.toFile().list()).containsExactly("theirs");
    assertThat(dir.toFile().list()).containsExactly("out");
  }

  @Test
  void commit_twice_isRefused() {
    try (AtomicPublication publication =
        AtomicPublication.begin(new Configuration(), dir.resolve("out").toString())) {
      publication.commit();
      assertThatThrownBy(publication::commit).isInstanceOf(IllegalStateException.class);
    }
    assertThat(dir.resolve("out")).isDirectory();
  }

  @Test
  void write_existingFile_isNotOverwritten() {
    try (AtomicPublication publication =
        AtomicPublication.begin(new Configuration(), dir.resolve("out").toString())) {
      publication.write("a", bytes("1"));
      assertThatThrownBy(() -> publication.write("a", bytes("2")))
          .isInstanceOf(UncheckedIOException.class);
    }
  }

  @Test
  void begin_belowAFile_isRefused() throws IOException {
    Path file = Files.writeString(dir.resolve("file"), "x");
    assertThatThrownBy(
            () -> AtomicPublication.begin(new Configuration(), file.resolve("out").toString()))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageStartingWith("out: ");
    assertThat(dir.toFile().list()).containsExactly("file");
  }
}
