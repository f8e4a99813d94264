package dev.lethe.spark.certificate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.URI;
import java.nio.file.FileSystem;
import java.nio.file.FileSystemException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Names that are taken where links fail, for good or for once. */
class LinksTest {
  @TempDir Path dir;

  private Path temporary;
  private Path target;

  @BeforeEach
  void begin() throws IOException {
    temporary = Files.writeString(dir.resolve(".entry.tmp"), "mine");
    target = dir.resolve("entry");
  }

  private long names() throws IOException {
    try (Stream<Path> files = Files.list(dir)) {
      return files.count();
    }
  }

  private static Links failing(int times, String reason) {
    AtomicInteger calls = new AtomicInteger();
    return new Links(
        (link, file) -> {
          if (calls.incrementAndGet() <= times) {
            throw new FileSystemException(link.toString(), file.toString(), reason);
          }
          Files.createLink(link, file);
        });
  }

  @Test
  void take_diskFailsForAMoment_isSaidAndNothingMoved() throws IOException {
    assertThatThrownBy(() -> failing(1, "Input/output error").take(temporary, target))
        .isInstanceOf(FileSystemException.class)
        .hasMessageContaining("Input/output error");
    assertThat(target).doesNotExist();
    assertThat(temporary).hasContent("mine");
    assertThat(names()).as("no trace of the try").isEqualTo(1);
  }

  @Test
  void take_diskIsFull_isSaidAndNothingMoved() throws IOException {
    // no more names: neither a link nor a file
    Links links =
        new Links(
            (link, file) -> {
              if (!link.equals(target)) {
                Files.createDirectory(link); // takes the name that the try would need
              }
              throw new FileSystemException(link.toString(), null, "No space left on device");
            });
    assertThatThrownBy(() -> links.take(temporary, target)).isInstanceOf(FileSystemException.class);
    assertThat(target).doesNotExist();
    assertThat(temporary).hasContent("mine");
  }

  @Test
  void take_fileSystemHasNoLinks_renamesUnlessTheNameIsTaken() throws IOException {
    Links links = failing(Integer.MAX_VALUE, "Operation not permitted");
    assertThat(links.areMadeIn(dir)).isFalse();
    assertThat(links.take(temporary, target)).isTrue();
    assertThat(target).hasContent("mine");

    Path second = Files.writeString(dir.resolve(".entry2.tmp"), "another's");
    assertThat(links.take(second, target)).isFalse();
    assertThat(target).hasContent("mine");
    assertThat(names()).isEqualTo(2);
  }

  /** A zip file has none, and says so by another exception. */
  @Test
  void take_inAZipFile_renames() throws IOException {
    try (FileSystem zip =
        FileSystems.newFileSystem(
            URI.create("jar:" + dir.resolve("a.zip").toUri()), Map.of("create", "true"))) {
      Path from = Files.writeString(zip.getPath("/.entry.tmp"), "mine");
      Links links = new Links(Files::createLink);
      assertThat(links.areMadeIn(zip.getPath("/"))).isFalse();
      assertThat(links.take(from, zip.getPath("/entry"))).isTrue();
      assertThat(Files.readString(zip.getPath("/entry"))).isEqualTo("mine");
    }
  }
}
