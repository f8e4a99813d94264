package dev.lethe.spark.certificate;

import dev.lethe.spark.InvalidInputException;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;

/** Where a report goes, on any Hadoop file system: a new file, apart from what is read. */
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
   * Checks the place; writes nothing.
   *
   * @param option that names the file, for messages
   * @param confidential whether the file is its owner's alone, mode 0600 where there are modes
   * @param apart places that the file must neither be, nor lie below or above
   * @param others places that it must neither be nor lie above
   * @throws InvalidInputException if it does, exists already or cannot be reached
   */
  public static ReportFile checked(
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
      if (storage.exists(file)) {
        throw new InvalidInputException(option + " " + path + ": exists; name a new file");
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

  /**
   * Writes the file.
   *
   * @throws InvalidInputException if it has come to exist, or cannot be written
   */
  public void write(byte[] content) {
    try {
      Path parent = file.getParent();
      if (parent != null && !storage.exists(parent)) {
        storage.fs.mkdirs(parent);
      }
      if (confidential) {
        storage.writePrivate(file, content);
      } else {
        storage.write(file, content);
      }
    } catch (FileAlreadyExistsException e) {
      throw new InvalidInputException(option + " " + file + ": exists; name a new file", e);
    } catch (IOException e) {
      throw new InvalidInputException(
          option + " " + file + ": cannot be written (" + e.getClass().getSimpleName() + ")", e);
    }
  }
}
