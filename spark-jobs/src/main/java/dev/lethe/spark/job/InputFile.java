package dev.lethe.spark.job;

import dev.lethe.spark.InvalidInputException;
import java.io.IOException;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;

/** A small file that an option names, on any Hadoop file system. */
public final class InputFile {
  private InputFile() {}

  /** Whether it is there. */
  static boolean exists(SparkSession spark, String file) throws IOException {
    Path path = new Path(file);
    return path.getFileSystem(spark.sparkContext().hadoopConfiguration()).exists(path);
  }

  /**
   * Reads it.
   *
   * @param limit no more bytes than this are read
   * @throws InvalidInputException if it does not exist, is a directory or cannot be read
   */
  public static byte[] read(SparkSession spark, String option, String file, int limit) {
    try {
      Path path = new Path(file);
      FileSystem files = path.getFileSystem(spark.sparkContext().hadoopConfiguration());
      if (!files.exists(path)) {
        throw new InvalidInputException(option + " " + file + ": does not exist");
      }
      if (files.getFileStatus(path).isDirectory()) {
        throw new InvalidInputException(
            option + " " + file + ": is a directory; it must be a file");
      }
      try (FSDataInputStream in = files.open(path)) {
        return in.readNBytes(limit);
      }
    } catch (IOException | IllegalArgumentException e) {
      throw new InvalidInputException(
          option + " " + file + ": cannot be read (" + e.getClass().getSimpleName() + ")", e);
    }
  }
}
