package dev.lethe.spark.neural;

import dev.lethe.spark.InvalidInputException;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.EnumSet;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.CreateFlag;
import org.apache.hadoop.fs.FileContext;
import org.apache.hadoop.fs.Options;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.permission.FsPermission;

/**
 * How far a training is, in a file that is replaced as a whole; it is of the training's own
 * settings and refused by another's. Confidential: it is made of the data.
 */
final class Checkpoint {
  private static final String FILE = "checkpoint.bin";

  private final FileContext files;
  private final Path file;
  private final String settings;

  /**
   * @param settings that the checkpoint must be of
   */
  Checkpoint(Configuration conf, String directory, String settings) {
    try {
      Path folder = new Path(directory);
      files = FileContext.getFileContext(folder.toUri(), conf);
      file = new Path(folder, FILE);
      this.settings = settings;
    } catch (IOException | IllegalArgumentException e) {
      throw new InvalidInputException("--checkpoint " + directory + ": cannot be reached", e);
    }
  }

  /**
   * Goes on from the checkpoint, if there is one.
   *
   * @return whether there is
   * @throws InvalidInputException if it is another training's, or cannot be read
   */
  boolean restore(NetworkTraining training) {
    try {
      if (!files.util().exists(file)) {
        return false;
      }
      try (DataInputStream in = new DataInputStream(new BufferedInputStream(files.open(file)))) {
        byte[] found = new byte[in.readInt()];
        in.readFully(found);
        if (!settings.equals(new String(found, StandardCharsets.UTF_8))) {
          throw new InvalidInputException(
              "--checkpoint: "
                  + file
                  + " is of a training with other settings or data; delete it, or name another"
                  + " folder");
        }
        training.read(in);
      }
      return true;
    } catch (IOException | NegativeArraySizeException e) {
      throw new InvalidInputException("--checkpoint: " + file + " cannot be read", e);
    }
  }

  /** Replaces the checkpoint. */
  void write(NetworkTraining training) {
    Path next = file.suffix("." + UUID.randomUUID());
    boolean written = false;
    try {
      try (DataOutputStream out =
          new DataOutputStream(
              new BufferedOutputStream(
                  files.create(
                      next,
                      EnumSet.of(CreateFlag.CREATE),
                      Options.CreateOpts.createParent(),
                      Options.CreateOpts.perms(new FsPermission((short) 0600)))))) {
        byte[] name = settings.getBytes(StandardCharsets.UTF_8);
        out.writeInt(name.length);
        out.write(name);
        training.write(out);
      }
      files.rename(next, file, Options.Rename.OVERWRITE);
      written = true;
    } catch (IOException e) {
      throw new InvalidInputException("--checkpoint: " + file + " cannot be written", e);
    } finally {
      if (!written) {
        discard(next);
      }
    }
  }

  /** What is half written is confidential, too. */
  private void discard(Path half) {
    try {
      files.delete(half, false);
    } catch (IOException e) {
      // the write has failed already; that is what is reported
    }
  }

  /** Deletes it. */
  void delete() {
    try {
      files.delete(file, false);
    } catch (IOException e) {
      throw new InvalidInputException("--checkpoint: " + file + " cannot be deleted", e);
    }
  }
}
