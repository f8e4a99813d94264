package dev.lethe.spark.certificate;

import dev.lethe.spark.InvalidInputException;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;

/** Where a report goes, on any Hadoop file system: a file apart from what is read. */
public final class ReportFile {
  private final String option;
  private final Storage storage;
  private final Path file;
  private final boolean confidential;

  private ReportFile(String option, Storage storage, Path file, boolean confidential) {
    this.option = option;
    this.storage = storage;
    this.file = file;
    this.confidential = confidential;
  }

  /**
   * Checks the place of a new file; writes nothing.
   *
   * @throws InvalidInputException as {@link #at}, and if it exists already
   */
  public static ReportFile checked(
      Configuration conf,
      String option,
      String path,
      boolean confidential,
      List<String> apart,
      List<String> others) {
    ReportFile file = at(conf, option, path, confidential, apart, others);
    if (file.exists()) {
      throw new InvalidInputException(option + " " + path + ": exists; name a new file");
    }
    return file;
  }

  /**
   * Checks the place; writes nothing.
   *
   * @param option that names the file, for messages
   * @param confidential whether the file is its owner's alone, mode 0600 where there are modes
   * @param apart places that the file must neither be, nor lie below or above
   * @param others places that it must neither be nor lie above
   * @throws InvalidInputException if it does, or cannot be reached
   */
  public static ReportFile at(
      Configuration conf,
      String option,
      String path,
      boolean confidential,
      List<String> apart,
      List<String> others) {
    Path given = Storage.path(path, option);
    try {
      Storage storage = Storage.of(conf, given);
      Path file = storage.canonical(given);
      for (String place : apart) {
        Path other = canonical(conf, place);
        if (Storage.isBelow(file, other)) {
          throw refused(option, path, "is below " + other);
        }
        requireNot(option, path, file, other);
      }
      for (String place : others) {
        requireNot(option, path, file, canonical(conf, place));
      }
      return new ReportFile(option, storage, file, confidential);
    } catch (IOException e) {
      throw new InvalidInputException(option + " " + path + ": cannot be reached", e);
    }
  }

  private static Path canonical(Configuration conf, String place) throws IOException {
    Path path = Storage.path(place, "path");
    return Storage.of(conf, path).canonical(path);
  }

  private static void requireNot(String option, String path, Path file, Path other) {
    if (file.equals(other) || Storage.isBelow(other, file)) {
      throw refused(option, path, (file.equals(other) ? "is " : "is above ") + other);
    }
  }

  private static InvalidInputException refused(String option, String path, String relation) {
    return new InvalidInputException(
        option + " " + path + ": " + relation + "; name a file apart from it");
  }

  /** Whether the file is there, and so is whole. */
  public boolean exists() {
    try {
      return storage.exists(file);
    } catch (IOException e) {
      throw new InvalidInputException(option + " " + file + ": cannot be reached", e);
    }
  }

  /** Deletes the file, and what killed writers of it have left, if there is any. */
  public void delete() {
    try {
      storage.deleteLeftovers(file);
      storage.delete(file);
    } catch (IOException e) {
      throw new InvalidInputException(option + " " + file + ": cannot be deleted", e);
    }
  }

  /**
   * Writes the file: it appears under its name with all its content.
   *
   * @throws InvalidInputException if it has come to exist, or cannot be written
   */
  public void write(byte[] content) {
    try {
      Path parent = file.getParent();
      if (parent != null && !storage.exists(parent)) {
        storage.createDirectory(parent);
      }
      storage.deleteLeftovers(file);
      if (confidential) {
        storage.writePrivate(file, content);
      } else if (!storage.createIfAbsent(file, content)) {
        throw new FileAlreadyExistsException(file.toString());
      }
    } catch (FileAlreadyExistsException e) {
      throw new InvalidInputException(option + " " + file + ": exists; name a new file", e);
    } catch (IOException e) {
      throw new InvalidInputException(
          option + " " + file + ": cannot be written (" + e.getClass().getSimpleName() + ")", e);
    }
  }
}
