package dev.lethe.spark.certificate;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Objects;

/** Names that are taken once, by hard links, as far as the file system has them. */
final class Links {
  private final Maker maker;

  /** Makes a link, {@link Files#createLink} but in tests. */
  interface Maker {
    void link(Path link, Path file) throws IOException;
  }

  Links(Maker maker) {
    this.maker = maker;
  }

  /**
   * Gives a file a name that is free. Where there are links, the temporary name may stay; and one
   * of several that take a name gets it. Elsewhere it is a look and then a rename.
   *
   * @return false if the name is taken
   */
  boolean take(Path temporary, Path target) throws IOException {
    try {
      // Unlike a rename, a link fails when the name is taken.
      maker.link(target, temporary);
    } catch (FileAlreadyExistsException e) {
      return false;
    } catch (UnsupportedOperationException | FileSystemException e) {
      if (Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
        return false;
      }
      // a disk that is full or fails for a moment must not lead to a rename, which overwrites
      if (areMadeIn(Objects.requireNonNull(target.toAbsolutePath().getParent()))) {
        throw e;
      }
      Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
    }
    return true;
  }

  /**
   * Tries whether a directory can have links: some file systems that are mounted have none, and say
   * so in words of their own.
   *
   * @throws IOException if it cannot have files, either
   */
  boolean areMadeIn(Path directory) throws IOException {
    Path file = directory.resolve(Storage.temporaryName("link"));
    Path link = directory.resolve(Storage.temporaryName("link"));
    try {
      Files.createFile(file);
      try {
        maker.link(link, file);
        return true;
      } catch (UnsupportedOperationException | FileSystemException e) {
        // where a name is free for a file and not for a link, it is not that the disk is full
        Files.createFile(link);
        return false;
      }
    } finally {
      Files.deleteIfExists(link);
      Files.deleteIfExists(file);
    }
  }
}
